"""Bundles on an object store, and a folder of this machine with copies of what is needed of them.

    s3://bucket/prefix/        as a folder of bundles: ``registry``, ``experiments``
    ├── CURRENT                the last thing that is written
    ├── PREVIOUS  EXPERIMENT  experiments/…  figures.json …
    └── 20261122-101500-3f2a/  its manifest is written last

An object appears whole or not at all, and nothing else is atomic there. So a bundle's files are
sent before its manifest, and that before ``CURRENT``; who fetches one writes it aside, compares it
with the manifest's sums and renames it, so that a folder with a plain name is whole here too. What
is looked up, tried and served is always the copy.

The URL is one of fsspec's, which also says where credentials come from.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recommender.bundle import comparisons, experiments, registry
from recommender.bundle.registry import CURRENT, MANIFEST, PREVIOUS, Manifest, replace_file
from recommender.config import Settings
from recommender.errors import BundleError, MissingExtra, RecommenderError

# What was fetched and sent, beside the copies; and the lock of who does so.
STATE, LOCK = ".object-store.json", ".object-store.lock"
# What became of the last look there, by whoever keeps the copies; and the lock of who does.
STATUS, FOLLOWER = ".object-store-status.json", ".object-store-follower.lock"
# The end of the name of a bundle that is being fetched. It goes on where it was cut short.
FETCHED = ".fetched"
# Written after everything that they name, in this order.
POINTERS = (PREVIOUS, CURRENT, experiments.RUNNING)
# Folders beside the bundles whose files are copied too; of the folder itself all are.
BESIDE = (experiments.FOLDER, comparisons.FOLDER)
# Of what a store says of an object: whatever is there of these differs when the object does.
STAMPS = ("ETag", "etag", "md5", "content_md5", "LastModified", "mtime", "created", "size")
# Where the first part of a path is a bucket, which nobody makes by writing into it.
WITH_BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}
# Connections at once, and for S3 how long one may take in seconds: else an outage is known only
# after minutes. Not tuned.
AT_ONCE, CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 8, 5, 20, 2


def of(settings: Settings) -> ObjectStore | None:
    """The object store of the settings, None where bundles are in a folder alone."""
    return ObjectStore(settings.models_url, settings.models) if settings.models_url else None


@dataclass(slots=True)
class State:
    """What this folder has in common with ``url``: ``files`` beside the bundles with their stamps
    there and here, the ``bundles`` that were seen there, and the bundle that was ``live`` there.
    """

    url: str = ""
    files: dict[str, list[str | None]] = field(default_factory=dict)
    bundles: list[str] = field(default_factory=list)
    live: str | None = None


class ObjectStore:
    """Bundles at a ``url``, and copies of them in ``folder``.

    ``MissingExtra`` without fsspec or the driver for such a URL; everything else that fails is a
    ``BundleError`` which names the URL.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url.rstrip("/")
        self.folder = folder
        # Not what it may hold of a password.
        self.place = re.sub(r"//[^/@]*@", "//", self.url)
        self._files, root = _opened(self.url, self.place)
        self._root = root.rstrip("/")

    # From there

    def pointers(self) -> tuple[str | None, str | None]:
        """The names of the live bundle and of the experiment that runs, None for none."""
        with self._reached():
            return self._text(CURRENT) or None, self._text(experiments.RUNNING) or None

    def pull(self) -> None:
        """Have what is live there, and what stands beside the bundles, here too."""
        with self._locked(), self._reached():
            state = self._state()
            previous, live, running = (self._text(name) for name in POINTERS)
            there = self._beside()
            if not live and not there:
                self._check_bucket()
            for name in sorted(there.keys() - {*POINTERS}):
                self._bring(name, there[name], state)
            if live:
                self._fetch(live, state)
            if running:
                for arm in experiments.read(self.folder, running).arms:
                    self._fetch(arm.bundle, state)
            for name, text in zip(POINTERS, (previous, live, running), strict=True):
                if text is not None:
                    self._put_here(name, f"{text}\n" if text else "", there.get(name), state)
            for name in state.files.keys() - there.keys():
                was_there, was_here = state.files[name]
                # What was changed here since then waits to be sent.
                if was_there and _stamp_here(self.folder / name) in (None, was_here):
                    (self.folder / name).unlink(missing_ok=True)
                    del state.files[name]
            state.live = live or None
            self._keep(state)

    def names(self) -> list[str]:
        """The bundles there, oldest first."""
        with self._reached():
            return self._names()

    def about(self, name: str) -> Manifest:
        """The manifest of a bundle there."""
        with self._reached(), tempfile.TemporaryDirectory() as folder:
            aside = Path(folder) / registry.inside(Path(), name)
            aside.mkdir()
            self._manifest(name, aside)
            return registry.manifest_in(aside)

    def fetch(self, name: str) -> Path:
        """The folder of a bundle's copy, which is fetched if it is not here. ``BundleError`` if
        there is none, or it is not what its manifest says.
        """
        with self._locked(), self._reached():
            state = self._state()
            folder = self._fetch(name, state)
            self._keep(state)
            return folder

    # To there

    def send(self) -> None:
        """Have what was made here since it was pulled there too: bundles, then what stands beside
        them, then what names them.
        """
        with self._locked(), self._reached():
            state = self._state()
            for name in registry.names(self.folder):
                if name not in state.bundles:
                    self._send_bundle(name, state)
            changed = [name for name in self._here() if self._is_changed(name, state)]
            for name in sorted(set(changed) - {*POINTERS}):
                self._send_file(name, state)
            if CURRENT in changed and (live := registry.current(self.folder)):
                self._send_bundle(live, state)
                self._join_histories(live, state)
            for name in POINTERS:
                if name in changed:
                    self._send_file(name, state)
            for name in state.files.keys() - {*self._here()}:
                with contextlib.suppress(FileNotFoundError):
                    self._files.rm_file(self._at(name))
                del state.files[name]
            self._keep(state)

    def check_place(self) -> None:
        """``BundleError`` if nothing can be written there."""
        with self._reached():
            self._check_bucket()
            self._files.pipe_file(self._at(".trial"), b"")
            self._files.rm_file(self._at(".trial"))

    def prune(self, *, keep: int, frozen: Collection[str] = ()) -> list[str]:
        """As ``registry.prune``, there and here; returns what went there."""
        if keep < 1:
            raise BundleError(f"keep {keep}: at least one bundle must stay")
        with self._locked(), self._reached():
            state = self._state()
            there = self._names()
            live, history = self._text(CURRENT), (self._text(PREVIOUS) or "").split("\n")
            before = [name for name in history if name in there and name != live]
            needed = {live, *before[-1:], *frozen}
            gone = [name for name in there[:-keep] if name not in needed]
            oldest = min(set(there) - set(gone), default="")
            for name in gone:
                self._remove(name)
            # Sent by a build that was cut short: without a manifest none of them is a bundle.
            for name in self._folders():
                if name not in there and name < oldest and name not in BESIDE:
                    self._remove(name)
            state.bundles = [name for name in state.bundles if name not in gone]
            self._keep(state)
        for name in gone:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        return gone

    # Pieces; who calls them holds the lock, as far as they change the folder

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _text(self, name: str) -> str | None:
        # Else S3 is asked for the size first: two requests where one would do.
        more = {"max_concurrency": 1} if "s3" in self._kinds() else {}
        try:
            found: bytes = self._files.cat_file(self._at(name), **more)
        except FileNotFoundError:
            return None
        return found.decode("utf-8").strip()

    def _listed(self, folder: str = "") -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self._files.ls(self._at(folder).rstrip("/"), detail=True)
        except FileNotFoundError:
            return []
        return found

    def _folders(self) -> list[str]:
        return sorted(_last(each) for each in self._listed() if each["type"] == "directory")

    def _names(self) -> list[str]:
        found = [name for name in self._folders() if name not in BESIDE and name[0] != "."]
        return [name for name in found if self._files.exists(f"{self._at(name)}/{MANIFEST}")]

    def _beside(self) -> dict[str, str]:
        """What stands beside the bundles there: its stamps by name."""
        found, top = {}, self._listed()
        for each in top:
            if each["type"] == "file" and _last(each)[:1] not in ("", "."):
                found[_last(each)] = _stamp_there(each)
        for folder in BESIDE:
            if any(_last(each) == folder for each in top):
                for path, each in self._files.find(self._at(folder), detail=True).items():
                    name = _relative(path, self._root)
                    if _is_plain(name):
                        found[name] = _stamp_there(each)
        return found

    def _here(self) -> list[str]:
        """What stands beside the bundles here."""
        found = [path for path in self.folder.glob("*") if path.is_file()]
        for folder in BESIDE:
            found += [path for path in (self.folder / folder).rglob("*") if path.is_file()]
        names = (path.relative_to(self.folder).as_posix() for path in found)
        return [name for name in names if _is_plain(name)]

    def _is_changed(self, name: str, state: State) -> bool:
        return _stamp_here(self.folder / name) != state.files.get(name, [None, None])[1]

    def _bring(self, name: str, stamp: str, state: State) -> None:
        path = self.folder / name
        if state.files.get(name, [None])[0] == stamp and path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}{FETCHED}")
        self._files.get_file(self._at(name), str(aside))
        aside.replace(path)
        state.files[name] = [stamp, _stamp_here(path)]

    def _put_here(self, name: str, text: str, stamp: str | None, state: State) -> None:
        path = self.folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            replace_file(path, text)
        state.files[name] = [stamp, _stamp_here(path)]

    def _manifest(self, name: str, folder: Path) -> None:
        try:
            content: bytes = self._files.cat_file(f"{self._at(name)}/{MANIFEST}")
        except FileNotFoundError:
            raise BundleError(f"{self.place}: there is no bundle {name}") from None
        (folder / MANIFEST).write_bytes(content)

    def _fetch(self, name: str, state: State) -> Path:
        target = registry.inside(self.folder, name)
        if name not in state.bundles:
            state.bundles.append(name)
        if (target / MANIFEST).is_file():
            return target
        aside = self.folder / f".{name}{FETCHED}"
        aside.mkdir(parents=True, exist_ok=True)
        self._manifest(name, aside)
        files = registry.manifest_in(aside).files
        missing = [file for file, entry in files.items() if _size(aside / file) != entry.size]
        for path in aside.iterdir():
            if path.name not in files and path.name != MANIFEST:
                path.unlink()
        try:
            if missing:
                self._files.get(
                    [f"{self._at(name)}/{file}" for file in missing],
                    [str(aside / file) for file in missing],
                    batch_size=AT_ONCE,
                )
        except FileNotFoundError as exc:
            raise BundleError(f"{self.place}/{name}: a file is missing: {exc}") from exc
        try:
            registry.verify(aside)
        except BundleError as exc:
            # What is whole need not be fetched again once the rest is mended there.
            for file, entry in files.items():
                if not _has_sum(aside / file, entry.sha256):
                    (aside / file).unlink(missing_ok=True)
            raise BundleError(f"{self.place}/{name}: {exc}") from exc
        aside.rename(target)
        return target

    def _send_bundle(self, name: str, state: State) -> None:
        folder = registry.inside(self.folder, name)
        if not self._files.exists(f"{self._at(name)}/{MANIFEST}"):
            files = sorted(registry.read(folder).files)
            self._files.put(
                [str(folder / file) for file in files],
                [f"{self._at(name)}/{file}" for file in files],
                batch_size=AT_ONCE,
            )
            manifest = (folder / MANIFEST).read_bytes()
            self._files.pipe_file(f"{self._at(name)}/{MANIFEST}", manifest)
        if name not in state.bundles:
            state.bundles.append(name)

    def _send_file(self, name: str, state: State) -> None:
        path = self.folder / name
        stamp = _stamp_here(path)
        self._files.pipe_file(self._at(name), path.read_bytes())
        state.files[name] = [_stamp_there(self._files.info(self._at(name))), stamp]
        if name == CURRENT:
            state.live = registry.current(self.folder)

    def _join_histories(self, live: str, state: State) -> None:
        """Have what somebody else made live meanwhile in the history of what was live."""
        theirs = self._text(CURRENT)
        if not theirs or theirs in (live, state.live):
            return
        history = (self._text(PREVIOUS) or "").splitlines()
        replace_file(self.folder / PREVIOUS, "".join(f"{each}\n" for each in [*history, theirs]))
        self._send_file(PREVIOUS, state)

    def _remove(self, name: str) -> None:
        # First what makes it a bundle: a deletion that is cut short leaves no half one.
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self._at(name)}/{MANIFEST}")
        with contextlib.suppress(FileNotFoundError):
            self._files.rm(self._at(name), recursive=True)

    def _kinds(self) -> set[str]:
        protocols = self._files.protocol
        return {protocols} if isinstance(protocols, str) else {*protocols}

    def _check_bucket(self) -> None:
        bucket = self._root.strip("/").split("/")[0]
        if self._kinds() & WITH_BUCKETS and not self._files.exists(bucket):
            raise BundleError(f"{self.place}: there is no bucket {bucket}, or it is not for us")

    def _state(self) -> State:
        try:
            state = State(**json.loads((self.folder / STATE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            state = State()
        if state.url == self.url:
            return state
        # What is in a folder that had nothing to do with this store is not to be sent there.
        files: dict[str, list[str | None]] = {
            name: [None, _stamp_here(self.folder / name)] for name in self._here()
        }
        return State(self.url, files, registry.names(self.folder))

    def _keep(self, state: State) -> None:
        replace_file(self.folder / STATE, json.dumps(asdict(state)) + "\n")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One process of this machine changes the folder at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("w") as file:
            try:
                import fcntl
            except ImportError:  # Windows: processes there have folders of their own
                pass
            else:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """What a driver raises, as one sentence: each has errors of its own."""
        try:
            yield
        except RecommenderError:
            raise
        except OSError as exc:
            here = str(self.folder)
            if exc.filename is not None and str(exc.filename).startswith(here):
                raise
            raise BundleError(f"{self.place}: out of reach: {_reason(exc)}") from exc
        except Exception as exc:
            raise BundleError(f"{self.place}: out of reach: {_reason(exc)}") from exc


def _opened(url: str, place: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    try:
        import fsspec
    except ImportError:
        raise MissingExtra(f"{place}: an object store", "objects") from None
    # A list that is kept would hide what others send.
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if url.partition("://")[0] in ("s3", "s3a"):
        own = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        times = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
        options["config_kwargs"] = {**times, "retries": {"max_attempts": ATTEMPTS}, **own}
    try:
        files, root = fsspec.core.url_to_fs(url, **options)
    except ImportError as exc:
        if url.startswith(("s3://", "s3a://")):
            raise MissingExtra(f"{place}: an object store", "objects") from exc
        raise BundleError(f"{place}: {exc}") from exc
    except ValueError as exc:
        raise BundleError(f"{place}: no URL that is known here: {exc}") from exc
    if hasattr(files, "retries"):
        files.retries = ATTEMPTS
    return files, str(root)


def _reason(exc: BaseException) -> str:
    return " ".join((str(exc) or type(exc).__name__).split())


def _last(info: dict[str, Any]) -> str:
    return str(info["name"]).rstrip("/").rpartition("/")[2]


def _relative(path: str, root: str) -> str:
    return path.strip("/").removeprefix(root.strip("/")).lstrip("/")


def _is_plain(name: str) -> bool:
    """Does no part of it begin with a dot?"""
    return all(part and part[0] != "." for part in name.split("/"))


def _stamp_there(info: dict[str, Any]) -> str:
    return " ".join(str(info[name]) for name in STAMPS if name in info)


def _stamp_here(path: Path) -> str | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_mtime_ns} {found.st_size}"


def _has_sum(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
