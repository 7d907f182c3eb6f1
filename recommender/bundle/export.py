"""Lists for sites that do not ask at run time: JSON, HTML fragments, or the pages rewritten."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from recommender.articles import text_page
from recommender.articles.addresses import leads_to_page
from recommender.articles.batch import RawPage
from recommender.bundle.bundle import Bundle
from recommender.bundle.composition import DEFAULT_K, Link
from recommender.errors import InputError, RecommenderError
from recommender.progress import Progress, Silent, tracked

# File systems take names of 255 bytes; escaping triples some of them.
MAX_NAME_BYTES = 200


@dataclass(frozen=True, slots=True)
class Exported:
    """How many files were written, and which pages were left as they were, with the reason."""

    n_written: int
    n_rewritten: int = 0
    left: tuple[str, ...] = ()


def export(
    bundle: Bundle,
    folder: Path,
    format: str,
    *,
    stored: Iterable[tuple[str, RawPage]] = (),
    k: int = DEFAULT_K,
    progress: Progress | None = None,
) -> Exported:
    """Write every article's list below ``folder``.

    ``json`` writes ``related.jsonl``, one line an article; ``html`` a fragment an article, a
    ``<nav>`` with a list; ``pages`` each stored text page with its ``Recommend`` block replaced,
    as many links as the old block held, every other byte as it was.
    """
    progress = progress or Silent()
    folder.mkdir(parents=True, exist_ok=True)
    if format == "json":
        return _json(bundle, folder, k, progress)
    if format == "html":
        return _html(bundle, folder, k, progress)
    return _pages(bundle, folder, list(stored), progress)


def _sources(bundle: Bundle, progress: Progress) -> Iterator[str]:
    rows = bundle.shelf.pages_with_lists()
    progress.stage("writing lists", len(rows))
    return tracked(map(bundle.shelf.id_of, rows), progress)


def _json(bundle: Bundle, folder: Path, k: int, progress: Progress) -> Exported:
    n_written = 0
    scratch = folder / ".related.jsonl"
    with scratch.open("w", encoding="utf-8") as file:
        for id in _sources(bundle, progress):
            items = [asdict(link) for link in bundle.related(id, k)]
            line = {"article_id": id, "model": bundle.name, "items": items}
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
            n_written += 1
    scratch.replace(folder / "related.jsonl")
    return Exported(n_written)


def _html(bundle: Bundle, folder: Path, k: int, progress: Progress) -> Exported:
    n_written = 0
    for id in _sources(bundle, progress):
        _write(folder / file_name(id, ".html"), fragment(bundle.related(id, k)).encode())
        n_written += 1
    return Exported(n_written)


def fragment(links: Iterable[Link]) -> str:
    """A list as HTML: a navigation landmark with real links; what has no page is plain text."""
    lines = ['<nav class="recommender" aria-label="Recommend">', "  <ul>"]
    for link in links:
        title = _picture(link.image) + html.escape(link.title)
        if link.url and leads_to_page(link.url):
            title = f'<a href="{html.escape(link.url)}">{title}</a>'
        lang = f' lang="{html.escape(link.language)}"' if link.language else ""
        teaser = f"<span>{html.escape(link.teaser)}</span>"
        lines.append(f"    <li{lang}>{title} {teaser}{_date(link.published_at)}</li>")
    return "\n".join([*lines, "  </ul>", "</nav>", ""])


def _picture(address: str | None) -> str:
    """A picture that says nothing the title beside it does not; of a size, so that nothing jumps
    when it comes.
    """
    if not address or not leads_to_page(address):
        return ""
    how = 'alt="" width="96" height="64" loading="lazy" decoding="async"'
    return f'<img src="{html.escape(address)}" {how} referrerpolicy="no-referrer"> '


def _date(given: str | None) -> str:
    """The day as the article gives it: a file knows no reader whose language it could be in."""
    if not given:
        return ""
    given = html.escape(given)
    return f' <time datetime="{given}">{given[:10]}</time>'


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
    bundle: Bundle, folder: Path, stored: list[tuple[str, RawPage]], progress: Progress
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
        _write(_inside(folder, page.path), raw)
    return Exported(len(stored), n_rewritten, tuple(left))


def _inside(folder: Path, name: str) -> Path:
    """The path below ``folder``; a stored name that leads out of it is refused."""
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(os.path.normpath(folder)):
        raise RecommenderError(f"{name}: leads out of {folder}")
    return path


def _write(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not made of the file's own name, which may be as long as names may be.
    scratch = path.with_name(f".{os.getpid()}.part")
    scratch.write_bytes(raw)
    scratch.replace(path)
