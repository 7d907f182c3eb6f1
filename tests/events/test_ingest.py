"""What a page sends is believed as far as it is signed, and refused with a reason beyond that."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import Rejected
from recommender.events.event import Click, Impression, PageView
from recommender.events.ingest import (
    BY_CRAWLER,
    BY_READER,
    IMPORTED,
    MAX_AGE_MS,
    MAX_NAME,
    Followed,
    Gate,
    Opened,
    Shown,
)
from recommender.events.slate_token import REVOKED, Signer, Slate, static_key
from recommender.fields import MAX_ID_CHARACTERS

NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)
PERSIAN = "چرا-می\u200cشود"  # a joiner that is nowhere seen, and belongs to the word
LONG = "x" * MAX_ID_CHARACTERS
IDS = {"knee", "gout", "a/b?c=1", PERSIAN, LONG}
SIGNER = Signer([b"a key"])
SLATE = Slate("b1", 85, "explore", 3, (7, 9), ("model", "explored"), (0.8, 0.05), mark=b"mark")
TOKEN = SIGNER.sign(SLATE)

IMPRESSION = {"type": "impression", "view_id": "v1", "slate": TOKEN}
CLICK = {"type": "click", "view_id": "v1", "slate": TOKEN, "position": 2}
PAGE_VIEW = {"type": "pageview", "article_id": "knee"}
FULL_IMPRESSION = {
    "type": "impression", "view_id": "v1", "ts": "2026-11-22T10:00:00Z", "source_id": "knee",
    "shown": ["gout", "salt"],
}  # fmt: skip
FULL_CLICK = {"type": "click", "view_id": "v1", "ts": "2026-11-22T10:00:00Z", "clicked": "gout"}


def gate(**changes: Any) -> Gate:
    """A gate at noon, for a reader's page unless ``changes`` say otherwise."""
    return Gate(**{"signer": SIGNER, "is_known": IDS.__contains__, "now_ms": NOON, **changes})


def reason(record: object, **changes: Any) -> str:
    """Why the record is refused; empty if it is not."""
    try:
        gate(**changes).read(record)
    except Rejected as fault:
        assert str(fault)
        assert "\n" not in str(fault)
        return fault.reason
    return ""


# What is believed


def test_an_impression_is_the_slate_its_token_says():
    """Session and layout are the page's own; the clock is ours."""
    event = gate().read({**IMPRESSION, "session_id": "s", "layout": "bottom"})

    assert event == Shown("v1", NOON, SLATE, "s", "bottom", BY_READER)


def test_a_click_is_the_item_at_its_position():
    """The second link of the slate is the article with the store's number 9."""
    assert gate().read(CLICK) == Followed("v1", NOON, 9, BY_READER, SLATE)
    assert gate().read({**CLICK, "position": 1}) == Followed("v1", NOON, 7, BY_READER, SLATE)


def test_a_page_view_names_articles_of_the_site():
    """Whatever their ids hold; a referrer and a session may be missing, null or empty."""
    assert gate().read(PAGE_VIEW) == Opened(NOON, "knee", "", "", BY_READER)
    for nothing in (None, ""):
        same = {**PAGE_VIEW, "referrer_id": nothing, "session_id": nothing}
        assert gate().read(same) == Opened(NOON, "knee", "", "", BY_READER)
    full = {**PAGE_VIEW, "article_id": "a/b?c=1", "referrer_id": "gout", "session_id": "s"}
    assert gate().read(full) == Opened(NOON, "a/b?c=1", "s", "gout", BY_READER)


@pytest.mark.parametrize("id", [PERSIAN, LONG])
def test_any_id_of_the_site_will_do(id: str):
    """As source and as referrer: long ones, and those with letters that are not to be seen."""
    event = gate().read({"type": "pageview", "article_id": id, "referrer_id": id})

    assert event == Opened(NOON, id, "", id, BY_READER)


def test_what_else_a_page_says_is_not_believed():
    """A slate of its own beside the token, another source, another time, somebody's live flag."""
    boast = {
        "ts": "2020-01-01T00:00:00Z", "source_id": "gout", "shown": ["x"], "live": 0,
        "propensities": [1], "arm": "best", "list": "mine", "clicked": "x", "item": 1,
    }  # fmt: skip

    assert gate().read({**IMPRESSION, **boast}) == gate().read(IMPRESSION)
    assert gate().read({**CLICK, **boast}) == gate().read(CLICK)
    assert gate().read({**PAGE_VIEW, **boast}) == gate().read(PAGE_VIEW)


def test_a_key_that_was_replaced_still_opens_slates():
    """Pages that were drawn before the change go on sending."""
    assert gate(signer=Signer([b"new", b"a key"])).read(CLICK) == gate().read(CLICK)
    assert reason(CLICK, signer=Signer([b"new"])) == "forged"


def test_a_slate_of_another_store_is_refused_as_such():
    """Staging and production may share a key, not the numbers of their articles."""
    assert reason(CLICK, signer=Signer([b"a key"], store="another")) == "other_store"


def test_a_static_page_says_what_was_exported_until_its_time_is_over():
    """Its events are a reader's like others, and count within the same bounds; each end has a
    reason of its own. The time is that of the event, not of its arrival.
    """
    token = SIGNER.sign_static(SLATE, until_ms=NOON)
    record = {**CLICK, "slate": token}
    sure = SLATE._replace(variant=None, chances=(1.0, 1.0))

    before = gate(now_ms=NOON - 1).read(record)

    assert before == Followed("v1", NOON - 1, 9, BY_READER, sure)
    assert gate().read({**record, "age_ms": 1}) == before
    assert reason(record) == "expired"
    assert reason(record, signer=Signer([b"a key"], store="another")) == "other_store"
    assert reason(record, signer=Signer([b"new"])) == "forged"
    revoked = Signer([b"new"], exported={static_key(b"a key"): REVOKED})
    assert reason(record, signer=revoked) == "revoked"
    assert reason({**record, "position": 3}, now_ms=NOON - 1) == "bad_position"


@pytest.mark.parametrize(("age", "passed"), [(0, 0), (1, 1), (1500.9, 1500), (MAX_AGE_MS,) * 2])
def test_an_event_that_comes_late_happened_when_it_happened(age: float, passed: int):
    """A page that could not send at once says how long ago it was."""
    for record in (IMPRESSION, CLICK, PAGE_VIEW):
        assert gate().read({**record, "age_ms": age}).ts == NOON - passed


@pytest.mark.parametrize(
    "age",
    [-1, -0.001, MAX_AGE_MS + 1, float("nan"), float("inf"), -float("inf"), 10**400, "5", None, [],
     {}, True, False],
)  # fmt: skip
def test_an_age_that_is_none_is_refused(age: object):
    """An hour is the most; the future, no number and true are none."""
    assert reason({**CLICK, "age_ms": age}) == "malformed"


def test_a_known_crawler_is_marked():
    """What it sends is kept, and left out when counting; the admin key vouches for its holder."""
    for record in (IMPRESSION, CLICK, PAGE_VIEW):
        assert gate(crawler=True).read(record).live == BY_CRAWLER
        assert gate(crawler=True, trusted=True).read(record).live == BY_READER


# What is refused


@pytest.mark.parametrize(
    "record", [None, True, 1, 1.5, "impression", [], [IMPRESSION], {}, {"type": None},
               {"type": "view"}, {"type": ["click"]}, {"type": {}}, {"type": 1}, {"Type": "click"}],
)  # fmt: skip
@pytest.mark.parametrize("trusted", [False, True])
def test_what_is_no_event_is_malformed(record: object, trusted: bool):
    """Not an object, or of no known type."""
    assert reason(record, trusted=trusted) == "malformed"


NO_TEXT = [1, 0, 1.5, True, False, [], ["v1"], {}, {"a": 1}]
# Control characters, half a surrogate pair, and NUL, which PostgreSQL has no place for.
NO_CHARACTERS = ["\x00", "a\x00b", "\ud800", "a\udfffb"]


@pytest.mark.parametrize(
    ("record", "name"),
    [(IMPRESSION, "view_id"), (CLICK, "view_id"), (PAGE_VIEW, "article_id"),
     (CLICK, "position")],
)  # fmt: skip
def test_what_is_needed_may_not_be_missing(record: dict[str, Any], name: str):
    """Not there, null or empty."""
    assert reason({key: value for key, value in record.items() if key != name}) == "malformed"
    assert reason({**record, name: None}) == "malformed"
    assert reason({**record, name: ""}) == "malformed"


@pytest.mark.parametrize(
    ("record", "name"),
    [(IMPRESSION, "view_id"), (IMPRESSION, "session_id"), (IMPRESSION, "layout"),
     (CLICK, "view_id"), (PAGE_VIEW, "article_id"), (PAGE_VIEW, "session_id"),
     (PAGE_VIEW, "referrer_id")],
)  # fmt: skip
def test_a_name_is_text(record: dict[str, Any], name: str):
    """Numbers, lists and truth are none, nor is text that no store could hold."""
    for value in [*NO_TEXT, *NO_CHARACTERS]:
        assert reason({**record, name: value}) == "malformed", value


@pytest.mark.parametrize(
    ("record", "name", "most"),
    [(IMPRESSION, "view_id", MAX_NAME), (IMPRESSION, "session_id", MAX_NAME),
     (IMPRESSION, "layout", MAX_NAME), (CLICK, "view_id", MAX_NAME),
     (PAGE_VIEW, "session_id", MAX_NAME), (PAGE_VIEW, "article_id", MAX_ID_CHARACTERS),
     (PAGE_VIEW, "referrer_id", MAX_ID_CHARACTERS)],
)  # fmt: skip
def test_a_name_has_an_end(record: dict[str, Any], name: str, most: int):
    """As long as allowed is taken; a character more is oversized, not cut."""
    assert reason({**record, name: "x" * most}) == ""
    assert reason({**record, name: "x" * (most + 1)}) == "oversized"


@pytest.mark.parametrize("slate", [*NO_TEXT, None])
def test_a_slate_is_text(slate: object):
    """Anything else is malformed rather than forged."""
    assert reason({**IMPRESSION, "slate": slate}) == "malformed"
    assert reason({**CLICK, "slate": slate}) == "malformed"


@pytest.mark.parametrize(
    "slate", ["", "x", TOKEN[:-1], TOKEN + "A", "ü" * 40, "\ud800", "y" * 9999]
)
@pytest.mark.parametrize("trusted", [False, True])
def test_a_slate_that_was_not_signed_here_is_forged(slate: str, trusted: bool):
    """Whoever sends it."""
    assert reason({**IMPRESSION, "slate": slate}, trusted=trusted) == "forged"
    assert reason({**CLICK, "slate": slate}, trusted=trusted) == "forged"


@pytest.mark.parametrize("position", [0, -1, 3, 10**9, 10**400])
def test_a_position_outside_the_slate_is_refused(position: int):
    """Two links were sent, so there are positions 1 and 2."""
    assert reason({**CLICK, "position": position}) == "bad_position"


@pytest.mark.parametrize("position", [1.0, 1.5, float("nan"), "1", True, [1], {}])
def test_a_position_is_a_whole_number(position: object):
    """True is not the first."""
    assert reason({**CLICK, "position": position}) == "malformed"


def test_no_position_of_an_empty_slate():
    """A page without links has none that could be followed."""
    empty = SIGNER.sign(SLATE._replace(items=(), origins=(), chances=()))

    assert reason({**CLICK, "slate": empty, "position": 1}) == "bad_position"
    assert reason({**IMPRESSION, "slate": empty}) == ""


def test_an_article_nobody_has_is_refused():
    """A stranger cannot fill the store with ids."""
    assert reason({**PAGE_VIEW, "article_id": "nobody"}) == "unknown_article"
    assert reason({**PAGE_VIEW, "referrer_id": "nobody"}) == "unknown_article"
    assert reason({**PAGE_VIEW, "article_id": "knee "}) == "unknown_article"


def test_full_records_take_the_admin_key():
    """Else anybody could say what was shown."""
    assert reason(FULL_IMPRESSION) == "unsigned"
    assert reason(FULL_CLICK) == "unsigned"
    assert reason({"type": "impression"}) == "unsigned"


# What is believed of who holds the admin key


def test_the_site_itself_may_send_full_records():
    """As an import has them, with the server's clock if they bear no time."""
    ts = NOON - 2 * 3_600_000
    trusted = gate(trusted=True)

    assert trusted.read(FULL_IMPRESSION) == Impression("v1", ts, "knee", ("gout", "salt"))
    assert trusted.read(FULL_CLICK) == Click("v1", ts, "gout")
    timeless = {name: value for name, value in FULL_CLICK.items() if name != "ts"}
    assert trusted.read(timeless) == Click("v1", NOON, "gout")


def test_the_site_itself_may_say_when():
    """Of signed events too, before or after the server's own time; these are taken as an import."""
    trusted, ts = gate(trusted=True, crawler=True), NOON - 2 * 3_600_000
    when = {"ts": "2026-11-22T11:00:00+01:00", "age_ms": "not looked at"}

    assert trusted.read({**IMPRESSION, **when}) == Shown("v1", ts, SLATE, "", "", IMPORTED)
    assert trusted.read({**CLICK, **when}) == Followed("v1", ts, 9, IMPORTED, SLATE)
    assert trusted.read({**PAGE_VIEW, **when}) == Opened(ts, "knee", "", "", IMPORTED)
    assert trusted.read({**CLICK, "age_ms": 7}) == Followed("v1", NOON - 7, 9, BY_READER, SLATE)


@pytest.mark.parametrize("ts", ["", "now", 5, None, True, [], "2026-13-01", "\ud800", "9" * 5000])
@pytest.mark.parametrize("record", [IMPRESSION, CLICK, PAGE_VIEW, FULL_IMPRESSION, FULL_CLICK])
def test_a_time_that_is_none_is_refused(record: dict[str, Any], ts: object):
    """Also from the site itself, and in one line."""
    assert reason({**record, "ts": ts}, trusted=True) == "malformed"


@pytest.mark.parametrize(
    ("name", "value"),
    [("shown", None), ("shown", []), ("shown", "\x00"), ("shown", [1.5]), ("shown", {}),
     ("source_id", None), ("source_id", []), ("source_id", "\ud800"), ("ordered", "perhaps"),
     ("propensities", [1]), ("propensities", [0, 1]), ("propensities", ["x", 1]),
     ("propensities", [10**400, 1]), ("propensities", [float("nan"), 1]),
     ("session_id", "x" * 999)],
)  # fmt: skip
def test_full_records_are_checked_as_an_import_is(name: str, value: object):
    """The fault names the field."""
    with pytest.raises(Rejected, match=f"^field {name}: ") as caught:
        gate(trusted=True).read({**FULL_IMPRESSION, name: value})

    assert caught.value.reason == "malformed"


# Whatever comes

NAMES = ["type", "view_id", "slate", "position", "session_id", "layout", "age_ms", "ts", "shown",
         "source_id", "clicked", "article_id", "referrer_id", "ordered", "propensities", "arm",
         "list"]  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=20)
    | st.sampled_from(["knee", "click", "pageview", "impression", TOKEN, "2026-11-22", "[1]", "|"])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
)
RECORDS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
GOOD = [IMPRESSION, CLICK, PAGE_VIEW, FULL_IMPRESSION, FULL_CLICK]


@pytest.mark.slow
@given(
    VALUES | st.builds(lambda good, more: {**good, **more}, st.sampled_from(GOOD), RECORDS),
    st.booleans(),
    st.booleans(),
)
def test_anything_is_an_event_or_refused(record: object, trusted: bool, crawler: bool):
    """No other exception, whatever JSON may hold; and what is accepted can be stored."""
    try:
        event = gate(trusted=trusted, crawler=crawler).read(record)
    except Rejected as fault:
        assert fault.reason in {"malformed", "oversized", "unsigned", "forged", "bad_position",
                                "unknown_article", "other_store"}  # fmt: skip
        assert str(fault)
        return
    assert isinstance(event, Shown | Followed | Opened | Impression | Click | PageView)
    assert isinstance(event.ts, int)
    text = json.dumps(event, ensure_ascii=False, default=bytes.hex)
    assert text.encode()
    assert "\\u0000" not in text
    assert trusted or event.ts <= NOON


@pytest.mark.parametrize("ts", ["1999-12-31T23:59:59Z", NOON + 86_400_001, "2099-01-01", 10])
@pytest.mark.parametrize("record", [IMPRESSION, CLICK, PAGE_VIEW, FULL_IMPRESSION, FULL_CLICK])
def test_a_time_that_cannot_be_is_refused(record: dict[str, Any], ts: object):
    """Before 2000, or more than a day after the server's clock; a number is of any unit."""
    assert reason({**record, "ts": ts}, trusted=True) == "malformed"
    assert gate(trusted=True).read({**record, "ts": NOON + 86_400_000}).ts == NOON + 86_400_000
    assert gate(trusted=True).read({**record, "ts": NOON // 1000}).ts == NOON
