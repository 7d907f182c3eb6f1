"""Changed pages are judged as in a whole site, and no other page is."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from recommender.candidates import EMPTY
from recommender.text.listing_pages import Judged, judge, words_of
from recommender.text.listing_renewal import judge_again

Page = tuple[str, str]
WORDS = [f"{first}{last}" for first in "bdfgklmnprst" for last in ("ade", "ison", "ulet", "orry")]


def posts(n: int, *, seed: int = 1) -> list[Page]:
    """Posts whose titles and paragraphs nobody else has."""
    draw = random.Random(seed)

    def sentence(n_words: int) -> str:
        return " ".join(draw.choices(WORDS, k=n_words))

    return [(sentence(6), "\n".join(f"{sentence(30)}." for _ in range(4))) for _ in range(n)]


def listing_of(some: Sequence[Page], *, more: str = "") -> str:
    """Titles and beginnings of posts."""
    return "\n".join(f"{title}\n{body[:90]} ...{more}" for title, body in some)


def columns(pages: Sequence[Page]) -> tuple[list[str], list[str], list[str]]:
    return [title for title, _ in pages], [body for _, body in pages], [""] * len(pages)


def whole(pages: Sequence[Page]) -> Judged:
    return judge(words_of(*columns(pages)))


def again(before: Sequence[Page], now: Sequence[Page], place: Sequence[int]) -> Judged:
    return judge_again(whole(before), np.array(place), *columns(now), read=words_of)


def test_edited_new_and_deleted_pages_are_judged_as_in_a_full_training():
    """A post that becomes a listing, a listing that becomes a post, a new one, a list of lists."""
    site, others = posts(24), posts(3, seed=2)
    before = [*site, ("By month", listing_of(site[:5])), ("By plant", listing_of(site[5:9]))]
    now = [
        *site[1:20],
        (site[20][0], listing_of(site[10:16])),
        others[0],
        ("By month", others[1][1]),
        ("By plant", listing_of(site[5:9])),
        ("All months and plants of this year", listing_of([*others[:1], *site[2:6]])),
        ("Topics of the year", "By plant\nAll months and plants of this year\nBy month and day"),
    ]
    place = [EMPTY, *range(19), *[EMPTY] * 4, EMPTY, 22]

    found = again(before, now, place)

    wanted = whole(now)
    assert found.listing.tolist() == wanted.listing.tolist()
    assert found.listing.sum() >= 3
    for name in ("hash", "owner", "line"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name


@pytest.mark.parametrize("seed", range(5))
def test_any_pages_may_change(seed: int):
    """Two generations; what stands on pages that stay does not go."""
    draw = random.Random(seed)
    site = posts(40, seed=seed)
    now, judged = [*site], whole(site)
    for _ in range(2):
        before, at = now, sorted(draw.sample(range(20, len(now)), 6))
        now = [*before, *posts(1, seed=draw.randrange(10**6))]
        for row in at:
            some = draw.sample(range(20), draw.randrange(1, 6))
            now[row] = (now[row][0], listing_of([site[each] for each in some]))
        place = [EMPTY if row in at else row for row in range(len(before))]
        judged = judge_again(judged, np.array(place), *columns(now), read=words_of)

        assert judged.listing.tolist() == whole(now).listing.tolist()
        assert judged.listing.any()


def test_a_title_of_many_stays_of_no_article():
    """However few of them a changed page is judged with: here one of each, which changed too."""
    forms = [
        "How to reach our friendly editors",
        "Where all of our plants grow",
        "Terms of our use",
    ]
    site = [*posts(6), *((form, body) for form in forms for _, body in posts(7, seed=3))]
    edited = [(title, f"Revised. {body}") if at in (6, 13, 20) else (title, body)
              for at, (title, body) in enumerate(site)]  # fmt: skip
    page = ("Service", "\n".join(forms))
    place = [EMPTY if at in (6, 13, 20) else at for at in range(len(site))]

    found = again(site, [*edited, page], place)

    assert not found.listing.any()
    assert not whole([*edited, page]).listing.any()
    assert whole([*edited[6::7], page]).listing.tolist() == [False] * 3 + [True]


def test_lines_of_the_whole_site_are_of_no_page():
    """What stands on many pages covers nothing and is nobody's own."""
    footer = "\n" + "\n".join(" ".join(WORDS[at : at + 15]) for at in range(0, 45, 9))
    site = [(title, body + footer) for title, body in posts(12)]
    page = ("Newest", "\n".join(title for title, _ in site[:4]) + footer)

    found = again(site, [*site, page], range(len(site)))

    assert found.listing.tolist() == whole([*site, page]).listing.tolist() == [False] * 12 + [True]


def test_a_page_that_stays_is_not_judged_again():
    """Even if all that it names changed; a full training does."""
    site, others = posts(12), posts(12, seed=5)
    home = ("Home", listing_of(site[:6]))

    found = again([*site, home], [*others, home], [EMPTY] * 12 + [12])

    assert found.listing.tolist() == [False] * 12 + [True]
    assert not whole([*others, home]).listing.any()


def test_nothing_may_have_changed():
    """Or everything gone but what stays."""
    site = [*posts(6), ("Home", listing_of(posts(6)))]

    assert again(site, site, range(7)).listing.tolist() == [False] * 6 + [True]
    assert again(site, site[6:], [EMPTY] * 6 + [0]).listing.tolist() == [True]
