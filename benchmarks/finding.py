"""Finding articles in a store of msdocs's size, beside a plain scan by LIKE, and what the index
costs. Processor time of the client and of the database together: where the machine has other work,
wall times say little.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import sqlalchemy as sql
from sqlalchemy.engine import Connection

from benchmarks.corpus import table
from benchmarks.servers import postgresql
from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.store.database import Store
from recommender.store.finding import find, propose, rebuild

N_ARTICLES, N_WORDS, ROUNDS, LIMIT = 137_053, 60_000, 20, 20
BODY_CHARACTERS = 860  # the mean of msdocs
QUESTIONS = {
    "t": "one letter",
    "the": "a word of half of the titles",
    "how to": "two of them",
    "to the how": "three, in another order",
    "w17 w91": "two rarer ones",
    "w40000": "a word of one or two",
    "https://www.example.org/docs/7/page-70707.html?utm_source=mail": "an address",
    "age-70707": "a part of an id",
    "the w123x4": "a typo",
    "zzzz": "nothing",
}


def run() -> None:
    """Print the table of what finding takes."""
    articles = _articles()
    with TemporaryDirectory() as name:
        _measured("SQLite", f"sqlite:///{Path(name) / 'store.db'}", articles)
    with postgresql() as url:
        if url:
            _measured("PostgreSQL", url, articles)


def _articles() -> list[Article]:
    """Titles of five words in the mean by Zipf's law, of which half begin as titles do."""
    random = np.random.default_rng(0)
    chance = 1 / np.arange(10, N_WORDS + 10)
    drawn = random.choice(N_WORDS, size=(N_ARTICLES, 8), p=chance / chance.sum())
    starts = ("", "", "How to", "What is the", "The", "Why the")
    body = " ".join(f"w{word}" for word in drawn[:400].ravel())
    found = []
    for at in range(N_ARTICLES):
        n = 2 + at % 6
        words = " ".join(f"w{word}" for word in drawn[at, :n])
        offset = (at * 37) % (len(body) - BODY_CHARACTERS)
        url = f"https://example.org/docs/{at % 100}/page-{at}.html"
        title = f"{starts[at % len(starts)]} {words}".strip()
        text = body[offset : offset + BODY_CHARACTERS]
        found.append(Article(f"page-{at}", title, body=text, url=url))
    return found


def _measured(engine: str, url: str, articles: list[Article]) -> None:
    batch = Batch()
    batch.articles = {article.id: article for article in articles}
    with Store(url) as store:
        start = time.process_time()
        store.apply(batch)
        imported = time.process_time() - start
        with store.transaction() as connection:
            size = _size(connection)
            _empty(connection)
            server = _server(connection)
            start, before = time.process_time(), server()
            rebuild(connection)
            made = time.process_time() - start + server() - before
        print(
            f"{engine}: import {imported:.1f} s of processor time of the client; the index alone, "
            f"database included, {made:.1f} s; {size}\n"
        )
        with store.reading() as connection:
            table(
                ("typed", "", "found", "ms of CPU", "wall", "LIKE scan", "ratio"),
                (_row(connection, text, what) for text, what in QUESTIONS.items()),
            )
            start = time.process_time()
            propose(connection, "page-7o707")
            print(f"proposals: {1000 * (time.process_time() - start):.0f} ms of the client\n")


def _row(connection: Connection, text: str, what: str) -> tuple[str, ...]:
    n, ours, wall = _timed(connection, lambda: len(find(connection, text, limit=LIMIT)))
    _, scanned, _ = _timed(connection, lambda: _scanned(connection, text), rounds=ROUNDS // 4)
    shown = text if len(text) < 30 else f"{text[:24]}..."
    figures = (f"{ours:.1f}", f"{wall:.1f}", f"{scanned:.0f}", f"{scanned / ours:.0f}")
    return (f"`{shown}`", what, str(n), *figures)


def _scanned(connection: Connection, text: str) -> int:
    """What a first attempt would do: no word order of accents, no address but as it is written."""
    where = " AND ".join(f"LOWER(title) LIKE :w{at}" for at, _ in enumerate(text.split()))
    given = {f"w{at}": f"%{word}%" for at, word in enumerate(text.lower().split())}
    statement = (
        f"SELECT id, title FROM articles WHERE ({where}) OR LOWER(id) LIKE :whole "
        "OR LOWER(url) LIKE :whole ORDER BY LENGTH(title), id LIMIT 20"
    )
    whole = {"whole": f"%{text.lower()}%"}
    return len(connection.execute(sql.text(statement), given | whole).all())


def _timed(
    connection: Connection, job: Callable[[], int], *, rounds: int = ROUNDS
) -> tuple[int, float, float]:
    """What a job gives, milliseconds of processor time and of wall time in the mean."""
    server = _server(connection)
    n = job()
    before, start, wall = server(), time.process_time(), time.perf_counter()
    for _ in range(rounds):
        job()
    spent = time.process_time() - start + server() - before
    return n, 1000 * spent / rounds, 1000 * (time.perf_counter() - wall) / rounds


def _server(connection: Connection) -> Callable[[], float]:
    """Processor seconds of the database's process, 0 where it is our own."""
    if connection.dialect.name != "postgresql":
        return lambda: 0.0
    pid = connection.scalar(sql.text("SELECT pg_backend_pid()"))
    ticks = os.sysconf("SC_CLK_TCK")

    def spent() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / ticks

    return spent


def _size(connection: Connection) -> str:
    """Megabytes of the index and of all."""
    if connection.dialect.name == "postgresql":
        own = "SELECT SUM(pg_total_relation_size(name)) FROM (VALUES ('finding'), "
        own += "('finding_words')) AS given (name)"
        every = "SELECT pg_database_size(current_database())"
        index, whole = (float(connection.scalar(sql.text(each)) or 0) for each in (own, every))
    else:
        page = float(connection.scalar(sql.text("PRAGMA page_size")) or 0)
        whole = page * float(connection.scalar(sql.text("PRAGMA page_count")) or 0)
        own = "SELECT SUM(pgsize) FROM dbstat WHERE name LIKE '%finding%'"
        try:
            index = float(connection.scalar(sql.text(own)) or 0)
        except sql.exc.OperationalError:  # this SQLite does not say
            return f"{whole / 1e6:.0f} MB in all"
    return f"{index / 1e6:.0f} MB of {whole / 1e6:.0f} MB"


def _empty(connection: Connection) -> None:
    for name in ("finding", "finding_words"):
        connection.execute(sql.text(f"DELETE FROM {name}"))
    if connection.dialect.name != "postgresql":
        connection.execute(
            sql.text("INSERT INTO finding_terms (finding_terms) VALUES ('delete-all')")
        )
