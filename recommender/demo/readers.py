"""The sample site, 153 health pages in the page format, and its simulated readers.

The pages' hand-picked lists are as customers have them: some links good, some off the topic, a few
dead or double. ``truth.json`` has of each page its topic, how inviting its title is, and what a
reader who has just read it would want next; the model never sees it.

A reader who examines a link follows it with chance ``appeal(source, target)``; position ``p`` is
examined with chance ``examination(p) = p ** -0.7``, so that the first link wins about half as
many clicks again as the same list in random order would give it, as Collins et al. (2018) measured
on related-article lists. A reader who follows a link reads on there with chance 0.7. One view in
five shows the page's list in shuffled order, and logs the chances, as a site would that wants to
separate a good link from a well-placed one.

>>> round(appeal("pain-after-miscarriage", "grief-after-miscarriage"), 3)
0.304
>>> round(appeal("pain-after-miscarriage", "sugar-calories"), 3)
0.01
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from recommender.events.event import Click, Event, Impression

FOLDER = Path(__file__).parent
PAGES = FOLDER / "pages"
# Invented, as the site is: a small one's traffic for two months, of which some views are shuffled.
DAYS, VISITS_A_DAY = 60, 400
# Invented: any day would do.
FIRST_DAY = datetime(2026, 9, 1, tzinfo=UTC)
# Invented: one view in five, as many as explore by default.
SHARE_SHUFFLED = 0.2
# Invented: a visit is of three pages or so if every list has something for its reader.
CHANCE_OF_READING_ON = 0.7
DAY_SECONDS = 86_400  # of UTC

# How fast attention falls: below an article it lasts longer than in the margin.
FALL = {"bottom": 0.7, "sidebar": 1.2}
# Chance that a link which is examined is followed, before the title's own interest: the first
# wish of the reader, how it fades down the list of wishes, the same topic, anything else. Invented,
# as the site is: hand-picked lists win a click in two views, the best possible ones one a view.
FIRST_WISH, FADING, SAME_TOPIC, OFF_TOPIC = 0.32, 0.88, 0.05, 0.008


@dataclass(frozen=True, slots=True)
class Taste:
    """What is true of one page: see the module."""

    topic: str
    interest: float
    next: tuple[str, ...]


@cache
def truth() -> dict[str, Taste]:
    """The taste of the sample site's readers, by page."""
    content = json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))
    return {
        id: Taste(entry["topic"], entry["interest"], tuple(entry["next"]))
        for id, entry in content.items()
    }


def examination(position: int, layout: str = "bottom") -> float:
    """Chance that a reader examines ``position``, counted from 1."""
    return float(position ** -FALL[layout])


def appeal(source: str, target: str) -> float:
    """Chance that a reader of ``source`` who examines a link to ``target`` follows it."""
    taste = truth()
    if target not in taste or target == source:
        return 0.0
    wishes = taste[source].next
    if target in wishes:
        chance = FIRST_WISH * FADING ** wishes.index(target)
    else:
        chance = SAME_TOPIC if taste[target].topic == taste[source].topic else OFF_TOPIC
    return min(1.0, chance * taste[target].interest)


def expected_clicks(source: str, links: Sequence[str]) -> float:
    """Clicks one view of the list wins, on average, under this model. A link that stands twice
    wins nothing the second time.
    """
    first = dict.fromkeys(links)
    return sum(examination(links.index(link) + 1) * appeal(source, link) for link in first)


def best_list(source: str, size: int) -> list[str]:
    """The list that would win most clicks: what the reader wants most, first."""
    others = [id for id in truth() if id != source]
    return sorted(others, key=lambda id: (-appeal(source, id), id))[:size]


def visits(
    lists: Mapping[str, Sequence[str]],
    *,
    seed: int,
    days: int = DAYS,
    a_day: int = VISITS_A_DAY,
    layouts: Sequence[str] = ("bottom",),
    size: int | None = None,
    share: float = SHARE_SHUFFLED,
) -> Iterator[Event]:
    """The log of a site that shows ``lists``: impressions and clicks, in order of time.

    Every visit is a session that opens somewhere, in proportion to interest. With several
    ``layouts`` each view has one, drawn at random. With a ``size`` lists are cut to it, a ``share``
    of the views draws from the whole list instead, and all log the chances.
    """
    random = np.random.default_rng(seed)
    pages = sorted(set(lists) & set(truth()))
    interest = np.array([truth()[id].interest for id in pages])
    number = 0
    for day in range(days):
        starts = np.sort(random.integers(0, DAY_SECONDS, size=a_day))
        opened = random.choice(len(pages), size=a_day, p=interest / interest.sum())
        for second, first in zip(starts, opened, strict=True):
            page: str | None = pages[first]
            ts = int(FIRST_DAY.timestamp() * 1000) + 1000 * (day * DAY_SECONDS + int(second))
            number += 1
            view = 0
            while page is not None and lists.get(page):
                view += 1
                shuffled, shown, chances = _slate(lists[page], size, share, random)
                layout = layouts[0 if len(layouts) == 1 else int(random.integers(len(layouts)))]
                name = f"v{number}-{view}"
                yield Impression(
                    name, ts, page, shown, session_id=f"s{number}", layout=layout,
                    list="shuffled" if shuffled else "hand-picked", propensities=chances,
                )  # fmt: skip
                links = followed(page, shown, random, layout)
                for link in links:
                    ts += pause(random)
                    yield Click(name, ts, link)
                page = next_page(links, random)


def followed(
    page: str, shown: Sequence[str], random: np.random.Generator, layout: str = "bottom"
) -> list[str]:
    """The links a reader of ``page`` follows, from the top, each once."""
    drawn = random.random(len(shown))
    found = [
        link
        for place, link in enumerate(shown, start=1)
        if drawn[place - 1] < examination(place, layout) * appeal(page, link)
    ]
    return list(dict.fromkeys(found))


def pause(random: np.random.Generator) -> int:
    """Milliseconds until the next click."""
    return 1000 * int(random.integers(20, 180))


def next_page(links: Sequence[str], random: np.random.Generator) -> str | None:
    """Where a reader who followed ``links`` reads on, or None."""
    reads_on = bool(links) and random.random() < CHANCE_OF_READING_ON
    return links[-1] if reads_on else None


def _slate(
    links: Sequence[str], size: int | None, share: float, random: np.random.Generator
) -> tuple[bool, tuple[str, ...], tuple[float, ...] | None]:
    """Whether it is shuffled; the list as it stands, or now and then shuffled; and the chance of
    each link's place.
    """
    shuffled = bool(random.random() < share)
    order = random.permutation(len(links)) if shuffled else range(len(links))
    shown = tuple(links[place] for place in order)[:size]
    if size is not None:
        stays = [link == links[place] for place, link in enumerate(shown)]
        return shuffled, shown, tuple(share / len(links) + (1 - share) * stay for stay in stays)
    # A link that stands twice has two ways to come to a place.
    chances = tuple(links.count(link) / len(links) for link in shown)
    return shuffled, shown, chances if shuffled else None
