"""The experiment that runs, as the bytes that are sent: which arm a view is shown, and when.

Nothing of it is remembered of a reader: a variant means the same in every worker, at every hour and
behind every cache. A page that not all arms know is outside the experiment, and so are requests
without a variant.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from recommender.bundle.answer_bytes import head_json
from recommender.bundle.composition import DEFAULT_K
from recommender.bundle.mixture import Agreement, Asked, Mixture
from recommender.events.slate_token import head_of
from recommender.lists.arms import BETWEEN, INTERLEAVED, Experiment, Shown
from recommender.store.event_writer import SECONDS
from recommender_api.answers import MAX_COMPOSED, Answers, Sent, keep
from recommender_api.metrics import SECONDS as BOUNDS

# What chose a slate, in the log, where an arm shows the lists that editors picked.
HAND_PICKED = "hand-picked"
# Pages of which it is kept how many variants show which link: some 20 kB each.
MAX_AGREED = 1_000
# A page by its id, how many links, which slate, and the lines of the rules in force.
Lines = tuple[int, ...]
Key = tuple[str, int, Shown, Lines]


class Trial:
    """What is served of an ``experiment``, by the ``answers`` of each arm's bundle. What it answers
    never changes, as with ``Answers``.
    """

    def __init__(self, experiment: Experiment, answers: Sequence[Answers]) -> None:
        self.experiment = experiment
        self.answers = tuple(answers)
        shelves, rules = [each.shelf for each in answers], [each.rules for each in answers]
        self.mixture = Mixture(experiment, shelves, rules)
        self._made: dict[Key, tuple[str, bytes, bytes]] = {}
        self._agree: dict[tuple[str, int, Lines], Agreement] = {}

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
        key = (id, k, shown, tuple(rule.line for rule in in_force))
        made = None if exclude else self._made.get(key)
        if made is None:
            made = self._make(rows, shown, asked, (id, k, key[-1]))
            if not exclude:
                keep(self._made, key, made, at_most=MAX_COMPOSED)
        label, tail, items = made
        answers = self.answers[shown.arm]
        token = None
        if answers.seal is not None:
            head = head_of(self._list_of(shown.arm), variant, label)
            token = answers.seal.signer.seal(head, tail)
        return Sent(head_json(id, answers.shelf.name, token), items)

    def _make(
        self, rows: tuple[int, ...], shown: Shown, asked: Asked, page: tuple[str, int, Lines]
    ) -> tuple[str, bytes, bytes]:
        """The label of a slate, what a token holds of it, and its links."""
        agree = None if asked.exclude else self._agree.get(page)
        if agree is None:
            agree = self.mixture.agreement(rows, asked)
            if not asked.exclude:
                keep(self._agree, page, agree, at_most=MAX_AGREED)
        sent, answers = self.mixture.sent(rows, shown, asked, agree), self.answers[shown.arm]
        tail = b""
        if answers.seal is not None:
            tail = answers.shelf.packed(
                rows[shown.arm], sent.placed, sent.chances, answers.seal.key, sent.brought
            )
        return sent.label, tail, answers.items(sent.placed)

    def _list_of(self, arm: int) -> str:
        """What the log names as what chose the slate."""
        if self.experiment.kind == INTERLEAVED:
            return self.experiment.name
        about = self.experiment.arms[arm]
        return HAND_PICKED if about.shows == HAND_PICKED else about.bundle

    def arm_of(self, variant: int) -> Answers:
        """What serves the arm of a variant."""
        return self.answers[self.mixture.by_variant[variant].arm]

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
