"""Pictures of a report as SVG that is part of its page: no script, no font, nothing to fetch.

Positions along a line are percentages, so that a picture is as wide as its column and its words
stay as large as those around it. Colours are the page's (``page.STYLE``): safe for the colour
blind, and never alone in telling two things apart.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

# Height of a bar, in pixels.
BAR = 14
SIZE, EDGE = 360, 44


def bar(mean: float, low: float, high: float, *, top: float, kind: str, said: str) -> str:
    """A bar from 0 to the mean, the interval upon it; ``top`` is as far as the line reaches."""
    a, b, c = (_percent(value / top) for value in (low, high, mean))
    return _picture(
        said,
        f"<rect class='{kind}' x='0' y='50%' width='{c}' height='{BAR}' rx='2' "
        f"transform='translate(0 -{BAR / 2:g})'/>{_span(a, b)}",
    )


def forest(mean: float, low: float, high: float, *, reach: float, kind: str, said: str) -> str:
    """A mark at the mean with its interval, on a line from ``-reach`` to ``reach``.

    What is better is a disc, what is worse a square, what is neither a ring.
    """
    a, b, c = (_percent((value / reach + 1) / 2) for value in (low, high, mean))
    mark = (
        f"<rect class='worse' x='{c}' y='50%' width='10' height='10' transform='translate(-5 -5)'/>"
        if kind == "worse"
        else f"<circle class='{kind}' cx='{c}' cy='50%' r='5'/>"
    )
    zero = "<line class='zero' x1='50%' x2='50%' y1='0' y2='100%'/>"
    return _picture(said, f"{zero}{_span(a, b)}{mark}")


def dot(
    mean: float, low: float, high: float, *, mark: float, top: float, kind: str, said: str
) -> str:
    """A mean with its interval on a line from 0 to ``top``, beside what is at ``mark``."""
    a, b, c, at = (_percent(value / top) for value in (low, high, mean, mark))
    zero = f"<line class='zero' x1='{at}' x2='{at}' y1='0' y2='100%'/>"
    return _picture(said, f"{zero}{_span(a, b)}<circle class='{kind}' cx='{c}' cy='50%' r='5'/>")


def reliability(
    stated: Sequence[float],
    followed: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    said: str,
) -> str:
    """Dots with intervals beside the diagonal, on which chances come true to the letter; roots
    of both, since most links are followed seldom.
    """
    top = 1.05 * max([*stated, *high, 1e-3])
    inner = SIZE - EDGE - 8

    def x(value: float) -> str:
        return f"{EDGE + inner * (min(value, top) / top) ** 0.5:.1f}"

    def y(value: float) -> str:
        return f"{8 + inner * (1 - (min(value, top) / top) ** 0.5):.1f}"

    parts = [
        f"<line class='zero' x1='{x(0)}' y1='{y(0)}' x2='{x(top)}' y2='{y(top)}'/>",
        f"<line class='axis' x1='{x(0)}' y1='{y(0)}' x2='{x(top)}' y2='{y(0)}'/>",
        f"<line class='axis' x1='{x(0)}' y1='{y(0)}' x2='{x(0)}' y2='{y(top)}'/>",
    ]
    for tick in _ticks(top):
        text = f"{100 * tick:g} %"
        parts.append(f"<text x='{x(tick)}' y='{SIZE - 26}' text-anchor='middle'>{text}</text>")
        if tick > 0:
            parts.append(
                f"<text x='{EDGE - 6}' y='{y(tick)}' dy='.35em' text-anchor='end'>{text}</text>"
            )
    middle = EDGE + inner / 2
    parts += [
        f"<text x='{middle}' y='{SIZE - 6}' text-anchor='middle'>"
        "chance stated, if looked at</text>",
        f"<text x='{EDGE + 8}' y='20'>share followed, of looks</text>",
        f"<text class='quiet' text-anchor='end' x='{x(top)}' y='{y(0.02 * top)}'>"
        "below the line: promised too much</text>",
    ]
    for at, made, least, most in zip(stated, followed, low, high, strict=True):
        parts += [
            f"<line class='span' x1='{x(at)}' x2='{x(at)}' y1='{y(least)}' y2='{y(most)}'/>",
            f"<circle class='model' cx='{x(at)}' cy='{y(made)}' r='5'/>",
        ]
    return (
        f"<svg class='square' viewBox='0 0 {SIZE} {SIZE}' role='img' "
        f"aria-label='{html.escape(said)}'>{''.join(parts)}</svg>"
    )


def _ticks(top: float) -> list[float]:
    """Round numbers from 0 to ``top`` that are even by their roots, or nearly.

    >>> _ticks(0.085)
    [0.0, 0.002, 0.01, 0.02, 0.05]
    """
    found = [0.0]
    for power in range(-5, 1):
        for tick in (1 * 10.0**power, 2 * 10.0**power, 5 * 10.0**power):
            if tick <= top and tick**0.5 - found[-1] ** 0.5 > 0.12 * top**0.5:
                found.append(round(tick, 6))
    return found


def _picture(said: str, parts: str) -> str:
    return f"<svg class='line' role='img' aria-label='{html.escape(said)}'>{parts}</svg>"


def _span(low: str, high: str) -> str:
    return f"<line class='span' x1='{low}' x2='{high}' y1='50%' y2='50%'/>"


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0), 1):.2f}%"
