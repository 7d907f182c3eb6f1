"""One build, from the store to a published bundle. This is the table of contents: start here.

articles ─▶ text ─▶ neighbours ─┐
hand-picked lists ──────────────┼─▶ candidates ─▶ scores ─▶ lists ─▶ bundle
log ─▶ counts ─▶ examination ─▶ history ─▶ ranker
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recommender import counts, manifest, positions, similarity, tfidf
from recommender.appeal import at, find
from recommender.arrays import save, save_index
from recommender.articles import Article
from recommender.bundle import CARD, TREES, Bundle
from recommender.candidates import EMPTY, Candidates, from_pairs, hand_picked, union
from recommender.card import model_card
from recommender.counts import Log
from recommender.errors import TrainingError
from recommender.features import (
    BLOCK,
    History,
    Site,
    features,
    known_of,
    offset,
    site_of,
    text_score,
)
from recommender.lists import DEFAULT_K, Lists, answer
from recommender.positions import Examination
from recommender.progress import Progress, Silent
from recommender.ranker import Learned, learn
from recommender.rerank import RELEVANCE_FLOOR, Finished, finish
from recommender.store import Store
from recommender.strings import Strings
from recommender.tfidf import Text
from recommender.urls import url_key

N_NEIGHBOURS = 60
N_BY_READERS = 20
N_SHOWN = 40
# Blocks of articles that are counted apart; fewer articles than one block are not worth a process.
COUNT_BLOCK = 4_000
N_POPULAR = 100
EVIDENCE = ("cosine", "clicked", "expected", "visits", "hand_picked")


@dataclass(frozen=True, slots=True)
class Options:
    """How to build. ``until`` (milliseconds since 1970) bounds the log; ``jobs`` is the number
    of processes for counting text; ``seed`` settles every draw.
    """

    until: int | None = None
    jobs: int = 2
    seed: int = 0
    activate: bool = True


def build(
    store: Store,
    models: Path,
    *,
    now: datetime,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Train on everything in the store, publish the bundle and, by default, make it live.

    ``TrainingError`` if there are fewer than two articles. A build that is cut short leaves
    nothing under a bundle's name.
    """
    options, progress = options or Options(), progress or Silent()
    progress.stage("reading the store")
    articles = store.articles()
    if len(articles) < 2:
        raise TrainingError(f"{len(articles)} articles in the store; a list takes two")
    ids = [article.id for article in articles]
    stub = np.array([article.stub for article in articles])
    if stub.all():
        raise TrainingError("the store holds stubs alone; import the pages themselves")

    text = read_text(articles, jobs=options.jobs, progress=progress)
    items, cosines = similarity.neighbours(text, k=N_NEIGHBOURS, progress=progress)
    near = Candidates(items, np.where(items != EMPTY, cosines, -np.inf))
    cluster = similarity.near_duplicates(text, items)
    picked = picked_lists(articles, ids)
    site = site_of(
        text,
        titles=[article.title for article in articles],
        categories=[article.category for article in articles],
        tags=[article.tags for article in articles],
        picked=picked.items,
        near=items,
        near_cosine=cosines,
    )

    progress.stage("counting the log")
    log = counts.count(store, ids, until=options.until)
    examination = positions.estimate(log, seed=options.seed)
    learned = learn(site, log, examination, seed=options.seed, progress=progress)

    shown = on_the_page(picked, learned.history)
    candidates = union([near, by_readers(learned.history), shown])
    scored = scores(site, learned, candidates, progress)
    finished = finish(
        site,
        scored,
        learned.history if learned.ranker else None,
        near=near,
        picked=shown,
        cluster=cluster,
        titles=[article.title for article in articles],
        stub=stub,
        origin="model" if learned.ranker else "text",
    )
    built = Built(articles, text, site, log, examination, learned, cluster, finished, now)
    return write(built, models, options, progress)


def read_text(articles: Sequence[Article], *, jobs: int, progress: Progress) -> Text:
    """Count the terms of every article, block by block, and weigh them."""
    titles = [article.title for article in articles]
    # A stub has no page; its teaser is the beginning of the text it stands for.
    bodies = [article.teaser if article.stub else article.body for article in articles]
    boilerplate = tfidf.find_boilerplate(bodies)
    known = set(boilerplate.tolist())
    starts = range(0, len(articles), COUNT_BLOCK)
    progress.stage("reading the texts", len(starts))
    blocks = [(titles[s : s + COUNT_BLOCK], bodies[s : s + COUNT_BLOCK]) for s in starts]
    if len(blocks) < 2 or jobs == 1:
        counted = []
        for block in blocks:
            counted.append(tfidf.count_block(*block, known))
            progress.advance()
        return tfidf.fit(counted, boilerplate)
    from joblib import Parallel, delayed

    run = Parallel(n_jobs=jobs, return_as="generator")
    counted = []
    for found in run(delayed(tfidf.count_block)(*block, known) for block in blocks):
        counted.append(found)
        progress.advance()
    return tfidf.fit(counted, boilerplate)


def picked_lists(articles: Sequence[Article], ids: Sequence[str]) -> Candidates:
    """The editors' lists as candidates."""
    place = {id: row for row, id in enumerate(ids)}
    lists = [[place.get(id, EMPTY) for id in article.recommended] for article in articles]
    return hand_picked(lists, n_articles=len(articles))


def by_readers(history: History) -> Candidates:
    """What readers followed or read in the same visit, most first."""
    n = len(history.reading.reads)
    clicked = history.appeal.clicked > 0
    followed = from_pairs(
        history.pairs.source[clicked],
        history.pairs.item[clicked],
        history.appeal.clicked[clicked],
        n_sources=n,
        size=N_BY_READERS,
    )
    source, item = np.divmod(history.reading.keys, n)
    read = from_pairs(source, item, history.reading.cosine, n_sources=n, size=N_BY_READERS)
    return union([followed, read])


def on_the_page(picked: Candidates, history: History) -> Candidates:
    """The editors' lists; where none is known, what the page showed, by what counting says."""
    sources, items = history.pairs.source, history.pairs.item.astype(np.int64)
    if len(items) == 0:
        return picked
    said = offset(history, known_of(history, sources, items, unseen=False))
    shown = from_pairs(sources, items, said, n_sources=len(picked.items), size=N_SHOWN)
    return union([picked, shown.keep(shown.used & (picked.used.sum(axis=1, keepdims=True) == 0))])


def scores(site: Site, learned: Learned, candidates: Candidates, progress: Progress) -> Candidates:
    """The candidates ranked by the model, or by text where there is none."""
    sources, slots = np.nonzero(candidates.used)
    items = candidates.items[sources, slots].astype(np.int64)
    found = np.empty(len(items))
    progress.stage("scoring candidates", -(-len(items) // BLOCK))
    for start in range(0, len(items), BLOCK):
        part = slice(start, start + BLOCK)
        if learned.ranker:
            found[part] = learned.ranker.score(site, sources[part], items[part])
        else:
            pairs = sources[part], items[part]
            known = known_of(learned.history, *pairs, unseen=False)
            found[part] = text_score(features(site, learned.history, known, *pairs))
        progress.advance()
    table = np.full(candidates.items.shape, -np.inf)
    table[sources, slots] = found
    return candidates.ranked(table)


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """Everything a bundle is written from."""

    articles: list[Article]
    text: Text
    site: Site
    log: Log
    examination: Examination
    learned: Learned
    cluster: np.ndarray
    finished: Finished
    now: datetime

    def about(self) -> dict[str, Any]:
        """The manifest's account of where the bundle comes from."""
        learned, window = self.learned, (self.log.first_ts, self.log.last_ts)
        import scipy
        import sklearn

        return {
            "built": self.now.astimezone(UTC).isoformat(timespec="seconds"),
            "data_window": [_iso(moment) for moment in window],
            "data_until_ms": self.log.last_ts,
            "decided_by": "model" if learned.ranker else "text",
            "reason": learned.reason,
            "scores": {name: round(value, 6) for name, value in learned.trial.items()},
            "n_articles": sum(1 for article in self.articles if not article.stub),
            "n_stubs": sum(1 for article in self.articles if article.stub),
            "n_clicks": learned.n_clicks,
            "n_views": int(self.log.n_views.sum()),
            "examination": {
                "identified": self.examination.identified,
                "reason": self.examination.reason,
                "n_clicks": self.examination.n_clicks,
            },
            "relevance_floor": RELEVANCE_FLOOR,
            "evidence": list(EVIDENCE),
            "versions": {
                "python": platform.python_version(),
                "numpy": np.__version__,
                "scipy": scipy.__version__,
                "scikit-learn": sklearn.__version__,
            },
        }


def write(built: Built, models: Path, options: Options, progress: Progress) -> Bundle:
    """Write the bundle aside, give it its name, and point ``CURRENT`` at it."""
    name = manifest.new_name(models, built.now, _digest(built))
    progress.stage("writing the bundle", 4)
    with manifest.scratch_folder(models, name) as folder:
        _write_articles(built, folder)
        progress.advance()
        _write_lists(built, folder)
        _write_text(built.text, folder)
        progress.advance()
        save(folder, "site", built.site)
        save(folder, "history", built.learned.history)
        save(folder, "examination", np.array(
            [built.examination.chance, built.examination.low, built.examination.high]
        ))  # fmt: skip
        if built.learned.ranker:
            import joblib

            ranker = built.learned.ranker
            joblib.dump((ranker.shown, ranker.unseen), folder / TREES)
        about = built.about()
        stub = np.array([article.stub for article in built.articles])
        card = model_card(
            name,
            about,
            examination=built.examination,
            log=built.log,
            lengths=built.finished.n_relevant[~stub],
        )
        (folder / CARD).write_text(card, encoding="utf-8")
        progress.advance()
        _write_answers(folder, name, about)
        bundle = manifest.publish(folder, models, name, about)
        progress.advance()
    if options.activate:
        manifest.activate(models, name)
    return Bundle(bundle)


def _write_articles(built: Built, folder: Path) -> None:
    articles = built.articles
    save_index(folder, "ids", [article.id for article in articles])
    # Of two articles at one address the first answers for it; without one, none can be asked for.
    keys = [url_key(article.url) if article.url else "" for article in articles]
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        if key:
            first.setdefault(key, row)
    save_index(folder, "urls", list(first))
    save(folder, "url_rows", np.array(list(first.values()), dtype=np.int32))
    save(folder, "titles", Strings.of(article.title for article in articles))
    save(folder, "teasers", Strings.of(article.shown_teaser for article in articles))
    save(folder, "links", Strings.of(article.url or "" for article in articles))
    save(folder, "stub", np.array([article.stub for article in articles], dtype=np.uint8))
    save(folder, "category", built.site.category)
    save(folder, "cluster", built.cluster)
    save(folder, "appeal", worth_of_targets(built.learned, built.text))
    _write_popular(built, folder)


def worth_of_targets(learned: Learned, text: Text) -> np.ndarray:
    """What is known of each target whatever the source, as a factor, ``(n_articles,)``."""
    if learned.ranker is None:
        return text.fullness
    # The square root, within bounds: a text that just came in is matched by words first.
    strength = np.clip(np.sqrt(learned.history.appeal.strength), 0.5, 2.0)
    worth: np.ndarray = (text.fullness * strength).astype(np.float32)
    return worth


def _write_popular(built: Built, folder: Path) -> None:
    """Articles most read first, of the site and of each category; without a log, those that
    stand in most lists; stubs at the very end.
    """
    n = len(built.articles)
    history = built.learned.history
    top = built.finished.lists.items[:, :DEFAULT_K]
    listed = np.bincount(top[top != EMPTY], minlength=n)
    read = history.reading.reads + history.appeal.target_clicks
    stub = np.array([article.stub for article in built.articles])
    order = np.lexsort((np.arange(n), -listed, -read, stub))
    save(folder, "popular", order[:N_POPULAR].astype(np.int32))
    category = built.site.category[order]
    heads, rows = [0], []
    for number in range(int(built.site.category.max(initial=-1)) + 1):
        rows.append(order[(category == number) & ~stub[order]][:N_POPULAR])
        heads.append(heads[-1] + len(rows[-1]))
    save(folder, "popular_in", np.concatenate([*rows, np.zeros(0)]).astype(np.int32))
    save(folder, "popular_heads", np.array(heads, dtype=np.int64))


def _write_lists(built: Built, folder: Path) -> None:
    lists, site, history = built.finished.lists, built.site, built.learned.history
    sources, slots = np.nonzero(lists.used)
    items = lists.items[sources, slots].astype(np.int64)
    pair = history.pairs.find(sources, items)
    columns = (
        site.cosine(sources, items),
        at(history.appeal.clicked, pair),
        at(history.appeal.expected, pair),
        at(history.reading.together, history.reading.find(sources, items)),
        find(site.picked, sources * site.n_articles + items) >= 0,
    )
    evidence = np.zeros((*lists.items.shape, len(EVIDENCE)), dtype=np.float32)
    evidence[sources, slots] = np.column_stack(columns)
    save(folder, "list_items", lists.items.astype(np.int32))
    save(folder, "list_scores", np.where(lists.used, lists.scores, 0).astype(np.float32))
    save(folder, "list_origins", built.finished.origins)
    save(folder, "list_evidence", evidence)


def _write_text(text: Text, folder: Path) -> None:
    save_index(folder, "vocabulary", text.vocabulary)
    save(folder, "idf", text.idf)
    save(folder, "boilerplate", text.boilerplate)
    save(folder, "template", text.template)
    # Turned round, term by term: what looking up a new text reads.
    rows = np.repeat(np.arange(len(text.lengths), dtype=np.int32), np.diff(text.indptr))
    order = np.argsort(text.indices, kind="stable")
    heads = np.zeros(len(text.vocabulary) + 1, dtype=np.int64)
    np.cumsum(np.bincount(text.indices, minlength=len(text.vocabulary)), out=heads[1:])
    save(folder, "post_heads", heads)
    save(folder, "post_rows", rows[order])
    save(folder, "post_weights", text.weights[order])


def _write_answers(folder: Path, name: str, about: dict[str, Any]) -> None:
    """What every article's page gets when it asks for the usual ten: ready to be sent."""
    save(folder, "answers", Strings.of([]))
    lists = Lists(folder, {**about, "name": name})
    ready = (
        b"" if lists.stub[row] else answer(lists.ids.column[row], name, lists.related(row))
        for row in range(len(lists.stub))
    )
    answers = Strings.of(ready)
    save(folder, "answers", answers)


def _digest(built: Built) -> str:
    """Tells bundles apart by what they say."""
    digest = hashlib.sha256()
    for array in (built.finished.lists.items, built.finished.lists.scores):
        digest.update(np.ascontiguousarray(array).tobytes())
    for article in built.articles:
        digest.update(f"{article.id}\0{article.title}\0{article.url}\0".encode())
    return digest.hexdigest()


def _iso(moment: int | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="seconds")
