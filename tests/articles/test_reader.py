"""Articles come out of files of any kind alike, and bad records do not cost good ones."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from pyarrow import parquet

from recommender.articles.article import Article
from recommender.articles.batch import Batch, RawPage
from recommender.articles.document import Pick
from recommender.articles.linking import link
from recommender.articles.reader import read_articles
from recommender.errors import InputError, TooManyBadRecords
from recommender.files import Problem, Tolerance
from recommender.progress import Silent
from recommender.store.database import Store

PAGE = """A title

A title

Body.

Recommend

B title

About b..."""


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def json_lines(path: Path, *records: dict[str, Any]) -> Path:
    return written(path, "".join(f"{json.dumps(record)}\n" for record in records))


def texts(batch: Batch, folder: Path) -> list[str]:
    return [problem.text.replace(f"{folder}/", "") for problem in batch.problems]


def test_the_three_formats_give_the_same_articles(tmp_path: Path):
    """Lists, flags, line breaks and every script; packed or not."""
    records: list[dict[str, Any]] = [
        {"id": "a/1", "url": None, "title": "膝盖为什么会响？", "body": "one\n\ntwo, “three”",
         "sensitive": True, "tags": ["x", "y|z"],
         "recommended": ["../b", "a/1"], "published_at": "2026-11-22"},
        {"id": "../b", "title": "لماذا تطقطق ركبتي؟", "url": "/b", "tags": ["x"]},
    ]  # fmt: skip
    json_lines(tmp_path / "a.jsonl", *records)
    parquet.write_table(arrow.Table.from_pylist(records), tmp_path / "a.parquet")
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, list(records[0]))
        table.writeheader()
        for record in records:
            lists = {k: json.dumps(v) for k, v in record.items() if isinstance(v, list)}
            table.writerow({**record, **lists})
    for path in list(tmp_path.iterdir()):
        written(path.with_name(path.name + ".gz"), gzip.compress(path.read_bytes()))

    batches = [read_articles([path]) for path in sorted(tmp_path.iterdir())]

    assert len(batches) == 6
    for batch in batches:
        assert batch.problems == []
        assert list(batch.articles.values()) == list(batches[0].articles.values())
    assert batches[0].articles["a/1"].tags == ("x", "y|z")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", PAGE),
        ("a.txt", PAGE.replace("\n", "\r\n") + "\r\n"),
        ("a.txt", "\ufeff" + PAGE),
        ("a.txt.gz", gzip.compress(PAGE.encode(), mtime=0)),
        ("sub/folder/a.txt", PAGE),
    ],
    ids=["as it is", "CRLF", "byte order mark", "packed", "below"],
)
def test_a_page_is_an_article_with_the_name_of_its_file(
    tmp_path: Path, name: str, content: str | bytes
):
    """Whatever its line ends, mark and packing; its bytes are kept, unpacked."""
    written(tmp_path / name, content)

    batch = read_articles([tmp_path])

    assert batch.articles == {"a": Article("a", "A title", "Body.")}
    assert batch.drafts["a"].picks == (Pick("B title", "About b..."),)
    raw = PAGE.encode() if isinstance(content, bytes) else content.encode()
    assert batch.pages == {"a": RawPage(name.removesuffix(".gz"), raw)}


def test_a_folder_may_hold_every_kind(tmp_path: Path):
    """Pages, HTML and records, in one batch."""
    written(tmp_path / "a.txt", PAGE)
    written(tmp_path / "b.html", "<h1>B title</h1><p>Body of b.</p>")
    json_lines(tmp_path / "more/c.jsonl", {"id": "c", "title": "C"})

    batch = read_articles([tmp_path])

    assert sorted(batch.articles) == ["a", "b", "c"]
    assert link(batch, []).articles["a"].recommended == ("b",)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("bad.txt", b"", "bad.txt: field title: the page is empty"),
        ("bad.txt", b"caf\xe9", "bad.txt: not UTF-8: byte 0xe9 at offset 3; convert the file"),
        ("bad.txt.gz", gzip.compress(b"x" * 999, mtime=0)[:-9], "bad.txt.gz: cannot be read: "),
        ("bad.txt", b"x" * 50_000_000, "bad.txt: larger than 10,000,000 bytes, so it is no page"),
        ("bad.html", b"<p>No heading.</p>", "bad.html: field title: "),
        ("bad.jsonl", b'{"id": "x"}', "bad.jsonl:1: field title: missing"),
        ("bad.csv", b"id\nx", "bad.csv:2: field title: missing"),
        ("bad.jsonl", b'{"id": "x", "title": 3}', "bad.jsonl:1: field title: must be text"),
    ],
    ids=[
        "empty",
        "Latin-1",
        "truncated",
        "too large",
        "no title",
        "no title in JSON",
        "no title in CSV",
        "wrong type",
    ],
)
def test_a_bad_file_costs_only_itself(tmp_path: Path, name: str, content: bytes, problem: str):
    """Its neighbour is imported, and the problem says where and which field."""
    written(tmp_path / name, content)
    written(tmp_path / "a.txt", PAGE)

    batch = read_articles([tmp_path])

    assert list(batch.articles) == ["a"]
    assert len(batch.problems) == 1
    assert texts(batch, tmp_path)[0].startswith(problem)
    assert batch.n_records == 2


def test_the_same_record_twice_is_no_problem(tmp_path: Path):
    """Exports overlap."""
    record = {"id": "a", "title": "A"}

    batch = read_articles([json_lines(tmp_path / "a.jsonl", record, record)])

    assert (len(batch.articles), batch.problems) == (1, [])


def test_two_records_with_one_id_are_a_problem_that_names_both(tmp_path: Path):
    """The first stays."""
    one = json_lines(tmp_path / "a.jsonl", {"id": "a", "title": "A"})
    two = json_lines(tmp_path / "b.jsonl", {"id": "b", "title": "B"}, {"id": "a", "title": "Other"})

    batch = read_articles([one, two])

    assert texts(batch, tmp_path) == ["b.jsonl:2: field id: 'a' stands at a.jsonl:1 already"]
    assert batch.articles["a"].title == "A"


def test_pages_that_differ_only_in_their_lists_differ(tmp_path: Path):
    """Two files of one name and two lists: nobody knows which is right."""
    written(tmp_path / "x/a.txt", PAGE)
    written(tmp_path / "y/a.txt", PAGE.replace("B title", "C title"))

    batch = read_articles([tmp_path])

    assert texts(batch, tmp_path) == ["y/a.txt: field id: 'a' stands at x/a.txt already"]


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_import_without_a_record_is_refused(tmp_path: Path, content: str):
    """An empty export is a broken export."""
    batch = read_articles([written(tmp_path / "a.jsonl", content)])

    assert texts(batch, tmp_path) == ["a.jsonl: no record in it"]
    with pytest.raises(TooManyBadRecords):
        Tolerance().check(batch.problems, batch.n_records)


def test_a_path_or_kind_that_is_not_known_is_an_error(tmp_path: Path):
    """Before anything is read."""
    with pytest.raises(InputError, match="no such file or folder"):
        read_articles([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="unknown format of file"):
        read_articles([written(tmp_path / "a.doc", "x")])


def test_the_kind_may_be_said_where_the_name_does_not(tmp_path: Path):
    """And of a folder it takes the files of that kind only."""
    odd = json_lines(tmp_path / "export.dump", {"id": "a", "title": "A"})
    written(tmp_path / "notes.txt", "Not an article")
    json_lines(tmp_path / "b.jsonl", {"id": "b", "title": "B"})

    assert list(read_articles([odd], format="jsonl").articles) == ["a"]
    assert list(read_articles([tmp_path], format="jsonl").articles) == ["b"]


def test_an_import_shows_how_far_it_is(tmp_path: Path):
    """Of one file its records are counted, of several the files; then those that are compared with
    the store, and those that are written, each to the last.
    """
    heard: list[list[Any]] = []

    class Watched(Silent):
        def stage(self, name: str, total: int | None = None) -> None:
            heard.append([name, total, 0])

        def advance(self, steps: int = 1) -> None:
            heard[-1][2] += steps

    one = json_lines(tmp_path / "a.jsonl", *({"id": f"{n}", "title": f"T {n}"} for n in range(7)))
    with Store("sqlite://") as store:
        store.apply(read_articles([one], progress=Watched()), progress=Watched())
        assert heard == [
            ["reading articles", None, 7],
            ["comparing with the store", 7, 7],
            ["writing to the store", 7, 7],
        ]

        heard.clear()
        written(tmp_path / "b.txt", "B\n\nB\n\nBody.\n")
        store.apply(read_articles([tmp_path], progress=Watched()), progress=Watched())
        assert heard == [
            ["reading articles", 2, 2],
            ["comparing with the store", 8, 8],
            ["writing to the store", 1, 1],
        ]


# Linking


def test_a_single_page_with_eleven_unknown_titles_makes_eleven_stubs(tmp_path: Path):
    """Each with its title and teaser, without a URL, in the order of the page."""
    links = "\n\n".join(f"Title number {n}\n\nTeaser {n}..." for n in range(11))
    written(tmp_path / "a.txt", f"A\n\nA\n\nBody.\n\nRecommend\n\n{links}\n")

    with Store("sqlite://") as store:
        changes = store.apply(read_articles([tmp_path]))
        found = {article.id: article for article in store.articles()}

    assert (changes.added, changes.n_stubs) == (["a"], 11)
    stubs = [found[id] for id in found["a"].recommended]
    assert [stub.title for stub in stubs] == [f"Title number {n}" for n in range(11)]
    assert [stub.teaser for stub in stubs] == [f"Teaser {n}..." for n in range(11)]
    assert all(stub.stub and stub.url is None for stub in stubs)


def test_a_list_is_kept_as_it_stands_on_the_page(tmp_path: Path):
    """Duplicates and the page itself included: the audit wants to see them."""
    links = "A title\n\nAa...\n\nb TITLE\n\nBb...\n\nB title?\n\nBb..."
    written(tmp_path / "a.txt", f"A title\n\nBody.\n\n<<: B titel\n\nRecommend\n\n{links}")
    written(tmp_path / "b.txt", "B title\n\nBody.")

    linked = link(read_articles([tmp_path]), [])

    assert linked.articles["a"].recommended == ("a", "b", "b")
    assert linked.articles["a"].previous == "b"
    assert linked.stubs == {}


def test_linking_leaves_the_batch_as_it_was(tmp_path: Path):
    """So a batch can be applied again after a failure."""
    batch = read_articles([written(tmp_path / "a.txt", PAGE)])
    before = dict(batch.articles)

    first, second = link(batch, []), link(batch, [])

    assert batch.articles == before
    assert first == second


def test_chinese_and_arabic_pages_find_one_another(tmp_path: Path):
    """Aside from their own punctuation."""
    written(
        tmp_path / "a.txt",
        "膝盖为什么会响？\n\n气泡。\n\nRecommend\n\nلماذا تؤلمني ركبتي\n\nلأن...",
    )
    written(
        tmp_path / "b.txt", "لماذا تؤلمني ركبتي؟\n\nلأن.\n\nRecommend\n\n膝盖为什么会响\n\n气泡..."
    )

    linked = link(read_articles([tmp_path]), [])

    assert [linked.articles[id].recommended for id in "ab"] == [("b",), ("a",)]


# Tolerance


@pytest.mark.parametrize(
    ("tolerance", "n_bad", "n_records", "refused"),
    [
        (Tolerance(), 0, 5, False),
        (Tolerance(), 3, 4, False),
        (Tolerance(), 4, 8, True),
        (Tolerance(), 20, 100, False),
        (Tolerance(), 21, 100, True),
        (Tolerance(), 1, 1, True),
        (Tolerance.parse("0"), 1, 1000, True),
        (Tolerance.parse("5"), 5, 1000, False),
        (Tolerance.parse("5"), 6, 1000, True),
        (Tolerance.parse("10%"), 100, 1000, False),
        (Tolerance.parse("10%"), 101, 1000, True),
        (Tolerance.parse("100%"), 5, 5, True),
    ],
)
def test_an_import_bears_so_many_bad_records(
    tmp_path: Path, tolerance: Tolerance, n_bad: int, n_records: int, refused: bool
):
    """A fifth, a few of a small file, never all; or what the caller says."""
    good = [{"id": n, "title": "T"} for n in range(n_records - n_bad)]
    batch = read_articles([json_lines(tmp_path / "a.jsonl", *good, *([{"id": "x"}] * n_bad))])

    if not refused:
        tolerance.check(batch.problems, batch.n_records)
        return
    with pytest.raises(TooManyBadRecords, match=f"nothing imported: {n_bad} of {n_records:,} rec"):
        tolerance.check(batch.problems, batch.n_records)


@pytest.mark.parametrize("text", ["many", "", "%", "-1", "5.5", "-3%", "101%", "nan%"])
def test_a_tolerance_without_meaning_is_an_error(text: str):
    """It is not guessed at."""
    with pytest.raises(InputError, match="must be a number or a percentage"):
        Tolerance.parse(text)


def test_addresses_that_cannot_be_used_are_left_out_and_named(tmp_path: Path):
    """Of records and of pages, which then have the address that the template gives them."""
    json_lines(tmp_path / "a.jsonl", {"id": "a", "title": "A", "url": "data:text/html,x"})
    written(tmp_path / "b.html", '<link rel="canonical" href="JavaScript:x"><h1>B</h1><p>Text.')
    written(tmp_path / "c.html", '<link rel="canonical" href="//host/c"><h1>C</h1><p>Text.')

    batch = read_articles([tmp_path], url="/pages/{id}")

    assert {id: article.url for id, article in batch.articles.items()} == {
        "a": None, "b": "/pages/b", "c": "//host/c",
    }  # fmt: skip
    assert [text.partition(": an address")[0] for (text,) in batch.remarks] == [
        f"{tmp_path}/a.jsonl:1: field url", f"{tmp_path}/b.html: field url",
    ]  # fmt: skip
    assert batch.problems == []
    with pytest.raises(InputError, match="an address of 'javascript:'"):
        read_articles([tmp_path], url="javascript:{id}")


def test_an_address_that_an_older_release_stored_is_none(tmp_path: Path):
    """Whoever reads the store gets none, and the next import says what was wrong with it."""
    batch = Batch()
    batch.add(Article("a", "A", url="javascript:alert(1)"), "a")
    batch.add(Article("b", "B", url="/b"), "b")

    with Store("sqlite://") as store:
        store.apply(batch)

        assert [article.url for article in store.articles()] == [None, "/b"]


def test_links_in_a_folder_are_skipped_and_named(tmp_path: Path):
    """They are no bad records, and hold nothing back."""
    folder = tmp_path / "folder"
    json_lines(tmp_path / "secret.jsonl", {"id": "secret", "title": "Secret"})
    json_lines(folder / "a.jsonl", {"id": "a", "title": "A"})
    (folder / "s.jsonl").symlink_to(tmp_path / "secret.jsonl")

    batch = read_articles([folder])

    assert [*batch.articles] == ["a"]
    assert batch.problems == []
    assert batch.skipped == [
        Problem(f"{folder}/s.jsonl: skipped: a link that leads out of the folder")
    ]


def test_bad_records_without_end_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever is allowed: a file of nothing else is no file of articles."""
    monkeypatch.setattr("recommender.articles.reader.MAX_PROBLEMS", 100)
    path = written(tmp_path / "a.jsonl", "{}\n" * 300)

    with pytest.raises(TooManyBadRecords, match="nothing imported: 101 of 101 records are bad"):
        read_articles([path])


def test_fields_by_other_names_are_mapped(tmp_path: Path):
    """Also those within others; without a mapping the error proposes one."""
    rows = [
        {"slug": f"a{n}", "headline": f"T{n}", "content": {"rendered": "<p>Salt &amp; joints.</p>"}}
        for n in range(5)
    ]
    path = json_lines(tmp_path / "a.jsonl", *rows)
    mapping = {"id": "slug", "title": "headline", "body": "content.rendered"}

    batch = read_articles([path], fields=mapping)

    assert batch.articles["a1"] == Article("a1", "T1", "Salt & joints.")
    assert batch.notes == []
    fault = read_articles([path]).problems[0].text
    assert fault.endswith("field id: missing; perhaps --map id=slug,title=headline,body=content")
    with pytest.raises(InputError, match="--map name=…: no field of articles; known: id, title"):
        read_articles([path], fields={"name": "headline"})


def test_fields_that_are_not_read_are_named_once(tmp_path: Path):
    """With a mapping where the name is one that ours often has."""
    rows = [{"id": n, "title": "T", "content": "Text.", "n_words": 3} for n in range(9)]

    batch = read_articles([json_lines(tmp_path / "a.jsonl", *rows)])

    assert batch.notes == [
        "fields that are not read: content (9), n_words (9); perhaps --map body=content"
    ]


def test_an_optional_field_that_cannot_be_read_costs_that_field(tmp_path: Path):
    """And is named; an odd date is read, if it can be but one."""
    mail = "Sun, 22 Nov 2026 10:00:00 GMT"
    dates = ["2014-08", "0000-00-00 00:00:00", mail, 1795341600000, "soon"]
    rows = [{"id": n, "title": "T", "published_at": date} for n, date in enumerate(dates)]
    odd = {"id": "odd", "title": "T", "tags": 3, "image": "javascript:x", "sensitive": "perhaps"}

    batch = read_articles([json_lines(tmp_path / "a.jsonl", *rows, odd)])

    assert batch.problems == []
    assert [batch.articles[str(n)].published_at for n in range(5)] == [
        "2014-08-01", None, "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z", None,
    ]  # fmt: skip
    article = batch.articles["odd"]
    assert (article.tags, article.image, article.sensitive) == ((), None, True)
    assert [text.split(": field ")[1].split(":")[0] for (text,) in batch.remarks] == [
        "published_at", "tags", "image", "sensitive",
    ]  # fmt: skip


def test_a_text_page_is_called_as_its_file(tmp_path: Path):
    """Whatever that name means elsewhere."""
    for name in ("x/index.txt", "y/default.txt", "z/notes.v2.txt"):
        written(tmp_path / name, f"Title of {name}\n\nBody.")

    assert sorted(read_articles([tmp_path]).articles) == ["default", "index", "notes.v2"]
