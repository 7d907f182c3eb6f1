"""What the tests of other people's logs share: a site, and reading a log written in a test."""

from collections.abc import Iterable
from pathlib import Path

from recommender.articles.addresses import Finder
from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.events.event import Event
from recommender.events.reader import EventReader
from recommender.files import Tolerance
from recommender.store.database import Store

SITE = {
    "knee": "https://example.org/knee.html",
    "hip": "https://example.org/hip.html",
    "gout": "https://example.org/gout.html",
    "salt": "https://example.org/salt.html",
}
FINDER = Finder(SITE.items())
EVERYTHING = Tolerance(share=1.0, at_least=1_000_000)


def read(path: Path, text: str | bytes, kind: str = "auto") -> tuple[list[Event], EventReader]:
    """The events of a log, and the reader that knows what was left out."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    reader = EventReader([path], format=kind, finder=FINDER, tolerance=EVERYTHING)
    return list(reader), reader


def problems(reader: EventReader) -> list[str]:
    """Without the folder."""
    folder = str(reader.files[0][0].parent)
    return [problem.text.replace(f"{folder}/", "") for problem in reader.problems]


def store_with_site() -> Store:
    """An empty log, and the site's articles."""
    store = Store("sqlite://")
    batch = Batch()
    for id, url in SITE.items():
        batch.add(Article(id=id, title=id, url=url), where=id)
    store.apply(batch)
    return store


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the log, whatever the order in which it came."""
    import sqlalchemy as sql

    queries = {
        "views": "SELECT v.view_id, v.ts, v.session, v.layout, v.arm, s.list, s.ordered, i.id, "
        "l.rank, l.position, t.id FROM views v JOIN slates s ON s.slate = v.slate "
        "JOIN ids i ON i.key = s.source JOIN slate_links l ON l.slate = v.slate "
        "JOIN ids t ON t.key = l.item",
        "clicks": "SELECT c.view_id, i.id FROM clicks c JOIN ids i ON i.key = c.item",
        "pageviews": "SELECT p.ts, p.session, i.id, COALESCE(r.id, '') FROM pageviews p "
        "JOIN ids i ON i.key = p.article LEFT JOIN ids r ON r.key = p.referrer",
    }
    with store.reading() as connection:
        return {
            name: sorted(map(tuple, connection.execute(sql.text(query))))
            for name, query in queries.items()
        }


def lines(records: Iterable[str]) -> str:
    """A file of these lines."""
    return "".join(f"{record}\n" for record in records)
