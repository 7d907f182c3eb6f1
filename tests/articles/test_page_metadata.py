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
    assert parse(BODY, where="a", path="area-404.html").left_out is None
    assert parse('<meta http-equiv="refresh" content="300">' + BODY, where="a").left_out is None
