"""What to do, in one sentence.

Whether figures may be trusted comes first, then whether an arm does harm, then what wins. What to
do depends on what is live: to leave an experiment shows that again, whoever won.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from recommender.evaluation.report.text import number
from recommender.events.event import HAND_PICKED
from recommender.experiments.sequential import MIN_CLICKS
from recommender.lists.arms import AND, LIVE, WITH, Arm

# The difference that is asked for when it is said how long an experiment takes, and below which two
# arms are as good as one another. Not tuned.
SOUGHT = 0.05
# Longer than this nobody waits.
MOST_DAYS = 730
DISTRUST, HARM, ACTIVATE, KEEP, EQUAL, WAIT = (
    "distrust", "stop", "activate", "keep", "equal", "wait",
)  # fmt: skip
STOP = "recommender experiment stop"
CLICKS = "clicks per page view"


class Verdict(NamedTuple):
    """What to do as a word, with the arm that it is about if there is one, and in a sentence."""

    decision: str
    arm: str | None
    sentence: str


class Found(NamedTuple):
    """An arm's primary figure beside the control's: more clicks as a share, ``relative``, and a
    page view, ``difference``, with their intervals; None where too little is known, or a share
    may be any. ``days`` is after how many more days a difference of ``SOUGHT`` would be found, None
    where that is not known.
    """

    arm: str
    relative: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    days: float | None

    @property
    def is_known(self) -> bool:
        return self.difference_low is not None and self.difference_high is not None

    @property
    def better(self) -> bool:
        return self.difference_low is not None and self.difference_low > 0

    @property
    def worse(self) -> bool:
        return self.difference_high is not None and self.difference_high < 0

    @property
    def is_like_control(self) -> bool:
        """Whether any difference is smaller than what is sought."""
        known = self.low is not None and self.high is not None
        return known and self.low > -SOUGHT and self.high < SOUGHT  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Ending:
    """What to do at the end of an experiment of these ``arms``, by whether it is ``stopped`` and
    the bundle that is ``live``, None if nobody knows; ``retrained`` if that was trained since, as
    the one that was live at the start.
    """

    arms: Sequence[Arm]
    stopped: bool
    live: str | None = None
    retrained: bool = False

    @property
    def control(self) -> str:
        return self.arms[0].name

    @property
    def live_arm(self) -> str | None:
        """The arm whose lists are live; None if none is, or nobody knows."""
        return next((arm.name for arm in self.arms if self._is_live(arm)), None)

    def to_show(self, name: str) -> str:
        """What to do to have the lists of an arm live, and to keep them so."""
        arm = next(each for each in self.arms if each.name == name)
        lasting = _lasting(arm)
        if not self._is_live(arm):
            if self.stopped:
                return f"run: recommender models activate {arm.bundle}{lasting}"
            return f"run: {STOP} --activate {name}{lasting}"
        if self.retrained and arm.bundle != self.live:
            if self.stopped:
                return "what is live was trained since, in the same way: keep it"
            return f"run: {STOP}; what is live, trained since in the same way, stays"
        if self.stopped:
            kept = "keep what is live" if self.live is None else f"{name} is live: keep it"
            return f"{kept}{lasting}"
        return f"run: {STOP}; what is live stays{lasting}"

    def to_leave(self, worse: Collection[str] = ()) -> str:
        """What to do to leave the experiment, where these arms are ``worse`` than the control."""
        if self.live_arm in worse:
            return self.to_show(self.control)
        return "keep what is live" if self.stopped else f"run: {STOP}"

    def _is_live(self, arm: Arm) -> bool:
        if self.live is None:
            return arm.shows == LIVE
        return arm.bundle == self.live or (self.retrained and arm.shows == LIVE)


def _lasting(arm: Arm) -> str:
    """What else must be so that the next training does not undo it."""
    base, _, settings = arm.shows.partition(WITH)
    if base == HAND_PICKED:
        return " (and train with --no-activate, or the next training undoes it)"
    if not settings:
        return ""
    pairs = (each.partition("=") for each in settings.split(AND))
    named = " and ".join(f"RECOMMENDER_{key.strip().upper()}={value}" for key, _, value in pairs)
    return f" (and set {named}, or the next training undoes it)"


def distrusted(reason: str) -> Verdict:
    """Of figures that are not to be trusted."""
    return Verdict(DISTRUST, None, f"Do not trust the figures: {reason}.")


def nothing_seen(name: str, *, forgotten: int = 0, stopped: bool = False) -> Verdict:
    """Of an experiment without a view, of whose days so many views were ``forgotten``."""
    if forgotten:
        what = (
            f"No view of experiment {name} is in the log any more: {forgotten:,} views of its days "
            "were forgotten."
        )
    elif stopped:
        what = f"No view of experiment {name} is in the log."
    else:
        what = (
            f"No view of experiment {name} is in the log yet: see that pages ask with a variant "
            "and send their views."
        )
    return Verdict(WAIT, None, what)


def compared(
    found: Sequence[Found],
    ending: Ending,
    *,
    where: str = "",
    broken: Sequence[Mapping[str, Any]] = (),
) -> Verdict:
    """Of arms beside the control; ``where`` says which pages count, ``broken`` are guardrails that
    an arm breaks: it cannot win.
    """
    control = ending.control
    harm = {row["arm"]: _harm(row, control) for row in reversed(broken)}
    winners = [each for each in found if each.better and each.arm not in harm]
    if winners:
        best = max(winners, key=lambda each: each.difference or 0)
        others = [each.arm for each in winners if each is not best]
        also = ""
        if others:
            also = f" ({_listed(others)} {'win' if len(others) > 1 else 'wins'} too)"
        if harm:
            also += f" ({'; '.join(harm.values())})"
        what = f"{_more(best, control)}{where}{also}"
        return Verdict(ACTIVATE, best.arm, f"{what}; {ending.to_show(best.arm)}.")
    worse = [each for each in found if each.worse]
    bad = {*harm, *(each.arm for each in worse)}
    if harm:
        first, what = next((arm, harm[arm]) for arm in (row["arm"] for row in broken))
        if not ending.stopped:
            return Verdict(HARM, first, f"Stop: {what}; {ending.to_leave(bad)}.")
        then = f"; {ending.to_leave(bad)}" if ending.live_arm in bad else ""
        return Verdict(HARM, first, f"Do not activate {first}: {what}{then}.")
    if len(worse) == len(found):
        best = max(found, key=lambda each: each.difference or 0)
        many = "Every arm loses; the best of them, " if len(found) > 1 else ""
        what = f"{many}{_more(best, control)}{where}"
        return Verdict(KEEP, control, f"{what}; {ending.to_show(control)}.")
    unknown = [each for each in found if not each.is_known]
    if len(unknown) == len(found):
        what = (
            f"Too little is known{_yet(ending)}: {_listed([each.arm for each in unknown], 'or')} "
            f"or {control} has fewer than {MIN_CLICKS} clicks{where}"
        )
        return Verdict(WAIT, None, f"{what}; {_on(ending)}.")
    alike = [each for each in found if each.is_like_control]
    rest = [each for each in found if each.is_known and not each.worse and each not in alike]
    if not unknown and not rest:
        spans = ", ".join(f"{each.arm} {_ends(each)}" for each in alike)
        losing = f"{_listed([each.arm for each in worse])} lose{'s' * (len(worse) == 1)}, and "
        what = (
            f"{f'{losing}no other' if worse else 'No'} arm differs from {control} by "
            f"{number(SOUGHT, '.0%')} or more in {CLICKS}{where} ({spans})"
        )
        return Verdict(EQUAL, None, f"{what}; {_of_equals(ending, bad)}.")
    parts = [_more(each, control) for each in worse]
    if unsure := [*rest, *alike]:
        spans = ", ".join(f"{each.arm} {_ends(each)}" for each in unsure)
        to = f" of {_listed([each.arm for each in unsure])}" if worse or unknown else ""
        parts.append(f"{'no' if parts else 'No'} difference{to} to {control} can be "
                     f"seen{_yet(ending)} ({spans})")  # fmt: skip
    if unknown:
        names = _listed([each.arm for each in unknown])
        has = "has" if len(unknown) == 1 else "have"
        so_far = "" if ending.stopped else " so far"
        parts.append(f"{names} {has} fewer than {MIN_CLICKS} clicks{so_far}")
    what = f"{'; '.join(parts)}{where}"
    if ending.stopped:
        return Verdict(WAIT, None, f"{what}; {ending.to_leave(bad)}.")
    days = [each.days for each in (*rest, *alike, *unknown)]
    return Verdict(WAIT, None, f"{what}: {_wait(days, ending.to_leave(bad))}.")


def preferred(
    share: float,
    low: float,
    high: float,
    clicks: int,
    ending: Ending,
    *,
    days: float | None,
    where: str = "",
) -> Verdict:
    """Of an interleaved experiment: the ``share`` of the second arm among credited clicks."""
    one, two = (arm.name for arm in ending.arms)
    if math.isnan(share):
        what = (
            f"Too little is known{_yet(ending)}: {one} or {two} is credited with fewer than "
            f"{MIN_CLICKS} clicks{where}"
        )
        return Verdict(WAIT, None, f"{what}; {_on(ending)}.")
    if low > 0.5 or high < 0.5:
        best = two if low > 0.5 else one
        what = _preference(share, low, high, clicks, (one, two))
        return Verdict(ACTIVATE, best, f"{what}{where}; {ending.to_show(best)}.")
    what = (
        f"No preference can be seen{_yet(ending)} ({two} picked {number(share, '.1%')} of the "
        f"{clicks:,} links followed, {number(100 * low, '.1f')} to {number(high, '.1%')}){where}"
    )
    if ending.stopped:
        return Verdict(WAIT, None, f"{what}; {ending.to_leave()}.")
    return Verdict(WAIT, None, f"{what}: {_wait([days], ending.to_leave())}.")


def checked(difference: str | None, spans: str | None, ending: Ending, *, pages: str) -> Verdict:
    """Of arms that show the same lists (on ``pages``), so that only the set-up is tested: the
    ``difference`` that is seen nevertheless; else the intervals, ``spans``, None if too little is
    known.
    """
    same = f"the arms show the same lists on {pages}"
    if difference is not None:
        reason = f"{same}, yet {difference}; find out what else differs between them"
        return distrusted(reason)
    same = same[0].upper() + same[1:]
    if spans is None:
        what = f"{same}, which checks the set-up, but too little is known{_yet(ending)}"
        return Verdict(WAIT, None, f"{what}; {_on(ending)}.")
    what = f"{same}, so any difference is chance, and none can be seen ({spans})"
    done = "the set-up passed" if ending.stopped else f"the set-up passes; to end it, run: {STOP}"
    return Verdict(EQUAL, None, f"{what}: {done}.")


def checked_arms(found: Sequence[Found], ending: Ending, *, pages: str) -> Verdict:
    """``checked``, of arms beside the control."""
    crossed = next((each for each in found if each.better or each.worse), None)
    difference = None if crossed is None else _more(crossed, ending.control)
    known = all(each.is_known for each in found)
    spans = ", ".join(f"{each.arm} {_ends(each)}" for each in found) if known else None
    return checked(difference, spans, ending, pages=pages)


def checked_draft(
    share: float, low: float, high: float, clicks: int, ending: Ending, *, pages: str
) -> Verdict:
    """``checked``, of an interleaved experiment."""
    if math.isnan(share):
        return checked(None, None, ending, pages=pages)
    one, two = (arm.name for arm in ending.arms)
    difference = None
    if low > 0.5 or high < 0.5:
        what = _preference(share, low, high, clicks, (one, two))
        difference = what[0].lower() + what[1:]
    spans = f"{two} {number(100 * low, '.1f')} to {number(high, '.1%')} of the links followed"
    return checked(difference, spans, ending, pages=pages)


def _preference(share: float, low: float, high: float, clicks: int, arms: tuple[str, str]) -> str:
    best, other = (arms[1], arms[0]) if low > 0.5 else (arms[0], arms[1])
    if low <= 0.5:
        share, low, high = 1 - share, 1 - high, 1 - low
    return (
        f"Readers prefer {best} to {other}: it picked {number(share, '.1%')} "
        f"({number(100 * low, '.1f')} to {number(high, '.1%')}) of the {clicks:,} links "
        "followed"
    )


def _harm(row: Mapping[str, Any], control: str) -> str:
    """A guardrail that an arm breaks."""
    noun, has = row["noun"], row["has"]
    return (
        f"{number(row['value'], '.1%')} of {row['arm']}'s {noun} {has}, "
        f"{number(row['control'], '.1%')} of {control}'s"
    )


def _yet(ending: Ending) -> str:
    return "" if ending.stopped else " yet"


def _on(ending: Ending) -> str:
    """What to do where too little is known."""
    return "keep what is live" if ending.stopped else "let it run"


def _of_equals(ending: Ending, worse: Collection[str]) -> str:
    """Which of arms that are as good as one another to keep."""
    if ending.live is None:
        return "keep what is live" if ending.stopped else f"keep what is simpler; run: {STOP}"
    live = ending.live_arm
    return ending.to_show(ending.control if live is None or live in worse else live)


def _listed(names: Sequence[str], last: str = "and") -> str:
    """Names in a row.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    if last == "or" or len(names) < 2:
        return ", ".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def _wait(days: Sequence[float | None], leave: str) -> str:
    known = [each for each in days if each is not None]
    one = f"one of {number(SOUGHT, '.0%')}"
    if len(known) < len(days):
        return "let it run"
    most = max(known)
    if most > MOST_DAYS:
        return f"{one} would take more than {MOST_DAYS // 365} years to show; {leave}"
    if most < 1:
        return f"{one} would probably have shown by now; if smaller ones do not matter, {leave}"
    n = math.ceil(most)
    return f"{one} would show after about {n:,} more day{'s' if n > 1 else ''}; let it run"


def _more(found: Found, control: str) -> str:
    """That an arm wins more or fewer clicks, with the interval; in clicks where it may be any share
    of the control's.
    """
    sign = -1 if found.worse else 1
    ends = (found.low, found.high) if sign > 0 else (found.high, found.low)
    values, form = [found.relative, *ends], ".1%"
    if None in values:
        least, most = found.difference_low, found.difference_high
        ends = (least, most) if sign > 0 else (most, least)
        values, form = [found.difference, *ends], ".4f"
    mean, low, high = (number(sign * (each or 0.0), form) for each in values)
    span = f"{mean} ({low.removesuffix(' %')} to {high})"
    return f"{found.arm} wins {span} {'more' if sign > 0 else 'fewer'} {CLICKS} than {control}"


def _ends(found: Found) -> str:
    """The interval; in clicks where it may be any share of the control's."""
    if found.low is None or found.high is None:
        low, high = (
            number(each or 0.0, "+.4f") for each in (found.difference_low, found.difference_high)
        )
        return f"{low} to {high} clicks"
    low, high = (number(each, "+.1%") for each in (found.low, found.high))
    return f"{low.removesuffix(' %')} to {high}"
