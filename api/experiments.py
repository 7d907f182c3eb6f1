"""The experiment that runs, as the bytes that are sent: which arm a view is shown, and when.

Nothing of it is remembered of a reader: a variant means the same in every worker, at every hour and
behind every cache. A page that not all arms know is outside the experiment, and so are requests
without a variant.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from recommender.bundle.answer_bytes import as_json, head_json
from recommender.bundle.composition import DEFAULT_K
from recommender.bundle.mixture import Asked, Mixture
from recommender.bundle.mixture import Sent as Slate
from recommender.events.event import HAND_PICKED
from recommender.events.slate_token import head_of
from recommender.lists.arms import BETWEEN, INTERLEAVED, Experiment, Shown
from recommender.store.event_writer import SECONDS
from recommender_api.answers import Answers, ReadyAnswers, Sent, keep
from recommender_api.metrics import SECONDS as BOUNDS

# Slates that are kept as they are sent, some 7 kB each; a page has 22 of two arms.
MAX_MADE = 4_000
# Pages of which the chances in all of their slates are kept: some 500 bytes each.
MAX_PAGES = 50_000
# A page by its id, how many links, which slate, and the keys of the rules in force.
Keys = tuple[tuple[int, int], ...]
Key = tuple[str, int, Shown, Keys]


class Made(NamedTuple):
    """A slate as it is sent: what chose it and its label in the log, what a token holds of it, and
    its links.
    """

    list: str
    label: str
    tail: bytes
    items: bytes


class Trial:
    """What is served of an ``experiment``, by the ``answers`` of each arm's bundle. What it answers
    never changes, as with ``Answers``.
    """

    def __init__(self, experiment: Experiment, answers: Sequence[Answers]) -> None:
        self.experiment = experiment
        self.answers = tuple(answers)
        shelves, rules = [each.shelf for each in answers], [each.rules for each in answers]
        self.mixture = Mixture(experiment, shelves, rules)
        self.ready = ReadyAnswers()
        self._made: dict[Key, Made] = {}
        self._chances: dict[tuple[str, int, Keys], bytes] = {}

    def of(
        self,
        id: str,
        now: datetime,
        *,
        k: int = DEFAULT_K,
        exclude: Collection[str] = frozenset(),
        variant: int,
    ) -> Sent | None:
        """The slate of a page at this moment; None if it is outside the experiment."""
        rows = self.mixture.rows(id)
        if rows is None:
            return None
        in_force = self.answers[0].rules.about(id, now)
        asked = Asked(k, now, exclude, with_rules=bool(in_force))
        shown = self.mixture.by_variant[variant]
        key = (id, k, shown, tuple(rule.key for rule in in_force))
        made = None if exclude else self._made.get(key)
        if made is None:
            made = self._make(rows, shown, asked, (id, k, key[-1]))
            if not exclude:
                keep(self._made, key, made, at_most=MAX_MADE)
        answers = self.answers[shown.arm]
        token = None
        if answers.seal is not None:
            head = head_of(made.list, variant, made.label)
            token = answers.seal.signer.seal(head, made.tail)
        return Sent(head_json(id, answers.shelf.name, token), made.items)

    def _make(
        self, rows: tuple[int, ...], shown: Shown, asked: Asked, page: tuple[str, int, Keys]
    ) -> Made:
        """One of the slates of a page."""
        chances = None if asked.exclude else self._chances.get(page)
        if chances is None:
            chances = self.mixture.hundredths(rows, asked)
            if not asked.exclude:
                keep(self._chances, page, chances, at_most=MAX_PAGES)
        sent, answers = self.mixture.sent(rows, shown, asked, chances), self.answers[shown.arm]
        tail = b""
        if answers.seal is not None:
            tail = answers.shelf.packed(
                rows[shown.arm], sent.placed, sent.chances, answers.seal.key, sent.brought
            )
        return Made(self._list_of(shown, sent), sent.label, tail, answers.items(sent.placed))

    def _list_of(self, shown: Shown, sent: Slate) -> str:
        """What the log names as what chose the slate."""
        if self.experiment.kind == INTERLEAVED:
            return self.experiment.name
        by_hand = any(each.origin == HAND_PICKED for each in sent.placed)
        about = self.experiment.arms[shown.arm]
        return HAND_PICKED if by_hand and about.shows == HAND_PICKED else about.bundle

    def explained(self, id: str, variant: int, body: bytes, now: datetime) -> bytes:
        """An answer with the reasons of its links, by the bundle of the arm; of an interleaved
        slate by that which has the link, the first if both do.
        """
        arms = (
            self.answers
            if self.experiment.kind == INTERLEAVED
            else [self.answers[self.mixture.by_variant[variant].arm]]
        )
        first, *others = (json.loads(arm.explained(arm.shelf.row(id), body, now)) for arm in arms)
        for other in others:
            for at, link in enumerate(other["items"]):
                if first["items"][at]["why"] is None:
                    first["items"][at] = link
        return as_json(first)

    def label_of(self, variant: int) -> str:
        """The arm of a variant, as figures on it are named."""
        experiment = self.experiment
        if experiment.kind == INTERLEAVED:
            return f"{experiment.name}{BETWEEN}{INTERLEAVED}"
        return experiment.label(experiment.arms[self.mixture.by_variant[variant].arm])


class Latencies:
    """How long answers of each arm took, counted until they are stored with the next events."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def took(self, label: str, seconds: float) -> None:
        """An answer of this arm took so long."""
        bound = next((str(bound) for bound in BOUNDS if seconds <= bound), "inf")
        with self._lock:
            self._counts[f"{SECONDS}{label} {bound}"] += 1

    def drained(self) -> Mapping[str, int]:
        """What was counted since the last call."""
        if not self._counts:
            return {}
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts
