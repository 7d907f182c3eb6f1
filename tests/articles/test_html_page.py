"""A page as HTML says the same as the page as text, in whatever plausible mark-up."""

import html
import time
from pathlib import Path

import pytest

from recommender.articles import text_page
from recommender.articles.document import Document
from recommender.articles.html_page import Selectors, parse
from recommender.articles.reader import read_articles
from recommender.errors import ArticleError, SettingsError

TEXT = """Why does my knee click?

Why does my knee click?

What makes the noise

Bubbles of gas form in the joint & burst, as anybody's do.

When to see a doctor

If it hurts, or if it swells.

<<:\u00a0The article before

>>:\u00a0The article after

Recommend

Knee pain on the stairs

Pain behind the kneecap is common when going u...

Salt & "joints"

Does salt harm the joints? What studies say, and...
"""
ARTICLE = """<h1>Why does my <em>knee</em> click?</h1>
<h2>What makes the noise</h2>
<p>Bubbles of gas <b>form</b> in the joint &amp; b<i>urs</i>t, as anybody&#39;s do.</p>
<h2>When to see a doctor</h2>
<p>If it hurts,
   or if it <a href="/swelling">swells</a>.</p>"""
LINKS = [
    (html.escape(title), teaser) for title, teaser in text_page.parse(TEXT, where="x").recommended
]


def each(mark_up: str) -> str:
    """The mark-up once for each link of the list, with its title and teaser."""
    return "".join(
        mark_up.replace("HREF", f"/page/{number}").replace("TITLE", title).replace("TEASER", teaser)
        for number, (title, teaser) in enumerate(LINKS)
    )


LISTS = {
    "list": f"<h2>Recommend</h2><ul>{each('<li><a href=HREF>TITLE</a><p>TEASER</p></li>')}</ul>",
    "list after a wrapped heading": "<div><h2><span>Recommend</span></h2></div>"
    f"<ol>{each('<li><a href=HREF>TITLE</a> TEASER</li>')}</ol>",
    "box with a heading of the items' level": '<div class="recommend"><h3>Recommend</h3>'
    f"{each('<h3>TITLE</h3><span>TEASER</span>')}</div>",
    "box with headings that are links": '<div class="recommend"><h3>Recommend</h3>'
    f"{each('<h3><a href=HREF>TITLE</a></h3><span>TEASER</span>')}</div>",
    "box with divisions": '<div class="recommend"><h3>Recommend</h3>'
    f"{each('<div><a href=HREF>TITLE</a> <span>TEASER</span></div>')}</div>",
    "definitions": f"<h3>Recommend</h3><dl>{each('<dt><a href=HREF>TITLE</a></dt><dd>TEASER</dd>')}"
    "</dl>",
    "definition with the heading inside": "<dl><dt>Recommend</dt>"
    f"{each('<dd><a href=HREF>TITLE</a><br>TEASER</dd>')}</dl>",
    "paragraphs": f"<h2>Recommend</h2>{each('<p><a href=HREF>TITLE</a><br>TEASER</p>')}",
    "pairs of paragraphs": "<p><strong>Recommend</strong></p>"
    f"{each('<p><a href=HREF>TITLE</a></p><p>TEASER</p>')}",
    "paragraphs without links": f"<p>Recommend</p>{each('<p>TITLE</p><p>TEASER</p>')}",
    "one paragraph": f"<h2>Recommend</h2><p>{each('<a href=HREF>TITLE</a><br>TEASER<br>')}</p>",
    "links around everything": "<section><header><h2>Recommend</h2></header>"
    f"{each('<a href=HREF><h3>TITLE</h3><p>TEASER</p></a>')}</section>",
    "cards": '<aside><h2>Recommend</h2><div class="cards">'
    + each(
        "<article><a href=HREF><img src=x.png alt=''></a><h3><a href=HREF>TITLE</a></h3>"
        "<div>TEASER</div><a href=HREF>Read more</a></article>"
    )
    + "</div></aside>",
    "table": "<h2>Recommend</h2><table>"
    f"{each('<tr><td><a href=HREF>TITLE</a></td><td>TEASER</td></tr>')}</table>",
}
NEIGHBOURS = {
    "paragraphs": "<p>&lt;&lt;:&nbsp;<a href=a>The article before</a></p>"
    "<p>&gt;&gt;:&nbsp;<a href=b>The article after</a></p>",
    "one line": "<div><a href=a>&lt;&lt;:&nbsp;The article before</a> "
    "<a href=b>&gt;&gt;:&nbsp;The article after</a></div>",
    "navigation": "<nav><span>&lt;&lt;: The article before</span>"
    "<span>&gt;&gt;: The article after</span></nav>",
}
PLACES = {
    "article": "<article>{article}{neighbours}{list}</article>",
    "list outside": "<main><article>{article}{neighbours}</article>{list}</main>",
    "neighbours outside": "<main>{article}</main><div>{neighbours}</div><div>{list}</div>",
    "divisions": '<div id="page"><div class="text">{article}{neighbours}{list}</div></div>',
    "flat": "{article}{neighbours}{list}",
}
SITE = """<!doctype html><html lang="en"><head><title>Why does my knee click? | Our site</title>
<link rel="canonical" href="https://example.org/knee"><script>var Recommend = 1</script></head>
<body><header><nav><ul><li><a href="/">Home</a></li><li><a href="/topics">Topics</a></li></ul></nav>
</header>
{content}
<footer><p>Copyright <a href="/privacy">Privacy</a></p></footer></body></html>"""


def pairs(page: Document) -> tuple[tuple[str, str], ...]:
    """The titles and teasers of its list."""
    return tuple((pick.title, pick.teaser) for pick in page.picks or ())


def body(page: Document) -> str:
    return str(page.fields["body"])


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("neighbours", NEIGHBOURS)
@pytest.mark.parametrize("mark_up", LISTS)
def test_html_says_the_same_as_text(place: str, neighbours: str, mark_up: str):
    """Title, text, neighbours and list of the text form; URL and language besides."""
    content = PLACES[place].format(
        article=ARTICLE, neighbours=NEIGHBOURS[neighbours], list=LISTS[mark_up]
    )

    found = parse(SITE.format(content=content), where="knee.html")

    expected = text_page.parse(TEXT, where="knee.txt")
    assert (found.fields["title"], found.fields["body"]) == (expected.title, expected.body)
    assert found.previous and found.next
    assert (found.previous.title, found.next.title) == (expected.previous, expected.next)
    assert pairs(found) == expected.recommended
    assert (found.canonical, found.fields["language"]) == ("https://example.org/knee", "en")


def test_a_page_may_have_neither_body_nor_list():
    """What it has not is empty."""
    for text in ("<h1>Only a title</h1>", "<html><head><title>Only a title</title></head></html>"):
        found = parse(text, where="x.html")

        assert (found.fields["title"], found.fields["body"]) == ("Only a title", "")
        assert (found.picks, found.previous, found.next) == ((), None, None)


@pytest.mark.parametrize("text", ["", "   ", "<p>Text.</p>", "<h1> </h1><title></title>", "\x00"])
def test_a_page_without_a_title_is_refused(text: str):
    """The error names the file and the field."""
    with pytest.raises(ArticleError, match=r"^x\.html: field title: no h1 or title with text"):
        parse(text, where="x.html")


def test_a_heading_called_recommend_is_text():
    """Where no list follows it."""
    article = "<article><h1>T</h1><h2>Recommend</h2><p>Doctors recommend rest.</p>%s</article>"

    without = parse(article % "", where="x.html")
    with_list = parse(article % "<h2>Recommend</h2><p><a href=a>A</a> Aa...</p>", where="x.html")

    assert (pairs(without), body(without)) == ((), "Recommend\n\nDoctors recommend rest.")
    assert (pairs(with_list), body(with_list)) == ((("A", "Aa..."),), body(without))


def test_what_follows_the_list_under_its_own_heading_is_not_in_it():
    """Nor are footers and forms."""
    text = """<h1>T</h1><h2>Recommend</h2><ul><li><a href=a>A</a></li></ul><h2>Popular</h2>
    <ul><li><a href=b>B</a></li></ul><form><a href=c>Sign up</a></form>"""

    assert pairs(parse(text, where="x.html")) == (("A", ""),)


def test_a_list_keeps_its_duplicates():
    """The audit wants to see them."""
    links = "<p><a href=a>A</a></p><p><a href=b>B</a></p><p><a href=a>A</a></p>"
    text = f"<h1>T</h1><h2>Recommend</h2>{links}"

    assert [title for title, _ in pairs(parse(text, where="x.html"))] == ["A", "B", "A"]


def test_selectors_point_where_the_site_is_different():
    """At title, text and list; what they leave out is left out."""
    text = """<h1>Our site</h1><div class="headline">The title</div>
    <div class="copy"><p>One.</p><p>Two.</p></div><div class="ad"><p>Buy!</p></div>
    <div class="box"><a href=a>A</a><p>About a</p><a href=b>B</a></div>"""
    selectors = Selectors(title=".headline", body="div.copy", recommended="div.box")

    found = parse(text, where="x.html", selectors=selectors)

    assert (found.fields["title"], body(found)) == ("The title", "One.\n\nTwo.")
    assert pairs(found) == (("A", "About a"), ("B", ""))


def test_a_faulty_selector_is_a_setting_to_put_right():
    """Not a fault of the page."""
    with pytest.raises(SettingsError, match=r"x\.html: CSS selector 'div\[': "):
        parse("<h1>T</h1>", where="x.html", selectors=Selectors(body="div["))
    with pytest.raises(ArticleError, match=r"field title: no \.headline with text"):
        parse("<h1>T</h1>", where="x.html", selectors=Selectors(title=".headline"))


def test_menus_and_notices_are_no_text():
    """Where no element says it is the article, the text is found by its looks."""
    paragraph = "<p>Bubbles of gas form in the joint and burst with a noise that is harmless.</p>"
    text = SITE.format(
        content=f"""<div class="menu"><a href=1>Bones</a> <a href=2>Skin</a></div>
        <div class="x"><h1>Why does my knee click?</h1>{paragraph * 6}</div>
        <div class="cookie-banner"><p>We use cookies.</p></div>"""
    )

    found = body(parse(text, where="x.html"))

    assert "harmless" in found
    assert "Bones" not in found
    assert "Copyright" not in found


@pytest.mark.slow
def test_other_scripts_and_deep_nesting_are_read():
    """Neither right-to-left text nor ten thousand divisions are a problem."""
    deep = "<div>" * 10_000 + "<p>膝盖会响。</p>"

    started = time.process_time()
    found = parse(f"<h1>ركبتي تطقطق؟</h1><main>{deep}</main>", where="x.html")

    assert (found.fields["title"], body(found)) == ("ركبتي تطقطق؟", "膝盖会响。")
    assert time.process_time() - started < 20


@pytest.mark.parametrize("deep", ["<div>" * 13_000, "<b>" * 13_000, "<ul><li>" * 6_500])
def test_a_page_of_elements_without_end_is_refused(deep: str):
    """Reading it would take minutes, and browsers do not show it either."""
    with pytest.raises(ArticleError, match=r"k\.html: more than 12,000 elements stand in one"):
        parse(f"<h1>Knee</h1>{deep}<p>Text.</p>", where="k.html")


def test_a_page_that_would_hold_up_the_parser_is_refused_before():
    """Elements that may end without a sign of it do not count."""
    with pytest.raises(ArticleError, match=r"k\.html: 999,999 elements begin and do not end"):
        parse("<h1>Knee</h1>" + "<DIV >" * 999_999, where="k.html")


@pytest.mark.slow
def test_a_page_of_very_many_elements_is_read_whole():
    """Finding the main text in it would take minutes. What may end without a sign has ended."""
    page = parse("<h1>Knee</h1>" + "<ul><li>x<li>y</ul>" * 15_000, where="k.html")

    assert len(body(page).split()) == 30_000


@pytest.mark.slow
def test_a_page_of_nothing_but_lists_is_read_in_a_moment():
    """Each of them would otherwise be compared with all that follows."""
    text = "<h1>Knee</h1>" + "<h2>Recommend</h2><p>x</p>" * 5_000

    assert parse(text, where="k.html").fields["title"] == "Knee"


def test_a_page_reaches_neither_files_nor_the_network():
    """What a document type declares is declared in vain."""
    text = """<!DOCTYPE html [<!ENTITY file SYSTEM "file:///etc/passwd">
        <!ENTITY net SYSTEM "http://127.0.0.1:9/">]><h1>Knee</h1><p>&file; &net; text.</p>
        <link rel="stylesheet" href="http://127.0.0.1:9/"><img src="file:///etc/passwd">"""

    page = parse(text, where="k.html")

    assert "&file;" in body(page)
    assert "root:" not in body(page)


def test_a_heading_may_link_to_itself():
    """Generators put a sign behind it, which is neither title nor text."""
    mark = '<a class="headerlink" href="#knee">¶</a>'
    page = parse(f"<main><h1>Knee{mark}</h1><h2>Why{mark}</h2><p>It clicks.</p></main>", where="a")

    assert (page.fields["title"], body(page)) == ("Knee", "Why\n\nIt clicks.")


def test_a_page_about_html_keeps_its_examples(tmp_path: Path):
    """Its text is read once."""
    example = html.escape("<ul><li>One</li><li>Two</li></ul>")
    text = f"<h1>Lists</h1><pre>{example}</pre>"
    (tmp_path / "a.html").write_text(text)

    assert read_articles([tmp_path]).articles["a"].body == "<ul><li>One</li><li>Two</li></ul>"
