"""Write ``docs/widget.png``: a list, cards and a row as readers see them.

    .venv/bin/python .ci/widget_picture.py

Of the style that widget and static pages share, on a page of our own; it needs playwright and a
Chromium, as the tests of the widget do. On another machine letters may differ by a hair.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser import chromium  # noqa: E402

from recommender.lists.appearance import heading, style  # noqa: E402

ARTICLES = (
    ("When to plant garlic", "Garlic wants weeks of cold before it splits into cloves.", "#2f6f73"),
    ("Storing garlic over winter", "Hang the bulbs somewhere cool and dry.", "#8a4b2f"),
    ("A compost heap that heats", "Layer green and brown, and keep it damp.", None),
    ("Making leaf mould", "Leaves rot slowly; wire them in and forget them.", "#5b7a2f"),
)
PAGE = """
body { margin: 0; padding: 8px 28px; width: 904px; font: 15px/1.5 Arial, sans-serif; color: #1d2733;
  background: #fff; }
.two { display: grid; grid-template-columns: 17rem 1fr; gap: 2.5rem; }
"""


def picture(colour: str | None) -> str:
    """A hill under a sun, or nothing, which is a tile."""
    if colour is None:
        return '<span class="recommender-image"></span>'
    drawn = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 300 200'><rect width='300'"
        f" height='200' fill='{colour}'/><circle cx='205' cy='80' r='38' fill='white'"
        " fill-opacity='.55'/><path d='M0 160Q80 100 150 150T300 130V200H0Z' fill-opacity='.3'/>"
        "</svg>"
    )
    source = drawn.replace("#", "%23")
    return f'<span class="recommender-image"><img src="data:image/svg+xml,{source}" alt=""></span>'


def listing(look: str, *, n: int = 4) -> str:
    """A list of articles, in the markup that ``list.css`` and ``cards.css`` are for."""
    entries = ""
    for title, teaser, colour in ARTICLES[:n]:
        entries += (
            '<li><div class="recommender-item recommender-pictured">'
            f'<a href="#">{picture(colour)}'
            f'<span class="recommender-title">{title}</span></a>'
            f'<span class="recommender-teaser">{teaser}</span></div></li>'
        )
    return (
        f'<nav class="recommender recommender-{look}"><h2><span class="recommender-heading">'
        f'{heading("en")}</span></h2><ol class="recommender-list">{entries}</ol></nav>'
    )


def main() -> None:
    above = f"{listing('list', n=3)}<div>{listing('cards', n=3)}</div>"
    body = f'<div class="two">{above}</div>{listing("row")}'
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 960, "height": 400})
        page.set_content(f"<!doctype html><style>{PAGE}{style()}</style>{body}")
        page.screenshot(path=ROOT / "docs" / "widget.png", full_page=True)


if __name__ == "__main__":
    main()
