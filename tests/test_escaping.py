"""Text that others wrote is shown and never obeyed, wherever it goes."""

import io
import json
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from recommender import terminal as writing
from recommender.errors import BundleError
from recommender.escaping import LogLines, json_text, markdown, terminal

ROOT = Path(__file__).parents[1]
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# Whatever a terminal, a table, Markdown or HTML might make something of.
marks = st.text(
    alphabet="\x1b\x9b\x07\r\n\t\u202e\u2066\u2028|`*_[]()<>!&#~-+=.:/@\\$ a1x9w", max_size=30
)
foreign = st.one_of(marks, st.text(max_size=20))
TABLES = MarkdownIt("commonmark").enable("table")


@given(foreign)
def test_a_terminal_obeys_nothing(text: str):
    """One line, and what is plain stays as it is."""
    shown = terminal(text)

    assert not OBEYED.search(shown)
    if not OBEYED.search(text):
        assert shown == text


def test_controls_are_written_out():
    """Who reads the line sees that there was something."""
    assert terminal("a\x1b[31mb\x9bc\u202ed\ne") == "a\\x1b[31mb\\x9bc\\u202ed e"


@given(foreign)
def test_in_markdown_it_is_text(text: str):
    """Wherever a line, an item or a cell begins with it, it renders as what it is."""
    plain = terminal(text)
    for before, after in (("", ""), ("- ", ""), ("so ", " it is")):
        line = before + markdown(text) + after
        tokens = MarkdownIt("commonmark").enable("strikethrough").parse(line)
        inner = [child for token in tokens for child in token.children or ()]

        assert {child.type for child in inner} <= {"text", "text_special"}
        shown = "".join(child.content for child in inner)
        assert shown.split() == (before.strip("- ") + " " + plain + after).split()


@given(foreign, foreign)
def test_a_cell_stays_a_cell(one: str, other: str):
    """Bars, backslashes and ticks end no cell, and begin no element."""
    table = f"| head | other |\n|---|---|\n| {markdown(one)} | {markdown(other)} |\n"

    tokens = TABLES.parse(table)

    assert [token.type for token in tokens].count("td_open") == 2
    cells = [token.content for token in tokens if token.type == "inline"][2:]
    assert len(cells) == 2
    assert not re.search(r"<[a-zA-Z/!?]", re.sub(r"\\<", "", cells[0] + cells[1]))


def test_addresses_in_a_text_are_no_links():
    """Readers of cards have renderers that make links of bare addresses."""
    for text in ("see http://evil.example", "www.evil.example", "me@evil.example"):
        assert not re.search(r"https?://|www\.|\w@\w", markdown(text))


@given(st.recursive(foreign, lambda inner: st.lists(inner) | st.dictionaries(foreign, inner)))
def test_json_on_a_screen_is_the_same_json(content: object):
    """Programs read what they did, and a terminal obeys none of it."""
    text = json_text(json.dumps(content, ensure_ascii=False, indent=2))

    assert json.loads(text) == content
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_a_table_has_no_markup_but_ours(monkeypatch: pytest.MonkeyPatch):
    """Titles, heads, feet and cells."""
    evil = "[link=http://e]x[/link] [red]\x1b[2J"
    table = writing.Table(evil)
    table.show_footer = True
    table.add_column(evil, evil)
    table.add_row(evil)
    table.add_row(writing.stacked([evil, evil], style="dim"))
    out = io.StringIO()

    Console(file=out, width=200, force_terminal=True, color_system=None).print(table)

    assert "\x1b[2J" not in out.getvalue()
    assert "\x1b]8" not in out.getvalue()
    assert out.getvalue().count("[link=http://e]x[/link] [red]\\x1b[2J") == 6


def test_an_error_is_one_line_that_is_safe():
    """Whatever it quotes, and whoever shows it."""
    assert str(BundleError("a\x1b]0;x\x07\nb")) == "a\\x1b]0;x\\x07 b"


def test_a_log_has_a_line_for_each_record(caplog: pytest.LogCaptureFixture):
    """Nobody writes a line of it by what he asks for; of a traceback every line is one."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logger = logging.getLogger("test of lines")
    logger.propagate = False
    logger.addHandler(handler)
    logger.addFilter(LogLines())

    logger.error("%s failed", "GET /\r\n2026 INFO all is well\x1b[2J")
    try:
        raise ValueError("x\x1b[2J")
    except ValueError:
        logger.exception("failed")

    first, second, *trace = out.getvalue().splitlines()
    assert first == "GET /  2026 INFO all is well\\x1b[2J failed"
    assert second == "failed"
    assert trace[-1] == "ValueError: x\\x1b[2J"


def test_the_service_logs_lines():
    """Whoever serves it, and wherever its log goes."""
    import recommender_api

    assert recommender_api.__name__
    assert any(isinstance(each, LogLines) for each in logging.getLogger("api").filters)


def test_nobody_else_writes_to_a_terminal():
    """One module does; a console elsewhere only measures."""
    found = []
    for folder in ("recommender", "api"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                code = line.partition("#")[0]
                writes = re.search(
                    r"(?<![\w.])print\(|click\.echo|sys\.std(out|err)\.write"
                    r"|from rich\.(console|table)|import rich\b", code,
                )  # fmt: skip
                if writes and not line.lstrip().startswith((">>>", "...")):
                    found.append(f"{path.relative_to(ROOT)}:{number}")

    allowed = ("recommender/terminal.py", "recommender/evaluation/report/picture.py")
    assert [place for place in found if not place.startswith(allowed)] == []


def test_a_number_with_a_fraction_begins_no_list():
    """Cells of tables are full of them; a number with a point and a space behind begins one."""
    assert markdown("0.39 (0.21 to 0.63)") == "0.39 (0.21 to 0.63)"
    assert markdown("3. What to eat") == "3\\. What to eat"
    assert markdown("3)") == "3\\)"
