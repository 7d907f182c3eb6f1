"""The articles in the store: read them, and apply a batch of new ones."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from recommender.articles.addresses import address_fault, url_key
from recommender.articles.article import Article, title_key
from recommender.articles.batch import Batch, RawPage
from recommender.articles.linking import Linked, link
from recommender.errors import InputError
from recommender.fields import may_be_stored
from recommender.progress import Progress, Silent, tracked
from recommender.store.finding import Named, named, renew
from recommender.store.keys import CHUNK, chunks, look_up, upsert

COLUMNS = [column.name for column in fields(Article)]
LISTS = ("tags", "recommended")
FLAGS = ("sensitive", "stub")
ADDRESSES = ("url", "image")
LATER = ("author", "image")
# Characters of a text that servers get of articles of which very many change at once: a teaser has
# 49, spaces run together, and a few sentences show what it is about.
BEGINNING = 300
# Articles that are looked up one by one rather than all of a store with them. Not tuned.
FEW = 1_000


@dataclass(frozen=True, slots=True)
class Changes:
    """What applying a batch of articles did, by id. Of a full import with problems nothing is
    removed, since what is missing may be what could not be read: those stand in ``spared``.
    ``stubs_gone`` are titles without a page that have one now, or that nothing points at any more.
    ``renamed`` are articles that stood there under another id, as ``{old: new}``; ``n_elsewhere``
    links of pages lead to other sites, ``n_nowhere`` to no article and have no title.
    """

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    spared: list[str] = field(default_factory=list)
    n_unchanged: int = 0
    n_stubs: int = 0
    stubs_gone: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    n_elsewhere: int = 0
    n_nowhere: int = 0


class Changed(NamedTuple):
    """What changed since some moment: the ``number`` of the last change, the ``articles`` that are
    here now, the ids of those ``removed``, and the articles whose texts were ``cut``.
    """

    number: int
    articles: list[Article]
    removed: list[str]
    cut: list[Article]


def read_articles(
    connection: Connection, *, with_body: bool | int = True, ids: Iterable[str] | None = None
) -> list[Article]:
    """The articles with these ``ids``, or all, in the order of their ids; with their bodies,
    without, or with so many characters of them.
    """
    body = (
        {True: "body", False: "'' AS body"}.get(with_body) if isinstance(with_body, bool) else None
    )
    names = ", ".join(COLUMNS).replace("body", body or f"SUBSTR(body, 1, {with_body:d}) AS body")
    statement = f"SELECT {names} FROM articles"
    if ids is None:
        found = [_article(row) for row in connection.execute(sql.text(statement))]
    else:
        known = filter(may_be_stored, ids)
        rows = look_up(connection, f"{statement} WHERE id IN :values", known)
        found = [_article(row) for row in rows]
    # Engines collate text each in their own way; code points are the same everywhere.
    return sorted(found, key=lambda article: article.id)


@dataclass(frozen=True, slots=True)
class State:
    """The articles that a batch is linked to, ``(id, digest, stub)`` each: all of a store, or those
    of the batch alone, if no other can matter.
    """

    articles: set[tuple[str, str, int]]
    is_whole: bool


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A batch that is linked to the articles of a store in a certain state, and the articles to
    write with their digests. Their rows are made as they are written: of a million articles they
    would take as much memory as the texts.
    """

    state: State
    written: list[tuple[Article, str]]
    changes: Changes


def prepare(
    connection: Connection,
    batch: Batch,
    *,
    full: bool,
    new_ids: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Link the batch to what is stored, of which ``connection`` sees one state. ``InputError`` if
    articles would get other ids than they have, unless they are to have ``new_ids``.
    """
    progress = progress or Silent()
    progress.stage("comparing with the store", len(batch.articles))
    state = _state(connection, batch, full=full)
    digests = {id: digest for id, digest, _ in state.articles}
    stubs = {id for id, _, stub in state.articles if stub}
    missing = sorted(digests.keys() - stubs - batch.articles.keys()) if full else []
    removing = full and not batch.problems
    stored = _stored(connection, batch, has_stubs=bool(stubs))
    renamed = _renamed(connection, batch, stored)
    if renamed and not new_ids:
        raise InputError(_refusal(renamed))
    # What is about to go can be linked to no more.
    known = [
        article
        for article in stored
        if article.id in batch.articles or not (removing or article.id in renamed)
    ]
    linked = link(batch, known, progress)

    changed = [
        (article, digest)
        for article in linked.articles.values()
        if digests.get(article.id) != (digest := _digest(article))
    ]
    mended = _mended(connection, known, linked)
    new_stubs = _new_stubs(stored, linked)
    written = [*changed, *((article, _digest(article)) for article in (*mended, *new_stubs))]
    changes = Changes(
        added=[article.id for article, _ in changed if article.id not in digests],
        updated=[article.id for article, _ in changed if article.id in digests],
        removed=sorted({*(missing if removing else ()), *renamed}),
        spared=[] if removing else missing,
        n_unchanged=len(linked.articles) - len(changed),
        n_stubs=len(linked.stubs),
        stubs_gone=_unnamed(stubs, known, linked),
        renamed=renamed,
        n_elsewhere=linked.n_elsewhere,
        n_nowhere=linked.n_nowhere,
    )
    return Prepared(state, written, changes)


def apply(
    connection: Connection,
    batch: Batch,
    *,
    full: bool,
    new_ids: bool = False,
    prepared: Prepared | None = None,
    progress: Progress | None = None,
) -> Changes:
    """Write the batch, see ``Store.apply``. What was ``prepared`` before nobody else could write is
    prepared anew if somebody did.
    """
    _lock(connection)
    if prepared is None or prepared.state != _state(connection, batch, full=full):
        prepared = prepare(connection, batch, full=full, new_ids=new_ids, progress=progress)
    changes = prepared.changes
    gone = [*changes.removed, *changes.stubs_gone]
    written = [article for article, _ in prepared.written]
    touched = [*gone, *(article.id for article in written)]
    if prepared.state.is_whole:
        touched = [*{id for id, _, _ in prepared.state.articles}.intersection(touched)]
    before = named(connection, filter(may_be_stored, touched))
    progress = progress or Silent()
    progress.stage("writing to the store", len(written))
    rows = (_row(*each) for each in prepared.written)
    upsert(connection, "articles", tracked(rows, progress, every=CHUNK))
    _write_pages(connection, batch)
    _delete(connection, "articles", gone)
    removed = set(gone)
    after = (Named(article.id, article.title, article.url) for article in written)
    renew(connection, before, (each for each in after if each.id not in removed))
    _delete(connection, "pages", changes.removed)
    note(connection, [article.id for article in written if not article.stub], removed=False)
    note(connection, [*changes.removed, *changes.stubs_gone], removed=True)
    return changes


def _state(connection: Connection, batch: Batch, *, full: bool) -> State:
    """What matters to a batch. One of a few records leaves all others as they are, unless titles
    without a page stand among them: each may turn out to be one of these.
    """
    statement = "SELECT id, digest, stub FROM articles"
    few = not (full or batch.drafts) and len(batch.articles) <= FEW
    if few and not connection.scalar(
        sql.text("SELECT EXISTS (SELECT 1 FROM articles WHERE stub = 1)")
    ):
        ids = filter(may_be_stored, batch.articles)
        rows: Iterable[Any] = look_up(connection, f"{statement} WHERE id IN :values", ids)
    else:
        few, rows = False, connection.execute(sql.text(statement))
    return State({(row.id, row.digest, row.stub) for row in rows}, is_whole=not few)


def note(connection: Connection, ids: Collection[str], *, removed: bool) -> None:
    """Number a change of each of ``ids``, for running servers to see."""
    if not ids:
        return
    _lock(connection)
    first = last_change(connection) + 1
    rows = [
        {"id": id, "number": number, "removed": int(removed)}
        for number, id in enumerate(sorted(ids), start=first)
    ]
    upsert(connection, "changes", rows)


def remove(connection: Connection, ids: Collection[str]) -> list[str]:
    """Take articles out; returns the ids of those there were. See ``Store.remove``."""
    _lock(connection)
    before = named(connection, filter(may_be_stored, ids))
    there = sorted(each.id for each in before)
    renew(connection, before, [])
    _delete(connection, "articles", there)
    _delete(connection, "pages", there)
    note(connection, there, removed=True)
    return there


def last_change(connection: Connection) -> int:
    """The number of the last change."""
    return int(connection.scalar(sql.text("SELECT MAX(number) FROM changes")) or 0)


def changed_since(connection: Connection, number: int, *, whole: int | None = None) -> Changed:
    """See ``Store.changed_since``."""
    rows = connection.execute(
        sql.text("SELECT id, number FROM changes WHERE number > :number ORDER BY number"),
        {"number": number},
    ).all()
    ids = [row.id for row in rows]
    first = 0 if whole is None else max(0, len(ids) - whole)
    here = _real(read_articles(connection, ids=ids[first:]))
    cut = _real(read_articles(connection, with_body=BEGINNING, ids=ids[:first])) if first else []
    gone = sorted(set(ids) - {article.id for article in (*here, *cut)})
    return Changed(rows[-1].number if rows else number, here, gone, cut)


def _real(articles: list[Article]) -> list[Article]:
    return [article for article in articles if not article.stub]


def _lock(connection: Connection) -> None:
    """One writer of articles at a time, so that changes are numbered in the order they happen."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.text("LOCK TABLE articles IN SHARE ROW EXCLUSIVE MODE"))


def read_pages(connection: Connection) -> list[tuple[str, RawPage]]:
    """The text pages articles came from, with the articles' ids, in the order of their paths."""
    rows = connection.execute(sql.text("SELECT id, path, raw FROM pages")).all()
    pages = [(row.id, RawPage(row.path, bytes(row.raw))) for row in rows]
    return sorted(pages, key=lambda pair: pair[1].path)


def _stored(connection: Connection, batch: Batch, *, has_stubs: bool) -> list[Article]:
    """What the batch must be linked to: all titles if it has titles to find, or the store has."""
    everything = bool(batch.drafts) or has_stubs
    return read_articles(connection, with_body=False, ids=None if everything else batch.articles)


def _renamed(connection: Connection, batch: Batch, stored: list[Article]) -> dict[str, str]:
    """Articles of the store that the batch has under other ids, as ``{old: new}``: at the same
    address, or, where one has none, of the same title and text. Ids that records give are the
    site's to change; this is about ids made here.
    """
    there = {article.id for article in stored}
    new = [
        article
        for id in batch.drafts
        if id not in there and (article := batch.articles.get(id)) is not None
    ]
    old = [each for each in stored if not each.stub and each.id not in batch.articles]
    if not new or not old:
        return {}
    befores, afters = _alone(old, _address_key), _alone(new, _address_key)
    found = {befores[key].id: afters[key].id for key in befores.keys() & afters.keys()}
    taken = {*found, *found.values()}
    new = [article for article in new if article.id not in taken]
    titles = {title_key(article.title) for article in new}
    alike = [each.id for each in old if each.id not in taken and title_key(each.title) in titles]
    befores = _alone(read_articles(connection, ids=alike), _whole_text)
    afters = _alone(new, _whole_text)
    found |= {
        befores[key].id: afters[key].id
        for key in befores.keys() & afters.keys()
        if not (befores[key].url and afters[key].url)
    }
    return dict(sorted(found.items()))


def _whole_text(article: Article) -> str:
    return f"{title_key(article.title)} {' '.join(article.body.split())}"


def _address_key(article: Article) -> str:
    return url_key(article.url) if article.url else ""


def _alone(articles: list[Article], key_of: Callable[[Article], str]) -> dict[str, Article]:
    """Articles by a key, without those that share it or have none."""
    keys = Counter(map(key_of, articles))
    return {key: each for each in articles if (key := key_of(each)) and keys[key] == 1}


def _refusal(renamed: dict[str, str]) -> str:
    old, new = next(iter(renamed.items()))
    return (
        f"nothing imported: {len(renamed):,} articles stand in the store under other ids: {new!r} "
        f"is {old!r} there, and clicks are counted by id; choose the same ids with --id path, "
        "stem or canonical, or give --new-ids, which puts the new ones in the place of the old"
    )


def _mended(connection: Connection, known: list[Article], linked: Linked) -> list[Article]:
    """Older articles, pointed at those their stubs turned out to be."""
    new = linked.aliases
    ids = [
        article.id
        for article in known
        if article.id not in linked.articles and not new.keys().isdisjoint(_named(article))
    ]
    return [
        replace(
            article,
            recommended=tuple(new.get(id, id) for id in article.recommended),
            previous=article.previous and new.get(article.previous, article.previous),
            next=article.next and new.get(article.next, article.next),
        )
        for article in read_articles(connection, ids=ids)
    ]


def _new_stubs(stored: list[Article], linked: Linked) -> list[Article]:
    """Stubs the store does not have yet, or has without a teaser."""
    teasers = {article.id: article.teaser for article in stored}
    return [
        stub
        for stub in linked.stubs.values()
        if stub.id not in teasers or (stub.teaser and not teasers[stub.id])
    ]


def _unnamed(stubs: set[str], known: list[Article], linked: Linked) -> list[str]:
    """Stubs that no list points at any more, those that became real among them."""
    if not stubs:
        return []
    articles = {article.id: article for article in known} | linked.articles
    named = {id for article in articles.values() for id in _named(article)}
    return sorted(stubs - (named - linked.aliases.keys()))


def _named(article: Article) -> Iterable[str]:
    return filter(None, (*article.recommended, article.previous, article.next))


def _row(article: Article, digest: str) -> dict[str, Any]:
    row = _values(article)
    for name in LISTS:
        row[name] = json.dumps(row[name], ensure_ascii=False)
    for name in FLAGS:
        row[name] = int(row[name])
    return {**row, "digest": digest}


def _values(article: Article) -> dict[str, Any]:
    """Its fields; unlike ``asdict`` this copies none of them, which takes most of the time."""
    return {name: getattr(article, name) for name in COLUMNS}


def _article(row: Any) -> Article:
    values = dict(row._mapping)
    for name in LISTS:
        # Most often there is none.
        values[name] = tuple(json.loads(values[name])) if values[name] != "[]" else ()
    for name in FLAGS:
        values[name] = bool(values[name])
    # Older releases took any text for an address.
    for name in ADDRESSES:
        if values[name] and address_fault(values[name]):
            values[name] = None
    return Article(**values)


def _digest(article: Article) -> str:
    # What came with a later release counts where it is: no upgrade changes every article.
    values = {k: v for k, v in _values(article).items() if v is not None or k not in LATER}
    text = json.dumps(values, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _write_pages(connection: Connection, batch: Batch) -> None:
    # An article that now comes as HTML has no text page any more.
    _delete(connection, "pages", sorted(batch.drafts.keys() - batch.pages.keys()))
    statement = sql.text(
        "INSERT INTO pages (id, path, raw) VALUES (:id, :path, :raw) "
        "ON CONFLICT (id) DO UPDATE SET path = excluded.path, raw = excluded.raw "
        "WHERE pages.path <> excluded.path OR pages.raw <> excluded.raw"
    )
    for part in chunks(batch.pages.items(), CHUNK):
        rows = [{"id": id, "path": page.path, "raw": page.raw} for id, page in part]
        connection.execute(statement, rows)


def _delete(connection: Connection, table: str, ids: Sequence[str]) -> None:
    if ids:
        statement = sql.text(f"DELETE FROM {table} WHERE id = :id")
        connection.execute(statement, [{"id": id} for id in ids])
