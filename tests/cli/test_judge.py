"""Judging at a terminal: keys, screens, files of grades, and what evaluate makes of them."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from recommender.cli.main import main
from recommender.store.database import Store
from recommender.store.grades import Grade, read

WORDS = ("knee", "hip", "sleep", "diet", "skin", "teeth")
# Three pages on each subject; the hand-picked lists lead to other subjects.
RECORDS = [
    {
        "id": f"{word}/{n}",
        "title": f"About {word} {n}",
        "body": f"{word} pain {word} joint {word} help. " * 3 + f"Part {n}.",
        "recommended": [f"{WORDS[(at + step) % 6]}/{n}" for step in (2, 3)],
    }
    for at, word in enumerate(WORDS)
    for n in range(4)
]


@pytest.fixture
def site(here: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A folder with articles and a bundle that text decides."""
    file = here / "articles.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    assert main(["import", "articles", str(file)]) == 0
    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0
    capfd.readouterr()
    return here


def typed(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    """Keys, a line each, as of what is no terminal."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{key}\n" for key in keys)))


def stored() -> list[Grade]:
    with Store("sqlite:///recommender.db", writing=False) as store:
        return read(store)


def fair(page: str, link: str) -> int:
    """What anybody would say: a link on the page's subject is what he wants."""
    return 3 if page.partition("/")[0] == link.partition("/")[0] else 0


def judged_by(store: Store, by: str, grade: Callable[[str, str], int], n_pages: int = 12) -> None:
    """All that a judge is asked, answered."""
    from datetime import UTC, datetime

    from recommender.bundle.bundle import load_bundle
    from recommender.evaluation.judgements import lists_of_bundle, lists_of_editors
    from recommender.evaluation.judging import Plan, begin

    articles = {article.id: article for article in store.articles(with_body=False)}
    lists = [lists_of_bundle(load_bundle("models"), 10), lists_of_editors(articles, 10)]
    judging, _ = begin(store, lists, Plan(n_pages), by=by, clock=lambda: datetime.now(UTC))
    while (step := judging.step) is not None:
        judging.grade(grade(step.page.page.id, step.link.id))


def test_a_judge_grades_and_goes_on_later(
    site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """Grades are kept as they are given; the next day begins with the next link."""
    typed(monkeypatch, "32q")
    assert main(["judge", "--by", "ann", "--pages", "4"]) == 0
    first = capfd.readouterr().out

    typed(monkeypatch, "q")
    assert main(["judge", "--by", "ann", "--pages", "4"]) == 0
    again = capfd.readouterr().out

    assert sorted(grade.grade for grade in stored()) == [2, 3]
    assert "page 1 of 4" in first
    assert "2 grades given by ann" in first
    assert "link 3 of" in first
    assert "link 1 of" not in again
    assert "link 3 of" in again


def test_nothing_on_the_screen_gives_a_list_away(
    site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """No name of a list, no origin, no score, from the first page to the last."""
    typed(monkeypatch, "m1" * 400)
    assert main(["judge", "--by", "ann", "--pages", "6"]) == 0

    screens = capfd.readouterr().out.partition("--- page 1")[2]
    bundle = next((site / "models").glob("2*")).name
    for word in ("hand", "picked", "model", "bundle", "live", "origin", "score", "list", bundle):
        assert word not in screens.partition("given by ann")[0]
    assert screens.count("--- page") == 5
    assert "recommender evaluate uses the grades" in screens


def test_foreign_texts_obey_no_terminal(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """Titles, texts, ids, names and notes with what a terminal acts upon, in every task."""
    odd = "\x1b[2J\x1b]0;owned\x07\u202e[red]"
    records = [
        {
            "id": f"{n}{odd}", "title": f"T{n} {odd}", "body": f"knee joint stairs {odd} " * 9,
            "recommended": [f"{(n + 1) % 6}{odd}", f"{(n + 2) % 6}{odd}"],
        }
        for n in range(6)
    ]  # fmt: skip
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (here / "a.jsonl").write_text(lines, encoding="utf-8")
    assert main(["import", "articles", "a.jsonl"]) == 0
    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0
    capfd.readouterr()

    monkeypatch.setattr(sys, "stdin", io.StringIO(f"m\nn\n{odd}\n3\n" + "1\n" * 99))
    tasks = [
        ["--by", "ann"], ["--status"], ["--status", "--json"], ["--export", "g.csv"],
        ["--export", "g.qrels"], ["--import", "g.csv"], ["--import", "g.qrels", "--by", "b"],
        ["--by", f"ann{odd}"], ["--import", f"no{odd}.csv"], ["--by", "c", "--list", odd],
    ]  # fmt: skip
    for words in tasks:
        assert main(["judge", *words]) in (0, 1, 2)
        seen = "".join(capfd.readouterr())
        assert "Traceback" not in seen
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", seen), words
    assert [grade.note for grade in stored() if grade.note] == [
        "\\x1b[2J\\x1b]0;owned\\x07\\u202e[red]"
    ]
    assert main(["evaluate"]) == 1
    assert "[red]" not in capfd.readouterr().out


def test_a_file_of_lists_is_judged_too(
    site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """As compare takes it; one with a fault is refused."""
    Path("new.csv").write_text("source_id,position,id\nknee/1,1,skin/1\nknee/1,2,diet/1\n")
    typed(monkeypatch, "s" * 99)

    assert main(["judge", "--by", "ann", "--list", "new.csv", "--list", "live", "-k", "2"]) == 0

    out = capfd.readouterr().out
    assert "page 1 of 1" in out
    assert "About skin 1" in out
    Path("bad.csv").write_text("source_id,position,id\nknee/1,first,skin/1\n")
    assert main(["judge", "--by", "ann", "--list", "bad.csv", "--list", "live"]) == 1


def test_all_is_done_once(
    site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """A judge who answered everything is told so, and nothing is asked."""
    typed(monkeypatch, "1" * 400)
    main(["judge", "--by", "ann", "--pages", "2"])
    capfd.readouterr()

    assert main(["judge", "--by", "ann", "--pages", "2"]) == 0

    assert "Nothing is left to judge for ann" in capfd.readouterr().out


def test_evaluate_shows_what_grades_make_of_lists(site: Path, capfd: pytest.CaptureFixture[str]):
    """The text's lists stay on the subject and win over the editors'; two judges agree. Without a
    view the status is 1, and the grades are shown all the same.
    """
    with Store("sqlite:///recommender.db") as store:
        judged_by(store, "ann", fair)
        judged_by(store, "ben", fair)

    assert main(["evaluate"]) == 1
    out, err = capfd.readouterr()
    assert "better than hand-picked" in out
    assert "Judges agree well: Krippendorff's alpha 1.00" in out
    assert "no view to judge" in err

    log = site / "e.jsonl"
    log.write_text("".join(json.dumps(event) + "\n" for event in events()), encoding="utf-8")
    words = ["evaluate", "--events", str(log), "--json", "r.json", "--html", "r.html"]
    assert main(words) == 0

    out = capfd.readouterr().out
    assert "whole lists by the grades of people, per page" in out
    judged = json.loads((site / "r.json").read_text())["judged"]
    assert judged["lists"]["hand-picked"]["gain low"] > 0
    assert judged["lists"]["model"]["nDCG@5"] > 0.95
    page = (site / "r.html").read_text()
    assert "What people say" in page
    assert ">ben<" in page


def test_several_bundles_are_judged_by_the_same_grades(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    """The first beside the others, on the page and in JSON; without a view in the table."""
    assert main(["train", "--now", "2026-11-22T10:16:00Z"]) == 0
    older, newer = sorted(path.name for path in (site / "models").glob("2*"))
    with Store("sqlite:///recommender.db") as store:
        judged_by(store, "ann", fair)
    both = ["evaluate", "--bundle", older, "--bundle", newer]
    capfd.readouterr()

    assert main(both) == 1
    out = capfd.readouterr().out
    assert older in out
    assert newer in out

    log = site / "e.jsonl"
    log.write_text("".join(json.dumps(event) + "\n" for event in events()), encoding="utf-8")
    assert main([*both, "--events", str(log), "--json", "r.json", "--html", "r.html"]) == 0
    lists = json.loads((site / "r.json").read_text())["judged"]["lists"]
    assert [*lists] == [older, newer, "hand-picked", "nearest texts"]
    assert lists[newer]["gain"] == 0
    assert lists["hand-picked"]["gain low"] > 0
    assert "What people say" in (site / "r.html").read_text()


def events() -> list[dict[str, object]]:
    ts = "2026-11-23T10:00:00Z"
    return [
        {"type": "impression", "view_id": "v", "ts": ts, "source_id": "hip/1",
         "shown": ["hip/2", "knee/1"]},
        {"type": "click", "view_id": "v", "ts": ts, "clicked": "hip/2"},
    ]  # fmt: skip


def test_without_grades_evaluate_is_what_it_was(site: Path, capfd: pytest.CaptureFixture[str]):
    """No section, no field."""
    log = site / "e.jsonl"
    log.write_text("".join(json.dumps(event) + "\n" for event in events()), encoding="utf-8")
    words = ["evaluate", "--events", str(log), "--json", "r.json", "--html", "r.html"]

    assert main(words) == 0

    assert "grades" not in capfd.readouterr().out
    assert "judged" not in json.loads((site / "r.json").read_text())
    assert "What people say" not in (site / "r.html").read_text()


def test_grades_travel_both_ways(site: Path, capfd: pytest.CaptureFixture[str]):
    """CSV out of one store, edited, into another; qrels too. What is refused changes nothing."""
    with Store("sqlite:///recommender.db") as store:
        judged_by(store, "ann", fair, n_pages=3)
        judged_by(store, "ben", lambda page, link: 1, n_pages=3)
    before = stored()
    capfd.readouterr()

    assert main(["judge", "--export", "g.csv"]) == 0
    assert main(["judge", "--export", "ann.csv", "--by", "ann"]) == 0
    assert main(["judge", "--export", "g.qrels"]) == 0
    assert "the mean of 2 judges" in capfd.readouterr().out
    with Path("g.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == len(before)
    assert {row["by"] for row in rows} == {"ann", "ben"}

    Path("recommender.db").unlink()
    assert main(["import", "articles", "articles.jsonl"]) == 0
    assert main(["judge", "--import", "g.csv"]) == 0
    assert main(["judge", "--import", "g.csv"]) == 0
    out = capfd.readouterr().out
    assert f"{len(before)} grades new" in out
    assert f"{len(before)} were here already" in out
    assert stored() == before

    assert main(["judge", "--import", "g.qrels", "--by", "cid"]) == 0
    assert len([grade for grade in stored() if grade.by == "cid"]) == len(
        {grade.pair for grade in before}
    )

    Path("bad.csv").write_text("source_id,id,grade,by\nknee/1,hip/1,2,dora\nknee/1,hip/2,7,dora\n")
    assert main(["judge", "--import", "bad.csv"]) == 1
    assert "bad.csv:3: field grade: '7' is not 0 to 3" in capfd.readouterr().err
    assert not [grade for grade in stored() if grade.by == "dora"]


def test_a_site_on_a_server_is_judged_too(
    here: Path,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    """From the first key to evaluate, and out and in again, with a store on PostgreSQL."""
    monkeypatch.setenv("RECOMMENDER_DATABASE", postgresql_url)
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS)
    (here / "a.jsonl").write_text(lines, encoding="utf-8")
    assert main(["import", "articles", "a.jsonl"]) == 0
    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0
    typed(monkeypatch, "3210" * 50)

    assert main(["judge", "--by", "ann", "--pages", "3"]) == 0
    assert main(["judge", "--export", "g.csv"]) == 0
    capfd.readouterr()
    assert main(["judge", "--import", "g.csv"]) == 0
    assert "were here already" in capfd.readouterr().out
    assert main(["evaluate"]) == 1

    assert "1 judge on 3 pages: model nDCG@5" in capfd.readouterr().out


def test_imports_count_what_is_odd(site: Path, capfd: pytest.CaptureFixture[str]):
    """Duplicates, grades older than those here, articles nobody knows."""
    Path("one.csv").write_text("source_id,id,grade,by,at\nknee/1,hip/1,2,ann,2026-11-20\n")
    Path("two.csv").write_text(
        "source_id,id,grade,by,at\nknee/1,hip/1,0,ann,2026-11-19\n"
        "knee/1,gone,1,ann,2026-11-19\nknee/1,gone,2,ann,2026-11-18\n"
    )
    assert main(["judge", "--import", "one.csv"]) == 0
    capfd.readouterr()

    assert main(["judge", "--import", "two.csv", "--json"]) == 0

    assert json.loads(capfd.readouterr().out) == {
        "new": 1, "replaced": 0, "same": 0, "older": 1, "duplicates": 1, "unknown_articles": 1,
        "remarks": [],
    }  # fmt: skip
    assert main(["judge", "--status", "--json"]) == 0
    status = json.loads(capfd.readouterr().out)
    assert (status["grades"], status["judges"]["ann"]["pages"]) == (2, 1)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([], "who judges? --by NAME"),
        (["--status", "--export", "g.csv"], "two tasks"),
        (["--by", " "], "empty"),
        (["--by", "a\x07"], "not shown"),
        (["--by", "ann", "--overlap", "101"], "101"),
        (["--by", "ann", "--pages", "0"], "0"),
    ],
)
def test_wrong_usage_is_named(
    site: Path, words: list[str], fault: str, capfd: pytest.CaptureFixture[str]
):
    """Status 2."""
    assert main(["judge", *words]) == 2

    assert fault in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            ["--by", "ann", "--list", "hand-piked"],
            "no such file; live, hand-picked and text are lists",
        ),
        (["--export", "g.csv"], "there are no grades"),
        (["--import", "absent.csv"], "absent.csv"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    site: Path, words: list[str], fault: str, capfd: pytest.CaptureFixture[str]
):
    """Status 1, and no file is written."""
    assert main(["judge", *words]) == 1

    err = capfd.readouterr().err
    assert fault in err
    assert "Traceback" not in err
    assert not Path("g.csv").exists()


def test_no_store_is_made_by_judging(here: Path, capfd: pytest.CaptureFixture[str]):
    """A folder without one has none afterwards."""
    for words in (["--by", "ann"], ["--status"], ["--export", "g.csv"], ["--import", "g.csv"]):
        assert main(["judge", *words]) == 1
        assert "there is no such store" in capfd.readouterr().err

    assert [*here.iterdir()] == []


def at_a_terminal() -> None:
    """Ctrl-C is for the program, also where whoever runs the tests ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.slow
def test_keys_work_at_a_terminal(site: Path):
    """Single keys, without Enter; those pressed ahead wait, an arrow does nothing, Ctrl-C keeps
    what was given; a terminal without colours shows the same words.
    """
    screens = []
    for term in ("xterm-256color", "dumb"):
        by = f"ann-{term}"
        parent, child = pty.openpty()
        done = subprocess.Popen(
            [sys.executable, "-c", "import sys; from recommender.cli.main import main; "
             "sys.exit(main(sys.argv[1:]))", "judge", "--by", by, "--overlap", "100"],
            stdin=child, stdout=child, stderr=child, cwd=site, start_new_session=True,
            preexec_fn=at_a_terminal,
            env={**os.environ, "TERM": term, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        os.close(child)
        seen = ""
        for answer in ("3", "\x1b[A", "b", "2", "01", "s", "x", "m", "\x03"):
            seen += until(parent, "q: ")
            os.write(parent, answer.encode())
        seen += until(parent, "goes on there.")
        assert done.wait(timeout=30) == 0
        os.close(parent)
        screens.append(re.sub(r"\x1b\[[0-9;]*m", "", seen))
        given = [grade.grade for grade in stored() if grade.by == by]
        assert sorted(given) == [0, 1, 2]

    assert "(you gave 3)" in screens[0]
    assert "4 grades given" in screens[0]
    assert "this key does nothing here" in screens[1]


def until(terminal: int, words: str) -> str:
    """What is written up to some words, within a minute."""
    seen = b""
    while words.encode() not in seen:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, seen.decode()
        seen += os.read(terminal, 4096)
    return seen.decode()
