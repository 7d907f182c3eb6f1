"""Pages made of other articles' beginnings are known, and nothing else is taken for one."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from recommender.ragged import find
from recommender.text.listing_pages import listing_pages

Post = tuple[str, str]
# Words to make sentences of, in scripts with spaces and without.
WORDS = {
    "English": "rain barrel storm lasts week when gutter is clean so look after leaves each autumn",
    "German": "Möhren säen wir früh unter Vlies damit die Fliege sie nicht findet später gießen",
    "Chinese": " ".join("春天种下番茄夏浇水施肥秋收获冬翻土休息等待来年再新苗"),
    "Thai": "ดิน ปุ๋ย ต้นไม้ น้ำ แดด ผัก สวน เมล็ด ราก ใบ ดอก ผล",
}


def sentence(draw: random.Random, n_words: int, language: str) -> str:
    space = " " if language in ("English", "German") else ""
    return space.join(draw.choices(WORDS[language].split(), k=n_words))


def posts(n: int, *, seed: int = 1, language: str = "English", n_words: int = 120) -> list[Post]:
    """Posts whose titles and paragraphs nobody else has."""
    draw = random.Random(seed)
    end = "。" if language == "Chinese" else "."
    return [
        (
            sentence(draw, 8, language),
            "\n\n".join(sentence(draw, n_words // 4, language) + end for _ in range(4)),
        )
        for _ in range(n)
    ]


def begun(text: str, n: int) -> str:
    """The first words of a text and dots, or as many pairs of characters where it has no spaces."""
    words = text.split()
    return f"{text[: 2 * n]}…" if len(words) <= 4 else f"{' '.join(words[:n])} ..."


def listed(shown: Sequence[Post], entry: Callable[[Post], str]) -> str:
    return "\n\n".join(map(entry, shown))


def found(*pages: Post) -> list[bool]:
    return [bool(one) for one in listing_pages(*map(list, zip(*pages, strict=True)))]


ENTRIES: dict[str, Callable[[Post], str]] = {
    "15 words": lambda post: f"{post[0]}\n{begun(post[1], 15)}",
    "50 words": lambda post: f"{post[0]}\n{begun(post[1], 50)}",
    "49 characters": lambda post: f"{post[0]}\n{post[1][:49]}...",
    "title": lambda post: post[0],
    "date and title": lambda post: f"3.11.2026\n{post[0]}",
    "number of comments": lambda post: f"{post[0]} (12)",
    "author and link": lambda post: f"{post[0]}\nby Jo\n{begun(post[1], 25)}\nRead more",
    "from the middle": lambda post: f"{post[0]}\n{post[1].split(chr(10))[2][:160]}",
    "whole text": lambda post: f"{post[0]}\n{post[1]}",
    "no title": lambda post: begun(post[1], 40),
}


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_lists_of_posts_are_known_in_any_script(entry: Callable[[Post], str], language: str):
    """Home, archive and category, however they show a post."""
    site = posts(12, language=language)
    pages = [
        ("Start", listed(site[:5], entry)),
        ("Start, 2", listed(site[5:], entry)),
        ("Jo", listed(site[1::3], entry)),
    ]

    assert found(*site, *pages) == [False] * 12 + [True] * 3


def test_a_list_on_one_line_is_known():
    """Crawls and databases hold texts without line breaks."""
    site = posts(8)
    home = " ".join(f"{title} {begun(body, 20)} Read more" for title, body in site)

    assert found(*site, ("Home", home))[-1]


def test_the_page_of_a_tag_with_one_post_is_known():
    """Its title stands on a line of its own, and the text is all from there."""
    site = posts(5)

    assert found(*site, ("Tag: rain", ENTRIES["15 words"](site[3])))[-1]


def test_short_titles_fill_a_line():
    """ "Garlic" within a sentence is a word; on a line of its own it names the article."""
    site = [
        (name, f"{name} " + body)
        for name, (_, body) in zip(["Garlic", "Leek", "Chives", "Onion"], posts(4), strict=True)
    ]
    recipe = "Chop the garlic, slice leek and onion, and fry all with chives until it smells good"

    assert found(*site, ("Alliums", "Garlic\nLeek\nChives\nOnion"), ("Soup", recipe)) == [
        *[False] * 4, True, False,
    ]  # fmt: skip


def test_a_list_of_lists_is_known():
    """An overview of categories stands on pages that stand on articles."""
    site = posts(12)
    names = ["Sowing in spring under fleece", "Watering through a dry summer", "Storing in winter"]
    pages = [(name, listed(site[at::3], ENTRIES["15 words"])) for at, name in enumerate(names)]

    assert all(found(*site, *pages, ("Topics", "\n".join(names)))[12:])


def test_teasers_written_for_lists_are_known():
    """A teaser that is no part of the text comes with the article."""
    site, draw = posts(6), random.Random(7)
    teasers = [sentence(draw, 25, "English") for _ in site]
    home = "\n".join(f"{title}\n{teaser}" for (title, _), teaser in zip(site, teasers, strict=True))
    pages = [*site, ("Home", home)]
    titles, bodies = map(list, zip(*pages, strict=True))

    assert listing_pages(titles, bodies, [*teasers, ""])[-1]
    assert not listing_pages(titles, bodies).any()


def test_a_post_that_ends_in_a_list_is_none():
    """Importers do not find every list of related posts; the post has a paragraph of its own."""
    site = posts(12, n_words=60)
    below = listed(site[1:11], ENTRIES["15 words"])
    first = (site[0][0], f"{site[0][1]}\n\nRelated\n\n{below}")

    assert not any(found(first, *site[1:]))


def test_parts_of_a_course_that_name_all_others_are_none():
    """A table of contents may be as long as the text."""
    site = posts(6, n_words=50)
    contents = "\n".join(title for title, _ in site)

    assert not any(found(*((title, f"{contents}\n\n{body}") for title, body in site)))


def test_templates_are_none():
    """Reports of which only figures differ share every sentence, and no title."""
    reports = [
        (
            f"Market report, {day}.11.2026",
            f"The index rose {day / 100} percent to {15000 + 13 * day} points. Analysts expect a "
            "quiet week.\n\nThis report is for information and no advice.",
        )
        for day in range(1, 15)
    ]

    assert not any(found(*reports))


def test_copies_are_none():
    """One other article has all of the page, its title in front."""
    site = posts(4)
    prints = [(f"{title} (print)", f"{title}\n\n{body}") for title, body in site]

    assert not any(found(*site, *prints))


def test_a_short_post_in_many_lists_is_none():
    """Each of them has the whole of it."""
    site = posts(20)
    short = ("A note on rain", "It rained for a week, and the barrel was full on the first day.")
    lists = [
        (f"List {at}", listed([short, *site[at : at + 9]], ENTRIES["15 words"])) for at in range(10)
    ]

    assert found(short, *site, *lists) == [False] * 21 + [True] * 10


def test_a_post_with_headings_that_are_titles_is_none():
    """An overview that says something of each has a text of its own."""
    site, draw = posts(7), random.Random(3)
    guide = listed(site, lambda post: f"{post[0]}\n{sentence(draw, 60, 'English')}")

    assert not any(found(*site, ("All you need to know", guide)))


def test_any_site_can_be_asked_about():
    """No article, no text, nothing but figures or signs."""
    assert listing_pages([], []).tolist() == []
    assert found(("2026", ""), ("!", "?"), ("3", "2026\n3\n!")) == [False] * 3


def test_few_places_are_looked_up(monkeypatch: pytest.MonkeyPatch):
    """Of a large site's words one in hundreds begins like something and goes on like it: what is
    looked up for each takes the longer, the more articles there are.
    """
    draw, n_asked = random.Random(4), 0

    def counted(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
        nonlocal n_asked
        n_asked += len(values)
        return find(keys, values)

    monkeypatch.setattr("recommender.text.listing_pages.find", counted)
    pages = [
        (" ".join(f"w{draw.randrange(40)}" for _ in range(draw.randint(2, 9))),
         " ".join(f"w{draw.randrange(40)}" for _ in range(300)))
        for _ in range(400)
    ]  # fmt: skip

    assert not any(found(*pages))
    assert n_asked < 400 * 300 / 20
