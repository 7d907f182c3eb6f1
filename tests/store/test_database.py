"""The store keeps what it was given, whole or not at all, on SQLite and on PostgreSQL alike."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sql

from recommender.articles.article import Article, from_record, stub_for
from recommender.articles.batch import Batch, RawPage
from recommender.articles.reader import document_of
from recommender.articles.text_page import Page
from recommender.errors import ArticleError, EventError, NewerStoreError, StoreError
from recommender.events.event import Click, Event, Impression, PageView, parse
from recommender.events.slate_token import Signer, Slate
from recommender.files import Problem
from recommender.store import articles as article_tables
from recommender.store import schema
from recommender.store.database import Store, known_name, signing_keys, store_name
from recommender.store.keys import CHUNK
from recommender.store.schema import STEPS

NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)


def batch_of(*articles: Article) -> Batch:
    batch = Batch()
    for number, article in enumerate(articles, start=1):
        batch.add(article, f"a.jsonl:{number}")
    return batch


def with_page(batch: Batch, id: str, title: str, *recommended: str, previous: str = "") -> Batch:
    """The batch, and a text page that recommends these titles, each with a teaser."""
    pairs = tuple((other, f"About {other.lower()}...") for other in recommended)
    page = Page(title, "Its body.", previous or None, None, pairs)
    document = document_of(page, where=f"{id}.txt", path=f"{id}.txt")
    batch.add(Article(id, title, "Its body."), f"{id}.txt", document)
    batch.pages[id] = RawPage(f"{id}.txt", title.encode())
    return batch


def rows(store: Store, statement: str) -> list[tuple[object, ...]]:
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(sql.text(statement))]


# Articles


def test_an_article_comes_back_as_it_went_in(store: Store):
    """Every field, every script, and ids that look like paths."""
    article = Article(
        id="../a/b?c=1",
        title="膝盖为什么会响？",
        body="כאב בברך\n\nالركبة \U0001f9b5",
        teaser="短",
        url="https://example.org/a%20b",
        category="Körper",
        tags=("x", "y,z"),
        published_at="2026-11-22",
        updated_at="2026-11-22T10:00:00Z",
        language="zh",
        recommended=("a/b", "a/b", "../a/b?c=1"),
        sensitive=True,
    )

    changes = store.apply(batch_of(article))

    assert store.articles() == [article]
    assert changes.added == ["../a/b?c=1"]


def test_importing_twice_changes_nothing(store: Store):
    """The second time everything is unchanged, stubs and pages included."""
    batch = with_page(batch_of(Article("a", "A title")), "b", "B title", "A title", "No page")
    store.apply(batch)
    before = store.articles(), store.pages()

    again = with_page(batch_of(Article("a", "A title")), "b", "B title", "A title", "No page")
    changes = store.apply(again)

    assert (changes.added, changes.updated, changes.removed) == ([], [], [])
    assert (changes.n_unchanged, changes.n_stubs) == (2, 1)
    assert (store.articles(), store.pages()) == before


def test_a_changed_article_is_updated_and_the_others_stay(store: Store):
    """Without ``full``, what the batch does not hold is left alone."""
    store.apply(batch_of(Article("a", "A", "old"), Article("b", "B")))

    changes = store.apply(batch_of(Article("a", "A", "new"), Article("c", "C")))

    assert (changes.added, changes.updated, changes.removed) == (["c"], ["a"], [])
    assert [(a.id, a.body) for a in store.articles()] == [("a", "new"), ("b", ""), ("c", "")]


def test_a_full_import_removes_what_is_gone_with_its_page(store: Store):
    """Removed articles are named; stubs go without being called articles."""
    store.apply(with_page(batch_of(Article("a", "A")), "b", "B title", "No page"))

    changes = store.apply(batch_of(Article("a", "A")), full=True)

    assert changes.removed == ["b"]
    assert [article.id for article in store.articles()] == ["a"]
    assert store.pages() == []


def test_nothing_is_removed_because_a_record_was_bad(store: Store):
    """A batch with problems does not remove, and says what it spared."""
    store.apply(batch_of(Article("a", "A"), Article("b", "B")))
    batch = batch_of(Article("a", "A"))
    batch.problems.append(Problem("a.jsonl:2: field title: missing"))

    changes = store.apply(batch, full=True)

    assert (changes.removed, changes.spared) == ([], ["b"])
    assert store.n_articles() == 2


def test_a_list_does_not_point_at_what_the_same_import_removes(store: Store):
    """In a full import a title is linked only to what stays; so a second one changes nothing."""
    store.apply(with_page(batch_of(Article("gone", "Going away")), "a", "A title", "Going away"))

    first = store.apply(with_page(Batch(), "a", "A title", "Going away"), full=True)
    second = store.apply(with_page(Batch(), "a", "A title", "Going away"), full=True)

    assert (first.removed, first.updated) == (["gone"], ["a"])
    assert (second.removed, second.updated, second.n_unchanged) == ([], [], 1)
    assert [a.stub for a in store.articles() if a.title == "Going away"] == [True]


def test_a_stub_becomes_real_when_its_article_arrives(store: Store):
    """Older lists are mended, arrows too, and the stub is gone."""
    page = with_page(Batch(), "a", "A title", "Comes later", previous="Comes later")
    store.apply(page)
    stub = stub_for("Comes later")

    changes = store.apply(batch_of(Article("late", "Comes later!")))

    assert changes.added == ["late"]
    found = {article.id: article for article in store.articles()}
    assert sorted(found) == ["a", "late"]
    assert (found["a"].recommended, found["a"].previous) == (("late",), "late")
    assert found["a"].body == "Its body."
    assert stub.id not in found


def test_the_order_in_which_pages_arrive_does_not_matter(tmp_path: Path):
    """One after the other, in either order, or together: the same store."""
    pages = [("a", "A title", "B title", "Nobody"), ("b", "B title", "A title", "Nobody")]
    stores = []
    for number, steps in enumerate([[pages], [[pages[0]], [pages[1]]], [[pages[1]], [pages[0]]]]):
        with Store(f"sqlite:///{tmp_path / str(number)}.db") as store:
            for step in steps:
                batch = Batch()
                for page in step:
                    with_page(batch, *page)
                store.apply(batch)
            stores.append(store.articles())

    assert stores[0] == stores[1] == stores[2]


def test_reapplying_a_page_whose_stub_is_real_now_changes_nothing(store: Store):
    """The mended list is the one the page itself would give."""
    store.apply(with_page(Batch(), "a", "A title", "Comes later"))
    store.apply(batch_of(Article("late", "Comes later")))

    changes = store.apply(with_page(Batch(), "a", "A title", "Comes later"))

    assert (changes.added, changes.updated, changes.n_unchanged) == ([], [], 1)


def test_a_stub_that_no_list_names_any_more_is_gone(store: Store):
    """A corrected title leaves no trace of the old one."""
    store.apply(with_page(Batch(), "a", "A title", "Wrong name"))

    store.apply(with_page(Batch(), "a", "A title", "Another name"))

    assert [a.title for a in store.articles() if a.stub] == ["Another name"]


def test_a_stub_learns_its_teaser_from_a_later_list(store: Store):
    """An arrow names a title only; a list that names it too has the teaser."""
    store.apply(with_page(Batch(), "a", "A title", previous="Nobody"))

    store.apply(with_page(Batch(), "b", "B title", "Nobody"))

    assert [a.teaser for a in store.articles() if a.stub] == ["About nobody..."]


def test_a_page_leaves_alone_what_pages_cannot_say(store: Store):
    """Category, tags and above all ``sensitive`` come from records, and stay."""
    record = Article("a", "Old", "Old.", category="C", tags=("t",), sensitive=True, teaser="T")
    store.apply(batch_of(record))

    store.apply(with_page(Batch(), "a", "A title", "A title"))

    (article,) = store.articles()
    assert (article.title, article.body, article.recommended) == ("A title", "Its body.", ("a",))
    assert (article.category, article.tags, article.sensitive) == ("C", ("t",), True)


def test_a_record_leaves_alone_what_records_cannot_say(store: Store):
    """What stands before and after a page comes from pages, and stays."""
    store.apply(with_page(batch_of(Article("b", "B title")), "a", "A title", previous="B title"))

    store.apply(batch_of(Article("a", "A title", "From a record.")))

    article = store.articles()[0]
    assert (article.body, article.previous) == ("From a record.", "b")


def test_pages_come_back_byte_for_byte(store: Store):
    """Also when they hold what is no text."""
    batch = with_page(Batch(), "a", "A title")
    batch.pages["a"] = RawPage("sub/a.txt", b"\x00\xff\r\n")

    store.apply(batch)

    assert store.pages() == [("a", RawPage("sub/a.txt", b"\x00\xff\r\n"))]


def test_a_failed_import_leaves_no_trace(store: Store):
    """Half of a surrogate pair is refused by the database: nothing of the batch is there."""
    with pytest.raises(UnicodeEncodeError):
        store.apply(batch_of(Article("a", "A"), Article("b", "\ud800")))

    assert store.n_articles() == 0


SCRIPT = "".join(chr(0x20000 + 7 * n) for n in range(2_000))
TEXTS = {
    "long": "".join(chr(33 + n * n % 90) for n in range(2_000)),
    "four bytes": SCRIPT, "four bytes, just fits": SCRIPT[:650],
    "three bytes": "".join(chr(0x4E00 + 7 * n) for n in range(1_000)),
    "no characters": "a\ufffe\uffff\U0001ffff", "half": "a\ud800", "nul": "a\x00b",
    "controls": "a\x01\x1b[31mb", "other way": "a\u202eb",
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_read_can_be_stored(store: Store, text: str):
    """On either engine: an odd or long text is refused as it is read, the field named, or kept."""
    many = {"tags", "recommended", "shown"}
    article = dict.fromkeys(("id", "title", "body", "category", "tags", "language", "recommended"))
    moment = {"ts": "2026-11-22T12:00:00Z"}
    events = (
        {"view_id": "v", "source_id": "s", "shown": ["a"], "session_id": "x", "layout": "l",
         "list": "h", "arm": "m"},
        {"view_id": "v", "clicked": "c"},
        {"session_id": "q", "article_id": "a", "referrer_id": "b"},
    )  # fmt: skip

    n_kept = 0
    for field in article:
        record = {"id": "a", "title": "A", field: [text] if field in many else text}
        try:
            read = from_record(record, where="here")
        except ArticleError as exc:
            assert f"field {field}: " in str(exc)
            continue
        n_kept += len(store.apply(batch_of(read)).added)
        (there,) = store.articles(ids=[read.id])
        assert replace(there, teaser=read.teaser) == read
    for kind, fields in zip(("impression", "click", "pageview"), events, strict=True):
        for field in fields:
            record = {"type": kind, **moment, **fields}
            record[field] = [text] if field in many else text
            try:
                event = parse(record, where="here")
            except EventError as exc:
                assert f"field {field}: " in str(exc)
                continue
            n_kept += store.add_events([event]).duplicates == 0

    assert n_kept > 0 or text == TEXTS["half"]
    assert store.articles(ids=[text, "nobody"]) == store.articles(ids=[text.replace("\x00", "?")])
    assert store.remove(["a\x00", "\ud800"]) == []


def test_what_was_prepared_before_others_wrote_is_prepared_anew(store: Store):
    """Linking takes long, and is done while others may write."""
    batch = with_page(Batch(), "a", "A title", "Comes later")
    with store.snapshot() as connection:
        prepared = article_tables.prepare(connection, batch, full=False)
    store.apply(batch_of(Article("late", "Comes later")))

    with store.transaction() as connection:
        changes = article_tables.apply(connection, batch, full=False, prepared=prepared)

    assert (changes.added, changes.n_stubs) == (["a"], 0)
    assert [article.recommended for article in store.articles(ids=["a"])] == [("late",)]


@pytest.mark.parametrize("later", ["a", "b"])
def test_a_few_records_are_compared_with_their_own_articles_alone(store: Store, later: str):
    """However many others there are, and whether those change meanwhile or they themselves."""
    store.apply(batch_of(Article("a", "A"), Article("b", "B")))
    batch = batch_of(Article("a", "A changed"), Article("new", "New"))
    with store.snapshot() as connection:
        prepared = article_tables.prepare(connection, batch, full=False)
    assert {id for id, _, _ in prepared.state.articles} == {"a"}
    store.apply(batch_of(Article(later, "Changed meanwhile")))

    with store.transaction() as connection:
        changes = article_tables.apply(connection, batch, full=False, prepared=prepared)

    assert (changes.added, changes.updated) == (["new"], ["a"])
    titles = {article.id: article.title for article in store.articles()}
    other = "Changed meanwhile" if later == "b" else "B"
    assert titles == {"a": "A changed", "b": other, "new": "New"}


@pytest.mark.parametrize("full", [False, True])
def test_all_articles_matter_to_a_title_without_a_page_and_to_a_full_batch(
    store: Store, *, full: bool
):
    """The first may turn out to be one of them; what the second does not hold is removed."""
    store.apply(batch_of(Article("a", "A"), *([] if full else [stub_for("Comes later")])))
    with store.snapshot() as connection:
        batch = batch_of(Article("late", "Comes later"))
        prepared = article_tables.prepare(connection, batch, full=full)

    assert "a" in {id for id, _, _ in prepared.state.articles}


# Articles that come and go while they are served


def test_what_changes_is_noted(store: Store):
    """Running servers look for numbers above the last they know of; what stays as it is has none,
    nor have titles without a page until they go.
    """
    assert store.last_change() == 0
    old = Article("old", "Old")
    stub = stub_for("Comes later")
    store.apply(batch_of(old, Article("a", "A"), stub))
    assert store.last_change() == 2

    changes = store.apply(batch_of(Article("b", "B"), Article("a", "A changed"), old))

    assert (changes.added, changes.updated) == (["b"], ["a"])
    found = store.changed_since(2)
    assert (found.number, [article.title for article in found.articles]) == (5, ["A changed", "B"])
    assert (found.removed, found.cut) == ([stub.id], [])
    assert store.articles(ids=["b"]) == [Article("b", "B")]
    assert store.articles(ids=["nobody"]) == []


def test_a_snapshot_stands_still(store: Store):
    """Whatever is written after its first statement; another sees it."""
    n = sql.text("SELECT COUNT(*) FROM articles")

    with store.snapshot() as connection:
        before = connection.scalar(n)
        with Store(store.url) as other:
            other.apply(batch_of(Article("a", "A")))
        after = connection.scalar(n)

    assert (before, after, store.n_articles()) == (0, 0, 1)


def test_what_is_removed_is_noted(store: Store):
    """Only what was there; its page goes with it."""
    store.apply(with_page(batch_of(Article("b", "B")), "a", "A title"))

    assert store.remove(["a", "nobody", "a"]) == ["a"]

    assert store.changed_since(2)[:3] == (3, [], ["a"])
    assert ([article.id for article in store.articles()], store.pages()) == (["b"], [])
    assert store.remove(["a", "nobody"]) == []
    assert store.remove([]) == []
    assert store.last_change() == 3


def test_only_the_last_word_on_an_article_counts(store: Store):
    """Put, removed, put again: one change, with a number above all before it."""
    store.apply(batch_of(Article("a", "A"), Article("b", "B")))
    store.remove(["a"])
    assert store.changed_since(2)[:3] == (3, [], ["a"])

    store.apply(batch_of(Article("a", "A again")))

    assert store.last_change() == 4
    assert store.changed_since(3)[:3] == (4, [Article("a", "A again")], [])
    assert [article.id for article in store.changed_since(0)[1]] == ["a", "b"]
    assert store.changed_since(4)[:3] == (4, [], [])


def test_an_article_an_import_removed_is_gone_to_servers_too(store: Store):
    """They had been told of it; what counts is what is there now."""
    store.apply(batch_of(Article("a", "A"), Article("b", "B")))

    store.apply(batch_of(Article("b", "B")), full=True)

    assert store.changed_since(2)[:3] == (3, [], ["a"])
    assert store.changed_since(0)[:3] == (3, [Article("b", "B")], ["a"])


def test_of_many_changes_the_last_come_whole(store: Store):
    """Of the others the beginning is enough."""
    store.apply(batch_of(*(Article(f"a{number}", "A", body="x" * 999) for number in range(3))))

    found = store.changed_since(0, whole=1)

    assert [(each.id, len(each.body)) for each in found.articles] == [("a2", 999)]
    assert [(each.id, len(each.body)) for each in found.cut] == [("a0", 300), ("a1", 300)]


def test_changes_of_several_writers_are_numbered_once(database: str):
    """In the order in which they happen, none twice, none left out."""

    def put(number: int) -> None:
        with Store(database) as store:
            for n in range(5):
                store.apply(batch_of(Article(f"{number}-{n}", "Title")))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with Store(database) as store:
        assert store.last_change() == 15
        assert rows(store, "SELECT number FROM changes ORDER BY number") == [
            (n,) for n in range(1, 16)
        ]


# Numbers, and what is kept once


def test_an_id_has_one_number_for_good(store: Store):
    """In the order asked for, however often, also of articles that are gone."""
    first = store.keys_of(["b", "a", "b", "ü/1"])
    store.apply(batch_of(Article("a", "A")))
    store.remove(["a"])

    assert first == [2, 1, 2, 3]
    assert store.keys_of(["ü/1", "c", "a"]) == [3, 4, 1]
    assert store.keys_of([]) == []
    assert store.keys_of([f"x{n}" for n in range(1200)] + ["a"])[-1] == 1


def test_the_first_to_ask_decides_what_is_kept(store: Store):
    """Nobody makes it a second time, unless it is replaced."""
    assert store.value("name") is None
    assert store.kept("name", lambda: "first") == "first"
    assert store.kept("name", lambda: "second") == "first"
    assert store.kept("nothing", lambda: "") == ""
    assert store.kept("nothing", lambda: "something") == ""

    store.keep("name", "third")
    store.keep("new", "keep's own")

    assert (store.value("name"), store.value("new")) == ("third", "keep's own")


# Events


def impression(view_id: str, *, source: str = "s", shown: tuple[str, ...] = ("a", "b"), **more):
    return Impression(view_id, NOON, source, shown, **more)


def test_events_may_arrive_in_any_order(store: Store):
    """A click before its impression is kept, and both are there in the end."""
    received = store.add_events([Click("v1", NOON, "b"), impression("v1")])

    assert (received.impressions, received.clicks) == (1, 1)
    assert rows(store, """
        SELECT v.view_id, i.id FROM views v JOIN clicks c ON c.view_id = v.view_id
        JOIN ids i ON i.key = c.item
    """) == [("v1", "b")]  # fmt: skip


def test_a_duplicate_counts_once_within_an_import_and_across(store: Store):
    """Same view, type and target; another target of the same view is another click."""
    events = [
        impression("v1"),
        impression("v1"),
        Click("v1", NOON, "a"),
        Click("v1", NOON + 5, "a"),
        Click("v1", NOON, "b"),
        PageView(NOON, "a", "session", ""),
        PageView(NOON, "a", "session", ""),
    ]

    first = store.add_events(events)
    second = store.add_events(events)

    assert (first.impressions, first.clicks, first.pageviews, first.duplicates) == (1, 2, 1, 3)
    assert (second.impressions, second.clicks, second.pageviews) == (0, 0, 0)
    assert second.duplicates == len(events)


def test_a_slate_shown_a_thousand_times_is_stored_once(store: Store):
    """Another order, list, source or chance makes another slate; another reader does not."""
    store.add_events(impression(f"v{n}", session_id=f"s{n}") for n in range(1000))
    store.add_events(
        [
            impression("w1", shown=("b", "a")),
            impression("w2", source="t"),
            impression("w3", list="hand-picked"),
            impression("w4", propensities=(0.5, 0.25)),
            impression("w5", ordered=False),
            impression("w6", arm="explore", layout="sidebar"),
        ]
    )

    assert rows(store, "SELECT COUNT(*) FROM slates") == [(6,)]
    assert rows(store, "SELECT COUNT(*) FROM views WHERE slate = 1") == [(1001,)]


def test_positions_are_unknown_where_order_is(store: Store):
    """``ordered: false`` stores no position; chances stand beside their links."""
    store.add_events(
        [
            impression("v1", ordered=False),
            impression("v2", shown=("a", "b"), propensities=(1.0, 0.25)),
        ]
    )

    assert rows(store, """
        SELECT slate, rank, position, propensity FROM slate_links ORDER BY slate, rank
    """) == [(1, 1, None, None), (1, 2, None, None), (2, 1, 1, 1.0), (2, 2, 2, 0.25)]  # fmt: skip


def test_a_session_may_carry_one_timestamp(store: Store):
    """Views of one moment are views all the same."""
    received = store.add_events(impression(f"v{n}", session_id="one") for n in range(20))

    assert received.impressions == 20


def test_ids_no_article_bears_are_counted(store: Store):
    """An event counts once, an id as often as it comes; known ones do not."""
    store.apply(batch_of(Article("s", "S"), Article("a", "A")))

    received = store.add_events(
        [impression("v1"), impression("v2"), Click("v1", NOON, "zzz"), PageView(NOON, "a")]
    )

    assert received.unknown == {"b": 2, "zzz": 1}
    assert received.n_unknown_events == 3


def test_an_error_midway_undoes_everything(store: Store):
    """Also when thousands of events were written before it."""

    def events() -> Iterator[Event]:
        for n in range(CHUNK + 10):
            yield impression(f"v{n}")
        raise EventError("log.jsonl:9: field ts: missing")

    with pytest.raises(EventError):
        store.add_events(events())

    assert rows(store, "SELECT COUNT(*) FROM views") == [(0,)]
    assert rows(store, "SELECT COUNT(*) FROM ids") == [(0,)]
    assert store.add_events([impression("v1")]).impressions == 1


@pytest.mark.slow
def test_numbers_go_on_where_the_last_import_ended(store: Store):
    """Ids and slates of an earlier import are found again, across chunks too."""
    store.add_events([impression("v1", shown=("a", "b"))])

    store.add_events(impression(f"w{n}", shown=("b", f"x{n % 50}")) for n in range(CHUNK + 500))

    assert rows(store, "SELECT COUNT(*), COUNT(DISTINCT id), MAX(key) FROM ids") == [(53, 53, 53)]
    assert rows(store, "SELECT COUNT(*), MAX(slate) FROM slates") == [(51, 51)]
    links = "SELECT COUNT(*) FROM slate_links l JOIN ids i ON i.key = l.item WHERE i.id = 'b'"
    assert rows(store, links) == [(51,)]


def test_writers_wait_for_one_another(database: str):
    """Four at once, each with its own store: everything is there and numbered once."""
    stores = [Store(database) for _ in range(4)]

    def write(number: int) -> None:
        for n in range(5):
            stores[number].add_events([impression(f"v{number}-{n}", shown=(f"a{n}", "b"))])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert rows(stores[0], "SELECT COUNT(*) FROM views") == [(20,)]
    assert rows(stores[0], "SELECT COUNT(*) FROM slates") == [(5,)]
    for store in stores:
        store.close()


# Opening


def _open(database: str) -> int:
    with Store(database) as store:
        return store.n_articles()


@pytest.mark.slow
def test_several_processes_may_open_a_new_store_at_once(tmp_path: Path):
    """As the workers of a web server do; none finds it locked."""
    databases = [f"sqlite:///{tmp_path / str(number)}.db" for number in range(10)]

    with ProcessPoolExecutor(6, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_open, [database for database in databases for _ in range(6)]))

    assert found == [0] * 60


def test_what_is_committed_survives_a_power_cut(tmp_path: Path):
    """SQLite flushes the log to disk before it says so."""
    with Store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        assert rows(store, "PRAGMA synchronous") == [(2,)]
        assert rows(store, "PRAGMA journal_mode") == [("wal",)]


def test_opening_again_finds_what_was_there(database: str):
    """A store outlives its process."""
    with Store(database) as store:
        store.apply(batch_of(Article("a", "A")))

    with Store(database) as store:
        assert store.articles() == [Article("a", "A")]


def made_by(database: str, version: int, *statements: str) -> None:
    """A store as the release with this schema version left it."""
    engine = sql.create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for step in STEPS[:version]:
            step(connection)
        version_table = "CREATE TABLE schema_version (version INTEGER NOT NULL)"
        for statement in (version_table, f"INSERT INTO schema_version VALUES ({version})",
                          *statements):  # fmt: skip
            connection.execute(sql.text(statement))
    engine.dispose()


@pytest.mark.parametrize("version", range(1, len(STEPS) + 1))
def test_a_store_of_every_earlier_schema_is_brought_up_to_date(database: str, version: int):
    """It keeps what it holds, and everything that can be done to a new one can be done to it."""
    made_by(
        database,
        version,
        "INSERT INTO articles (id, title, body, teaser, tags, recommended, sensitive, stub, "
        """digest) VALUES ('a', 'A', '', '', '[]', '["b"]', 0, 0, '')""",
        "INSERT INTO ids VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO slates VALUES (1, '0123456789abcdef', 1, 'hand-picked', 1)",
        "INSERT INTO slate_links (slate, rank, item, position) VALUES (1, 1, 2, 1)",
        "INSERT INTO views (view_id, ts, slate, session, layout, arm) "
        "VALUES ('v', 5, 1, '', '', '')",
        "INSERT INTO clicks (view_id, item, ts) VALUES ('v', 2, 6)",
        "INSERT INTO pageviews (ts, session, article, referrer) VALUES (7, '', 1, 0)",
    )

    with Store(database) as store:
        assert rows(store, "SELECT MAX(version) FROM schema_version") == [(len(STEPS),)]
        assert store.articles(ids=["a"]) == [Article("a", "A", recommended=("b",))]
        received = store.add_events([
            Click("v", 6, "b"), PageView(7, "a"), Click("w", 8, "a"),
            Impression("v", 5, "a", ("b",)), Impression("w", 8, "b", ("a",)),
        ])  # fmt: skip
        store.apply(with_page(Batch(), "b", "B"))

        assert (received.impressions, received.clicks, received.duplicates) == (1, 1, 3)
        assert rows(store, "SELECT view_id, slate, live FROM views ORDER BY 1")[0] == ("v", 1, 0)
        assert rows(store, "SELECT key FROM ids ORDER BY key") == [(1,), (2,)]
        assert [id for id, _ in store.pages()] == ["b"]
        assert store.last_change() == 1


def test_bringing_a_store_up_to_date_is_told_and_nothing_cuts_it_short(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """It takes a large one minutes, in the service too, and whoever comes meanwhile waits."""
    made_by(database, len(STEPS) - 1)

    def slow(connection: sql.engine.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(sql.text("SELECT pg_sleep(2.5)"))
        STEPS[-1](connection)

    monkeypatch.setattr(schema, "STEPS", (*STEPS[:-1], slow))
    failed: list[StoreError] = []

    def open_it() -> None:
        try:
            Store(database, busy_seconds=1, statement_seconds=1).close()
        except StoreError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=open_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    older, now = len(STEPS) - 1, len(STEPS)
    first, last = caplog.messages
    assert first == f"bringing the store from schema {older} to {now}: do not stop"
    assert re.fullmatch(rf"done, \d+ s: the store has schema {now}", last)
    caplog.clear()
    Store(database).close()
    assert caplog.messages == []


def test_what_was_forgotten_before_layouts_counted_is_kept(database: str):
    """It was in a layout nobody knows."""
    made_by(
        database,
        3,
        "INSERT INTO past_views VALUES (1, 2, 3)",
        "INSERT INTO past_clicks VALUES (1, 2, 4, 5, 6)",
    )

    with Store(database) as store:
        views = rows(store, "SELECT day, slate, layout, n FROM past_views")
        clicks = rows(store, "SELECT day, slate, layout, item, n, n_in_sessions FROM past_clicks")
        assert (views, clicks) == ([(1, 2, "", 3)], [(1, 2, "", 4, 5, 6)])


def test_of_links_sent_before_there_were_marks_none_is_marked(database: str):
    """They count as links that everybody is shown."""
    made_by(
        database,
        4,
        "INSERT INTO slates VALUES (1, '0123456789abcdef', 1, 'b1', 1)",
        "INSERT INTO slate_links (slate, rank, item, position, origin) VALUES "
        "(1, 1, 2, 1, 'model'), (1, 2, 3, 2, 'fallback')",
    )

    with Store(database) as store:
        links = rows(store, "SELECT item, origin, brought FROM slate_links ORDER BY rank")
        assert links == [(2, "model", 0), (3, "fallback", 0)]


def test_what_was_forgotten_before_may_have_been_sent_by_pages(database: str):
    """It is not known, so it counts as sent."""
    made_by(
        database,
        4,
        "INSERT INTO past_views VALUES (1, 2, 'bottom', 3)",
        "INSERT INTO past_clicks VALUES (1, 2, 'bottom', 4, 5, 6)",
    )

    with Store(database) as store:
        views = rows(store, "SELECT day, slate, layout, live, n FROM past_views")
        clicks = rows(store, "SELECT day, slate, layout, live, item, n FROM past_clicks")
        assert (views, clicks) == ([(1, 2, "bottom", 1, 3)], [(1, 2, "bottom", 1, 4, 5)])


def test_reading_changes_nothing_and_asks_for_a_store_as_it_is_now(database: str):
    """Neither makes one nor brings it up to date; whatever is written is refused."""
    with pytest.raises(StoreError, match=r"no such store|there is no store in it"):
        Store(database, writing=False)
    with Store(database) as store:
        store.apply(batch_of(Article("a", "A")))

    with Store(database, writing=False) as reading:
        assert reading.n_articles() == 1
        with pytest.raises(StoreError, match=r"readonly|read-only"):
            reading.keys_of(["a"])

    with Store(database) as store, store.transaction() as connection:
        connection.execute(
            sql.text("DELETE FROM schema_version WHERE version = :n"), {"n": len(STEPS)}
        )
    with pytest.raises(StoreError, match=r"schema version \d+, this release reads \d+: a command"):
        Store(database, writing=False)


def test_a_store_of_a_newer_release_is_refused(database: str):
    """It is not guessed at, and not changed."""
    with Store(database) as store, store.transaction() as connection:
        connection.execute(sql.text("INSERT INTO schema_version VALUES (999)"))

    with pytest.raises(NewerStoreError, match="schema version 999, this release knows"):
        Store(database)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "is no database URL"),
        ("", "is no database URL"),
        ("postgresql//me:hush@host/db", "is no database URL"),
        ("postgresql://me:hush@host:port/db", "is no database URL"),
        ("mysql://me:hush@host/db", "mysql: no such kind of database"),
        ("oracle+what://me:hush@host/db", "no such kind of database"),
        (
            "postgresql+pg8000://me:hush@host/db",
            "its driver is not installed: in the project's folder, pip install",
        ),
        (
            "postgresql+nodriver://me:hush@host/db",
            "its driver is not installed: in the project's folder, pip install",
        ),
        ("postgresql://me:hush@127.0.0.1:1/db", "refused"),
        ("postgresql://me@127.0.0.1:1/db?password=hush", "refused"),
        ("sqlite:////nowhere/at/all.db", "cannot be made: No such file"),
    ],
)
def test_a_store_out_of_reach_is_one_line_without_the_password(url: str, reason: str):
    """Bad URL, missing driver, no server: the same kind of error, fit to be shown."""
    with pytest.raises(StoreError) as caught:
        Store(url)

    text = str(caught.value)
    assert reason in text
    assert "hush" not in text
    assert "\n" not in text


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path):
    """And it is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("Not a database, just a note. " * 50)

    with pytest.raises(StoreError, match="not a database"):
        Store(f"sqlite:///{path}")

    assert path.read_text().startswith("Not a database")


def test_a_complaint_while_working_is_a_store_error_too(store: Store):
    """Not only when the store is opened."""
    with store.transaction() as connection:
        connection.execute(sql.text("DROP TABLE articles"))

    with pytest.raises(StoreError, match="articles"):
        store.articles()


# What a store is known by is made once, and is the same for every process

SLATE = Slate("b1", None, "", 1, (2,), ("model",), None, mark=b"mark")
Made = TypeVar("Made")


def raced(database: str, make: Callable[[Store], Made], n: int = 6) -> list[Made]:
    """What ``n`` processes find that open the store and ask at the same moment."""
    stores = [Store(database) for _ in range(n)]
    start, found = threading.Barrier(n), []

    def ask(store: Store) -> None:
        start.wait(20)
        found.append(make(store))

    threads = [threading.Thread(target=ask, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for store in stores:
        store.close()
    return found


def test_a_store_has_no_name_until_it_is_served(store: Store):
    """Then it has one for good; a build asks and gives none."""
    assert known_name(store) == ""
    assert known_name(store) == ""

    name = store_name(store)

    assert len(name) == 16
    assert (known_name(store), store_name(store)) == (name, name)


def test_two_stores_have_two_names_and_two_keys():
    """And nothing can be told from one about the other."""
    with Store("sqlite://") as one, Store("sqlite://") as other:
        assert store_name(one) != store_name(other)
        assert signing_keys(one, now_ms=NOON) != signing_keys(other, now_ms=NOON)


def test_the_key_is_made_once(database: str):
    """Long enough that nobody guesses it, and there after a restart."""
    with Store(database) as store:
        (key,) = signing_keys(store, now_ms=NOON)
    with Store(database) as store:
        assert signing_keys(store, now_ms=NOON) == [key]

    assert len(key) >= 32


def test_workers_that_start_together_agree(database: str):
    """On the name, and on the key to sign with: what one signs, all others open."""
    found = raced(database, lambda store: (store_name(store), signing_keys(store, now_ms=NOON)))

    assert len(found) == 6
    assert all(each == found[0] for each in found)
    (name, keys), *others = found
    token = Signer(keys, store=name).sign(SLATE)
    assert all(Signer(keys, store=name).open(token) == SLATE for name, keys in others)


def test_workers_that_start_together_with_a_new_key_agree(database: str):
    """The old key is the one before, however the workers overtake one another."""
    with Store(database) as store:
        (old,) = signing_keys(store, now_ms=NOON)

    found = raced(database, lambda store: signing_keys(store, "new", now_ms=NOON))

    assert found == [[b"new", old]] * 6


def test_a_given_key_signs_and_the_one_before_stays_valid(store: Store):
    """Made, given, given anew: each change keeps the last two."""
    (made,) = signing_keys(store, now_ms=NOON)

    assert signing_keys(store, "one", now_ms=NOON) == [b"one", made]
    assert signing_keys(store, "one", now_ms=NOON) == [b"one", made]
    assert signing_keys(store, "two", now_ms=NOON) == [b"two", b"one"]


def test_a_key_given_from_the_beginning_is_the_only_one(store: Store):
    """None is made that nobody uses; and it stays when the setting is taken away."""
    assert signing_keys(store, "mine", now_ms=NOON) == [b"mine"]
    assert signing_keys(store, now_ms=NOON) == [b"mine"]

    signing_keys(store, "two", now_ms=NOON)

    assert signing_keys(store, now_ms=NOON) == [b"two", b"mine"]


def test_while_processes_are_replaced_old_and_new_open_each_others_tokens(store: Store):
    """An older process signs with the key it was told, and does not turn the others back."""
    signing_keys(store, "old", now_ms=NOON)
    new = signing_keys(store, "new", now_ms=NOON)
    old = signing_keys(store, "old", now_ms=NOON)

    assert (new, old) == ([b"new", b"old"], [b"old", b"new"])
    assert Signer(new).open(Signer(old).sign(SLATE)) == SLATE
    assert Signer(old).open(Signer(new).sign(SLATE)) == SLATE
    assert signing_keys(store, "new", now_ms=NOON) == [b"new", b"old"]
    assert signing_keys(store, now_ms=NOON) == [b"new", b"old"]


def test_a_key_that_leaked_is_out_a_day_after_it_was_changed(store: Store):
    """Or at once, or whenever the operator wants; one change is enough, also back and forth."""
    hour = 3_600_000
    signing_keys(store, "leaked", now_ms=NOON)
    signing_keys(store, "new", now_ms=NOON + hour)

    def keys(hours: float, **more: int) -> list[bytes]:
        return signing_keys(store, "new", now_ms=NOON + round(hours * hour), **more)

    assert keys(24.9) == [b"new", b"leaked"]
    assert keys(25) == [b"new"]
    assert keys(1, previous_hours=0) == [b"new"]
    assert keys(3, previous_hours=1) == [b"new"]
    assert signing_keys(store, "leaked", now_ms=NOON + 30 * hour) == [b"leaked", b"new"]
    assert keys(31, previous_hours=0) == [b"new"]


def test_of_an_older_store_the_key_before_is_valid_for_a_day_more(store: Store):
    """It was not noted when it was changed."""
    signing_keys(store, "new", now_ms=NOON)
    store.keep("previous_signing_key", "old")

    assert signing_keys(store, now_ms=NOON) == [b"new", b"old"]
    assert signing_keys(store, now_ms=NOON + 23 * 3_600_000) == [b"new", b"old"]
    assert signing_keys(store, now_ms=NOON + 24 * 3_600_000) == [b"new"]


def test_keys_may_be_any_text(store: Store):
    """As they are, to the byte."""
    assert (
        signing_keys(store, "schlüssel '; -- 钥匙", now_ms=NOON)[0]
        == "schlüssel '; -- 钥匙".encode()
    )
