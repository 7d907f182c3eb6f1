"""Records come out of JSON Lines, CSV and Parquet alike; a fault costs only its own record."""

import gzip
import json
import os
import tracemalloc
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from pyarrow import parquet

from recommender.errors import InputError
from recommender.files import (
    MAX_RECORD_BYTES,
    MAX_UNPACKED_BYTES,
    Problem,
    Record,
    decode,
    files_in,
    read_bytes,
    read_records,
    unpacked,
)


def written(path: Path, raw: bytes | str) -> Path:
    path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return path


KINDS = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet", ".txt": "pages", ".html": "html"}


def kind_of(path: Path) -> str | None:
    return KINDS.get(unpacked(path).suffix)


def has_format(path: Path) -> bool:
    return kind_of(path) is not None


def outcome(path: Path, kind: str) -> list[Any]:
    """Each record's fields, each problem's text without the folder."""
    return [
        found.fields if isinstance(found, Record) else found.text.removeprefix(f"{path.parent}/")
        for found in read_records(path, kind)
    ]


def test_the_three_formats_say_the_same(tmp_path: Path):
    """Text for text; numbers and lists are typed where the format has types."""
    rows = [{"id": "a", "body": "one\n\ntwo, “three”"}, {"id": "膝盖", "body": "ركبة"}]
    written(tmp_path / "r.jsonl", "\n".join(json.dumps(row) for row in rows))
    cells = [f'{row["id"]},"{row["body"]}"' for row in rows]
    written(tmp_path / "r.csv", "\r\n".join(["id,body", *cells]))
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "r.parquet")
    for path in list(tmp_path.iterdir()):
        written(path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes()))

    found = {
        path.name: outcome(path, str(kind_of(path)))
        for path in files_in([tmp_path], has_format, skipped=[], known=".txt")
    }

    assert len(found) == 6
    assert all(fields == rows for fields in found.values())


def test_each_record_knows_its_place(tmp_path: Path):
    """The line it begins on, blank lines counted, or its row."""
    jsonl = written(tmp_path / "r.jsonl", '{"id": 1}\n\n  \r\n{"id": 2}')
    table = written(tmp_path / "r.csv", 'id,body\n1,"two\nlines"\n\n2,x\n')
    parquet.write_table(arrow.table({"id": [1, 2]}), tmp_path / "r.parquet")

    places = [
        [record.where for record in read_records(path, kind) if isinstance(record, Record)]
        for path, kind in [(jsonl, "jsonl"), (table, "csv"), (tmp_path / "r.parquet", "parquet")]
    ]

    assert places[0] == [f"{jsonl}:1", f"{jsonl}:4"]
    assert places[1][0] == f"{table}:2"
    assert len(places[1]) == 2
    assert places[2] == [f"{tmp_path}/r.parquet:row 1", f"{tmp_path}/r.parquet:row 2"]


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"\xef\xbb\xbf", b"\x00\x00\n"])
def test_an_empty_file_has_no_records(tmp_path: Path, raw: bytes):
    """Nor problems: whoever reads it knows whether it may be empty."""
    assert outcome(written(tmp_path / "r.jsonl", raw), "jsonl") == []


def test_an_empty_table_has_no_records(tmp_path: Path):
    """With a heading or without."""
    assert outcome(written(tmp_path / "r.csv", ""), "csv") == []
    assert outcome(written(tmp_path / "s.csv", "id,title\n"), "csv") == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{oops}", "r.jsonl:2: not JSON: Expecting property name"),
        (b'{"id": 1} {"id": 2}', "r.jsonl:2: not JSON: more follows after column 9"),
        (b"[1, 2]", "r.jsonl:2: must be a JSON object, not list"),
        (b"null", "r.jsonl:2: must be a JSON object, not NoneType"),
        (b'{"id": "a\x00b"}', "r.jsonl:2: not JSON: Invalid control character"),
        ('{"id": "é"}'.encode("latin-1"), "r.jsonl:2: not UTF-8: byte 0xe9 at offset 8"),
        (b"[" * 100_000, "r.jsonl:2: not JSON: maximum recursion depth"),
        (b'{"id": ' + b"1" * 5_000 + b"}", "r.jsonl:2: not JSON: Exceeds the limit"),
    ],
)
def test_a_bad_line_costs_only_itself(tmp_path: Path, line: bytes, problem: str):
    """Its neighbours are read, and the problem names file and line."""
    path = written(tmp_path / "r.jsonl", b'{"id": 1}\n' + line + b'\n{"id": 3}')

    first, second, third = outcome(path, "jsonl")

    assert (first, third) == ({"id": 1}, {"id": 3})
    assert second.startswith(problem)


def test_a_bad_row_costs_only_itself(tmp_path: Path):
    """Wrong encoding and too many cells; a short row lacks what it lacks."""
    raw = b"id,title\n1,A\n2,\xe9\n3,C,surplus\n4\n5,E\n"

    assert outcome(written(tmp_path / "r.csv", raw), "csv") == [
        {"id": "1", "title": "A"},
        "r.csv:3: not UTF-8: byte 0xe9 at offset 2; convert the file first",
        "r.csv:4: more cells than the heading has names",
        {"id": "4"},
        {"id": "5", "title": "E"},
    ]


def test_a_table_without_a_readable_heading_is_one_problem(tmp_path: Path):
    """Not one for each row."""
    found = outcome(written(tmp_path / "r.csv", b"id,\xe9\n1,A\n2,B\n"), "csv")

    assert len(found) == 1
    assert found[0].startswith("r.csv:1: not UTF-8")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path):
    """Spreadsheets write one."""
    assert outcome(written(tmp_path / "r.csv", "\ufeffid, title \n1,A"), "csv") == [
        {"id": "1", "title": "A"}
    ]
    assert outcome(written(tmp_path / "r.jsonl", '\ufeff{"id": 1}'), "jsonl") == [{"id": 1}]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_line_of_50_megabytes_is_skipped_and_not_held(tmp_path: Path, kind: str, packed: bool):
    """Neighbours are read and memory stays bounded, compressed or not."""
    head, row = {"jsonl": ("", '{"id": "%s"}\n'), "csv": ("id\n", "%s\n")}[kind]
    raw = (head + row % "a" + row % ("x" * 50_000_000) + row % "b").encode()
    path = written(tmp_path / f"r.{kind}", gzip.compress(raw, 1) if packed else raw)
    del raw

    tracemalloc.start()
    first, second, third = outcome(path, kind)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (first, third) == ({"id": "a"}, {"id": "b"})
    assert second.endswith(f"the line is longer than {MAX_RECORD_BYTES:,} bytes")
    assert peak < 3 * MAX_RECORD_BYTES


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_truncated_gzip_costs_only_the_records_behind_the_cut(tmp_path: Path, kind: str):
    """What came before it is read, and the problem says what happened."""
    lines = ["id"] if kind == "csv" else []
    lines += [f'{{"id": "{n:05}"}}' if kind == "jsonl" else f"{n:05}" for n in range(20_000)]
    raw = gzip.compress("\n".join(lines).encode())
    path = written(tmp_path / f"r.{kind}.gz", raw[: len(raw) // 2])

    *records, problem = outcome(path, kind)

    assert 5_000 < len(records) < 15_000
    assert records == [{"id": f"{n:05}"} for n in range(len(records))]
    assert "the file is damaged or cut short" in problem


def test_a_damaged_gzip_is_a_problem(tmp_path: Path):
    """Whatever is wrong inside."""
    raw = bytearray(gzip.compress(b'{"id": 1}\n' * 1000))
    raw[len(raw) // 2] ^= 0xFF

    found = outcome(written(tmp_path / "r.jsonl.gz", bytes(raw)), "jsonl")

    assert "the file is damaged or cut short" in found[-1]


@pytest.mark.parametrize("raw", [b"", b"PAR1 is not enough", b"PAR1" + b"x" * 100 + b"PAR1"])
def test_what_is_no_parquet_is_a_problem(tmp_path: Path, raw: bytes):
    """One line, not a traceback."""
    (problem,) = outcome(written(tmp_path / "r.parquet", raw), "parquet")

    assert problem.startswith("r.parquet:row 1: not Parquet that can be read: ")
    assert "\n" not in problem


def test_a_folder_stands_for_the_files_in_it(tmp_path: Path):
    """All below it, sorted, once; hidden ones and other kinds are left alone."""
    for name in ("b.txt", "sub/a.txt.gz", "c.html", "d.doc", ".hidden.txt", ".git/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        written(tmp_path / name, "x")

    assert files_in([tmp_path, tmp_path / "b.txt"], has_format, skipped=[], known=".txt") == [
        tmp_path / "b.txt", tmp_path / "c.html", tmp_path / "sub/a.txt.gz",
    ]  # fmt: skip
    assert files_in([tmp_path], lambda file: kind_of(file) == "html", skipped=[], known=".txt") == [
        tmp_path / "c.html"
    ]


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path):
    """So is a folder with nothing to read."""
    with pytest.raises(InputError, match="no such file or folder"):
        files_in([tmp_path / "nothing.txt"], has_format, skipped=[], known=".txt")
    with pytest.raises(InputError, match="no file in it that can be read"):
        files_in([tmp_path], has_format, skipped=[], known=".txt")


def test_links_of_a_folder_lead_nowhere_but_to_its_own_files(tmp_path: Path):
    """What they would lead out to, and what is no file, is passed over and named; whoever names a
    link itself means it.
    """
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    for place in (outside, folder, folder / "sub"):
        place.mkdir()
    for path in (outside / "a.jsonl", folder / "own.jsonl", folder / "sub/b.jsonl"):
        written(path, "{}")
    links = {
        "out.jsonl": outside / "a.jsonl", "absent.jsonl": "nowhere", "round.jsonl": "round.jsonl",
        "null.jsonl": "/dev/null", "up": "..", "other": outside, "again": "sub",
        "again.jsonl": "own.jsonl", "doc": outside / "a.jsonl", ".out.jsonl": outside / "a.jsonl",
    }  # fmt: skip
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.jsonl")
    skipped: list[Problem] = []

    found = files_in([folder], has_format, skipped=skipped, known=".txt")

    assert [path.relative_to(folder).as_posix() for path in found] == [
        "again.jsonl", "own.jsonl", "sub/b.jsonl",
    ]  # fmt: skip
    assert {text.removeprefix(f"{folder}/") for (text,) in skipped} == {
        "out.jsonl: skipped: a link that leads out of the folder",
        "absent.jsonl: skipped: a link that leads nowhere",
        "round.jsonl: skipped: a link that leads nowhere",
        "null.jsonl: skipped: a link that leads out of the folder",
        "up: skipped: a link that leads out of the folder",
        "other: skipped: a link that leads out of the folder",
        "pipe.jsonl: skipped: no regular file",
    }
    named = [folder / "other", folder / "out.jsonl"]
    assert files_in(named, has_format, skipped=skipped, known=".txt") == [
        named[0] / "a.jsonl",
        named[1],
    ]
    with pytest.raises(InputError, match="neither a file nor a folder"):
        files_in([folder / "pipe.jsonl"], has_format, skipped=[], known=".txt")


def test_a_folder_of_nothing_but_links_says_so(tmp_path: Path):
    """Else nobody would know why it is empty."""
    (tmp_path / "a.jsonl").symlink_to("/dev/null")

    with pytest.raises(InputError, match=r"no file in it .*; skipped: .*leads out of the folder"):
        files_in([tmp_path], has_format, skipped=[], known=".txt")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "lines", "parquet"])
def test_what_unpacks_to_too_much_ends_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
):
    """The limit is of the file, however short its lines; what came before it is read."""
    monkeypatch.setattr("recommender.files.MAX_UNPACKED_BYTES", 3_000_000)
    head, row = {"csv": ("id\n", "x\n")}.get(kind, ("", '{"id": "x"}\n'))
    raw = (head + row * (6_000_000 // len(row))).encode()
    path = written(tmp_path / "r.gz", gzip.compress(raw))

    *records, problem = outcome(path, kind)

    assert problem.startswith("r.gz: cannot be read: it unpacks to more than 3,000,000 bytes")
    assert (len(records) > 100_000) == (kind != "parquet")


def test_a_file_that_is_well_packed_may_become_200_times_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Logs of the same line again and again are no bombs."""
    monkeypatch.setattr("recommender.files.MAX_UNPACKED_BYTES", 1_000)
    same = b'GET /health HTTP/1.1 200 "-" kube-probe\n'
    lines = [b"%b%d\n" % (same[:-1], number) for number in range(20_000)]

    assert (
        len(outcome(written(tmp_path / "a.gz", gzip.compress(b"".join(lines))), "lines")) == 20_000
    )
    assert len(outcome(written(tmp_path / "b.gz", gzip.compress(same * 20_000)), "lines")) < 20_000


def long_text(n_rows: int, n_bytes: int) -> arrow.Table:
    """The same text in every row, which Parquet holds once."""
    indices = arrow.array([0] * n_rows, type=arrow.int32())
    text = arrow.DictionaryArray.from_arrays(indices, arrow.array(["x" * n_bytes]))
    return arrow.table({"id": [str(number) for number in range(n_rows)], "body": text})


BOMBS: dict[str, Callable[[], arrow.Table]] = {
    "a text in many rows": lambda: long_text(5_000, 1_000_000),
    "a text many times in one row": lambda: arrow.table(
        {
            "tags": arrow.ListArray.from_arrays(
                [0, 1_000], long_text(1_000, 1_000_000).column("body").chunk(0)
            )
        }
    ),
    "a long text": lambda: arrow.table({"body": ["x" * 200_000_000]}),
    "a long list": lambda: arrow.table(
        {"tags": arrow.ListArray.from_arrays([0, 20_000_000], arrow.nulls(20_000_000))}
    ),
    "wide numbers": lambda: arrow.table(
        {"id": arrow.array([bytes(20_000_000)] * 6, type=arrow.binary(20_000_000))}
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_that_becomes_too_much_is_no_danger(tmp_path: Path, bomb: str, packed: bool):
    """Memory is bounded, and the reason given, however few bytes the file has."""
    path = tmp_path / "r.parquet"
    parquet.write_table(BOMBS[bomb](), path, compression="zstd")
    assert path.stat().st_size < 1_000_000
    if packed:
        written(path, gzip.compress(path.read_bytes()))
    before = arrow.default_memory_pool().max_memory()

    tracemalloc.start()
    found = [each for each in read_records(path, "parquet") if isinstance(each, Problem)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "unpacks to more than" in found[0].text or "the row is longer than" in found[0].text
    assert peak < 3 * MAX_RECORD_BYTES
    assert arrow.default_memory_pool().max_memory() - before < 3 * MAX_UNPACKED_BYTES


def test_a_table_has_values_of_every_type(tmp_path: Path):
    """Also nested in one another, and repeated ones that the file holds once."""
    texts = ["x", "y", None]
    table = arrow.table(
        {
            "text": texts,
            "many": [["x", "x"], [], None],
            "struct": [{"a": "x"}, None, {"a": None}],
            "structs": [[{"a": "x"}], [], None],
            "map": arrow.array([[("k", 1)], [], None], type=arrow.map_(arrow.string(), "int64")),
            "view": arrow.array(texts, type=arrow.string_view()),
            "large": arrow.array(texts, type=arrow.large_string()),
            "bytes": [b"\xff", b"", None],
            "fixed": arrow.array([b"ab", b"cd", None], type=arrow.binary(2)),
            "category": arrow.array(texts).dictionary_encode(),
            "date": [date(2026, 11, 22), None, None],
            "none": arrow.nulls(3),
        }
    )
    parquet.write_table(table, tmp_path / "r.parquet")

    found = outcome(tmp_path / "r.parquet", "parquet")

    assert found == [
        {name: cell for name, cell in row.items() if cell is not None} for row in table.to_pylist()
    ]


def test_a_bad_row_of_a_table_costs_only_itself(tmp_path: Path):
    """A time beyond all calendars, bytes that are no text."""
    times = arrow.array([1, 2**62, 3], type=arrow.timestamp("us"))
    ends = arrow.array([0, 1, 2, 3], type=arrow.int32()).buffers()[1]
    texts = arrow.Array.from_buffers(arrow.string(), 3, [None, ends, arrow.py_buffer(b"ab\xff")])
    parquet.write_table(arrow.table({"at": times, "text": texts}), tmp_path / "r.parquet")

    first, *others = outcome(tmp_path / "r.parquet", "parquet")

    assert first["text"] == "a"
    assert [text.partition(": ")[0] for text in others] == ["r.parquet:row 2", "r.parquet:row 3"]


def test_a_kind_without_records_is_refused(tmp_path: Path):
    """A page is no list of events."""
    with pytest.raises(InputError, match="no records in a file of format 'pages'"):
        list(read_records(written(tmp_path / "a.txt", "x"), "pages"))


def test_a_page_larger_than_a_book_is_refused(tmp_path: Path):
    """Also when it is small while packed."""
    path = written(tmp_path / "a.txt.gz", gzip.compress(b"x" * (MAX_RECORD_BYTES + 1)))

    with pytest.raises(InputError, match="larger than 10,000,000 bytes, so it is no page"):
        read_bytes(path)


def test_bytes_that_are_no_text_are_named():
    """Which byte, and where."""
    assert decode("\ufeffé".encode(), where="a.txt") == "é"
    with pytest.raises(InputError, match=r"a\.txt: not UTF-8: byte 0xe9 at offset 1"):
        decode(b"a\xe9", where="a.txt")


def test_reading_may_stop_early(tmp_path: Path):
    """The file is closed all the same (warnings are errors here)."""
    path = written(tmp_path / "r.jsonl", '{"id": 1}\n' * 3)

    records = read_records(path, "jsonl")
    assert isinstance(next(records), Record | Problem)
    records.close()  # type: ignore[attr-defined]


def test_lines_are_records_of_any_text(tmp_path: Path):
    """Blank ones aside; what is no UTF-8 is marked, what is too long is told."""
    raw = b"\xef\xbb\xbfone\n\n \r\ncaf\xe9\x00\n" + b"x" * (MAX_RECORD_BYTES + 1) + b"\nlast"

    assert outcome(written(tmp_path / "a.log", raw), "lines") == [
        {"line": "one"}, {"line": "caf\ufffd\x00"},
        f"a.log:5: the line is longer than {MAX_RECORD_BYTES:,} bytes", {"line": "last"},
    ]  # fmt: skip


def test_the_first_records_may_be_left_out(tmp_path: Path):
    """Faulty ones are counted and blank lines are not, whether they are decoded or not."""
    jsonl = b'\xef\xbb\xbf\n{"id": 1}\n\n{\n\xff\n\x00\n[7]\n{"id": 5}\n' + b'{"id": 6}'
    files = {
        "jsonl": written(tmp_path / "r.jsonl", jsonl),
        "csv": written(tmp_path / "r.csv", 'id,body\n1,"two\nlines"\n\n2,x\n3,x,too many\n4,x'),
        "lines": written(tmp_path / "r.log", jsonl),
    }
    for kind, path in files.items():
        found = list(read_records(path, kind))
        assert len(found) >= 4
        for after in range(len(found) + 2):
            assert list(read_records(path, kind, after=after)) == found[after:]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_spreadsheets_have_other_marks_than_commas(tmp_path: Path, mark: str):
    """The heading shows which; a comma in it is the mark."""
    table = written(tmp_path / "a.csv", f"id{mark}title\na{mark}Salt, pepper\n")
    commas = written(tmp_path / "b.csv", f"id,a{mark}b\nc,d\n")

    assert outcome(table, "csv") == [{"id": "a", "title": "Salt, pepper"}]
    assert outcome(commas, "csv") == [{"id": "c", f"a{mark}b": "d"}]
