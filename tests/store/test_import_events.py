"""An import goes on where it stopped, says what it left out, and depends on its marks for nothing
but time.
"""

import gzip
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from events.formats import test_access_log, test_ga4, test_snowplow, test_ubi
from foreign import SITE, content, lines, store_with_site
from pyarrow import parquet

from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.cli.main import main
from recommender.errors import InputError, TooManyBadRecords
from recommender.events.formats.detect import event_files
from recommender.events.reader import EventReader
from recommender.files import Tolerance
from recommender.store import import_events as importing_events
from recommender.store.database import Store
from recommender.store.import_events import import_events

NOON = "2026-11-22T12:00:00Z"
IDS = list(SITE)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch):
    """So that a log of some hundred lines has many."""
    monkeypatch.setattr("recommender.events.reader.BLOCK", 10)


def impression(n: int) -> dict[str, Any]:
    source, *shown = IDS[n % 4 :] + IDS[: n % 4]
    return {"type": "impression", "view_id": f"v{n}", "ts": NOON, "source_id": source,
            "shown": shown}  # fmt: skip


def plain(n: int = 50) -> list[str]:
    """Our own events: views, clicks and page views."""
    records: list[dict[str, Any]] = []
    for at in range(n):
        records += [
            impression(at),
            {
                "type": "click",
                "view_id": f"v{at}",
                "ts": NOON,
                "clicked": impression(at)["shown"][0],
            },
            {"type": "pageview", "ts": NOON, "session_id": f"s{at}", "article_id": "knee"},
        ]
    return [json.dumps(record) for record in records]


def of_ga4() -> list[str]:
    found = []
    for n in range(30):
        of_user = {"user_pseudo_id": f"u{n}"}
        found += [json.dumps(test_ga4.ga4(number, **of_user)) for number in range(3)]
    return found


def of_ubi() -> list[str]:
    return [
        json.dumps(test_ubi.ubi(number, query_id=f"q{n}")) for n in range(30) for number in range(4)
    ]


def of_snowplow() -> list[str]:
    found = []
    for n in range(30):
        view = f"p{n}"
        found += [
            test_snowplow.exposed("/hip.html", "/gout.html", name="below", view=view),
            test_snowplow.exposed("/hip.html", "/gout.html", name="beside", view=view),
            test_snowplow.followed("https://example.org/hip.html", view=view),
        ]
    return found


def of_access_log() -> list[str]:
    chance = random.Random(0)
    return [
        test_access_log.line(
            f"/{chance.choice([*IDS, 'logo'])}.html",
            minute=n // 3 / 2,
            client=f"203.0.113.{chance.randrange(4)}",
            referrer=chance.choice(["-", "https://example.org/knee.html"]),
        )
        for n in range(150)
    ]


LOGS: dict[str, Callable[[], list[str]]] = {
    "jsonl": plain, "ga4": of_ga4, "ubi": of_ubi, "snowplow": of_snowplow, "access": of_access_log,
}  # fmt: skip
EVERY_FORMAT = pytest.mark.parametrize("kind", LOGS)


def imported(path: Path, store: Store | None = None, **more: Any) -> dict[str, Any]:
    """What the store holds after an import of the file."""
    store = store or store_with_site()
    import_events(store, EventReader([path]), **more)
    return content(store)


def log(path: Path, records: list[str]) -> Path:
    path.write_text(lines(records), encoding="utf-8")
    return path


class Killed(BaseException):
    """As ``KeyboardInterrupt``, which the test runner takes for its own."""


def killed_at(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """The process dies before it commits the block of this number."""
    write, n = importing_events.write_marks, 0

    def dying(*arguments: Any) -> None:
        nonlocal n
        write(*arguments)
        n += 1
        if n == block:
            raise Killed

    monkeypatch.setattr(importing_events, "write_marks", dying)


# Going on


@EVERY_FORMAT
def test_a_killed_import_goes_on_at_its_block(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
):
    """And ends as if nothing had happened."""
    path, store = log(tmp_path / "log", LOGS[kind]()), store_with_site()
    with monkeypatch.context() as patches, pytest.raises(Killed):
        killed_at(patches, block=4)
        import_events(store, EventReader([path]))
    part = content(store)

    reader = EventReader([path])
    import_events(store, reader)

    assert list(reader.resumed.values()) == [30]
    assert content(store) == imported(path)
    assert content(store) != part
    assert sum(map(len, part.values())) > 0


@pytest.mark.slow
@EVERY_FORMAT
@pytest.mark.parametrize("share", [0.05, 0.4, 0.75])
def test_half_a_log_and_then_the_whole_is_the_whole(tmp_path: Path, kind: str, share: float):
    """A log that grew goes on from its old end."""
    records = LOGS[kind]()
    whole = imported(log(tmp_path / "whole", records))
    path, store, half = tmp_path / "log", store_with_site(), int(share * len(records))

    imported(log(path, records[:half]), store)
    reader = EventReader([log(path, records)])
    received = import_events(store, reader)

    assert content(store) == whole
    assert reader.resumed == {path: half}
    assert reader.n_records == len(records) - half
    assert received.duplicates == reader.n_before


@EVERY_FORMAT
def test_reading_again_adds_nothing(tmp_path: Path, kind: str):
    """With ``again``; without, the file is not even opened."""
    path, store = log(tmp_path / "log", LOGS[kind]()), store_with_site()
    whole = imported(path, store)

    anew, quick = EventReader([path]), EventReader([path])
    again = import_events(store, anew, again=True)
    already = import_events(store, quick)

    assert content(store) == whole
    assert (anew.already, anew.resumed) == ([], {})
    assert (quick.already, quick.resumed, quick.n_records) == ([path], {}, 0)
    assert again == already
    assert again.impressions == again.clicks == again.pageviews == 0
    assert again.duplicates > 0


@EVERY_FORMAT
def test_packed_is_the_same(tmp_path: Path, kind: str):
    """Told by its content, whatever its name."""
    path = log(tmp_path / "log", LOGS[kind]())
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(path.read_bytes()))

    assert imported(packed) == imported(path)


@EVERY_FORMAT
def test_a_log_in_pieces_is_the_same(tmp_path: Path, kind: str):
    """Blocks go on from one file to the next."""
    records = LOGS[kind]()
    pieces = [
        log(tmp_path / f"part-{start:03}", records[start : start + 15])
        for start in range(0, len(records), 15)
    ]
    store = store_with_site()

    import_events(store, EventReader(pieces))

    assert content(store) == imported(log(tmp_path / "whole", records))


def test_both_databases_keep_marks(tmp_path: Path, store: Store):
    """SQLite and PostgreSQL."""
    path = log(tmp_path / "e.jsonl", plain(10))
    assert import_events(store, EventReader([path])).impressions == 10

    log(path, plain(12))
    reader = EventReader([path])

    assert import_events(store, reader).impressions == 2
    assert reader.resumed == {path: 30}


def test_another_file_of_the_same_name_is_read_from_its_start(tmp_path: Path):
    """As after log rotation, also if it is longer than the old one."""
    path, store = log(tmp_path / "e.jsonl", plain(5)), store_with_site()
    imported(path, store)

    log(path, list(reversed(plain(10))))
    reader = EventReader([path])
    received = import_events(store, reader)

    assert (reader.resumed, reader.n_records) == ({}, 30)
    assert (received.impressions, received.duplicates) == (5, 15)


def test_a_short_log_that_grows_is_the_same_log(tmp_path: Path):
    """Its beginning is as long as it was, not as it is."""
    path, store = tmp_path / "e.jsonl", store_with_site()
    for n in range(1, 5):
        reader = EventReader([log(path, plain(n))])
        received = import_events(store, reader)
        assert received.impressions == 1
        assert reader.n_records == 3


def test_a_line_that_was_half_written_is_read_when_it_is_whole(tmp_path: Path):
    """The log was read while it was written."""
    path, store, records = tmp_path / "e.jsonl", store_with_site(), plain(4)
    whole = lines(records)
    path.write_text(whole[: len(lines(records[:6])) + 20])
    first = EventReader([path])
    import_events(store, first)
    assert first.n_bad == 1

    path.write_text(whole)
    reader = EventReader([path])
    received = import_events(store, reader)

    assert reader.resumed == {path: 6}
    assert (received.impressions, reader.n_bad) == (2, 0)


def test_a_table_of_columns_does_not_grow(tmp_path: Path):
    """Parquet that changed is another file, though it may begin alike."""
    path, store = tmp_path / "e.parquet", store_with_site()
    for n in (5, 8):
        parquet.write_table(arrow.Table.from_pylist([impression(at) for at in range(n)]), path)
        reader = EventReader([path])
        received = import_events(store, reader)
        assert (received.impressions, reader.n_records) == (5 if n == 5 else 3, n)

    again = EventReader([path])
    assert import_events(store, again).duplicates == 8
    assert again.already == [path]


def test_files_that_are_done_are_passed_over(tmp_path: Path):
    """The import of a folder that was killed goes on at the file it was at."""
    paths = [log(tmp_path / f"{n}.jsonl", plain(30)[n * 30 : n * 30 + 30]) for n in range(3)]
    store = store_with_site()
    imported(paths[0], store)

    reader = EventReader(paths)
    received = import_events(store, reader)

    assert (reader.already, reader.resumed) == ([paths[0]], {})
    assert (received.impressions, received.duplicates) == (20, 30)


# What is refused


def test_a_first_block_that_is_too_bad_changes_nothing(tmp_path: Path):
    """There is no mark either."""
    path, store = log(tmp_path / "e.jsonl", ["{"] * 9 + plain(30)), store_with_site()

    for _ in range(2):
        with pytest.raises(TooManyBadRecords, match=r"^nothing imported: 9 of 10 records .*e\.js"):
            import_events(store, EventReader([path]))

    assert not any(content(store).values())


def test_a_later_block_that_is_too_bad_says_what_stays(tmp_path: Path):
    """What counts is all that the run has read. Bearing more, the import goes on from there."""
    path, store = log(tmp_path / "e.jsonl", [*plain(10), *["{"] * 9, *plain(12)]), store_with_site()

    with pytest.raises(TooManyBadRecords) as caught:
        import_events(store, EventReader([path]))
    assert str(caught.value).startswith(
        "what came before stays imported, 30 records of this run too: 9 of 40 records are bad: "
    )
    assert len(content(store)["clicks"]) == 10

    reader = EventReader([path], tolerance=Tolerance.parse("90%"))
    assert import_events(store, reader).impressions == 2
    assert (reader.resumed, reader.n_bad) == ({path: 30}, 9)


def test_a_last_block_of_few_bad_records_is_borne(tmp_path: Path):
    """Where blocks end decides nothing; so many are borne in all, not in each."""
    path = log(tmp_path / "e.jsonl", [*plain(10), *["{"] * 4])
    spread = log(tmp_path / "s.jsonl", [line for n in range(30) for line in (plain(30)[n], "{")])

    import_events(store_with_site(), EventReader([path]))
    with pytest.raises(TooManyBadRecords, match="15 of 30 records are bad"):
        import_events(store_with_site(), EventReader([spread], tolerance=Tolerance.parse("14")))


def test_the_one_bad_line_by_which_a_log_grew_is_borne(tmp_path: Path):
    """Though it is all of what is new; not if nothing is to be borne."""
    path, store = log(tmp_path / "e.jsonl", plain(3)), store_with_site()
    imported(path, store)
    log(path, [*plain(3), "{"])

    with pytest.raises(TooManyBadRecords, match="what came before stays imported"):
        import_events(store, EventReader([path], tolerance=Tolerance.parse("0")))
    reader = EventReader([path])
    import_events(store, reader)

    assert reader.n_bad == 1


def test_the_one_line_ahead_by_which_a_log_grew_is_borne(tmp_path: Path):
    """One clock is wrong, not this machine's."""
    path, store = log(tmp_path / "e.jsonl", plain(3)), store_with_site()
    imported(path, store)
    log(path, [*plain(3), json.dumps({**impression(9), "ts": "2099-01-01"})])
    reader = EventReader([path], now=datetime(2026, 12, 1, tzinfo=UTC))

    import_events(store, reader)

    assert (reader.n_ahead, reader.n_bad) == (1, 1)


def test_remarks_are_of_what_is_new(tmp_path: Path):
    """A log that grew by one line has one."""
    shape = '203.0.113.{} - - [22/Nov/2026:12:00:00 +0000] "GET /hip.html HTTP/1.1" 200 5'
    path, store = log(tmp_path / "a.log", [shape.format(n) for n in range(9)]), store_with_site()
    import_events(store, EventReader([path]))
    log(path, [shape.format(n) for n in range(10)])
    reader = EventReader([path])

    received = import_events(store, reader)

    assert (received.pageviews, reader.remarks.total()) == (1, 1)


def test_a_log_of_no_use_is_read_again_when_there_are_articles(tmp_path: Path):
    """Nothing was imported, so nothing is marked."""
    path = log(tmp_path / "access.log", of_access_log())
    store = Store("sqlite://")
    with pytest.raises(InputError, match="no article has an address: import articles"):
        import_events(store, EventReader([path]))

    batch = Batch()
    for id, url in SITE.items():
        batch.add(Article(id=id, title=id, url=url), where=id)
    store.apply(batch)
    import_events(store, EventReader([path]))

    assert content(store) == imported(path)


def test_reasons_are_counted_once_and_bounded(tmp_path: Path):
    """What is read over to remember it is not reported again; nor does a log fill the memory."""
    path, store = tmp_path / "access.log", store_with_site()
    line = test_access_log.line
    first = [line("/hip.html"), line("/a"), line("/hip.html", minute=1)]
    imported(log(path, first), store)
    reader = EventReader([log(path, [*first, line("/hip.html", minute=2), line("/b")])])
    import_events(store, reader)
    assert reader.skipped == {"reload": 1, "asset or other address": 1}

    names = [json.dumps(test_ga4.ga4(event_name=f"event {n}")) for n in range(300)]
    many = EventReader([log(tmp_path / "ga4.json", [*of_ga4(), *names])])
    import_events(store_with_site(), many)
    assert len(many.skipped) == 101
    assert many.skipped["for other reasons"] == 201
    assert many.skipped.total() == 330


# Which format


@pytest.mark.parametrize(
    ("name", "first", "kind"),
    [
        ("e.jsonl", plain(1)[0], "jsonl"),
        ("e.json.gz", plain(1)[0], "jsonl"),
        ("e.jsonl", "", "jsonl"),
        ("e.jsonl", "{", "jsonl"),
        ("e.jsonl", of_ga4()[0], "ga4"),
        ("events_20261122-000000000000", of_ga4()[0], "ga4"),
        ("e.ndjson", of_ubi()[0], "ubi"),
        ("e.ndjson", of_ubi()[2], "ubi"),
        ("part-00000.txt", of_snowplow()[0], "snowplow"),
        ("e.tsv", "", "snowplow"),
        ("e.tsv", "too\tfew", "snowplow"),
        ("access.log", "", "access"),
        ("access.log.3", "what is this", "access"),
        ("access_log", of_access_log()[0], "access"),
        ("events.log", plain(1)[0], "jsonl"),
        ("events.jsonl.2", "", "jsonl"),
        ("anything", of_access_log()[0], "access"),
        ("anything", "what is this\n\n" + of_access_log()[0], "access"),
        ("e.csv", of_access_log()[0], "csv"),
    ],
)
def test_a_format_is_told_by_the_first_record_and_the_name(
    tmp_path: Path, name: str, first: str, kind: str
):
    """The record decides, where it can."""
    path = tmp_path / name
    raw = first.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)

    ((auto, detected),) = event_files([path], "auto", skipped=[])
    ((named, given),) = event_files([path], "ga4", skipped=[])

    assert (auto, detected.name) == (path, kind)
    assert (named, given.name) == (path, "ga4")


def test_what_cannot_be_told_is_asked_for(tmp_path: Path):
    """Before anything is read."""
    path = log(tmp_path / "e.dat", ["what is this"])

    with pytest.raises(
        InputError, match=r"e\.dat: unknown format of file; name its format with --f"
    ):
        EventReader([path])


def test_a_folder_is_read_by_names_unless_the_format_is_named(tmp_path: Path):
    """Vendors give their files any name."""
    for name in ("a.tsv", "part-00000", "access.log.1", "notes.txt", ".part-00000.crc", "e.csv"):
        (tmp_path / name).write_text("")

    def names(kind: str) -> list[str]:
        return [path.name for path, _ in event_files([tmp_path], kind, skipped=[])]

    assert names("auto") == ["a.tsv", "access.log.1", "e.csv"]
    assert names("csv") == ["e.csv"]
    assert names("snowplow") == ["a.tsv", "access.log.1", "e.csv", "notes.txt", "part-00000"]


# The command


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """A folder with a store that has the site's articles."""
    monkeypatch.chdir(tmp_path)
    articles = [{"id": id, "title": id, "url": url} for id, url in SITE.items()]
    log(tmp_path / "articles.jsonl", [json.dumps(article) for article in articles])
    assert main(["import", "articles", "articles.jsonl"]) == 0
    capfd.readouterr()
    return tmp_path


@pytest.mark.slow
@EVERY_FORMAT
def test_the_command_says_what_it_did(site: Path, kind: str, capfd: pytest.CaptureFixture[str]):
    """The first time, when there is nothing new, and when the file grew."""
    log(site / "log", LOGS[kind]()[:80])
    command = ["import", "events", "log", "--format", kind]

    assert main(command) == 0
    first = capfd.readouterr().out
    assert main(command) == 0
    out, err = capfd.readouterr()
    assert "log: already imported; --again reads it anew" in err
    assert out.startswith("0 impressions, 0 clicks, 0 page views; ")
    log(site / "log", LOGS[kind]())
    assert main(command) == 0
    grown = capfd.readouterr().out
    assert "log: resumed at record 81\n" in grown
    assert main([*command, "--again", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    if kind != "jsonl" and kind != "snowplow":
        assert " records of no use: " in first
        assert told["skipped"]
    assert (told["impressions"], told["clicks"], told["pageviews"]) == (0, 0, 0)
    assert (told["resumed"], told["already_imported"], told["n_bad"]) == ({}, [], 0)


def test_the_command_names_every_reason(site: Path, capfd: pytest.CaptureFixture[str]):
    """With how many records."""
    (site / "access.log").write_text(test_access_log.ACCESS)

    assert main(["import", "events", "access.log"]) == 0

    out = capfd.readouterr().out
    assert "0 impressions, 0 clicks, 2 page views; 0 duplicates; 0 bad records left out\n" in out
    assert "6 records of no use: crawler or tool (2), asset or other address (1), " in out


@pytest.mark.slow
def test_a_bundle_is_judged_by_other_peoples_logs(site: Path, capfd: pytest.CaptureFixture[str]):
    """Where the bundle, not a store, knows the addresses."""
    articles = [
        {"id": id, "title": id, "url": url, "body": f"{id} joint stairs pain walking food {n}"}
        for n, (id, url) in enumerate(SITE.items())
    ]
    log(site / "articles.jsonl", [json.dumps(article) for article in articles])
    assert main(["import", "articles", "articles.jsonl"]) == 0
    assert main(["train", "--now", "2026-11-22T09:00:00Z"]) == 0
    log(site / "ga4.json", of_ga4())

    assert main(["evaluate", "--events", "ga4.json", "--json", "report.json"]) == 0

    assert json.loads((site / "report.json").read_text())["views"] == 30
