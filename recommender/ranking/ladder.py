"""How a score comes about: what each kind of evidence adds, in the order in which it is asked.

A rung is the difference that one kind of evidence makes to the score once those before it are
known, and those behind it are as they are where nothing is known: no click on the pair, nobody who
read both, a target that nobody has met, no editor's list near. Such pairs exist and were learned
from, so nothing is asked of curves or trees that they have not seen; and since each rung begins
where the last one ended, they add up to the score whatever the model is. The clicks of a pair are
two rungs: that it was shown, followed just as an ordinary link in its places, which may be less
than all the rest promises; and how its own clicks differ from that. Differences of one fixed
order are one of the orders over which Shapley values are means (Lundberg & Lee 2017, "A unified
approach to interpreting model predictions"): a single order is that of the levels themselves, costs
one prediction a rung, and is the same for every link.
"""

from __future__ import annotations

import numpy as np

from recommender.clicks.gamma_poisson import posterior_rate
from recommender.ragged import at, find
from recommender.ranking.features import CONTENT, LEAST_TEXT, NAMES, History, features
from recommender.ranking.handpicked import HandpickedModel, editors_word
from recommender.ranking.handpicked_features import NAMES as LISTED
from recommender.ranking.handpicked_features import OF_GROUPS, TEXTS, as_if_unknown
from recommender.ranking.ranker import LEVELS, Ranker
from recommender.text.corpus import Corpus, Links, signals, text_stages

# The rungs of each kind of score, in their order (``bundle.explanation.RUNGS`` has their meaning).
BY_CLICKS = ("start", "text", "groups", "lists", "kinds", "target", "reading", "shown", "pair")
CAUTIOUS = ("start", "text", "groups", "lists", "target", "shown", "pair")
BY_LISTS = ("start", "text", "lists")
BY_TEXT = ("text", "groups", "target", "lists")
# What is not known before a rung is: the features it brings, and what they are until then.
UNKNOWN = {
    "text": (
        "cosine", "title_cosine", "target_title_in_source", "source_title_in_target", "subject",
        "latent_cosine", "same_kind",
    ),
    "groups": ("same_category", "same_folder", "shared_tags"),
    "lists": ("hand_picked", "times_listed", "listed_back"),
    "kinds": ("kinds", "categories"),
    "target": ("strength", "target_clicks", "target_expected", "target_age", "newer"),
    "reading": ("co_read", "co_read_cosine", "readers_alike"),
    "shown": ("chances", "clicked", "over_text", "lift"),
}  # fmt: skip
USUALLY_FULL = 1.0
AT = {name: place for place, name in enumerate(NAMES)}


def rungs_of(ranker: Ranker | None, model: HandpickedModel | None) -> tuple[str, ...]:
    """The names of the rungs of what decides."""
    if ranker is None:
        return BY_TEXT if model is None else BY_LISTS
    return CAUTIOUS if ranker.cautious else BY_CLICKS


def ladder(links: Links, ranker: Ranker | None, model: HandpickedModel | None) -> np.ndarray:
    """What each rung adds to the score of links, ``(n_pairs, n_rungs)``, float64, of ``rungs_of``;
    their sources stand in runs. A row adds up to the score.
    """
    corpus, sources, items = links.corpus, links.sources, links.items
    picked = find(corpus.picked, np.asarray(sources, dtype=np.int64) * corpus.n_articles + items)
    if ranker is not None:
        stages = _of_ranker(corpus, ranker, sources, items, picked >= 0)
    else:
        word = np.where(picked >= 0, editors_word(corpus), 1.0)
        if model is None:
            stages = [each.astype(np.float64) for each in links.text_stages]
            stages.append(word * stages[-1])
        else:
            stages = _of_lists(corpus, model, sources, items)
            stages[-1] = np.log(word) + stages[-1]
    return np.diff(np.column_stack([np.zeros(len(items)), *stages]), axis=1)


def _of_lists(
    corpus: Corpus, model: HandpickedModel, sources: np.ndarray, items: np.ndarray
) -> list[np.ndarray]:
    """Log odds that an editor lists the item: of texts with nothing in common, of these texts, and
    with what other pages' lists show.
    """
    seen = model.features(corpus, sources, items)
    everywhere = np.ones(len(seen), dtype=bool)
    base = model.rates.log_base(sources)
    unknown = as_if_unknown(seen, base, near=everywhere, group=everywhere)
    apart = unknown.copy()
    apart[:, [LISTED.index(name) for name in TEXTS]] = 0.0
    apart[:, [LISTED.index(name) for name in ("near_place", "near_place_back")]] = (
        corpus.near.shape[1]
    )
    apart[:, [LISTED.index(name) for name in ("added", "change")]] = base[:, None]
    apart[:, OF_GROUPS] = base[:, None]
    return [model.trees.predict(each) for each in (apart, unknown, seen)]


def _of_ranker(
    corpus: Corpus, ranker: Ranker, sources: np.ndarray, items: np.ndarray, picked: np.ndarray
) -> list[np.ndarray]:
    """The score of pairs with more and more of it known; the last is ``ranker.score``."""
    ends = np.asarray(sources, dtype=np.int64), np.asarray(items, dtype=np.int64)
    seen = features(corpus, ranker.handpicked, ranker.history, *ends)
    texts = _texts(corpus, ranker, *ends)
    names = CAUTIOUS if ranker.cautious else BY_CLICKS
    found = [ranker.predict(seen)]
    left = seen.copy()
    ordinary = _as_ordinary(ranker, seen, *ends)
    # From the top down: each step forgets what one rung brought, of the pairs that have any of it.
    for rung, below in zip(names[:0:-1], names[-2::-1], strict=True):
        known = [AT[name] for name in UNKNOWN["shown" if rung == "pair" else rung]]
        until = ordinary if rung == "pair" else np.zeros((len(left), len(known)), dtype=left.dtype)
        changed = (left[:, known] != until).any(axis=1) | (left[:, AT["text"]] != texts[below])
        if rung == "target":
            changed |= left[:, AT["fullness"]] != USUALLY_FULL
        if rung == "lists":
            changed |= picked
            picked = np.zeros_like(picked)
        rows = left[changed]
        rows[:, known] = until[changed]
        rows[:, AT["text"]] = texts[below][changed]
        if rung == "target":
            rows[:, AT["fullness"]] = USUALLY_FULL
        content = rows[:, [AT[name] for name in CONTENT]].astype(np.float64)
        unchosen = np.where(picked[changed], 0.0, ranker.history.unchosen)
        rows[:, AT["content"]] = ranker.history.content.predict(content) + unchosen
        rows[:, AT["score"]] = rows[:, [AT[name] for name in LEVELS]].sum(axis=1, dtype=np.float64)
        left[changed] = rows
        score = found[-1].copy()
        if len(rows):
            score[changed] = ranker.predict(rows)
        found.append(score)
    return found[::-1]


def _as_ordinary(
    ranker: Ranker, seen: np.ndarray, sources: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """What a pair's clicks make of it, the features ``UNKNOWN["shown"]``, if it had just the clicks
    of an ordinary link in its places; ``(n_pairs, 4)``.
    """
    history = ranker.history
    pair = history.pairs.find(sources, items)
    got, due = at(history.clicks.clicked, pair), _due(history, pair, items)
    # What expects the clicks over the text is not kept; the levels' own weight is near.
    more = np.log(posterior_rate(due, got, history.clicks.weight))
    lift = np.log(posterior_rate(due, at(history.clicks.expected, pair), history.clicks.weight))
    chances, _, over_text, _ = (seen[:, AT[name]] for name in UNKNOWN["shown"])
    found = np.column_stack([chances, np.log1p(due), over_text + more, lift])
    return np.where(pair[:, None] >= 0, found, 0.0).astype(seen.dtype)


def _due(history: History, pair: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Clicks to be expected of an ordinary link in the places of pairs, ``(n_pairs,)``."""
    return at(history.plain.expected, pair) / history.plain.strength[items]


def _texts(
    corpus: Corpus, ranker: Ranker, sources: np.ndarray, items: np.ndarray
) -> dict[str, np.ndarray]:
    """The feature ``text`` once each rung is known, ``(n_pairs,)``, float32 as features are."""
    if ranker.handpicked is not None:
        apart, unknown, known = (
            each.astype(np.float32) for each in _of_lists(corpus, ranker.handpicked, sources, items)
        )
        found = {"start": apart, "text": unknown, "groups": unknown}
        return {**dict.fromkeys(BY_CLICKS, known), **found}
    seen = signals(corpus, sources, items)
    alike, given, whole = (
        np.log(np.maximum(each.astype(np.float64), LEAST_TEXT)).astype(np.float32)
        for each in text_stages(corpus, seen, items)
    )
    nothing = np.full(len(items), np.log(LEAST_TEXT), dtype=np.float32)
    first, last = {"start": nothing, "text": alike}, ("target", "reading", "shown", "pair")
    return {**dict.fromkeys(BY_CLICKS, given), **first, **dict.fromkeys(last, whole)}
