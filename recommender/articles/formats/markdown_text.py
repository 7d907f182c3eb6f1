"""Markdown as HTML, without what generators of sites put into it.

>>> render("# Knee\\n\\n{{< figure src='knee.jpg' >}}\\n\\nIt *clicks*[^1].\\n\\n:::tip\\nRest.")
('Knee', '<p>It <em>clicks</em>.</p>\\n<p>Rest.</p>\\n')
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from recommender.articles.formats.base import EXTRA, plain
from recommender.errors import MissingExtra

FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})(.*)$")
# ``!!! note "Title"`` of MkDocs, whose text is indented; also tabs and what folds.
INDENTED = re.compile(
    r"""([ ]*)(?:(?:!!!|\?\?\?\+?)[ ]++[^"\n]*+|===[+!]?[ ]++(?=["]))(?:"([^"]*+)")?[ ]*+$"""
)
# ``:::note Title`` of Docusaurus, ``::: {.note}`` of Pandoc, ``::note`` of Nuxt, and their end.
FENCED = re.compile(
    r"[ ]*+(?:::(?=$|[a-z][\w-]*+ *+(?:\{|$))|:{3,}+)[ ]*+(?:\{[^{}]*+\}|[\w-]*+)"
    r"[ ]*+([^{}]*+)(?:\{[^{}]*+\})?$"
)
DIRECTIVES = re.compile(r"\{(?:admonition|attention|caution|danger|dropdown|error|hint|important|"
                        r"note|seealso|tip|topic|warning|abstract|details)\}(.*)$")  # fmt: skip

# What stands between two templates: code, a comment, or what is repeated for each of something.
BETWEEN = re.compile(
    r"\{%-?\s*(end)?(comment|for|highlight|capture)\b[^%{}]*+%\}"
    r"|\{\{[<%]-?\s*(/?)\s*(highlight|comment)\b[^{}]*+\}\}"
)
# One after the other; each takes time in proportion to the text, whatever that is.
BRACES = r"\{[^{}]*+(?:\{[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+\}[^{}]*+)*+\}"
# Of an attribute, in which the components of others are gone.
VALUE = BRACES.replace("{}]", "{}<]")
COMPONENT = re.compile(
    rf"</?[A-Z][\w.]*+(?:[^<>{{}}\"'/]++|\"[^\"<]*+\"|'[^'<]*+'|{VALUE}|/(?!>))*+/?>"
)
TEXTS = (
    (re.compile(r"\{\{[^{}]*+\}\}"), ""),  # values, and shortcodes of Hugo
    (re.compile(r"\{%[^{}]*+\}"), ""),  # Liquid, Nunjucks, Hexo
    (re.compile(r"\{#[^{}]*+(?<=#)\}|\{![^{}]*+(?<=!)\}"), ""),  # Nunjucks, MkDocs
    (COMPONENT, ""),
    (COMPONENT, ""),  # the ones around those that were attributes
    (re.compile(r"<>|</>"), ""),
    (re.compile(r"!\[\[[^\[\]\n]*+\]\]"), ""),  # Obsidian
    (re.compile(r"\[\[_?toc_?\]\]|^ *+\[TOC\] *$|^[*-] toc *\n\{:toc\}", re.M | re.I), ""),
    (re.compile(r"\[\[(?:[^\[\]|\n]*+\|)?([^\[\]|\n]++)\]\]"), r"\1"),
    (re.compile(r"^\[\^[^\[\]\s]++\]:[ \t]*", re.M), ""),  # footnotes
    (re.compile(r"\[\^[^\[\]\s]++\]"), ""),
    (re.compile(r"^([ \t]*>[ \t]*)\[![\w-]++\][+-]?", re.M), r"\1"),  # GitHub, Obsidian
    (re.compile(r"^[ \t]*\{:[^{}\n]*+\}[ \t]*$", re.M), ""),  # attributes of kramdown
    (re.compile(r"(?<=\S)[ \t]?\{[:.#][^{}\n]*+\}|(?<=\))\{[^{}\n]*+\}"), ""),
    (re.compile(r"^([ \t]*[-*+][ \t]+)\[[ xX]\][ \t]+", re.M), r"\1"),  # tasks
    (re.compile(r"^:[ \t]{1,3}(?=\S)", re.M), ""),  # definitions
    (re.compile(r"(?<![=\w])==(?=\S)([^=\n]++)==(?![=\w])"), r"\1"),  # marks
    (re.compile(r"%%[^%\n]*+%%"), ""),
    (re.compile(r"[ \t]\^[A-Za-z0-9-]+[ \t]*$", re.M), ""),  # names of blocks
    (re.compile(r"^[ \t]*(?:--8<--.*|<<< @/.*|;--8<--.*)$", re.M), ""),
    (re.compile(r"\{[\w:+-]++\}(?=`|$)"), ""),  # roles of MyST
    (re.compile(r"""^import [^"'\n]*+["'][^"'\n]++["'];?[ ]*+$""", re.M), ""),
    (re.compile(r"^export (?:const|default|function|let)\b.*(?:\n(?!\n).*)*", re.M), ""),
)  # fmt: skip
OF_MDX = (
    (re.compile(r"^(?:import|export)\b[^\n]*(?:\n(?!\n)[^\n]*)*", re.M), ""),
    (re.compile(BRACES), ""),
)
CODE = re.compile(r"(``[^\n]+?``|`[^`\n]+`)")
INVISIBLE = ("html_block", "hr")
# The parser looks for the end of each anew; no paragraph has so many.
MAX_BRACKETS = 10_000


def render(
    text: str, *, is_mdx: bool = False, heading_goes: Callable[[str], bool] | None = None
) -> tuple[str, str]:
    """The heading of the first level that a text begins with, else nothing, and its HTML.

    The heading is left out of the HTML where ``heading_goes`` says so of it, or is None.
    ``ValueError`` for a text that would take very long.
    """
    parser = _parser()
    cleaned = _cleaned(text, is_mdx)
    if any(part.count("[") > MAX_BRACKETS for part in cleaned.split("\n\n")):
        raise ValueError(f"more than {MAX_BRACKETS:,} brackets in one paragraph")
    tokens = parser.parse(cleaned)
    heading = ""
    for at, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h1" and token.level == 0:
            heading = plain(parser.renderer.render(tokens[at : at + 3], parser.options, {}))
            if heading_goes is None or heading_goes(heading):
                del tokens[at : at + 3]
            break
        if token.type not in INVISIBLE or plain(token.content):
            break
    return heading, parser.renderer.render(tokens, parser.options, {})


@lru_cache(maxsize=1)
def _parser() -> Any:
    try:
        from markdown_it import MarkdownIt
    except ImportError as exc:
        raise MissingExtra("reading Markdown", EXTRA) from exc
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _cleaned(text: str, is_mdx: bool) -> str:
    """The text without what is not Markdown; code stays as it is."""
    text = _between(text)
    pieces: list[str] = []
    prose: list[str] = []
    for line, is_code in _lines(text.expandtabs(4).split("\n")):
        if is_code:
            pieces += [_prose("\n".join(prose), is_mdx), line] if prose else [line]
            prose = []
        else:
            prose.append(line)
    return "\n".join([*pieces, _prose("\n".join(prose), is_mdx)])


def _between(text: str) -> str:
    """The text without what stands between templates, but for code, which is fenced."""
    kept: list[str] = []
    end = 0
    dropped = ""  # the template whose end is awaited
    for match in BETWEEN.finditer(text):
        closes, name = match[1] or match[3], match[2] or match[4]
        if dropped:
            if name == dropped and closes:
                dropped, end = "", match.end()
            continue
        kept.append(text[end : match.start()])
        end = match.end()
        if name == "highlight":
            # A fence stands on a line of its own; so do most of these.
            inside = text[end : end + 1] if not closes else text[match.start() - 1 : match.start()]
            line = "" if inside == "\n" else "\n"
            kept.append(f"{line}```\n" if closes else f"\n```{line}")
        elif not closes:
            dropped = name
    return "".join([*kept, text[end:]])


def _prose(text: str, is_mdx: bool) -> str:
    pieces = CODE.split(text)
    # Components have code in their attributes; what is between two pieces of code is prose.
    for pattern, instead in (*(OF_MDX if is_mdx else ()), *TEXTS):
        pieces[::2] = [pattern.sub(instead, piece) for piece in pieces[::2]]
    return "".join(pieces)


def _lines(lines: list[str]) -> list[tuple[str, bool]]:
    """Lines and whether they are code, admonitions of all kinds opened."""
    found: list[tuple[str, bool]] = []
    around: list[int] = []  # how far the admonitions that are open are indented
    fence = ""
    drops = opens = False  # what the fence around this line is: one to drop, one of text
    for line in lines:
        bare = line.lstrip(" ")
        while around and not fence and bare and len(line) - len(bare) < around[-1] + 4:
            around.pop()
        line = line[min(4 * len(around), len(line) - len(bare)) :]
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
                found += [] if drops or opens else [(line, True)]
            elif not drops and not (opens and re.match(r"\s*:[\w-]+:", line)):
                found.append((line, not opens))
        elif mark and "`" not in mark[2]:
            fence = mark[1]
            info = mark[2].strip()
            directive = DIRECTIVES.match(info)
            # Docusaurus has components in a fence, so that other tools show them.
            opens = directive is not None or info.startswith("mdx-code-block")
            drops = info.startswith("{") and not directive
            drops = drops and not info.startswith(("{code", "{."))
            if directive is not None:
                found += [("", False), (directive[1].strip(), False), ("", False)]
            elif not drops and not opens:
                found.append((line, True))
        elif admonition := INDENTED.match(line):
            around.append(4 * len(around) + len(admonition[1]))
            found += [("", False), (admonition[2] or "", False), ("", False)]
        elif admonition := FENCED.match(line):
            title = admonition[1].strip().removeprefix("[").removesuffix("]")
            found += [("", False), (title, False), ("", False)]
        else:
            found.append((line, False))
    return found
