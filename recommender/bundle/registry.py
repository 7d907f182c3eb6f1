"""A bundle on disk: a folder that never changes, a manifest of its files, and a pointer.

    models/
    ├── CURRENT                one line: the live bundle's name
    ├── PREVIOUS               the names that were live before it, newest last
    └── 20261122-101500-3f2a/  manifest.json, MODEL_CARD.md, arrays

A bundle is written under a name that begins with a dot and renamed when every file is on disk,
so a folder with a plain name is whole. Its manifest lists every file with size and SHA-256 sum, and
ends with a sum of its own: the manifest and the sizes are checked at every start, the files' sums
when a bundle is published and activated.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from recommender.array_fields import Within
from recommender.articles.dates import DateCounts, is_moment
from recommender.bundle.arrays import MAX_WHOLE, build, read_json
from recommender.errors import BundleError
from recommender.events.slate_token import N_VARIANTS
from recommender.lists.concentration import Concentration
from recommender.lists.eligibility import Languages, Listings
from recommender.lists.exploration import variant_table
from recommender.lists.populations import Populations

# Raised whenever a file, or a field of one, comes, goes or changes its meaning.
LAYOUT = 17
MANIFEST = "manifest.json"
CURRENT = "CURRENT"
PREVIOUS = "PREVIOUS"
PRUNED = ".pruned"
# All that a bundle is made of: arrays, JSON, and a card to read.
SUFFIXES = (".npy", ".z", ".json", ".md")
# How many there are of something.
Count = Annotated[int, Within(0, MAX_WHOLE)]
Share = Annotated[float, Within(0, 1)]


@dataclass(frozen=True, slots=True)
class File:
    """The bytes of a file and their SHA-256 sum."""

    size: Count
    sha256: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Whether the examination curve of a ``layout`` is identified."""

    layout: str
    identified: bool
    reason: str
    n_clicks: int


@dataclass(frozen=True, slots=True)
class Examination:
    """Whether the log identifies examination by position: on the whole site, and in ``layouts``.
    ``summary`` are sentences on what was corrected for.
    """

    identified: bool
    reason: str
    n_clicks: int
    summary: tuple[str, ...]
    layouts: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What chances rest on: ``slope`` is None where none are stated, and ``error`` (expected
    calibration error, a share) where no days were set aside; ``reason`` is a sentence on both.
    """

    slope: float | None
    reason: str
    error: float | None


@dataclass(frozen=True, slots=True)
class Sent:
    """What pages sent, views and clicks, and how much of it does not count: beyond what a day may
    bring (``volume``), or since its ``page``, its ``target`` or its ``day`` disagrees with the rest
    of the log; and clicks on links that only a request brought onto a list. ``usual`` ones are
    those of a day, None where too few are known; ``days`` name the worst, with the share of their
    views that counts.
    """

    n_views: int
    n_clicks: int
    volume_views: float
    volume_clicks: float
    page_views: float
    page_clicks: float
    target_clicks: float
    day_views: float
    day_clicks: float
    brought_clicks: int
    usual_views: float | None
    usual_clicks: float | None
    days: dict[str, float]

    def __str__(self) -> str:
        """Sentences without a capital or a full stop."""
        if self.n_views == 0:
            return "none of the log was sent by pages; what is imported is never capped"
        found = f"pages sent {self.n_views:,} views and {self.n_clicks:,} clicks"
        parts = (
            (self.volume_views, self.volume_clicks, "beyond what a day may bring"),
            (self.page_views, self.page_clicks, "of pages that disagree with the rest of the log"),
            (0, self.target_clicks, "on targets far beyond what the rest of the log expects"),
            (self.day_views, self.day_clicks, "of days that disagree with the rest of the log"),
            (0, self.brought_clicks, "on links that only a request brought onto a list"),
        )
        left = [
            (f"{views:,.0f} views and " if views >= 0.5 else "") + f"{clicks:,.0f} clicks {why}"
            for views, clicks, why in parts
            if max(views, clicks) >= 0.5
        ]
        if not left:
            return f"{found}, and all of them count"
        days = ", ".join(f"{day} ({share:.0%} of it counts)" for day, share in self.days.items())
        most = f"; most on {days.replace('%', ' %')}" if days else ""
        return f"{found}; capped, and left out: {'; '.join(left)}{most}"


@dataclass(frozen=True, slots=True)
class HandPicked:
    """What came of learning from hand-picked lists: ``trial`` are nDCG@10 on lists set aside, and
    ``importance`` what that loses if a feature is permuted.
    """

    reason: str
    n_links: int
    trial: dict[str, float]
    importance: dict[str, float]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle is made of and from: times in ISO 8601, the log's window first and last.

    ``scores`` are figures of orders on the log's last days, ``importance`` what the ranker's loses
    if a feature is permuted. ``sent`` is what pages sent of the log. ``change`` is the ``store``'s
    last change of an article that the build knew, ``n_logged_clicks`` the clicks the store held.
    ``explore`` variants of a hundred explore. ``files`` are known once the bundle is published.
    """

    name: str
    built: str
    data_window: tuple[str | None, str | None]
    data_until_ms: int | None
    decided_by: str
    learned_from: str | None
    reason: str
    scores: dict[str, float]
    importance: dict[str, float]
    hand_picked: HandPicked
    n_articles: Count
    n_stubs: Count
    n_clicks: Count
    n_views: Count
    sent: Sent
    examination: Examination
    calibration: Calibration
    relevance_floor: Share
    edition: Share
    languages: Languages
    listings: Listings
    concentration: Concentration
    populations: Populations
    dates: DateCounts
    explore: Annotated[int, Within(0, N_VARIANTS)]
    variants: tuple[dict[str, Any], ...]
    store: str
    change: Count
    n_logged_clicks: Count
    versions: dict[str, str]
    files: dict[str, File] = field(default_factory=dict)

    def fault(self) -> str | None:
        """What is wrong with a manifest that was read, or None."""
        for name, moment in (
            ("built", self.built),
            *(("data_window", at) for at in self.data_window),
        ):
            if moment is not None and not is_moment(moment):
                return f"{name} is {moment!r}, which is no time of a known time zone"
        if list(self.variants) != variant_table(self.explore):
            return f"variants are not those of which {self.explore} explore"
        return None


def publish(scratch: Path, models: Path, about: Manifest) -> Path:
    """Seal the files in ``scratch`` and give the folder its name; returns the bundle's folder.

    ``scratch`` must stand in ``models``, since only a rename within one file system is atomic.
    """
    files = {}
    for path in sorted(scratch.rglob("*")):
        if path.is_file():
            _to_disk(path)
            name_inside = path.relative_to(scratch).as_posix()
            files[name_inside] = File(path.stat().st_size, _sha256(path))
    content = {**asdict(replace(about, files=files)), "layout": LAYOUT}
    content["sum"] = _own_sum(content)
    text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    (scratch / MANIFEST).write_text(text, encoding="utf-8")
    _to_disk(scratch / MANIFEST)
    _to_disk(scratch)
    target = models / about.name
    if target.exists():
        raise BundleError(
            f"{target}: there is a bundle of this name already, and bundles never change"
        )
    scratch.rename(target)
    _to_disk(models)
    verify(target)
    return target


@contextlib.contextmanager
def scratch_folder(models: Path, name: str) -> Iterator[Path]:
    """A folder to write a bundle into; removed if it is still there at the end."""
    models.mkdir(parents=True, exist_ok=True)
    folder = models / f".{name}.{os.getpid()}"
    # Left by a build of this name that was killed: containers hand out the same number again.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    except OSError as exc:
        if exc.filename is not None:
            raise
        # A disk that is full does not say which.
        raise OSError(exc.errno or errno.EIO, exc.strerror or str(exc), str(models)) from exc
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_place(models: Path) -> None:
    """``OSError`` if no bundle can be written there."""
    with scratch_folder(models, "trial"):
        pass


def read(bundle: Path) -> Manifest:
    """The manifest, with every file present at its size. ``BundleError`` names what is wrong."""
    manifest = manifest_in(bundle)
    for name, entry in manifest.files.items():
        file = bundle / name
        size = _plain_size(file)
        if size != entry.size:
            wanted = f"{size:,} bytes instead of {entry.size:,}" if size is not None else ""
            shown = wanted or ("no plain file" if os.path.lexists(file) else "missing")
            raise BundleError(f"{file}: {shown}; the bundle is damaged")
    return manifest


def manifest_in(bundle: Path) -> Manifest:
    """The manifest alone, whatever is there of the files that it names."""
    path = bundle / MANIFEST
    if not path.exists():
        what = "half-written: it has no manifest" if bundle.is_dir() else "there is no such bundle"
        raise BundleError(f"{bundle}: {what}")
    content = read_json(path)
    layout = content.pop("layout", None) if isinstance(content, dict) else None
    if layout != LAYOUT:
        older = isinstance(layout, int) and layout < LAYOUT
        made = "made by an older release; run: recommender train" if older else "not known here"
        shown = repr(layout) if isinstance(layout, int | str) else "of no number"
        raise BundleError(f"{bundle}: layout {shown:.40}, where {LAYOUT} is read: {made}")
    try:
        is_own = content.pop("sum", None) == _own_sum({**content, "layout": layout})
    except RecursionError as exc:
        raise BundleError(f"{path}: cannot be read: {exc}") from exc
    if not is_own:
        raise BundleError(f"{path}: its sum is not its own; the bundle is damaged")
    manifest = build(Manifest, content, str(path))
    for name in manifest.files:
        if Path(name).name != name or Path(name).suffix not in SUFFIXES:
            raise BundleError(f"{path}: {name!r} is no file of a bundle")
    return manifest


def verify(bundle: Path) -> Manifest:
    """As ``read``, and every byte is compared with the sums of the manifest; what it does not
    list must not be there.
    """
    manifest = read(bundle)
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle).as_posix()
        if name != MANIFEST and name not in manifest.files:
            raise BundleError(f"{path}: not in the manifest; the bundle is damaged")
    for name, entry in manifest.files.items():
        if _sha256(bundle / name) != entry.sha256:
            raise BundleError(
                f"{bundle / name}: its SHA-256 sum is not the manifest's; the bundle is damaged"
            )
    return manifest


def names(models: Path) -> list[str]:
    """The published bundles, oldest first."""
    if not models.is_dir():
        return []
    found = [path.name for path in models.iterdir() if (path / MANIFEST).is_file()]
    return sorted(name for name in found if not name.startswith("."))


def current(models: Path) -> str | None:
    """The live bundle's name, or None where nothing is live yet."""
    try:
        name = (models / CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise BundleError(f"{models / CURRENT}: cannot be read: {exc}") from exc
    return name or None


def resolve(models: Path) -> Path:
    """The bundle meant by ``models``: itself if it is one, else the live one below it."""
    if models.is_file():
        raise BundleError(f"{models}: a file; bundles are folders, and so is what holds them")
    if (models / MANIFEST).is_file():
        return models
    name = current(models)
    if name is None:
        if models.is_dir() and models.parent.joinpath(CURRENT).is_file():
            raise BundleError(f"{models}: half-written: it has no manifest")
        there = "" if models.is_dir() else "there is no such folder, so "
        raise BundleError(f"{models}: {there}no bundle is live there yet; run: recommender train")
    return inside(models, name)


def inside(models: Path, name: str) -> Path:
    """The folder of a bundle; ``BundleError`` for a name that leads elsewhere."""
    if not name or name.startswith(".") or Path(name).name != name:
        raise BundleError(f"{name!r} is no bundle's name")
    return models / name


def activate(models: Path, name: str, *, trial: Callable[[Path], object]) -> None:
    """Verify the bundle, put it to the ``trial`` and make it the live one. On any fault, which
    either raises, the old one stays live.
    """
    folder = inside(models, name)
    verify(folder)
    trial(folder)
    before = current(models)
    if before == name:
        return
    if before is not None:
        replace_file(models / PREVIOUS, "\n".join([*history(models), before]) + "\n")
    replace_file(models / CURRENT, name + "\n")


def rollback(models: Path, *, trial: Callable[[Path], object]) -> str:
    """Make the bundle live that was live before, if it stands the ``trial``; returns its name."""
    name = before(models)
    if name is None:
        raise BundleError(f"{models}: no bundle was live before this one")
    verify(models / name)
    trial(models / name)
    earlier = history(models)
    del earlier[len(earlier) - 1 - earlier[::-1].index(name) :]
    replace_file(models / CURRENT, name + "\n")
    replace_file(models / PREVIOUS, "".join(f"{old}\n" for old in earlier))
    return name


def prune(models: Path, *, keep: int, frozen: Collection[str] = ()) -> list[str]:
    """Delete all but the newest ``keep`` bundles, never the live one, the one that ``rollback``
    would go to, nor those that are ``frozen`` (``experiments.frozen``); returns what went.
    """
    if keep < 1:
        raise BundleError(f"keep {keep}: at least one bundle must stay")
    needed = {current(models), before(models), *frozen}
    gone = [name for name in names(models)[:-keep] if name not in needed]
    for name in gone:
        # Renamed first: a deletion that is cut short leaves no half bundle under a plain name.
        (models / name).rename(models / f".{name}{PRUNED}")
    for doomed in models.glob(f".*{PRUNED}"):
        shutil.rmtree(doomed)
    return gone


def new_name(models: Path, now: datetime, digest: str) -> str:
    """A name that sorts by time and differs for builds of one second."""
    base = f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{digest[:6]}"
    taken = set(names(models))
    if base not in taken:
        return base
    return next(name for n in range(2, 10_000) if (name := f"{base}-{n}") not in taken)


def before(models: Path) -> str | None:
    """The newest bundle that was live before the one that is, and is still there."""
    live = current(models)
    there = set(names(models)) - {live}
    return next((name for name in reversed(history(models)) if name in there), None)


def history(models: Path) -> list[str]:
    """The bundles that were live before the one that is, newest last; some may be gone."""
    try:
        return (models / PREVIOUS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as exc:
        raise BundleError(f"{models / PREVIOUS}: cannot be read: {exc}") from exc


def replace_file(path: Path, text: str) -> None:
    """Write a small file whole or not at all, and have it on disk before returning."""
    # Several processes may do so at once, and several threads of one.
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    scratch.write_text(text, encoding="utf-8")
    _to_disk(scratch)
    scratch.replace(path)
    _to_disk(path.parent)


def _plain_size(path: Path) -> int | None:
    """The bytes of a file; None if there is none, or what is there is a link or a folder."""
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _own_sum(content: dict[str, Any]) -> str:
    """The sum of a manifest's content, but for the sum."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise BundleError(f"{path}: cannot be read: {exc.strerror}") from exc
