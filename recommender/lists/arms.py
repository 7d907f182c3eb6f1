"""Experiments: which of several policies a variant shows.

A page draws a variant, 0 to 99, for every view. Outside experiments it chooses between the best
slate and those that explore (``exploration``); in an experiment it chooses the arm first. Each arm
has a run of variants, of which the last explore, the same share in every arm. Nothing is remembered
of anybody: whoever knows the table knows what a variant shows.

An interleaved experiment has two arms and shows both at once. Each slate is a team draft of their
lists: round by round a coin decides which of them picks first, and each picks its best link that
the slate has not yet (Radlinski, Kurup and Joachims, "How does clickthrough data reflect retrieval
quality?", CIKM 2008). A click counts for the arm that picked the link. The coins are
those of the variant; for every variant there is another with all coins the other way round, so that
no arm is favoured.

>>> arms = (Arm("old", "live", "b1", 0, 49), Arm("new", "b2", "b2", 50, 99))
>>> trial = Experiment("autumn", "2026-11-30T08:00:00+00:00", SPLIT, 20, arms)
>>> trial.shown(39), trial.shown(40), trial.shown(99)
(Shown(arm=0, slate=0, coins=()), Shown(arm=0, slate=1, coins=()), Shown(arm=1, slate=10, coins=()))
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recommender.events.event import HAND_PICKED
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.exploration import BEST, EXPLORE

SPLIT, INTERLEAVED = "split", "interleaved"
# How an arm is asked for: what is live; between a bundle and its other settings, and between these.
LIVE, WITH, AND = "live", "+", ","
# Names travel in every slate token.
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,29}")
# What the log calls slates, and what chose them, outside experiments.
TAKEN = frozenset((BEST, EXPLORE, HAND_PICKED, "other"))
# Between the name of the experiment and that of the arm, in a slate and in the log.
BETWEEN = "/"
# Rounds of a draft: two links each, as many as a page may ask for; and after how many coins come
# again: five rounds are the ten links that most pages ask for.
N_ROUNDS, N_TOSSES = 25, 5
# In the teams of an interleaved slate: a link that is neither arm's, such as a pin.
NEITHER = "0"
# Which arm picked a link, by the arm's place.
TEAMS = "12"


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the policies. It ``shows`` what was asked for: ``live``, ``hand-picked``, a bundle,
    perhaps with other settings; that is frozen as a ``bundle`` below the folder of models, and has
    the variants ``first`` to ``last``.
    """

    name: str
    shows: str
    bundle: str
    first: int
    last: int

    @property
    def n_variants(self) -> int:
        """How many of the hundred variants it has."""
        return self.last - self.first + 1


class Shown(NamedTuple):
    """What a variant shows: a slate of an arm, by its place; of an interleaved experiment the
    slates of this number of both, drafted with ``coins``: 0 where the first arm picks first.
    """

    arm: int
    slate: int
    coins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment as it runs or ran: ``kind`` is ``SPLIT`` or ``INTERLEAVED``, ``share`` of a
    hundred views explore, in every arm; the first of ``arms`` is what the others are compared with.
    Moments are in ISO 8601.
    """

    name: str
    started: str
    kind: str
    share: int
    arms: tuple[Arm, ...]
    stopped: str | None = None

    def label(self, arm: Arm) -> str:
        """What the log calls a view of the arm."""
        return f"{self.name}{BETWEEN}{arm.name}"

    def team_label(self, teams: str) -> str:
        """What the log calls a view of an interleaved slate: who picked each of its links."""
        return f"{self.name}{BETWEEN}{teams}"

    def shown(self, variant: int) -> Shown:
        """What a variant shows."""
        if self.kind == INTERLEAVED:
            return self._drafted(variant)
        at = next(at for at, arm in enumerate(self.arms) if arm.first <= variant <= arm.last)
        arm = self.arms[at]
        n_exploring = arm.n_variants * self.share // N_VARIANTS
        return Shown(at, max(0, variant - (arm.last - n_exploring)), ())

    def _drafted(self, variant: int) -> Shown:
        """Neighbouring variants show the same slates with opposite coins. There are as many
        sequences of coins as five tosses have, so that a page has no more slates than needed.
        """
        n_exploring = self.share // 2
        pair = variant // 2
        slate = max(0, pair - (N_VARIANTS // 2 - n_exploring) + 1)
        tosses = 2 * (pair % 2 ** (N_TOSSES - 1))
        coins = tuple(tosses >> at % N_TOSSES & 1 ^ variant & 1 for at in range(N_ROUNDS))
        return Shown(0, slate, coins)

    def table(self) -> list[dict[str, Any]]:
        """What each variant means, for everyone to read; as ``exploration.variant_table``."""
        if self.kind == INTERLEAVED:
            return [
                {"from": at, "to": at, "arm": self.name, "slate": self.shown(at).slate}
                for at in range(N_VARIANTS)
            ]
        rows = []
        for arm in self.arms:
            shown = [(at, self.shown(at).slate) for at in range(arm.first, arm.last + 1)]
            best = [at for at, slate in shown if slate == 0]
            rows.append({"from": best[0], "to": best[-1], "arm": self.label(arm), "slate": 0})
            rows += [
                {"from": at, "to": at, "arm": self.label(arm), "slate": slate}
                for at, slate in shown
                if slate
            ]
        return rows

    def fault(self) -> str | None:
        """What is wrong with an experiment that was read or asked for, or None."""
        names = [self.name, *(arm.name for arm in self.arms)]
        if strange := [name for name in names if not NAME.fullmatch(name)]:
            return (
                f"{strange[0]!r} is no name for an experiment or an arm: small letters, digits, "
                "dots, dashes and underscores, at most 30"
            )
        if len(set(names[1:])) < len(self.arms):
            return "two arms have one name"
        if taken := TAKEN & set(names):
            return f"{min(taken)!r} means something else in the log; choose another name"
        if self.kind not in (SPLIT, INTERLEAVED):
            return f"{self.kind!r} is no kind of experiment"
        if len(self.arms) < 2 or (self.kind == INTERLEAVED and len(self.arms) > 2):
            wanted = "two arms" if self.kind == INTERLEAVED else "at least two arms"
            return f"{len(self.arms)} arms; it takes {wanted}"
        runs = [(arm.first, arm.last) for arm in self.arms]
        if self.kind == INTERLEAVED:
            whole = [(0, N_VARIANTS - 1)] * len(self.arms)
            return None if runs == whole else "interleaved arms have all of the hundred variants"
        return self._fault_of(runs)

    def _fault_of(self, runs: Sequence[tuple[int, int]]) -> str | None:
        """Whether the arms have all variants, one after the other, and can explore alike."""
        step = unit(self.share)
        if uneven := [arm for arm in self.arms if arm.n_variants < 1 or arm.n_variants % step]:
            return (
                f"arm {uneven[0].name} has {uneven[0].n_variants} of the hundred variants; where "
                f"{self.share} of a hundred views explore, in every arm alike, it can have "
                f"multiples of {step}"
            )
        ends = [-1, *(last for _, last in runs)]
        if [first for first, _ in runs] != [end + 1 for end in ends[:-1]] or ends[-1] != 99:
            return "the arms do not have all of the hundred variants, each once"
        return None


def unit(share: int) -> int:
    """Arms have multiples of so many variants: ``share`` of a hundred of each explore.

    >>> unit(20), unit(0)
    (5, 1)
    """
    return N_VARIANTS // math.gcd(N_VARIANTS, share)


def shared_out(n_arms: int, share: int, *, n_variants: int = N_VARIANTS) -> list[int]:
    """How many of the variants each of so many arms has, as equal as can be.

    >>> shared_out(3, 20), shared_out(2, 20, n_variants=90)
    ([35, 35, 30], [45, 45])
    """
    step = unit(share)
    n_units, left = divmod(max(0, n_variants) // step, max(1, n_arms))
    return [(n_units + (at < left)) * step for at in range(n_arms)]


def team_draft(
    lists: tuple[Sequence[int], Sequence[int]], coins: Sequence[int], n: int
) -> tuple[list[int], str]:
    """The first ``n`` links of a draft of two lists, and who picked each: a text of ``TEAMS``. An
    arm that has nothing left to pick is passed over.

    >>> team_draft(([7, 8, 9], [8, 5]), (1, 0), 4)
    ([8, 7, 9, 5], '2112')
    """
    left = tuple(iter(each) for each in lists)
    drafted: list[int] = []
    teams: list[str] = []
    taken: set[int] = set()
    for coin in coins:
        if len(drafted) == n:
            break
        for team in (coin, 1 - coin):
            link = next((each for each in left[team] if each not in taken), None)
            if link is not None and len(drafted) < n:
                drafted.append(link)
                teams.append(TEAMS[team])
                taken.add(link)
    return drafted, "".join(teams)


def credited(teams: str, turned: str) -> str:
    """Who is credited with clicks on the links of a whole draft, beside that with all coins
    ``turned``: as long as both arms pick, whichever the coins, each its own; from where one has
    nothing left nobody, or the longer list would win by its length.

    >>> credited("211222", "122122"), credited("12", "2")
    ('211200', '00')
    """
    end = min(map(_both_pick, (teams, turned)))
    return teams[:end] + NEITHER * (len(teams) - end)


def _both_pick(teams: str) -> int:
    """How many links of a draft are of rounds in which both arms pick."""
    rounds = range(0, len(teams), len(TEAMS))
    alone = (at for at in rounds if {*teams[at : at + len(TEAMS)]} != {*TEAMS})
    return next(alone, len(teams))
