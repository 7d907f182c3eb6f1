"""A text page is read for its title, text, neighbours and list; rewriting touches the list only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.articles.article import teaser_of
from recommender.articles.text_page import n_links, parse, rewrite
from recommender.errors import ArticleError

PAGE = """Why does my knee click?

Why does my knee click?

What makes the noise

A paragraph.

<<:\u00a0The article before

>>:\u00a0The article after

Recommend

First recommended title

The first characters of its text as the teaser...

Second recommended title

Another teaser..."""
LIST = (
    ("First recommended title", "The first characters of its text as the teaser..."),
    ("Second recommended title", "Another teaser..."),
)


def page(*blocks: str) -> str:
    return "\n\n".join(blocks)


def test_the_page_of_the_contract_is_read():
    """Title once, body without neighbours and list, no-break spaces aside."""
    found = parse(PAGE, where="knee.txt")

    assert found.title == "Why does my knee click?"
    assert found.body == "What makes the noise\n\nA paragraph."
    assert (found.previous, found.next) == ("The article before", "The article after")
    assert found.recommended == LIST


@pytest.mark.parametrize(
    "text",
    [
        PAGE + "\n",
        PAGE + "\n\n\n",
        PAGE.replace("\n", "\r\n"),
        PAGE.replace("\n\n", "\n"),
        PAGE.replace("\u00a0", " "),
        PAGE.replace("\u00a0", ""),
        PAGE.replace("Recommend\n", "Recommend \u00a0\n"),
        PAGE.replace("knee", "kn\x00ee"),
        PAGE.replace("...", "…").replace("…", "..."),
    ],
)
def test_looks_do_not_matter(text: str):
    """Line ends, blank lines, kinds of space, NUL bytes: the page is the same."""
    assert parse(text, where="knee.txt") == parse(PAGE, where="knee.txt")


def test_a_page_may_have_no_list():
    """Nor neighbours."""
    found = parse(page("Title", "Title", "Only text."), where="t.txt")

    assert (found.body, found.recommended, found.previous) == ("Only text.", (), None)


def test_a_title_that_stands_once_is_a_title_all_the_same():
    """What follows is text."""
    assert parse(page("Title", "Only text."), where="t.txt").body == "Only text."


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the page is empty"),
        ("\n \u00a0\x00\n", "the page is empty"),
        ("Recommend\n\nA\n\nAa...", "missing, the page begins with Recommend"),
        ("<<: Before\n\nText.", "missing, the page begins with '<<: Before'"),
    ],
)
def test_a_page_without_a_title_is_refused(text: str, complaint: str):
    """The error names the file and the field."""
    with pytest.raises(ArticleError, match=r"^t\.txt: field title: ") as caught:
        parse(text, where="t.txt")

    assert complaint in str(caught.value)


def test_a_heading_called_recommend_is_text():
    """In the middle of an article, before the real list or where there is none."""
    article = page("T", "T", "Text.", "Recommend", "Doctors recommend rest.", "And ice.")
    neighbours = page(article, "Tips", ">>: After")

    with_list = parse(page(article, "Recommend", "A", "Aa..."), where="t.txt")

    assert with_list.body.count("Recommend\n") == 1
    assert with_list.recommended == (("A", "Aa..."),)
    assert parse(article, where="t.txt").recommended == ()
    assert parse(page(article, "And so on..."), where="t.txt").recommended == ()
    assert parse(neighbours, where="t.txt").recommended == ()
    assert rewrite(article.encode(), [("B", "Bb...")]) == article.encode()


def test_an_article_called_recommend_may_be_recommended():
    """Its teaser follows at once, so it is a title and not the marker."""
    text = page("T", "T", "Text.", "Recommend", "A", "Aa...", "Recommend", "Rr...", "B", "Bb...")

    found = parse(text, where="t.txt")

    assert found.recommended == (("A", "Aa..."), ("Recommend", "Rr..."), ("B", "Bb..."))
    assert found.body == "Text."


def test_a_title_may_lack_its_teaser_or_end_in_dots():
    """Titles and teasers are told apart all the same."""
    text = page("T", "T", "Text.", "Recommend", "What if...", "Ww...", "A", "B", "Bb...")

    assert parse(text, where="t.txt").recommended == (
        ("What if...", "Ww..."),
        ("A", ""),
        ("B", "Bb..."),
    )


def test_links_are_counted_as_they_are_read():
    """Duplicates and titles without a teaser too; none without a block."""
    assert n_links(PAGE.encode()) == 2
    assert n_links((PAGE + "\n\nThird").encode()) == 3
    assert n_links(b"T\n\nT\n\nText.") == 0
    assert n_links(b"T\n\nText.\n\nRecommend\n") == 0


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_only_the_list_is_rewritten(newline: str, end: str, start: str):
    """Everything before it, and the end of the file, stay byte for byte."""
    raw = (start + PAGE + end).replace("\n", newline).encode()

    new = rewrite(raw, [("新", "New teaser..."), ("Without", "")])

    before = (start + PAGE).replace("\n", newline).split("Recommend" + newline)[0]
    block = newline.join(["", "新", "", "New teaser...", "", "Without"])
    assert new.decode() == before + "Recommend" + newline + block + end.replace("\n", newline)


def test_rewriting_with_the_same_list_changes_nothing():
    """The same titles and teasers give the same bytes."""
    assert rewrite(PAGE.encode(), LIST) == PAGE.encode()


def test_bytes_that_are_no_text_survive():
    """A page is not damaged further."""
    raw = b"T\xe9\r\n\r\nRecommend\r\n\r\nA\r\n\r\nAa..."

    assert rewrite(raw, [("B", "Bb...")]) == b"T\xe9\r\n\r\nRecommend\r\n\r\nB\r\n\r\nBb..."


def test_a_line_break_in_a_title_does_not_make_two_links():
    """The list keeps its shape."""
    new = rewrite(PAGE.encode(), [("Two\nlines", "One\u2028teaser...")])

    assert parse(new.decode(), where="x").recommended == (("Two lines", "One teaser..."),)


WORDS = st.text(st.characters(categories=["L", "N", "Po"]), min_size=1).map(str.strip)
TITLES = WORDS.filter(lambda text: text and not text.endswith((".", "…", "。")))
LINKS = st.tuples(TITLES, WORDS.filter(bool).map(teaser_of))


@pytest.mark.slow
@given(links=st.lists(LINKS, max_size=12), newline=st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_what_is_read(links: list[tuple[str, str]], newline: str):
    """Any list survives the page, the title "Recommend" included; the text does not change."""
    raw = PAGE.replace("\n", newline).encode()

    found = parse(rewrite(raw, links).decode(), where="knee.txt")

    assert list(found.recommended) == links
    assert found.body == parse(PAGE, where="knee.txt").body
    assert n_links(rewrite(raw, links)) == len(links)


def test_markdown_is_no_text_page():
    """Its fields would become the text."""
    with pytest.raises(ArticleError, match=r"a\.txt: field title: .*give --format markdown"):
        parse("---\ntitle: Knee\n---\nIt clicks.", where="a.txt")
