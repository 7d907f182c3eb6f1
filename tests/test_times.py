"""One moment, however it is written; what may be two moments is none."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.times import EPOCH, NoTime, parse_time

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)
DAY = datetime(2026, 11, 22, tzinfo=UTC)
# No unit can be told of what lies near 1970.
AFTER_1973 = st.datetimes(datetime(1973, 6, 1), datetime(2999, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    "written",
    [
        1795341600, 1795341600000, 1795341600000000, 1795341600000000000, 1795341600.0,
        1.7953416e15, "1795341600", "1795341600000", "1795341600.000", "1.7953416E15",
        " 1795341600 ", "20261122100000", 20261122100000,
        "2026-11-22T10:00:00Z", "2026-11-22 10:00:00", "2026-11-22T10:00", "2026-11-22T11:00+01",
        "2026-11-22T10:00:00.000000000Z", "2026-11-22T10:00:00,000Z", "2026-11-22T10:00:00+0000",
        "2026-11-22 10:00:00 UTC", "2026-11-22 11:00:00 +0100", "2026-11-22 10:00:00 +0000 UTC",
        "2026-11-22T11:00:00+01:00[Europe/Berlin]", "2026/11/22 10:00:00", "2026.11.22 10:00",
        "2026年11月22日 10:00", "22.11.2026 10:00", "22.11.2026, 10:00:00", "22/11/2026 10:00",
        "11/22/2026 10:00", "11/22/2026 10:00 AM", "11/22/2026, 10:00:00 am", "22-11-2026 10:00",
        "Sun, 22 Nov 2026 10:00:00 GMT", "Sun, 22 Nov 2026 05:00:00 EST", "22 Nov 2026 10:00:00 Z",
        "Sun, 22 Nov 2026 12:00:00 +0200", "Sunday, 22-Nov-26 10:00:00 GMT",
        "Sun Nov 22 10:00:00 2026", "Sun Nov 22 10:00:00 UTC 2026",
        "Sun Nov 22 10:00:00 +0000 2026", "Sunday November 22 2026 10:00", "Sun 22 Nov. 2026 10:00",
        "Sun Nov 22 2026 11:00:00 GMT+0100 (Central European Standard Time)",
        "November 22, 2026 10:00 AM", "November 22nd, 2026 at 10:00", "22/Nov/2026:10:00:00 +0000",
    ],
)  # fmt: skip
def test_one_moment_however_it_is_written(written: str | float):
    """Units by size, shapes by the program that writes them."""
    assert parse_time(written) == TEN


@pytest.mark.parametrize(
    "written",
    ["2026-11-22", "20261122", 20261122, "2026/11/22", "22.11.2026", "22/11/2026", "Nov 22, 2026",
     "22 November 2026", "2026年11月22日", "2026-11-22Z", date(2026, 11, 22)],
)  # fmt: skip
def test_a_date_is_its_midnight(written: str | int | date):
    """Of no zone is UTC."""
    assert parse_time(written) == DAY


def test_a_year_or_a_month_is_its_first_day():
    """Archives often know no more."""
    firsts = {
        "2014-08": 8,
        "2014-08-00": 8,
        "2014-00-00": 1,
        "2014/8": 8,
        "August 2014": 8,
        "2014年8月": 8,
        "2014": 1,
        2014: 1,
    }

    assert {parse_time(each) for each in firsts} == {
        datetime(2014, month, 1, tzinfo=UTC) for month in firsts.values()
    }


@pytest.mark.parametrize(
    "written",
    ["", "  ", "0", 0, 0.0, "0000-00-00", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z",
     "Mon, 30 Nov -0001 00:00:00 +0000", "-0001-11-30T00:00:00+00:00", "00.00.0000"],
)  # fmt: skip
def test_what_stands_for_no_time_is_known(written: str | float):
    """Databases and languages write zeros, or their first moment, for nothing."""
    with pytest.raises(NoTime):
        parse_time(written)


@pytest.mark.parametrize(
    "written",
    ["03/04/2026", "3-4-2026", "yesterday", "26-11-22", "2026-13-01", "2026-02-30", "22.13.2026",
     "2026-11-22T25:00", "2026-W47-7", "2026-326", "10:00", "Nov 22", "1e999", "1e-999", "nan",
     "inf", float("nan"), float("inf"), "-", "12345", 12345, True, "99999999999999999999999",
     "Sun, 22 Nov 2026 10:00:00 IST", "2026-11-22 10:00 somewhere", "2026-11-22T10:00:00+99:00",
     "9" * 5000, "2026-11-22" + " " * 5000 + "x", "20261322", "Junk 2026",
     "2026-00-22", "²026-11-22"],
)  # fmt: skip
def test_what_is_no_time_or_may_be_two_is_refused(written: str | float):
    """No guess: a wrong day is worse than none. And never another error."""
    with pytest.raises(ValueError) as refused:
        parse_time(written)

    assert type(refused.value) is ValueError


def test_days_with_points_are_first_and_alike_numbers_are_no_riddle():
    """03.04.2026 is in April wherever points are written; 04/04/2026 is the 4th of April."""
    assert parse_time("03.04.2026") == datetime(2026, 4, 3, tzinfo=UTC)
    assert parse_time("04/04/2026") == datetime(2026, 4, 4, tzinfo=UTC)


def test_the_half_of_the_day_is_heeded():
    """Twelve is the first hour of each half."""
    hours = {"12:30 AM": 0, "1:30 am": 1, "12:30 p.m.": 12, "11:30 PM": 23}

    found = {parse_time(f"Nov 22, 2026 {clock}") for clock in hours}

    assert found == {DAY + timedelta(hours=hour, minutes=30) for hour in hours.values()}


@given(AFTER_1973)
def test_every_unit_of_a_moment_is_the_moment(moment: datetime):
    """As a whole number, as text and as ISO 8601."""
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)

    assert parse_time(str(microseconds * 1000)) == moment
    assert parse_time(microseconds) == moment
    assert parse_time(moment.isoformat()) == moment
    assert parse_time(microseconds // 1000) == moment - timedelta(microseconds=microseconds % 1000)
    assert parse_time(microseconds // 10**6) == moment.replace(microsecond=0)
    assert parse_time(f"{microseconds // 10**6}.{microseconds % 10**6:06}") == moment


@given(st.datetimes(datetime(2, 1, 2), datetime(9998, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_zones_are_heeded_in_every_shape(local: datetime, minutes: int):
    """As mail and as ISO write them."""
    moment = local.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    day = f"{moment.year:04}/{moment.month}/{moment.day}"

    assert parse_time(f"{day} {moment:%H:%M:%S} {offset}") == moment
    assert parse_time(f"{moment:%d %b} {moment.year:04} {moment:%H:%M:%S} {offset}") == moment


@given(st.text(max_size=60) | st.floats() | st.integers())
def test_nothing_but_a_value_error_ever_comes_of_it(value: str | float):
    """Whatever people send."""
    try:
        found = parse_time(value)
    except ValueError:
        return

    assert found.tzinfo is UTC
