"""The title is the page's own, whatever else a theme calls a heading."""

import pytest

from recommender.articles.html_page import parse
from recommender.errors import ArticleError

TITLE, SITE = "Why does my knee click?", "Bones & Joints"
DOCUMENT = f"<title>{TITLE} | {SITE}</title>".replace("&", "&amp;")
OG = f'<meta property="og:title" content="{TITLE}">'
THEMES = {
    "first heading": f"{DOCUMENT}<h1>{TITLE}</h1>",
    "site's name leads home": f'{DOCUMENT}<h1><a href="/">{SITE}</a></h1><h2>{TITLE}</h2>',
    "site's name in the h1, title in another": f"""{DOCUMENT}<h1 class=logo><a href="https://x.org/">
        <span class=sr-only>{SITE}</span></a></h1><article><h1>{TITLE}</h1></article>""",
    "site's name by its class": f"{DOCUMENT}<h1 class=site-title>{SITE}</h1><h2>{TITLE}</h2>",
    "site's name as og:site_name": f"""{DOCUMENT}<meta property="og:site_name" content="{SITE}">
        <h1>{SITE}</h1><h3>{TITLE}</h3>""",
    "og:title alone": f"{OG}<h1>{SITE}</h1><p>Text.</p>",
    "site first": f'<title>{SITE} » {TITLE}</title><a href="/">{SITE}</a><p>Text.</p>',
    "title alone": f'{DOCUMENT}<header><a href="/"><img alt="{SITE}"></a></header><p>Text.</p>',
    "JSON-LD": f"""<title>{SITE}</title><script type="application/ld+json">
        {{"@type": "BlogPosting", "headline": "{TITLE}"}}</script><p>Text.</p>""",
    "og:title with the site's name": f"""<meta property="og:title" content="{TITLE} - {SITE}">
        <meta property="og:site_name" content="{SITE}"><p>Text.</p>""",
    "og:title is the site's": f"""<meta property="og:title" content="{SITE}">
        <meta property="og:site_name" content="{SITE}"><title>{SITE}</title><h1>{TITLE}</h1>""",
    "a drawing has a title": f"<svg><title>Menu</title></svg><h1>{TITLE}</h1>",
    "other words in the heading": f"""<meta property="og:title" content="Clicking knees: the truth">
        <title>Clicking knees: the truth | {SITE}</title><h1>{TITLE}</h1>""",
}


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_the_title_is_the_pages_own(theme: str):
    """And not the site's."""
    found = parse(theme, where="knee.html").fields["title"]

    assert found in (TITLE, "Clicking knees: the truth")


def test_it_is_known_where_it_was_found():
    """The import states it."""
    places = [parse(THEMES[name], where="a.html").title_found_in for name in THEMES]

    assert places[:6] == ["h1", "h2", "h1", "h2", "h3", "og:title"]


def test_a_title_with_a_dash_stays_whole():
    """Where no part of it is known to be the site's."""
    page = "<title>Knee - a user's guide</title><p>Text.</p>"

    assert parse(page, where="a.html").fields["title"] == "Knee - a user's guide"


def test_a_page_without_any_is_refused():
    """The error names the file and the field."""
    with pytest.raises(ArticleError, match=r"^a\.html: field title: no h1 or title with text"):
        parse("<p>Text.</p>", where="a.html")


def test_links_of_headings_to_themselves_are_no_part_of_titles():
    """Generators write them with characters of an icon font, or of no width."""
    for mark in ("\uf0c1", "\u200b", "&para;", '<span class="icon"></span>'):
        page = f'<h1>Knee<a class="headerlink" href="#knee">{mark}</a></h1><p>It clicks.</p>'

        assert parse(page, where="a.html").fields["title"] == "Knee"


def test_of_a_crowd_of_stated_titles_the_first_count():
    """Each is compared with each heading."""
    crowd = "".join(f'<meta property="og:title" content="Other {n}">' for n in range(5_000))
    headings = f"<h1>{SITE}</h1><h2>Other 4999</h2><h2>{TITLE}</h2>"

    assert parse(OG + crowd + headings, where="a").fields["title"] == TITLE
    assert parse(crowd + OG + headings, where="a").fields["title"] == "Other 0"


@pytest.mark.parametrize(
    ("path", "own", "home"),
    [
        ("knee/index.html", "index.html", "../index.html"),
        ("knee/index.html", "./", "../"),
        ("2025/10/knee.html", "knee.html", "../../index.html"),
        ("example.org/knee/index.html", "index.html", "../index.html"),
        ("knee.html", "knee.html", "index.html"),
        ("index.html", "index.html", "../index.html"),
        ("site/knee/index.html", "index.html", "../index.html"),
    ],
)
def test_links_of_mirrors_lead_home_from_where_the_page_lies(path: str, own: str, home: str):
    """Those of a page to itself do not, though they are called like the home page."""
    head = f'{DOCUMENT}<link rel="canonical" href="https://example.org/knee/">'
    itself = f'<h1 class="entry-title"><a href="{own}">{TITLE}</a></h1>'
    site = f'<h1><a href="{home}">{SITE}</a></h1>'

    found = [
        parse(f"{head}{heading}<p>Text.</p>", where=path, path=path)
        for heading in (itself, itself + site, f"{site}<h2>{TITLE}</h2>")
    ]

    assert [(each.fields["title"], each.title_found_in) for each in found] == [
        (TITLE, "h1"), (TITLE, "h1"), (TITLE, "h2"),
    ]  # fmt: skip


def test_a_link_for_bookmarks_leads_to_the_page():
    """Whatever its address is relative to."""
    heading = f'<h1><a rel="bookmark" href="/">{TITLE}</a></h1><h2>{SITE}</h2>'

    assert parse(DOCUMENT + heading, where="a").fields["title"] == TITLE
