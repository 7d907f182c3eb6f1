"""The command line as a stranger meets it: help, exit statuses, one line for what went wrong."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from sent import NOON, followed, record, shown
from sites import NOW, built
from tampered import with_values

from recommender.articles.article import Article
from recommender.bundle.registry import read, resolve
from recommender.cli.main import commands, main
from recommender.store.database import Store

RECORDS = [
    {"id": "knee/1", "title": "Knee", "body": "knee joint stairs clicks when going up"},
    {"id": "hip", "title": "Hip", "body": "hip joint stairs clicks when going down"},
    {"id": "睡眠", "title": "睡眠：晚上怎么睡得好？", "body": "night dream bed pillow snoring"},
    {"id": "nap", "title": "Nap", "body": "noon dream bed pillow couch"},
]


def events(day: int = 1) -> list[dict[str, object]]:
    ts = f"2026-11-{day:02}T10:00:00Z"
    return [
        {"type": "impression", "view_id": f"v{day}", "ts": ts, "source_id": "hip",
         "shown": ["nap", "knee/1"]},
        {"type": "click", "view_id": f"v{day}", "ts": ts, "clicked": "knee/1"},
    ]  # fmt: skip


def write(path: Path, records: list) -> str:
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def site(here: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    """A folder in which articles were imported and a bundle trained."""
    assert main(["import", "articles", write(here / "articles.jsonl", RECORDS)]) == 0
    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0
    capfd.readouterr()
    return here


def test_a_training_says_what_it_corrected_for(site: Path, capfd: pytest.CaptureFixture[str]):
    """In a plain sentence, also if it is nothing."""
    assert main(["train", "--now", "2026-11-22T10:16:00Z"]) == 0

    said = "position is not corrected for: the log does not say at which position a link stood"
    assert said in capfd.readouterr().out.splitlines()


def below(command: click.Command, *words: str) -> dict[tuple[str, ...], click.Command]:
    """Every command and every group of commands by its words, the first without any."""
    found = {words: command}
    for word, other in command.commands.items() if isinstance(command, click.Group) else ():
        found |= below(other, *words, word)
    return found


EVERY = below(commands)


@pytest.mark.parametrize("words", [words for words in EVERY if words], ids=" ".join)
def test_every_command_has_help_with_an_example(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
):
    """And the example is understood by the command line itself."""
    assert main([*words, "--help"]) == 0

    example = capsys.readouterr().out.partition("example:\n")[2].splitlines()[0].strip()
    assert example.startswith(f"recommender {' '.join(words)}")
    asked = example.replace("'", "").split()[1:]
    leaf = next(words for words in sorted(EVERY, key=len, reverse=True)
                if words == tuple(asked[: len(words)]))  # fmt: skip
    assert not isinstance(EVERY[leaf], click.Group)
    assert EVERY[leaf].make_context("example", asked[len(leaf) :]).args == []


def test_every_option_says_what_it_is_for():
    """But for those every program has."""
    options = [
        (words, option)
        for words, command in EVERY.items()
        for option in command.params
        if isinstance(option, click.Option)
    ]

    assert len(options) > 30
    assert [(words, option.name) for words, option in options if not option.help] == []


def test_help_names_commands_in_the_order_they_are_needed(capsys: pytest.CaptureFixture[str]):
    """And needs no settings."""
    assert main(["--help"]) == 0

    text = capsys.readouterr().out.partition("Commands:\n")[2]
    named = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert named[:3] == ["import", "validate", "train"]
    assert set(named) == {*commands.commands}


def test_shells_complete_words(here: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Of commands and of options."""
    monkeypatch.setenv("_RECOMMENDER_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "recommender models ro")
    monkeypatch.setenv("COMP_CWORD", "2")

    with pytest.raises(SystemExit):
        main([])

    assert capsys.readouterr().out == "plain,rollback\n"


@pytest.mark.parametrize(
    "words",
    [
        [], ["nonsense"], ["import"], ["import", "articles"],
        ["compare"], ["compare", "x"], ["compare", "x", "y", "--most", "0"],
        ["related"], ["related", "x", "-k", "0"], ["related", "x", "-k", "51"],
        ["train", "--now", "tomorrow"], ["train", "--no-activate", "--promote-if-better"],
        ["export", "out"], ["export", "out", "--format", "pdf"],
        ["models"], ["models", "prune"], ["models", "prune", "--keep", "0"],
        ["serve", "--port", "x"], ["serve", "--port", "70000"],
        ["train", "--if-new", "0"], ["train", "--if-new", "x"],
        ["forget"], ["forget", "--session", "s", "--older-than", "9"],
        ["forget", "--older-than", "0"], ["forget", "--older-than", "long"],
        ["forget", "--older-than", "99999999999"], ["import", "events", "x", "--format", "pdf"],
    ],
)  # fmt: skip
def test_wrong_usage_exits_with_2(words: list[str], here: Path, capsys):
    """The usage on stderr, nothing on stdout."""
    assert main(words) == 2

    out, err = capsys.readouterr()
    assert (out, err.startswith("Usage: recommender")) == ("", True)


def failure(words: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line a command that exits with 1 says."""
    status = main(words)

    out, err = capfd.readouterr()
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    line = err.splitlines()[-1]
    assert line.startswith("recommender: ")
    return line


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["import", "articles", "nowhere"], "nowhere: no such file or folder"),
        (["import", "events", "nowhere"], "nowhere: no such file or folder"),
        (["import", "articles", "bad.jsonl"], "1 of 1 records are bad: bad.jsonl:1: not JSON"),
        (["import", "events", "bad.jsonl"], "bad.jsonl:1: not JSON"),
        (["import", "articles", "bad.jsonl", "--max-bad", "x"], "--max-bad 'x'"),
        (["import", "articles", "bad.jsonl", "--url", "https://x"], "must hold {id}"),
        (["train"], "recommender.db: there is no such store; recommender import makes one"),
        (["validate"], "recommender.db: there is no such store"),
        (["forget", "--session", "x"], "recommender.db: there is no such store"),
        (
            ["related", "x"],
            "models: there is no such folder, so no bundle is live there yet; run: ",
        ),
        (["export", "out", "--format", "json"], "no bundle is live"),
        (["evaluate"], "no bundle is live"),
        (["evaluate", "--bundle", "../x"], "'../x' is no bundle's name"),
        (["evaluate", "--bundle", "x"], "models/x: there is no such bundle"),
        (["compare", "live", "live"], "no bundle is live"),
        (["compare", "../x", "x"], "../x: there is no such bundle"),
        (["compare", ".x", "x"], "'.x' is no bundle's name"),
        (["compare", "x", "y"], "x: there is no such bundle in models"),
        (["compare", "x.csv", "x.csv.gz"], "x.csv: no such file"),
        (["models", "activate", "x"], "models/x: there is no such bundle"),
        (["models", "activate", "../x"], "'../x' is no bundle's name"),
        (["models", "rollback"], "no bundle was live before this one"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    here: Path, words: list[str], reason: str, capfd: pytest.CaptureFixture[str]
):
    """In a folder with nothing in it but a bad file."""
    (here / "bad.jsonl").write_text("{")

    assert reason in failure(words, capfd)
    assert words[0] == "import" or not (here / "recommender.db").exists()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("RECOMMENDER_DATABASE", "recommender.db", "is no database URL"),
        ("RECOMMENDER_DATABASE", "mysql://x/y", "no such kind of database"),
        ("RECOMMENDER_DATABASE", "sqlite:////nowhere/x.db", "there is no such store"),
        ("RECOMMENDER_DATABAES", "x", "unknown setting RECOMMENDER_DATABAES"),
    ],
)
def test_faulty_settings_are_said_in_one_line(
    here: Path, name: str, value: str, reason: str, monkeypatch, capfd
):
    """With the setting's name or the address."""
    monkeypatch.setenv(name, value)

    assert reason in failure(["train"], capfd)


def test_faults_of_a_site_are_said_in_one_line(site: Path, capfd):
    """An id nobody has, with the nearest one; a faulty rule; a damaged bundle."""
    assert "hipp: no such article" in (line := failure(["related", "hipp"], capfd))
    assert line.endswith("did you mean hip?")
    (site / "editorial.csv").write_text("action,source,target\nhide,*,x\n")
    for words in (["related", "hip"], ["train"], ["export", "out", "--format", "json"]):
        assert "editorial.csv:2: field action" in failure(words, capfd)
    (site / "editorial.csv").unlink()
    next((site / "models").glob("2*/fragments_data.npy")).unlink()
    assert "fragments_data.npy: missing; the bundle is damaged" in failure(
        ["related", "hip"], capfd
    )


def test_a_folder_that_cannot_be_written_is_said_in_one_line(site: Path, capfd):
    """As a full disk would be: the system's own words, and the path."""
    (site / "file").write_text("x")

    assert "file" in failure(["export", "file", "--format", "json"], capfd)
    assert "file" in failure(["export", "file/below", "--format", "html"], capfd)


def test_importing_twice_changes_nothing(here: Path, capfd):
    """Articles and events."""
    articles = write(here / "a.jsonl", RECORDS)
    log = write(here / "e.jsonl", events())
    said = []
    for _ in range(2):
        assert main(["import", "articles", articles, "--json"]) == 0
        assert main(["import", "events", log]) == 0
        said.append(capfd.readouterr().out)

    assert json.loads(said[0].partition("\n}\n")[0] + "}")["added"] != []
    assert '"added": []' in said[1]
    assert '"n_unchanged": 4' in said[1]
    assert "1 impressions, 1 clicks, 0 page views; 0 duplicates" in said[0]
    assert "0 impressions, 0 clicks, 0 page views; 2 duplicates" in said[1]


def test_full_lists_and_removes_what_is_gone(here: Path, capfd):
    """Without it, an import only adds; with a bad record nothing is removed."""
    main(["import", "articles", write(here / "a.jsonl", RECORDS)])
    fewer = write(here / "fewer.jsonl", RECORDS[:3])
    assert main(["import", "articles", fewer]) == 0
    assert "removed: " not in capfd.readouterr().out

    doubtful = write(here / "doubtful.jsonl", [*RECORDS[:3], {"id": "nap"}])
    assert main(["import", "articles", doubtful, "--full"]) == 0
    assert "none was removed" in capfd.readouterr().out

    assert main(["import", "articles", fewer, "--full"]) == 0
    assert "removed: nap\n" in capfd.readouterr().out


def test_bad_records_are_named_and_their_number_bounded(here: Path, capfd):
    """One of five is borne, unless ``--max-bad`` says otherwise."""
    path = write(here / "a.jsonl", [*RECORDS, {"id": "x"}])

    assert "5" in failure(["import", "articles", path, "--max-bad", "0"], capfd)
    assert main(["import", "articles", path, "--max-bad", "20%"]) == 0
    out, err = capfd.readouterr()
    assert "4 articles added" in out
    assert "a.jsonl:5: field title: missing" in err


def test_ids_may_hold_anything(site: Path, capfd):
    """A slash, Chinese."""
    for id, best in (("knee/1", "hip"), ("睡眠", "nap")):
        assert main(["related", id, "--json", "-k", "1"]) == 0
        answer = json.loads(capfd.readouterr().out)
        assert (answer["article_id"], answer["items"][0]["id"]) == (id, best)


def test_the_table_says_why(site: Path, capfd):
    """Position, title, score, origin and, asked for, a reason."""
    assert main(["related", "hip", "--explain"]) == 0

    out = capfd.readouterr().out
    for word in ("title", "score", "origin", "why", "Knee", "text", "alike"):
        assert word in out


def test_a_pin_that_no_list_has_is_without_a_score_in_the_table(site: Path, capfd):
    """The model's score of it is another: 0 is none."""
    (site / "editorial.csv").write_text("action,source,target\npin,hip,睡眠\n", encoding="utf-8")
    assert main(["related", "hip"]) == 0

    rows = [line for line in capfd.readouterr().out.splitlines() if "pinned" in line]
    assert len(rows) == 1
    assert " - " in rows[0]
    assert "0.000" not in rows[0]


def test_a_link_is_explained_whether_it_is_listed_or_not(site: Path, capfd):
    """By ids, in words and as JSON; a candidate nobody knows is named."""
    assert main(["related", "hip", "--why", "hip"]) == 0
    assert "A page is not linked to itself." in capfd.readouterr().out

    assert main(["related", "hip", "--why", "knee/1", "--json"]) == 0

    found = json.loads(capfd.readouterr().out)
    assert (found["article_id"], found["candidate_id"]) == ("hip", "knee/1")
    total = sum(each["value"] for each in found["contributions"])
    assert total == pytest.approx(found["score"])
    assert "nowhere" in failure(["related", "hip", "--why", "nowhere"], capfd)


def test_every_json_is_json(site: Path, capfd):
    """For programs."""
    for words in (
        ["models", "list"],
        ["related", "hip"],
        ["related", "hip", "--explain"],
        ["import", "events", write(site / "e.jsonl", events())],
        ["train", "--now", "2026-11-22T10:16:00Z"],
    ):
        assert main([*words, "--json"]) == 0
        assert json.loads(capfd.readouterr().out)


def test_evaluate_judges_what_came_after(site: Path, capfd):
    """No view: status 1. A file of views: judged, and written as JSON and HTML."""
    assert "no view to judge" in failure(["evaluate"], capfd)
    log = write(site / "e.jsonl", events())

    assert main(["evaluate", "--events", log, "--json", "r.json", "--html", "r.html"]) == 0

    assert "nDCG@10" in capfd.readouterr().out
    assert json.loads((site / "r.json").read_text())["views"] == 1
    assert "<svg" in (site / "r.html").read_text()
    main(["import", "events", log])
    assert main(["evaluate"]) == 0


def test_compare_shows_what_changed_and_where_most(
    site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """By name, as the live one and by folder; an article came, and with it a page and links."""
    (first,) = bundles(site)
    wrist = {"id": "wrist", "title": "Wrist", "body": "wrist joint stairs clicks", "category": "a"}
    changed = [*({**one, "category": "a"} for one in RECORDS), wrist]
    assert main(["import", "articles", write(site / "articles.jsonl", changed)]) == 0
    assert main(["train", "--now", "2026-11-22T10:16:00Z"]) == 0
    capfd.readouterr()

    assert main(["compare", first, "live", "--json"]) == 0

    found = json.loads(capfd.readouterr().out)
    assert (found["old"]["name"], found["new"]["n_articles"]) == (first, 5)
    assert (found["n_pages"], found["n_only_old"], found["n_only_new"]) == (4, 0, 1)
    assert found["gained"][0]["id"] == "wrist"
    assert [row["category"] for row in found["categories"]] == ["a"]
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["compare", "live", f"models/{first}", "--most", "1"]) == 0
    out = capfd.readouterr().out
    for words in ("What changed on the 4 pages both have", "Articles that went out of most lists"):
        assert words in out
    assert "Wrist" in out
    assert main(["compare", "live", "./models"]) == 0
    assert "no list changed" in capfd.readouterr().out


def test_compare_judges_lists_and_bundles_by_what_came_after(
    site: Path, capfd: pytest.CaptureFixture[str]
):
    """A file of lists, the page of HTML, and why nothing tells before a view came."""
    (site / "lists.csv").write_text("source_id,position,id\nhip,1,nap\nhip,2,knee/1\n")

    assert main(["compare", "lists.csv", "live"]) == 0
    assert "Which is better is not judged" in capfd.readouterr().out.replace("\n", " ")
    log = write(site / "e.jsonl", events())
    words = ["compare", "lists.csv", "live", "--events", log, "--html", "c.html", "--json"]
    assert main(words) == 0

    found = json.loads(capfd.readouterr().out)
    assert found["offline"]["views"] == 1
    assert found["old"]["name"] == "lists.csv"
    assert found["verdict"].split(": ")[0] in (site / "c.html").read_text().replace("&#39;", "'")
    assert main(["compare", "lists.csv", "live", "--events", log]) == 0
    assert "Which orders the links shown better" in capfd.readouterr().out
    assert "no article of the store has a hand-picked" in failure(
        ["compare", "hand-picked", "live"], capfd
    )


def test_several_bundles_are_evaluated_at_once(site: Path, capfd: pytest.CaptureFixture[str]):
    """One table, and programs and people read it."""
    (first,) = bundles(site)
    log = write(site / "e.jsonl", events())
    words = ["evaluate", "--bundle", first, "--bundle", "live", "--events", log]

    assert main([*words, "--json", "r.json", "--html", "r.html"]) == 0

    assert "not clearly apart from" in capfd.readouterr().out.replace("\n", " ")
    assert [*json.loads((site / "r.json").read_text())["bundles"]] == [first, f"{first} (2)"]
    assert "<svg" in (site / "r.html").read_text()


def test_comparing_needs_no_store(site: Path, capfd: pytest.CaptureFixture[str]):
    """And leaves none behind."""
    (site / "recommender.db").unlink()

    assert main(["compare", "live", "live"]) == 0

    assert "no list changed" in capfd.readouterr().out
    assert not (site / "recommender.db").exists()


@pytest.mark.slow
def test_judging_by_what_was_learned_from_is_told(site: Path, capfd):
    """The figures then flatter the bundle."""
    log = write(site / "e.jsonl", events())
    main(["import", "events", log])
    main(["train", "--now", "2026-11-22T10:16:00Z"])
    capfd.readouterr()

    assert main(["evaluate", "--events", log]) == 0
    assert "the figures flatter it" in capfd.readouterr().out.replace("\n", " ")


@pytest.mark.slow
def test_until_leaves_views_out_of_training(site: Path, capfd):
    """Then they can be judged from the store itself."""
    main(["import", "events", write(site / "e.jsonl", [*events(1), *events(9)])])
    assert main(["train", "--until", "2026-11-05", "--now", "2026-11-22T10:16:00Z"]) == 0
    assert main(["evaluate", "--json", "r.json"]) == 0

    assert json.loads((site / "r.json").read_text())["views"] == 1


@pytest.mark.slow
def test_bundles_are_listed_switched_and_cleared_away(site: Path, capfd):
    """Train twice more, the last without making it live; back, forth, away."""
    main(["train", "--now", "2026-11-22T10:16:00Z"])
    main(["train", "--now", "2026-11-22T10:17:00Z", "--no-activate"])
    capfd.readouterr()

    def listed() -> list[tuple[str, bool]]:
        main(["models", "list", "--json"])
        return [(row["name"], row["live"]) for row in json.loads(capfd.readouterr().out)]

    (one, _), (two, is_live), (three, _) = listed()
    assert is_live
    assert main(["models", "rollback"]) == 0
    capfd.readouterr()
    assert listed() == [(one, True), (two, False), (three, False)]
    assert main(["models", "activate", three]) == 0
    assert main(["models", "prune", "--keep", "1"]) == 0
    assert f"deleted: {two}" in capfd.readouterr().out
    assert listed() == [(one, False), (three, True)]


def test_a_damaged_bundle_is_listed_as_such(site: Path, capfd):
    """Listing is how one finds out."""
    next((site / "models").glob("2*/lists_texts_idf.npy")).unlink()

    assert main(["models", "list"]) == 0
    out, err = capfd.readouterr()
    assert "cannot be read" in out
    assert "lists_texts_idf.npy: missing; the bundle is damaged" in err


def test_of_many_damaged_bundles_the_first_are_named_and_the_rest_counted(here: Path, capfd):
    """Sound bundles do not count among them."""
    for number in range(22):
        folder = here / "models" / f"20261122-1015{number:02}-3f2a9c"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{")

    assert main(["models", "list"]) == 0

    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 2 more"


def test_names_are_shown_whole(site: Path, capfd):
    """They are there to be copied."""
    name = (site / "models" / "CURRENT").read_text().strip()

    main(["models", "list"])

    assert name in capfd.readouterr().out


START = "import sys; from recommender.cli.main import main; sys.exit(main())"


def run(
    words: list[str], cwd: Path, *, pipe: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, in a shell if it is to be piped."""
    command = [sys.executable, "-c", START, *words]
    told = {**os.environ, **environment}
    if pipe:
        shell = " ".join(f"'{word}'" for word in command) + f" | {pipe}"
        return subprocess.run(
            ["bash", "-c", shell], cwd=cwd, env=told, capture_output=True, text=True
        )
    return subprocess.run(
        command, cwd=cwd, env=told, capture_output=True, encoding="utf-8", errors="replace"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "C", "C without UTF-8"],
)
def test_a_terminal_without_chinese_shows_what_it_can(site: Path, environment: dict[str, str]):
    """Marks in place of what it cannot write; programs get every character, escaped."""
    shown = run(["related", "nap"], site, **environment)
    told = run(["related", "nap", "--json"], site, **environment)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Nap" in shown.stdout
    assert json.loads(told.stdout)["items"][0]["title"] == RECORDS[2]["title"]


@pytest.mark.slow
def test_output_that_is_not_read_to_its_end_is_no_error(here: Path):
    """``recommender ... | head`` ends quietly."""
    articles = [
        Article(id=f"a{n}", title=f"Word{n % 7} number{n}", body=f"w{n % 7} x{n % 5} " * 20)
        for n in range(60)
    ]
    built(here, articles)

    done = run(["related", "a1", "--json", "-k", "50", "--explain"], here, pipe="head -c 10")
    table = run(["related", "a1", "-k", "50"], here, pipe="true")

    assert done.stdout == '{\n  "articl'[:10]
    assert (done.stderr, table.stderr) == ("", "")


def test_a_bundle_of_which_any_part_is_damaged_is_not_activated(site: Path, capfd):
    """Also what only analysts open."""
    (name,) = (path.name for path in (site / "models").glob("2*"))
    with_values("site_near", 9999)(site / "models" / name)

    assert "site_near.npy: holds 9999" in failure(["models", "activate", name], capfd)


def test_an_interrupt_says_so(here: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    """With the status shells expect."""
    from recommender.cli import operators as told

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(told.activation, "rollback", interrupted)

    assert main(["models", "rollback"]) == 130
    assert "interrupted" in capfd.readouterr().err


@pytest.mark.slow
def test_the_demo_shows_the_old_list_beside_the_new(here: Path):
    """And what each is worth, which the model does not know: the new one wins more."""
    done = run(["demo", "--no-serve"], here, COLUMNS="120")

    assert done.returncode == 0, done.stderr
    assert "hand-picked" in done.stdout
    worth = {
        line.split("│")[1].strip(): int(line.split("│")[2])
        for line in done.stdout.splitlines()
        if line.count("│") == 4 and line.split("│")[2].strip().isdigit()
    }
    assert worth["best possible"] > worth["recommender"] > worth["nearest texts"]
    assert worth["nearest texts"] > worth["hand-picked"]
    assert "expected clicks per 100 views" in done.stdout
    assert sorted(path.name for path in here.iterdir()) == [".demo"]
    shutil.rmtree(here / ".demo")


def test_the_time_of_a_build_can_be_given(site: Path, capfd):
    """Then the same data give the same name."""
    name = (site / "models" / "CURRENT").read_text().strip()

    assert name.startswith(f"{NOW:%Y%m%d}-101500-")


def bundles(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "models").glob("2*"))


def test_training_waits_for_new_clicks(site: Path, capfd):
    """One came, two are asked for: nothing is built, and it says so; one is asked for: it is."""
    assert main(["train", "--if-new", "1"]) == 0
    assert "not trained: 0 new clicks" in capfd.readouterr().out
    main(["import", "events", write(site / "e.jsonl", events())])
    before = bundles(site)
    capfd.readouterr()

    assert main(["train", "--if-new", "2"]) == 0
    said = capfd.readouterr().out
    assert main(["train", "--if-new", "2", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert said == (
        "not trained: 1 new clicks, 0 new articles, 0 changed articles, 0 gone articles since the "
        "live bundle was built, fewer than 2\n"
    )
    assert told == {
        "name": None, "live": False, "n_new_clicks": 1, "new": [], "changed": [], "gone": [],
    }  # fmt: skip
    assert bundles(site) == before

    now = ["--now", "2026-11-22T10:16:00Z"]
    assert main(["train", "--if-new", "1", "--json", *now]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["name"] in bundles(site)
    assert (told["live"], len(bundles(site))) == (True, len(before) + 1)
    assert main(["train", "--if-new", "1"]) == 0
    assert "0 new clicks" in capfd.readouterr().out


def test_training_waits_for_articles_too(site: Path, capfd):
    """New, changed and gone ones count as clicks do, and are named; lists do without the gone
    meanwhile, and with the new.
    """
    changed = [{**RECORDS[0], "title": "Knees"}, *RECORDS[2:]]
    new = {"id": "couch", "title": "Couch", "body": "noon dream bed pillow couch sofa"}
    main(["import", "articles", "--full", write(site / "articles.jsonl", [*changed, new])])
    capfd.readouterr()

    assert main(["train", "--if-new", "4"]) == 0
    assert capfd.readouterr().out == (
        "not trained: 0 new clicks, 1 new articles (such as couch), 1 changed articles (such as "
        "knee/1), 1 gone articles (such as hip) since the live bundle was built, fewer than 4\n"
    )
    main(["related", "睡眠", "--json"])
    links = {item["id"]: item["title"] for item in json.loads(capfd.readouterr().out)["items"]}
    assert links["knee/1"] == "Knees"
    assert "hip" not in links
    assert main(["related", "couch"]) == 0
    main(["export", str(site / "out"), "--format", "json"])
    written = (site / "out" / "related.jsonl").read_text(encoding="utf-8")
    lists = [json.loads(line) for line in written.splitlines()]
    assert {each["article_id"] for each in lists} == {"knee/1", "睡眠", "nap", "couch"}
    assert all(item["id"] != "hip" for each in lists for item in each["items"])
    assert main(["train", "--if-new", "3", "--now", "2026-11-22T10:16:00Z"]) == 0
    assert len(bundles(site)) == 2


def test_an_article_is_named_by_its_address_too(site: Path, capfd):
    """What is a guess is said; so is what `import events` guessed, and which rules name nobody."""
    placed = [{**record, "url": f"https://example.org/{record['id']}"} for record in RECORDS]
    main(["import", "articles", write(site / "articles.jsonl", placed)])
    line = '127.0.0.1 - - [01/Nov/2026:10:00:00 +0000] "GET {} HTTP/1.1" 200 9 "-" "Mozilla/5.0"'
    log = site / "access.log"
    log.write_text("\n".join(map(line.format, ("/hip", "/hip/amp/", "/nap?ref=mail", "/no"))))
    (site / "editorial.csv").write_text("action,source,target\npin,/hip,/nap/\nblock,*,/gone\n")
    capfd.readouterr()

    main(["related", "https://www.example.org/HIP/index.html", "--json"])
    seen = capfd.readouterr()
    main(["import", "events", str(log)])

    answer = json.loads(seen.out)
    first = answer["items"][0]
    assert (answer["article_id"], first["id"], first["origin"]) == ("hip", "nap", "pinned")
    assert "is taken for hip (assumed: file name or ending)" in " ".join(seen.err.split())
    assert "editorial.csv: line 3: field target: no article '/gone'" in " ".join(seen.err.split())
    assert "2 addresses that no article has were taken for one" in capfd.readouterr().out


def test_what_is_new_is_new_to_the_live_bundle(site: Path, capfd):
    """Not to one that was published beside it."""
    main(["import", "events", write(site / "e.jsonl", events())])
    main(["train", "--no-activate", "--now", "2026-11-22T10:16:00Z"])
    capfd.readouterr()

    assert main(["train", "--if-new", "2"]) == 0
    assert "1 new clicks" in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("live", ["none", "damaged"])
def test_without_a_live_bundle_training_waits_for_nothing(here: Path, live: str, capfd):
    """The first night, and after an accident."""
    main(["import", "articles", write(here / "articles.jsonl", RECORDS)])
    if live == "damaged":
        main(["train", "--now", "2026-11-22T10:15:00Z"])
        next((here / "models").glob("2*/manifest.json")).unlink()
    n_before = len(bundles(here))

    assert main(["train", "--if-new", "1000", "--now", "2026-11-22T10:16:00Z"]) == 0

    assert len(bundles(here)) == n_before + 1
    out, err = capfd.readouterr()
    assert bundles(here)[-1] in out
    assert ("trained however little is new" in err) == (live == "damaged")


def visits(*days: str) -> list[dict[str, object]]:
    """A view, a click and a page view on each day, in a session of that day."""
    found: list[dict[str, object]] = []
    for day in days:
        view, click = events()
        ts = {"ts": f"{day}T10:00:00Z"}
        found += [
            {**view, **ts, "view_id": day, "session_id": f"s{day}"},
            {**click, **ts, "view_id": day},
            {"type": "pageview", **ts, "article_id": "nap", "session_id": f"s{day}"},
        ]
    return found


def forgotten(words: list[str], capfd) -> tuple[int, ...]:
    """How many views, clicks and page views the command says it forgot."""
    capfd.readouterr()
    assert main(["forget", *words]) == 0
    said = capfd.readouterr().out
    assert said.endswith("forgotten; what was counted of them by day stays\n")
    return tuple(int(word) for word in said.split() if word.isdigit())


def test_events_are_forgotten_by_session_and_by_age(site: Path, capfd):
    """One session; what is older than a date; than so many days, however these are written."""
    today = datetime.now(UTC).date().isoformat()
    log = visits("2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", today)
    main(["import", "events", write(site / "e.jsonl", log)])

    assert forgotten(["--session", "nobody"], capfd) == (0, 0, 0)
    assert forgotten(["--session", ""], capfd) == (0, 0, 0)
    assert forgotten(["--session", "s2020-01-02"], capfd) == (1, 1, 1)
    assert forgotten(["--older-than", "2020-01-02"], capfd) == (1, 1, 1)
    assert forgotten(["--older-than", "2020-01-03T23:00:00Z"], capfd) == (0, 0, 0)
    assert forgotten(["--older-than", "90d"], capfd) == (2, 2, 2)
    assert forgotten(["--older-than", "1"], capfd) == (0, 0, 0)


def test_training_after_forgetting_gives_the_same_lists(site: Path, capfd):
    """And no click is new for that."""

    def trained(now: str) -> list[dict[str, object]]:
        assert main(["train", "--now", now]) == 0
        capfd.readouterr()
        assert main(["related", "hip", "--json", "--explain"]) == 0
        return json.loads(capfd.readouterr().out)["items"]

    main(["import", "events", write(site / "e.jsonl", visits("2020-01-01", "2020-01-02"))])
    before = trained("2026-11-22T10:16:00Z")

    assert forgotten(["--older-than", "2021-01-01"], capfd) == (2, 2, 2)

    assert main(["train", "--if-new", "1"]) == 0
    assert "0 new clicks" in capfd.readouterr().out
    assert trained("2026-11-22T10:17:00Z") == before


def test_caps_and_exploration_are_settings(site: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    """Three live clicks on one link, of which one counts: in training, for ``--if-new``, and when
    they are forgotten. Five of a hundred views explore.
    """
    with Store("sqlite:///recommender.db") as store:
        nap, hip = store.keys_of(["nap", "hip"])
        for at in range(3):
            record(store, shown(f"v{at}", nap, source=hip), followed(f"v{at}", nap, ts=NOON + 5000))
    monkeypatch.setenv("RECOMMENDER_PAIR_CLICKS", "1")
    monkeypatch.setenv("RECOMMENDER_EXPLORE", "5")

    assert main(["train", "--if-new", "2", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["n_new_clicks"] == 1
    assert main(["train", "--now", "2026-11-22T10:16:00Z"]) == 0

    about = json.loads((site / "models" / bundles(site)[-1] / "manifest.json").read_text())
    assert (about["explore"], about["n_logged_clicks"], about["n_views"]) == (5, 1, 1)
    assert about["variants"][0] == {"from": 0, "to": 94, "arm": "best", "slate": 0}
    assert forgotten(["--older-than", "2100-01-01"], capfd) == (3, 3, 0)
    monkeypatch.delenv("RECOMMENDER_PAIR_CLICKS")
    assert main(["train", "--if-new", "1"]) == 0
    assert "0 new clicks" in capfd.readouterr().out


def test_the_rule_on_languages_is_a_setting(site: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    """Training says how many articles are in which, and writes the rule down."""
    assert main(["train"]) == 0
    assert "links stay in the language of the page: " in capfd.readouterr().out
    monkeypatch.setenv("RECOMMENDER_LANGUAGES", "any")
    assert main(["train", "--now", "2026-11-22T10:16:00Z"]) == 0
    assert "links may lead to any language" in capfd.readouterr().out

    assert read(resolve(site / "models")).languages.rule == "any"


def test_the_rule_on_listing_pages_is_a_setting(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """Training says how many there are, and of what titles."""
    texts = ["knee joint stairs and worn cartilage of the joint, clicks when going up",
             "night and dream, bed and pillow, snoring until the morning comes again",
             "bread with salt, butter on top, eaten warm from the oven with some soup"]  # fmt: skip
    posts = [
        {"id": f"{at}", "title": text.split(" and ")[0], "body": text}
        for at, text in enumerate(texts)
    ]
    home = "\n".join(f"{post['title']}\n{post['body']}" for post in posts)
    everything = [*posts, {"id": "home", "title": "Start", "body": home}]
    assert main(["import", "articles", write(here / "articles.jsonl", everything)]) == 0
    assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0
    assert 'recommended beside nothing: 1 were found, such as "Start"' in capfd.readouterr().out
    monkeypatch.setenv("RECOMMENDER_LISTINGS", "on")
    assert main(["train", "--json", "--now", "2026-11-22T10:16:00Z"]) == 0

    found = json.loads(capfd.readouterr().out)["listings"]
    assert found == {"rule": "on", "n_found": 0, "examples": []}


def test_an_account_is_not_asked_for_a_password_that_nothing_can_keep(
    here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Without the extra that is all there is to hear, also where there is no store."""
    monkeypatch.setattr("recommender.store.accounts.find_spec", lambda name: None)

    assert main(["user", "add", "ann", "--role", "editor"]) == 1

    assert "the console needs an optional part" in capfd.readouterr().err
