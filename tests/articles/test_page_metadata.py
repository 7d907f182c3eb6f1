"""What a page says of itself arrives as the fields of its article."""

import json
from typing import Any

import pytest

from recommender.articles.html_page import parse

BODY = "<h1>Knee</h1><p>It clicks, and that does no harm.</p>"


def fields(head: str) -> dict[str, Any]:
    return dict(parse(f"<html><head>{head}</head><body>{BODY}", where="a.html").fields)


def json_ld(value: Any) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


ARTICLE = {
    "@type": "NewsArticle", "headline": "Knee", "datePublished": "2025-10-18T08:30:00Z",
    "dateModified": "2025-11-01", "articleSection": ["Joints", "News"], "keywords": "knee, noise",
    "inLanguage": "en-GB", "author": [{"name": "Jo"}, {"name": "Al"}],
    "image": {"@type": "ImageObject", "url": "https://x.org/knee.jpg"}, "description": "Why?",
}  # fmt: skip
META = """<meta property="article:published_time" content="2025-10-18T08:30:00Z">
<meta property="article:modified_time" content="2025-11-01"><meta property="article:section"
content="Joints"><meta property="article:tag" content="knee"><meta property="article:tag"
content="noise"><meta property="og:image" content="https://x.org/knee.jpg"><meta name="author"
content="Jo, Al"><meta name="description" content="Why?"><meta property="og:locale"
content="en-GB">"""
EXPECTED = {
    "published_at": "2025-10-18T08:30:00Z", "updated_at": "2025-11-01", "category": "Joints",
    "tags": ["knee", "noise"], "language": "en-GB", "author": "Jo, Al",
    "image": "https://x.org/knee.jpg", "teaser": "Why?",
}  # fmt: skip


@pytest.mark.parametrize(
    "head",
    [
        json_ld(ARTICLE),
        json_ld([{"@type": "Organization", "name": "X"}, ARTICLE]),
        json_ld({"@context": "https://schema.org", "@graph": [{"@type": "WebSite"}, ARTICLE]}),
        json_ld({**ARTICLE, "@type": ["Thing", "http://schema.org/Article"]}),
        META,
    ],
    ids=["JSON-LD", "several objects", "graph", "several types", "meta"],
)
def test_every_field_is_read(head: str):
    """In each of the ways to state it."""
    found = fields(head)

    assert {name: found[name] for name in EXPECTED} == EXPECTED


def test_what_cannot_be_read_costs_only_itself():
    """A script that is no JSON is named; the meta elements beside it count."""
    page = parse(f'<script type="application/ld+json">{{"@type": </script>{META}{BODY}', where="a")

    assert page.fields["category"] == "Joints"
    assert page.remarks[0].startswith("JSON-LD that cannot be read: ")


@pytest.mark.parametrize("name", ["author", "image", "publisher", "keywords"])
def test_values_that_stand_in_one_another_without_end_are_not_read(name: str):
    """A function that calls itself would end the import."""
    deep: Any = "x"
    for _ in range(600):
        deep = [deep]

    page = parse(json_ld({"@type": "Article", name: deep}) + BODY, where="a")

    assert "JSON-LD that cannot be read: more than 100 values" in page.remarks[0]


def test_breadcrumbs_and_links_name_section_and_tags():
    """Where nothing else does."""
    crumbs = [{"name": name} for name in ("Home", "Joints", "Knee")]
    head = json_ld({"@type": "BreadcrumbList", "itemListElement": crumbs})
    page = (
        f'{head}{BODY}<a rel="tag" href="/t/noise">#noise</a><time class="entry-date" '
        'datetime="2025-10-18">'
    )

    found = parse(page, where="a.html").fields

    assert (found["category"], found["tags"]) == ("Joints", ["noise"])
    assert found["published_at"] == "2025-10-18"


def test_a_page_says_that_it_is_none_of_the_articles():
    """Search engines are asked to leave it out, and so do we."""
    for robots in ("noindex", "NOINDEX, follow", "none"):
        page = parse(f'<meta name="robots" content="{robots}">{BODY}', where="a.html")

        assert page.left_out == "a page that is not to be indexed (noindex)"
    assert parse(f'<meta name="robots" content="index">{BODY}', where="a").left_out is None


def test_a_page_that_is_none_for_readers_is_left_out():
    """One that leads to another, and those that servers show for errors."""
    refresh = '<meta http-equiv="refresh" content="0; URL=/knee/">'

    assert parse(f"{refresh}{BODY}", where="a").left_out == "a page that leads to another"
    for path in ("404.html", "de/404/index.html", "50x.html"):
        assert parse(BODY, where="a", path=path).left_out == "a page for errors"
    for path in ("area-404.html", "posts/404/index.html", "400.html"):
        assert parse(BODY, where="a", path=path).left_out is None
    for head in (
        '<meta http-equiv="refresh" content="300">',
        '<meta http-equiv="refresh" content="900; url=/live/">',
        '<meta http-equiv="refresh" content="3; url=knee.html">',
        '<noscript><meta http-equiv="refresh" content="0; url=/nojs"></noscript>',
    ):
        page = f"<html><head>{head}</head><body>{BODY}"
        assert parse(page, where="a", path="x/knee.html").left_out is None


SHOWN = {
    "a field of tags": """<article><h1>Knee</h1><time datetime="2025-10-18">18 October</time>
        <nav class="breadcrumb"><ol><li><a href="/">Home</a><li><a href="/j">Joints</a></ol></nav>
        <a rel="author" href="/jo">Jo</a><figure><img src="/knee.jpg"></figure>
        <div class="field--name-field-tags"><h2>Tags</h2><a href="/tags/knee">knee</a>
        <a href="/tags/noise">noise</a></div></article>""",
    "microdata": """<div itemscope itemtype="https://schema.org/Article"><h1>Knee</h1><dl><dd
        itemprop="author" itemscope>Written by <span itemprop="name">Jo</span></dd><dd
        class="category-name">Category: <a href="/j">Joints</a></dd></dl>
        <time itemprop="datePublished" datetime="2025-10-18">18 October</time>
        <img itemprop="image" src="/knee.jpg#400x300"><ul class="tags"><li><a href="/tag/knee">knee
        </a><li><a href="/tag/noise">noise</a></ul></div>""",
    "microformats": """<article class="h-entry"><h1 class="p-name">Knee</h1><p>
        <a class="p-author" href="/jo">Jo</a></p><time class="dt-published" datetime="2025-10-18">
        </time><span class="cat-links"><a href="/j">Joints</a></span><div class="e-content"><img
        src="/knee.jpg"></div><p class="labels"><a href="/search/label/knee">knee</a>
        <a href="/search/label/noise">noise</a></p></article>""",
}


@pytest.mark.parametrize("shape", SHOWN.values(), ids=SHOWN)
def test_what_a_page_shows_counts_where_it_states_nothing(shape: str):
    """Beside it stand other articles, a menu and comments, which are not meant."""
    menu = """<nav><a class="category" href="/category/skin">Skin</a></nav><div id="logo"><img
        src="/logo.png"></div>"""
    beside = """<aside class="tags"><a href="/tags/gout">gout</a></aside><div class="comments">
        <img src="/al.png"><div itemscope itemtype="https://schema.org/Comment"><span
        itemprop="author">Al</span></div></div>"""

    found = parse(f"<main>{menu}{shape}{beside}</main>", where="a.html").fields

    assert {
        name: found[name] for name in ("author", "category", "image", "published_at", "tags")
    } == {
        "author": "Jo",
        "category": "Joints",
        "image": "/knee.jpg",
        "published_at": "2025-10-18",
        "tags": ["knee", "noise"],
    }


def test_parts_of_json_ld_are_found_by_their_ids():
    """As search plugins write them, in one script or in several."""
    article = {**ARTICLE, "author": {"@id": "#jo"}, "image": {"@id": "#picture"}}
    parts = [
        {"@type": "Person", "@id": "#jo", "name": "Jo"},
        {"@type": "ImageObject", "@id": "#picture", "url": "https://x.org/knee.jpg"},
    ]

    for head in (json_ld({"@graph": [article, *parts]}), json_ld(article) + json_ld(parts)):
        assert (fields(head)["author"], fields(head)["image"]) == ("Jo", "https://x.org/knee.jpg")


def test_a_section_is_the_entry_above_the_page_in_its_trail():
    """Neither the home page nor the page itself, nor what only stands beside the trail."""
    trail = """<ol class="breadcrumbs"><li>You are here:<li><a href="/">Start</a><li>Joints<li>Knee
        <li class="breadcrumbs-aside"><a href="/edit">View source</a></ol>"""
    no_section = '<ol class="breadcrumbs"><li><a href="/">Start</a><li>Knee</ol>'

    assert parse(trail + BODY, where="a.html").fields["category"] == "Joints"
    assert parse(no_section + BODY, where="a.html").fields["category"] is None


def test_a_page_that_is_filed_so_is_not_what_it_is_filed_under():
    """Themes call the whole page by its sections."""
    page = f'<div class="post category-joints">{BODY * 9}<a href="/x">A study</a></div>'

    assert parse(page, where="a.html").fields["category"] is None


def test_an_address_is_that_of_the_main_thing_of_the_page():
    """The home page is what some name there for all their pages."""
    own = json_ld({**ARTICLE, "mainEntityOfPage": {"@id": "https://x.org/knee#article"}})
    home = json_ld({**ARTICLE, "mainEntityOfPage": "https://x.org/"})

    assert parse(own + BODY, where="a.html").canonical == "https://x.org/knee"
    assert parse(home + BODY, where="a.html").canonical is None


def test_recipes_and_reports_as_they_happen_are_articles():
    """A recipe has its section under a name of its own."""
    recipe = {"@type": "Recipe", "name": "Knee", "recipeCategory": "Joints"}
    live = {**ARTICLE, "@type": "LiveBlogPosting"}

    assert fields(json_ld(recipe))["category"] == "Joints"
    assert fields(json_ld(live))["author"] == "Jo, Al"


def test_questions_that_a_script_shows_are_the_text():
    """With their answers."""
    questions = [
        {"@type": "Question", "name": f"Why {n}?", "acceptedAnswer": {"text": f"<p>Gas {n}.</p>"}}
        for n in (1, 2)
    ]
    head = json_ld({"@type": "FAQPage", "mainEntity": questions})

    body = parse(f"<title>Knee</title>{head}<div id=root></div>", where="a.html").fields["body"]

    assert body.split() == ["Why", "1?", "Gas", "1.", "Why", "2?", "Gas", "2."]
