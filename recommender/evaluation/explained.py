"""Explanations as a page: why each link is there, in a sentence and in a picture."""

from __future__ import annotations

from collections.abc import Sequence

from recommender.bundle.explanation import Contribution, Explanation, readers_line, terms_line
from recommender.evaluation.report import text
from recommender.evaluation.report.picture import TEMPLATES, Picture, Row, intervals

START = "start"
# Of two digits behind the point.
LEAST = 0.005


def page_of(title: str, model: str, explanations: Sequence[Explanation]) -> str:
    """One self-contained page: the links beside the article of this ``title``, as bundle ``model``
    has them, each with its sentence, the parts of its score, shared terms and readers.
    """
    drawn = [parts_of(each) for each in explanations]
    most = max((abs(part.value) for parts in drawn for part in parts), default=1.0)
    entries = [
        (each, ladder(each, most=most) if parts else None)
        for each, parts in zip(explanations, drawn, strict=True)
    ]
    meanings = {part.name: part.meaning for parts in drawn for part in parts}
    return TEMPLATES.get_template("explained.html.j2").render(
        title=title, model=model, entries=entries, meanings=meanings, start_of=start_of,
        readers_line=readers_line, terms_line=terms_line,
    )  # fmt: skip


def parts_of(explanation: Explanation) -> list[Contribution]:
    """The parts of a score that are drawn: where it starts is the same for all links, and what
    rounds to nothing is nothing.
    """
    return [
        part for part in explanation.contributions if part.name != START and abs(part.value) > LEAST
    ]


def start_of(explanation: Explanation) -> float:
    """Where the score starts, with what is too small to be drawn."""
    drawn = sum(part.value for part in parts_of(explanation))
    return (explanation.score or 0.0) - drawn


def ladder(explanation: Explanation, *, most: float | None = None) -> Picture:
    """The parts of a link's score, each from nothing to what it adds or takes away; ``most`` is
    the largest that fits, by default the largest of its own.
    """
    parts = parts_of(explanation)
    reach = 1.05 * (most or max((abs(part.value) for part in parts), default=1.0))
    rows = [
        Row(
            part.name, part.value, min(0.0, part.value), max(0.0, part.value),
            text.number(part.value, "+.2f"), "square" if part.value < 0 else "disc",
        )
        for part in parts
    ]  # fmt: skip
    return intervals(rows, least=-reach, most=reach, beside=0.0, sides=("takes away", "adds"))
