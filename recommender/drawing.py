"""Pictures of a report as SVG that is part of its page: no script, no font, nothing to fetch.

Positions along a line are percentages, so that a picture is as wide as its column and its words
stay as large as those around it. Colours are the page's (``page.STYLE``): safe for the colour
blind, and never alone in telling two things apart.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

# Height of a line's picture, and of its bar, in pixels.
LINE, BAR = 22, 14
SIZE, EDGE = 360, 44


def bar(mean: float, low: float, high: float, *, top: float, kind: str, said: str) -> str:
    """A bar from 0 to the mean, the interval upon it; ``top`` is as far as the line reaches."""
    middle = LINE / 2
    a, b, c = (_percent(value / top) for value in (low, high, mean))
    return _picture(
        said,
        f"<rect class='{kind}' x='0' y='{middle - BAR / 2:g}' width='{c}' height='{BAR}' rx='2'/>"
        f"{_span(a, b)}",
    )


def forest(mean: float, low: float, high: float, *, reach: float, kind: str, said: str) -> str:
    """A mark at the mean with its interval, on a line from ``-reach`` to ``reach``.

    What is better is a disc, what is worse a square, what is neither a ring.
    """
    middle = LINE / 2
    a, b, c = (_percent((value / reach + 1) / 2) for value in (low, high, mean))
    mark = (
        f"<rect class='worse' x='{c}' y='{middle - 5:g}' width='10' height='10' "
        "transform='translate(-5 0)'/>"
        if kind == "worse"
        else f"<circle class='{kind}' cx='{c}' cy='{middle:g}' r='5'/>"
    )
    zero = f"<line class='zero' x1='50%' x2='50%' y1='0' y2='{LINE}'/>"
    return _picture(said, f"{zero}{_span(a, b)}{mark}")


def reliability(
    stated: Sequence[float],
    followed: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    said: str,
) -> str:
    """Dots with intervals beside the diagonal, on which chances come true to the letter."""
    top = 1.05 * max([*stated, *high, 1e-3])
    inner = SIZE - EDGE - 8

    def x(value: float) -> str:
        return f"{EDGE + inner * value / top:.1f}"

    def y(value: float) -> str:
        return f"{8 + inner * (1 - min(value, top) / top):.1f}"

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
        f"<text class='quiet' text-anchor='end' x='{x(0.97 * top)}' y='{y(0.8 * top)}'>"
        "below: promised too much</text>",
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
    """Three to six round numbers from 0 to ``top``."""
    step = next(
        size * 10.0**power
        for power in range(-4, 2)
        for size in (1, 2, 5)
        if top / (size * 10.0**power) < 6
    )
    return [round(step * number, 6) for number in range(int(top / step) + 1)]


def _picture(said: str, parts: str) -> str:
    return (
        f"<svg class='line' width='100%' height='{LINE}' role='img' "
        f"aria-label='{html.escape(said)}'>{parts}</svg>"
    )


def _span(low: str, high: str) -> str:
    middle = LINE / 2
    return f"<line class='span' x1='{low}' x2='{high}' y1='{middle:g}' y2='{middle:g}'/>"


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0), 1):.2f}%"
