"""A bundle is there whole or not at all, and what is live changes in one step or not at all."""

import hashlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recommender.articles.dates import DateCounts
from recommender.bundle import registry
from recommender.bundle.registry import (
    CURRENT,
    LAYOUT,
    MANIFEST,
    PREVIOUS,
    Calibration,
    Curve,
    Examination,
    HandPicked,
    Manifest,
    Sent,
    current,
    inside,
    names,
    new_name,
    prune,
    publish,
    read,
    resolve,
    scratch_folder,
    verify,
)
from recommender.errors import BundleError
from recommender.lists.concentration import Concentration
from recommender.lists.eligibility import OFF, Language, Languages, Listings
from recommender.lists.populations import Populations

ABOUT = Manifest(
    name="a",
    built="2026-11-22T10:15:00+00:00",
    data_window=("2026-11-01T00:00:00+00:00", None),
    data_until_ms=None,
    decided_by="text",
    learned_from=None,
    reason="there are no clicks",
    scores={"text": 0.1},
    importance={},
    hand_picked=HandPicked("too few", 3, {}, {}),
    n_articles=3,
    n_stubs=0,
    n_clicks=1,
    n_views=9,
    sent=Sent(9, 2, 1.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1, 9.0, None, {"2026-11-01": 0.5}),
    examination=Examination(
        False, "too few", 1, ("not corrected",), (Curve("", False, "too few", 1),)
    ),
    calibration=Calibration(None, "no clicks", None),
    relevance_floor=0.1,
    edition=0.5,
    languages=Languages(known=(Language("en", 2),), rare=(Language("de", 0, 1),), n_unknown=1),
    listings=Listings(OFF, 1, ("All posts",)),
    concentration=Concentration(10, 5, 3, 3, 3),
    populations=Populations((), (0.1, 0.2, 0.3, 0.4, 0.5), 1.0, 1.0),
    dates=DateCounts(n_dated=2, n_undated=1, median_age=9.5, ageing=("news",)),
    explore=0,
    variants=({"from": 0, "to": 99, "arm": "best", "slate": 0},),
    store="s",
    change=1,
    n_logged_clicks=1,
    versions={"python": "3.11"},
)
FILES = {"lists.npy": b"lists", "MODEL_CARD.md": b"# card", "empty.npy": b""}
# These bundles hold no lists that could be tried.
activate = partial(registry.activate, trial=Path.is_dir)
rollback = partial(registry.rollback, trial=Path.is_dir)
NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)


def bundle(models: Path, name: str, **changes: Any) -> Path:
    """A published bundle of three files."""
    with scratch_folder(models, name) as folder:
        for file, content in FILES.items():
            (folder / file).write_bytes(content)
        return publish(folder, models, replace(ABOUT, name=name, **changes))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Bundles a, b and c; they were live in this order, so c is."""
    for name in "abc":
        bundle(tmp_path, name)
        activate(tmp_path, name)
    return tmp_path


def test_what_is_published_can_be_read(tmp_path: Path):
    """The manifest says what it was told, and each file's size and sum."""
    found = verify(bundle(tmp_path, "a", reason="中文"))

    assert {file: entry.size for file, entry in found.files.items()} == {
        file: len(content) for file, content in FILES.items()
    }
    assert replace(found, files={}) == replace(ABOUT, reason="中文")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


NOTHING_LEFT_OUT = Sent(1_000, 20, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 100.0, 2.0, {})


def test_where_pages_sent_nothing_it_is_said():
    """A log that is imported is all trusted."""
    silent = replace(NOTHING_LEFT_OUT, n_views=0, n_clicks=0)

    assert str(silent) == "none of the log was sent by pages; what is imported is never capped"


def test_where_all_counts_it_is_said():
    """Less than half a view is none."""
    assert str(NOTHING_LEFT_OUT) == "pages sent 1,000 views and 20 clicks, and all of them count"
    assert str(replace(NOTHING_LEFT_OUT, page_views=0.4)) == str(NOTHING_LEFT_OUT)


def test_what_is_left_out_is_said_with_its_reason():
    """In the order in which it is taken off, and the days of which most is; of clicks on a target
    views count all the same.
    """
    sent = Sent(
        n_views=9_000, n_clicks=400, volume_views=1_200.0, volume_clicks=60.4, page_views=0.0,
        page_clicks=0.0, target_clicks=30.0, day_views=700.0, day_clicks=12.0, brought_clicks=5,
        usual_views=300.0, usual_clicks=None, days={"2026-11-01": 0.25, "2026-11-03": 0.0},
    )  # fmt: skip

    assert str(sent) == (
        "pages sent 9,000 views and 400 clicks; capped, and left out: 1,200 views and 60 clicks "
        "beyond what a day may bring; 30 clicks on targets far beyond what the rest of the log "
        "expects; 700 views and 12 clicks of days that disagree with the rest of the log; 5 clicks "
        "on links that only a request brought onto a list; most on 2026-11-01 (25 % of it counts), "
        "2026-11-03 (0 % of it counts)"
    )


def test_a_published_bundle_is_not_live_yet(tmp_path: Path):
    """Publishing and activating are two steps."""
    bundle(tmp_path, "a")

    assert current(tmp_path) is None
    with pytest.raises(BundleError, match="no bundle is live there yet; run: recommender train"):
        resolve(tmp_path)


def test_a_name_is_given_once(tmp_path: Path):
    """Bundles never change; the first one stays as it is."""
    first = bundle(tmp_path, "a", change=1)

    with pytest.raises(BundleError, match="bundles never change"):
        bundle(tmp_path, "a", change=2)

    assert verify(first).change == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def damage(path: Path, how: str) -> None:
    raw = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(raw[:-1])
    elif how == "longer":
        path.write_bytes(raw + b"x")
    else:
        path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))


OTHER_SIZES = [
    (file, how)
    for file, content in FILES.items()
    for how in ("missing", "truncated", "longer")
    if content or how != "truncated"
]


@pytest.mark.parametrize(("file", "how"), OTHER_SIZES)
def test_a_file_of_another_size_is_refused_at_every_start(models: Path, file: str, how: str):
    """Missing, cut short, or with something behind it; the file is named."""
    damage(models / "a" / file, how)

    with pytest.raises(BundleError, match=rf"a/{file}: .*; the bundle is damaged"):
        read(models / "a")


@pytest.mark.parametrize("file", ["lists.npy", "MODEL_CARD.md"])
def test_a_changed_byte_is_refused_when_it_is_activated(models: Path, file: str):
    """Starting reads sizes alone, which is quick; activating reads every byte."""
    damage(models / "a" / file, "changed")

    read(models / "a")
    with pytest.raises(BundleError, match=rf"a/{file}: its SHA-256 sum is not the manifest's"):
        activate(models, "a")
    assert current(models) == "c"


def test_a_file_the_manifest_does_not_list_is_refused(models: Path):
    """Somebody worked in the folder."""
    (models / "a" / "extra.npy").write_bytes(b"x")

    with pytest.raises(BundleError, match=r"a/extra\.npy: not in the manifest"):
        activate(models, "a")


@pytest.mark.slow
def test_a_manifest_with_any_byte_changed_is_refused_at_every_start(models: Path):
    """It ends in a sum of its own, so a figure in it cannot change unseen."""
    path = models / "a" / MANIFEST
    whole = path.read_bytes()

    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            changed = json.loads(path.read_bytes()) != json.loads(whole)
        except ValueError:
            changed = True
        if changed:
            with pytest.raises(BundleError, match=r"/a\b"):
                read(models / "a")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"layout": 1}'])
def test_a_manifest_that_is_none_is_refused(models: Path, raw: bytes):
    """Whatever it holds instead."""
    (models / "a" / MANIFEST).write_bytes(raw)

    with pytest.raises(BundleError, match="/a"):
        read(models / "a")


def rewrite(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """A manifest with something changed in it, and a sum that is right all the same."""
    content = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    change(content)
    del content["sum"]
    raw = json.dumps(content, sort_keys=True).encode()
    content["sum"] = hashlib.sha256(raw).hexdigest()
    (bundle / MANIFEST).write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (LAYOUT - 1, "made by an older release; run: recommender train"),
        (1, "made by an older release; run: recommender train"),
        (LAYOUT + 1, "not known here"),
        ("5", "not known here"),
    ],
)
def test_another_layout_is_refused(models: Path, layout: object, message: str):
    """A bundle of another release says so, rather than being misread."""
    rewrite(models / "c", lambda content: content.update(layout=layout))

    for refusing in (read, verify, lambda folder: activate(models, folder.name)):
        with pytest.raises(BundleError, match=rf"/c: layout {layout!r}, .*: {message}"):
            refusing(models / "c")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("store"), "field store is missing"),
        (lambda content: content.update(colour="red"), "unknown field colour"),
        (
            lambda content: content["examination"].pop("summary"),
            "field examination.summary is missing",
        ),
        (
            lambda content: content["examination"]["layouts"][0].update(new=1),
            "unknown field examination.layouts.0.new",
        ),
        (lambda content: content.update(calibration=3), "calibration is not an object"),
        (
            lambda content: content["files"]["lists.npy"].pop("sha256"),
            r"field files.lists.npy.sha256 is missing",
        ),
    ],
)
def test_a_manifest_of_other_fields_is_refused(
    models: Path, change: Callable[[dict[str, Any]], object], message: str
):
    """The file and the field are named."""
    rewrite(models / "c", change)

    with pytest.raises(BundleError, match=rf"c/manifest\.json: {message}"):
        read(models / "c")


def test_a_half_written_bundle_is_refused(models: Path):
    """A folder without a manifest is no bundle, whoever made it; nor is one that is not there."""
    (models / "a" / MANIFEST).unlink()

    assert names(models) == ["b", "c"]
    with pytest.raises(BundleError, match="half-written: it has no manifest"):
        activate(models, "a")
    with pytest.raises(BundleError, match="half-written"):
        resolve(models / "a")
    with pytest.raises(BundleError, match="there is no such bundle"):
        activate(models, "d")
    assert current(models) == "c"


def test_a_build_that_fails_leaves_nothing(models: Path):
    """The folder it wrote into goes with it."""
    with pytest.raises(ZeroDivisionError), scratch_folder(models, "d") as folder:
        (folder / "lists.npy").write_bytes(b"half")
        raise ZeroDivisionError

    assert names(models) == ["a", "b", "c"]
    assert not [path for path in models.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["../a", "", ".", "..", ".hidden", "/etc", "a/b", "a/"])
def test_a_name_that_leads_elsewhere_is_refused(models: Path, name: str):
    """Names come from the command line and over HTTP."""
    with pytest.raises(BundleError, match="is no bundle's name"):
        inside(models, name)
    with pytest.raises(BundleError, match="is no bundle's name"):
        activate(models, name)


def test_a_pointer_that_leads_elsewhere_is_refused(models: Path):
    """Or holds no text at all."""
    (models / CURRENT).write_text("../../etc\n")
    with pytest.raises(BundleError, match="is no bundle's name"):
        resolve(models)

    (models / CURRENT).write_bytes(b"\xff\n")
    with pytest.raises(BundleError, match="CURRENT: cannot be read"):
        resolve(models)


def test_the_live_bundle_is_found(models: Path):
    """Below its folder, or named itself."""
    assert resolve(models) == models / "c"
    assert resolve(models / "a") == models / "a"


def test_rollback_walks_back(models: Path):
    """To b, to a, and then no further; each time one step."""
    assert [rollback(models), rollback(models)] == ["b", "a"]
    assert current(models) == "a"

    with pytest.raises(BundleError, match="no bundle was live before this one"):
        rollback(models)
    assert current(models) == "a"


def test_rollback_passes_over_what_is_gone(models: Path):
    """A deleted bundle cannot come back."""
    (models / "b" / MANIFEST).unlink()

    assert rollback(models) == "a"


def test_rollback_to_a_damaged_bundle_is_refused(models: Path):
    """What is live stays."""
    damage(models / "b" / "lists.npy", "changed")

    with pytest.raises(BundleError, match=r"b/lists\.npy"):
        rollback(models)
    assert current(models) == "c"


def test_after_a_rollback_the_way_back_is_the_same(models: Path):
    """a, b, c; back to b; on to d; back to b, then to a."""
    rollback(models)
    bundle(models, "d")
    activate(models, "d")

    assert [rollback(models), rollback(models)] == ["b", "a"]


def test_activating_the_live_bundle_changes_nothing(models: Path):
    """There is nothing to roll back to that was not there before."""
    activate(models, "c")

    assert (models / PREVIOUS).read_text().split() == ["a", "b"]


def test_prune_keeps_the_newest_the_live_one_and_the_way_back(models: Path):
    """Live is c and before it b; d was published only."""
    bundle(models, "d")

    assert prune(models, keep=1) == ["a"]
    assert names(models) == ["b", "c", "d"]
    assert rollback(models) == "b"
    assert prune(models, keep=1) == ["c"]
    assert names(models) == ["b", "d"]


def test_what_a_killed_build_left_is_no_obstacle(models: Path):
    """The same name and the same process number again, as in a container that restarts."""
    with registry.scratch_folder(models, "b9") as left:
        (left / "half").write_text("x")
        with registry.scratch_folder(models, "b9") as again:
            assert again == left
            assert not list(again.iterdir())


def test_prune_keeps_one_at_least(models: Path):
    """An empty folder serves nobody."""
    with pytest.raises(BundleError, match="at least one bundle must stay"):
        prune(models, keep=0)


def test_prune_finishes_what_was_cut_short(models: Path):
    """A deletion renames first; what it left behind goes the next time."""
    (models / "a").rename(models / ".a.pruned")

    assert names(models) == ["b", "c"]
    assert prune(models, keep=5) == []
    assert not (models / ".a.pruned").exists()


def test_names_sort_by_time(tmp_path: Path):
    """Of two equal builds of one second, the second gets a number."""
    first = new_name(tmp_path, NOW, "3f2a9c77")
    bundle(tmp_path, first)

    assert first == "20261122-101500-3f2a9c"
    assert new_name(tmp_path, NOW, "3f2a9c77") == "20261122-101500-3f2a9c-2"


@pytest.mark.slow
def test_many_who_activate_at_once_leave_one_live(models: Path):
    """Threads and processes; CURRENT is one name, whole, at any time."""
    script = (
        "import sys; from pathlib import Path; from recommender.bundle.registry import activate\n"
        "for _ in range(30): activate(Path(sys.argv[1]), sys.argv[2], trial=Path.is_dir)"
    )
    others = [subprocess.Popen([sys.executable, "-c", script, models, name]) for name in "ab"]
    seen, faults = set(), []

    def switch() -> None:
        try:
            for name in "abc" * 10:
                activate(models, name)
                seen.add(current(models))
        except Exception as exc:  # noqa: BLE001
            faults.append(exc)

    threads = [threading.Thread(target=switch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [other.wait(60) for other in others] == [0, 0]
    assert faults == []
    assert seen <= {"a", "b", "c"}
    assert current(models) in seen
    assert not [path.name for path in models.iterdir() if path.name.startswith(".")]


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from recommender.bundle import registry
models, deed, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
steps = 0

def counted(what):
    def wrapped(*given, **more):
        global steps
        steps += 1
        if steps == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return what(*given, **more)
    return wrapped

os.fsync = counted(os.fsync)
Path.rename = counted(Path.rename)
Path.replace = counted(Path.replace)
if deed == "activate":
    registry.activate(models, "b", trial=Path.is_dir)
else:
    with registry.scratch_folder(models, f"d{step}") as folder:
        (folder / "lists.npy").write_bytes(b"lists")
        about = replace(registry.read(models / "a"), name=f"d{step}", files={})
        registry.publish(folder, models, about)
"""


@pytest.mark.slow
@pytest.mark.parametrize("deed", ["activate", "publish"])
def test_kill_9_in_the_middle_leaves_what_was_live(models: Path, deed: str):
    """Killed before any step to the disk: what is listed is whole, and what is live works."""
    for step in range(1, 20):
        end = subprocess.run([sys.executable, "-c", KILLED, models, deed, str(step)], timeout=60)
        assert end.returncode in (0, -signal.SIGKILL)
        live = current(models)
        assert live in ("b", "c")
        verify(models / live)
        for name in names(models):
            verify(models / name)
        if end.returncode == 0:
            break
        if live == "b":
            activate(models, "c")

    assert end.returncode == 0
    assert step > 4
    assert current(models) == ("b" if deed == "activate" else "c")
    assert (f"d{step}" in names(models)) == (deed == "publish")


def test_a_full_disk_leaves_what_was_live(models: Path, monkeypatch: pytest.MonkeyPatch):
    """The pointer is written aside first."""

    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        activate(models, "a")

    assert current(models) == "c"
    verify(models / "c")
