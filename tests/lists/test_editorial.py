"""Editors' rules are checked line by line, and win over everything the model says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import EditorialError
from recommender.lists.editorial import Rules
from recommender.lists.rules_file import last_good, load, parse, written
from recommender.store.rules import Rule

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
HEADING = "action,source,target,position,from,until,reason\n"
IDS = ["a", "b", "c"]


def rules(*lines: str) -> Rules:
    return parse(HEADING + "\n".join(lines), where="e.csv")


def listed(*lines: str, source: str | None = "knee", ids: list[str] = IDS) -> list[str]:
    """The list after the rules, pins marked with a star."""
    return [id + "*" * is_pin for id, is_pin in rules(*lines).apply(source, ids, now=NOW)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "a b c"),
        (["block,knee,b,,,,"], "a c"),
        (["block,*,b,,,,"], "a c"),
        (["block,hip,b,,,,"], "a b c"),
        (["pin,knee,c,,,,"], "c* a b"),
        (["pin,knee,x,2,,,"], "a x* b c"),
        (["pin,knee,b,2,,,"], "a b* c"),
        (["pin,knee,x,99,,,"], "a b c x*"),
        (["pin,knee,y,98,,,", "pin,knee,x,99,,,"], "a b c y* x*"),
        (["pin,knee,x,1,,,", "pin,knee,y,1,,,"], "x* y* a b c"),
        (["pin,knee,x,,,,", "pin,knee,y,1,,,"], "y* x* a b c"),
        (["pin,*,x,1,,,", "pin,knee,y,1,,,"], "y* x* a b c"),
        (["pin,*,x,3,,,", "pin,knee,x,1,,,"], "x* a b c"),
        (["pin,knee,b,1,,,", "block,*,b,,,,"], "a c"),
        (["pin,*,knee,1,,,"], "a b c"),
        (["PIN , knee , x , 2 ,,,"], "a x* b c"),
    ],
)
def test_rules_change_the_list(lines: list[str], expected: str):
    """Blocks beat pins, places beat none, a rule for the page beats one for all pages."""
    assert " ".join(listed(*lines)) == expected


def test_a_page_nobody_knows_gets_the_rules_for_all_pages():
    """And only these."""
    lines = ["block,*,a,,,,", "block,knee,b,,,,"]

    assert listed(*lines, source=None) == ["b", "c"]
    assert {rule.target for rule in rules(*lines).about(None, NOW)} == {"a"}


def test_an_empty_list_still_gets_its_pins():
    """However far down they are to stand."""
    assert listed("pin,knee,x,7,,,", ids=[]) == ["x*"]


@pytest.mark.parametrize(
    ("dates", "valid"),
    [
        ("2026-11-22,", True),
        ("2026-11-23,", False),
        (",2026-11-22", True),
        (",2026-11-21", False),
        (",2026-11-22T10:00:00Z", False),
        (",2026-11-22T10:00:01Z", True),
        ("2026-11-22T11:30:00+02:00,", True),
        ("2026-11-22,2026-11-22", True),
        (",9999-12-31", True),
        ("0001-01-01,", True),
    ],
)
def test_dates_bound_a_rule(dates: str, valid: bool):
    """It is ten on the 22nd. ``until`` a day includes that day; ``until`` a moment ends there."""
    assert (listed(f"block,*,b,,{dates},") == ["a", "c"]) == valid


def test_until_a_day_ends_at_midnight():
    """The rule holds in the day's last second and no longer."""
    found = rules("block,*,b,,,2026-11-22,").rules[0]

    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    assert found.valid(midnight - timedelta(seconds=1))
    assert not found.valid(midnight)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("hide,*,b,,,,", "field action: 'hide' is neither pin nor block"),
        (",*,b,,,,", "field action"),
        ("pin,,b,,,,", "field source: empty"),
        ("pin,*,,,,,", "field target: empty"),
        ("pin,b,b,,,,", "field target: an article cannot stand beside itself"),
        ("block,b,*,,,,", "field target: must name one article"),
        ("block,*,b,1,,,", "field position: a block has none"),
        ("pin,*,b,0,,,", "field position: '0' is not 1 to 100"),
        ("pin,*,b,101,,,", "field position"),
        ("pin,*,b,-1,,,", "field position"),
        ("pin,*,b,1.0,,,", "field position"),
        ("pin,*,b,first,,,", "field position"),
        ("pin,*,b,²,,,", "field position"),
        ("pin,*,b," + "9" * 5000 + ",,,", "field position"),
        ("pin,*,b,,tomorrow,,", "field from: no date: 'tomorrow'; write it as 2026-11-30"),
        ("pin,*,b,,,2026-02-30,", "field until: no date: '2026-02-30'"),
        ("pin,*,b,,0001-01-01T00:00:00+09:00,,", "field from: no date"),
        ("pin,*,b,,2026-11-22,2026-11-21,", "field until: it would end before it begins"),
        ("pin,*,b,,,,why,what else", "more cells than the heading has names"),
    ],
)
def test_a_faulty_line_is_named(line: str, field: str):
    """The whole file is refused, with the line's number and what is wrong with which field."""
    with pytest.raises(EditorialError) as caught:
        rules("block,*,sugar,,,,", "", line)

    assert str(caught.value).startswith("e.csv:4: ")
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("heading", "fault"),
    [
        ("action,source", "e.csv:1: column target is missing"),
        ("action,source,target,untill", "e.csv:1: unknown column 'untill'; known: action, "),
        ("action,source,target,target", "e.csv:1: column target stands there twice"),
    ],
)
def test_a_faulty_heading_is_named(heading: str, fault: str):
    """A column that is silently ignored would be worse than none."""
    with pytest.raises(EditorialError) as caught:
        parse(heading + "\npin,*,b,", where="e.csv")

    assert fault in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbfaction,source,target\r\nblock,*,\xc3\xbc\r\n",
        b"action, source ,target,reason\nblock,*,\xc3\xbc,",
        b'action,source,target,reason\n\n,,,\nblock,*,\xc3\xbc,"two\nlines"\n',
        b"target,source,action\n\xc3\xbc,*,block",
    ],
)
def test_files_as_editors_save_them_are_read(tmp_path: Path, raw: bytes):
    """With a byte order mark, CRLF, blank lines, quoted breaks, columns in any order."""
    (tmp_path / "e.csv").write_bytes(raw)

    assert load(tmp_path / "e.csv").apply(None, ["a", "ü"], now=NOW) == [("a", False)]


@pytest.mark.parametrize("raw", [None, b"", b"\n", b"\xef\xbb\xbf", b"action,source,target\n"])
def test_nothing_is_no_rules(tmp_path: Path, raw: bytes | None):
    """No file, an empty one, or a heading alone."""
    if raw is not None:
        (tmp_path / "e.csv").write_bytes(raw)

    assert load(tmp_path / "e.csv").rules == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    """A folder as such."""
    with pytest.raises(EditorialError, match="cannot be read"):
        load(tmp_path)


@given(st.text(max_size=200))
def test_no_text_makes_it_raise_anything_else(text: str):
    """Whatever is saved under the name, the complaint is ours."""
    try:
        parse(text, where="e.csv")
        parse(HEADING + text, where="e.csv")
    except EditorialError as exc:
        assert str(exc).startswith("e.csv:")


places = st.tuples(st.sampled_from("abxyz"), st.none() | st.integers(1, 6))


@given(st.lists(places, max_size=5), st.lists(st.sampled_from("abxyz"), max_size=2))
def test_every_rule_is_kept(pins: list[tuple[str, int | None]], blocked: list[str]):
    """Nothing twice, nothing blocked, every pin there, the others in their old order."""
    lines = [f"pin,knee,{id},{place or ''},,," for id, place in pins]
    found = rules(*lines, *(f"block,*,{id},,,," for id in blocked)).apply("knee", IDS, now=NOW)

    ids = [id for id, _ in found]
    assert len(ids) == len(set(ids))
    assert set(ids) == ({*IDS} | {id for id, _ in pins}) - {*blocked}
    assert {id for id, is_pin in found if is_pin} == {id for id, _ in pins} - {*blocked}
    assert [id for id, is_pin in found if not is_pin] == sorted(
        id for id, is_pin in found if not is_pin
    )


def test_rules_that_are_kept_are_the_same_rules(tmp_path: Path):
    """Whatever stands in a cell: they say the same on every day, in the same order."""
    kept = tmp_path / "kept.csv"
    before = rules(
        'pin,"a, ""b""",睡眠,2,2026-11-01,2026-11-30,"two\nlines; \r, too"',
        "block,*,c,,2026-11-01T10:00:00+02:00,,",
        "",
        "pin,*,=cmd,,,9999-12-31,",
    )

    kept.write_text(written(before.rules), encoding="utf-8", newline="")

    after = last_good(kept)
    assert after is not None
    assert [replace(rule, line=0) for rule in after.rules] == [
        replace(rule, line=0) for rule in before.rules
    ]


def test_a_damaged_copy_of_rules_is_none(tmp_path: Path):
    """Nobody can mend it, so it is passed over, like one that is not there."""
    kept = tmp_path / "kept.csv"
    kept.write_text("action\n")

    assert last_good(kept) is None
    assert last_good(tmp_path / "none.csv") is None


# The file and the console

BOTH = Rules([
    Rule("pin", "knee", "gout", 1, line=2, ends=NOW + timedelta(days=1)),
    Rule("pin", "knee", "salt", 1, number=1, account="ann"),
    Rule("pin", "knee", "corn", 2, number=2, account="ben"),
])  # fmt: skip


def test_for_one_page_and_place_the_file_beats_the_console():
    """As long as its rule is in force; then the console's holds again."""
    assert BOTH.apply("knee", IDS, now=NOW)[:2] == [("gout", True), ("corn", True)]
    assert "salt" not in {rule.target for rule in BOTH.about("knee", NOW)}
    assert BOTH.overriding(BOTH.rules[1], NOW) == BOTH.rules[0]

    later = NOW + timedelta(days=1)
    assert BOTH.apply("knee", IDS, now=later)[:2] == [("salt", True), ("corn", True)]
    assert BOTH.overriding(BOTH.rules[1], later) is None


def test_the_file_beats_the_console_by_the_ids_of_articles():
    """Though one names the page by its address."""
    merged = rules("pin,https://example.org/gout,knee,1").beside(
        [Rule("pin", "gout", "salt", 1, number=1), Rule("block", "gout", "b", number=2)]
    )

    assert merged.resolved(named).apply("gout", IDS, now=NOW) == [
        ("knee", True),
        ("a", False),
        ("c", False),
    ]


def test_a_block_of_the_console_beats_a_pin_of_the_file():
    """And the other way round."""
    merged = rules("pin,knee,gout,1", "block,*,salt").beside(
        [Rule("block", "knee", "gout", number=1), Rule("pin", "knee", "salt", 2, number=2)]
    )

    assert merged.apply("knee", IDS, now=NOW) == [(id, False) for id in IDS]


def test_merged_rules_know_where_they_come_from(tmp_path: Path):
    """A line, or a number and an account; the copy beside the bundles keeps it."""
    assert [rule.where for rule in BOTH.rules] == [
        "line 2",
        "rule 1 of the console, ann",
        "rule 2 of the console, ben",
    ]
    (tmp_path / "kept.csv").write_text(written(BOTH.rules), encoding="utf-8")

    kept = last_good(tmp_path / "kept.csv")

    assert kept is not None
    assert kept.of_console == BOTH.of_console
    assert [rule.target for rule in kept.of_file] == ["gout"]


# Addresses


def named(text: str) -> tuple[str | None, str]:
    """Three articles, one of which is guessed by its address."""
    known = {"knee": ("knee", ""), "https://example.org/gout": ("gout", "")}
    return known.get(text, ("salt", "letter case") if text == "/SALT" else (None, ""))


def test_rules_name_articles_by_address_too():
    """What names nobody, and what is a guess, is said; a rule on all pages stays one."""
    found = rules("pin,knee,https://example.org/gout,1", "block,*,/SALT", "block,*,later").resolved(
        named
    )

    assert found.apply("knee", ["salt", "sugar"], now=NOW) == [("gout", True), ("sugar", False)]
    assert [rule.target for rule in found.rules] == ["gout", "salt", "later"]
    assert found.remarks == (
        "line 3: field target: '/SALT' is taken for 'salt' (assumed: letter case)",
        "line 4: field target: no article 'later'",
    )


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=8), st.data())
def test_rules_on_all_pages_hold_at_every_moment_however_often_they_are_asked(
    spans: list[tuple[int, int]], data: st.DataObject
):
    """Forwards and backwards in time, at their ends too."""
    hour = timedelta(hours=1)
    given_rules = [
        Rule("block", "*", f"t{n}", None, NOW + start * hour, NOW + (start + length) * hour, line=n)
        for n, (start, length) in enumerate(spans)
    ]
    found = Rules(given_rules)

    for at in data.draw(st.lists(st.integers(-2, 40), max_size=12)):
        moment = NOW + at * hour / 2
        assert found.about("knee", moment) == [r for r in given_rules if r.valid(moment)]
