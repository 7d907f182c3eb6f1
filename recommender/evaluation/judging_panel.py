"""A panel in a notebook to judge with: the page, one link at a time, a button for each grade.

The same judging as at the terminal, and the same grades; show the panel again, or in another
notebook, and it goes on where the judge stopped.
"""

from __future__ import annotations

import html
from typing import Any

from recommender.errors import MissingExtra
from recommender.evaluation.judgements import GRADES
from recommender.evaluation.judging import Judging, Shown
from recommender.evaluation.report.text import count

# Buttons lie in rows that break on narrow screens.
WRAPPED = {"flex_flow": "row wrap"}


class Panel:
    """A judge's panel: ``judging`` is where he is, ``box`` what is shown. ``MissingExtra``
    without ipywidgets.
    """

    def __init__(self, judging: Judging, *, remarks: tuple[str, ...] = ()) -> None:
        try:
            import ipywidgets as widgets
        except ImportError as exc:
            raise MissingExtra("judging in a notebook", "notebooks") from exc
        self.judging = judging
        self.remarks = remarks
        self.progress, self.page, self.link = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.note = widgets.Text(placeholder="a note, if you like", description="note")
        self.grades = [
            widgets.Button(description=f"{grade} {meaning}", layout={"width": "auto"})
            for grade, meaning in enumerate(GRADES)
        ]
        for grade, button in enumerate(self.grades):
            button.on_click(lambda _, grade=grade: self.grade(grade))
        self.back, self.skip, self.skip_page = (
            widgets.Button(description=words, layout={"width": "auto"})
            for words in ("back", "skip this link", "skip the page")
        )
        self.back.on_click(lambda _: self._then(judging.back))
        self.skip.on_click(lambda _: self._then(judging.skip))
        self.skip_page.on_click(lambda _: self._then(judging.skip_page))
        self.ways = widgets.HBox([self.back, self.skip, self.skip_page], layout=WRAPPED)
        self.box = widgets.VBox(
            [
                self.progress, self.page, self.link,
                widgets.HBox(self.grades, layout=WRAPPED), self.note, self.ways,
            ]
        )  # fmt: skip
        self._draw()

    def grade(self, grade: int) -> None:
        """Keep a grade for the link that is shown, with the note beside it, and go on."""
        note, self.note.value = self.note.value, ""
        self.judging.grade(grade, note=note)
        self._draw()

    def _then(self, step: Any) -> None:
        step()
        self._draw()

    def _draw(self) -> None:
        step = self.judging.step
        for button in (*self.grades, self.skip, self.skip_page):
            button.disabled = step is None
        given = f"{count(self.judging.n_given, 'grade')} given by {self.judging.by}; all are kept"
        if step is None:
            skipped = self.judging.n_skipped
            rest = f" Skipped: {count(skipped, 'link')}." if skipped else ""
            if n_again := self.judging.n_again:
                rest += (
                    f" Asked again: {count(n_again, 'link')}; {self.judging.n_alike:,} got "
                    "the same grade."
                )
            self.progress.value = html.escape(f"Nothing is left to judge: {given}.{rest}")
            self.page.value = self.link.value = ""
            return
        where = (
            f"page {step.page_number} of {step.n_pages}, link {step.link_number} of "
            f"{len(step.page.links)}; {given}"
        )
        lines = [*self.remarks, where]
        self.progress.value = "<br>".join(f"<small>{html.escape(line)}</small>" for line in lines)
        self.page.value = f"<h3>{html.escape(step.page.page.title)}</h3>{_text(step.page.page)}"
        before = "" if step.grade is None else f"<p><small>you gave {step.grade}</small></p>"
        teaser = html.escape(step.link.teaser)
        self.link.value = (
            f"<hr><h4>{html.escape(step.link.title)}</h4><p>{teaser}</p>{before}"
            f"<details><summary>more of its text</summary>{_text(step.link)}</details>"
        )

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.box._repr_mimebundle_(**options)


def _text(shown: Shown) -> str:
    lines = (shown.beginning or shown.teaser).splitlines()
    return "".join(f"<p style='max-width:44rem'>{html.escape(line)}</p>" for line in lines)
