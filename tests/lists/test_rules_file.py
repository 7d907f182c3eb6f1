"""``editorial.csv`` is read as spreadsheets save it, or refused with the line and the field."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recommender.errors import EditorialError
from recommender.lists.rules_file import exported, last_good, load, parse, read, written
from recommender.store.rules import Rule

BERLIN = ZoneInfo("Europe/Berlin")
PLAIN = """action,source,target,position,from,until,reason
pin,knee,gout,1,2026-11-30,2026-12-24,Müller: first
block,*,sugar,,,,
"""


def in_bytes(text: str, separator: str = ",", encoding: str = "utf-8", end: str = "\r\n") -> bytes:
    return text.replace(",", separator).replace("\n", end).encode(encoding)


@pytest.mark.parametrize(
    "raw",
    [
        in_bytes(PLAIN, ";"),
        in_bytes(PLAIN, "\t"),
        in_bytes(PLAIN, "|"),
        in_bytes(PLAIN, ";", "utf-8-sig"),
        in_bytes(PLAIN, "\t", "utf-16"),
        in_bytes(PLAIN, "\t", "utf-16-le"),
        in_bytes(PLAIN, "\t", "utf-16-be"),
        b"\xfe\xff" + in_bytes(PLAIN, ",", "utf-16-be"),
        in_bytes(PLAIN, ";", "cp1252"),
        in_bytes(PLAIN, end="\r"),
        in_bytes(PLAIN.replace("\n", ",,,\n") + ",,,,,,,,,\n\n,,\n"),
        in_bytes(PLAIN.replace("action", " ACTION ").replace("until", "Until\u00a0")),
        in_bytes(PLAIN.replace("pin", '"Pin\u00a0"').replace("knee", "\u00a0knee")),
        in_bytes("\n" + PLAIN),
        in_bytes(PLAIN.replace("2026-11-30", "30.11.2026").replace("2026-12-24", "24.12.26"), ";"),
        in_bytes(PLAIN.replace("2026-11-30", "11/30/2026").replace("2026-12-24", "12/24/26")),
        in_bytes(PLAIN.replace("2026-11-30", "30/11/2026").replace("2026-12-24", "24/12/2026")),
        in_bytes(PLAIN.replace("2026-11-30", "30-11-2026").replace("2026-12-24", "24-Dec-26")),
        in_bytes(PLAIN.replace("2026-11-30", "2026/11/30").replace("2026-12-24", "2026. 12. 24.")),
        in_bytes(PLAIN.replace("2026-11-30", "30 November 2026")),
    ],
)
def test_what_spreadsheets_save_is_read(raw: bytes):
    """Separators, alphabets, empty columns and lines, capitals, blanks and dates."""
    found = read(raw, where="e.csv").rules

    first = datetime(2026, 11, 30, tzinfo=UTC)
    end = datetime(2026, 12, 25, tzinfo=UTC)
    assert [replace(rule, line=0) for rule in found] == [
        Rule("pin", "knee", "gout", 1, first, end, "Müller: first"),
        Rule("block", "*", "sugar"),
    ]


@pytest.mark.parametrize("mark", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;;"])
def test_the_line_that_names_the_separator_is_none_of_the_rules(mark: str):
    """And lines keep their numbers."""
    text = f"{mark}\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n")

    assert [rule.line for rule in parse(text, where="e.csv").rules] == [3, 4]


def test_a_row_that_a_spreadsheet_took_for_one_cell_is_read():
    """Commas opened where semicolons are usual; what has quotes in it comes back in more."""
    rows = ['pin,knee,gout,1,,,"as he said, first"', "block,*,salt,,,,"]
    text = io.StringIO()
    csv.writer(text).writerows([[row] if '"' in row else row.split(",") for row in rows])

    found = parse("action,source,target,position,from,until,reason\n" + text.getvalue(), where="e")

    assert [(rule.target, rule.reason) for rule in found.rules] == [
        ("gout", "as he said, first"),
        ("salt", ""),
    ]


def test_windows_letters_are_read_and_named():
    """Another alphabet of eight bits would give other letters: who sees the word knows."""
    found = read(in_bytes(PLAIN, ";", "cp1252"), where="e.csv")

    assert found.notes == ("not UTF-8: read as Windows-1252, so that line 2 has 'Müller'",)
    assert read(in_bytes(PLAIN), where="e.csv").notes == ()


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"PK\x03\x04...", "e.csv: this is a workbook"),
        (in_bytes(PLAIN) + b"block,*,\x81\x8d", "e.csv:4: neither UTF-8 nor Windows-1252"),
        (
            in_bytes("action,source,target\nblock,*,привет\n", ";", "cp1251"),
            "as Windows-1252 it has",
        ),
        (
            in_bytes(PLAIN, ";", "mac_roman"),
            "as Windows-1252 it has 'MŸller': save it as CSV UTF-8",
        ),
        ("a,ü".encode("utf-16")[:-1], "e.csv:1: not UTF-16"),
        (in_bytes(PLAIN) + b"block;*;salt\n", "e.csv:4: field action: 'block;*;salt' is neither"),
        (b'action;source;target\r\n"pin;a\rb;c"\r\n', "e.csv:2: new-line character seen"),
        (b"action,source,target,,reason\nblock,*,salt,why,\n", "e.csv:2: cell 4 has no name"),
        (b"pin,knee,gout\n", "e.csv:1: unknown column 'pin'"),
        (b"Aktion;Quelle;Ziel\n", "e.csv:1: unknown column 'Aktion'"),
        (
            in_bytes(PLAIN.replace("2026-12-24", "########")),
            "'########'; a spreadsheet wrote ####",
        ),
        (in_bytes(PLAIN.replace("2026-12-24", "46380")), "'46380'; a spreadsheet wrote how it"),
        (in_bytes(PLAIN.replace("2026-12-24", "24. Dezember 2026")), "'dezember' is no English"),
        (in_bytes(PLAIN.replace("2026-12-24", "31.11.2026")), "e.csv:2: field until: no date"),
        (
            in_bytes(PLAIN.replace("2026-12-24", "2026-12-24 25:00")),
            "e.csv:2: field until: no date",
        ),
        (in_bytes(PLAIN.replace("2026-12-24", "2026-12-24 13:00 PM")), "field until: no date"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(raw: bytes, fault: str):
    """And the field, and what to do."""
    with pytest.raises(EditorialError) as caught:
        read(raw, where="e.csv")

    assert fault in str(caught.value)


HEADING = "action,source,target,from,until\n"


def dates(*lines: str) -> list[tuple[str, str]]:
    found = parse(HEADING + "".join(f"block,*,x,{line}\n" for line in lines), where="e.csv").rules
    return [(f"{r.starts:%m-%d}" if r.starts else "", f"{r.ends:%m-%d}" if r.ends else "")
            for r in found]  # fmt: skip


def test_another_line_says_whether_the_day_comes_first():
    """Before or after, in either column; points and equal numbers have but one meaning."""
    assert dates("03/04/2026,", ",30/11/2026") == [("04-03", ""), ("", "12-01")]
    assert dates("11/30/2026,", "03/04/2026,") == [("11-30", ""), ("03-04", "")]
    assert dates("03.04.2026,", "05/05/2026,") == [("04-03", ""), ("05-05", "")]
    assert dates("3/4/26,13/4/26") == [("04-03", "04-14")]


def test_what_was_settled_so_is_said():
    """With the line that did it."""
    found = parse(HEADING + "block,*,x,03/04/2026,\nblock,*,y,30/11/2026,\n", where="e.csv")

    assert found.notes == (
        "1 date that has two meanings: read with the day first, as line 3 (30/11/2026)",
    )


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["03/04/2026,"], "e.csv:2: field from: '03/04/2026' may be"),
        (["03-04-2026,", "30/11/2026,"], "e.csv:2: field from: '03-04-2026' may be"),
        (["30/11/2026,", "11/30/2026,"], "'30/11/2026' in line 2 has the day first, '11/30/2026'"),
        (["30/11/2026,", "03/04/2026,", "11/30/2026,"], "in line 4 the month"),
    ],
)
def test_a_date_of_two_meanings_is_refused(lines: list[str], fault: str):
    """Rather than guessed."""
    with pytest.raises(EditorialError) as caught:
        dates(*lines)

    assert fault in str(caught.value)


def test_days_are_those_of_the_sites_zone():
    """With the hour that clocks are put back by."""
    text = HEADING + "block,*,x,2026-10-25,2026-10-25\nblock,*,y,2026-11-30 08:00,\n"

    day, hour = parse(text, where="e.csv", zone=BERLIN).rules

    assert day.starts == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert day.ends == datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert hour.starts == datetime(2026, 11, 30, 7, tzinfo=UTC)


def test_an_hour_that_clocks_leave_out_is_said():
    """With the field, and what was taken."""
    found = parse(HEADING + "block,*,x,2026-03-29 02:30,\n", where="e.csv", zone=BERLIN)

    assert found.rules[0].starts == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert found.notes == (
        "line 2: field from: clocks leave out 2026-03-29 02:30 in Europe/Berlin: 03:30 is taken",
    )


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
moments = st.none() | st.datetimes(
    datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)
).map(lambda moment: moment.replace(microsecond=0))
days = st.none() | st.dates().filter(lambda day: 1990 < day.year < 2090).map(
    lambda day: datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
)


@given(texts, texts, texts, moments | days, moments | days, st.sampled_from([",", ";"]))
def test_what_is_exported_comes_back_as_it_was(
    source: str,
    target: str,
    reason: str,
    starts: datetime | None,
    ends: datetime | None,
    separator: str,
):
    """Whatever the cells hold, and in any zone; no cell is a formula."""
    blank = " \t\r\n\v\f\u00a0\u2007\u202f\ufeff\u200b"
    source, target, reason = (text.strip(blank) for text in (source, target, reason))
    if not source or not target or source == target or target == "*":
        return
    if starts and ends and starts >= ends:
        starts = None
    given = Rule("pin", source, target, 3, starts, ends, reason)

    raw = exported([given], zone=BERLIN, separator=separator)

    found = read(raw, where="e.csv", zone=BERLIN)
    assert [replace(rule, line=0) for rule in found.rules] == [given]
    assert found.notes == ()
    cells = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=separator)
    for row in cells:
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in row)


def test_days_are_exported_as_days():
    """As the editor wrote them; an hour that comes twice keeps its offset."""
    twice = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    rule = parse(HEADING + "block,*,x,2026-11-30,2026-12-24\n", where="e", zone=BERLIN).rules[0]

    lines = exported([rule, replace(rule, starts=twice)], zone=BERLIN).decode("utf-8-sig")

    assert lines.splitlines()[1:] == [
        "block,*,x,,2026-11-30,2026-12-24,",
        "block,*,x,,2026-10-25 02:30:00+02:00,2026-12-24,",
    ]


def test_a_copy_keeps_times_whatever_the_zone(tmp_path: Path):
    """A restart with another zone goes by the same moments."""
    given = Rule("block", "*", "x", None, datetime(2026, 11, 30, tzinfo=BERLIN), number=4)
    (tmp_path / "kept.csv").write_text(written([given]))

    kept = last_good(tmp_path / "kept.csv")

    assert kept is not None
    assert kept.rules == [given]


def test_the_editors_file_has_no_columns_of_the_console(tmp_path: Path):
    """Only the copy has."""
    (tmp_path / "e.csv").write_text("action,source,target,number\nblock,*,x,4\n")

    with pytest.raises(EditorialError, match="unknown column 'number'"):
        load(tmp_path / "e.csv")


pieces = st.sampled_from(
    [
        b'"', b"'", b"\r", b"\n", b"\0", b";", b",", b"\t", b"=", b"*", b"\xff", b"\xff\xfe",
        b"\x80", b"sep=", b"sep= \n", b'"pin;a\rb;c"\r\n', b"0001-01-01T00:00+23:59",
        b"9999-12-31", b"24:00",
        b"a" * 140_000, b"9" * 5_000, "\u0663\u00b2\u2028\x85".encode(),
    ]
)  # fmt: skip
mutations = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 6), pieces | st.binary(max_size=8)), max_size=5
)
files = st.builds(
    in_bytes,
    st.just(PLAIN),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252"]),
    st.sampled_from(["\n", "\r", "\r\n"]),
)


@given(
    st.binary(max_size=80) | st.just(b"action;source;target;until\n") | files,
    mutations,
    st.booleans(),
)
@example(b"action;source;target\r\n", [(1.0, 0, b'"pin;a\rb;c"\r\n')], False)
def test_no_bytes_make_it_raise_anything_else(
    raw: bytes, changes: list[tuple[float, int, bytes]], is_copy: bool
):
    """Whatever is saved under the name, the complaint is ours, and what is read can be used."""
    for place, n_dropped, piece in changes:
        at = int(place * len(raw))
        raw = raw[:at] + piece + raw[at + n_dropped :]

    try:
        rules = read(raw, where="e.csv", zone=BERLIN, is_copy=is_copy)
    except EditorialError as exc:
        assert str(exc).startswith("e.csv:")
        return

    rules.apply("knee", ["gout", "sugar"], now=datetime(2026, 11, 30, tzinfo=UTC))
    assert read(exported(rules.rules, zone=BERLIN), where="e.csv", zone=BERLIN) is not None


def test_until_ends_with_the_day():
    """The last moment of it is in."""
    rule = parse(HEADING + "block,*,x,,2026-11-30\n", where="e.csv", zone=BERLIN).rules[0]

    midnight = datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert rule.valid(midnight - timedelta(microseconds=1))
    assert not rule.valid(midnight)
