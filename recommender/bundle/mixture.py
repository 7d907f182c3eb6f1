"""What an experiment shows beside a page: the slates of all its arms, and the chance of each link.

The logging policy of an experiment is the mixture of its arms, so the action propensity of a link
at a position is the share of the hundred variants, of whatever arm, that hold it there. What one
arm shows is therefore evidence on the other's lists too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from recommender.bundle.composition import Placed, Shelf
from recommender.candidates import MIN_LINKS
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.arms import (
    INTERLEAVED,
    NEITHER,
    TEAMS,
    Experiment,
    Shown,
    credited,
    team_draft,
)
from recommender.lists.editorial import Rules
from recommender.lists.exploration import DEPTH

# Articles whose row in the other arm is known, some 100 bytes each; not tuned.
MAX_ROWS = 20_000
# Why a link stands in a slate whoever's turn it is.
BY_NO_ARM = ("pinned", "fallback")
# Both arms' links in order, by the number that near-duplicates and namesakes share, of which a
# slate holds one.
Listed = tuple[dict[int, Placed], dict[int, Placed]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page asks for: ``k`` links without those to ``exclude``, under the editors' rules in
    force at ``now``, if there are any.
    """

    k: int
    now: datetime
    exclude: Collection[str] = frozenset()
    with_rules: bool = False


class Sent(NamedTuple):
    """A slate of an experiment: the label it has in the log, its links by the rows of its arm's
    shelf, the chance of each, and which of them only the request brought.
    """

    label: str
    placed: list[Placed]
    chances: list[float]
    brought: list[bool]


class Mixture:
    """What the variants of an experiment show. ``shelves`` and ``rules`` are those of its arms, the
    rules by the ids of the shelf.
    """

    def __init__(
        self, experiment: Experiment, shelves: Sequence[Shelf], rules: Sequence[Rules]
    ) -> None:
        self.experiment = experiment
        self.shelves = shelves
        self.rules = rules
        shown = [experiment.shown(variant) for variant in range(N_VARIANTS)]
        # The different slates that the variants show, with how many show each.
        self.shows = Counter(shown)
        self.by_variant = tuple(shown)
        self._rows: dict[int, int | None] = {}
        self._place = {each: place for place, each in enumerate(self.shows)}

    def rows(self, id: str) -> tuple[int, ...] | None:
        """The row of a page in each arm; None if it is not a page of all of them, and so outside
        the experiment.
        """
        found = [shelf.row(id) for shelf in self.shelves]
        return None if None in found else tuple(row for row in found if row is not None)

    def hundredths(self, rows: tuple[int, ...], asked: Asked) -> bytes:
        """Of each of a page's slates, in the order of ``shows``, ``asked.k`` bytes: how many of the
        hundred variants show the same link at that place, 0 where the slate has ended.
        """
        listed: dict[int, Listed] = {}
        # A page's slates hold the same few articles.
        names: dict[tuple[int, int], str] = {}
        slates = [
            self._ids(shown, self.composed(rows, shown, asked, listed)[0], names)
            for shown in self.shows
        ]
        agree: Counter[tuple[int, str]] = Counter()
        for ids, n in zip(slates, self.shows.values(), strict=True):
            for at in enumerate(ids):
                agree[at] += n
        return b"".join(
            bytes(agree[at] for at in enumerate(ids)).ljust(asked.k, b"\0") for ids in slates
        )

    def sent(self, rows: tuple[int, ...], shown: Shown, asked: Asked, hundredths: bytes) -> Sent:
        """One of the slates beside a page."""
        placed, teams = self.composed(rows, shown, asked)
        start = self._place[shown] * asked.k
        chances = [each / N_VARIANTS for each in hundredths[start : start + len(placed)]]
        brought = self._brought(rows, shown, placed, asked)
        return Sent(self._label(shown, teams), placed, chances, brought)

    def _ids(
        self, shown: Shown, placed: Sequence[Placed], names: dict[tuple[int, int], str]
    ) -> list[str]:
        """The ids of a slate; ``names`` are those of its arm and row that are known already."""
        ids = []
        for each in placed:
            key = shown.arm, each.row
            if key not in names:
                names[key] = self.shelves[shown.arm].id_of(each.row)
            ids.append(names[key])
        return ids

    def composed(
        self,
        rows: tuple[int, ...],
        shown: Shown,
        asked: Asked,
        listed: dict[int, Listed] | None = None,
    ) -> tuple[list[Placed], str]:
        """One of the slates, and in an interleaved experiment who picked each link. ``listed`` are
        the lists of this page that were looked up for other slates of it.
        """
        shelf, row = self.shelves[shown.arm], rows[shown.arm]
        rules = self.rules[shown.arm] if asked.with_rules else None
        if self.experiment.kind != INTERLEAVED:
            placed = shelf.composed(
                row, k=asked.k, exclude=asked.exclude, rules=rules, now=asked.now, slate=shown.slate
            )
            return placed, ""
        drafted, team_of = self._drafted(rows, shown, asked, {} if listed is None else listed)
        if not asked.with_rules and len(drafted) >= min(asked.k, MIN_LINKS):
            return drafted[: asked.k], "".join([*team_of.values()][: asked.k])
        placed = shelf.arranged(
            row, drafted, asked.k, asked.exclude, rules, asked.now, least=MIN_LINKS
        )
        teams = (
            NEITHER if each.origin in BY_NO_ARM else team_of.get(each.row, NEITHER)
            for each in placed
        )
        return placed, "".join(teams)

    def _drafted(
        self, rows: tuple[int, ...], shown: Shown, asked: Asked, listed: dict[int, Listed]
    ) -> tuple[list[Placed], dict[int, str]]:
        """The draft of both arms' lists by the rows of the first, and who is credited with each
        row.
        """
        # Whole rounds, so that it is seen whether both arms had a link for the last.
        at_most = None if asked.with_rules else asked.k + asked.k % 2
        if shown.slate not in listed:
            listed[shown.slate] = self._listed(rows, shown.slate, at_most, asked.exclude)
        by_text = listed[shown.slate]
        n = at_most or len(by_text[0]) + len(by_text[1])
        lists = list(by_text[0]), list(by_text[1])
        order, teams = team_draft(lists, shown.coins, n)
        _, turned = team_draft(lists, [1 - coin for coin in shown.coins], n)
        picked = [by_text[TEAMS.index(team)][text] for text, team in zip(order, teams, strict=True)]
        drafted = list(zip(picked, credited(teams, turned), strict=True))
        return [each for each, _ in drafted], {each.row: team for each, team in drafted}

    def _listed(
        self, rows: tuple[int, ...], slate: int, at_most: int | None, exclude: Collection[str]
    ) -> Listed:
        """What was prepared in both arms, without what is to ``exclude``, by the rows of the first;
        what that does not know cannot be shown.
        """
        first, second = self.shelves
        at_most = None if exclude else at_most
        mine = first.prepared(rows[0], slate, at_most=at_most)
        others = [
            each._replace(row=known)
            for each in second.prepared(rows[1], slate, at_most=at_most)
            if (known := self._in_first(each.row)) is not None
        ]
        left_out = {*map(first.find, exclude)}
        one, two = (
            {first.text_of(each.row): each for each in part if each.row not in left_out}
            for part in (mine, others)
        )
        return one, two

    def _in_first(self, row: int) -> int | None:
        """The row in the first arm of an article of the second."""
        if row not in self._rows:
            if len(self._rows) >= MAX_ROWS:
                self._rows.clear()
            first, second = self.shelves
            self._rows[row] = first.find(second.id_of(row))
        return self._rows[row]

    def _label(self, shown: Shown, teams: str) -> str:
        experiment = self.experiment
        if experiment.kind == INTERLEAVED:
            return experiment.team_label(teams)
        return experiment.label(experiment.arms[shown.arm])

    def _brought(
        self, rows: tuple[int, ...], shown: Shown, placed: Sequence[Placed], asked: Asked
    ) -> list[bool]:
        """As ``Shelf.brought``; empty for a list as everybody is shown it."""
        if not asked.exclude and asked.k <= DEPTH:
            return []
        usual, _ = self.composed(rows, shown, Asked(DEPTH, asked.now, (), asked.with_rules))
        known = {each.row for each in usual}
        return [each.row not in known and each.origin != "pinned" for each in placed]
