"""A site of hostile texts goes through every command: terminals obey nothing, cards keep form."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

from recommender.cli.main import main

# What a terminal obeys: it clears the screen, names the window, links, rings, goes back, turns.
ODD = "\x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil.example\x1b\\ \x9b31m\u202e\u2066\r"
HTML = "a|b`c` <b onmouseover=x>i</b> <script>y</script>"
FOREIGN = f"{ODD}{HTML} [l](http://evil.example) **c** =1+1 [red]d[/]"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
LAYOUTS = [f"{name} {FOREIGN}" for name in ("side", "tiles", "mail")]
N, N_VIEWS, FIRST = 24, 5_000, datetime(2026, 9, 21, tzinfo=UTC)


def records() -> list[dict[str, object]]:
    """Articles whose every text is hostile."""
    return [
        {
            "id": f"a{number:02}{FOREIGN}",
            "title": f"T{number:02} {FOREIGN}",
            "body": f"knee joint stairs {FOREIGN} " * 3,
            "category": f"C{number % 2} {FOREIGN}",
            "tags": [FOREIGN],
            "url": f"https://example.org/{number}",
            "recommended": [f"a{(number + 1) % N:02}{FOREIGN}".strip()],
        }
        for number in range(N)
    ]


def events() -> Iterator[dict[str, object]]:
    """Views on 20 days in three layouts, and clicks; the last names articles that nobody knows."""
    ids = [str(record["id"]).strip() for record in records()]
    random = np.random.default_rng(1)
    for number in range(N_VIEWS):
        source, *shown = (ids[row] for row in random.permutation(N)[:3])
        layout = number % 100 // 49
        at = (FIRST + number * timedelta(days=20) / N_VIEWS).isoformat()
        yield {
            "type": "impression", "view_id": f"v{number}", "ts": at,
            "source_id": source, "shown": shown, "ordered": True, "layout": LAYOUTS[layout],
            "list": f"list {FOREIGN}", "arm": f"arm {FOREIGN}",
            "session_id": f"s{number} {FOREIGN}",
        }  # fmt: skip
        for id, chance in zip(shown, (0.4, 0.4 if layout == 1 else 0.15), strict=True):
            if random.random() < chance:
                yield {"type": "click", "view_id": f"v{number}", "ts": at,
                       "clicked": id}  # fmt: skip
    yield {
        "type": "pageview",
        "ts": at,
        "session_id": "s",
        "article_id": f"no {FOREIGN}",
    }


class Elements(HTMLParser):
    """The elements of a page, and their attributes that run or lead somewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.doubtful: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.doubtful += [
            (name, value)
            for name, value in attrs
            if name.startswith("on") or (name == "href" and "evil" in (value or ""))
        ]


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty folder, and finds what a terminal would obey in its output."""
    monkeypatch.chdir(tmp_path)

    def running(*words: object) -> tuple[int, str, str]:
        status = main([*map(str, words)])
        out, err = capfd.readouterr()
        found = OBEYED.search(out + err)
        assert found is None, (words, (out + err)[max(0, found.start() - 60) : found.end() + 20])
        return status, out, err

    return running


@pytest.mark.slow
def test_a_hostile_site_goes_through_every_command(tmp_path: Path, run: Run):
    """What is printed, the card, pages and reports; programs still read what was imported."""
    (tmp_path / f"{ODD[:4]}x.jsonl").write_text('{"id": "\x1b[2J"}\n')
    for name, content in (("articles", records()), ("events", events())):
        lines = "".join(json.dumps(record) + "\n" for record in content)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    id = str(records()[0]["id"]).strip()

    assert run("import", "articles", "articles.jsonl")[0] == 0
    assert run("import", "articles", f"{ODD[:4]}x.jsonl", "--max-bad", "5")[0] in (0, 1)
    assert run("import", "articles", ODD)[0] == 1
    assert run("import", "events", "events.jsonl")[0] == 0
    assert run("validate")[0] in (0, 1)
    assert run("validate", "--json")[0] in (0, 1)
    status, trained, _ = run("train", "--now", "2026-11-22T10:15:00Z", "--until", "2026-10-08")
    assert status == 0
    assert "side \\x1b[2J\\x1b]0;owned" in trained
    first = trained.split(" ")[0]
    status, listed, _ = run("related", id, "--explain")
    assert status == 0
    assert "[red]d[/]" in listed.replace("\n", "")
    assert json.loads(run("related", id, "--json")[1])["article_id"] == id
    assert run("related", f"nobody {ODD}")[0] == 1
    assert run("models", "list")[0] == 0
    assert run("models", "activate", f"no {ODD}")[0] == 1
    assert run("evaluate", "--html", "report.html", "--json", "report.json")[0] == 0
    assert run("export", "html", "--format", "html")[0] == 0
    assert run("export", "json", "--format", "json")[0] == 0
    assert run("train", "--now", "2026-11-23T10:15:00Z")[0] == 0
    assert run("compare", first, "live")[0] == 0
    assert run("compare", first, "live", "--json")[0] == 0
    assert run("forget", "--session", f"s1 {FOREIGN}")[0] == 0
    assert run("forget", ODD)[0] == 2

    cards = [card.read_text() for card in sorted(tmp_path.glob("models/2*/MODEL_CARD.md"))]
    assert len(cards) == 2
    for card in cards:
        keeps_form(card)
    assert "side \\\\x1b\\[2J" in cards[0]
    for page in [tmp_path / "report.html", *sorted(tmp_path.glob("html/*"))]:
        elements = Elements(page.read_text())
        assert not elements.found & {"b", "i", "script"} or page.name == "report.html"
        assert elements.doubtful == []
    report = (tmp_path / "report.html").read_text()
    assert "onmouseover=x>" not in report.replace("&gt;", "")
    assert "<script>y" not in report


def keeps_form(card: str) -> None:
    """No control, no HTML and no link, and in each table as many cells a row as there are heads."""
    assert OBEYED.search(card) is None
    tokens = MarkdownIt("commonmark").enable("table").parse(card)
    kinds = [token.type for token in tokens]
    inner = [child.type for token in tokens for child in token.children or ()]
    assert "html_block" not in kinds
    assert not {"html_inline", "link_open", "image"} & set(inner)
    # The parser cuts rows to the length of their head, so bars are counted by hand.
    lengths = [
        [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in block.splitlines()]
        for block in re.findall(r"(?:^\|.*\n)+", card, flags=re.MULTILINE)
    ]
    assert kinds.count("table_open") == len(lengths) > 0
    for rows in lengths:
        assert len(set(rows)) == 1
