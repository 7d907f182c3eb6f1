"""Figures as people write them: a minus is a minus, a p-value no longer than it is sure.

>>> span(-0.0123, -0.02, 0.004, sign=True)
'−0.012 (−0.020 to +0.004)'
>>> number(0.123, ".1%"), number(float("nan")), p_value(0.0124)
('12.3 %', '–', '0.012')
"""

from __future__ import annotations

MINUS = "\N{MINUS SIGN}"
# What corrected p-values have to lie below: the customary level.
LEVEL = 0.05


def number(value: float, form: str = ".3f") -> str:
    """A figure by a format, a dash for NaN."""
    if value != value:
        return "–"
    return f"{value:{form}}".replace("-", MINUS).replace("%", " %")


def count(n: int, name: str) -> str:
    """A number of things by their name.

    >>> count(1, "page"), count(2_000, "page")
    ('1 page', '2,000 pages')
    """
    return f"1 {name}" if n == 1 else f"{n:,} {name}s"


def span(mean: float, low: float, high: float, *, sign: bool = False) -> str:
    """A mean with its interval, a dash for NaN."""
    if mean != mean:
        return "–"
    form = "+.3f" if sign else ".3f"
    return f"{number(mean, form)} ({number(low, form)} to {number(high, form)})"


def p_value(p: float, name: str = "") -> str:
    """A p-value; behind its ``name`` as an equation."""
    if p < 0.001:
        return f"{name}< 0.001"
    return (f"{name}= " if name else "") + number(p, ".3f" if p < 0.1 else ".2f")


def capitalized(sentence: str) -> str:
    """With a large first letter, the others as they are."""
    return sentence[:1].upper() + sentence[1:]


def judgement(low: float, high: float, p: float) -> str:
    """``better``, ``worse`` or ``unclear``, by the corrected p-value."""
    if not p < LEVEL:
        return "unclear"
    return "better" if low + high > 0 else "worse"
