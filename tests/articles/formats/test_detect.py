"""What a file holds decides its format, then its name."""

import gzip
from pathlib import Path

import pytest

from recommender.articles.formats.detect import (
    FORMATS,
    detected,
    format_named,
    is_content,
    is_known,
    not_read,
)
from recommender.errors import InputError

HELD = [
    ("a.json", '[\n  {"id": 1}\n]', "json"),
    ("a.json", '[{"id": 1, "title": "A"}]', "json"),
    ("a.json", "[]", "json"),
    ("a.json", '{"posts": [{"id": 1}]}\n', "json"),
    ("a.json", '{"data": {"posts": [{"id": 1}]}}\n', "json"),
    ("a.json", '{\n "posts": [\n  {"id": 1}]}', "json"),
    ("a.json", '{\n "id": 1,\n "title": "A"\n}', "json"),
    ("a.json", '{"id": 1, "title": "A"}\n{"id": 2, "title": "B"}\n', "jsonl"),
    ("a.json", '{"id": 1, "title": "A", "tags": [{"name": "x"}]}', "jsonl"),
    ("a.jsonl", '{"id": 1, "items": [{"name": "x"}], "title": "A"}', "jsonl"),
    ("a.jsonl", "no JSON at all", "jsonl"),
    ("export", '{"id": 1, "title": "A"}\n', "jsonl"),
    ("knee.txt", "Knee\n\nIt clicks.", "pages"),
    ("knee.htm", "<h1>Knee</h1>", "html"),
    ("knee", "<!-- saved --><!DOCTYPE html><h1>Knee</h1>", "html"),
    ("knee.xml", '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">', "html"),
    ("index.php?p=12", "<html><h1>Knee</h1>", "html"),
    (
        "a.xml",
        '<?xml version="1.0"?><rss xmlns:wp="http://wordpress.org/export/1.2/">',
        "wordpress",
    ),
    ("a.xml", '<?xml version="1.0"?><?xml-stylesheet href="a"?><rss version="2.0">', "feed"),
    ("index.html", "<rdf:RDF xmlns:rdf='r' xmlns='http://purl.org/rss/1.0/'>", "feed"),
    ("a.xml", "<!-- x --><feed xmlns='http://www.w3.org/2005/Atom'>", "feed"),
    ("a.json", '{"version": "https://jsonfeed.org/version/1.1", "items": []}', "jsonfeed"),
    ("a.json", '{"db": [{"meta": {}, "data": {"posts": []}}]}', "ghost"),
    ("a.json", '{\n"meta": {}, "data": {"posts": [], "posts_tags": []}}', "ghost"),
    ("a.xml", "<urlset>", "sitemap"),
    ("a.xml", "<sitemapindex>", "sitemap"),
    ("sitemap.txt", "https://x.example/a\nhttps://x.example/b\n", "sitemap"),
    ("knee.md", "Knee", "markdown"),
    ("knee.md", '{"title": "Knee"}\n\nIt clicks.', "markdown"),
    ("knee.html", "---\ntitle: Knee\n---\n<p>It clicks.</p>", "markdown"),
    ("knee", "+++\ntitle = 'Knee'\n+++\nIt clicks.", "markdown"),
    ("knee.txt", "---\n\nNote: it clicks.\n\n---", "pages"),
    ("a.csv", "id,title\n1,A\n", "csv"),
]


@pytest.mark.parametrize(("name", "content", "format"), HELD)
def test_files_have_the_format_of_what_they_hold(
    tmp_path: Path, name: str, content: str, format: str
):
    """Packed and with a byte order mark too."""
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + content.encode()))

    assert [detected(file).name, detected(packed).name] == [format, format]


def test_what_is_not_known_is_refused_with_all_that_is(tmp_path: Path):
    """By ending and by name."""
    file = tmp_path / "knee.docx"
    file.write_bytes(b"PK\x03\x04")

    with pytest.raises(InputError, match=r"knee.docx: unknown format.*\.jsonl.*--format.*jsonl"):
        detected(file)
    with pytest.raises(InputError, match="no format 'word'"):
        format_named("word")


def test_every_format_can_be_named_and_names_are_unique():
    """And every ending begins with its dot."""
    names = [format.name for format in FORMATS]

    assert [format_named(name).name for name in names] == names
    assert len({*names}) == len(names)
    assert all(ending.startswith(".") for format in FORMATS for ending in format.endings)


def test_pages_named_by_programs_are_read_if_they_are_pages(tmp_path: Path):
    """As mirrors have them; source code and licences are not."""
    contents = {
        "knee": "<!doctype html><h1>Knee</h1>",
        "knee.php": "<html>",
        "LICENSE": "MIT",
        "index.php": "<?php echo 1;",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)

    assert [name for name in contents if is_known(tmp_path / name)] == ["knee", "knee.php"]
    assert not any(is_content(tmp_path / name) for name in contents)


def test_of_json_and_xml_in_a_folder_only_what_holds_articles_is_read(tmp_path: Path):
    """Repositories and mirrors have others beside them, which are counted but for settings."""
    contents = {
        "posts.json": '[{"id": 1, "title": "A"}]',
        "feed.xml": "<rss>",
        "names.json": '[{"id": 1, "name": "A"}]',
        "pom.xml": "<project>",
        "package.json": '{"title": "A"}',
        "robots.txt": "User-agent: *",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)

    known = {name for name in contents if is_known(tmp_path / name)}

    assert known == {"posts.json", "feed.xml"}
    assert not_read(tmp_path / name for name in contents if name not in known) == (
        "2 files of kinds that are not read: .json (1), .xml (1)"
    )


def test_what_might_hold_articles_and_is_not_read_is_counted():
    """Pictures, code and files without an ending are not articles."""
    names = ["a.docx", "b/B.DOCX", "c.pdf", "d.png", "e.css", "f.html", "Makefile", "g.pdf.gz"]

    assert not_read(map(Path, names)) == ("4 files of kinds that are not read: .docx (2), .pdf (2)")
    assert not_read([Path("a.docx")]) == "1 file of kinds that are not read: .docx (1)"
    assert not_read([Path("a.png")]) == ""
