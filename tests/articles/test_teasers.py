"""The line under a link says what the page is about."""

import time

import pytest

from recommender.articles.article import Article
from recommender.articles.teasers import openings, shortened, teaser_from, with_teaser

SENTENCE = "Garlic wants cold weeks before it splits into cloves, so plant it late."


@pytest.mark.parametrize(
    "line",
    [
        "Planting", "By Jane Doe, MD", "Posted on 18 October 2025 by Jo", "18 October 2025",
        "Updated: 2025-11-03", "Tags: garlic, autumn", "Filed under: Vegetables", "5 min read",
        "{{ page.excerpt }}", "[caption id=12 align=left]", "Advertisement", "Share this",
        "This post may contain affiliate links.", "Table of contents", "Read more",
        "Disclaimer: ask your doctor.", "Photo: Al Mann", "Lorem ipsum dolor sit amet.",
        "https://example.org/garlic", "Last updated on March 3, 2026", "Von Jo Müller",
        "Please enable JavaScript to view this page.", "© 2026 Allotment Notes", "12 Comments",
        "Subscribe to our newsletter to get more of this every week.", "When to plant garlic",
    ],
)  # fmt: skip
def test_what_stands_above_a_text_is_no_teaser(line: str):
    """The first real sentence is."""
    body = f"{line}\n\n{SENTENCE} It is harvested in summer."

    assert teaser_from(body, title="When to plant garlic") == SENTENCE


@pytest.mark.parametrize(
    "body",
    [
        "By October the soil is cold enough for garlic, and rain makes it soft.",
        "Posted workers have rights that many of them and their employers do not know.",
        "Share prices fell on Monday, as investors feared that rates would rise.",
        "Updated rules apply to all allotments from the first of January on.",
        "Dr. Smith et al. measured 3.5 cm of growth in No. 7 plots, e.g. those by the river.",
        "膝盖为什么会响？气泡在关节里破裂，这是无害的。如果疼痛就去看医生，如果肿胀也要去看医生，不要等待。",
    ],
)
def test_sentences_that_begin_alike_are_kept(body: str):
    """Whole, and without a space where a script has none."""
    assert teaser_from(body) == body


def test_a_long_text_ends_at_a_sentence_or_a_word():
    """And has at most so many characters."""
    long = "Garlic wants cold weeks and rich soil " * 9

    assert shortened(f"{SENTENCE} {long}", 100) == SENTENCE
    cut = shortened(long, 100)
    assert len(cut) <= 100
    assert cut.endswith(("soil…", "rich…", "and…", "weeks…", "cold…", "wants…", "Garlic…"))


def test_what_many_pages_begin_with_is_no_teaser():
    """Nor is a description that many have."""
    notice = "Ask a doctor before you follow any advice that you find on this site."
    bodies = [
        f"{notice}\n\nNumber {n} is about garlic, and what it wants in autumn." for n in "123"
    ]
    same = [Article(body[80:], "A", body, teaser="The site about all.") for body in bodies]

    found = [with_teaser(each, most=160, shared=openings(same)) for each in same]

    assert [article.teaser[:8] for article in found] == ["Number 1", "Number 2", "Number 3"]


def test_a_teaser_that_was_given_is_kept():
    """However long."""
    article = Article("a", "A", SENTENCE, teaser="x" * 999)

    assert with_teaser(article, most=20, shared=set()) == article


def test_the_made_teaser_is_no_more_text_than_there_was():
    """It stands in the body, so it does not count twice."""
    article = with_teaser(Article("a", "A", f"Planting\n\n{SENTENCE}"), most=160, shared=set())

    assert article.teaser == SENTENCE
    assert article.text == article.body


@pytest.mark.parametrize("text", ["{{", "<%", "[a a=", "%%", "Dr. ", "{{ x }", "${"])
def test_what_begins_again_and_again_is_read_in_its_time(text: str):
    """Not in that of its square, which was half a minute for a field of this length."""
    article = Article("a", "A", teaser=text * 40_000, body=text * 40_000)
    started = time.process_time()

    with_teaser(article, most=160, shared=())
    shortened(article.body, 160)

    assert time.process_time() - started < 5
