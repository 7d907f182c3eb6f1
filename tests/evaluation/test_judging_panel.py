"""Judging in a notebook: buttons do what keys do; what is shown is text and gives nothing away."""

import sys
from pathlib import Path

import pytest
from judging import ARTICLES, bundle
from sites import stored

import recommender
from recommender.errors import InputError, MissingExtra, StoreError
from recommender.evaluation.judging_panel import Panel
from recommender.store import grades
from recommender.store.database import Store

OTHER = {"knee": ["ankle", "sleep"], "sleep": ["nap", "knee"], "hip": ["sleep", "nap"]}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The store of a small site, with hand-picked lists."""
    address = f"sqlite:///{tmp_path / 'site.db'}"
    with Store(address) as store:
        stored(store, ARTICLES)
    return address


def panel_of(url: str, **options: object) -> Panel:
    pytest.importorskip("ipywidgets", reason="the extra notebooks is not installed")
    site = recommender.connect(url)
    return recommender.judging(site, [bundle(), OTHER], by="ann", **options)  # type: ignore[arg-type]


def given(url: str) -> list[tuple[str, str, int, str]]:
    with Store(url, writing=False) as store:
        return [(*each.pair, each.grade, each.note) for each in grades.read(store)]


def test_a_click_is_a_grade_kept_at_once(url: str):
    """With the note beside it; the next link is shown, and another panel goes on there."""
    panel = panel_of(url)
    step = panel.judging.step
    assert step is not None
    panel.note.value = "as good as it gets"

    panel.grades[3].click()

    assert given(url) == [(step.page.page.id, step.link.id, 3, "as good as it gets")]
    assert panel.note.value == ""
    following = panel.judging.step
    assert following is not None
    assert following.link != step.link
    assert following.link.title in panel.link.value.replace("&amp;", "&") or "<" in step.link.title
    assert panel_of(url).judging.step == following


def test_back_and_skip_and_the_end(url: str):
    """Back shows what was given; at the end nothing can be clicked."""
    panel = panel_of(url, pages=1)
    panel.grades[1].click()
    panel.back.click()
    assert "you gave 1" in panel.link.value
    panel.grades[2].click()
    assert [grade for *_, grade, _ in given(url)] == [2]

    panel.skip.click()
    panel.skip_page.click()

    assert "Nothing is left to judge" in panel.progress.value
    assert all(button.disabled for button in panel.grades)
    panel.grades[0].click()
    assert len(given(url)) == 1


def test_titles_are_text_and_no_list_is_named(url: str):
    """One title of the site has tags in it."""
    panel = panel_of(url, pages=5)
    seen = ""
    while panel.judging.step is not None:
        seen += panel.progress.value + panel.page.value + panel.link.value
        panel.grades[1].click()

    assert "Knee &lt;b&gt;pain&lt;/b&gt; &amp; stairs" in seen
    assert "<b>" not in seen
    for word in (bundle().name, "lists 2", "hand-picked", "origin", "score"):
        assert word not in seen


def test_it_is_shown_as_widgets_are(url: str):
    """What a notebook asks of an object."""
    shown = panel_of(url)._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in shown


def test_wrong_arguments_are_one_sentence(url: str):
    """Which, and what is expected."""
    site = recommender.connect(url)

    with pytest.raises(InputError, match="by: empty; give the judge's name"):
        recommender.judging(site, [bundle()], by=" ")
    with pytest.raises(ValueError, match="sample"):
        recommender.judging(site, [bundle()], by="ann", sample="clicks")
    with pytest.raises(ValueError, match="overlap: 20 is given"):
        recommender.judging(site, [bundle()], by="ann", overlap=20)
    with pytest.raises(TypeError, match="site: "):
        recommender.judging("site.db", [bundle()], by="ann")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lists: an empty list"):
        recommender.judging(site, [], by="ann")
    with pytest.raises(recommender.RecommenderError, match="nobody has graded a link yet"):
        recommender.judged(bundle(), site)


def test_without_ipywidgets_it_is_said_what_to_install(url: str, monkeypatch: pytest.MonkeyPatch):
    """The extra by its name."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)

    with pytest.raises(MissingExtra, match="notebooks"):
        recommender.judging(recommender.connect(url), [bundle(), OTHER], by="ann")


def test_a_store_that_cannot_be_opened_anew_is_named():
    """One in memory that only reads is none."""
    with Store("sqlite://") as store:
        stored(store, ARTICLES)
        pytest.importorskip("ipywidgets", reason="the extra notebooks is not installed")
        assert recommender.judging(store, [bundle(), OTHER], by="ann").judging.step is not None
    with pytest.raises(StoreError):
        recommender.connect("sqlite://")


def test_judged_takes_bundles_and_lists(url: str):
    """The first beside the others."""
    panel = panel_of(url)
    while panel.judging.step is not None:
        panel.grades[2].click()

    found = recommender.judged([bundle(), OTHER, "hand-picked"], recommender.connect(url), k=3)

    assert list(found.table.index[:3]) == [bundle().name, "lists 2", "hand-picked"]
    assert found.table["graded"].iloc[0] == 1
