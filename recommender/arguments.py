"""What callers hand over in Python, checked at the door.

What is wrong is one sentence: which argument, what was given, what is expected; a ``TypeError`` if
it is of a wrong kind, an ``ArgumentError``, which is a ``ValueError``, if its value is. Whole
numbers may be numpy's, paths ``pathlib``'s, several texts a list, an array or a Series; true and
false are no numbers, and one text is not several.

>>> whole("k", 10), texts("candidates", ("gout", "hip"))
(10, ['gout', 'hip'])
>>> whole("k", 0)
Traceback (most recent call last):
    ...
recommender.errors.ArgumentError: k: 0 is given; give a whole number of 1 or more
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping, Set
from datetime import UTC, datetime
from difflib import get_close_matches
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recommender.errors import ArgumentError
from recommender.escaping import terminal

# Letters of a text that are quoted: more is no longer one sentence.
QUOTED = 60
# Names that a sentence gives in full; of more, those most like the one given.
FEW_NAMES = 12
# What numpy's random numbers and scikit-learn take for a seed.
MOST_SEED = 2**32 - 1


def whole(name: str, value: Any, *, least: int | None = 1, most: int | None = None) -> int:
    """A whole number from ``least``, if any, to ``most``, if any, both included. ``TypeError`` if
    it is none, ``ArgumentError`` if it is out of range.
    """
    span = "" if least is None else f" of {least:,} or more"
    if least is not None and most is not None:
        span = f" from {least:,} to {most:,}"
    try:
        # True is an int to Python, and to nobody else.
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{name}: {given(value)} is given; give a whole number{span}")
    if (least is not None and number < least) or (most is not None and number > most):
        raise ArgumentError(f"{name}: {number} is given; give a whole number{span}")
    return number


def seed(value: Any) -> int:
    """What settles every draw."""
    return whole("seed", value, least=0, most=MOST_SEED)


def text(name: str, value: Any, *, what: str = "a text") -> str:
    """One text; ``TypeError`` if it is none."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: {given(value)} is given; give {what}")
    return value


def article_id(name: str, value: Any) -> str:
    """The id of an article, known or not."""
    return text(name, value, what="an article's id, which is a text")


def texts(name: str, value: Any, *, what: str = "a list of ids", ordered: bool = True) -> list[str]:
    """Several texts, in their order; ``TypeError`` if they are none, or have no order where they
    are to be ``ordered``.
    """
    alone = isinstance(value, str | bytes | Mapping) or hasattr(value, "columns")
    if alone or not isinstance(value, Iterable):
        raise TypeError(f"{name}: {given(value)} is given; give {what}")
    if ordered and isinstance(value, Set):
        raise TypeError(f"{name}: a set is given, which has no order; give {what}")
    found = list(value)
    for place, each in enumerate(found):
        if not isinstance(each, str):
            raise TypeError(f"{name}: {given(each)} stands at place {place}; give {what}")
    return found


def path(name: str, value: Any) -> Path:
    """A path, there or not; ``TypeError`` if it is none."""
    if not isinstance(value, str | PathLike):
        raise TypeError(f"{name}: {given(value)} is given; give a path")
    return Path(value)


def moment(name: str, value: Any) -> datetime:
    """A moment, in UTC if it does not say; ``TypeError`` if it is none, ``ArgumentError`` for what
    pandas has for a missing one.
    """
    # It is a datetime to Python.
    if isinstance(value, datetime) and value != value:
        raise ArgumentError(f"{name}: NaT is given; give a datetime")
    if not isinstance(value, datetime):
        raise TypeError(f"{name}: {given(value)} is given; give a datetime")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def zone(name: str, value: Any) -> ZoneInfo:
    """A time zone by its name, such as ``Europe/Berlin``; ``TypeError`` if it is no text,
    ``ArgumentError`` if there is none of the name.
    """
    written = text(name, value, what="the name of a time zone, such as Europe/Berlin")
    try:
        return ZoneInfo(written)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ArgumentError(
            f"{name}: {given(value)} is no time zone, such as Europe/Berlin"
        ) from None


def one_of(name: str, value: Any, words: Collection[str]) -> str:
    """One of some words; ``TypeError`` if it is no text, ``ArgumentError`` if it is another; both
    name them.
    """
    if not isinstance(value, str) or value not in words:
        kind = ArgumentError if isinstance(value, str) else TypeError
        raise kind(f"{name}: {given(value)} is not {' or '.join(words)}")
    return value


def share(name: str, value: Any, *, ends: bool = True) -> float:
    """A number from 0 to 1, itself neither without its ``ends``. ``TypeError`` if it is no number,
    ``ArgumentError`` if it is out of range.
    """
    span = "a share from 0 to 1" if ends else "a number between 0 and 1"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: {given(value)} is given; give {span}")
    number = float(value)
    if not (0 <= number <= 1 if ends else 0 < number < 1):
        raise ArgumentError(f"{name}: {given(value)} is given; give {span}")
    return number


def known(name: str, value: str, names: Collection[str], *, what: str) -> str:
    """A name that is among ``names``; ``ArgumentError`` says ``what`` there is none of, with those
    most like it, or all if they are few.
    """
    if value in names:
        return value
    there = sorted(names) if len(names) <= FEW_NAMES else get_close_matches(value, names)
    hint = f"; there are {', '.join(map(repr, there))}" if there else ""
    if len(names) > FEW_NAMES and there:
        hint = f"; near it: {', '.join(there)}"
    raise ArgumentError(f"{name}: {given(value)}: there is no such {what}{hint}")


def frame(name: str, value: Any, columns: Collection[str] = ()) -> Any:
    """A data frame with at least some ``columns``; ``TypeError`` if it is none, ``ArgumentError``
    names the columns that are missing.
    """
    if not (hasattr(value, "columns") and hasattr(value, "to_dict")):
        raise TypeError(f"{name}: {given(value)} is given; give a DataFrame")
    if missing := [column for column in columns if column not in value.columns]:
        raise ArgumentError(
            f"{name}: a frame with columns {', '.join(columns)} is expected, and "
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        )
    return value


def given(value: Any) -> str:
    """How a sentence names what was given: plain values as they are written, others by their
    type.

    >>> given("10"), given([1, 2]), given(None), given(object())
    ("'10'", 'a list', 'None', 'an object')
    """
    if value is None or isinstance(value, str | bytes | int | float | PathLike):
        written = terminal(repr(value))
        return written if len(written) <= QUOTED else f"{written[: QUOTED - 1]}…"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
