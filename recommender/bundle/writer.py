"""Writing a bundle: what the web process reads, worked out once and laid down as arrays."""

from __future__ import annotations

import hashlib
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from recommender.articles.addresses import keys_of, leads_to_page
from recommender.articles.article import Article
from recommender.articles.dates import TOLERATED_DAYS, DateCounts, day_number
from recommender.bundle import registry
from recommender.bundle.answer_bytes import ready
from recommender.bundle.arrays import Index, Strings, build, save
from recommender.bundle.bundle import (
    CALIBRATION,
    CARD,
    HANDPICKED,
    MATRIX,
    RANKER,
    WEIGHTS,
    Bundle,
)
from recommender.bundle.card import decision, model_card
from recommender.bundle.composition import DEFAULT_K, Shown, shown_of
from recommender.bundle.explanation import LOOKED_UP, STEPS, Steps
from recommender.bundle.grounds import Grounds
from recommender.bundle.matrix import texts_of
from recommender.bundle.published import (
    ELSEWHERE,
    FRAGMENTS,
    LISTS,
    Lists,
    Pages,
    Prepared,
    Urls,
)
from recommender.bundle.registry import Manifest
from recommender.candidates import EMPTY, Candidates
from recommender.clicks.influence import Evidence
from recommender.clicks.position_bias import Examination
from recommender.lists.editions import EDITION
from recommender.lists.eligibility import Eligibility, Listings
from recommender.lists.exploration import variant_table
from recommender.lists.populations import Populations
from recommender.lists.rerank import SAME_TOPIC, Finished
from recommender.progress import Progress
from recommender.ragged import at, find, ranks
from recommender.ranking.calibration import Calibrated
from recommender.ranking.features import History
from recommender.ranking.handpicked import HandpickedModel, Outcome
from recommender.ranking.ladder import ladder, rungs_of
from recommender.ranking.ranker import Learned, Ranker
from recommender.store.counts import UNKNOWN, Log
from recommender.text.corpus import Corpus, Links
from recommender.text.tfidf import Text

# Rows kept of each language, of the site and of each category, to fall back on: twice what a page
# can ask for.
N_POPULAR = 100
# Articles whose lists are explained together: it bounds the memory, some 15 MB with a log.
EXPLAINED = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """What ties a bundle to the store it was built from: the store's name, its numbers of the
    articles, the last change of an article that the build knows of, and the clicks it held.
    """

    store: str
    keys: list[int]
    change: int
    n_clicks: int


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """Everything a bundle is written from."""

    articles: list[Article]
    text: Text
    site: Corpus
    log: Log
    evidence: Evidence
    sent: dict[str, Any]
    examination: Examination
    learned: Learned
    taught: Outcome
    finished: Finished
    slates: np.ndarray
    calibrated: Calibrated
    populations: Populations
    eligible: Eligibility
    floor: float
    listings: Listings
    dates: DateCounts
    stored: Stored
    now: datetime

    def about(self, name: str) -> Manifest:
        """The manifest's account of where the bundle comes from."""
        learned, window = self.learned, (self.log.first_ts, self.log.last_ts)
        learned_from, reason = decision(learned, self.taught)
        about = {
            "name": name,
            "files": {},
            "built": self.now.astimezone(UTC).isoformat(timespec="seconds"),
            "data_window": [_iso(moment) for moment in window],
            "data_until_ms": self.log.last_ts,
            "decided_by": "model" if learned_from else "text",
            "learned_from": learned_from,
            "reason": reason,
            "scores": {name: round(value, 6) for name, value in learned.trial.items()},
            "importance": {name: round(value, 6) for name, value in learned.importance.items()},
            "hand_picked": self.taught.about(),
            "n_articles": sum(1 for article in self.articles if not article.stub),
            "n_stubs": sum(1 for article in self.articles if article.stub),
            "n_clicks": learned.n_clicks,
            "n_views": int(self.log.n_views.sum()),
            "sent": self.sent,
            "examination": self.examination.about(),
            "calibration": self.calibrated.about(),
            "relevance_floor": self.floor,
            "edition": EDITION,
            "languages": asdict(self.eligible.languages),
            "listings": asdict(self.listings),
            "concentration": asdict(self.finished.concentration),
            "populations": asdict(self.populations),
            "dates": asdict(self.dates),
            "explore": self.slates.shape[1],
            "variants": variant_table(self.slates.shape[1]),
            "store": self.stored.store,
            "change": self.stored.change,
            "n_logged_clicks": self.stored.n_clicks,
            # Importing them for this takes 100 MB, which training by text has no other use for.
            "versions": {
                "python": platform.python_version(),
                "numpy": np.__version__,
                "scipy": version("scipy"),
                "scikit-learn": version("scikit-learn"),
            },
        }
        return build(Manifest, about, "the manifest")


def write(built: Built, models: Path, *, progress: Progress) -> Path:
    """Write the bundle aside and give it its name; returns its folder."""
    name = registry.new_name(models, built.now, _digest(built))
    about = built.about(name)
    progress.stage("writing the bundle", 4)
    with registry.scratch_folder(models, name) as folder:
        evidence, steps = explained(built)
        lists = lists_of(built, about, evidence)
        progress.advance()
        save(folder, LISTS, lists, leave=ELSEWHERE)
        save(folder, FRAGMENTS, lists.fragments)
        stub = lists.stub
        del lists, evidence  # half of what is written
        progress.advance()
        save(folder, "site", built.site, leave=MATRIX, packed=True)
        save(folder, "history", built.learned.history, packed=True, mapped=LOOKED_UP)
        save(folder, WEIGHTS, built.evidence.weights(), packed=True)
        save(folder, STEPS, steps)
        if calibration := built.calibrated.calibration:
            save(folder, CALIBRATION, calibration)
        if ranker := built.learned.ranker:
            save(folder, RANKER, ranker, leave=("history", "handpicked"), packed=True)
        if handpicked := built.taught.model:
            save(folder, HANDPICKED, handpicked, packed=True)
        card = model_card(
            about,
            examination=built.examination,
            log=built.log,
            lengths=built.finished.n_relevant[stub == 0],
        )
        (folder / CARD).write_text(card, encoding="utf-8")
        progress.advance()
        bundle = registry.publish(folder, models, about)
        progress.advance()
    return bundle


def write_with_lists(base: Bundle, models: Path, prepared: Prepared, *, card: str) -> Bundle:
    """A bundle that shows other lists beside the articles of ``base``, and knows of them what that
    knows; its name and manifest are those of ``prepared``.
    """
    with registry.scratch_folder(models, prepared.name) as folder:
        save(folder, LISTS, with_bytes(prepared), leave=ELSEWHERE)
        if (kept := base.steps) is not None:
            scores = np.where(prepared.items == EMPTY, -np.inf, prepared.scores)
            lists = Candidates(prepared.items, scores)
            counted = {"views": kept.views, "due": kept.due, "weight": kept.weight}
            steps = steps_of(base.site, base.ranker, base.handpicked, lists, **counted)
            save(folder, STEPS, steps)
        (folder / CARD).write_text(card, encoding="utf-8")
        own = tuple(f"{part}{end}" for part in (LISTS, STEPS) for end in "_.")
        for name in base.about.files:
            if name != CARD and not name.startswith(own):
                # Bundles never change, so they can share files.
                try:
                    (folder / name).hardlink_to(base.folder / name)
                except OSError:
                    shutil.copyfile(base.folder / name, folder / name)
        return Bundle(registry.publish(folder, models, prepared.about))


def with_bytes(prepared: Prepared) -> Lists:
    """With what answers are made of, worked out for every article."""
    parts = {field.name: getattr(prepared, field.name) for field in fields(Prepared)}
    return Lists(**{**parts, **ready(prepared)})


def lists_of(built: Built, about: Manifest, evidence: Grounds) -> Lists:
    """What the web process reads; ``evidence`` is what speaks for each link."""
    articles, lists, history = built.articles, built.finished.lists, built.learned.history
    addresses = [
        article.url if article.url and leads_to_page(article.url) else "" for article in articles
    ]
    # Of articles at one address the first by id is meant, here as in what came since; without an
    # address, none can be asked for.
    by_address = keys_of((row, address) for row, address in enumerate(addresses) if address)
    stub = np.array([article.stub for article in articles], dtype=np.uint8)
    read = history.reading.reads + history.clicks.target_clicks
    shown = all_shown(built)
    prepared = Prepared(
        about=about,
        name=about.name,
        share=about.explore,
        ids=Index.of(Strings.of(article.id for article in articles)),
        keys=np.array(built.stored.keys, dtype=np.int64),
        urls=Urls.of(by_address),
        pages=Pages.of((row, address) for row, address in enumerate(addresses) if address),
        titles=Strings.of(article.title for article in articles),
        teasers=Strings.of(article.shown_teaser for article in articles),
        addresses=Strings.of(addresses),
        images=Strings.of(each.image or "" for each in shown),
        dates=Strings.of(each.published_at or "" for each in shown),
        tags=Strings.of(each.language or "" for each in shown),
        category=built.site.category,
        same=built.finished.same,
        newest=built.finished.newest.astype(np.int32),
        published=built.site.published,
        stub=stub,
        target_factor=factor_of_targets(built.learned, built.text, built.site),
        language=built.eligible.language,
        barred=built.eligible.barred,
        **popular(
            lists.items, read, built.site.category, stub, built.eligible, built.finished.newest
        ),
        items=lists.items.astype(np.int32),
        scores=np.where(lists.used, lists.scores, 0).astype(np.float32),
        origins=built.finished.origins,
        evidence=evidence,
        slates=built.slates,
        texts=texts_of(built.text),
    )
    return with_bytes(prepared)


def all_shown(built: Built) -> list[Shown]:
    """What lists may show of each article beside title and teaser."""
    latest = day_number(built.now) + TOLERATED_DAYS
    codes = [*built.eligible.languages.codes, None]  # EMPTY is the last
    return [
        shown_of(article, codes[number], latest=latest)
        for article, number in zip(built.articles, built.eligible.language.tolist(), strict=True)
    ]


def factor_of_targets(learned: Learned, text: Text, site: Corpus) -> np.ndarray:
    """What is known of each target whatever the source, as a factor, ``(n_articles,)``."""
    known = text.fullness * site.freshness
    if learned.decided_by == "text":
        return known
    # The square root, within bounds: a text that just came in is matched by words first.
    strength = np.clip(np.sqrt(learned.history.clicks.strength), 0.5, 2.0)
    return (known * strength).astype(np.float32)


def popular(
    items: np.ndarray,
    read: np.ndarray,
    category: np.ndarray,
    stub: np.ndarray,
    eligible: Eligibility,
    newest: np.ndarray,
) -> dict[str, np.ndarray]:
    """Rows by how often they were ``read``, ``(n_articles,)``, most first, of the site and of each
    category; without a log, those that stand in most lists; stubs at the very end, and none that is
    barred. Of every language there are ``N_POPULAR``, so that its pages have some. The ``newest``
    edition, ``(n_articles,)``, stands in the place of an older one.
    """
    top = items[:, :DEFAULT_K]
    listed = np.bincount(top[top != EMPTY], minlength=len(items))
    order = np.lexsort((-listed, -read, stub))
    order = order[~eligible.barred[order]]
    in_its_language = eligible.allows(order, newest[order])
    order = np.where(in_its_language, newest[order], order)
    order = order[np.sort(np.unique(order, return_index=True)[1])]
    in_order, real = category[order], stub[order] == 0
    n_categories = int(category.max(initial=-1)) + 1

    def first(rows: np.ndarray) -> np.ndarray:
        return rows[ranks(eligible.language[rows], np.zeros(len(rows))) <= N_POPULAR]

    rows = [first(order[(in_order == number) & real]) for number in range(n_categories)]
    return {
        "popular": first(order).astype(np.int32),
        "popular_in": np.concatenate([*rows, np.zeros(0)]).astype(np.int32),
        "popular_heads": np.cumsum([0, *map(len, rows)], dtype=np.int64),
    }


def explained(built: Built) -> tuple[Grounds, Steps]:
    """What speaks for every link, how its score came about, and how often each pair was seen."""
    learned, log, lists = built.learned, built.log, built.finished.lists
    history, model = learned.history, built.taught.model
    grounds, ladders = [], _no_ladders(lists, learned.ranker, model)
    for used, at_links, links in _links_of(lists, built.site):
        grounds.append(_grounds_of(links, used, history, built.finished.following))
        ladders[at_links] = ladder(links, learned.ranker, model)
    pairs, plain = history.pairs, history.plain
    known = (log.link_source != UNKNOWN) & (log.item != UNKNOWN)
    pair = pairs.find(log.link_source[known], log.item[known])
    # A list that names an article twice shows it once a view.
    shown = log.shown_and_clicked()[0] * ~log.is_again
    views = np.bincount(pair[pair >= 0], shown[known][pair >= 0], minlength=len(pairs.item))
    steps = Steps.of(
        rungs_of(learned.ranker, model),
        ladders,
        np.where(lists.used, lists.scores, 0.0),
        views=views.astype(np.float32),
        due=(plain.expected / plain.strength[pairs.item]).astype(np.float32),
        weight=plain.weight,
    )
    return Grounds.joined(grounds), steps


def evidence_of(
    lists: Candidates, site: Corpus, history: History, following: np.ndarray
) -> Grounds:
    """What speaks for every link. ``following``, ``(n_articles,)``, is the next part of each
    article's series.
    """
    parts = _links_of(lists, site)
    return Grounds.joined(
        [_grounds_of(links, used, history, following) for used, _, links in parts]
    )


def steps_of(
    site: Corpus,
    ranker: Ranker | None,
    model: HandpickedModel | None,
    lists: Candidates,
    **counted: Any,
) -> Steps:
    """How the scores of all links came about."""
    ladders = _no_ladders(lists, ranker, model)
    for _, at_links, links in _links_of(lists, site):
        ladders[at_links] = ladder(links, ranker, model)
    scores = np.where(lists.used, lists.scores, 0.0)
    return Steps.of(rungs_of(ranker, model), ladders, scores, **counted)


def _links_of(
    lists: Candidates, site: Corpus
) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, np.ndarray], Links]]:
    """The links of all lists by blocks of articles: which slots are used, ``(n, list_size)``, and
    rows and slots of the links.
    """
    for start in range(0, len(lists.items), EXPLAINED):
        used = lists.used[start : start + EXPLAINED]
        sources, slots = np.nonzero(used)
        sources += start
        items = lists.items[sources, slots].astype(np.int64)
        yield used, (sources, slots), Links(site, sources, items)


def _grounds_of(links: Links, used: np.ndarray, history: History, following: np.ndarray) -> Grounds:
    """What speaks for the links of the slots that are ``used``."""
    site, sources, items = links.corpus, links.sources, links.items
    pair = history.pairs.find(sources, items)
    alike, topic = links.overlaps, links.topic
    return Grounds.of(
        used,
        cosine=alike[:, 0],
        clicked=at(history.clicks.clicked, pair),
        expected=at(history.clicks.expected, pair),
        visits=at(history.reading.together, history.reading.find(sources, items)),
        hand_picked=find(site.picked, sources * site.n_articles + items) >= 0,
        next_part=items == following[sources],
        subject=alike[:, 4],
        topic=np.where(topic >= SAME_TOPIC, topic, 0),
    )


def _no_ladders(
    lists: Candidates, ranker: Ranker | None, model: HandpickedModel | None
) -> np.ndarray:
    """Room for what each rung adds to the score of each link."""
    return np.zeros((*lists.items.shape, len(rungs_of(ranker, model))))


def _digest(built: Built) -> str:
    """Tells bundles apart by their lists and articles."""
    digest = hashlib.sha256()
    for array in (
        built.finished.lists.items, built.finished.lists.scores, built.slates,
        np.array(built.stored.keys, dtype=np.int64),
    ):  # fmt: skip
        digest.update(np.ascontiguousarray(array).tobytes())
    for article in built.articles:
        digest.update(f"{article.id}\0{article.title}\0{article.url}\0".encode())
    return digest.hexdigest()


def _iso(moment: int | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="seconds")
