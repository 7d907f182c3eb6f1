"""A sitemap says more of the pages of a mirror, and alone says what to do."""

from pathlib import Path

import pytest

from recommender.articles.formats import sitemap
from recommender.articles.formats.sitemap import read_sitemaps
from recommender.files import Problem

XML = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
  xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"
  xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"
  xmlns:xhtml="http://www.w3.org/1999/xhtml">
<url><loc>https://x.example/2025/caf%C3%A9/</loc><lastmod>2025-10-18</lastmod>
<xhtml:link rel="alternate" hreflang="de" href="https://x.example/de/"/>
<image:image><image:loc>https://x.example/a.jpg</image:loc></image:image>
<image:image><image:loc>https://x.example/b.jpg</image:loc></image:image></url>
<url><loc>https://x.example/news/cold.html</loc><news:news>
<news:publication><news:name>Garden</news:name><news:language>en</news:language></news:publication>
<news:publication_date>2025-10-19</news:publication_date><news:title>Cold &amp; dark</news:title>
<news:keywords>cold, dark</news:keywords></news:news></url>
<url><loc>https://x.example/</loc></url>
</urlset>"""


def written(tmp_path: Path, content: str, name: str = "sitemap.xml") -> Path:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "path",
    ["2025/café/index.html", "2025/café.html", "x.example/2025/café/index.html", "2025/cafe\u0301"],
)
def test_pages_of_a_mirror_are_found_by_the_paths_of_their_addresses(tmp_path: Path, path: str):
    """However the mirror names its files."""
    found, problems = read_sitemaps([written(tmp_path, XML)])

    assert problems == []
    assert found.fields_of(path) == {
        "url": "https://x.example/2025/caf%C3%A9/",
        "updated_at": "2025-10-18",
        "image": "https://x.example/a.jpg",
    }


def test_news_have_titles_dates_and_keywords(tmp_path: Path):
    """The front page is a page too; what is not listed is not known."""
    found, _ = read_sitemaps([written(tmp_path, XML)])

    assert found.fields_of("news/cold.html") == {
        "url": "https://x.example/news/cold.html",
        "title": "Cold & dark",
        "published_at": "2025-10-19",
        "tags": ["cold", "dark"],
        "language": "en",
    }
    assert found.fields_of("index.html") == {"url": "https://x.example/"}
    assert found.fields_of("news/other.html") is None


def test_sitemaps_of_an_index_are_read_where_they_stand_beside_it(tmp_path: Path):
    """And nowhere else; those that are missing are counted."""
    written(tmp_path, XML, "posts.xml")
    entries = "".join(
        f"<sitemap><loc>https://x.example/{name}</loc></sitemap>"
        for name in ("maps/posts.xml", "index.xml", "pages.xml", "../../etc/passwd")
    )
    index = written(tmp_path, f"<sitemapindex>{entries}</sitemapindex>", "index.xml")

    found, problems = read_sitemaps([index])

    assert found.fields_of("news/cold.html") is not None
    assert problems == [Problem(f"{index}: 2 of the sitemaps it names do not stand beside it")]


def test_a_list_of_addresses_is_a_sitemap(tmp_path: Path):
    """One a line."""
    file = written(tmp_path, "https://x.example/a\n\nhttps://x.example/b?p=1\n", "sitemap.txt")

    found, problems = read_sitemaps([file])

    assert (found.fields_of("a.html"), problems) == ({"url": "https://x.example/a"}, [])
    assert found.fields_of("b?p=1") == {"url": "https://x.example/b?p=1"}


def test_a_sitemap_alone_says_what_to_do(tmp_path: Path):
    """In one sentence."""
    (found,) = sitemap.read(written(tmp_path, XML), tmp_path)

    assert isinstance(found, Problem)
    assert "name the folder of the site's pages beside it" in found.text


@pytest.mark.parametrize(
    "content",
    ['<!DOCTYPE u [<!ENTITY a "b">]><urlset><url><loc>&a;</loc></url></urlset>',
     "<urlset>" + "<url>" * 100_000, XML[:600], "", "<urlset><url><loc>http://[x</loc></url>"],
    ids=range(5),
)  # fmt: skip
def test_broken_sitemaps_are_problems(tmp_path: Path, content: str):
    """With what could be read."""
    _, problems = read_sitemaps([written(tmp_path, content)])

    assert len(problems) == 1
