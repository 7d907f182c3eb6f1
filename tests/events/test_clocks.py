"""Times that cannot be are bad records, and those that a store has all the same judge nothing."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import sites

from recommender import functions
from recommender.articles.article import Article
from recommender.bundle import registry
from recommender.cli.main import main
from recommender.errors import TooManyBadRecords
from recommender.evaluation.evaluate import end_of_data
from recommender.evaluation.promotion import train_guarded
from recommender.events.event import DAY_MS, Event, latest_at
from recommender.events.reader import EventReader
from recommender.store import impressions
from recommender.store.counts import n_clicks
from recommender.store.database import Store
from recommender.store.import_events import import_events
from recommender.training.log_checks import validate
from recommender.training.pipeline import Options, build

NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
TODAY = (NOW - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / 86_400
# A moment in each unit and shape, before 2000 and more than a day ahead.
ANCIENT = ["1970-01-21T18:42:21Z", "1999-12-31T23:59:59Z", 500_000_000]
AHEAD = ["2026-11-23T10:15:01Z", "2099-01-01", 4_070_908_800, 4_070_908_800_000, "1 Jan 2099"]


def log(path: Path, times: Iterable[object]) -> Path:
    """Views at these times."""
    records = [
        {"type": "impression", "view_id": f"v{n}", "ts": ts, "source_id": "a", "shown": ["b"]}
        for n, ts in enumerate(times)
    ]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


@pytest.mark.parametrize("ts", [*ANCIENT, *AHEAD])
def test_a_time_that_cannot_be_is_a_bad_record(tmp_path: Path, ts: object):
    """It is named, with what is the matter; the others come in."""
    reader = EventReader([log(tmp_path / "e.jsonl", [*["2026-11-22"] * 30, ts])], now=NOW)
    with Store("sqlite://") as store:
        received = import_events(store, reader)

    assert (received.impressions, reader.n_bad) == (30, 1)
    assert (reader.n_ancient, reader.n_ahead) == ((1, 0) if ts in ANCIENT else (0, 1))
    what = "is before 2000" if ts in ANCIENT else "is more than a day ahead"
    assert reader.problems[0].text.startswith(f"{tmp_path / 'e.jsonl'}:31: its time, ")
    assert reader.problems[0].text.endswith(what)


def test_the_first_record_ahead_is_named_however_many_were_bad_before(tmp_path: Path):
    """More than are kept; and text that speaks of what is ahead is no such record."""
    path = log(tmp_path / "e.jsonl", ["2099-01-01"] * 1_000)
    odd = json.dumps({"type": "ahead", "ts": "ahead"})
    path.write_text(f"{odd}\n" * 1_100 + path.read_text())

    with pytest.raises(TooManyBadRecords, match=r"--now: .*e\.jsonl:1101: its time"):
        import_events(Store("sqlite://"), EventReader([path], now=NOW))


def test_a_day_ahead_is_taken(tmp_path: Path):
    """Clocks and zones differ by less; and where no time is given, any is."""
    within = log(tmp_path / "within.jsonl", ["2026-11-23T10:15:00Z"])
    beyond = log(tmp_path / "beyond.jsonl", ["2099-01-01"])

    assert len([*EventReader([within], now=NOW)]) == 1
    assert len([*EventReader([beyond])]) == 1


@pytest.mark.parametrize("kind", ["ga4", "snowplow", "ubi", "access"])
def test_every_format_has_the_same_bounds(tmp_path: Path, kind: str):
    """Also where events wait for others."""
    from foreign import FINDER

    page = "https://example.org/knee.html"
    given = {"page_location": page, "ga_session_id": "1"}
    params = [{"key": name, "value": {"string_value": text}} for name, text in given.items()]
    cells = [""] * 131
    cells[29], cells[127], cells[124] = page, "link_click", "2099-01-01 00:00:00.000"
    cells[123], cells[58] = "s", json.dumps({"data": {"data": {"targetUrl": "/hip.html"}}})
    lines = {
        "ga4": json.dumps({
            "event_name": "select_item", "event_timestamp": "4070908800000000", "event_params":
            params, "user_pseudo_id": "r", "items": [{"item_id": "hip"}],
        }),
        "ubi": json.dumps({
            "query_id": "q", "user_query": "knee", "query_response_hit_ids": ["hip"],
            "timestamp": "2099-01-01T00:00:00Z",
        }),
        "snowplow": "\t".join(cells),
        "access": '203.0.113.9 - - [01/Jan/2099:00:00:00 +0000] "GET /knee.html HTTP/1.1" 200 1 '
                  '"-" "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"',
    }  # fmt: skip
    (tmp_path / "log").write_text(f"{lines[kind]}\n")
    reader = EventReader([tmp_path / "log"], format=kind, finder=FINDER, now=NOW)

    with pytest.raises(TooManyBadRecords, match="more than a day ahead"):
        list(reader)

    assert reader.n_ahead == 1


@pytest.mark.parametrize(("n", "stops"), [(3, False), (4, False), (5, True)])
def test_many_clocks_ahead_are_one_clock_here(tmp_path: Path, n: int, stops: bool):
    """More than one in a hundred: nothing is imported, and it says what to look at."""
    path = log(tmp_path / "e.jsonl", [*["2026-11-22"] * (400 - n), *["2027-06-01"] * n])
    reader = EventReader([path], now=NOW)

    with Store("sqlite://") as store:
        if not stops:
            assert import_events(store, reader).impressions == 400 - n
            return
        with pytest.raises(TooManyBadRecords, match=r"^nothing imported: 5 of 400 .* look at"):
            import_events(store, reader)
        assert len(impressions.read(store).slate) == 0


def test_the_command_says_what_time_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """``--now`` instead of the clock; a summary counts what was wrong."""
    monkeypatch.chdir(tmp_path)
    path = log(tmp_path / "e.jsonl", [*["2025-11-22"] * 30, "2025-12-24", "1970-01-01"])

    assert main(["import", "events", str(path), "--now", "2025-11-22T12:00:00Z"]) == 0

    printed = capsys.readouterr().out
    assert "30 impressions" in printed
    assert "1 of the bad records have a time more than a day ahead" in printed
    assert "1 of the bad records have a time before 2000" in printed


def site(folder: Path, *, of_2099: bool) -> Store:
    """A site of which a bundle was trained before the last of its log came in; and one of which an
    earlier release took a view and a click of 2099.
    """
    store = Store(f"sqlite:///{folder / 'site.db'}")
    early, late = readers(range(-40, -10)), readers(range(-10, 0))
    wrong = [
        sites.view("wrong", "knee", "nap", "hip", day=47_117),
        sites.click("wrong", "hip", day=47_117),
    ]
    pages = [Article(id, id, body=body) for id, body in sites.BODIES.items()]
    sites.stored(store, pages, [*early, *(wrong if of_2099 else [])])
    build(store, folder / "models", now=NOW)
    store.add_events(late)
    return store


def readers(days: Iterable[int]) -> list[Event]:
    """Ten views a day, every other followed."""
    events: list[Event] = []
    for day in days:
        for n in range(10):
            at = TODAY + day + n / 100
            name = f"v{day} {n}"
            events.append(sites.view(name, "knee", "hip", "ankle", "nap", day=at, session_id=name))
            events += [sites.click(name, ("hip", "ankle")[n % 4 == 0], day=at)] if n % 2 else []
    return events


def test_one_view_of_2099_makes_no_judgement_blind(tmp_path: Path):
    """Evaluating, counting what is new and promoting see the same with it and without."""
    found = []
    for of_2099 in (False, True):
        folder = tmp_path / str(of_2099)
        folder.mkdir()
        with site(folder, of_2099=of_2099) as store:
            live = functions.load(folder / "models")
            report = functions.evaluate(live, store)
            n_new = n_clicks(store, until=latest_at(NOW) + 1) - live.about.n_logged_clicks
            new, promotion = train_guarded(store, folder / "models", now=NOW, options=Options())
            lists = [link.id for link in new.related("knee")]
            found.append((report.n_views, n_new, promotion.sentence, lists, new.about.data_window))
            assert ["1 views dated more" in note for note in report.notes].count(True) == of_2099

    assert found[0] == found[1]
    assert found[0][:2] == (50, 50)


def test_a_bundle_that_learned_from_2099_is_judged_by_what_came_since_it_was_built(tmp_path: Path):
    """Its data did not end in 2099."""
    with site(tmp_path, of_2099=False):
        pass
    about = functions.load(tmp_path / "models").about
    earlier = SimpleNamespace(about=replace(about, data_until_ms=47_117 * DAY_MS))

    assert end_of_data(earlier) == int(NOW.timestamp() * 1000)


def test_validate_names_times_that_cannot_be(tmp_path: Path):
    """And counts the rest without them."""
    with site(tmp_path, of_2099=True) as store:
        found = {check.name: check for check in validate(store, now_ms=latest_at(NOW) - DAY_MS)}

    times = found["times can be right"]
    assert not times.passed
    assert times.summary.startswith("1 views are dated more than a day ahead, 0 before 2000")
    assert times.examples == ["view wrong: 2099-01-01T00:00:00+00:00"]
    assert "200 clicks that count" in found["enough clicks"].summary
    assert registry.current(tmp_path / "models") is not None
