"""What a reader came for is the text, in whatever shape a system lays out its pages."""

import time

import pytest

from recommender.articles.html_page import parse

TEXT = "".join(
    f"<p>TEXT{n} Bubbles of gas form in the joint and burst, which is heard and does no harm.</p>"
    for n in range(4)
)
H1 = "<h1>Why does my knee click?</h1>"
CARD = """<article class="teaser"><a href="/hip/"><h3>REST Hip pain at night</h3></a>
    <p>REST What helps when lying on one side hurts, and when to see a doctor.</p></article>"""
COOKIES = """<div class="cc-window cookie-consent"><p>REST We and our partners store cookies on your
    device to show you what you like.</p></div>"""
COMMENTS = """<section id="comments" class="comments-area"><h2>REST 3 comments</h2>
    <ol class="comment-list"><li><p>REST Mine has clicked for thirty years and never hurt, so I
    would not worry about it at all.</p></li></ol><div id="respond">REST Reply</div></section>"""
AUTHOR = """<div class="post-author-box"><img alt=""><p>REST Jo has written about bones and joints
    for this site since it began, and lives by the sea.</p></div>"""
SHARE = '<ul class="social-share-buttons"><li><a href="#">REST Tweet</a><li>REST Pin it</ul>'
MENU = (
    '<div class="navbar"><ul class="menu"><li><a href="/a">REST Bones</a><li>REST Skin</ul></div>'
)
SHAPES = {
    "article": f"<main><article>{H1}{TEXT}</article></main>",
    "tables of the nineties": f"""<table><tr><td>{MENU}</td><td>{H1}<font>{TEXT}</font></td></tr>
        </table>""",
    "heading in the header": f"<header>{H1}</header><div id=content>{TEXT}</div>",
    "heading below the text": f'<div class="entry-content">{TEXT}</div><div>{H1}</div>',
    "text in an aside": f"<header>{H1}</header><aside class=col><div>{TEXT}</div></aside>{COOKIES}",
    "text in a form": f"<form id=aspnetForm>{MENU}<div id=main>{H1}{TEXT}</div></form>",
    "heading before the form": f"<div>{H1}</div><form><div>{TEXT}</div></form>",
    "text in a section": f'<section class="post">{H1}<section>{TEXT}</section></section>{COOKIES}',
    "roles": f'<div role="main">{H1}{TEXT}</div><div role="dialog">REST Sign up</div>',
    "cards in main": f"<main>{H1}<div>{TEXT}</div><div class=grid>{CARD * 3}</div></main>",
    "a single card": f"<header>{H1}</header><div><div>{TEXT}</div></div><div>{CARD}</div>",
    "comments": f"<article>{H1}{TEXT}{COMMENTS}</article>",
    "comments longer than the text": f"<article>{H1}{TEXT}{COMMENTS * 9}</article>",
    "author and sharing": f"<article>{H1}{SHARE}<div>{TEXT}</div>{AUTHOR}</article>",
    "cookies first": f"{COOKIES}<div class=page>{H1}<div class='post-content'>{TEXT}</div></div>",
    "what the body is called": f'</head><body class="has-sidebar comments-open share">{H1}{TEXT}',
    "name of a wrapper": f'<div class="with-sidebar no-comments">{H1}{TEXT}</div>{COOKIES}',
    "sidebar": f"<div id=main>{H1}{TEXT}</div><div id=sidebar><p>REST Search our shop for "
    "splints and bandages of every size.</p></div>",
    "hidden": f'<main>{H1}{TEXT}</main><p hidden>REST Thanks</p><p style="display: none">REST',
    "hidden answers": f'<main>{H1}<h2>Why?</h2><div style="display:none">{TEXT}</div></main>',
    "filed under a part": f"""<div>{H1}</div><article class="post category-newsletter
        tag-comments">{TEXT}</article>{COOKIES}""",
    "accordion": f"<main>{H1}<details><summary>Why?</summary>{TEXT}</details></main>",
    "questions": f"<main>{H1}<dl><dt>Why?</dt><dd>{TEXT}</dd></dl></main>",
    "list": "<main><h1>Why does my knee click?</h1><ol>"
    + "".join(f"<li>TEXT{n} Stretch the calf for half a minute, twice a day." for n in range(4))
    + "</ol></main>",
    "related by heading": f"<article>{H1}{TEXT}<h3>Lesen Sie auch</h3><ul><li><a href=/x>REST Hüfte"
    "</a><li><a href=/y>REST Fuß</a></ul></article>",
    "related by name": f'<article>{H1}{TEXT}<div class="yarpp-related"><ol><li><a href=/x>REST Hip'
    "</a><li><a href=/y>REST Foot</a></ol></div></article>",
    "popular": f"<article>{H1}{TEXT}</article><h4>Most read</h4><p><a href=/x>REST Gout</a>",
    "drawn by a script": """<h1>Why does my knee click?</h1><div id=root></div>
        <script type="application/ld+json">{"@graph": [{"@type": ["NewsArticle"], "headline":
        "Why does my knee click?", "articleBody": "TEXT0 &amp; TEXT1\\nTEXT2 TEXT3"}]}</script>""",
    "question and answer by script": """<title>Why does my knee click?</title><div id=app></div>
        <script type="application/ld+json">{"@type": "QAPage", "mainEntity": {"@type": "Question",
        "name": "Why does my knee click?", "text": "TEXT0 TEXT1", "acceptedAnswer":
        {"@type": "Answer", "text": "<p>TEXT2</p><p>TEXT3</p>"}}}</script>""",
    "lines of labels": f"""<article>{H1}<p class="angaben">REST Von <a href=/jo>Jo</a> am
        <time datetime="2025-10-18">18. Oktober</time> · 3 Minuten</p>{TEXT}<p>REST Schlagwörter:
        <a href=/t/knie rel=tag>Knie</a> <a href=/t/ton rel=tag>Töne</a></p></article>""",
    "labels that are spans": f"""<main>{H1}<div><time datetime="2025-10-18">REST 18 October</time>
        <span>REST —</span><span itemprop=author>REST Jo</span></div><div>{TEXT}</div></main>""",
    "a sentence with a date": f"""<main>{H1}{TEXT.replace("TEXT2", "TEXT2 On <time>2 May</time>")}
        <p>On <time>8 May 1945</time> the war ended, and TEXT3.</p></main>""",
    "parts with headers": "<main><h1>Why does my knee click?</h1>"
    + "".join(
        f"<article><header><time>0{n}:00</time><h2>TEXT{n} More is known now</h2></header><p>"
        "Bubbles of gas form in the joint and burst.</p></article>"
        for n in range(4)
    )
    + "</main>",
    "questions that open": f"<main>{H1}"
    + "".join(
        f"<h3><button aria-expanded=false>TEXT{n} Does it hurt?</button></h3><div hidden><p>It may "
        "well do so at night, and when it rains.</p></div>"
        for n in range(4)
    )
    + "</main>",
    "buttons": f"<main>{H1}{TEXT}<button>REST Buy</button></main>",
    "more posts of a theme": f"""<main>{H1}{TEXT}<div><h2>More posts</h2><ul><li><h3><a href=/x>
        REST Hip</a></h3><li><h3><a href=/y>REST Foot</a></h3></ul></div></main>""",
    "second story": f"<main><article>{H1}{TEXT}</article><article><h1>REST Gout</h1><p>REST Gout "
    "comes at night.</p></article></main>",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_text_is_found(shape: str):
    """All of it, and of what stands around nothing."""
    page = parse(f"<title>Why does my knee click?</title>{shape}", where="knee.html")

    assert page.fields["title"] == "Why does my knee click?"
    body = page.fields["body"]
    assert [n for n in range(4) if f"TEXT{n}" not in body] == []
    assert "REST" not in body


def test_what_would_leave_nothing_was_the_text():
    """A page of comments alone, or one whose text stands in what is called a sidebar."""
    comments = f'{H1}<div class="comments">{TEXT}</div>'
    sidebar = f'{H1}<div id="sidebar">{TEXT}</div>'

    for page in (comments, sidebar):
        assert "TEXT3" in parse(page, where="a.html").fields["body"]


def test_names_of_parts_are_whole_words():
    """ "sharepoint-guide" shares nothing, a "commentary" is no comment."""
    page = f'<main>{H1}<div class="sharepoint-guide commentary tagsoup">{TEXT}</div>{TEXT}</main>'

    assert parse(page, where="a.html").fields["body"].count("TEXT0") == 2


def test_a_byline_and_a_date_are_no_text():
    """As themes mark them."""
    meta = '<p class="post-meta">By Jo</p><span class="posted-on">18 October 2025</span>'

    body = parse(f"<article>{H1}{meta}<div>{TEXT}</div></article>", where="a.html").fields["body"]

    assert body.startswith("TEXT0")


def test_dates_of_sentences_and_time_lines_are_text():
    """And so are durations; a line that is a date is none."""
    page = f"""<main>{H1}<p><time>18 October 2025</time></p>{TEXT}<p>In <time>May</time> it rained,
        then less</p><ul><li><time>1969</time> Men land on the moon</li><li><time>1972</time> They
        leave it</li></ul><p>Cooking: <time datetime="PT20M">20 minutes</time></p></main>"""

    body = parse(page, where="a.html").fields["body"]

    assert body.startswith("TEXT0")
    assert body.split("\n\n")[-3:] == [
        "1969 Men land on the moon", "1972 They leave it", "Cooking: 20 minutes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "tag",
    ["<div hidden>", "<nav>", "<article>", '<div class="related-posts">', '<div class="tags">',
     '<div class="tags"><a href="/tag/x">x</a>'],
)  # fmt: skip
def test_elements_in_one_another_are_read_in_their_time(tag: str):
    """Not in that of the way up from each, which was up to forty seconds for these."""
    end = f"</{tag[1:].split()[0].split('>')[0]}>"
    started = time.process_time()

    page = parse(f"{H1}{TEXT}{tag * 5_500}<h2>REST</h2>{TEXT}{end * 5_500}", where="a.html")

    assert page.fields["body"].startswith("TEXT0 ")
    assert time.process_time() - started < 20
