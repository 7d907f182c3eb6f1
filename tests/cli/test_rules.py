"""The commands of the editors' rules, and lists by another bundle and as on a date."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

import recommender
from recommender.bundle import registry
from recommender.cli.main import main
from recommender.errors import ArgumentError
from recommender.store import rules
from recommender.store.database import Store
from recommender.store.rules import Rule

RECORDS = [
    {"id": "knee", "title": "Knee", "body": "knee joint stairs walking cartilage"},
    {"id": "hip", "title": "Hip", "body": "hip joint stairs walking bone"},
    {"id": "toe", "title": "Big toe", "body": "toe joint walking gout bone"},
    {"id": "nap", "title": "Nap", "body": "noon dream bed pillow couch"},
    {"id": "bed", "title": "Beds", "body": "bed pillow couch night dream"},
]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and two bundles."""
    folder = tmp_path_factory.mktemp("trained")
    path = folder / "articles.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["import", "articles", str(path)]) == 0
        assert main(["train", "--now", "2026-11-22T10:15:00Z"]) == 0
        assert main(["train", "--now", "2026-11-22T11:15:00Z"]) == 0
    return folder


@pytest.fixture
def site(trained: Path, here: Path) -> Path:
    shutil.copytree(trained, here, dirs_exist_ok=True)
    return here


def run(*words: str, capfd: pytest.CaptureFixture[str], status: int = 0) -> tuple[str, str]:
    capfd.readouterr()
    assert main(list(words)) == status
    out, err = capfd.readouterr()
    return out, err


def first(capfd: pytest.CaptureFixture[str], *words: str) -> str:
    out, _ = run("related", "knee", "--json", "-k", "1", *words, capfd=capfd)
    found: str = json.loads(out)["items"][0]["id"]
    return found


def add(rule: Rule) -> None:
    with Store("sqlite:///recommender.db") as store:
        rules.add(store, rule, account="ann", at=NOW)


def test_lists_go_by_the_rules_of_the_file_and_of_the_console(site: Path, capfd):
    """For one place of a page the file's holds; export and audit go by both too."""
    assert first(capfd) != "nap"
    add(Rule("pin", "knee", "nap", 1))
    assert first(capfd) == "nap"
    (site / "editorial.csv").write_text("action;source;target;position\npin;knee;bed;1\n")
    assert first(capfd) == "bed"
    run("export", "out", "--format", "json", capfd=capfd)
    exported = "".join(path.read_text() for path in Path("out").rglob("*") if path.is_file())
    assert exported.index('"bed"') < exported.index('"nap"')


def test_a_list_as_on_a_date_and_by_another_bundle(site: Path, capfd):
    """Days are those of the site's zone; a date of two meanings is wrong usage."""
    (site / "editorial.csv").write_text(
        "action,source,target,from,until\npin,knee,bed,2099-12-24,2099-12-26\n"
    )
    old, live = registry.names(site / "models")

    assert first(capfd) != "bed"
    assert [first(capfd, "--at", f"2099-12-{day}") for day in (23, 24, 26, 27)] == [
        "hip",
        "bed",
        "bed",
        "hip",
    ]
    out, _ = run("related", "knee", "--json", "--bundle", old, capfd=capfd)
    assert (json.loads(out)["model"], registry.current(site / "models")) == (old, live)
    assert "no such bundle" in run("related", "knee", "--bundle", "x", capfd=capfd, status=1)[1]
    assert "may be" in run("related", "knee", "--at", "1/2/2026", capfd=capfd, status=2)[1]


def test_rules_without_effect_are_named(site: Path, capfd):
    """With the reason and what may have been meant; exit status 1 as long as there are some."""
    assert "0 of 0 rules" in run("rules", "check", capfd=capfd)[0]
    (site / "editorial.csv").write_text("action,source,target\nblock,*,kneee\nblock,*,toe\n")
    add(Rule("pin", "knee", "toe", 1))

    content = json.loads(run("rules", "check", "--json", capfd=capfd, status=1)[0])

    assert content["n_rules"] == 3
    unknown, blocked = content["no_effect"]
    assert (unknown["line"], unknown["effect"]) == (2, "unknown")
    assert unknown["near"] == [{"id": "knee", "title": "Knee"}]
    assert (blocked["number"], blocked["account"], blocked["effect"]) == (1, "ann", "blocked")
    assert "line 3 of the file" in blocked["why"]
    out, _ = run("rules", "list", capfd=capfd)
    assert "in force" in out
    assert "2 of which take no effect" in out


def test_a_file_is_brought_in_whole_or_not_at_all(site: Path, capfd):
    """``--dry-run`` writes nothing; one undoing takes all of it out; what is written comes back."""
    sheet = site / "sheet.csv"
    sheet.write_bytes("action;source;target;position\r\npin;knee;bett;1\r\n".encode("cp1252"))
    out, err = run("rules", "import", "sheet.csv", capfd=capfd, status=1)
    assert "not done: 1 refused" in out
    assert "sheet.csv:2: refused: no article has the id or address “bett”" in err

    sheet.write_text("action;source;target;position\npin;knee;bed;1\nblock;*;toe;\n")
    assert "not done: 2 added" in run("rules", "import", "sheet.csv", "--dry-run", capfd=capfd)[0]
    assert first(capfd) != "bed"
    assert "2 added" in run("rules", "import", "sheet.csv", capfd=capfd)[0]
    assert first(capfd) == "bed"
    run("rules", "export", "out.csv", "--semicolons", capfd=capfd)
    assert "2 there already" in run("rules", "import", "out.csv", capfd=capfd)[0]

    out, _ = run("rules", "history", capfd=capfd)
    assert "imported" in out
    assert "action 1 is undone" in run("rules", "undo", "1", capfd=capfd)[0]
    assert first(capfd) != "bed"
    assert "it was undone already" in run("rules", "undo", "1", capfd=capfd, status=1)[1]
    history = json.loads(run("rules", "history", "--json", capfd=capfd)[0])
    assert [(each["what"], each["undoes"]) for each in history] == [
        ("undone", 1),
        ("imported", None),
    ]


def test_the_sites_own_file_moves_into_the_console(site: Path, capfd):
    """Its lines are no doubles of themselves."""
    (site / "editorial.csv").write_text("action,source,target\nblock,*,toe\n")

    assert "1 added" in run("rules", "import", "editorial.csv", capfd=capfd)[0]


def test_a_store_that_cannot_be_read_is_said(site: Path, capfd):
    """The file's rules hold; that the console's are not known is no secret."""
    (site / "editorial.csv").write_text("action,source,target\npin,knee,bed\n")
    (site / "recommender.db").write_bytes(b"no database")

    out, err = run("related", "knee", "--json", "-k", "1", capfd=capfd)

    assert json.loads(out)["items"][0]["id"] == "bed"
    assert "nor are the rules of the console" in err


def test_training_refuses_a_faulty_file_before_it_begins(site: Path, capfd):
    """With the line and the field."""
    (site / "editorial.csv").write_text("action,source,target,until\nblock,*,toe,3/4/2026\n")

    _, err = run("train", capfd=capfd, status=1)

    assert "editorial.csv:2: field until: '3/4/2026' may be" in err


def test_training_says_how_many_rules_take_no_effect(site: Path, capfd):
    """In one line, among the warnings, also where nothing else is said; silent if all do."""
    (site / "editorial.csv").write_text("action,source,target\nblock,*,kneee\nblock,knee,hip\n")

    _, err = run("train", "--quiet", capfd=capfd)

    assert "1 of 2 rules of editors without the effect they are for" in err
    assert err.count("\n") == 1
    (site / "editorial.csv").write_text("action,source,target\nblock,knee,hip\n")
    assert run("train", "--quiet", capfd=capfd)[1] == ""


def test_a_bundle_in_python_goes_by_the_rules_of_a_site_too(site: Path):
    """At a moment of its own; the file beats the console; without a site there are none."""
    add(Rule("pin", "knee", "nap", 1))
    (site / "e.csv").write_text("action,source,target,position,from\npin,knee,bed,1,2026-11-23\n")

    def top(**more: object) -> str:
        bundle = recommender.load("models", **more)
        return str(bundle.related("knee", k=1)[0].id)

    there = recommender.connect()
    assert top(site=there) == "nap"
    assert top(site=there, editorial_file="e.csv", now=NOW) == "nap"
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert top(site=there, editorial_file="e.csv", now=late) == "nap"
    assert top(site=there, editorial_file="e.csv", now=late, time_zone="Europe/Berlin") == "bed"
    assert top() != "nap"
    with pytest.raises(ArgumentError, match="no time zone"):
        top(editorial_file="e.csv", time_zone="Mars/Olympus")
    with pytest.raises(TypeError, match="site: 'x' is given"):
        top(site="x")
    there.store.close()
