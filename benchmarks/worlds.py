"""Simulated readers of 16,000 real health questions, who follow facts and not words.

The titles of medquad are questions: each has a subject and a kind, read off with a list of
patterns made for this benchmark alone. What readers of a page follow depends on both and on a
hidden quality of the target; the lists they see are as hand-picked ones are, two links of ten good
and the others drawn from the whole site; lower places are examined less, and in the last tenth of
the views every list is shuffled. No learner sees any of it but the articles and the clicks.

A figure is the share of the possible gain: expected clicks of the lists less those of the
hand-picked ones, over those of the best possible lists less those of the hand-picked ones. Beside
whole builds stand builds that lack a part. By default sites have a quarter of the questions;
``FULL=1`` takes all.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.corpus import REAL, table
from recommender.articles.reader import read_articles
from recommender.candidates import EMPTY
from recommender.clicks import choice_model
from recommender.clicks.choice_model import ChoiceModel, Exposures, Rates
from recommender.events.reader import EventReader
from recommender.ranking import features, handpicked, ranker
from recommender.ranking.logit import LinearScore
from recommender.store.database import Store
from recommender.text import neighbours
from recommender.training import pipeline

# Questions and views of a site: some eighteen a page, with a click in thirty of them or so.
N_ARTICLES, N_VIEWS = (None, 300_000) if os.environ.get("FULL") else (4_000, 75_000)
# A short log has a tenth of the views.
SHORT = 10
DAYS, SIZE, N_GOOD = 60, 10, 2
FIRST_DAY = datetime(2026, 9, 1, tzinfo=UTC)
BUILT = datetime(2026, 10, 31, tzinfo=UTC)
SHUFFLED = 0.1
# Pages whose cosines with all others are computed at once.
BLOCK = 2_000
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
    """What is true of the readers of a world: how the chance that a link is examined falls with its
    position (``position ** -fall``); what a link to the same subject, to another of its family and
    to any other is worth; how alike the steps from kind to kind are (``shape`` of a gamma
    distribution of mean 1); how far the quality of targets spreads, page by page and subject by
    subject (standard deviations of its log); and how many times as often a reader who leaves the
    subject goes on to the same kind (``stay``).
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
# Chance that a link is followed which is examined, if its subject, the step to its kind and its
# quality are each worth 1; the greatest chance there is.
CHANCE, MOST = 1 / 16, 0.6


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
    def _drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """How often readers go from kind to kind, ``(2, n_kinds, n_kinds)``, beyond a subject and
        within it, where none asks the same again; and the quality of each article.
        """
        taste, random = self.taste, np.random.default_rng(self.taste.seed)
        n_kinds = len(KINDS) + 1
        steps = random.gamma(taste.shape, 1 / taste.shape, size=(2, n_kinds, n_kinds))
        steps[0] *= np.where(np.eye(n_kinds) > 0, taste.stay, 1.0)
        steps[1] *= ~np.eye(n_kinds, dtype=bool)
        subject, _, _ = self.facts
        quality = taste.spread * random.standard_normal(len(self.ids))
        quality += taste.subject_spread * random.standard_normal(subject.max() + 1)[subject]
        return steps, np.exp(quality)

    def appeal(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Chance that a reader of each source who examines a link to the item follows it."""
        (subject, kind, family), (steps, quality) = self.facts, self._drawn
        same = subject[sources] == subject[items]
        near = family[sources] == family[items]
        closeness = np.where(same, self.taste.same, np.where(near, self.taste.family, 0))
        closeness = np.maximum(closeness, self.taste.other)
        chance = CHANCE * closeness * steps[same.astype(int), kind[sources], kind[items]]
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
        (_, kind, _), (steps, quality), n = self.facts, self._drawn, len(self.ids)
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
        """The share of the possible gain that ``lists``, ``(n_articles, SIZE)``, win."""
        low, high = self.clicks(self.hand_picked), self.clicks(self.best)
        return (self.clicks(lists) - low) / (high - low)

    def events(self, n_views: int) -> Iterator[dict[str, Any]]:
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
        _, _, family = self.facts
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


def run() -> None:
    """Print the share of the possible gain, world by world, of long logs and of short ones."""
    if not REAL.is_dir():
        print(f"No real data at {REAL}: set BENCH_DATA to measure on it.")
        return
    found: dict[str, dict[str, float]] = {}
    for name in WORLDS:
        site = world(name, n_articles=N_ARTICLES)
        for log, n_views in (("", N_VIEWS), (", short log", N_VIEWS // SHORT)):
            found[name + log] = {"five lines of TF-IDF": site.gain(five_lines(site))} | {
                part: site.gain(lists) for part, lists in built(site, n_views)
            }
    lists = next(iter(found.values()))
    rows = ((part, *(f"{gains[part]:.3f}" for gains in found.values())) for part in lists)
    print(f"{len(site.ids):,} pages, {N_VIEWS:,} views; short logs: {N_VIEWS // SHORT:,}\n")
    table(("lists", *found), rows)


def five_lines(site: World) -> np.ndarray:
    """The lists that anybody would make first, ``(n_articles, SIZE)``."""
    texts = [f"{record['title']} {record.get('body') or ''}" for record in site.records]
    rows = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit_transform(texts)
    lists = []
    for start in range(0, len(texts), BLOCK):
        cosine = (rows[start : start + BLOCK] @ rows.T).toarray()
        cosine[np.arange(len(cosine)), np.arange(start, start + len(cosine))] = -1
        lists.append(np.argsort(-cosine, axis=1, kind="stable")[:, :SIZE])
    return np.concatenate(lists)


def fill(store: Store, site: World, n_views: int, folder: Path) -> None:
    """Import the articles of a world with their lists, and its log, by way of files."""
    articles, events = folder / "articles.jsonl", folder / "events.jsonl"
    picked = ([site.ids[item] for item in row] for row in site.hand_picked)
    with articles.open("w") as file:
        for record, row in zip(site.records, picked, strict=True):
            file.write(json.dumps(record | {"recommended": row}) + "\n")
    with events.open("w") as file:
        file.writelines(json.dumps(event) + "\n" for event in site.events(n_views))
    store.apply(read_articles([articles]))
    store.add_events(EventReader([events]))


def built(site: World, n_views: int) -> Iterator[tuple[str, np.ndarray]]:
    """The lists of builds that lack a part each, ``(n_articles, SIZE)``, after so many views."""
    with TemporaryDirectory() as scratch, Store(f"sqlite:///{scratch}/store.db") as store:
        fill(store, site, n_views, Path(scratch))
        with patched(ONCE):
            for part, instead in PARTS.items():
                with patched(instead):
                    options = pipeline.Options(until=0 if part == NO_CLICKS else None)
                    bundle = pipeline.build(
                        store, Path(scratch) / "models", now=BUILT, options=options
                    )
                place = {id: at for at, id in enumerate(site.ids)}
                lists = np.full((len(place), SIZE), EMPTY)
                for id, at in place.items():
                    links = bundle.related(id, SIZE)
                    lists[at, : len(links)] = [place[link.id] for link in links]
                yield part, lists


Patches = Sequence[tuple[Any, str, Callable[[Any], Any]]]


@contextmanager
def patched(patches: Patches) -> Iterator[None]:
    """Meanwhile what an object has by a name is what a function makes of it."""
    with ExitStack() as stack:
        for owner, name, instead in patches:
            stack.enter_context(patch.object(owner, name, instead(getattr(owner, name))))
        yield


def _once(work: Callable[..., Any]) -> Callable[..., Any]:
    """Work that is done the first time alone: later calls return what came of it."""
    done: list[Any] = []

    def remembered(*args: Any, **kwargs: Any) -> Any:
        if not done:
            done.append(work(*args, **kwargs))
        return done[0]

    return remembered


def _instead(work: Callable[..., Any]) -> Callable[[Any], Any]:
    """Other work, whatever stood in its place."""
    return lambda _: work


# What a build makes of articles alone, the same in every build of a site.
ONCE: Patches = [
    (pipeline, "find_listings", _once),
    (pipeline, "read_languages", _once),
    (pipeline, "read_text", _once),
    (neighbours, "neighbours", _once),
    (neighbours, "near_duplicates", _once),
    (pipeline, "corpus_of", _once),
    (handpicked, "learn", _once),
    (pipeline, "nearest", _once),
]


def _text_alone(names: Sequence[str], *_: Any, centre: np.ndarray, **__: Any) -> LinearScore:
    """The first level where clicks teach nothing."""
    nowhere = np.zeros(len(centre))
    return LinearScore(tuple(names), centre, centre, nowhere, nowhere)


def _no_text(names: Sequence[str], *_: Any, centre: np.ndarray, **__: Any) -> LinearScore:
    """The first level where nothing is known of texts."""
    return _text_alone(names, centre=np.zeros_like(centre))


def _even(_: Any, __: Any, ___: Any, n_groups: int, *____: Any) -> Rates:
    """Groups that are all followed as often as is expected."""
    ones = np.ones(n_groups)
    return Rates(ones, ones, ones, ones, prior=1e12)


def _no_lift(_: ChoiceModel, pair: np.ndarray) -> np.ndarray:
    """Pairs that are all followed as often as is expected."""
    return np.zeros(len(pair))


def _pages_alone(shown: Exposures, _: np.ndarray) -> Exposures:
    """Exposures where only links of one page are compared."""
    return replace(shown, weight=1e-9)


# What leaves out a level; those that remain are fitted without it.
LEFT_OUT: dict[str, Patches] = {
    "text": [(features, "fit_logit", _instead(_no_text))],
    "kinds": [(features, "rates_of", _instead(_even))],
    "target": [(choice_model, "rates_of", _instead(_even))],
    "pair": [(ChoiceModel, "lift", _instead(_no_lift))],
}
NO_CLICKS = "recommender, no clicks"
_NOT_BEYOND: Patches = [(ranker, "_more_helps", _instead(lambda *_: False))]
# Builds by what is put in a part's place. What is beyond the levels takes longest, so levels are
# left out without it.
PARTS: dict[str, Patches] = {
    NO_CLICKS: [],
    "recommender": [],
    "without what goes beyond the levels": _NOT_BEYOND,
    "and what clicks say of texts": [
        *_NOT_BEYOND,
        (features, "fit_logit", _instead(_text_alone)),
    ],
    "and kinds": [*_NOT_BEYOND, *LEFT_OUT["kinds"]],
    "and the target": [*_NOT_BEYOND, *LEFT_OUT["target"]],
    "and the pair's own clicks": [*_NOT_BEYOND, *LEFT_OUT["pair"]],
    "and comparing pages": [*_NOT_BEYOND, (Exposures, "weighed", _instead(_pages_alone))],
}
