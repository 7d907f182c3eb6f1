"""One self-contained page out of headings, paragraphs, tables and pictures.

Everything that comes in as text is escaped here; what comes in as ``Html`` was made here or by
``drawing``. The page fetches nothing, runs no script, follows the reader's light or dark screen,
prints, and is read on a phone: wide tables scroll in a box of their own.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import NewType

Html = NewType("Html", str)

# Okabe & Ito 2008 ("Color universal design"), lighter ones on a dark screen.
STYLE = """
:root{color-scheme:light dark;--ink:#1b1b1b;--quiet:#5c5c5c;--paper:#fff;--line:#d9d9d9;
--soft:#f4f4f2;--model:#0072b2;--other:#9a9a9a;--worse:#d55e00}
@media(prefers-color-scheme:dark){:root{--ink:#ececec;--quiet:#ababab;--paper:#161616;
--line:#3a3a3a;--soft:#212121;--model:#56b4e9;--other:#7d7d7d;--worse:#e69f00}}
@media print{:root{--ink:#000;--quiet:#444;--paper:#fff;--line:#bbb;--soft:#fff;--model:#0072b2;
--other:#9a9a9a;--worse:#d55e00;color-scheme:light}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:64rem;margin:0 auto;padding:1.5rem 1rem 4rem;overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .8rem;text-wrap:balance}
h2{font-size:1.2rem;margin:2.8rem 0 .4rem;border-top:1px solid var(--line);padding-top:1rem}
h3{font-size:1rem;margin:1.6rem 0 .3rem}
p,ul{max-width:46rem}
.quiet,figcaption,small{color:var(--quiet)}
figure{margin:1rem 0}
figcaption{max-width:50rem;font-size:.875rem;text-align:left;padding:.3rem 0 .6rem}
.plot{list-style:none;padding:0;margin:.6rem 0;max-width:none}
.plot li{display:grid;grid-template-columns:15rem minmax(0,1fr) max-content;column-gap:1rem;
align-items:center;break-inside:avoid;overflow-wrap:anywhere}
.plot .track{position:relative;align-self:stretch;min-height:24px}
.plot .track svg{position:absolute;inset:0;width:100%;height:100%}
.plot li>span{padding:.15rem 0}
.plot .number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;
min-width:13rem}
.plot .head{color:var(--quiet);font-size:.875rem}
.plot .head .sides{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
.plot .head .sides span:first-child{text-align:right}
.plot .group{display:block;font-weight:600;padding-top:.8rem}
.plot .own{font-weight:600}
svg{display:block;overflow:visible}
svg.square{width:100%;max-width:26rem;height:auto}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
svg text.quiet{fill:var(--quiet)}
svg .model,svg .better{fill:var(--model)}
svg .other{fill:var(--other)}
svg .worse{fill:var(--worse)}
svg .unclear{fill:var(--paper);stroke:var(--quiet);stroke-width:2}
svg .span{stroke:var(--ink);stroke-width:2}
svg .zero{stroke:var(--quiet);stroke-dasharray:3 3}
svg .axis{stroke:var(--quiet)}
.box{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid var(--line);vertical-align:top;
white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
thead th{vertical-align:bottom}
tbody th{font-weight:400}
tr.own th,tr.own td{font-weight:600}
td small,th small,.plot small{display:block;font-size:.8rem;font-weight:400}
.wide{font-size:.9rem}
.wide th,.wide td{padding:.35rem .4rem}
.wide td small{font-size:.72rem}
.wide th:first-child{padding-left:0}
.words th{white-space:normal;min-width:5rem}
.words th:first-child{max-width:30rem;min-width:11rem}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:0 2rem;break-inside:avoid}
.pair ol{margin:.2rem 0;padding-left:2rem}
.pair h4{margin:.5rem 0 0;font-size:.875rem;color:var(--quiet);font-weight:600}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem}
dt{color:var(--quiet)}
dd{margin:0}
@media(max-width:40rem){
h1{font-size:1.3rem}
.plot li{grid-template-columns:minmax(0,1fr) max-content;padding-top:.4rem}
.plot .number{min-width:0;font-size:.9rem}
.plot .track,.plot .head .sides{grid-column:1/-1;grid-row:2}
.plot .head{font-size:.8rem}
.pair{grid-template-columns:1fr}
dl{grid-template-columns:1fr}dd{margin:0 0 .5rem}}
@media print{body{max-width:none;padding:0;font-size:10pt}h2{break-after:avoid}
.box{overflow:visible}th,td{padding:.2rem .35rem}table{font-size:8.5pt}
.wide{font-size:7.5pt}.wide th,.wide td{padding:.15rem .2rem}.wide td small{font-size:5.5pt}
svg *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


def page(title: str, body: Iterable[Html]) -> str:
    """The whole document."""
    style = STYLE.strip().replace("\n", "")
    return (
        "<!doctype html>\n<html lang='en'>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n"
        f"<main>\n{chr(10).join(body)}\n</main>\n</html>\n"
    )


def text(words: str, *, tag: str = "p", kind: str = "") -> Html:
    """Words in an element."""
    about = f" class='{kind}'" if kind else ""
    return Html(f"<{tag}{about}>{html.escape(words)}</{tag}>")


def joined(parts: Iterable[Html]) -> Html:
    """Parts one after the other."""
    return Html("\n".join(parts))


def items(lines: Iterable[str]) -> Html:
    """A list of sentences."""
    return Html(f"<ul>{_lines(lines)}</ul>")


def _lines(lines: Iterable[str]) -> str:
    return "".join(text(line, tag="li") for line in lines)


def _entries(cells: Iterable[Cell]) -> str:
    return "".join(f"<li>{_cell(cell)}</li>" for cell in cells)


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and what they are."""
    return Html(
        f"<dl>{''.join(text(name, tag='dt') + text(what, tag='dd') for name, what in pairs)}</dl>"
    )


def figure(content: str, caption: str) -> Html:
    """A picture, and what it shows."""
    return Html(f"<figure>{content}{text(caption, tag='figcaption')}</figure>")


def plot_line(name: str, number: str, picture: str, *, below: str = "", own: bool = False) -> Html:
    """A line of a picture: whose it is, the picture, and what it says in figures."""
    kind = " class='own'" if own else ""
    whose = f"<span>{_cell((name, below))}</span>"
    drawn = f"<span class='track'>{picture}</span>"
    return Html(f"<li{kind}>{whose}{drawn}{text(number, tag='span', kind='number')}</li>")


def plot(lines: Iterable[Html]) -> str:
    """Lines of a picture, one below the other."""
    return f"<ul class='plot'>{''.join(lines)}</ul>"


def plot_group(name: str) -> Html:
    """A heading among the lines of a picture."""
    return text(name, tag="li", kind="group")


def plot_sides(left: str, right: str) -> Html:
    """What lies to the left and to the right, above the lines."""
    sides = text(left, tag="span") + text(right, tag="span")
    return Html(
        f"<li class='head'><span></span><span class='sides'>{sides}</span><span></span></li>"
    )


Cell = str | tuple[str, str]


def table(
    head: Sequence[Cell],
    rows: Sequence[Sequence[Cell]],
    caption: str,
    *,
    own: int | None = None,
    words: bool = False,
) -> Html:
    """A table in a box that scrolls, below its caption. A cell is a text, or a text and a small
    one below it; the first of each row is its heading. ``own`` is the row that matters, ``words``
    says that texts may wrap.
    """
    top = "".join(f"<th scope='col'>{_cell(cell)}</th>" for cell in head)
    lines = []
    for number, row in enumerate(rows):
        kind = " class='own'" if number == own else ""
        cells = "".join(f"<td>{_cell(cell)}</td>" for cell in row[1:])
        lines.append(f"<tr{kind}><th scope='row'>{_cell(row[0])}</th>{cells}</tr>")
    kind = " class='words'" if words else " class='wide'"
    return Html(
        f"<figure>{text(caption, tag='figcaption')}<div class='box' tabindex='0'>"
        f"<table{kind}><thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        "</div></figure>"
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return html.escape(cell)
    below = " " + text(cell[1], tag="small") if cell[1] else ""
    return html.escape(cell[0]) + below


def side_by_side(lists: Iterable[tuple[str, Sequence[Cell]]]) -> Html:
    """Ordered lists under their names, beside one another where there is room."""
    parts = (
        f"<div>{text(name, tag='h4')}<ol>{_entries(lines)}</ol></div>" for name, lines in lists
    )
    return Html(f"<div class='pair'>{''.join(parts)}</div>")
