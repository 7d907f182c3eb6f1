"""Articles by words of their titles, by their ids and by their addresses, as editors type them.

The store keeps an index beside the articles, in the full-text search of the engine: SQLite's FTS5,
PostgreSQL's GIN of ``tsvector``. Both are handed the same terms (``finding_terms``), so that they
find the same in every script, and articles are numbered by the length of their titles, so that the
first of very many are found without looking at the others (DECISIONS.md, "Finding articles"). Parts
of ids and addresses are looked for in a narrow table.

>>> from recommender.articles.article import Article
>>> from recommender.articles.batch import Batch
>>> from recommender.store.database import Store
>>> store, batch = Store("sqlite://"), Batch()
>>> for id, title in (("knee-1", "Why does my knee click?"), ("knee-2", "Knee pain")):
...     batch.articles[id] = Article(id, title, url=f"https://example.org/{id}.html")
>>> _ = store.apply(batch)
>>> with store.reading() as connection:
...     [match.id for match in find(connection, "knee")]
...     [(match.id, match.how) for match in find(connection, "example.org/knee-2?utm_source=mail")]
...     [match.title for match in propose(connection, "knee_1")]
['knee-2', 'knee-1']
[('knee-2', 'address')]
['Why does my knee click?', 'Knee pain']
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sql
from rapidfuzz import process
from rapidfuzz.distance import OSA
from sqlalchemy.engine import Connection

from recommender.articles.addresses import Finder, address_fault
from recommender.fields import may_be_stored
from recommender.store.finding_terms import (
    FIRST,
    MOST_TYPED,
    WHOLE,
    asked_ids,
    asked_terms,
    asked_whole,
    even,
    last_part_of,
    names_of,
    part_of,
    title_terms,
    whole_terms,
    words_of,
)
from recommender.store.keys import CHUNK, chunks, look_up

# Articles with one term for an id or an address that are looked at for the one that is meant; as
# many as ``addresses`` looks at.
MOST_ALIKE = 100
# Titles that begin with the first word of what was typed, shorter ones first, that are looked at
# for those that begin with all of it: so many at once, and so many in all.
AT_ONCE, MOST_LOOKED_AT = 100, 2_000
# A number has the length of the title in front of this many binary digits, and below them a serial
# number that is given out once.
SERIAL_BITS = 36
SERIAL = "finding_serial"
# Shorter words are an edit away from too many others; of longer ones two letters may be wrong.
LETTERS_OF_ONE_EDIT, LETTERS_OF_TWO_EDITS = 4, 8
# Words like a misspelt one that are tried, and words that begin or end like it that are compared.
MOST_LIKE, MOST_COMPARED, BEGINNING = 5, 5_000, 2
# How alike an id or a title must be to be proposed, 1 being the same: one letter in three differs.
# Not tuned.
ALIKE = 0.65


class Match(NamedTuple):
    """An article that was found, and ``how``: by its whole ``id`` or ``address``, by its ``title``,
    by a ``part`` of its id or address; else as something near: ``some`` words are in its title, or
    all are but for a ``typo``.
    """

    id: str
    title: str
    url: str | None
    category: str | None
    stub: bool
    sensitive: bool
    how: str

    @property
    def is_near(self) -> bool:
        """Is it something else than was asked for?"""
        return self.how in ("some", "typo")


# Looking up


def find(connection: Connection, text: str, *, limit: int = 20) -> list[Match]:
    """The articles that somebody means by ``text``, best first, at most ``limit``; stubs too.

    First the one with this id or at this address, however it is written; then those with all words
    in their titles, in any order, where the last word may be a beginning: first titles that begin
    so, shorter ones first; then those that have ``text`` in their ids or addresses; several words
    are looked for there if no title has them. If there are none of these, those with some of the
    words, or with words spelt nearly so, or with those of an address: ``Match.is_near``.
    """
    text = text.strip()[:MOST_TYPED]
    if not text or limit < 1 or not may_be_stored(text):
        return []
    found = _Found(connection, limit)
    for how, ids in _whole(connection, text):
        found.add(how, ids)
    is_address = "://" in text
    # Of an address that no article has, its last part may be words of a title.
    terms = asked_terms(last_part_of(text) if is_address else text)
    if terms and not found.is_full and not is_address:
        found.add("title", _titled(connection, text, terms, limit))
    # A whole address is no part of another. Addresses have no spaces, ids hardly any.
    has_part = "address" not in found.how.values() and not (found.how and " " in text)
    if not found.is_full and has_part:
        found.add("part", _with_part(connection, text, limit))
    if not found.how and terms and is_address:
        found.add("some", _with_all(connection, [[term] for term in terms], limit))
    elif not found.how and terms:
        near = _misspelt(connection, terms)
        if near:
            found.add("typo", _with_all(connection, near, limit))
        if not found.how and len(terms) > 1:
            found.add("some", _with_some(connection, near or [[term] for term in terms], limit))
    return found.matches()


def propose(connection: Connection, text: str, *, limit: int = 5) -> list[Match]:
    """Known articles that may be meant by an id or a title that none has, the likeliest first.

    For telling somebody whose id was refused what to write instead: the article whose id is the
    same but for letter case, an ending or an address around it, ids that differ in a few letters,
    and titles with the same words, misspelt or not. Looks at every id, some 0.2 s at 137,000
    articles: for what is refused, not for what is typed. ``[]`` if nothing is like it.
    """
    text = text.strip()[:MOST_TYPED]
    if not text or not may_be_stored(text):
        return []
    found = _Found(connection, limit)
    for how, ids in _whole(connection, text):
        found.add(how, ids)
    asked = even(text)
    ids = [str(id) for id in connection.scalars(sql.text("SELECT id FROM finding"))]
    like = process.extract(
        asked, ids, scorer=OSA.normalized_similarity, processor=even, limit=limit,
        score_cutoff=ALIKE,
    )  # fmt: skip
    found.add("typo", [id for id, _, _ in sorted(like, key=lambda each: (-each[1], each[0]))])
    if not found.is_full:
        for match in find(connection, text, limit=limit):
            found.add(match.how, [match.id])
    return found.matches()


class _Found:
    """What has been found, in order, each article once."""

    def __init__(self, connection: Connection, limit: int) -> None:
        self.connection, self.limit = connection, limit
        self.how: dict[str, str] = {}

    @property
    def is_full(self) -> bool:
        return len(self.how) >= self.limit

    def add(self, how: str, ids: Iterable[str]) -> None:
        for id in ids:
            if not self.is_full:
                self.how.setdefault(id, how)

    def matches(self) -> list[Match]:
        """What there is to tell of each; those that went away meanwhile are left out."""
        query = "SELECT id, title, url, category, stub, sensitive FROM articles WHERE id IN :values"
        rows = {row.id: row for row in look_up(self.connection, query, self.how)}
        return [
            Match(
                id, row.title, None if row.url and address_fault(row.url) else row.url or None,
                row.category, bool(row.stub), bool(row.sensitive), how,
            )
            for id, how in self.how.items()
            if (row := rows.get(id)) is not None
        ]  # fmt: skip


def _whole(connection: Connection, text: str) -> Iterator[tuple[str, list[str]]]:
    """How and which: the article with this id, then those whose id it is but for letter case, then
    the one at this address.
    """
    groups = [[(term, False)] for term in asked_whole(text)]
    alike = [id for group in groups for id in _numbered(connection, [group], MOST_ALIKE).values()]
    query = "SELECT id, url FROM articles WHERE id IN :values"
    urls = {row.id: row.url for row in look_up(connection, query, {*asked_ids(text), *alike})}
    yield "id", [text] if text in urls else []
    asked = even(text)
    yield "id", sorted(id for id in urls if even(id) == asked)
    at = Finder((id, url) for id, url in sorted(urls.items()) if url and not address_fault(url))
    yield "address", [at.names[row] for row in at.pages.find(text).rows]
    yield "address", [id for id in asked_ids(text) if id in urls and not urls[id]]


def _titled(connection: Connection, text: str, terms: list[str], limit: int) -> list[str]:
    """Ids of the articles whose titles have all the words."""
    asked = [[(term, False)] for term in terms[:-1]] + [[(terms[-1], True)]]
    beginning = [[(FIRST + terms[0], asked[0][0][1])], *asked[1:]]
    begins = _beginning(connection, beginning, text, limit)
    if even(text) != " ".join(words_of(text)):
        # "C" and "C++" have one word in common; who types signs means them.
        whole = [[(FIRST + terms[0], False)], *([(term, False)] for term in terms[1:])]
        begins |= _beginning(connection, whole, text, limit)
    found = [id for _, _, id in sorted((*key, id) for id, key in begins.items())]
    rest = _numbered(connection, asked, limit) if len(found) < limit else {}
    found += [id for id in rest.values() if id not in begins]
    if len(found) < limit and len(terms) > 1:
        loose = [[(term, True)] for term in terms]
        found += _numbered(connection, loose, limit).values()
    return list(dict.fromkeys(found))


def _beginning(
    connection: Connection, groups: Sequence[Sequence[tuple[str, bool]]], text: str, limit: int
) -> dict[str, tuple[bool, int]]:
    """Of the articles with these terms those whose titles begin with the text, ``limit`` or more if
    there are; with whether it is there but for its signs, and the number.
    """
    same, start = even(text), " ".join(words_of(text))
    query = "SELECT id, title FROM articles WHERE id IN :values"
    found: dict[str, tuple[bool, int]] = {}
    after, looked_at = -1, 0
    while len(found) < limit and looked_at < MOST_LOOKED_AT:
        some = _numbered(connection, groups, AT_ONCE, after=after)
        titles = {row.id: row.title for row in look_up(connection, query, some.values())}
        for number, id in some.items():
            title = titles.get(id, "")
            if " ".join(words_of(title)).startswith(start):
                found[id] = not even(title).startswith(same), number
        if len(some) < AT_ONCE:
            break
        after, looked_at = max(some), looked_at + AT_ONCE
    return found


def _with_all(connection: Connection, words: list[list[str]], limit: int) -> list[str]:
    """Ids of articles that have of each group of words one in their titles."""
    groups = [[(word, group is words[-1]) for word in group] for group in words]
    return list(_numbered(connection, groups, limit).values())


def _with_some(connection: Connection, words: list[list[str]], limit: int) -> list[str]:
    """The same without one of the groups, the shortest words being the first to be left out; those
    that then have the most words.
    """
    order = sorted(range(len(words)), key=lambda at: (len(words[at][0]), -at))
    for left_out in order:
        kept = [group for at, group in enumerate(words) if at != left_out]
        if found := _with_all(connection, kept, limit):
            return found
    for at in reversed(order):
        if found := _with_all(connection, [words[at]], limit):
            return found
    return []


def _misspelt(connection: Connection, terms: list[str]) -> list[list[str]]:
    """For each term the words that titles have and it may be; [] if every term is one of these, or
    if one is like none.
    """
    known = {
        row.word
        for row in look_up(
            connection, "SELECT word FROM finding_words WHERE word IN :values", terms
        )
    }
    words, n_wrong = [], 0
    for at, term in enumerate(terms):
        is_last = at == len(terms) - 1
        if term in known or (is_last and _between(connection, "word", term, 1)):
            words.append([term])
            continue
        n_wrong += 1
        like = _words_like(connection, term, may_go_on=is_last)
        if not like:
            return []
        words.append(like)
    return words if n_wrong else []


def _words_like(connection: Connection, term: str, *, may_go_on: bool) -> list[str]:
    """Words of titles that the term may be misspelt from. Its beginning is taken to be right, or
    else its second half.
    """
    if len(term) < LETTERS_OF_ONE_EDIT:
        return []
    edits = 2 if len(term) >= LETTERS_OF_TWO_EDITS else 1
    half = len(term) // 2
    near = {
        *_between(connection, "word", term[:BEGINNING], MOST_COMPARED),
        *_between(connection, "backwards", term[: half - 1 : -1], MOST_COMPARED),
    }
    found = [(OSA.distance(term, word, score_cutoff=edits), word) for word in sorted(near)]
    if may_go_on:
        found += [
            (OSA.distance(term, word[: len(term)], score_cutoff=edits), word)
            for word in sorted(near)
            if len(word) > len(term)
        ]
    least: dict[str, int] = {}
    for distance, word in sorted(found):
        if distance <= edits:
            least.setdefault(word, distance)
    best = min(least.values(), default=0)
    return [word for word, distance in least.items() if distance == best][:MOST_LIKE]


def _between(connection: Connection, column: str, start: str, n: int) -> list[str]:
    """Words that begin with this, or end with it if it is spelt ``backwards``."""
    rows = connection.execute(
        sql.text(
            f"SELECT word FROM finding_words WHERE {column} >= :start AND {column} < :end "
            f"ORDER BY {column} LIMIT :n"
        ),
        {"start": start, "end": _behind(start), "n": n},
    )
    return [row.word for row in rows]


def _behind(start: str) -> str:
    """What stands behind every text with this beginning, by code points."""
    return start + chr(0x10FFFF)


def _numbered(
    connection: Connection,
    groups: Sequence[Sequence[tuple[str, bool]]],
    n: int,
    *,
    after: int = -1,
) -> dict[int, str]:
    """The first ``n`` articles by number, ``after`` this one, that have of each group a term; each
    with whether it may be the beginning of one.
    """
    if connection.dialect.name == "postgresql":
        statement = """
            SELECT number, id FROM finding WHERE terms @@ CAST(:asked AS tsquery)
                AND number > :after
            ORDER BY number LIMIT :n"""
        parts = [
            " | ".join(f"'{term}'{':*' if go else ''}" for term, go in each) for each in groups
        ]
        asked = " & ".join(f"({part})" for part in parts)
    else:
        statement = """
            SELECT number, id FROM finding WHERE number IN (
                SELECT rowid FROM finding_terms
                WHERE finding_terms MATCH :asked AND rowid > :after
                ORDER BY rowid LIMIT :n)
            ORDER BY number"""
        parts = [
            " OR ".join(f'"{term}"{" *" if go else ""}' for term, go in each) for each in groups
        ]
        asked = " AND ".join(f"({part})" for part in parts)
    # Put into the statement: one that is prepared has one plan for rare words and common ones.
    query = sql.text(statement).bindparams(sql.bindparam("asked", asked, literal_execute=True))
    rows = connection.execute(query, {"n": n, "after": after})
    return {row.number: row.id for row in rows}


def _with_part(connection: Connection, text: str, limit: int) -> list[str]:
    """Ids of the articles that have this in their ids or addresses: as it is, or all its words."""
    parts = list(dict.fromkeys([part_of(text)] if " " not in text else even(text).split()))
    if not parts or not all(parts):
        return []
    if connection.dialect.name == "postgresql":
        # LIKE has the planner go through the numbers in order, which takes three times as long.
        test = "position(:part_{} IN names) > 0"
    else:
        test, parts = "names LIKE :part_{} ESCAPE '!'", [f"%{_escaped(part)}%" for part in parts]
    where = " AND ".join(test.format(at) for at in range(len(parts)))
    given: dict[str, Any] = {f"part_{at}": part for at, part in enumerate(parts)}
    statement = f"SELECT id FROM finding WHERE {where} ORDER BY number LIMIT :n"
    return [row.id for row in connection.execute(sql.text(statement), given | {"n": limit})]


def _escaped(part: str) -> str:
    return part.replace("!", "!!").replace("%", "!%").replace("_", "!_")


# Keeping in step


@dataclass(frozen=True, slots=True)
class Named:
    """What of an article the index holds."""

    id: str
    title: str
    url: str | None

    @property
    def terms(self) -> str:
        """The terms, with spaces between."""
        return " ".join((*title_terms(self.title), *whole_terms(self.id, self.url)))


def named(connection: Connection, ids: Iterable[str]) -> list[Named]:
    """What the index holds of these articles, those of them that there are."""
    rows = look_up(connection, "SELECT id, title, url FROM articles WHERE id IN :values", ids)
    return [Named(row.id, row.title, row.url) for row in rows]


def renew(connection: Connection, before: Collection[Named], after: Iterable[Named]) -> None:
    """Have the index hold what is there ``after``, in place of what was there ``before``."""
    after = list(after)
    same = set(before) & set(after)
    _take_out(connection, [each for each in before if each not in same])
    _put_in(connection, [each for each in after if each not in same])


def rebuild(connection: Connection) -> None:
    """Make the index of all articles; it is empty."""
    # In the order of their numbers, a table of SQLite's is a fifth smaller.
    statement = "SELECT id, title, url FROM articles ORDER BY LENGTH(title), id"
    rows = connection.execute(sql.text(statement))
    for part in chunks((Named(row.id, row.title, row.url) for row in rows), CHUNK):
        _put_in(connection, part)


def _take_out(connection: Connection, articles: Sequence[Named]) -> None:
    if not articles:
        return
    if connection.dialect.name != "postgresql":
        terms = {each.id: each.terms for each in articles}
        numbers = look_up(connection, "SELECT id, number FROM finding WHERE id IN :values", terms)
        gone = [("delete", row.number, terms[row.id]) for row in numbers]
        statement = "INSERT INTO finding_terms (finding_terms, rowid, terms) VALUES (?, ?, ?)"
        for part in chunks(gone, CHUNK):
            connection.exec_driver_sql(statement, part)
    ids = [{"id": each.id} for each in articles]
    connection.execute(sql.text("DELETE FROM finding WHERE id = :id"), ids)


def _put_in(connection: Connection, articles: Sequence[Named]) -> None:
    if not articles:
        return
    query = sql.text("SELECT value FROM meta WHERE name = :name")
    first = int(connection.scalar(query, {"name": SERIAL}) or 0)
    numbers = [
        (min(len(each.title), 2**20) << SERIAL_BITS) + serial
        for serial, each in enumerate(articles, start=first)
    ]
    rows = [
        (number, each.id, names_of(each.id, each.url), each.terms)
        for number, each in sorted(zip(numbers, articles, strict=True), key=lambda pair: pair[0])
    ]
    words = sorted(
        {term for *_, terms in rows for term in terms.split() if term[0] not in (FIRST, WHOLE)}
    )
    if connection.dialect.name == "postgresql":
        for part in chunks(rows, CHUNK):
            connection.exec_driver_sql(
                "INSERT INTO finding (number, id, names, terms) "
                "SELECT number, id, names, array_to_tsvector(string_to_array(terms, ' ')) "
                "FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) "
                "AS given (number, id, names, terms)",
                tuple(list(column) for column in zip(*part, strict=True)),
            )
        statement = "INSERT INTO finding_words SELECT * FROM unnest(%s::text[], %s::text[]) " + SKIP
        for each in chunks(words, CHUNK):
            connection.exec_driver_sql(statement, (each, [word[::-1] for word in each]))
    else:
        connection.exec_driver_sql(
            "INSERT INTO finding (number, id, names) VALUES (?, ?, ?)", [row[:3] for row in rows]
        )
        connection.exec_driver_sql(
            "INSERT INTO finding_terms (rowid, terms) VALUES (?, ?)",
            [(number, terms) for number, _, _, terms in rows],
        )
        statement = f"INSERT INTO finding_words VALUES (?, ?) {SKIP}"
        connection.exec_driver_sql(statement, [(word, word[::-1]) for word in words])
    connection.execute(
        sql.text(
            "INSERT INTO meta (name, value) VALUES (:name, :value) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ),
        {"name": SERIAL, "value": str(first + len(articles))},
    )


SKIP = "ON CONFLICT DO NOTHING"
