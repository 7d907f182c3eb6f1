"""A slate's token says what was sent, and nobody but us can write one."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recommender.errors import TokenError
from recommender.events import slate_token
from recommender.events.event import ORIGINS
from recommender.events.slate_token import (
    MAC_BYTES,
    MAX_CHARACTERS,
    N_VARIANTS,
    Signer,
    Slate,
    tail_of,
)

SIGNER = Signer([b"a key"])
SLATE = Slate(
    "20261122-101500-3f2a9c", 85, "explore", 3, (7, 300), ("model", "explored"), (0.8, 0.05)
)
TOKEN = SIGNER.sign(SLATE)


@st.composite
def slates(draw: st.DrawFn) -> Slate:
    """Any slate a server may send: chances are hundredths, and there are none without a variant."""
    numbers = st.integers(1, 2**31 - 1)
    items = draw(st.lists(numbers, max_size=8))
    n = len(items)
    variant = draw(st.none() | st.integers(0, N_VARIANTS - 1))
    hundredths = draw(st.lists(st.integers(0, N_VARIANTS), min_size=n, max_size=n))
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


def test_a_mark_takes_no_space():
    """It stands in the byte of the origin; without marks the bytes are those of before there were
    any. 300 is 44 and twice 128, in two bytes.
    """
    links = 3, (7, 300), ("text", "explored"), (0.8, 0.05)

    assert tail_of(*links) == bytes([3, 2, 7, 1, 80, 172, 2, 5, 5])
    assert tail_of(*links, (False, False)) == tail_of(*links)
    assert tail_of(*links, (False, True)) == bytes([3, 2, 7, 1, 80, 172, 2, 0x80 | 5, 5])


def test_a_token_from_before_there_were_marks_opens():
    """Pages keep them for a while; none of its links is marked, and it is signed alike today."""
    slate = SLATE._replace(list="b1")
    before = "AVUCYjEHZXhwbG9yZQMCBwBQrAIFBTU3bBledbWjbr4ZbQ"

    assert SIGNER.open(before) == slate
    assert SIGNER.open(before).brought == ()
    assert SIGNER.sign(slate) == before


def test_a_mark_for_each_link():
    """Or none at all."""
    with pytest.raises(ValueError, match="argument 4 is shorter"):
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
    token = SIGNER.sign(SLATE)
    monkeypatch.undo()

    with pytest.raises(TokenError, match="another release"):
        SIGNER.open(token)
