"""Bundles that are shared by an object store: an S3 server of its own, and copies in folders."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import publish

from recommender.bundle import activation, object_store, registry
from recommender.bundle.object_store import ObjectStore
from recommender.bundle.published import Lists
from recommender.errors import BundleError, MissingExtra

fsspec = pytest.importorskip("fsspec", reason="the extra `objects` is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Two bundles, of which the first is live."""
    models = tmp_path_factory.mktemp("made") / "models"
    return models, *publish(models)


@pytest.fixture(params=["memory", "s3"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty place in an object store."""
    if request.param == "memory":
        files: Any = fsspec.filesystem("memory")
        place, url = "/shared/models", "memory://shared/models"
    else:
        files = request.getfixturevalue("bucket")
        place, url = "site/models", "s3://site/models"
    if files.exists(place):
        files.rm(place, recursive=True)
    yield url


@pytest.fixture
def trainer(published: tuple[Path, str, str], url: str, tmp_path: Path) -> ObjectStore:
    """Where the first bundle was trained, made live and sent."""
    models, first, second = published
    folder = tmp_path / "trainer"
    store = ObjectStore(url, folder)
    store.pull()
    shutil.copytree(models / first, folder / first)
    activation.activate(folder, first)
    store.send()
    shutil.copytree(models / second, folder / second)
    return store


@pytest.fixture
def replica(trainer: ObjectStore, tmp_path: Path) -> ObjectStore:
    """Another machine."""
    return ObjectStore(trainer.url, tmp_path / "replica")


def files_at(store: ObjectStore) -> list[str]:
    found = store._files.find(store._root)
    return sorted(
        path.strip("/").removeprefix(store._root.strip("/")).lstrip("/") for path in found
    )


def test_what_is_sent_is_served_elsewhere(
    trainer: ObjectStore, replica: ObjectStore, published: tuple[Path, str, str]
):
    """The live bundle is fetched, and no other; it opens there and is the same."""
    models, first, second = published
    trainer.send()

    replica.pull()

    assert replica.pointers() == (first, None)
    assert registry.names(replica.folder) == [first]
    assert registry.verify(registry.resolve(replica.folder)) == registry.read(models / first)
    assert replica.names() == sorted([first, second])
    assert replica.about(second).name == second
    assert Lists.open(replica.folder / first).ids.column[0]


def test_a_new_bundle_becomes_live_elsewhere_and_goes_back(
    trainer: ObjectStore, replica: ObjectStore, published: tuple[Path, str, str]
):
    """The history of what was live is shared too."""
    _, first, second = published
    replica.pull()

    activation.activate(trainer.folder, second)
    trainer.send()
    replica.pull()
    assert registry.current(replica.folder) == second
    assert registry.history(replica.folder) == [first]

    activation.rollback(replica.folder)
    replica.send()
    trainer.pull()
    assert registry.current(trainer.folder) == first
    assert registry.history(trainer.folder) == []


def test_the_pointer_is_the_last_thing_that_is_written(
    trainer: ObjectStore, published: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
):
    """And of a bundle its manifest: who looks meanwhile finds a whole one, or none."""
    second = published[2]
    activation.activate(trainer.folder, second)
    sent: list[str] = []
    files = trainer._files
    put, pipe = files.put, files.pipe_file

    def noted_put(here: list[str], there: list[str], **more: object) -> None:
        sent.extend(path.rpartition("models/")[2] for path in there)
        put(here, there, **more)

    def noted_pipe(path: str, content: bytes) -> None:
        sent.append(path.rpartition("models/")[2])
        pipe(path, content)

    monkeypatch.setattr(files, "put", noted_put)
    monkeypatch.setattr(files, "pipe_file", noted_pipe)
    trainer.send()

    arrays = set(registry.read(trainer.folder / second).files)
    assert {f"{second}/{name}" for name in arrays} == set(sent[: len(arrays)])
    assert sent[len(arrays) :] == [f"{second}/manifest.json", "PREVIOUS", "CURRENT"]


def test_a_bundle_that_is_damaged_there_never_becomes_visible(
    trainer: ObjectStore, replica: ObjectStore, published: tuple[Path, str, str]
):
    """What was live stays; once it is mended there, only what was at fault is fetched anew."""
    _, first, second = published
    replica.pull()
    activation.activate(trainer.folder, second)
    trainer.send()
    where = f"{trainer._root}/{second}/lists_scores.npy"
    good = trainer._files.cat_file(where)
    trainer._files.pipe_file(where, good[:-1] + bytes([good[-1] ^ 1]))

    with pytest.raises(BundleError, match=rf"{second}: .*lists_scores.npy: its SHA-256 sum"):
        replica.pull()
    assert registry.current(replica.folder) == first
    assert registry.names(replica.folder) == [first]

    trainer._files.pipe_file(where, good)
    aside = replica.folder / f".{second}{object_store.FETCHED}"
    kept = {path.name: path.stat().st_mtime_ns for path in aside.glob("*.npy")}
    assert len(kept) == len(list((trainer.folder / second).glob("*.npy"))) - 1
    replica.pull()
    assert registry.current(replica.folder) == second
    there = replica.folder / second
    assert {name: (there / name).stat().st_mtime_ns for name in kept} == kept


def test_a_download_that_was_cut_short_goes_on(
    trainer: ObjectStore, replica: ObjectStore, published: tuple[Path, str, str]
):
    """Half a file is fetched anew."""
    first = published[1]
    replica.pull()
    shutil.move(replica.folder / first, replica.folder / f".{first}{object_store.FETCHED}")
    half = replica.folder / f".{first}{object_store.FETCHED}" / "lists_items.npy"
    half.write_bytes(half.read_bytes()[:100])

    replica.fetch(first)

    assert registry.verify(replica.folder / first).name == first


def test_what_two_make_live_at_once_is_all_in_the_history(
    trainer: ObjectStore, replica: ObjectStore, published: tuple[Path, str, str], tmp_path: Path
):
    """The last one is live, and one can go back to the other."""
    models, first, second = published
    third = f"{second}9"
    replica.pull()
    activation.activate(trainer.folder, second)
    trainer.send()
    # The other pulled before that, and made one live for which it looked at no pointer since.
    shutil.copytree(models / first, replica.folder / third)
    registry.replace_file(replica.folder / "PREVIOUS", f"{first}\n")
    registry.replace_file(replica.folder / "CURRENT", f"{third}\n")
    replica.send()

    trainer.pull()
    assert registry.current(trainer.folder) == third
    assert registry.history(trainer.folder) == [first, second]


def test_pruning_spares_what_is_needed_and_clears_halves_away(
    trainer: ObjectStore, replica: ObjectStore, published: tuple[Path, str, str]
):
    """There and here; what a killed build left there has no manifest."""
    _, first, second = published
    newest, older = max(first, second), min(first, second)
    for name in (older, newest):
        activation.activate(trainer.folder, name)
    trainer.send()
    trainer._files.pipe_file(f"{trainer._root}/20200101-000000-abcdef/lists_items.npy", b"half")

    assert trainer.prune(keep=1) == []  # the older is where rollback would go
    assert not any(name.startswith("20200101") for name in files_at(trainer))
    registry.replace_file(trainer.folder / "PREVIOUS", "")
    trainer.send()
    assert trainer.prune(keep=1) == [older]

    assert replica.names() == registry.names(trainer.folder) == [newest]
    assert not any(name.startswith(older) for name in files_at(trainer))


def test_files_beside_the_bundles_travel_too_and_go_again(
    trainer: ObjectStore, replica: ObjectStore
):
    """Figures, comparisons, experiments; what is hidden does not."""
    (trainer.folder / "experiments" / "autumn").mkdir(parents=True)
    (trainer.folder / "experiments" / "autumn" / "readout.json").write_text("{}")
    (trainer.folder / "figures.json").write_text("1")
    (trainer.folder / ".editorial-last-good.csv").write_text("mine")
    trainer.send()

    replica.pull()
    assert (replica.folder / "experiments" / "autumn" / "readout.json").read_text() == "{}"
    assert (replica.folder / "figures.json").read_text() == "1"
    assert not (replica.folder / ".editorial-last-good.csv").exists()

    (trainer.folder / "figures.json").write_text("22")
    (trainer.folder / "experiments" / "autumn" / "readout.json").unlink()
    trainer.send()
    replica.pull()
    assert (replica.folder / "figures.json").read_text() == "22"
    assert not (replica.folder / "experiments" / "autumn" / "readout.json").exists()


def test_a_folder_of_old_is_not_sent_by_itself(
    published: tuple[Path, str, str], url: str, tmp_path: Path
):
    """Only what was made since; but a bundle that is made live there is."""
    models, first, second = published
    folder = tmp_path / "old"
    shutil.copytree(models, folder)
    store = ObjectStore(url, folder)
    store.pull()
    store.send()
    assert files_at(store) == []
    assert registry.current(folder) == first

    activation.activate(folder, second)
    store.send()
    assert store.names() == [second]
    assert store.pointers() == (second, None)


def test_a_bucket_that_is_not_there_is_named(bucket: object, tmp_path: Path):
    """Neither reading nor writing takes it for one without bundles."""
    store = ObjectStore("s3://misspelt/models", tmp_path)

    with pytest.raises(BundleError, match="s3://misspelt/models: there is no bucket misspelt"):
        store.pull()
    with pytest.raises(BundleError, match="there is no bucket misspelt"):
        store.check_place()
    assert ObjectStore("s3://site/models", tmp_path / "other").check_place() is None


def test_a_store_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Soon, and without what a URL may hold of a password."""
    pytest.importorskip("s3fs", reason="the extra `objects` is not installed")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    with pytest.raises(BundleError, match=r"^s3://site/models: out of reach: ") as caught:
        ObjectStore("s3://site/models", tmp_path).pull()

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense://a/b", "s4://bucket"])
def test_a_url_that_nobody_knows_is_named(url: str, tmp_path: Path):
    """With what was written."""
    with pytest.raises(BundleError, match=f"{url}: no URL that is known here"):
        ObjectStore(url, tmp_path)


def test_without_the_extra_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By its name."""
    monkeypatch.setitem(sys.modules, "fsspec", None)

    with pytest.raises(MissingExtra, match=r"pip install '\.\[objects\]'"):
        ObjectStore("s3://bucket/models", tmp_path)


def test_serving_from_a_folder_loads_no_driver():
    """It would need more memory than all the rest."""
    program = "import sys, recommender_api.app; print([m for m in sys.modules if 'fsspec' in m])"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
