"""Explanations as a page."""

from dataclasses import replace

import pytest

from recommender.bundle.explanation import Contribution, Explanation, Readers, Ruling
from recommender.evaluation.explained import ladder, page_of, parts_of, start_of

PARTS = (
    Contribution("start", -3.0, "two articles with nothing in common"),
    Contribution("text", 2.5, "what texts have in common"),
    Contribution("groups", 0.004, "one category"),
    Contribution("target", -0.25, "the article linked to"),
)
LINK = Explanation(
    article_id="knee", candidate_id="hip", title="Hips & <knees>", position=2, origin="model",
    absent=None, score=-0.746, scale="log odds of being chosen", contributions=PARTS, since=(),
    alike=0.31, subject=0.0, terms=(), readers=Readers(40, 9, 4.5, 1.8, 1.1, 2.9, 3), rule=None,
    sentence='both are about "joints"',
)  # fmt: skip


def test_the_page_has_each_sentence_and_its_figures():
    """What titles hold is shown, and nothing of it is markup."""
    rule = Ruling("pin", "knee", "gout", 1, "we were <asked>", None, "2026-12-01T00:00", 7)
    pinned = replace(
        LINK, candidate_id="gout", position=1, origin="pinned", rule=rule, contributions=(),
        score=None, scale=None, readers=None, sentence="an editor pinned it: we were asked",
    )  # fmt: skip

    page = page_of("Knees", "b1", [pinned, LINK])

    assert "An editor pinned it: we were asked." in page
    assert "Line 7 of the editors’ rules: pin gout beside knee, at 1, until 2026-12-01" in page
    assert "we were &lt;asked&gt;" in page
    assert "Both are about &#34;joints&#34;." in page
    assert "2. Hips &amp; &lt;knees&gt;" in page
    assert "9 clicks where 4.5 are to be expected" in page
    assert page.count("<svg") == 1
    assert "<knees>" not in page


def test_what_is_drawn_and_where_it_starts_add_up():
    """Parts too small to be seen are in the start."""
    assert [part.name for part in parts_of(LINK)] == ["text", "target"]
    assert start_of(LINK) + 2.5 - 0.25 == pytest.approx(LINK.score)
    picture = ladder(LINK)
    assert "+2.50" in picture.svg
    assert "−0.25" in picture.svg


def test_a_link_that_no_model_scores_has_no_picture():
    """Only its sentence."""
    page = page_of("Knees", "b1", [replace(LINK, contributions=(), position=None, origin=None)])

    assert "<svg" not in page
    assert "not in the list" in page
