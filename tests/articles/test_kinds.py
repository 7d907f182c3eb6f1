"""What sites have, imported as it is: each kind alone, and side by side."""

from pathlib import Path

import pytest

from recommender.articles.linking import link
from recommender.articles.reader import read_articles
from recommender.errors import InputError, TooManyBadRecords
from recommender.files import Tolerance

WXR = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/"
 xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/">
<channel><language>en-GB</language><wp:wxr_version>1.2</wp:wxr_version>{items}</channel></rss>"""
ITEM = """<item><title>{title}</title><link>https://plot.example/2025/{slug}/</link>
<dc:creator>jo</dc:creator><content:encoded><![CDATA[{content}]]></content:encoded>
<wp:post_id>{number}</wp:post_id><wp:post_date_gmt>2025-10-18 08:30:00</wp:post_date_gmt>
<wp:post_name>{slug}</wp:post_name><wp:status>{status}</wp:status><wp:post_type>post</wp:post_type>
<category domain="category" nicename="beds">Beds</category></item>"""


def item(number: int, slug: str, content: str, status: str = "publish") -> str:
    return ITEM.format(
        number=number, slug=slug, title=slug.capitalize(), content=content, status=status
    )


RELATED = '<h3>Related posts</h3><ul><li><a href="/2025/onions/">Keep them</a></li></ul>'
POSTS = [
    item(1, "garlic", f"<p>Garlic wants cold weeks before it splits.</p>{RELATED}"),
    item(2, "onions", "<p>Hang the plaits of onions somewhere cool.</p>"),
    item(3, "leeks", "<p>Not yet.</p>", "draft"),
]
MARKDOWN = """---
title: Garlic
date: 2025-10-18
categories: [Beds]
related: [onions]
---
Garlic wants *cold* weeks before it splits.
"""


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_export_of_wordpress_keeps_its_links(tmp_path: Path):
    """Those in the text of a post are its hand-picked list, by where they lead."""
    path = written(tmp_path / "export.xml", WXR.format(items="".join(POSTS)))

    batch = read_articles([path])
    garlic = link(batch, []).articles["2025/garlic"]

    assert (garlic.body, garlic.category) == ("Garlic wants cold weeks before it splits.", "Beds")
    assert garlic.recommended == ("2025/onions",)
    assert garlic.url == "https://plot.example/2025/garlic/"
    assert batch.left_out_sentences == [f"1 left out: a draft (such as {path}:13)"]
    assert list(read_articles([path], ids="stem").articles) == ["garlic", "onions"]


def test_a_folder_of_markdown_keeps_its_links(tmp_path: Path):
    """By the names of files."""
    written(tmp_path / "beds/garlic.md", MARKDOWN)
    written(tmp_path / "shed/2025-11-01-onions.md", "# Onions\n\nHang them somewhere cool.\n")

    articles = link(read_articles([tmp_path]), []).articles

    garlic, onions = articles.values()
    assert (garlic.id, garlic.recommended) == ("beds/garlic", (onions.id,))
    assert garlic.body == "Garlic wants cold weeks before it splits."
    assert onions.title == "Onions"


def test_a_sitemap_knows_more_of_the_pages_beside_it(tmp_path: Path):
    """Addresses, times and pictures; alone it says what to do."""
    site = written(tmp_path / "sitemap.xml", """<?xml version="1.0"?>
        <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
         xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"><url>
        <loc>https://plot.example/2025/garlic/</loc><lastmod>2025-11-01</lastmod>
        <image:image><image:loc>https://plot.example/g.jpg</image:loc></image:image></url></urlset>
        """)  # fmt: skip
    page = "<h1>Garlic</h1><p>Garlic wants cold weeks.</p>"
    written(tmp_path / "mirror/2025/garlic/index.html", page)

    batch = read_articles([site, tmp_path / "mirror"])

    garlic = batch.articles["2025/garlic"]
    assert (garlic.url, garlic.updated_at, garlic.image) == (
        "https://plot.example/2025/garlic/", "2025-11-01", "https://plot.example/g.jpg",
    )  # fmt: skip
    assert "sitemap: 1 of 1 pages are among its 1 addresses" in batch.notes
    alone = read_articles([site])
    with pytest.raises(TooManyBadRecords, match="name the folder of the site's pages beside it"):
        Tolerance().check(alone.problems, alone.n_records)


def test_one_article_in_two_kinds_of_file_is_one(tmp_path: Path):
    """By its address: the export and the mirror of a site may lie side by side. The longer text
    counts: that of a feed may be the beginning alone.
    """
    written(tmp_path / "export.xml", WXR.format(items="".join(POSTS)))
    written(
        tmp_path / "garlic/index.html",
        '<link rel="canonical" href="https://plot.example/2025/garlic/"><h1>Garlic</h1>'
        "<p>Garlic wants cold weeks before it splits.</p>",
    )
    entry = "<item><title>Garlic</title><link>https://plot.example/2025/garlic/</link></item>"
    written(tmp_path / "a-feed.xml", f'<rss version="2.0"><channel>{entry}</channel></rss>')

    batch = read_articles([tmp_path])

    assert len(batch.articles) == 2
    assert {article.body[:6] for article in batch.articles.values()} == {"Garlic", "Hang t"}
    assert any("copies of other pages left out" in note for note in batch.notes)


def test_folders_of_several_hosts_link_within_each(tmp_path: Path):
    """As a mirror that was told to follow several hosts lays them out."""
    tail = '<h2>Related</h2><p><a href="/b.html">See b</a></p>'
    for host in ("one.example", "two.example"):
        written(tmp_path / host / "a.html", f"<h1>A</h1><p>About {host}.</p>{tail}")
        written(tmp_path / host / "b.html", f"<h1>B</h1><p>More of {host}.</p>")

    articles = link(read_articles([tmp_path]), []).articles

    assert articles["two.example/a"].recommended == ("two.example/b",)


def test_addresses_of_feeds_are_without_what_follows_readers(tmp_path: Path):
    """Else every feed would name its articles anew; what names the page stays."""
    feed = "<rss version='2.0'><channel>{}</channel></rss>"
    item = "<item><title>{0}</title><link>https://e.org/{0}?utm_source={1}&amp;id={0}</link></item>"
    for source in ("rss", "mail"):
        path = written(tmp_path / f"{source}.xml", feed.format(item.format("knee", source)))

        assert list(read_articles([path]).articles) == ["knee?id=knee"]


def test_tables_may_write_our_names_in_capitals(tmp_path: Path):
    """And records have the address that the site has for their ids."""
    table = written(tmp_path / "a.csv", "ID,Title,Body\nknee,Knee,It clicks.\n")

    article = read_articles([table], url="https://e.org/{id}").articles["knee"]

    assert (article.title, article.body) == ("Knee", "It clicks.")
    assert article.url == "https://e.org/knee"


def test_sitemaps_alone_say_what_to_do(tmp_path: Path):
    """However many."""
    for name in ("a.xml", "b.xml"):
        written(tmp_path / name, "<urlset><url><loc>https://e.org/a</loc></url></urlset>")

    batch = read_articles([tmp_path])

    assert [problem.text.split(": ")[1][:9] for problem in batch.problems] == ["a sitemap"] * 2


def test_addresses_are_made_of_what_an_article_has(tmp_path: Path):
    """As sites make theirs of dates and names; without a date there is none."""
    written(tmp_path / "beds/2025-10-18-garlic.md", MARKDOWN)
    written(tmp_path / "beds/onions.md", "# Onions\n\nHang them somewhere cool.\n")

    batch = read_articles([tmp_path], url="/{category}/{year}/{month}/{slug}.html")

    assert [article.url for article in batch.articles.values()] == [
        "/Beds/2025/10/garlic.html",
        None,
    ]
    with pytest.raises(InputError, match=r"no \{name\}; known: id, slug, category, year"):
        read_articles([tmp_path], url="/{id}/{name}")
