"""A trained bundle in Python: its lists, any pair's score, and why a link is there.

    bundle = recommender.load("models")
    bundle.related("why-does-my-knee-click", k=10)
    bundle.score("why-does-my-knee-click", ["knee-pain-stairs", "gout"])

Lists come from mapped arrays, as the web process reads them. What scoring other pairs takes is
opened on first use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from copy import copy
from datetime import datetime
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from recommender import arguments
from recommender.bundle import registry
from recommender.bundle.arrays import load
from recommender.bundle.composition import BEST_SLATE, DEFAULT_K, MAX_K, Link, Placed
from recommender.bundle.overlay import Patched, since_built
from recommender.bundle.published import Lists
from recommender.bundle.registry import Manifest
from recommender.errors import ArgumentError, BundleError, CalibrationError
from recommender.escaping import terminal
from recommender.events.event import HAND_PICKED, ORIGINS
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.editorial import Rules
from recommender.lists.exploration import slate_of

if TYPE_CHECKING:
    from recommender.bundle.explanation import Explanation, Figures, Steps
    from recommender.clicks.influence import Weights
    from recommender.frames.site import Site
    from recommender.ranking.calibration import Calibration
    from recommender.ranking.features import History
    from recommender.ranking.handpicked import HandpickedModel
    from recommender.ranking.ranker import Ranker
    from recommender.store.database import Store
    from recommender.text.corpus import Corpus

RANKER, HANDPICKED, CALIBRATION = "ranker", "handpicked", "calibration"
WEIGHTS = "weights"
# The fields of ``Corpus`` that are worked out of ``published.Texts``.
MATRIX = ("indptr", "indices", "weights", "title_weights", "subject_weights")
CARD = "MODEL_CARD.md"
# What is opened on first use.
PARTS = ("weights", "site", "term_counts", "history", "ranker", "handpicked", "steps")


class Bundle:
    """A published bundle. ``rules`` are the editors', applied to every list at ``now``."""

    def __init__(
        self, folder: str | Path, *, rules: Rules | None = None, now: datetime | None = None
    ):
        if rules is not None and now is None:
            raise ArgumentError("rules are in force at a time: give now")
        folder = arguments.path("folder", folder)
        if not (folder / registry.MANIFEST).is_file() and registry.current(folder) is not None:
            raise BundleError(f"{folder}: it holds bundles; recommender.load opens the live one")
        self.lists = Lists.open(folder)
        # Its lists, and what came and went since, if it stands beside a store.
        self.shelf: Lists | Patched = self.lists
        self.folder = folder
        self._written = rules
        self.rules = rules and rules.resolved(self.shelf.named)
        self.now = now

    def __repr__(self) -> str:
        n_articles = len(self.lists.stub)
        return terminal(
            f"Bundle({self.name!r}, {n_articles:,} articles, decided by {self.decided_by})"
        )

    def beside(self, store: Store | Site, *, whole: bool = True) -> Self:
        """The bundle with the articles that came, changed and went in a store since it was built,
        as a server has them; scores stay those of the bundle. Without ``whole`` the work is bounded
        to a second: of very many new articles some may not stand in others' lists yet.
        """
        of_site: Any = store
        held: Store = getattr(of_site, "store", of_site)
        if not hasattr(held, "articles"):
            raise TypeError(f"store: {arguments.given(store)} is given; give a site or its store")
        pending = since_built(self.lists, held)
        patch, is_done = pending.patched(self.lists, now=self.now)
        while whole and not is_done:
            patch, is_done = pending.patched(self.lists, patch, now=self.now)
        other = copy(self)
        other.shelf = patch or self.lists
        other.rules = self._written and self._written.resolved(other.shelf.named)
        return other

    @property
    def name(self) -> str:
        """The bundle's name, which sorts by time."""
        return self.lists.name

    @property
    def about(self) -> Manifest:
        """The manifest: when and from what the bundle was built, and what it scored."""
        return self.lists.about

    @property
    def decided_by(self) -> str:
        """``model`` if the lists were learned, ``text`` if text alone decided."""
        return self.about.decided_by

    @property
    def learned_from(self) -> str | None:
        """``clicks`` or editors' ``lists``, None if text alone decided."""
        return self.about.learned_from

    @property
    def card(self) -> str:
        """The model card, in Markdown."""
        return (self.folder / CARD).read_text(encoding="utf-8")

    @cached_property
    def weights(self) -> Weights:
        """What pages sent that weighs less than the rest of the log."""
        from recommender.clicks.influence import Weights

        return load(self.folder, WEIGHTS, Weights, sizes=self._sizes)

    def related(
        self,
        id: str,
        k: int = DEFAULT_K,
        *,
        exclude: Collection[str] = (),
        variant: int | None = None,
    ) -> list[Link]:
        """The list of an article, best link first, of ``k`` links at most, without those to
        ``exclude``. ``KeyError`` for an unknown id or a stub.

        ``variant``, 0 to 99, asks for what a page that drew it would show.
        """
        k = arguments.whole("k", k)
        if variant is not None:
            variant = arguments.whole("variant", variant, least=0, most=N_VARIANTS - 1)
        exclude = arguments.texts("exclude", exclude, ordered=False)
        row = self.shelf.row(arguments.article_id("id", id))
        if row is None:
            raise KeyError(id)
        slate = BEST_SLATE if variant is None else slate_of(variant, self.lists.share)
        return self.shelf.related(
            row, k=k, exclude=exclude, rules=self.rules, now=self.now, slate=slate
        )

    def related_to_text(
        self, title: str, body: str = "", k: int = DEFAULT_K, *, language: str | None = None
    ) -> list[Link]:
        """The list of a text that is not stored. ``language`` is a tag such as ``en-GB``; without,
        it is detected where the site has several.
        """
        arguments.text("title", title)
        arguments.text("body", body)
        if language is not None:
            arguments.text("language", language, what="a tag such as en-GB")
        k = arguments.whole("k", k)
        return self.shelf.related_to_text(
            title, body, language=language, k=k, rules=self.rules, now=self.now
        )

    def score(self, id: str, candidates: Sequence[str]) -> np.ndarray:
        """How well each candidate stands beside the article: ``(n,)``, higher is better.

        Scores compare candidates of one source. They are log odds of being chosen where clicks
        were learned from, of being listed where hand-picked lists were, and weighted cosines where
        text alone decides (``learned_from``); of a bundle that shows what editors picked, places in
        their lists. Any pair has one, shown or not. ``KeyError`` names
        an unknown id.
        """
        return self.score_rows(*self._pairs(id, candidates))

    def score_many(
        self, sources: Sequence[str], lists: Sequence[Sequence[str]]
    ) -> list[np.ndarray]:
        """``score`` of many slates at once, for sweeps: an array for each of ``sources``, with the
        scores of its candidates, those at the same place of ``lists``, in their order.

        Sources come in any order, the same ones several times too. ``KeyError`` names an unknown
        id; ``ArgumentError`` if there are not as many lists as sources.
        """
        from recommender.ranking.features import BLOCK

        sources = arguments.texts("sources", sources)
        lists = _several("lists", lists)
        if len(sources) != len(lists):
            raise ArgumentError(
                f"lists: {len(lists):,} are given for {len(sources):,} sources; give one for each"
            )
        row = {id: self._row(id) for id in dict.fromkeys(sources)}
        item = {id: self._item(id) for id in dict.fromkeys(chain.from_iterable(lists))}
        n = len(self.lists.stub)
        pairs = [
            row[source] * n + item[id]
            for source, candidates in zip(sources, lists, strict=True)
            for id in candidates
        ]
        # Each pair once, sorted: in runs of sources.
        keys, place = np.unique(np.array(pairs, dtype=np.int64), return_inverse=True)
        found = np.empty(len(keys))
        for start in range(0, len(keys), BLOCK):
            block = slice(start, start + BLOCK)
            found[block] = self.score_rows(*np.divmod(keys[block], n))
        heads = np.cumsum([0, *map(len, lists)])
        return [found[place[first:last]] for first, last in pairwise(heads.tolist())]

    def chance(self, id: str, candidates: Sequence[str]) -> np.ndarray:
        """How likely a reader of the article is to follow a link to each candidate, given that it
        is examined: ``(n,)``, strictly increasing in ``score``. ``CalibrationError`` gives the
        reason if the log does not identify it.
        """
        candidates = arguments.texts("candidates", candidates)
        chance = self.calibration.chance
        return chance(np.full(len(candidates), self._row(id)), self.score(id, candidates))

    def expected_clicks(self, id: str, k: int = DEFAULT_K, *, layout: str | None = None) -> float:
        """Clicks to be expected of one view of the article's list: the sum of its links' chances,
        each times that of being examined where it stands, in ``layout`` or in the mean over all.
        """
        if layout is not None:
            arguments.text("layout", layout)
        shown = [link.id for link in self.related(id, k)]
        examined = self.calibration.examination(layout)
        place = np.minimum(np.arange(1, len(shown) + 1), len(examined) - 1)
        return float((examined[place] * self.chance(id, shown)).sum())

    def score_rows(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """``score`` for pairs given by the articles' rows, ``(n_pairs,)``, as is what is returned;
        ``sources`` must come in runs.
        """
        if len(items) == 0:
            return np.zeros(0)
        if self.decided_by == HAND_PICKED:
            return self._by_hand(sources, items)
        return self._by_model(sources, items)

    def _by_model(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        from recommender.ranking import handpicked

        if self.ranker is not None:
            return self.ranker.score(self.site, sources, items)
        return handpicked.score(self.site, self.handpicked, sources, items)

    def _by_hand(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Of a bundle that shows what editors picked: the links of their lists in their order, from
        the list's size down to 1, and below 1 all others as the model has them.
        """
        scores = self._by_model(sources, items)
        size = self.lists.items.shape[1]
        slots = np.asarray(self.lists.items)[sources] == items[:, None]
        picked = ORIGINS.index(HAND_PICKED)
        mine = np.asarray(self.lists.origins)[sources, 0] == picked
        others = 1 / (1 + np.exp(-np.clip(scores, -30, 30)))
        listed = np.where(slots.any(axis=1), size - slots.argmax(axis=1), others)
        return np.where(mine, listed, scores)

    def listed(self, sources: np.ndarray, items: np.ndarray) -> np.ndarray | None:
        """Log odds that an editor lists each item, as if its page had no list, ``(n_pairs,)``, for
        pairs given by the articles' rows, ``sources`` in runs; minus infinity for what is in no
        list of a related page, nor lists the source; None if lists taught nothing.
        """
        from recommender.ranking.handpicked_features import NAMES

        model = self.handpicked
        if model is None:
            return None
        if len(items) == 0:
            return np.zeros(0)
        seen = model.features(self.site, sources, items)
        nearest, back = (
            seen[:, NAMES.index(name)] for name in ("listed_by_nearest", "lists_source")
        )
        proposed = (nearest >= self.about.relevance_floor**2) | (back > 0)
        return np.where(proposed, model.trees.predict(seen), -np.inf)

    def features(self, id: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """What the ranker sees of each pair, by feature; every array is ``(n,)``."""
        from recommender.ranking.features import NAMES, features

        sources, items = self._pairs(id, candidates)
        seen = features(self.site, self.handpicked, self.history, sources, items)
        return dict(zip(NAMES, seen.T, strict=True))

    def why(self, id: str, candidate: str) -> str:
        """One sentence an editor can read on what speaks for a link of the article's list."""
        row = self.lists.row(arguments.article_id("id", id))
        arguments.article_id("candidate", candidate)
        if row is not None and (found := self.lists.why(row, candidate)):
            return str(found)
        rules = self.rules.about(id, self.now) if self.rules and self.now else []
        reasons = [rule.reason for rule in rules if rule.target == candidate and rule.reason]
        if reasons:
            return reasons[0]
        known = (self.lists.find(id), self.lists.find(candidate))
        if None in known and candidate in {link.id for link in self.related(id, MAX_K)}:
            return "alike by their texts; one of them came after the bundle was built"
        return "not in the list the bundle prepared"

    def explain(self, id: str, candidate: str) -> Explanation:
        """Why a link to a candidate stands in the article's list, or why it does not: the ladder of
        its score, the terms that both share, what readers did, the editors' rule, and a sentence.

        Of any pair, shown or not, as the lists are now: under the editors' rules and beside the
        store, if the bundle stands beside one. ``KeyError`` names an unknown id.
        """
        row = self.shelf.row(arguments.article_id("id", id))
        item = self.shelf.find(arguments.article_id("candidate", candidate))
        if row is None or item is None:
            raise KeyError(id if row is None else candidate)
        placed = self.shelf.composed(row, k=MAX_K, rules=self.rules, now=self.now)
        return self._explained(row, [item], placed)[0]

    def explain_list(self, id: str, k: int = DEFAULT_K) -> list[Explanation]:
        """``explain`` of each link of the article's list, in its order."""
        k, row = arguments.whole("k", k), self.shelf.row(arguments.article_id("id", id))
        if row is None:
            raise KeyError(id)
        placed = self.shelf.composed(row, k=k, rules=self.rules, now=self.now)
        return self._explained(row, [each.row for each in placed], placed)

    def _explained(
        self, row: int, items: Sequence[int], placed: Sequence[Placed]
    ) -> list[Explanation]:
        """Of links to ``items``; ``placed`` is the page's list."""
        from recommender.bundle.explanation import (
            Placing,
            by_text,
            explain,
            is_scored,
            since_built,
        )
        from recommender.bundle.shared_words import Desk

        desk = Desk(self.lists, self.shelf)
        desk.read([row, *items])
        n = len(self.lists.stub)
        known = self._figures(row, [item for item in items if max(row, item) < n])
        at = {
            each.row: Placing(place, each.origin, each.score)
            for place, each in enumerate(placed, start=1)
        }
        found = []
        for item in items:
            placing, figures = at.get(item, Placing()), known.get(item)
            if figures is None or not is_scored(since_built(desk, row, item)):
                readers = figures and figures.readers
                figures = by_text(desk, row, item, placing)._replace(readers=readers)
            found.append(
                explain(
                    desk, row, item, placing, figures,
                    rules=self.rules, now=self.now, listed_rows=placed,
                )
            )  # fmt: skip
        return found

    def _figures(self, row: int, items: Sequence[int]) -> dict[int, Figures]:
        """What the model knows of links, by the rows of their targets: all of the bundle's own."""
        from recommender.bundle.explanation import Figures, is_sought, readers_of
        from recommender.lists.rerank import SAME_TOPIC
        from recommender.ragged import at, find
        from recommender.ranking.handpicked import SURE
        from recommender.ranking.ladder import ladder, rungs_of
        from recommender.text.corpus import Links

        found: dict[int, Figures] = {}
        if not items:
            return found
        n = len(self.lists.stub)
        ends = np.full(len(items), row, dtype=np.int64), np.array(items, dtype=np.int64)
        names = rungs_of(self.ranker, self.handpicked)
        steps = ladder(Links(self.site, *ends), self.ranker, self.handpicked)
        history, kept = self.history, self.steps
        weight = history.plain.weight
        pair, read = history.pairs.find(*ends), history.reading.find(*ends)
        due = at(history.plain.expected, pair) / history.plain.strength[ends[1]]
        clicks, visits = at(history.clicks.clicked, pair), at(history.reading.together, read)
        expected = at(history.clicks.expected, pair) / history.clicks.strength[ends[1]]
        views = None if kept is None else at(kept.views, pair)
        passed = self._passed(row, ends[1])
        if self.learned_from == "lists":
            passed |= steps.sum(axis=1) >= SURE
        picked = find(self.site.picked, ends[0] * n + ends[1]) >= 0
        topic = self.site.topic(*ends) >= SAME_TOPIC
        for place, item in enumerate(items):
            seen = self.lists.why(row, self.lists.id_of(item))
            readers = None
            if pair[place] >= 0 or visits[place]:
                readers = readers_of(
                    float(clicks[place]), float(due[place]), weight=weight,
                    visits=float(visits[place]),
                    views=None if views is None else float(views[place]),
                )  # fmt: skip
            found[item] = Figures(
                steps=dict(zip(names, steps[place].tolist(), strict=True)),
                readers=readers,
                is_picked=bool(picked[place]),
                is_next=bool(seen and seen.next_part),
                is_topic=bool(topic[place]),
                read_cosine=float(at(history.reading.cosine, read)[place]),
                is_sought=is_sought(
                    history.clicks.target_clicks[item] - clicks[place],
                    history.clicks.target_expected[item] - expected[place],
                    weight,
                ),
                is_relevant=bool(passed[place]),
            )
        return found

    def _passed(self, row: int, items: np.ndarray) -> np.ndarray:
        """Whether links pass the floor of relevance, ``(n_items,)``."""
        from recommender.candidates import Candidates
        from recommender.lists.rerank import passes_floor
        from recommender.text.corpus import Links

        one = Candidates(items[None], np.zeros((1, len(items))), np.array([row]))
        links = Links(self.site, *one.pairs())
        history = self.history if self.ranker is not None else None
        return passes_floor(links, one, history, self.about.relevance_floor)[0]

    @cached_property
    def steps(self) -> Steps | None:
        """What was kept for the web process; None in bundles of earlier releases."""
        from recommender.bundle.explanation import STEPS, Steps

        if f"{STEPS}.json" not in self.about.files:
            return None
        sizes = {**self._sizes, "n_pairs": len(self.history.pairs.item)}
        return load(self.folder, STEPS, Steps, sizes=sizes)

    def _row(self, id: str) -> int:
        row = self.lists.row(arguments.article_id("id", id))
        if row is None:
            raise KeyError(id)
        return row

    def _item(self, id: str) -> int:
        item = self.lists.find(id)
        if item is None:
            raise KeyError(id)
        return item

    def _pairs(self, id: str, candidates: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the article and of each candidate, ``(n_pairs,)`` both; ``KeyError`` names an
        unknown id.
        """
        candidates = arguments.texts("candidates", candidates)
        source, items = self._row(id), [self._item(candidate) for candidate in candidates]
        return np.full(len(items), source, dtype=np.int64), np.array(items, dtype=np.int64)

    def opened(self) -> Self:
        """The bundle, with all of it opened and checked. ``BundleError`` names a file that is of no
        use.
        """
        for part in PARTS:
            getattr(self, part)
        if self.about.calibration.slope is not None:
            _ = self.calibration
        return self

    @property
    def _sizes(self) -> dict[str, int]:
        """Lengths that all of the bundle's parts have in common."""
        n_terms = len(self.lists.texts.vocabulary.column)
        return {"n_articles": len(self.lists.stub), "n_terms": n_terms}

    @cached_property
    def calibration(self) -> Calibration:
        """What turns scores into chances; ``CalibrationError`` if the log does not identify it."""
        from recommender.ranking.calibration import Calibration

        if (outcome := self.about.calibration).slope is None:
            raise CalibrationError(f"bundle {self.name} states no chances: {outcome.reason}")
        return load(self.folder, CALIBRATION, Calibration, sizes=self._sizes)

    @cached_property
    def site(self) -> Corpus:
        """What the build knew of the articles, as arrays."""
        from recommender.text.corpus import Corpus

        given = {name: self._matrix[name] for name in MATRIX}
        return load(self.folder, "site", Corpus, given, sizes=self._sizes)

    @cached_property
    def _matrix(self) -> dict[str, np.ndarray]:
        from recommender.bundle.matrix import matrix

        return matrix(self.lists.texts)

    @cached_property
    def term_counts(self) -> np.ndarray:
        """How often each entry of ``site``'s matrix stands in its text, ``(n_entries,)``."""
        return self._matrix["counts"]

    @cached_property
    def history(self) -> History:
        """What was counted of pairs and articles in the bundle's data window."""
        from recommender.ranking.features import History

        return load(self.folder, "history", History, sizes=self._sizes)

    @cached_property
    def ranker(self) -> Ranker | None:
        """What was learned from clicks, None if they do not decide."""
        if f"{RANKER}.json" not in self.about.files:
            return None
        from recommender.ranking.ranker import Ranker

        given = {"history": self.history, "handpicked": self.handpicked}
        return load(self.folder, RANKER, Ranker, given, sizes=self._sizes)

    @cached_property
    def handpicked(self) -> HandpickedModel | None:
        """What was learned from hand-picked lists, None if they taught nothing."""
        if f"{HANDPICKED}.json" not in self.about.files:
            return None
        from recommender.ranking.handpicked import HandpickedModel

        return load(self.folder, HANDPICKED, HandpickedModel, sizes=self._sizes)


def load_bundle(
    models: str | Path, *, rules: Rules | None = None, now: datetime | None = None
) -> Bundle:
    """The live bundle below ``models``, or the bundle ``models`` itself.

    Raises ``BundleError`` if there is none, or it is damaged or of an unknown layout.
    """
    return Bundle(registry.resolve(arguments.path("models", models)), rules=rules, now=now)


def bundle_of(name: str, value: Any) -> Bundle:
    """The bundle that an argument ``name`` names: a bundle, or the path of one, or of the models
    among which it is live. ``TypeError`` if it is neither, ``BundleError`` if none is there.
    """
    if isinstance(value, Bundle):
        return value
    if isinstance(value, str | Path):
        if not Path(value).exists():
            raise BundleError(
                f"{name}: {arguments.given(str(value))}: there is no such folder; give a bundle, "
                "as recommender.load returns it, or the path of one"
            )
        return load_bundle(value)
    raise TypeError(
        f"{name}: {arguments.given(value)} is given; give a bundle, as recommender.load returns "
        "it, or the path of one"
    )


def _several(name: str, lists: Any) -> list[list[str]]:
    """Lists of ids, each checked."""
    if isinstance(lists, str | bytes) or not isinstance(lists, Iterable):
        raise TypeError(f"{name}: {arguments.given(lists)} is given; give a list of lists of ids")
    return [arguments.texts(f"{name}[{place}]", each) for place, each in enumerate(lists)]
