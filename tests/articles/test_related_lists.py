"""The links an editor chose, by where they lead."""

import pytest

from recommender.articles.html_page import fragment, parse

TEXT = "<p>It clicks since gas forms in the joint, and that does no harm.</p>"
LISTS = {
    "cards": """<section class="related-posts"><h3>Related posts</h3>
        <article><a href="/hip"><img alt=""></a><a href="/c/joints">Joints</a>
        <h4><a href="/hip">Hip</a></h4><p>It hurts.</p><a href="/hip">Read more</a></article>
        <article><a href="/foot"><img alt=""></a><a href="/c/joints">Joints</a>
        <h4><a href="/foot">Foot</a></h4><p>It itches.</p></article></section>""",
    "list": """<h2>You may also like:</h2><ul><li><a href="/hip">Hip</a> It hurts.</li>
        <li><a href="/foot">Foot</a> It itches.</li></ul>""",
    "bold line": """<p><strong>Lire aussi</strong></p><p><a href="/hip">Hip</a><br>It hurts.</p>
        <p><a href="/foot">Foot</a><br>It itches.</p>""",
    "name alone": """<div id="jp-relatedposts"><div><a href="/hip">Hip</a><p>It hurts.</p></div>
        <div><a href="/foot">Foot</a><p>It itches.</p></div></div>""",
    "links around": """<aside><h3>関連記事</h3><a href="/hip"><h4>Hip</h4><p>It hurts.</p></a>
        <a href="/foot"><h4>Foot</h4><p>It itches.</p></a></aside>""",
}


@pytest.mark.parametrize("mark_up", LISTS.values(), ids=LISTS)
def test_links_are_read_with_their_addresses(mark_up: str):
    """And neither they nor the heading above them are text of the page."""
    page = parse(f"<article><h1>Knee</h1>{TEXT * 2}{mark_up}</article>", where="knee.html")

    assert [(pick.title, pick.url) for pick in page.picks or ()] == [
        ("Hip", "/hip"), ("Foot", "/foot"),
    ]  # fmt: skip
    assert page.fields["body"] == "\n\n".join([TEXT[3:-4]] * 2)


def test_a_paragraph_with_links_under_such_a_heading_is_text():
    """ "See also" may be followed by prose."""
    prose = f"<p>{'Much has been written about knees. ' * 12}<a href=/x>A study</a> found more.</p>"

    page = parse(f"<article><h1>Knee</h1>{TEXT}<h2>See also</h2>{prose}</article>", where="a")

    assert page.picks == ()
    assert "A study found more." in page.fields["body"]


def test_lists_that_are_the_same_everywhere_are_not_hand_picked():
    """They are not the page's text either."""
    page = parse(
        f"<h1>Knee</h1>{TEXT}<h3>Popular posts</h3><ul><li><a href=/x>Gout</a></ul>", where="a"
    )

    assert page.picks == ()
    assert "Gout" not in page.fields["body"]


def test_the_list_called_recommend_comes_first():
    """Where a page has others too."""
    recommended = "<h2>Recommend</h2><ul><li><a href=/a>A</a> Aa...</li></ul>"
    page = parse(f"<h1>Knee</h1>{TEXT}{LISTS['list']}<div>{recommended}</div>", where="a.html")

    assert [pick.url for pick in page.picks or ()] == ["/a"]


def test_pieces_of_html_have_lists_too():
    """As feeds and exports hold them."""
    text, picks, image = fragment(f"<img src=/k.jpg>{TEXT}{LISTS['list']}", where="feed.xml:1")

    assert (text, image) == (TEXT[3:-4], "/k.jpg")
    assert [pick.url for pick in picks] == ["/hip", "/foot"]


def test_links_within_lines_are_links_of_the_list():
    """As manuals have them: "Module numbers"; without any link there is no list."""
    seealso = """<div class="seealso"><p>See also</p><dl>
        <dt>Module <a href="n.html">numbers</a></dt>
        <dd>Towers.</dd><dt>Module <a href="d.html">decimal</a></dt><dd>Points.</dd></dl></div>"""
    none = "<h2>See also</h2><p>The book of numbers, which has all of them.</p>"

    page = parse(f"<article><h1>Knee</h1>{TEXT}{seealso}</article>", where="a.html")
    other = parse(f"<article><h1>Knee</h1>{TEXT}{none}</article>", where="a.html")

    assert [pick.url for pick in page.picks or ()] == ["n.html", "d.html"]
    assert other.picks == ()
    assert "The book of numbers" in other.fields["body"]
