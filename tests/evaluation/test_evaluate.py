"""A bundle is judged by views it has not seen, beside simple orders, with intervals."""

import json
from pathlib import Path

import judging
import numpy as np
import pytest
from sites import BODIES, NOW, built, click, stored, view

import recommender
from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.demo import prepare
from recommender.errors import EvaluationError
from recommender.evaluation.evaluate import MODEL, Report, judge
from recommender.events.event import Event
from recommender.store.database import Store
from recommender.store.impressions import read
from recommender.training.pipeline import build

SHOWN = ("sleep", "nap", "ankle", "hip")  # beside knee; text says hip, ankle, and then nothing


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Text decides: beside knee stands hip first, then ankle."""
    articles = [Article(id=id, title=id, body=body) for id, body in BODIES.items()]
    return built(tmp_path_factory.mktemp("judged"), articles)


def judged(bundle: Bundle, events: list[Event], **more: int) -> Report:
    with Store("sqlite://") as store:
        store.add_events(events)
        return judge(bundle, read(store), **more)


def views(
    clicked: str, n: int = 40, *, shown: tuple[str, ...] = SHOWN, **more: object
) -> list[Event]:
    """``n`` views of one list, each with a click on the same link."""
    events: list[Event] = []
    for number in range(n):
        name = f"{clicked}{number}"
        events += [view(name, "knee", *shown, **more), click(name, clicked)]
    return events


def test_a_model_that_puts_the_clicked_first_is_perfect(bundle: Bundle):
    """And the order shown, which had it last of four, is as bad as can be."""
    table = judged(bundle, views("hip")).table

    assert table.loc[MODEL, ["nDCG@10", "MRR", "AUC"]].tolist() == [1, 1, 1]
    assert table.loc["order shown", ["MRR", "AUC"]].tolist() == [1 / 4, 0]
    assert table.loc["order shown", "nDCG@10"] == pytest.approx(1 / np.log2(5))
    assert table.loc["order shown", "gain low"] == pytest.approx(1 - 1 / np.log2(5))


def test_a_model_that_puts_the_clicked_last_is_worst(bundle: Bundle):
    """Readers follow what is least alike, of three."""
    report = judged(bundle, views("sleep", shown=("sleep", "ankle", "hip")))

    assert report.table.loc[MODEL, ["MRR", "AUC"]].tolist() == [1 / 3, 0]
    assert report.table.loc["order shown", "MRR"] == 1
    assert "worse than order shown" in report.verdict


def test_the_most_clicked_order_knows_the_bundles_window_alone(tmp_path: Path):
    """Sleep was followed twice in it and hip never, however often hip is in the judged views."""
    articles = [Article(id=id, title=id, body=body) for id, body in BODIES.items()]
    seen = built(tmp_path, articles, views("sleep", 2))

    assert judged(seen, views("hip", shown=("hip", "sleep"))).table.loc["most clicked", "AUC"] == 0
    assert (
        judged(seen, views("sleep", shown=("hip", "sleep"))).table.loc["most clicked", "AUC"] == 1
    )


def test_an_article_the_bundle_does_not_know_comes_last(bundle: Bundle):
    """It cannot be ranked, and nobody is spared for it."""
    table = judged(bundle, views("new", shown=("new", "hip", "ankle"))).table

    assert table.loc[MODEL, "AUC"] == 0


def test_views_beside_an_unknown_page_are_judged(bundle: Bundle):
    """All its links tie, and the draw decides; nothing fails."""
    events = [view("v", "nowhere", "hip", "ankle"), click("v", "hip")]

    assert judged(bundle, events).n_views == 1


def test_intervals_widen_when_visits_are_few(bundle: Bundle):
    """Sixty views of three visits say as much as three, not as sixty."""
    random = np.random.default_rng(1)
    clicked = ["hip" if random.random() < 0.5 else "sleep" for _ in range(60)]

    def width(n_sessions: int) -> float:
        events: list[Event] = []
        for number, id in enumerate(clicked):
            # Within a visit all clicks are alike, as one reader's are.
            id = clicked[number % n_sessions]
            events += [
                view(f"v{number}", "knee", *SHOWN, session_id=f"s{number % n_sessions}"),
                click(f"v{number}", id),
            ]
        row = judged(bundle, events).table.loc[MODEL]
        assert row["MRR low"] <= row["MRR"] <= row["MRR high"]
        return float(row["MRR high"] - row["MRR low"])

    assert width(60) < width(6)


def test_a_metric_no_view_has_is_nan(bundle: Bundle):
    """Every link followed: nothing stands behind anything, so AUC means nothing."""
    events = [view("v", "knee", "hip", "ankle"), click("v", "hip"), click("v", "ankle")]

    row = judged(bundle, events).table.loc[MODEL]

    assert row["nDCG@10"] == 1
    assert np.isnan(row[["AUC", "AUC low", "AUC high"]].astype(float)).all()


def test_the_order_shown_is_left_out_where_it_is_not_known(bundle: Bundle):
    """One such view is enough, and the report says so."""
    report = judged(bundle, [*views("hip"), *views("nap", 1, ordered=False)])

    assert "order shown" not in report.table.index
    assert any("order shown is left out" in note for note in report.notes)


def test_why_nothing_is_estimated_of_the_bundles_own_lists_is_noted(bundle: Bundle):
    """Nobody knows where the links of these views stood, and the report says so."""
    report = judged(bundle, views("hip", ordered=False))

    assert report.off_policy is None
    (said,) = (note for note in report.notes if "is not estimated" in note)
    assert said == (
        "What the bundle's own lists would have won is not estimated: no view in the log shows "
        "what the candidate's lists would have won: 40 views are left out: the positions "
        "of their links are unknown."
    )
    assert judged(bundle, views("hip")).off_policy is not None


def test_nothing_to_judge_is_an_error(bundle: Bundle):
    """No view, or none that was followed."""
    for events in ([], [view("v", "knee", "hip", "nap")]):
        with pytest.raises(EvaluationError, match="no view to judge bundle"):
            judged(bundle, events)


def test_the_same_seed_gives_the_same_report(bundle: Bundle):
    """To the last digit; ``k`` names its own column."""
    one, two = (judged(bundle, views("hip"), seed=3, k=3) for _ in range(2))

    assert one.to_json() == two.to_json()
    assert one.metric == "nDCG@3"
    assert {"nDCG@3", "nDCG@5", "nDCG@10"} <= set(one.table.columns)


def test_views_the_bundle_has_seen_are_not_judged(tmp_path: Path):
    """Five days are in the data window; of the site's log, only the sixth is judged."""
    with Store(f"sqlite:///{tmp_path / 'site.db'}") as store:
        from recommender.articles.batch import Batch

        batch = Batch()
        for id, body in BODIES.items():
            batch.add(Article(id=id, title=id, body=body), "test")
        store.apply(batch)
        for day in range(1, 6):
            store.add_events(
                [view(f"v{day}", "knee", *SHOWN, day=day), click(f"v{day}", "hip", day=day)]
            )
        seen = build(store, tmp_path / "models", now=NOW)
        with pytest.raises(EvaluationError):
            recommender.evaluate(seen, store)
        store.add_events([view("v6", "knee", *SHOWN, day=6), click("v6", "hip", day=6)])

        assert recommender.evaluate(seen, store).n_views == 1


def test_a_report_can_be_read_by_people_and_programs(bundle: Bundle):
    """A sentence, a page with a picture and no markup of others' making, JSON, a notebook cell."""
    report = judged(bundle, views("hip"))

    page = report.to_html()
    assert report.verdict.startswith("nDCG@10 1.000 over 40 clicked views; better than order shown")
    assert page.count("<svg") == 3  # all orders, slices, and slices known after the click
    assert "<script" not in page
    assert report.bundle in page
    assert "<table" in report._repr_html_()
    content = json.loads(report.to_json())
    assert content["views"] == 40
    assert content["orders"][MODEL]["MRR"] == 1
    drawn = report.plot()._repr_svg_()
    assert all(f">{order}<" in drawn for order in report.table.index)
    assert drawn in page


@pytest.mark.slow
def test_articles_may_come_with_a_file_of_events(tmp_path: Path):
    """As a store, as a file, or not at all; a site that is connected brings its own."""
    log = tmp_path / "events.jsonl"
    prepare.write_log(log, judging.follow("knee", "hip", 3))
    records = [
        {"id": article.id, "title": article.title, "recommended": list(article.recommended)}
        for article in judging.ARTICLES
    ]
    path = tmp_path / "articles.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    with Store("sqlite://") as store:
        stored(store, judging.ARTICLES, [*judging.seen(), *judging.follow("knee", "hip", 3)])
        reports = [
            recommender.evaluate(judging.bundle(), log),
            recommender.evaluate(judging.bundle(), log, articles=path),
            recommender.evaluate(judging.bundle(), log, articles=store),
            recommender.evaluate(judging.bundle(), store),
        ]

    assert ["hand-picked" in report.table.index for report in reports] == [False, True, True, True]
    assert ["most recent" in report.table.index for report in reports] == [False, False, True, True]
    for report in reports[1:]:
        assert report.table.loc["hand-picked", "MRR"] == 1 / 2
        assert report.off_policy is not None


def test_metrics_are_those_of_the_views_whatever_else_is_shown(bundle: Bundle):
    """Means over the clicked views alone, each link of a slate ranked once."""
    events = [*views("hip", 3), *[view(f"idle{at}", "knee", *SHOWN) for at in range(5)]]

    table = judged(bundle, events, k=2).table

    assert table.loc["order shown", ["recall@2", "hit rate@2", "MAP"]].tolist() == [0, 0, 1 / 4]
    assert table.loc[MODEL, ["recall@2", "hit rate@2", "MAP"]].tolist() == [1, 1, 1]
