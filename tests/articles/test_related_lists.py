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


PROSE = [
    "<p>Sleep is needed. See <a href=/bees>our page on bees</a> for more.</p>",
    "<p>See <a href=/bees>our page on bees</a> for how they sleep in winter.</p>",
    "<p>What we know of it comes from a study of <a href=/bees>bees</a>.</p>",
    "<p><a href=/bees>Our page on bees</a> tells how they sleep in winter, and what they eat.</p>",
    "<p>睡眠は必要です。<a href=/bees>蜂</a></p>",
    "<p>詳しくは<a href=/bees>蜂について</a>をご覧ください。</p>",
]
FINAL = "<p>Final paragraph of the true text.</p>"


@pytest.mark.parametrize("heading", ["Learn more", "See also", "Related", "Read more", "Popular"])
@pytest.mark.parametrize("prose", PROSE)
def test_sentences_with_links_are_text_under_any_heading(heading: str, prose: str):
    """No link in them was chosen for a list, and what follows them is text too."""
    page = parse(
        f"<article><h1>Knee</h1>{TEXT}<h2>{heading}</h2>{prose}{FINAL}</article>", where="a.html"
    )

    assert page.picks == ()
    assert page.fields["body"].count("\n\n") == 3
    assert page.fields["body"].endswith(FINAL[3:-4])


@pytest.mark.parametrize(
    "entry",
    ["<p>See also: <a href=/hip>Hip</a></p>", "<li>Module <a href=/hip>Hip</a></li>",
     "<p>Read <a href=/hip>Hip</a> – it hurts.</p>", "<p><a href=/hip>Hip</a> by Jo</p>",
     "<p><a href=/hip>Hip</a> It hurts, at night more than by day, so that one wakes.</p>"],
)  # fmt: skip
def test_a_list_of_one_ends_where_the_text_goes_on(entry: str):
    """Short lines around links are entries."""
    page = parse(
        f"<article><h1>Knee</h1>{TEXT}<h2>Related</h2>{entry}{FINAL}</article>", where="a.html"
    )

    assert [pick.url for pick in page.picks or ()] == ["/hip"]
    assert page.fields["body"] == f"{TEXT[3:-4]}\n\n{FINAL[3:-4]}"


def test_what_stands_before_a_list_is_one_line_at_most():
    """More is text, though links follow it."""
    links = "<ul><li><a href=/hip>Hip</a></li><li><a href=/foot>Foot</a></li></ul>"

    introduced, text = (
        parse(f"<article><h1>Knee</h1>{TEXT}<h2>Learn more</h2>{lines}{links}", where="a.html")
        for lines in ("<p>Others read:</p>", TEXT * 2)
    )

    assert [pick.url for pick in introduced.picks or ()] == ["/hip", "/foot"]
    assert introduced.fields["body"] == TEXT[3:-4]
    assert text.picks == ()
    assert text.fields["body"].count(TEXT[3:-4]) == 3


@pytest.mark.parametrize(
    ("name", "is_list"),
    [("related", True), ("c-related-posts", True), ("sd-block-related", True),
     ("wp-block-group-related-articles", True), ("article__related", True),
     ("theme-x-related-posts", True), ("Related_Articles", True), ("relatedPosts", True),
     ("work-related", False), ("age-related", False), ("stress-related-illness", False)],
)  # fmt: skip
def test_names_of_lists_begin_with_what_they_say(name: str, is_list: bool):
    """Behind another word it says what the text is about."""
    links = "<p><a href=/hip>Hip</a></p><p><a href=/foot>Foot</a></p>"

    page = parse(f'<article><h1>Knee</h1>{TEXT}<div class="{name}">{links}</div>', where="a.html")

    assert (len(page.picks or ()) == 2) is is_list
    assert ("Foot" in page.fields["body"]) is not is_list


def test_a_text_with_two_links_is_no_list_by_its_name():
    """As a section is called whose heading is "Related work"."""
    links = "<a href=/hip>hips</a> by those who walk, and of <a href=/foot>feet</a>"
    text = f"<p>Much is known of {links}.</p>"

    page = parse(
        f'<article><h1>Knee</h1>{TEXT}<section id="related-work">{text * 2}</section></article>',
        where="a.html",
    )

    assert page.picks == ()
    assert page.fields["body"].count("Much is known of hips by those who walk, and of feet.") == 2
