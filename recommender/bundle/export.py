"""Lists for sites that do not ask at run time: JSON, HTML fragments, or the pages rewritten.

A file that would be what it is already is not written again, so that what copies files to a host
finds only those that changed.
"""

from __future__ import annotations

import filecmp
import json
import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from recommender.articles import text_page
from recommender.articles.batch import RawPage
from recommender.bundle.addressing import NOWHERE, Site
from recommender.bundle.bundle import Bundle
from recommender.bundle.composition import DEFAULT_K, Link, Placed
from recommender.bundle.fragments import Fragments
from recommender.bundle.page_maps import KEYS, MAPS, PageMap
from recommender.bundle.static_slates import StaticSlates
from recommender.errors import InputError, RecommenderError
from recommender.lists.appearance import style
from recommender.progress import Progress, Silent, tracked
from recommender.store.keys import chunks

# File systems take names of 255 bytes; escaping triples some of them.
MAX_NAME_BYTES, MAX_PART_BYTES = 200, 240
FORMATS = ("json", "html", "pages", *MAPS)
# What names a fragment: the article's id, or the path of its address.
NAMES = ("id", "path")
STYLE = "recommender.css"
# What the built-in template writes into each.
OURS = b'class="recommender'
# Lists that are worked out before they are written; not tuned.
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Exported:
    """How many lists were written, or pages; how many of the files are ``n_changed``, new ones
    included, and ``n_unchanged``; and what was left as it was or is not as it could be, with the
    reason.
    """

    n_written: int
    n_rewritten: int = 0
    left: tuple[str, ...] = ()
    n_changed: int = 0
    n_unchanged: int = 0


@dataclass
class Files:
    """Writes the files of an export below ``folder``."""

    folder: Path
    n_changed: int = 0
    n_unchanged: int = 0
    remarks: Counter[str] = field(default_factory=Counter)
    # The first of each, and how many there are.
    moving: str = ""
    alike: str = ""
    n_moving: int = 0
    n_alike: int = 0

    def before(self, path: Path) -> bytes | None:
        """What is there, None for nothing."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: Path, raw: bytes) -> None:
        """Make it a file of these bytes, unless it is."""
        if self.before(path) == raw:
            self.n_unchanged += 1
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not made of the file's own name, which may be as long as names may be.
        scratch = path.with_name(f".{os.getpid()}.part")
        scratch.write_bytes(raw)
        scratch.replace(path)
        self.n_changed += 1

    def write_pieces(self, path: Path, pieces: Iterable[str]) -> None:
        """The same for a long file, in ``pieces``."""
        scratch = path.with_name(f".{os.getpid()}.part")
        try:
            with scratch.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(pieces)
            if path.is_file() and filecmp.cmp(scratch, path, shallow=False):
                self.n_unchanged += 1
                return
            scratch.replace(path)
            self.n_changed += 1
        finally:
            scratch.unlink(missing_ok=True)

    def done(self, n_written: int, *left: str, n_rewritten: int = 0) -> Exported:
        """What became of it."""
        counted = (f"{n:,} {what}" for what, n in sorted(self.remarks.items()) if n)
        remarks = (*left, *self._named(), *counted)
        return Exported(n_written, n_rewritten, remarks, self.n_changed, self.n_unchanged)

    def note_moving(self, site: Site, links: Iterable[Link]) -> None:
        """Count the links that lead elsewhere on another page."""
        addresses = (site.link(link.url) for link in links)
        moving = [url for url in addresses if url and _moves_with_page(url)]
        self.n_moving += len(moving)
        self.moving = self.moving or next(iter(moving), "")

    def _named(self) -> Iterator[str]:
        if self.n_moving:
            yield (
                f"{self.n_moving:,} links have addresses that are relative to their page, such as "
                f"{self.moving}: --site names what they are relative to, such as "
                "https://example.org/docs/"
            )
        if self.n_alike:
            yield (
                f"{self.n_alike:,} fragments differ from another by the case of letters alone, "
                f"which macOS and Windows take for one file, such as {self.alike}"
            )


class Listed(NamedTuple):
    """A page as a link to it would be, and the links of its list."""

    page: Link
    links: Sequence[Link]


def export(
    bundle: Bundle,
    folder: Path,
    format: str,
    *,
    stored: Iterable[tuple[str, RawPage]] = (),
    k: int = DEFAULT_K,
    slates: StaticSlates | None = None,
    fragments: Fragments | None = None,
    site: Site = NOWHERE,
    by: str = KEYS[0],
    names: str = NAMES[0],
    progress: Progress | None = None,
) -> Exported:
    """Write every article's list below ``folder``.

    ``json`` writes ``related.jsonl``, one line an article; ``html`` a fragment an article, as
    ``fragments`` are, named after one of ``NAMES``, and their style; ``pages`` each stored text
    page with its ``Recommend`` block replaced, as many links as the old block held, every other
    byte as it was; ``hugo``, ``eleventy`` and ``jekyll`` ``related.json``, by one of ``KEYS``, with
    addresses as on the ``site``. With ``slates`` the lists have tokens by which they report.
    """
    progress = progress or Silent()
    if format == "html":
        fragments = fragments or Fragments(site=site)
        fragments.check()
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder)
    if format == "pages":
        return _pages(bundle, files, list(stored), progress)
    lists = _lists(bundle, k, slates, progress)
    try:
        if format == "html":
            return _html(bundle, files, lists, fragments or Fragments(), slates, site, names)
        if format == "json":
            return _json(bundle, files, lists, slates)
        return _map(files, lists, PageMap(format, site, by), slates)
    except BaseException:
        # No token of it is anywhere, so nothing is to be exported again when the key changes.
        if slates is not None and not files.n_changed:
            slates.take_back()
        raise


def _lists(
    bundle: Bundle, k: int, slates: StaticSlates | None, progress: Progress
) -> Iterator[Listed]:
    """Every page and its list, in the order of ids."""
    shelf = bundle.shelf
    rows = shelf.pages_with_lists()
    progress.stage("writing lists", len(rows))
    for some in chunks(rows, AT_ONCE):
        found = [
            Listed(
                shelf.link(Placed(row, 0.0, ""), 0),
                shelf.related(row, k=k, rules=bundle.rules, now=bundle.now),
            )
            for row in some
        ]
        if slates is not None:
            slates.number(link.id for each in found for link in (each.page, *each.links))
        yield from tracked(found, progress)


def _json(
    bundle: Bundle, files: Files, lists: Iterable[Listed], slates: StaticSlates | None
) -> Exported:
    path = files.folder / "related.jsonl"
    before = slates.found_in(_text(files.before(path))) if slates else None
    n_written = 0

    def lines() -> Iterator[str]:
        nonlocal n_written
        for page, links in lists:
            line: dict[str, object] = {"article_id": page.id, "model": bundle.name}
            if slates is not None and links:
                signed = slates.sign(page.id, links, before)
                line |= {"slate": signed.token, "valid_until": signed.valid_until}
            line["items"] = [asdict(link) for link in links]
            yield json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
            n_written += 1

    files.write_pieces(path, lines())
    return files.done(n_written)


def _html(
    bundle: Bundle,
    files: Files,
    lists: Iterable[Listed],
    fragments: Fragments,
    slates: StaticSlates | None,
    site: Site,
    names: str,
) -> Exported:
    taken: set[Path] = set()
    alike: dict[str, Path] = {}
    below = _Below(site)
    for page, links in lists:
        path = files.folder / file_name(page.id, ".html")
        if names == "path":
            path = _named_by_address(files, page, site) or path
        if path in taken:
            files.remarks["pages are at the address of another, whose fragment is there"] += 1
            continue
        taken.add(path)
        _check_case(files, path, alike)
        below.count(page)
        before = slates.found_in(_text(files.before(path))) if slates else None
        reports = fragments.may_report(links)
        signed = slates.sign(page.id, links, before) if slates and reports else None
        if links and not reports:
            files.remarks["lists have titles alone: none of their articles has an address"] += 1
        text = fragments.render(page, links, signed, model=bundle.name)
        files.write(path, text.encode())
        files.note_moving(site, links)
    files.write(files.folder / STYLE, style().encode())
    return files.done(len(taken), *_stale(files.folder, taken), *below.remarks())


def _check_case(files: Files, path: Path, alike: dict[str, Path]) -> None:
    """``InputError`` where a file system takes two names for one, else a remark that others do."""
    name = unicodedata.normalize("NFC", str(path.relative_to(files.folder))).casefold()
    other = alike.setdefault(name, path)
    if other == path:
        return
    both = f"{other.relative_to(files.folder)} and {path.relative_to(files.folder)}"
    if path.exists() and path.samefile(other):
        raise InputError(
            f"{both} are one file here, where the case of letters makes no difference: rename one "
            "of both articles, or export on a system that tells them apart"
        )
    files.alike = files.alike or both
    files.n_alike += 1


@dataclass
class _Below:
    """Counts the pages whose addresses lie below the path of a ``site``, and the others."""

    site: Site
    n_below: int = 0
    other: str = ""

    def count(self, page: Link) -> None:
        """One page more; one without an address lies nowhere."""
        if self.site.link(page.url) is None:
            return
        path = self.site.path(page.url or "")
        if self.site.holds(path):
            self.n_below += 1
        else:
            self.other = self.other or path

    def remarks(self) -> Iterator[str]:
        """One, if a path was named and no page is there."""
        if self.other and not self.n_below:
            yield (
                f"no page's address lies below {self.site.root}, the path of --site: the first is "
                f"{self.other}"
            )


def _stale(folder: Path, taken: Collection[Path]) -> Iterator[str]:
    """Fragments of before that no page has now; they are left to whoever put other files there."""
    paths = (path for path in folder.rglob("*.html") if path not in taken and path.is_file())
    stale = sorted(path for path in paths if OURS in path.read_bytes())
    if stale:
        first = stale[0].relative_to(folder)
        yield f"{len(stale):,} fragments are of pages that are gone, such as {first}: remove them"


def _moves_with_page(url: str | None) -> bool:
    """Whether it leads elsewhere on another page."""
    parts = urlsplit(url or "/")
    return not parts.scheme and not parts.netloc and not parts.path.startswith("/")


def _named_by_address(files: Files, page: Link, site: Site) -> Path | None:
    """A fragment's file by the path of its page; None where there is none that will do."""
    if site.link(page.url) is None:
        files.remarks["pages have no address, and their fragments are named by ids"] += 1
        return None
    parts = [part for part in site.path(page.url or "").split("/") if part]
    if parts and (stem := parts[-1].removesuffix(".html").removesuffix(".htm")):
        parts[-1] = stem
    path = "/".join(parts) or "index"
    odd = any(
        part.startswith(".") or len(part.encode()) > MAX_PART_BYTES or "\x00" in part
        for part in path.split("/")
    )
    if odd:
        files.remarks["pages have addresses that can name no file, their ids do"] += 1
        return None
    return files.folder / f"{path}.html"


def _map(
    files: Files, lists: Iterable[Listed], pages: PageMap, slates: StaticSlates | None
) -> Exported:
    path = files.folder / "related.json"
    before = slates.found_in(_text(files.before(path))) if slates else None
    below = _Below(pages.site)
    for page, links in lists:
        signed = slates.sign(page.id, links, before) if slates and links else None
        pages.add(page, links, signed)
        files.note_moving(pages.site, links)
        below.count(page)
    files.write_pieces(path, pages.text())
    files.remarks.update(pages.left)
    return files.done(len(pages.lists), *(below.remarks() if pages.by != "id" else ()))


def _text(raw: bytes | None) -> str:
    """What is read for the tokens in it alone."""
    return (raw or b"").decode("ascii", "replace")


def file_name(id: str, suffix: str) -> str:
    """A name for an article's file: its id, percent-encoded where a file system would trip.

    >>> file_name("../a/b", ".html")
    '%2E%2E%2Fa%2Fb.html'
    """
    name = quote(id, safe=" ()+,=@~")
    name = name.replace(".", "%2E") if set(id.split("/")) & {".", ".."} or id[0] == "." else name
    if len(name) > MAX_NAME_BYTES:
        import hashlib

        name = name[: MAX_NAME_BYTES - 17] + "-" + hashlib.sha256(id.encode()).hexdigest()[:16]
    return name + suffix


def _pages(
    bundle: Bundle, files: Files, stored: list[tuple[str, RawPage]], progress: Progress
) -> Exported:
    if not stored:
        raise InputError(
            "the store holds no text pages; only pages imported as text can be written"
        )
    progress.stage("writing pages", len(stored))
    left, n_rewritten = [], 0
    for id, page in tracked(stored, progress):
        n_links = text_page.n_links(page.raw)
        raw = page.raw
        row = bundle.shelf.row(id)
        if n_links == 0:
            left.append(f"{page.path}: no Recommend block")
        elif row is None:
            left.append(f"{page.path}: not in bundle {bundle.name}; train again")
        else:
            links = bundle.shelf.related(
                row, k=n_links, rules=bundle.rules, now=bundle.now, least=n_links
            )
            raw = text_page.rewrite(page.raw, [(link.title, link.teaser) for link in links])
            n_rewritten += 1
        files.write(_inside(files.folder, page.path), raw)
    return files.done(len(stored), *left, n_rewritten=n_rewritten)


def _inside(folder: Path, name: str) -> Path:
    """The path below ``folder``; a stored name that leads out of it is refused."""
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(os.path.normpath(folder)):
        raise RecommenderError(f"{name}: leads out of {folder}")
    return path
