"""Feeds of every kind give the same articles."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from recommender.articles.document import Document, LeftOut
from recommender.articles.formats import feed
from recommender.files import Problem

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/">
<channel><title>Garden</title><language>en-GB</language>
<item><title>When &amp;#8216;to&amp;#8217; plant</title><link>https://x.example/2025/garlic/</link>
<guid isPermaLink="false">https://x.example/?p=12</guid>
<pubDate>Sat, 18 Oct 2025 08:30:00 +0000</pubDate><dc:creator>Jo</dc:creator>
<category>Vegetables</category><category>garlic</category>
<description>&lt;p&gt;Wants cold.&lt;/p&gt;</description>
<content:encoded><![CDATA[<p>Garlic wants cold <script>no()</script>weeks.</p>]]></content:encoded>
<media:thumbnail url="https://x.example/a.jpg"/></item></channel></rss>"""
RDF = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
  xmlns:content="http://purl.org/rss/1.0/modules/content/"
  xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="https://x.example/"><title>Garden</title></channel>
<item rdf:about="https://x.example/2025/garlic/"><title>When ‘to’ plant</title>
<link>https://x.example/2025/garlic/</link><dc:date>2025-10-18T08:30:00Z</dc:date>
<dc:creator>Jo</dc:creator><dc:subject>Vegetables</dc:subject><description>Wants cold.</description>
<content:encoded><![CDATA[<p>Garlic wants cold weeks.</p>]]></content:encoded></item></rdf:RDF>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en-GB"><title>Garden</title>
<entry><title type="html">When &amp;#8216;to&amp;#8217; plant</title>
<link rel="self" href="https://x.example/2025/garlic.atom"/>
<link rel="alternate" type="text/html" href="https://x.example/2025/garlic/"/>
<id>tag:x.example,2025:12</id><published>2025-10-18T08:30:00Z</published>
<updated>2025-10-19T08:30:00Z</updated><author><name>Jo</name></author>
<category term="veg" label="Vegetables"/><summary>Wants cold.</summary>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">
<p>Garlic wants cold weeks.</p></div></content></entry></feed>"""


def read(tmp_path: Path, content: str | bytes, name: str = "feed.xml") -> Any:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    reader = feed.read_json if name.endswith(".json") else feed.read
    return list(reader(file, tmp_path))


def test_rss_has_texts_pictures_and_names(tmp_path: Path):
    """What HTML is in it stays as it is."""
    assert read(tmp_path, RSS) == [
        Document(
            f"{tmp_path}/feed.xml:entry 1",
            {
                "title": "When ‘to’ plant",
                "html": "<p>Garlic wants cold <script>no()</script>weeks.</p>",
                "teaser": "Wants cold.",
                "url": "https://x.example/2025/garlic/",
                "category": "Vegetables",
                "tags": ["garlic"],
                "published_at": "Sat, 18 Oct 2025 08:30:00 +0000",
                "author": "Jo",
                "image": "https://x.example/a.jpg",
                "language": "en-GB",
            },
            "garlic",
            canonical="https://x.example/2025/garlic/",
        )
    ]


@pytest.mark.parametrize("content", [RDF, ATOM])
def test_other_feeds_say_the_same(tmp_path: Path, content: str):
    """RSS 1.0 and Atom; the alternate link is the page's."""
    (found,) = read(tmp_path, content)

    assert "Garlic wants cold weeks." in found.fields["html"]
    assert {**found.fields, "html": ""} == {
        "title": "When ‘to’ plant",
        "html": "",
        "teaser": "Wants cold.",
        "url": "https://x.example/2025/garlic/",
        "category": "Vegetables",
        "published_at": "2025-10-18T08:30:00Z",
        **({"updated_at": "2025-10-19T08:30:00Z", "language": "en-GB"} if content == ATOM else {}),
        "author": "Jo",
    }


def test_a_json_feed_says_the_same(tmp_path: Path):
    """Of both versions; text without HTML is a body."""
    items = [
        {"id": "1", "url": "https://x.example/garlic", "title": "Garlic",
         "content_html": "<p>A</p>", "summary": "S", "image": "/a.jpg",
         "date_published": "2025-10-18", "tags": ["x"], "authors": [{"name": "Jo"}]},
        {"id": "2", "title": "Onions", "content_text": "B", "author": {"name": "Al"}},
        3,
    ]  # fmt: skip
    value = {"version": "https://jsonfeed.org/version/1", "language": "de", "items": items}

    first, second, third = read(tmp_path, json.dumps(value), "feed.json")

    assert first.fields == {
        "title": "Garlic", "html": "<p>A</p>", "teaser": "S", "url": "https://x.example/garlic",
        "tags": ["x"], "published_at": "2025-10-18", "author": "Jo", "image": "/a.jpg",
        "language": "de",
    }  # fmt: skip
    assert second.fields == {
        "title": "Onions", "body": "B", "author": "Al", "language": "de", "id": "2"
    }  # fmt: skip
    assert isinstance(third, Problem)


def test_summaries_alone_are_said_once(tmp_path: Path):
    """They are the text there is; a podcast's picture is its own."""
    item = "<item><title>A</title><link>https://x.example/a{n}</link>{inner}</item>"
    inner = "<description>Short &amp; plain.</description>"
    picture = '<itunes:image href="https://x.example/p.jpg"/>'
    first, second = read(
        tmp_path,
        '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>'
        + item.format(n=1, inner=inner)
        + item.format(n=2, inner=inner + picture)
        + "</channel></rss>",
    )

    assert first.remarks[0].startswith("2 of 2 entries have a summary alone")
    assert second.remarks == ()
    assert (first.fields["html"], "teaser" in first.fields) == ("Short & plain.", False)
    assert second.fields["image"] == "https://x.example/p.jpg"


def test_exports_of_blogger_and_feeds_of_comments_have_what_is_no_article(tmp_path: Path):
    """Comments, settings and drafts are left out, by their kind, old and new."""
    kind = '<category scheme="http://schemas.google.com/g/2005#kind" term="x/kind#{}"/>'
    draft = "<app:control><app:draft>yes</app:draft></app:control>"
    entries = [
        kind.format("post") + '<category term="herbs"/>',
        kind.format("comment"),
        kind.format("settings"),
        kind.format("post") + draft,
        "<blogger:type>COMMENT</blogger:type><blogger:status>LIVE</blogger:status>",
        "<blogger:type>POST</blogger:type><blogger:filename>/2025/a.html</blogger:filename>",
        "<blogger:type>POST</blogger:type><blogger:status>SOFT_TRASHED</blogger:status>",
        '<link rel="alternate" href="https://x.example/a/#comment-12"/>',
    ]
    content = "".join(f"<entry><title>A</title><content>B</content>{e}</entry>" for e in entries)

    found = read(
        tmp_path,
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:app="http://purl.org/atom/app#" '
        f'xmlns:blogger="http://schemas.google.com/blogger/2018">{content}</feed>',
    )

    assert found[0].fields["category"] == "herbs"
    assert found[5].fields["url"] == "/2025/a.html"
    assert [each.reason for each in found if isinstance(each, LeftOut)] == [
        "type: comment", "type: settings", "a draft", "type: comment", "status: soft_trashed",
        "type: comment",
    ]  # fmt: skip


def test_entries_without_a_path_have_their_guid_as_id(tmp_path: Path):
    """Where all addresses have one path, and where there are none."""
    plain = RSS.replace("https://x.example/2025/garlic/", "https://x.example/?p=12")
    none = RSS.replace("<link>https://x.example/2025/garlic/</link>", "")

    assert read(tmp_path, plain)[0].fields["id"] == "https://x.example/?p=12"
    assert read(tmp_path, none)[0].fields["id"] == "https://x.example/?p=12"


def test_faulty_feeds_are_read_as_far_as_they_go_and_said(tmp_path: Path):
    """Control characters cost nothing; unclosed elements and unknown entities are named."""
    control = read(tmp_path, RSS.replace("cold ", "cold\x08 "))
    entity = read(tmp_path, RSS.replace("<category>Veg", "<category>&nbsp;&nix; Veg <b>"))
    empty = read(tmp_path, '<rss version="2.0"><channel></channel></rss>')

    assert [type(each) for each in control] == [Document]
    assert [type(each) for each in entity] == [Document, Problem]
    assert "not well-formed XML" in entity[1].text
    assert empty == [Problem(f"{tmp_path}/feed.xml: no entry in it")]


ENTITIES = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))


@pytest.mark.parametrize(
    "content",
    [
        f'<!DOCTYPE r [<!ENTITY a0 "aaaaaaaaaa">{ENTITIES}]><rss><item><title>&a11;</title></item>',
        '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><item><title>&a;</title></item>',
        "<rss><channel>" + "<item>" * 20_000,
        "<rss><channel><item><title>" + "<" * 200_000,
        "<rss><channel><item><title>" + "&" * 200_000 + "</title>",
        "<rss><channel><item><description>" + "&lt;div&gt;" * 50_000 + "</description></item>",
        "<rss><channel><item><description>" + "<![CDATA[" * 50_000,
        "<feed><entry><content type='xhtml'>" + "<div>" * 20_000,
        "<rss>" + "<a>" * 20_000,
        "<rss a='>' " + "".join(f"a{i}='' " for i in range(50_000)) + ">",
        b"<rss><channel><item><title>\xff\xfe</title></item></channel></rss>",
        b"\xff\xfe<\x00r\x00s\x00s\x00>\x00",
        b"\x1f\x8b\x08broken",
        "",
        "/etc/passwd",
        "http://127.0.0.1:9/feed",
    ],
    ids=range(16),
)
def test_hostile_feeds_end_soon_and_raise_nothing(tmp_path: Path, content: str | bytes):
    """No entity is read, no address or file is opened."""
    started = time.perf_counter()

    found = read(tmp_path, content)

    assert found
    assert all(isinstance(each, Document | Problem) for each in found)
    assert "root:" not in str(found)
    assert time.perf_counter() - started < 20
