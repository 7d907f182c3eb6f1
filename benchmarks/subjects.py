"""What lists by text are like on sites of one subject, and what each part of them adds.

Such a site is cut from a larger one, whose editors put its pages under topics. Topics are withheld
from every text and are the truth: of the first five places of a list, how many hold a page with a
topic in common. Beside it stand five lines of scikit-learn, and the same lists made without a part.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks import quality
from benchmarks.corpus import REAL, table
from recommender.articles.reader import read_articles
from recommender.candidates import EMPTY, MIN_LINKS
from recommender.lists import rerank
from recommender.store.database import Store
from recommender.text import corpus, latent, tfidf
from recommender.training import pipeline

Record = dict[str, Any]

# Places that are judged; an empty one is a miss.
N_JUDGED = 5
# What an article is given with. Category, tags and address tell topics.
GIVEN = ("id", "title", "body", "teaser", "published_at", "language")
# Branches of the encyclopedia's tree of tags that are sites of their own.
BRANCHES = ("Science", "Geography", "History", "Everyday life")
# Of each repository of documentation so many folders, of so many pages at least and at most, and so
# many pages of each; a folder is a topic.
CUTS = {
    "win32": (15, 400, 60, 40),
    "windows-driver-docs": (10, 3_000, 60, 50),
    "cpp-docs": (10, 1_000, 60, 50),
    "PowerShell-Docs": (5, 3_000, 60, 60),
    "windows-driver-docs-ddi": (10, 300, 60, 40),
}
# The other folders of this repository hold one page a command.
WITHIN = {"PowerShell-Docs": "reference/docs-conceptual"}
# Conditions that a site of health questions is made of, and what their questions begin with.
N_CONDITIONS = 700
ASKED = re.compile(
    r"^(do you have information about|what (is|are|causes)( \(are\)| the)?( symptoms of"
    r"| treatments for| treatment for| complications of| outlook for| stages of"
    r"| genetic changes related to)?|how (to|can) (diagnose|prevent|treat)"
    r"|how many people are affected by|who is at risk for|what research .* done for|is"
    r"|what to do for)\s+"
)
# In this process, so that what is put in a part's place is there.
ALONE = pipeline.Options(jobs=1)
# What is left out by what is put in its place.
PARTS: dict[str, list[tuple[ModuleType, str, Any]]] = {
    "nothing": [],
    "subjects of titles": [(tfidf, "NAMED", 0.0), (tfidf, "ALLUDED", 0.0)],
    "topics": [(corpus, "LATENT", 0.0)],
    "kinds' means taken off topics": [(latent, "_without_kinds", lambda place, kind: place)],
    "topics smoothed by neighbours": [(latent, "N_SMOOTHED", 0)],
    "fullness": [(tfidf, "PIVOT", 1e-9)],
    "a title's words count more": [(tfidf, "TITLE_BONUS", 0.0)],
    "half the weight of bare numbers": [(tfidf, "NUMBER", 1.0)],
    "pairs of title words": [(tfidf, "pairwise", lambda words: ())],
    "topics in the floor": [(rerank, "SAME_TOPIC", 2.0)],
    "a floor of the site's own": [
        (pipeline, "floor_of", lambda corpus, *, seed: rerank.RELEVANCE_FLOOR)
    ],
}


@dataclass(frozen=True, eq=False)
class Site:
    """A site of one subject: its ``records``, and the topics of each."""

    name: str
    records: Sequence[Record]
    topics: Sequence[Collection[str]]

    def found(self, listed: np.ndarray) -> float:
        """The share of places that hold a page with a topic in common, over all pages that have a
        topic with another; ``listed`` are numbers of pages, ``(n_pages, N_JUDGED)``.
        """
        n_pages = Counter(topic for topics in self.topics for topic in topics)
        shares = [
            sum(not set(topics).isdisjoint(self.topics[item]) for item in row if item != EMPTY)
            for topics, row in zip(self.topics, listed, strict=True)
            if any(n_pages[topic] > 1 for topic in topics)
        ]
        return float(np.mean(shares)) / N_JUDGED


def run() -> None:
    """Print lists beside scikit-learn's on every site, and what they are without each part."""
    if not REAL.is_dir():
        print(f"No real data at {REAL}: set BENCH_DATA to measure on it.")
        return
    sites = [*encyclopedia(), government(), *documentation(), questions()]
    compared(sites)
    ablation(sites)


def compared(sites: Sequence[Site]) -> None:
    """Final lists beside five lines of scikit-learn."""
    ratios = []

    def rows() -> Iterator[tuple[str, ...]]:
        for site in sites:
            plain, (ours, short) = five_lines(site), in_lists(site)
            ratios.append(ours / plain)
            yield (
                site.name, f"{len(site.records):,}", f"{plain:.3f}", f"{ours:.3f}",
                f"{ratios[-1]:.2f}", f"{short:.1%}",
            )  # fmt: skip

    few = f"fewer than {MIN_LINKS} relevant links"
    table(("site of one subject", "pages", "scikit-learn", "recommender", "ratio", few), rows())
    print(f"Ratios: mean {np.mean(ratios):.3f}, standard deviation {np.std(ratios):.3f}\n")


def ablation(sites: Sequence[Site]) -> None:
    """What every part adds: the lists without it."""

    def rows() -> Iterator[tuple[str, ...]]:
        whole: np.ndarray | None = None
        for part in PARTS:
            with without(part):
                found, short = np.array([in_lists(site) for site in sites]).T
                ndcg = quality.found_of_picked(REAL / "va").mean()
            whole = found if whole is None else whole
            change = found - whole
            worst, best = int(change.argmin()), int(change.argmax())
            yield (
                part, f"{found.mean():.4f}", f"{change.mean():+.4f}",
                f"{change[worst]:+.3f} ({sites[worst].name})",
                f"{change[best]:+.3f} ({sites[best].name})",
                f"{short.mean():.1%}", f"{ndcg:.3f}",
            )  # fmt: skip

    few = f"fewer than {MIN_LINKS} relevant links"
    heading = ("left out", "topic in common", "change", "lowest", "highest", few, "va, nDCG@10")
    table(heading, rows())


@contextmanager
def without(part: str) -> Iterator[None]:
    """Lists made meanwhile lack a part."""
    with ExitStack() as stack:
        for module, name, instead in PARTS[part]:
            stack.enter_context(patch.object(module, name, instead))
        yield


def in_lists(site: Site) -> tuple[float, float]:
    """The share of places with a topic in common in the final lists, and the share of pages with
    fewer than three relevant links.
    """
    place = {record["id"]: at for at, record in enumerate(site.records)}
    listed = np.full((len(place), N_JUDGED), EMPTY)
    n_relevant = np.zeros(len(place), dtype=int)
    with TemporaryDirectory() as scratch, Store(f"sqlite:///{scratch}/store.db") as store:
        path = Path(scratch) / "articles.jsonl"
        given = ({key: r[key] for key in GIVEN if key in r} for r in site.records)
        path.write_text("".join(json.dumps(record) + "\n" for record in given))
        store.apply(read_articles([path]))
        bundle = pipeline.build(store, Path(scratch) / "models", now=quality.NOW, options=ALONE)
        for id, at in place.items():
            links = bundle.related(id)
            listed[at, : len(links)] = [place[link.id] for link in links[:N_JUDGED]]
            # What only fills up has no score above 0.
            n_relevant[at] = sum(link.score > 0 for link in links)
    return site.found(listed), float((n_relevant < MIN_LINKS).mean())


def five_lines(site: Site) -> float:
    """What anybody would write first, with or without English stop words, whichever is better."""
    texts = [f"{r['title']} {r.get('teaser') or ''} {r.get('body') or ''}" for r in site.records]
    found = []
    for stop_words in (None, "english"):
        rows = TfidfVectorizer(sublinear_tf=True, stop_words=stop_words).fit_transform(texts)
        cosine = (rows @ rows.T).toarray()
        np.fill_diagonal(cosine, -1)
        found.append(site.found(np.argsort(-cosine, axis=1, kind="stable")[:, :N_JUDGED]))
    return max(found)


def encyclopedia() -> Iterator[Site]:
    """Branches of wikispeedia, and all of it; tags are the topics."""
    records = [record for record in _records("wikispeedia") if record.get("body")]
    for branch in BRANCHES:
        tags = [
            {tag for tag in record["tags"] if tag.startswith(f"{branch}.")} for record in records
        ]
        within = [at for at, of_record in enumerate(tags) if of_record]
        yield Site(
            f"encyclopedia, {branch}", [records[at] for at in within], [tags[at] for at in within]
        )
    yield Site("encyclopedia, all", records, [record["tags"] for record in records])


def government() -> Site:
    """va; categories are the topics."""
    records = _records("va")
    return Site("government", records, [{record["category"]} for record in records])


def documentation() -> Iterator[Site]:
    """Cuts of repositories of msdocs."""
    by_folder: defaultdict[str, defaultdict[str, list[Record]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in _records("msdocs"):
        address, _, path = record["url"].partition("/HEAD/")
        by_folder[address.split("/")[4]][path.rpartition("/")[0]].append(record)
    for name, (least, most, n_folders, n_pages) in CUTS.items():
        draw = random.Random(0)
        folders = sorted(
            folder
            for folder, records in by_folder[name].items()
            if least <= len(records) <= most and folder.startswith(WITHIN.get(name, ""))
        )
        draw.shuffle(folders)
        pages = []
        for folder in folders[:n_folders]:
            records = by_folder[name][folder]
            draw.shuffle(records)
            pages += [(record, {folder}) for record in records[:n_pages]]
        draw.shuffle(pages)
        yield Site(f"documentation, {name}", *zip(*pages, strict=True))


def questions() -> Site:
    """Questions of medquad on conditions that have several; the condition is the topic."""
    records = _records("medquad")
    conditions = [condition_of(record["title"]) for record in records]
    n_questions = Counter(conditions)
    several = sorted(condition for condition, n in n_questions.items() if n > 1)
    kept = set(random.Random(1).sample(several, N_CONDITIONS))
    within = [at for at, condition in enumerate(conditions) if condition in kept]
    return Site(
        "health questions", [records[at] for at in within], [{conditions[at]} for at in within]
    )


def condition_of(question: str) -> str:
    """What a question of medquad is about.

    >>> condition_of("What are the symptoms of Gout ?")
    'gout'
    """
    asked = ASKED.sub("", question.lower().strip(" ?"))
    return asked.removesuffix(" inherited").strip(" ?")


def _records(name: str) -> list[Record]:
    with gzip.open(REAL / name / "articles.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
