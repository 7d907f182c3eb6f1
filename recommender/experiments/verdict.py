"""What to do, in one sentence.

Whether figures may be trusted comes first, then whether an arm does harm, then what wins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from recommender.evaluation.report.text import number
from recommender.experiments.sequential import MIN_CLICKS

# The difference that is asked for when it is said how long an experiment takes, and below which two
# arms are as good as one another. Not tuned.
SOUGHT = 0.05
# Longer than this nobody waits.
MOST_DAYS = 730
DISTRUST, HARM, ACTIVATE, KEEP, EQUAL, WAIT = (
    "distrust", "stop", "activate", "keep", "equal", "wait",
)  # fmt: skip
STOP = "recommender experiment stop"


class Verdict(NamedTuple):
    """What to do as a word, with the arm that it is about if there is one, and in a sentence."""

    decision: str
    arm: str | None
    sentence: str


class Found(NamedTuple):
    """An arm's primary figure beside the control's: more clicks as a share, with its interval; None
    where too little is known. ``days`` is after how many more days a difference of ``SOUGHT``
    would be found, None where that cannot be told.
    """

    arm: str
    relative: float | None
    low: float | None
    high: float | None
    better: bool
    worse: bool
    days: float | None


def distrusted(reason: str) -> Verdict:
    """Of figures that are not to be trusted."""
    return Verdict(DISTRUST, None, f"Do not trust the figures: {reason}.")


def harmful(broken: Sequence[Mapping[str, Any]], *, stopped: bool) -> Verdict:
    """Of an arm that breaks a guardrail."""
    first = broken[0]
    what = (
        f"{first['arm']} has {number(first['value'], '.1%')} {first['of']}, the control "
        f"{number(first['control'], '.1%')}"
    )
    if stopped:
        return Verdict(HARM, first["arm"], f"Do not activate {first['arm']}: {what}.")
    return Verdict(HARM, first["arm"], f"Stop: {what}; run: {STOP}.")


def nothing_seen(name: str) -> Verdict:
    """Of an experiment without a view."""
    return Verdict(WAIT, None, f"No view of experiment {name} is in the log yet.")


def compared(
    found: Sequence[Found], control: str, *, activate: Mapping[str, str], stopped: bool, where: str
) -> Verdict:
    """Of arms beside the control; ``activate`` is what to do to activate each, ``where`` says which
    pages count.
    """
    winners = [each for each in found if each.better and each.relative is not None]
    if winners:
        best = max(winners, key=lambda each: each.relative or 0)
        others = [each.arm for each in winners if each is not best]
        also = f" ({', '.join(others)} wins too)" if others else ""
        what = (
            f"{best.arm} wins {_span(best)} more clicks per page view than {control}{where}{also}"
        )
        return Verdict(ACTIVATE, best.arm, f"{what}; {activate[best.arm]}.")
    unknown = [each for each in found if each.low is None]
    if unknown:
        return Verdict(
            WAIT, None,
            f"Too little is known yet: {unknown[0].arm} or {control} has fewer than {MIN_CLICKS} "
            f"clicks{where}.",
        )  # fmt: skip
    if all(each.worse for each in found):
        best = max(found, key=lambda each: each.relative or 0)
        what = (
            f"{best.arm} wins {_span(best, fewer=True)} fewer clicks per page view than {control}"
        )
        many = "every arm loses; the best of them, " if len(found) > 1 else ""
        done = "keep what is live" if stopped else f"run: {STOP}"
        return Verdict(KEEP, control, _sentence(f"{many}{what}{where}; {done}."))
    if all(
        each.low is not None and each.high is not None and each.low > -SOUGHT and each.high < SOUGHT
        for each in found
    ):
        spans = ", ".join(f"{each.arm} {_ends(each)}" for each in found)
        done = "keep what is live" if stopped else f"keep what is simpler; run: {STOP}"
        return Verdict(
            EQUAL, None,
            f"No arm differs from {control} by {number(SOUGHT, '.0%')} or more in clicks per page "
            f"view{where} ({spans}): {done}.",
        )  # fmt: skip
    spans = ", ".join(f"{each.arm} {_ends(each)}" for each in found)
    what = f"No difference to {control} can be seen {'' if stopped else 'yet '}({spans}){where}"
    if stopped:
        return Verdict(WAIT, None, f"{what}.")
    return Verdict(WAIT, None, f"{what}: {_wait([each.days for each in found])}.")


def preferred(
    share: float,
    low: float,
    high: float,
    clicks: int,
    *,
    arms: tuple[str, str],
    activate: Mapping[str, str],
    days: float | None,
    stopped: bool,
    where: str,
) -> Verdict:
    """Of an interleaved experiment: the ``share`` of the second arm among credited clicks."""
    if math.isnan(share):
        return Verdict(
            WAIT, None,
            f"Too little is known yet: {arms[0]} or {arms[1]} is credited with fewer than "
            f"{MIN_CLICKS} clicks{where}.",
        )  # fmt: skip
    if low > 0.5 or high < 0.5:
        best, other = (arms[1], arms[0]) if low > 0.5 else (arms[0], arms[1])
        if low <= 0.5:
            share, low, high = 1 - share, 1 - high, 1 - low
        what = (
            f"Readers prefer {best} to {other}: it picked {number(share, '.1%')} "
            f"({number(100 * low, '.1f')} to {number(high, '.1%')}) of the {clicks:,} links "
            "followed"
        )
        done = activate[best]
        return Verdict(ACTIVATE, best, f"{what}{where}; {done}.")
    what = (
        f"No preference can be seen {'' if stopped else 'yet '}({arms[1]} picked "
        f"{number(share, '.1%')} of the {clicks:,} links followed, {number(100 * low, '.1f')} to "
        f"{number(high, '.1%')}){where}"
    )
    return Verdict(WAIT, None, f"{what}." if stopped else f"{what}: {_wait([days])}.")


def activating(arm: str, bundle: str, *, stopped: bool, live: str | None) -> str:
    """What to do to make the bundle of an arm live, where ``live`` is the one that is now."""
    if not stopped:
        return f"run: {STOP} --activate {arm}"
    return "it is live" if bundle == live else f"run: recommender models activate {bundle}"


def _wait(days: Sequence[float | None]) -> str:
    known = [each for each in days if each is not None]
    one = f"one of {number(SOUGHT, '.0%')}"
    if len(known) < len(days):
        return "let it run"
    most = max(known)
    if most > MOST_DAYS:
        return (
            f"{one} would take more than {MOST_DAYS // 365} years to show at this traffic; {STOP}"
        )
    if most < 1:
        return f"{one} would probably have shown by now"
    n = math.ceil(most)
    return f"{one} would show after about {n:,} more day{'s' if n > 1 else ''}"


def _span(found: Found, *, fewer: bool = False) -> str:
    values = [found.relative, found.low, found.high]
    if fewer:
        values = [
            None if each is None else -each for each in (found.relative, found.high, found.low)
        ]
    mean, low, high = (number(float("nan") if each is None else each, ".1%") for each in values)
    return f"{mean} ({low.removesuffix(' %')} to {high})"


def _ends(found: Found) -> str:
    low, high = (
        number(float("nan") if each is None else each, "+.1%") for each in (found.low, found.high)
    )
    return f"{low.removesuffix(' %')} to {high}"


def _sentence(text: str) -> str:
    """An arm's name stays as it is at the beginning; other words begin with a capital."""
    return text[0].upper() + text[1:] if text.startswith("every") else text
