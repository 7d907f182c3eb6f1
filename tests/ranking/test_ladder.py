"""The rungs of a score add up to it, whatever decides, and each is of its own evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.bundle.bundle import Bundle
from recommender.bundle.explanation import RUNGS
from recommender.candidates import Candidates
from recommender.ranking import handpicked
from recommender.ranking.boosting import Forest
from recommender.ranking.cross_fitting import N_FOLDS
from recommender.ranking.features import NAMES
from recommender.ranking.handpicked import HandpickedModel
from recommender.ranking.handpicked_features import NAMES as LISTED
from recommender.ranking.handpicked_features import count_rates, lists_of
from recommender.ranking.ladder import UNKNOWN, ladder, rungs_of
from recommender.ranking.ranker import NOTHING, Beyond, Ranker
from recommender.text.corpus import Links

STUMP = {"missing_left": [0, 0, 0], "left": [1, 0, 0], "right": [2, 0, 0]}


def stumps(*features: int, above: float = 0.0) -> Forest:
    """A tree for each feature, by its number, that adds 1 where the feature is more."""
    n = len(features)
    nodes = {name: np.array(values * n, np.int32) for name, values in STUMP.items()}
    return Forest(
        baseline=np.array([0.25]),
        heads=np.arange(n + 1) * 3,
        feature=np.repeat(features, 3).astype(np.int32),
        threshold=np.full(3 * n, above),
        value=np.tile([0.0, 0.0, 1.0], n),
        **{**nodes, "missing_left": nodes["missing_left"].astype(np.uint8)},
    )


def on(*names: str) -> Forest:
    """Trees on features of the ranker."""
    return stumps(*map(NAMES.index, names))


def model_of(bundle: Bundle) -> HandpickedModel:
    """What might have been learned from the site's lists: trees on texts, on lists near, on groups
    and on how titles differ.
    """
    corpus, stub = bundle.site, bundle.lists.stub.astype(bool)
    sources, items = np.divmod(corpus.picked, corpus.n_articles)
    place = np.arange(len(sources)) - np.searchsorted(sources, sources)
    table = np.full((corpus.n_articles, place.max() + 1), -1)
    table[sources, place] = items
    lists = lists_of(Candidates(table, np.where(table >= 0, 1.0, -np.inf)), stub)
    ends = handpicked.candidate_pairs(corpus, lists, stub, lists.pages)
    fold = np.arange(corpus.n_articles) % N_FOLDS
    rates = count_rates(corpus, *ends, lists.has(*ends), fold)
    names = ("cosine", "near_place", "listed_by_near", "category_pair", "added")
    return HandpickedModel(lists, rates, stumps(*map(LISTED.index, names), above=0.05))


def some_pairs(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that are listed, shown, and neither."""
    lists, random = bundle.lists, np.random.default_rng(0)
    real = np.flatnonzero(lists.stub == 0)
    sources = np.sort(random.choice(real, 300))
    listed = lists.items[sources, random.integers(0, 10, 300)]
    items = np.where((random.random(300) < 0.6) & (listed >= 0), listed, random.choice(real, 300))
    return sources.astype(np.int64), items.astype(np.int64)


def rankers(bundle: Bundle) -> dict[str, tuple[Ranker | None, HandpickedModel | None]]:
    """One of every kind of bundle."""
    ranker, model = bundle.ranker, model_of(bundle)
    assert ranker is not None
    ranker = replace(ranker, handpicked=model)
    trees = Beyond(None, on("lift", "cosine", "co_read", "strength", "times_listed"))
    return {
        "curves": (ranker, model),
        "trees": (replace(ranker, beyond=trees), model),
        "levels alone": (replace(ranker, beyond=NOTHING), model),
        "no lists": (replace(ranker, handpicked=None), None),
        "cautious": (replace(ranker, beyond=NOTHING, cautious=True), model),
        "cautious, no lists": (Ranker(NOTHING, ranker.history, None, cautious=True), None),
        "lists": (None, model),
        "text": (None, None),
    }


KINDS = (
    "curves", "trees", "levels alone", "no lists", "cautious", "cautious, no lists", "lists",
    "text",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_rungs_add_up_to_the_score(learned: Bundle, kind: str):
    """Learned from clicks, by curves or trees, cautiously, from lists, or text alone."""
    ranker, model = rankers(learned)[kind]
    pairs = some_pairs(learned)
    if ranker is None:
        score = handpicked.score(learned.site, model, *pairs)
    else:
        score = ranker.score(learned.site, *pairs)

    found = ladder(Links(learned.site, *pairs), ranker, model)

    assert found.shape == (300, len(rungs_of(ranker, model)))
    assert set(rungs_of(ranker, model)) <= set(RUNGS)
    np.testing.assert_allclose(found.sum(axis=1), score, rtol=0, atol=1e-12)
    assert (np.abs(found).max(axis=0) > 0).sum() >= 3


def test_a_rung_is_of_its_own_evidence(learned: Bundle):
    """A tree on a feature stands on the rung that brings the feature, and on no other."""
    ranker, model = rankers(learned)["levels alone"]
    assert ranker is not None
    pairs, names = some_pairs(learned), rungs_of(ranker, model)

    plain = ladder(Links(learned.site, *pairs), ranker, model)
    for rung, features in UNKNOWN.items():
        for feature in features[:2]:
            with_tree = replace(ranker, beyond=Beyond(None, on(feature)))
            more = ladder(Links(learned.site, *pairs), with_tree, model) - plain
            # What clicks make of a pair is two rungs: those of an ordinary link, and its own.
            of_it = (rung, "start", *(["pair"] if rung == "shown" else []))
            elsewhere = [at for at, name in enumerate(names) if name not in of_it]
            # float32 features, of which the score is a sum.
            assert np.abs(more[:, elsewhere]).max() < 1e-5
            on_it = np.round(more[:, names.index(rung)], 3)
            assert set(on_it.tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("kind", ["levels alone", "cautious"])
def test_a_pairs_own_clicks_add_where_they_are_more_than_an_ordinary_links(
    learned: Bundle, kind: str
):
    """And take away where they are fewer, whatever else is expected of the link."""
    ranker, model = rankers(learned)[kind]
    history = learned.history
    pair = np.arange(len(history.pairs.item))
    sources, items = history.pairs.source.astype(np.int64), history.pairs.item.astype(np.int64)
    due = history.plain.expected / history.plain.strength[items]
    names = rungs_of(ranker, model)

    own = ladder(Links(learned.site, sources, items), ranker, model)[:, names.index("pair")]

    sure = np.abs(history.clicks.clicked[pair] - due) > 0.5
    assert sure.sum() > 100
    assert ((own > 0) == (history.clicks.clicked > due))[sure].all()


def test_a_pair_nobody_saw_has_nothing_of_its_own(learned: Bundle):
    """Neither clicks nor co-reading: these rungs are 0."""
    ranker, model = rankers(learned)["curves"]
    sources, items = some_pairs(learned)
    history = learned.history
    unseen = history.pairs.find(sources, items) < 0
    unread = (history.reading.find(sources, items) < 0) & (
        history.reading.alike(sources, items) == 0
    )
    names = rungs_of(ranker, model)

    found = ladder(Links(learned.site, sources, items), ranker, model)

    assert unseen.any()
    for rung in ("shown", "pair"):
        assert np.abs(found[unseen][:, names.index(rung)]).max() < 1e-6  # features are float32
    assert np.abs(found[unread][:, names.index("reading")]).max(initial=0.0) < 1e-6
