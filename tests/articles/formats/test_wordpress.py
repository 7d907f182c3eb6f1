"""An export of WordPress gives the articles that its readers see, and says what it leaves out."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from recommender.articles.document import Document, LeftOut, Pick
from recommender.articles.formats import wordpress
from recommender.articles.formats.base import head_of
from recommender.articles.linking import link
from recommender.articles.reader import read_articles
from recommender.files import Problem

HEAD = """<?xml version="1.0" encoding="UTF-8" ?>
<!-- generator="WordPress/6.6" -->
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/VERSION/excerpt/"
  xmlns:content="http://purl.org/rss/1.0/modules/content/"
  xmlns:wfw="http://wellformedweb.org/CommentAPI/"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/VERSION/">
<channel><title>Garden</title><link>https://garden.example</link><language>en-GB</language>
<wp:wxr_version>VERSION</wp:wxr_version>
<wp:author><wp:author_login>jo</wp:author_login>
<wp:author_display_name><![CDATA[Jo Doe]]></wp:author_display_name></wp:author>
<wp:category><wp:term_id>3</wp:term_id><wp:cat_name><![CDATA[Herbs]]></wp:cat_name></wp:category>
"""


def cdata(text: str) -> str:
    return f"<![CDATA[{text}]]>"


def item(number: int = 12, extra: str = "", **changes: str) -> str:
    """A post, with other elements in place of its own."""
    elements = {
        "title": "When to plant garlic",
        "link": f"https://garden.example/2025/10/garlic-{number}/",
        "pubDate": "Sat, 18 Oct 2025 08:30:00 +0000",
        "dc:creator": cdata("jo"),
        "content:encoded": cdata("<p>Garlic wants cold.</p>"),
        "excerpt:encoded": cdata(""),
        "wp:post_id": str(number),
        "wp:post_date": "2025-10-18 09:30:00",
        "wp:post_date_gmt": "2025-10-18 08:30:00",
        "wp:post_name": f"garlic-{number}",
        "wp:status": "publish",
        "wp:post_type": "post",
        "wp:post_password": "",
    } | {name.replace("__", ":"): value for name, value in changes.items()}
    inner = "\n".join(f"<{name}>{value}</{name}>" for name, value in elements.items())
    return f"<item>{inner}{extra}</item>\n"


def meta(key: str, value: str) -> str:
    return (
        f"<wp:postmeta><wp:meta_key>{cdata(key)}</wp:meta_key>"
        f"<wp:meta_value>{cdata(value)}</wp:meta_value></wp:postmeta>"
    )


def term(domain: str, name: str) -> str:
    return f'<category domain="{domain}" nicename="{name.lower()}">{cdata(name)}</category>'


def read(tmp_path: Path, *items: str, version: str = "1.2", end: str = "</channel></rss>") -> Any:
    file = tmp_path / "garden.xml"
    text = HEAD.replace("VERSION", version) + "".join(items) + end
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert wordpress.recognises(head_of(file))
    return list(wordpress.read(file, tmp_path))


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_a_post_has_what_its_page_shows(tmp_path: Path, version: str):
    """Names for logins and numbers; the picture may come after it."""
    picture = item(
        13, "<wp:attachment_url>https://garden.example/a.jpg</wp:attachment_url>",
        wp__post_type="attachment", wp__status="inherit",
    )  # fmt: skip
    post = item(
        12,
        term("category", "Vegetables") + term("category", "Herbs")
        + term("post_tag", "Garlic &amp; co") + term("post_format", "Aside")
        + meta("_thumbnail_id", "13") + meta("_edit_last", "1"),
        excerpt__encoded=cdata("Wants <b>cold</b>."), title="When &#8216;to&#8217; plant",
    )  # fmt: skip

    article, attachment = read(tmp_path, post, picture, version=version)

    assert article == Document(
        f"{tmp_path}/garden.xml:12",
        {
            "title": "When ‘to’ plant",
            "html": "<p>Garlic wants cold.</p>",
            "teaser": "Wants cold.",
            "url": "https://garden.example/2025/10/garlic-12/",
            "category": "Vegetables",
            "tags": ["Herbs", "Garlic & co"],
            "published_at": "2025-10-18 08:30:00Z",
            "author": "Jo Doe",
            "image": "https://garden.example/a.jpg",
            "language": "en-GB",
        },
        "garlic-12",
        canonical="https://garden.example/2025/10/garlic-12/",
    )
    assert attachment.reason == "an attachment"


@pytest.mark.parametrize(
    ("changes", "extra", "reason"),
    [
        ({"wp__status": "draft"}, "", "a draft"),
        ({"wp__status": "auto-draft"}, "", "a draft"),
        ({"wp__status": "pending"}, "", "status: pending"),
        ({"wp__status": "future"}, "", "status: future"),
        ({"wp__status": "private"}, "", "status: private"),
        ({"wp__status": "trash"}, "", "in the trash"),
        ({"wp__post_password": "sesame"}, "", "protected by a password"),
        ({"wp__post_type": "nav_menu_item"}, "", "type: nav_menu_item"),
        ({"wp__post_type": "wp_block"}, "", "type: wp_block"),
        ({"wp__post_type": "elementor_library"}, "", "type: elementor_library"),
        ({"wp__post_type": "page", "content__encoded": ""}, "", "a page without a text of its own"),
        ({"wp__post_type": "page", "content__encoded": cdata("[products]")}, "",
         "a page without a text of its own"),
        ({}, meta("_yoast_wpseo_meta-robots-noindex", "1"), "noindex"),
    ],
)  # fmt: skip
def test_what_readers_do_not_see_is_left_out(
    tmp_path: Path, changes: dict[str, str], extra: str, reason: str
):
    """By the reason."""
    (found,) = read(tmp_path, item(12, extra, **changes))

    assert isinstance(found, LeftOut)
    assert found.reason == reason


def test_pages_and_types_of_the_site_are_articles(tmp_path: Path):
    """Of a type of its own the terms are those of its own taxonomies."""
    recipe = item(2, term("recipe_category", "Soups"), wp__post_type="recipe")

    page, soup = read(tmp_path, item(1, wp__post_type="page"), recipe)

    assert isinstance(page, Document)
    assert soup.fields["category"] == "Soups"


def test_dates_that_are_none_are_left_out(tmp_path: Path):
    """The clock of the site, then the feed's date stand in."""
    nothing = "0000-00-00 00:00:00"
    clock, feed, none = read(
        tmp_path,
        item(1, wp__post_date_gmt=nothing),
        item(2, wp__post_date_gmt=nothing, wp__post_date=nothing),
        item(3, wp__post_date_gmt=nothing, wp__post_date=nothing,
             pubDate="Mon, 30 Nov -0001 00:00:00 +0000"),
    )  # fmt: skip

    assert clock.fields["published_at"] == "2025-10-18 09:30:00"
    assert feed.fields["published_at"] == "Sat, 18 Oct 2025 08:30:00 +0000"
    assert "published_at" not in none.fields


def test_what_plugins_keep_is_taken_where_it_is_sure(tmp_path: Path):
    """The main category, a summary, the address, the language; templates are no summaries."""
    extra = (
        term("category", "Vegetables") + term("category", "Herbs") + term("language", "de")
        + meta("_yoast_wpseo_primary_category", "3")
        + meta("_yoast_wpseo_metadesc", "Cold &amp; dark.")
        + meta("_yoast_wpseo_canonical", "https://other.example/a/")
    )  # fmt: skip
    post, plain = read(
        tmp_path, item(1, extra), item(2, meta("_yoast_wpseo_metadesc", "%%title%% - %%sitename%%"))
    )

    assert (post.fields["category"], post.fields["tags"]) == ("Herbs", ["Vegetables"])
    assert (post.fields["teaser"], post.fields["language"]) == ("Cold & dark.", "de")
    assert post.canonical == "https://other.example/a/"
    assert "teaser" not in plain.fields


def test_related_posts_are_those_of_plain_lists_of_numbers(tmp_path: Path):
    """Of published posts; what is no list of numbers says nothing for sure."""
    items = [
        item(1, meta("related_posts", 'a:2:{i:0;s:1:"2";i:1;i:4;}')),
        item(2, meta("_related_articles", "3, 1,99"), title="Onions"),
        item(3, meta("related_posts", 'O:8:"stdClass":1:{s:1:"a";i:2;}'), title="Leeks"),
        item(4, wp__status="draft"),
    ]

    first, second, third, _ = read(tmp_path, *items)

    assert first.picks == (Pick("Onions", url="https://garden.example/2025/10/garlic-2/"),)
    assert [pick.title for pick in second.picks] == ["Leeks", "When to plant garlic"]
    assert third.picks is None


def test_posts_without_an_address_of_their_own_have_their_number_as_id(tmp_path: Path):
    """Where permalinks are plain all have one path."""
    (post,) = read(tmp_path, item(12, link="https://garden.example/?p=12"))

    assert post.fields["id"] == "12"


@pytest.mark.parametrize(
    ("content", "html"),
    [
        ('<!-- wp:paragraph {"a":1} --><p>A</p><!-- /wp:paragraph -->', "<p>A</p>"),
        ("A\n\nB\nC\n\n<h2>D</h2>\n\nE", "<p>A</p>\n<p>B<br>C</p>\n<h2>D</h2>\n<p>E</p>"),
        ('[caption id="a" width="3"]<img src="a.jpg"> A bed[/caption]\n\nB',
         '<figure><img src="a.jpg"> A bed</figure>\n<p>B</p>'),
        ('A [gallery ids="1,2"] b<!--more-->\n\n[vc_row]C[/vc_row]', "<p>A  b</p>\n<p>C</p>"),
        ("A [sic] [Update] [1] [b](https://x.example)", "<p>A [sic] [Update] [1] [b](https://x.example)</p>"),
        ("[note]A[/note] [contact-form-7 id=\"1\" title=\"a ] b\"]", "<p>A</p>"),
    ],
)  # fmt: skip
def test_contents_are_html_without_marks_of_blocks_and_shortcodes(content: str, html: str):
    """The classic editor has empty lines for paragraphs."""
    assert wordpress.html_of(content) == html


def test_control_characters_cost_nothing_and_are_said(tmp_path: Path):
    """Of the post they stand in or near, once; the text is whole."""
    broken = item(1, content__encoded=cdata("Cold\x08 weeks\x00."), title="A\x0bB")

    first, second = read(tmp_path, broken, item(2))

    assert (first.fields["title"], first.fields["html"]) == ("AB", "<p>Cold weeks.</p>")
    assert "control characters" in first.remarks[0]
    assert second.remarks == ()


def test_faults_of_the_xml_are_one_problem_that_names_the_line(tmp_path: Path):
    """What can be read is; a post that is cut short is not."""
    found = read(tmp_path, item(1), item(2, title="A &nbsp; b"), item(3))
    cut = read(tmp_path, item(1), item(2)[:200], end="")
    wrong = read(tmp_path, item(1, title="Caf\udce9"), item(2))

    assert [isinstance(each, Document) for each in found] == [True, True, True, False]
    assert found[1].fields["title"] == "A b"
    assert "garden.xml:25: not well-formed XML: Entity 'nbsp' not defined" in found[-1].text
    assert [type(each) for each in cut] == [Document, Problem, Problem]
    assert "field wp:post_type: missing" in cut[1].text
    assert [type(each) for each in wrong] == [Document, Document, Problem]


def test_an_export_without_posts_is_a_problem(tmp_path: Path):
    """It is no silent success."""
    (found,) = read(tmp_path)

    assert found == Problem(f"{tmp_path}/garden.xml: no item in it")


MANY_ENTITIES = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))


@pytest.mark.parametrize(
    "start",
    [
        f'<!DOCTYPE rss [<!ENTITY a0 "aaaaaaaaaa">{MANY_ENTITIES}]><rss><title>&a11;</title>',
        '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><title>&a;</title>',
        '<!DOCTYPE rss SYSTEM "http://127.0.0.1:9/x.dtd"><rss>',
        "<rss>" + "<a>" * 500_000,
        "<rss><channel><item><title>" + "x" * 11_000_000 + "</title></item>",
        "<rss><channel><item>" + "<![CDATA[" * 100_000,
        "<rss><channel><item>" + "<" * 1_000_000,
        "<rss><channel><item " + "".join(f'a{i}="" ' for i in range(50_000)) + ">",
        "\x00" * 3_000_000,
        "<rss><channel><item><title>" + "\x08" * 3_000_000,
        "<rss><channel>" + "<item/>" * 1_000 + "&a;" * 200_000,
        "",
    ],
    ids=range(12),
)
def test_hostile_files_are_problems_soon(tmp_path: Path, start: str):
    """No entity is read, nothing is fetched, nothing is endless."""
    file = tmp_path / "garden.xml"
    file.write_text(start)
    started = time.perf_counter()

    found = list(wordpress.read(file, tmp_path))

    assert found
    assert all(isinstance(each, Problem) for each in found)
    assert "root:" not in str(found)
    assert time.perf_counter() - started < 10


def test_texts_that_are_hostile_take_no_longer_than_others():
    """Brackets, quotes and comments without an end."""
    started = time.perf_counter()

    for piece in ('[a "', '[caption "', "[a=", "<!-- wp:", "[/a", "\n\n", "[[", "<p"):
        wordpress.html_of(piece * 200_000)

    assert time.perf_counter() - started < 10


MEASURE = """
import resource, sys
from pathlib import Path
from recommender.articles.formats import wordpress
file, few = map(Path, sys.argv[1:])
def peak(path):
    n_found = sum(1 for _ in wordpress.read(path, path.parent))
    return n_found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(*peak(few), *peak(file))
"""


def test_memory_is_that_of_a_post_however_many_there_are(tmp_path: Path):
    """Ninety megabytes are read in a fraction of that."""
    text = cdata("<p>Garlic wants cold.</p>" * 2_000)
    post = item(1, content__encoded=text)
    files = tmp_path / "many.xml", tmp_path / "few.xml"
    for file, n_posts in zip(files, (1_800, 10), strict=True):
        with file.open("w", encoding="utf-8") as out:
            out.write(HEAD.replace("VERSION", "1.2"))
            out.writelines(post for _ in range(n_posts))
            out.write("</channel></rss>")

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *files], capture_output=True, text=True, check=True
    )

    n_few, before, n_many, after = map(int, done.stdout.split())
    assert (n_few, n_many) == (10, 1_800)
    assert after - before < 20_000  # kB


@pytest.mark.parametrize("kept_back", [{"wp__status": "draft"}, {"wp__post_password": "x"}])
def test_links_to_what_readers_do_not_see_show_no_title_of_it(
    tmp_path: Path, kept_back: dict[str, str]
):
    """A list may name a post that was taken back."""
    links = "".join(
        f'<li><a href="https://garden.example/2025/10/garlic-{n}/">Post {n}</a></li>'
        for n in (2, 3)
    )
    text = f"<p>Garlic wants cold.</p><h3>You may also like</h3><ul>{links}</ul>"
    posts = item(1, content__encoded=cdata(text)), item(2, title="Second"), item(3, **kept_back)
    (tmp_path / "a.xml").write_text(
        HEAD.replace("VERSION", "1.2") + "".join(posts) + "</channel></rss>"
    )

    found = link(read_articles([tmp_path]), [])

    assert found.articles["2025/10/garlic-1"].recommended == ("2025/10/garlic-2",)
    assert found.stubs == {}
