"""Grades as files: every grade comes back, spreadsheets' habits are read, faults are named."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recommender.errors import InputError
from recommender.evaluation import grade_files
from recommender.evaluation.grade_files import GradeFile
from recommender.store.grades import Grade

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HEADING = "source_id,id,grade,by,at,note\n"


def read(path: Path, text: str | bytes, *, by: str | None = None) -> GradeFile:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return grade_files.read(path, now=NOW, by=by)


def test_every_grade_comes_back_from_csv(tmp_path: Path):
    """Paths, scripts, commas, lines, quotes, formulas and what only looks like a guard."""
    grades = [
        Grade("../a,b", "膝盖", 3, "Åsa Öberg", NOW - timedelta(milliseconds=7), 'a "b";\nc'),
        Grade("-5", "=1+1", 0, "@ann", NOW, "=HYPERLINK(1)"),
        Grade("'=x", "''+y", 1, "ben", NOW, "'tis fine"),
        Grade("＝x", "007", 2, "1e5", NOW, "\ttab"),
    ]
    path = tmp_path / "grades.csv"

    grade_files.write(path, grades)

    assert grade_files.read(path, now=NOW) == GradeFile(grades, 0, [])


def test_no_cell_is_a_formula(tmp_path: Path):
    """Whatever an id, a name or a note begins with."""
    starts = ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"]
    path = tmp_path / "grades.csv"

    grade_files.write(path, [Grade(f"{s}a", f"{s}b", 1, f"{s}c", NOW, f"{s}d") for s in starts])

    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in [*csv.reader(file)][1:] for cell in row]
    assert len(cells) == 6 * len(starts)
    assert not [cell for cell in cells if cell[:1] in starts]


def test_plain_files_have_no_mark_and_others_the_one_spreadsheets_need(tmp_path: Path):
    """A program that reads ``source_id`` finds it; Excel shows names as they are."""
    path = tmp_path / "grades.csv"

    grade_files.write(path, [Grade("knee", "hip", 1, "ann", NOW)])
    assert path.read_bytes().startswith(b"source_id,id,grade,by,at,note\r\nknee,hip,1,ann,2026")

    grade_files.write(path, [Grade("knee", "hip", 1, "Åsa", NOW)])
    assert path.read_bytes().startswith(b"\xef\xbb\xbfsource_id")


@pytest.mark.parametrize(
    "text",
    [
        "source_id;id;grade;by;at;note\r\nknee;hip;2;Åsa;2026-11-22T10:00:00Z;\r\n",
        "\ufeffsource_id;id;grade;by;at\r\nknee;hip;2,0;Åsa;22.11.2026 10:00\r\n;;;;\r\n",
        "Source ID\tID\tGrade\tBy\tAt\nknee\thip\t2.0\tÅsa\t2026-11-22 10:00:00\n",
        "by,grade,id,source_id,at\nÅsa, 2 , hip ,knee,1795341600\n",
        '"source_id","id","grade","by","at"\n"knee","hip","2","Åsa","Sun, 22 Nov 2026 10:00 GMT"\n',
    ],
)
def test_what_spreadsheets_make_of_it_is_read(tmp_path: Path, text: str):
    """Semicolons, marks, tabs, fractions, dates of other shapes, empty rows, another order."""
    found = read(tmp_path / "grades.csv", text)

    moment = datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert found.grades == [Grade("knee", "hip", 2, "Åsa", moment)]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("knee,hip,4,ann,,", "field grade: '4' is not 0 to 3"),
        ("knee,hip,-1,ann,,", "field grade: '-1' is not 0 to 3"),
        ("knee,hip,2.5,ann,,", "field grade: '2.5' is not 0 to 3"),
        ("knee,hip,good,ann,,", "field grade: 'good' is not 0 to 3"),
        ("knee,hip,,ann,,", "field grade: missing"),
        (",hip,1,ann,,", "field source_id: missing"),
        ("knee,,1,ann,,", "field id: missing"),
        ("knee,knee,1,ann,,", "field id: the page itself"),
        ("knee,hip,1,,,", "field by: missing"),
        ("knee,hip,1,a\x07b,,", "field by: holds characters"),
        (f"knee,hip,1,{'a' * 101},,", "field by: longer than 100"),
        ("knee,hip,1,ann,03/04/2026,", "field at: no time"),
        ("knee,hip,1,ann,2026-11-24,", "field at: more than a day ahead"),
        ("knee,hip,1,ann,,a\x00b", "field note: holds a NUL"),
        ("knee,hip,1,ann,,,,,", "more cells than the heading"),
    ],
)
def test_a_fault_is_named_with_file_line_and_field(tmp_path: Path, row: str, fault: str):
    """And nothing of the file is taken."""
    path = tmp_path / "grades.csv"

    with pytest.raises(InputError) as raised:
        read(path, f"{HEADING}knee,nap,1,ann,,\n{row}\n")

    assert f"{path}:3: " in str(raised.value)
    assert fault in str(raised.value)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path):
    """Naming the line."""
    with pytest.raises(InputError, match=r"grades.csv:2: not UTF-8"):
        read(tmp_path / "grades.csv", f"{HEADING}knee,hip,1,Åsa,,\n".encode("latin-1"))


def test_the_latest_of_a_judge_counts_and_the_others_are_counted(tmp_path: Path):
    """Of equal times the one that stands further down; other judges keep theirs."""
    rows = [
        "knee,hip,1,ann,2026-11-20,", "knee,hip,2,ann,2026-11-21,", "knee,hip,3,ann,2026-11-19,",
        "knee,hip,0,ben,2026-11-19,", "knee,hip,1,ben,2026-11-19,",
    ]  # fmt: skip

    found = read(tmp_path / "grades.csv", HEADING + "\n".join(rows))

    assert [(each.by, each.grade) for each in found.grades] == [("ann", 2), ("ben", 1)]
    assert found.duplicates == 3


def test_who_and_when_may_be_stated_for_the_whole_file(tmp_path: Path):
    """Where the file does not; columns that are not read are named."""
    found = read(tmp_path / "grades.csv", "source_id,id,grade,title\nknee,hip,1,Hip\n", by="ann")

    assert found.grades == [Grade("knee", "hip", 1, "ann", NOW)]
    assert found.remarks == [f"{tmp_path / 'grades.csv'}: column title is not read"]


def test_qrels_come_back_with_a_judge_named(tmp_path: Path):
    """Of several judges the mean, halves up; ids with spaces too."""
    grades = [
        Grade("my knee", "hip", 3, "ann", NOW), Grade("my knee", "hip", 2, "ben", NOW),
        Grade("my knee", "nap", 0, "ben", NOW),
    ]  # fmt: skip
    path = tmp_path / "site.qrels"

    assert grade_files.write(path, grades) == 2

    found = grade_files.read(path, now=NOW, by="cid").grades
    assert [(*each.pair, each.grade, each.by) for each in found] == [
        ("my knee", "hip", 3, "cid"),
        ("my knee", "nap", 0, "cid"),
    ]


def test_qrels_have_no_link_of_a_page_to_itself(tmp_path: Path):
    """As CSV has none."""
    with pytest.raises(InputError, match=r"query knee, document knee: field id: the page itself"):
        read(tmp_path / "site.qrels", "knee 0 hip 2\nknee 0 knee 3\n", by="ann")


def test_qrels_of_others_are_read_by_their_name(tmp_path: Path):
    """``qrels.test.txt`` is one; a relevance that is no grade is named with its line."""
    path = tmp_path / "qrels.test.txt"

    assert len(read(path, "q1 0 d1 1\n\nq1 0 d2 0\n", by="nist").grades) == 2
    with pytest.raises(InputError, match=r"qrels.test.txt:3: relevance 4 is not 0 to 3"):
        read(path, "q1 0 d1 1\n\nq1 0 d2 4\n", by="nist")
    with pytest.raises(InputError, match=r"name him with --by"):
        read(path, "q1 0 d1 1\n")


def test_grades_are_not_written_under_a_name_that_promises_something_else(tmp_path: Path):
    """A workbook, for one."""
    with pytest.raises(InputError, match=r"\.csv or \.qrels"):
        grade_files.write(tmp_path / "grades.xlsx", [Grade("knee", "hip", 1, "ann", NOW)])

    assert not (tmp_path / "grades.xlsx").exists()
