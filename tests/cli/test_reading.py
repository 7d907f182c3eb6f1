"""Commands that read take no more than the right to read."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sites import NOW

from recommender.articles.reader import read_articles
from recommender.cli.main import main
from recommender.demo.readers import PAGES
from recommender.events.reader import EventReader
from recommender.store.database import Store
from recommender.training.pipeline import Options, build

PAGE = sorted(PAGES.glob("*.txt"))[0].stem
COMMANDS = [
    ["validate"],
    ["evaluate"],
    ["compare", "live", "live"],
    ["export", "out", "--format", "pages"],
    ["export", "fragments", "--format", "html"],
    ["related", PAGE],
]
# What an analyst does, and every command; prints the exit statuses.
PROGRAM = """
import json, sys
import recommender
from recommender.cli.main import main
site = recommender.connect(sys.argv[1])
assert len(site.articles()) and len(site.impressions())
print(json.dumps([main(words) for words in json.loads(sys.argv[2])]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the sample site, a bundle of them, and views that came later."""
    folder = tmp_path_factory.mktemp("trained")
    ids = [path.stem for path in sorted(PAGES.glob("*.txt"))[:3]]
    later = [
        {"type": "impression", "view_id": f"v{n}", "ts": "2026-11-28T10:00:00Z",
         "source_id": ids[0], "shown": ids[1:]} for n in range(3)
    ]  # fmt: skip
    later += [{"type": "click", "view_id": "v1", "ts": "2026-11-28T10:00:09Z", "clicked": ids[1]}]
    (folder / "later.jsonl").write_text("".join(json.dumps(event) + "\n" for event in later))
    with Store(f"sqlite:///{folder / 'site.db'}") as store:
        fill(store, folder)
        build(store, folder / "models", now=NOW, options=Options(until=1))
    return folder


def fill(store: Store, folder: Path) -> None:
    store.apply(read_articles([PAGES]))
    store.add_events(EventReader([folder / "later.jsonl"]))


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Iterator[Path]:
    """A working folder, with the store in ``data`` below it."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "site.db").rename(tmp_path / "data" / "site.db")
    yield tmp_path
    (tmp_path / "data").chmod(0o755)


def read_all(folder: Path, database: str) -> list[int]:
    """The exit statuses of all commands, by one who may do only what modes of files allow."""
    obeying = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everything, and there is no setpriv here")
    done = subprocess.run(
        [*(obeying if os.geteuid() == 0 else []), sys.executable, "-c", PROGRAM, database,
         json.dumps(COMMANDS)],
        cwd=folder, env={**os.environ, "RECOMMENDER_DATABASE": database}, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    statuses: list[int] = json.loads(done.stderr.splitlines()[-1])
    return statuses


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode_of_folder", "is_open"), [(0o555, False), (0o555, True), (0o755, False)]
)
def test_a_file_that_cannot_be_written_is_read(folder: Path, *, is_open: bool, mode_of_folder: int):
    """Also in a folder where nothing can be made, and while another process writes to it; nothing
    is left behind.
    """
    path = folder / "data" / "site.db"
    database = f"sqlite:///{path}"
    with Store(database) as store:
        if is_open:
            store.keep("something", "written last")
        else:
            store.close()
        path.chmod(0o444)
        path.parent.chmod(mode_of_folder)
        before = {file.name: file.read_bytes() for file in path.parent.iterdir()}

        statuses = read_all(folder, database)

        after = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert statuses[1:] == [0] * 5
    assert after.keys() == before.keys()
    assert after["site.db"] == before["site.db"]
    assert after.get("site.db-wal") == before.get("site.db-wal")


def test_a_role_that_may_read_is_enough(
    folder: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
):
    """On PostgreSQL; to write, a command says that it may not."""
    import psycopg

    with Store(postgresql_url) as store:
        fill(store, folder)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS looker")
        connection.execute("CREATE ROLE looker LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker")
    database = postgresql_url.replace("tester@", "looker@")

    statuses = read_all(folder, database)

    assert statuses[1:] == [0] * 5
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RECOMMENDER_DATABASE", database)
    assert main(["train"]) == 1
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("DROP OWNED BY looker")
        connection.execute("DROP ROLE looker")
