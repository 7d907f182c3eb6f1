"""The next part of a series is found by titles and dates; other numbers in titles count nothing."""

from collections.abc import Sequence

import numpy as np
import pytest

from recommender.articles.dates import day_given
from recommender.candidates import EMPTY
from recommender.text.series import next_parts, tokens_of

MONTHLY = [f"2026-{month:02}-01" for month in range(1, 13)]
DAILY = [f"2026-11-{day:02}" for day in range(1, 29)]


def following(titles: Sequence[str], dates: Sequence[str | None] = ()) -> list[int]:
    """The row of the next part of each; without dates, none is known."""
    dates = dates or [None] * len(titles)
    day = np.array([day_given(date) for date in dates[: len(titles)]], dtype=np.float64)
    return [int(row) for row in next_parts(titles, day)]


COURSE = ["choosing a hive", "the first swarm", "feeding in winter", "honey"]
SERIES = {
    "subtitles": [f"Bees for beginners, part {n}: {name}" for n, name in enumerate(COURSE, 1)],
    "no subtitles": [f"Bees for beginners – part {n}" for n in range(1, 5)],
    "of a total": [f"Bienen für Anfänger ({n}/4)" for n in range(1, 5)],
    "of a total in words": [f"Bienen halten: Teil {n} von 4" for n in range(1, 5)],
    "Roman": [f"A year with bees, part {n}" for n in ("I", "II", "III", "IV")],
    "name behind": [f"{name} (bees for beginners, part {n})" for n, name in enumerate(COURSE, 1)],
    "within a sentence": [f"Bee exercise {n} {name}" for n, name in enumerate(COURSE, 1)],
    "Japanese": [f"養蜂講座 第{n}回 {name}" for n, name in enumerate("巣群蜜冬", 1)],
    "Japanese, in front": [f"第{n}回 養蜂講座" for n in range(1, 5)],
    "Arabic": [f"دروس النحل، الجزء {n}: {name}" for n, name in zip("١٢٣٤", "أبتث", strict=True)],
    "releases": [f"Hivelog {n} released" for n in ("2.9", "2.10", "2.10.1", "3.0")],
    "issues": [f"The bee letter #{n}" for n in range(41, 45)],
}


@pytest.mark.parametrize("titles", SERIES.values(), ids=SERIES)
def test_each_part_leads_to_the_next(titles: list[str]):
    """In whatever order they are stored."""
    assert following(titles, MONTHLY) == [1, 2, 3, EMPTY]
    assert following(titles[::-1], MONTHLY[:4][::-1]) == [EMPTY, 0, 1, 2]


@pytest.mark.parametrize(
    "titles", [SERIES[name] for name in ("subtitles", "of a total", "name behind", "releases")]
)
def test_forms_that_speak_for_themselves_need_no_dates(titles: list[str]):
    """Parts with names of their own from the first on, totals, releases step by step."""
    titles = [title for title in titles if "2.10.1" not in title] + ["About bees"]

    assert following(titles) == [*range(1, len(titles) - 1), EMPTY, EMPTY]


REPORTS = {
    "day and month": "Honey market, {day} November 2026",
    "month and day": "Honey market, November {day}, 2026",
    "Spanish": "Mercado de miel, {day} de noviembre de 2026",
    "Chinese": "蜂蜜市场 2026年11月{day}日",
    "figures": "Honey market 2026-11-{day:02}",
    "points": "Honigmarkt {day}.11.2026",
}


@pytest.mark.parametrize("form", REPORTS.values(), ids=REPORTS)
def test_reports_follow_by_date(form: str):
    """Over weekends, and into the next month, whatever its name."""
    days = [2, 3, 6, 9]
    titles = [form.format(day=day) for day in days]
    titles.append(
        form.format(day=1).replace("November", "December").replace("nov", "dic").replace("11", "12")
    )
    dates = [*(DAILY[day - 1] for day in days), "2026-12-01"]

    assert following(titles, dates) == [1, 2, 3, 4, EMPTY]


def test_dates_in_figures_need_no_other():
    """Where one number can only be the day."""
    assert following(["Notes 30.10.2026", "Notes 1.11.2026", "Notes 2.11.2026"]) == [1, 2, EMPTY]
    assert following(["Notes 3.10.2026", "Notes 1.11.2026", "Notes 2.11.2026"]) == [EMPTY] * 3


def test_a_letter_of_each_month():
    """The name of a month is whatever word stands before the year."""
    titles = [f"The bee letter, {month} 2026" for month in ("März", "April", "Mai")]

    assert following(titles, MONTHLY[2:]) == [1, 2, EMPTY]


def test_a_missing_part_is_passed_over():
    """Of a course one, of releases any number."""
    course = [f"Bees, part {n}: {name}" for n, name in zip((1, 2, 4, 8), COURSE, strict=True)]

    assert following(course, MONTHLY) == [1, 2, EMPTY, EMPTY]
    assert following(["Hivelog 2.1", "Hivelog 2.2", "Hivelog 2.8"], MONTHLY) == [1, 2, EMPTY]


def test_seasons_have_their_own_episodes():
    """The last number counts."""
    titles = [f"The apiary, season {s}, episode {e}" for s in (1, 2) for e in (1, 2, 3)]

    assert following(titles, MONTHLY) == [1, 2, EMPTY, 4, 5, EMPTY]


NO_SERIES = {
    "subjects": ["7 ways to keep bees warm", "8 ways to keep bees warm", "9 ways to feed bees"],
    "doses": [f"Thymol {n} mg" for n in (400, 600, 800)],
    "prices": [f"A hive for ${n}" for n in (1, 2, 3)],
    "shares": [f"Sugar solution of {n} %" for n in (1, 2, 3)],
    "years": [f"Swarms in {n}: what we learned" for n in (2024, 2025, 2026)],
    "types": ["Foulbrood type 1", "Foulbrood type 2"],
    "kings": ["Henry I", "Henry II", "Henry III"],
    "two series of one name": ["Part 1: hives", "Part 2: bees", "Part 1: pots", "Part 2: seeds"],
    "codes": [f"{name} (Error {n})" for n, name in zip((3446, 3447, 3448), COURSE, strict=False)],
    "levels": ["Warning (levels 1 and 4) A", "Warning (levels 3 and 4) B"],
    "no words": ["1", "2", "3"],
}


@pytest.mark.parametrize("titles", NO_SERIES.values(), ids=NO_SERIES)
def test_other_numbers_count_no_parts(titles: list[str]):
    """Amounts, years, kinds and codes."""
    assert following(titles) == [EMPTY] * len(titles)


def test_what_was_published_the_other_way_round_is_no_series():
    """Pages that are numbered, not parts that appeared."""
    titles = [f"Room {n} of the museum" for n in (1, 2, 3)]

    assert following(titles, MONTHLY) == [1, 2, EMPTY]
    assert following(titles, MONTHLY[::-1]) == [EMPTY] * 3


def test_no_titles_make_no_series():
    """Nor does an empty one."""
    assert following([]) == []
    assert following(["", "?"]) == [EMPTY, EMPTY]


@pytest.mark.parametrize(
    ("title", "counts"),
    [
        ("Bees and honey", False),
        ("Vivid mix of IX-ray", True),
        ("Bees, part IV", True),
        ("Bees \u2463", True),
        ("Bees \uff12", True),
        ("Bees \u2167", True),
        ("\u7b2cIV\u7ae0", True),
        ("Xylophones In Vienna", False),
        ("", False),
    ],
)
def test_titles_without_a_number_are_not_read(title: str, counts: bool):
    """In whatever form it stands, Roman, fullwidth or in a circle."""
    tokens = tokens_of(title)

    assert bool(tokens) is counts
    assert any(token.value for token in tokens) is counts
