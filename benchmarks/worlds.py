"""Simulated readers of 16,000 real health questions, who follow facts and not words.

The titles of medquad are questions: each has a subject and a kind, read off with a list of
patterns made for this benchmark alone. What readers of a page follow depends on both and on a
hidden quality of the target; the lists they see are as hand-picked ones are, two links of ten good
and the others drawn from the whole site; lower places are examined less, and in the last tenth of
the views every list is shuffled. No learner sees any of it but the articles and the clicks.

A figure is the share of the possible gain: expected clicks of the lists less those of the
hand-picked ones, over those of the best possible lists less those of the hand-picked ones.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus import REAL

# A made-up year's traffic: some twenty views a page, a click in ten of them or so.
N_VIEWS, DAYS, SIZE, N_GOOD = 300_000, 60, 10, 2
FIRST_DAY = datetime(2026, 9, 1, tzinfo=UTC)
SHUFFLED = 0.1
# The best of all others that a best possible list may hold beside one page: more than a list.
N_OTHERS = 40
# What a question asks, by how it begins or ends.
KINDS = {
    "definition": r"what (?:is|are) \(are\) (.*)|what (?:is|are) (?:a |an )?(?!the )(.*)",
    "symptoms": r"what are the (?:symptoms|signs|signs and symptoms) of (.*)",
    "treatment": r"what are the treatments for (.*)",
    "genetics": r"what are the genetic changes related to (.*)",
    "frequency": r"how many people are affected by (.*)",
    "inheritance": r"is (.*?) inherited",
    "diagnosis": r"how to diagnose (.*)",
    "causes": r"what causes (.*)",
    "research": r"what research \(or clinical trials\) is being done for (.*)",
    "outlook": r"what is the outlook for (.*)",
    "risk": r"who is at risk for (.*)",
    "information": r"do you have information about (.*)",
    "advice": r"what to do for (.*)",
    "prevention": r"how to prevent (.*)",
    "stages": r"what are the stages of (.*)",
    "complications": r"what are the complications of (.*)",
}
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Taste:
    """What is true of the readers of a world: how the chance of a click falls with the position
    (``position ** -fall``), what a link to the same subject, to one of its family and to any other
    is worth, how unequal kinds are to one another (``shape`` of a gamma distribution, within the
    subject and beyond it), how far the quality of targets spreads (standard deviation of its log),
    of pages and of subjects, and if one kind is followed by itself (``stay``, times as often).
    """

    seed: int
    fall: float
    same: float
    family: float
    other: float
    shape: float
    spread: float
    subject_spread: float
    stay: float


WORLDS = {
    "journey": Taste(1, 0.7, 1.0, 0.25, 0.02, 0.5, 0.6, 0.0, 1.0),
    "comparison": Taste(2, 1.0, 0.4, 0.5, 0.01, 1.0, 0.5, 0.6, 4.0),
}
# Chance that a link is followed which is examined and whose appeal is that of one link in a
# hundred of the same subject; the greatest chance there is.
BEST_CHANCE, MOST = 0.25, 0.6


def asked(title: str) -> tuple[str, str]:
    """The subject of a question, and its kind.

    >>> asked("What are the symptoms of Gout ?")
    ('gout', 'symptoms')
    >>> asked("Is cystinosis inherited ?")
    ('cystinosis', 'inheritance')
    """
    question = re.sub(r"\s*\?*\s*$", "", title.lower()).strip()
    for kind, pattern in KINDS.items():
        if found := re.fullmatch(pattern, question):
            return next(part for part in found.groups() if part is not None).strip(), kind
    return question, OTHER


@dataclass(frozen=True, eq=False)
class World:
    """A site and what its readers want, unknown to whoever learns; articles are numbers."""

    name: str
    records: Sequence[dict[str, Any]]
    taste: Taste

    @cached_property
    def ids(self) -> list[str]:
        """The articles' ids."""
        return [record["id"] for record in self.records]

    @cached_property
    def facts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The subject, the kind and the family of each article, ``(n_articles,)``."""
        found = [asked(record["title"]) for record in self.records]
        subjects = sorted({subject for subject, _ in found})
        number = {subject: at for at, subject in enumerate(subjects)}
        kinds = [*KINDS, OTHER]
        family = _families(subjects)
        subject = np.array([number[subject] for subject, _ in found])
        return subject, np.array([kinds.index(kind) for _, kind in found]), family[subject]

    @cached_property
    def _drawn(self) -> tuple[np.ndarray, np.ndarray, float]:
        """How readers go from kind to kind, ``(2, n_kinds, n_kinds)``, beyond a subject and within
        it; the quality of each article; and what makes the appeal a chance.
        """
        taste, random = self.taste, np.random.default_rng(self.taste.seed)
        n_kinds = len(KINDS) + 1
        steps = random.gamma(taste.shape, 1 / taste.shape, size=(2, n_kinds, n_kinds))
        steps[0] *= np.where(np.eye(n_kinds) > 0, taste.stay, 1.0)
        steps[1] *= ~np.eye(n_kinds, dtype=bool)
        subject, _, _ = self.facts
        quality = taste.spread * random.standard_normal(len(self.ids))
        quality += taste.subject_spread * random.standard_normal(subject.max() + 1)[subject]
        # A chance is that of a good link, one in ten of those on the same subject or family.
        return steps, np.exp(quality), BEST_CHANCE / 4

    def appeal(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Chance that a reader of each source who examines a link to the item follows it."""
        (subject, kind, family), (steps, quality, scale) = self.facts, self._drawn
        same = subject[sources] == subject[items]
        near = family[sources] == family[items]
        closeness = np.where(same, self.taste.same, np.where(near, self.taste.family, 0))
        closeness = np.maximum(closeness, self.taste.other)
        chance = scale * closeness * steps[same.astype(int), kind[sources], kind[items]]
        return np.where(sources == items, 0.0, np.minimum(chance * quality[items], MOST))

    @cached_property
    def examined(self) -> np.ndarray:
        """Chance that each place is examined, ``(SIZE,)``."""
        return np.arange(1, SIZE + 1) ** -self.taste.fall

    @cached_property
    def hand_picked(self) -> np.ndarray:
        """The lists of the site, ``(n_articles, SIZE)``: ``N_GOOD`` links on the subject or its
        family, where there are any, in whatever place, and any others.
        """
        random, n = np.random.default_rng(self.taste.seed + 100), len(self.ids)
        lists = np.array([random.choice(n, SIZE + 1, replace=False) for _ in range(n)])
        for page in range(n):
            row = lists[page][lists[page] != page][:SIZE]
            near = np.setdiff1d(self._near(page), row)
            good = random.permutation(near)[:N_GOOD]
            row[random.choice(SIZE, len(good), replace=False)] = good
            lists[page, :SIZE] = row
        return lists[:, :SIZE]

    @cached_property
    def best(self) -> np.ndarray:
        """The lists that would win most clicks, ``(n_articles, SIZE)``."""
        (_, kind, _), (steps, quality, _), n = self.facts, self._drawn, len(self.ids)
        # Beyond subject and family only kind and quality count: the same few for a kind of page.
        beyond = [
            np.argsort(-steps[0, of, kind] * quality)[:N_OTHERS] for of in range(len(steps[0]))
        ]
        lists = np.empty((n, SIZE), dtype=np.int64)
        for page in range(n):
            some = np.union1d(self._near(page), beyond[kind[page]])
            chance = self.appeal(np.full(len(some), page), some)
            lists[page] = some[np.argsort(-chance, kind="stable")[:SIZE]]
        return lists

    def clicks(self, lists: np.ndarray) -> float:
        """Expected clicks per 100 views of ``lists``, ``(n_articles, SIZE)``, -1 for an empty slot,
        in the mean over the pages.
        """
        pages, slots = np.nonzero(lists >= 0)
        won = self.appeal(pages, lists[pages, slots]) * self.examined[slots]
        return float(100 * won.sum() / len(lists))

    def gain(self, lists: np.ndarray) -> float:
        """The share of the possible gain."""
        low, high = self.clicks(self.hand_picked), self.clicks(self.best)
        return (self.clicks(lists) - low) / (high - low)

    def events(self, *, n_views: int = N_VIEWS) -> Iterator[dict[str, Any]]:
        """The log of the site, in order of time."""
        random, n = np.random.default_rng(self.taste.seed + 200), len(self.ids)
        traffic = np.exp(random.standard_normal(n))
        pages = random.choice(n, size=n_views, p=traffic / traffic.sum())
        start = FIRST_DAY.timestamp()
        for view, page in enumerate(pages.tolist()):
            shuffled = view >= (1 - SHUFFLED) * n_views
            row = self.hand_picked[page]
            shown = random.permutation(row) if shuffled else row
            moment = start + view / n_views * DAYS * 86_400
            ts = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
            yield {
                "type": "impression", "view_id": f"v{view}", "ts": ts, "source_id": self.ids[page],
                "shown": [self.ids[item] for item in shown],
                "list": "shuffled" if shuffled else "hand-picked",
            }  # fmt: skip
            chance = self.appeal(np.full(SIZE, page), shown) * self.examined
            for slot in np.flatnonzero(random.random(SIZE) < chance).tolist():
                clicked = self.ids[shown[slot]]
                yield {"type": "click", "view_id": f"v{view}", "ts": ts, "clicked": clicked}

    @cached_property
    def _by_family(self) -> dict[int, np.ndarray]:
        subject, _, family = self.facts
        members = defaultdict(list)
        for page, number in enumerate(family.tolist()):
            members[number].append(page)
        return {number: np.array(pages) for number, pages in members.items()}

    def _near(self, page: int) -> np.ndarray:
        """The others on the page's subject or of its family."""
        pages = self._by_family[int(self.facts[2][page])]
        return pages[pages != page]


def _families(subjects: Sequence[str]) -> np.ndarray:
    """A number for each subject that those of one family share: the rarest word that stands in
    several subjects, ``(n_subjects,)``.
    """
    words = [set(re.findall(r"[a-z]{4,}", subject)) for subject in subjects]
    count: defaultdict[str, int] = defaultdict(int)
    for found in words:
        for word in found:
            count[word] += 1
    names = [
        min((w for w in found if count[w] > 1), key=lambda w: (count[w], w), default=subject)
        for found, subject in zip(words, subjects, strict=True)
    ]
    number = {name: at for at, name in enumerate(sorted(set(names)))}
    return np.array([number[name] for name in names])


def world(name: str, *, n_articles: int | None = None) -> World:
    """One of ``WORLDS`` on the questions of medquad, or on so many of them."""
    with gzip.open(REAL / "medquad" / "articles.jsonl.gz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    if n_articles is not None:
        # Whole subjects, so that a part is a site like the whole.
        subject = [asked(record["title"])[0] for record in records]
        order = np.random.default_rng(0).permutation(sorted(set(subject)))
        rank = {name: at for at, name in enumerate(order)}
        kept = sorted(range(len(records)), key=lambda at: rank[subject[at]])[:n_articles]
        records = [records[at] for at in sorted(kept)]
    return World(name, records, WORLDS[name])
