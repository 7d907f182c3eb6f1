"""What was fitted stays while little came since; what is counted is counted of all there is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sites import NOW, random_articles, random_events, stored

from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.ranking.handpicked import Outcome
from recommender.ranking.ranker import NOTHING, Lesson
from recommender.store.database import Store
from recommender.training import pipeline
from recommender.training.fitted import Fitted, prints_of_lists
from recommender.training.pipeline import Options, build
from recommender.training.shelf import Shelf
from recommender.training.work import Work

LESSON = Lesson(NOTHING, True, "learned", {}, {}, 1_000)


def fitted(lists: list[int], n_clicks: int = 1_000) -> Fitted:
    taught = Outcome(None, "nothing", 0, {}, {})
    return Fitted(taught, None, np.array(lists, dtype=np.uint64), LESSON, None, n_clicks)


@pytest.mark.parametrize(
    ("lists", "holds"),
    [
        (range(100), True),
        (range(5, 105), True),
        (range(6, 106), False),
        (range(95), True),
        (range(94), False),
        (range(105), True),
        (range(106), False),
    ],
)
def test_what_lists_taught_stays_for_a_twentieth_of_changed_ones(lists: range, holds: bool):
    """Whether they changed, came or went."""
    known = fitted(list(range(100)))

    assert known.holds_of(np.array(lists, dtype=np.uint64)) is holds


@pytest.mark.parametrize(
    ("n_clicks", "stays"), [(1_000, True), (1_050, True), (1_051, False), (950, True), (949, False)]
)
def test_what_clicks_taught_stays_for_a_twentieth_of_new_ones(n_clicks: int, stays: bool):
    """Clicks that are gone count as well."""
    assert fitted([]).lesson_at(n_clicks) is (LESSON if stays else None)


def test_prints_are_of_pages_and_their_lists():
    """In any order of the pages; a list that is on another page is another list."""
    one, other = Article("a", "A", recommended=("b", "c")), Article("b", "B", recommended=("a",))
    changed = replace(one, recommended=("c", "b"))
    moved = replace(one, id="z")

    prints = prints_of_lists([one, other, Article("c", "C")])

    assert len(prints) == 2
    assert np.array_equal(prints, prints_of_lists([other, one]))
    for each in (changed, moved):
        assert len(np.intersect1d(prints, prints_of_lists([each, other]))) == 1


@pytest.mark.slow
def test_a_few_clicks_more_do_not_have_all_fitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The clicks themselves count at once; by other rules all is fitted."""
    articles = random_articles(110, seed=4)
    events = [*random_events(articles, seed=5, n=2_500)]
    work, times = Work(Shelf(str(tmp_path / "work")), 1), {"lists": 0, "clicks": 0}
    learn, learn_lists = pipeline.learn, pipeline.handpicked.learn

    def noted(name, function):  # type: ignore[no-untyped-def]
        def called(*args, **options):  # type: ignore[no-untyped-def]
            times[name] += 1
            return function(*args, **options)

        return called

    monkeypatch.setattr(pipeline, "learn", noted("clicks", learn))
    monkeypatch.setattr(pipeline.handpicked, "learn", noted("lists", learn_lists))
    few, many = len(events) * 9 // 10, len(events) * 92 // 100

    def train(n_events: int, **options) -> Bundle:  # type: ignore[no-untyped-def]
        with Store(f"sqlite:///{tmp_path / f'{n_events}.db'}") as store:
            stored(store, articles, events[:n_events])
            options = Options(jobs=1, **options)  # type: ignore[assignment]
            return build(store, tmp_path / "models", now=NOW, options=options, work=work)  # type: ignore[arg-type]

    first = train(few)
    assert times == {"lists": 1, "clicks": 1}
    second = train(many)
    assert times == {"lists": 1, "clicks": 1}
    assert second.about.n_clicks > first.about.n_clicks
    assert work.kept().fitted.n_clicks < second.about.n_logged_clicks
    train(len(events), seed=3)
    assert times == {"lists": 2, "clicks": 2}
