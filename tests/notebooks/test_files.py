"""The notebooks written out for a site, by the command and as a stranger finds them."""

import json
import os
from pathlib import Path

import nbformat
import pytest

from recommender.cli.main import main
from recommender.config import FILE
from recommender.notebooks.files import is_changed, sources


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with settings in a file and none in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("RECOMMENDER_")]:
        monkeypatch.delenv(name)
    text = 'database = "sqlite:///site.db"\nmodels = "bundles"\n'
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    return tmp_path


def first_cell(path: Path) -> dict[str, object]:
    """What the names of the first cell are, without running what it calls."""
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    given = [line for line in code[0].source.splitlines() if ' = "' in line]
    found: dict[str, object] = {}
    exec("\n".join(given), found)
    return {name: found[name] for name in ("database", "models", "events")}


def test_they_are_written_for_the_site_of_the_settings(
    folder: Path, capfd: pytest.CaptureFixture[str]
):
    """With whole paths, without outputs, and it is said how to open them."""
    assert main(["notebooks", "analysis"]) == 0

    names = [path.name for path in sources()]
    assert sorted(path.name for path in (folder / "analysis").iterdir()) == names
    for name in names:
        path = folder / "analysis" / name
        assert first_cell(path) == {
            "database": f"sqlite:///{folder / 'site.db'}",
            "models": str(folder / "bundles"),
            "events": "",
        }
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
        assert not [cell for cell in book.cells if cell.get("outputs")]
    out = capfd.readouterr().out
    assert "jupyter lab analysis" in out
    assert str(folder / FILE) in out


def test_a_password_stays_out_of_the_files(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The first cell leaves it to the settings, which are where it was."""
    monkeypatch.setenv("RECOMMENDER_DATABASE", "postgresql://reader:secret@host/site")

    assert main(["notebooks", "analysis"]) == 0

    texts = [path.read_text(encoding="utf-8") for path in (folder / "analysis").iterdir()]
    assert not [text for text in texts if "secret" in text]
    assert first_cell(folder / "analysis" / sources()[0].name)["database"] == ""


def test_where_nothing_names_a_site_they_show_the_sample(
    folder: Path, capfd: pytest.CaptureFixture[str]
):
    """A stranger who installed the package has something to look at."""
    (folder / FILE).unlink()

    assert main(["notebooks", "."]) == 0

    assert "for the sample site" in capfd.readouterr().out
    assert set(first_cell(folder / sources()[0].name).values()) == {""}


def test_what_a_person_changed_is_kept(folder: Path, capfd: pytest.CaptureFixture[str]):
    """What was only run is written anew."""
    assert main(["notebooks", "analysis"]) == 0
    changed, run = (folder / "analysis" / path.name for path in sources()[:2])
    for path, change in ((changed, "source"), (run, "outputs")):
        book = json.loads(path.read_text(encoding="utf-8"))
        cell = next(cell for cell in book["cells"] if cell["cell_type"] == "code")
        stream = {"output_type": "stream", "name": "stdout", "text": ["5\n"]}
        cell[change] = ["mine = 5\n"] if change == "source" else [stream]
        path.write_text(json.dumps(book), encoding="utf-8")
    before = changed.read_text(encoding="utf-8")
    capfd.readouterr()

    assert main(["notebooks", "analysis"]) == 1

    out, err = capfd.readouterr()
    assert changed.read_text(encoding="utf-8") == before
    assert f"{Path('analysis') / changed.name}: changed since it was written, and kept" in err
    assert changed.name not in out
    assert '"mine' not in run.read_text(encoding="utf-8")
    assert "5\\n" not in run.read_text(encoding="utf-8")
    assert main(["notebooks", "analysis", "--force"]) == 0
    assert not is_changed(changed)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"metadata": {"recommender": {}}}', "\ud83d"])
def test_a_file_that_is_no_copy_is_kept(text: str, folder: Path):
    """Somebody's own notebook of the same name, or no notebook at all."""
    path = folder / sources()[0].name
    path.write_bytes(text.encode(errors="surrogatepass"))

    assert main(["notebooks", "."]) == 1

    assert path.read_bytes() == text.encode(errors="surrogatepass")


def test_the_originals_are_never_overwritten(folder: Path, capfd: pytest.CaptureFixture[str]):
    """Not even if that is asked for."""
    before = [path.read_bytes() for path in sources()]

    assert main(["notebooks", str(sources()[0].parent), "--force"]) == 1

    assert [path.read_bytes() for path in sources()] == before
    assert "name another folder" in capfd.readouterr().err
