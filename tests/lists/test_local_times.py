"""Days and times are those of the site's zone, also where clocks are put forward or back."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from recommender.lists.local_times import NoDate, as_written, end_of, moment_of, start_of


@pytest.mark.parametrize(
    ("text", "zone", "start", "end"),
    [
        ("2026-11-30", "UTC", "2026-11-30T00:00", "2026-12-01T00:00"),
        ("2026-03-29", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("2026-10-25", "Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("2026-11-30", "America/New_York", "2026-11-30T05:00", "2026-12-01T05:00"),
        # Days that begin at one o'clock, since clocks are put forward at midnight.
        ("2026-04-24", "Africa/Cairo", "2026-04-23T22:00", "2026-04-24T21:00"),
        ("2026-09-06", "America/Santiago", "2026-09-06T04:00", "2026-09-07T03:00"),
        # And one whose midnight comes twice.
        ("2026-11-01", "America/Havana", "2026-11-01T04:00", "2026-11-02T05:00"),
    ],
)
def test_a_day_is_as_long_as_it_is_there(text: str, zone: str, start: str, end: str):
    """In UTC, from its first moment to that of the next."""
    times = [moment_of(text, ZoneInfo(zone), is_end=is_end) for is_end in (False, True)]

    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in times if moment] == [start, end]


@pytest.mark.parametrize(
    ("text", "is_end", "expected"),
    [
        ("2026-11-30 08:00", False, "2026-11-30T07:00"),
        ("2026-11-30T08:00", False, "2026-11-30T07:00"),
        ("30.11.2026 8:00", False, "2026-11-30T07:00"),
        ("30.11.2026, 08:00:00", False, "2026-11-30T07:00"),
        ("11/30/2026 8:00 PM", False, "2026-11-30T19:00"),
        ("11/30/26 12:05 am", False, "2026-11-29T23:05"),
        ("2026-11-30\u202f08:00", False, "2026-11-30T07:00"),
        ("2026-11-30 08:00Z", False, "2026-11-30T08:00"),
        ("2026-11-30 08:00 +02:00", False, "2026-11-30T06:00"),
        ("20261130", False, "2026-11-29T23:00"),
        ("2026-03-29 02:30", False, "2026-03-29T01:30"),
        ("2026-03-29 02:30", True, "2026-03-29T01:30"),
        ("2026-10-25 02:30", False, "2026-10-25T00:30"),
        ("2026-10-25 02:30", True, "2026-10-25T01:30"),
    ],
)
def test_a_time_is_as_clocks_show_it(text: str, is_end: bool, expected: str):
    """One that is left out is the one shown then; of one that comes twice all is taken."""
    moment = moment_of(text, ZoneInfo("Europe/Berlin"), is_end=is_end)

    assert f"{moment:%Y-%m-%dT%H:%M}" == expected


@pytest.mark.parametrize("text", ["2026-11-30 02:30", "2026-10-25 01:59", "2026-10-25 03:00"])
def test_ordinary_times_are_not_remarked_upon(text: str):
    """Nor days."""
    notes: list[str] = []
    moment_of(text, ZoneInfo("Europe/Berlin"), note=notes.append)
    moment_of("2026-03-29", ZoneInfo("Europe/Berlin"), note=notes.append)

    assert notes == []


@pytest.mark.parametrize("text", ["tomorrow", "30.13.2026", "2026", "2026-11", "12:00", "1/2/2026"])
def test_what_is_no_date_or_two_is_refused(text: str):
    """With a sentence for who wrote it."""
    with pytest.raises(NoDate, match=r"2026-11-30"):
        moment_of(text, UTC)


def test_the_ends_of_the_calendar_are_no_bounds():
    """A rule until 9999-12-31 is for ever."""
    assert moment_of("9999-12-31", UTC, is_end=True) is None
    assert start_of(datetime.min.date(), ZoneInfo("Asia/Tokyo")) is None
    assert end_of(datetime(9999, 12, 30).date(), UTC) == datetime(9999, 12, 31, tzinfo=UTC)


def test_seconds_are_written_where_there_are_some():
    """And read again."""
    moment = datetime(2026, 11, 30, 8, 0, 7, tzinfo=UTC)

    assert moment_of(as_written(moment, UTC), UTC) == moment
