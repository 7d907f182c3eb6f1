"""A slate's token says what was sent, and nobody but us can write one."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recommender.errors import ExpiredToken, ForeignToken, RevokedToken, TokenError
from recommender.events import slate_token
from recommender.events.event import ORIGINS
from recommender.events.slate_token import (
    HOUR_MS,
    MAC_BYTES,
    MARK_BYTES,
    MAX_CHARACTERS,
    MAX_NUMBER,
    N_VARIANTS,
    REVOKED,
    Signer,
    Slate,
    head_of,
    mark_of,
    static_key,
    tail_of,
)

SIGNER = Signer([b"a key"])
SLATE = Slate(
    "20261122-101500-3f2a9c", 85, "explore", 3, (7, 300), ("model", "explored"), (0.8, 0.05),
    mark=b"mark",
)  # fmt: skip
TOKEN = SIGNER.sign(SLATE)


@st.composite
def slates(draw: st.DrawFn) -> Slate:
    """Any slate a server may send: chances are hundredths, and there are none without a variant."""
    numbers = st.integers(1, 2**31 - 1)
    items = draw(st.lists(numbers, max_size=8))
    n = len(items)
    variant = draw(st.none() | st.integers(0, N_VARIANTS - 1))
    hundredths = draw(st.lists(st.integers(1, N_VARIANTS), min_size=n, max_size=n))
    brought = tuple(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    return Slate(
        list=draw(st.text(max_size=60)),
        variant=variant,
        arm=draw(st.text(max_size=20)),
        source=draw(numbers),
        items=tuple(items),
        origins=tuple(draw(st.lists(st.sampled_from(ORIGINS), min_size=n, max_size=n))),
        chances=None if variant is None else tuple(part / N_VARIANTS for part in hundredths),
        brought=brought if any(brought) else (),
        mark=draw(st.binary(min_size=MARK_BYTES, max_size=MARK_BYTES)),
    )  # fmt: skip


@given(slates())
def test_what_was_signed_comes_back(slate: Slate):
    """Bundle, source, items in order, origins, chances, variant, arm and marks, to the last bit."""
    token = SIGNER.sign(slate)

    assert SIGNER.open(token) == slate
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    assert len(token) <= MAX_CHARACTERS


def test_ten_links_take_fewer_than_two_hundred_characters():
    """Of a site with two million ids; so an event fits into what a browser sends at the end."""
    items = tuple(range(2_000_000, 2_000_010))
    slate = SLATE._replace(
        source=1_999_999, items=items, origins=("model",) * 10, chances=(0.8,) * 10
    )

    assert len(SIGNER.sign(slate)) < 200


def test_the_longest_list_fits():
    """Fifty links with the largest numbers there are, and every one in its place."""
    items = tuple(range(2**31 - 51, 2**31 - 1))
    slate = SLATE._replace(items=items, origins=(ORIGINS * 9)[:50], chances=(0.05,) * 50)

    assert SIGNER.open(SIGNER.sign(slate)) == slate
    assert len(SIGNER.sign(slate)) <= MAX_CHARACTERS


def test_what_a_request_brought_takes_no_space():
    """It stands in the byte of the origin. 300 is 44 and twice 128, in two bytes."""
    links = 3, (7, 300), ("text", "explored"), (0.8, 0.05)

    assert tail_of(*links, mark=b"mark") == bytes([3, 2, 7, 1, 80, 172, 2, 5, 5]) + b"mark"
    assert tail_of(*links, (False, False), mark=b"mark") == tail_of(*links, mark=b"mark")
    brought = bytes([3, 2, 7, 1, 80, 172, 2, 0x80 | 5, 5]) + b"mark"
    assert tail_of(*links, (False, True), mark=b"mark") == brought


def test_brought_or_not_of_each_link():
    """Or none at all."""
    with pytest.raises(ValueError, match="is shorter"):
        SIGNER.sign(SLATE._replace(brought=(True,)))


def is_refused(text: str, signer: Signer = SIGNER) -> bool:
    """Is the text a ``TokenError``? Any other exception is the test's failure."""
    try:
        signer.open(text)
    except TokenError:
        return True
    return False


def test_every_flipped_bit_is_refused():
    """Of every character, also those bits of the last that base64 leaves unused."""
    for slate in (SLATE, SLATE._replace(list=SLATE.list + "x"), SLATE._replace(list="b")):
        token = SIGNER.sign(slate)
        flipped = [
            token[:at] + chr(ord(token[at]) ^ 1 << bit) + token[at + 1 :]
            for at in range(len(token))
            for bit in range(7)
        ]

        assert all(map(is_refused, flipped))


def test_a_token_has_one_spelling():
    """Padding, base64's other alphabet and spare bits make no second token of it."""
    slates = [SLATE._replace(list="b" * n, source=n) for n in range(1, 40)]
    signed = [SIGNER.sign(slate) for slate in slates]
    others = [token.replace("-", "+").replace("_", "/") for token in signed]

    assert all(is_refused(token + pad) for token in signed for pad in ("=", "==", "===", "\n"))
    changed = [other for other, token in zip(others, signed, strict=True) if other != token]
    assert changed
    assert all(map(is_refused, changed))


@pytest.mark.parametrize("cut", range(len(TOKEN)))
def test_a_piece_of_a_token_is_refused(cut: int):
    """However much of it is missing, at either end."""
    assert is_refused(TOKEN[:cut])
    assert is_refused(TOKEN[len(TOKEN) - cut :])


@pytest.mark.parametrize(
    "text",
    ["", "=", "A", "A" * 15, "A" * 16, "A" * MAX_CHARACTERS, "A" * 1_000_000, "ü" * 40, "膝盖" * 30,
     "\ud800", "\x00", " " + TOKEN, TOKEN + " ", TOKEN + "A", TOKEN + "AAAA", TOKEN + TOKEN,
     TOKEN + "é", "{}", "../../etc/passwd", "None"],
)  # fmt: skip
def test_garbage_is_refused(text: str):
    """Empty, lengthened, huge, in other scripts, half a character."""
    assert is_refused(text)


@given(st.text() | st.text(alphabet=string.ascii_letters + string.digits + "-_="))
@example("====")
def test_any_text_is_refused(text: str):
    """There is no other way out than ``TokenError``."""
    assert is_refused(text)


def test_another_key_signs_something_else():
    """Also a key that differs by a NUL, or by its case."""
    for key in (b"another", b"a key\x00", b"A key", b""):
        assert is_refused(Signer([key]).sign(SLATE))
        assert is_refused(TOKEN, Signer([key]))


def test_without_a_key_nothing_opens():
    """As while there is no store."""
    assert is_refused(TOKEN, Signer([]))


def test_the_key_before_still_opens():
    """The new key signs, both open; once the old is gone, what it signed is not ours."""
    both = Signer([b"new", b"a key"])

    assert both.open(TOKEN) == SLATE
    assert both.sign(SLATE) == Signer([b"new"]).sign(SLATE) != TOKEN
    assert is_refused(TOKEN, Signer([b"new"]))


def test_links_cannot_be_swapped_between_two_tokens():
    """The signature of one slate is none for another."""
    other = SIGNER.sign(SLATE._replace(items=(300, 7)))
    mac = -(MAC_BYTES * 4 // 3)

    assert is_refused(TOKEN[:mac] + other[mac:])


def test_a_token_of_another_release_says_so(monkeypatch: pytest.MonkeyPatch):
    """It bears our signature, but we cannot tell what it holds."""
    monkeypatch.setattr(slate_token, "VERSION", slate_token.VERSION + 1)
    token = Signer([b"a key"]).sign(SLATE)
    monkeypatch.undo()

    with pytest.raises(TokenError, match="another release"):
        SIGNER.open(token)


def test_a_token_names_its_store():
    """Two stores may have one signing key; what one signed is no slate of the other."""
    one, other = (Signer([b"a key"], store=name) for name in ("one", "other"))

    assert one.open(one.sign(SLATE)) == SLATE
    with pytest.raises(ForeignToken, match="another store"):
        other.open(one.sign(SLATE))


def test_a_mark_is_of_ids_in_their_order():
    """However the ids are cut, and whatever characters they have."""
    marks = [mark_of(ids) for ids in (["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""], ["a"], [])]

    assert len(set(marks)) == len(marks)
    assert {len(mark) for mark in marks} == {MARK_BYTES}
    assert mark_of(["a", "b"]) == mark_of(iter(["a", "b"]))


def sealed(packed: bytes) -> str:
    """Any bytes under our signature: of another release, or of who has our key."""
    return SIGNER.seal(packed, b"")


HEAD = head_of("b1", None, "")
SOUND = tail_of(3, (7,), ("model",), (0.0,), mark=b"mark")


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        HEAD,
        *((HEAD + SOUND)[:cut] for cut in range(len(HEAD + SOUND))),
        HEAD + SOUND + b"x",
        bytes([100]) + HEAD[1:] + SOUND,  # no such variant
        bytes([5]) + HEAD[1:] + SOUND,  # no chance
        HEAD + bytes([3, 1, 7, 0, 101]) + b"mark",  # more than a chance
        HEAD + bytes([3, 1, 7, len(ORIGINS), 0]) + b"mark",  # no such origin
        bytes([255, 2, 255, 254, 0]) + SOUND,  # no text
        HEAD + b"\xff" * 40,
        HEAD + bytes([0x80, 0x80, 0x80, 0x80, 0x08, 0]) + b"mark",  # 2**31
    ],
)
def test_a_signature_says_who_wrote_it_not_that_it_is_sound(packed: bytes):
    """Another release, or who has our key, can sign anything; it is refused, and nothing else."""
    assert is_refused(sealed(packed))


@given(st.binary(max_size=60))
def test_any_bytes_that_are_signed_are_a_slate_or_refused(packed: bytes):
    """And of a slate every number can be stored."""
    try:
        slate = SIGNER.open(sealed(packed))
    except TokenError:
        return
    assert max(slate.source, *slate.items, 0) <= MAX_NUMBER
    assert slate.chances is None or all(0 < chance <= 1 for chance in slate.chances)


# Slates of static pages


UNTIL = 500_000 * HOUR_MS
STATIC_TOKEN = SIGNER.sign_static(SLATE, until_ms=UNTIL)


@given(slates(), st.integers(0, 2**43))
def test_a_static_page_has_its_list_for_sure(slate: Slate, until_ms: int):
    """All that was signed comes back, but nothing was drawn, and nothing was asked for: whoever
    opens the page sees each link where it stands.
    """
    token = SIGNER.sign_static(slate, until_ms=until_ms)
    sure = slate._replace(variant=None, chances=(1.0,) * len(slate.items), brought=())

    found, until = SIGNER.open_static(token, at_ms=until_ms - 1)

    assert found == sure
    assert until_ms <= until < until_ms + HOUR_MS


def test_a_static_page_reports_until_its_time_is_over():
    """To the millisecond, by the time that is handed over."""
    assert SIGNER.resolve(STATIC_TOKEN, at_ms=UNTIL - 1).items == SLATE.items
    with pytest.raises(ExpiredToken, match="valid until 2027-01-15 08:00 UTC"):
        SIGNER.resolve(STATIC_TOKEN, at_ms=UNTIL)


def test_neither_purpose_is_taken_for_the_other():
    """Not by asking for it, and not by writing the other's first byte over it."""
    with pytest.raises(TokenError, match="that of a static page"):
        SIGNER.open(STATIC_TOKEN)
    with pytest.raises(TokenError, match="none of a static page"):
        SIGNER.open_static(TOKEN, at_ms=0)
    for token, other in ((TOKEN, STATIC_TOKEN), (STATIC_TOKEN, TOKEN)):
        with pytest.raises(TokenError, match="not signed here"):
            SIGNER.resolve(other[:2] + token[2:], at_ms=0)


def test_the_key_of_static_pages_signs_nothing_else():
    """Were it known, live slates would still not be forged with it, nor the other way round."""
    derived = Signer([static_key(b"a key")])

    assert is_refused(derived.sign(SLATE))
    with pytest.raises(TokenError, match="not signed here"):
        SIGNER.open_static(derived.sign_static(SLATE, until_ms=UNTIL), at_ms=0)


def test_the_key_before_opens_static_pages_as_far_as_they_were_exported():
    """Ordinary tokens of it are valid for hours; a static page is not drawn anew."""
    hour = UNTIL // HOUR_MS - 3
    kept = Signer([b"new"], exported={static_key(b"a key"): hour})
    revoked = Signer([b"new"], exported={static_key(b"a key"): REVOKED})

    assert kept.resolve(STATIC_TOKEN, at_ms=hour * HOUR_MS - 1).items == SLATE.items
    with pytest.raises(ExpiredToken):
        kept.resolve(STATIC_TOKEN, at_ms=hour * HOUR_MS)
    with pytest.raises(RevokedToken):
        revoked.resolve(STATIC_TOKEN, at_ms=0)
    with pytest.raises(TokenError, match="not signed here, but by nobody or with another key"):
        Signer([b"new", b"a key"]).resolve(STATIC_TOKEN, at_ms=0)


def test_a_static_page_of_another_store_is_refused_as_such():
    """Whatever its time."""
    with pytest.raises(ForeignToken, match="another store"):
        Signer([b"a key"], store="other").resolve(STATIC_TOKEN, at_ms=UNTIL)


def test_a_static_token_that_ends_early_is_damaged():
    """Signed by us all the same."""
    payload = SIGNER.static_prefix + b"\x00"
    short = slate_token._sealed(static_key(b"a key"), payload)

    with pytest.raises(TokenError, match="damaged"):
        SIGNER.resolve(short, at_ms=0)


@given(st.text(alphabet=string.ascii_letters + string.digits + "-_", max_size=80))
@example("")
def test_any_text_is_no_static_page(text: str):
    """Also one that begins as its tokens do."""
    for token in (text, STATIC_TOKEN[:6] + text):
        with pytest.raises(TokenError):
            SIGNER.resolve(token, at_ms=0)


def test_any_change_of_a_static_token_is_noticed():
    """A letter anywhere, its time among them."""
    for at, letter in enumerate(STATIC_TOKEN):
        other = "A" if letter != "A" else "B"
        with pytest.raises(TokenError):
            SIGNER.resolve(STATIC_TOKEN[:at] + other + STATIC_TOKEN[at + 1 :], at_ms=0)
