"""Several judged by the same views: paired, named, and never by what one of them has seen."""

import json
from html import escape

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from judging import BY_ID, JUDGED, bundle, follow, log_of, silent_bundle

from recommender.errors import EvaluationError, InputError
from recommender.evaluation.evaluate import judge
from recommender.evaluation.joint import WEIGHED, JointReport, judge_jointly
from recommender.evaluation.tidy import Figure
from recommender.events.event import Event

PICKED = {"knee": ["nap", "hip"], "sleep": ["hip"]}


def readers() -> list[Event]:
    """Of knee 30 want nap, which the editors have first, and 12 want hip, which the bundle has."""
    return [*follow("knee", "nap", 30), *follow("knee", "hip", 12)]


@pytest.fixture(scope="module")
def report() -> JointReport:
    return judge_jointly({"bundle": bundle(), "picked": PICKED}, log_of(readers()), articles=BY_ID)


def test_each_is_judged_as_it_is_alone():
    """The means are those of its own report."""
    report = judge_jointly({"text": silent_bundle(), "clicks": bundle()}, log_of(readers()))

    for name, made in (("text", silent_bundle()), ("clicks", bundle())):
        alone = judge(made, log_of(readers()), articles=BY_ID)
        for metric in alone.columns:
            assert report.table.loc[name, metric] == alone.table.loc["model", metric]


def test_the_gain_is_that_of_the_views(report: JointReport):
    """By hand in MRR: the bundle has hip, ankle, nap; the editors nap and hip. 30 readers gain two
    thirds, 12 lose a half.
    """
    row = report.differences.set_index("metric").loc["MRR"]

    assert report.run("bundle")["doc_id"].tolist()[:4] == ["hip", "ankle", "nap", "sleep"]
    assert row["difference"] == pytest.approx((30 * 2 / 3 - 12 / 2) / 42)
    assert row["low"] < row["difference"] < row["high"]
    assert row["n"] == 42


def test_the_verdict_names_who_is_better(report: JointReport):
    """With the gain, its interval, and what it is of."""
    assert report.judgement("picked") == "better"
    assert report.verdict.startswith("picked orders the links better than bundle (+")
    assert report.verdict.endswith("; 42 clicked views in 42 visits.")


def test_the_same_judged_twice_has_no_gain():
    """Paired: the difference is 0 whatever the readers did, and its interval too."""
    twice = judge_jointly({"a": bundle(), "b": bundle()}, log_of(readers()))

    row = twice.table.loc["b"]
    assert (row["gain"], row["gain low"], row["gain high"], row["gain p"]) == (0, 0, 0, 1)
    assert "b is not clearly apart from a" in twice.verdict


def test_paired_differences_are_surer_than_the_figures(report: JointReport):
    """Readers differ more than orders do."""
    wide = report.table["MRR high"] - report.table["MRR low"]
    near = {"knee": ["nap", "ankle", "sleep", "hip"]}
    found = judge_jointly(
        {"a": {"knee": ["nap", "ankle", "hip", "sleep"]}, "b": near}, log_of(readers())
    )

    gap = found.differences.set_index("metric").loc["MRR"]
    assert gap["high"] - gap["low"] < 0.2 * wide.min()


def test_p_values_are_corrected_for_the_number_of_bundles():
    """Two sure ones cost twice as much as one."""
    log = log_of(readers())
    one = judge_jointly({"a": bundle(), "b": PICKED}, log)
    two = judge_jointly({"a": bundle(), "b": PICKED, "c": PICKED}, log)

    assert two.table.loc["b", "gain p"] == pytest.approx(2 * one.table.loc["b", "gain p"])


def test_lists_are_judged_by_their_order():
    """Nap before hip, and what is not in the list behind, in any order."""
    log = log_of(readers())
    found = judge_jointly({"picked": PICKED, "turned": {"knee": ["hip", "nap"]}}, log)

    assert found.table["MRR"].tolist() == pytest.approx([(30 + 12 / 2) / 42, (12 + 30 / 2) / 42])
    assert found.judgement("turned") == "worse"
    assert len(found.slices) == 0
    assert found.plot_slices() is None


def test_views_of_pages_without_a_list_are_left_out_for_all_and_counted():
    """Lists given for knee alone are not judged on hip."""
    events = [*readers(), *follow("hip", "nap", 5)]
    found = judge_jointly({"picked": PICKED, "clicks": bundle()}, log_of(events))

    assert found.n_views == 42
    assert any("5 views are left out: picked have no list" in note for note in found.notes)
    with pytest.raises(EvaluationError, match="of 0 views none"):
        judge_jointly({"a": {"nap": ["hip"]}, "b": bundle()}, log_of(events))


def test_who_wins_by_the_places_it_had_is_doubted():
    """Lists in the order shown beside the reverse: all or none of the neighbours stand so, and if
    the first is better, that tells little; if the other one is, it does.
    """
    shown, turned = {"knee": ["nap", "hip"]}, {"knee": ["hip", "nap"]}

    for clicked, judged in (("nap", "worse"), ("hip", "better")):
        log = log_of(follow("knee", clicked, 20, shown=("nap", "hip")))
        found = judge_jointly({"shown": shown, "turned": turned}, log)

        assert found.agreement == {"shown": 1, "turned": 0}
        assert found.favoured("turned") == "shown"
        assert found.judgement("turned") == judged
        assert found.is_doubtful("turned") == (judged == "worse")
        assert ("but what readers saw was nearer to the order of shown" in found.verdict) == (
            judged == "worse"
        )
        assert "100 % shown, 0 % turned. Clicks at the top favour the highest." in found.notes[-1]


def test_nobody_is_favoured_where_no_order_is_known():
    """As in logs that have no positions."""
    log = log_of(follow("knee", "nap", 20, shown=("nap", "hip"), ordered=False))
    found = judge_jointly({"a": {"knee": ["hip", "nap"]}, "b": {"knee": ["nap", "hip"]}}, log)

    assert np.isnan(found.agreement["a"])
    assert found.favoured("b") is None
    assert found.judgement("b") == "better"
    assert not found.is_doubtful("b")


def test_places_are_weighed_where_a_bundle_knows_them(monkeypatch: pytest.MonkeyPatch):
    """Of two views, one follows the first place, looked at always, the other the second, looked at
    by a quarter: that counts four times, and decides.
    """
    examined = np.array([[1.0, 0.25]])
    monkeypatch.setattr("recommender.evaluation.joint.examined_by", lambda *_: examined)
    events = [
        *follow("knee", "nap", 1, shown=("nap", "hip")),
        *follow("knee", "hip", 1, shown=("nap", "hip"), day=JUDGED + 1),
    ]

    found = judge_jointly(
        {"a": {"knee": ["nap", "hip"]}, "b": {"knee": ["hip", "nap"]}}, log_of(events)
    )

    assert found.metric == "nDCG@10" + WEIGHED
    second = 1 / np.log2(3)
    assert found.table.loc["a", "nDCG@10"] == found.table.loc["b", "nDCG@10"]
    assert found.table[found.metric].tolist() == pytest.approx(
        [(1 + 4 * second) / 5, (4 + second) / 5]
    )
    assert found.table.loc["b", "gain"] == pytest.approx(3 * (1 - second) / 5)


def test_the_tidy_frame_has_every_figure_with_what_it_is_of(report: JointReport):
    """Means, gains and slices, in the same columns; figures are those of the wide tables."""
    tidy = report.tidy

    assert [*tidy] == [*Figure._fields]
    means = tidy[(tidy["against"] == "") & (tidy["by"] == "all")]
    assert len(means) == 2 * len(report.columns)
    wide = means.pivot(index="subject", columns="metric", values="estimate")
    for name in report.names:
        assert wide.loc[name, "MAP"] == report.table.loc[name, "MAP"]
    gain = tidy[(tidy["against"] == "bundle") & (tidy["metric"] == report.metric)]
    assert gain.iloc[0]["estimate"] == report.table.loc["picked", "gain"]
    assert {*gain["by"]} > {"all", "link followed"}
    assert {*tidy["denominator"]} == {"clicked views"}
    assert tidy["n"].between(1, 42).all()


def test_trec_eval_gives_the_runs_our_figures(report: JointReport):
    """nDCG@10 and the reciprocal rank, in the mean, of the frames as they are."""
    qrels = as_dict(report.qrels(), "relevance")
    for name in report.names:
        found = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut_10", "recip_rank"}).evaluate(
            as_dict(report.run(name), "score")
        )
        for theirs, ours in (("ndcg_cut_10", "nDCG@10"), ("recip_rank", "MRR")):
            mean = np.mean([each[theirs] for each in found.values()])
            assert mean == pytest.approx(report.table.loc[name, ours], abs=1e-9)


def as_dict(frame: pd.DataFrame, value: str) -> dict[str, dict[str, float]]:
    """By query, by document."""
    return {
        query: dict(zip(part["doc_id"], part[value].tolist(), strict=True))
        for query, part in frame.groupby("query_id")
    }


def test_every_order_of_a_report_is_a_run():
    """The baselines' figures too; an order that is none is named."""
    log = log_of(readers())
    alone = judge(bundle(), log, articles=BY_ID)
    qrels = as_dict(alone.qrels(), "relevance")
    judged = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut_10"})

    for order in alone.table.index:
        found = judged.evaluate(as_dict(alone.run(order), "score"))
        mean = np.mean([each["ndcg_cut_10"] for each in found.values()])
        assert mean == pytest.approx(alone.table.loc[order, "nDCG@10"], abs=1e-9)
    with pytest.raises(InputError, match="no run of 'best'; there are model"):
        alone.run("best")


def test_queries_are_views_in_the_order_of_time(report: JointReport):
    """Every link that was shown has a row, and one of each view is worth something."""
    qrels = report.qrels()

    assert len(qrels) == 4 * 42
    assert qrels.groupby("query_id")["relevance"].sum().tolist() == [1] * 42
    queries = report.ranked.queries()
    assert queries["query_id"].tolist() == [str(at) for at in range(1, 43)]
    assert {*queries["source_id"]} == {"knee"}
    assert queries["ts"].is_monotonic_increasing


def test_a_document_that_stands_twice_is_one():
    """In figures, in runs and in qrels; a click counts for the place it has first."""
    events = follow("knee", "nap", 1, shown=("hip", "nap", "hip"))
    found = judge_jointly({"a": {"knee": ["hip"]}, "b": {"knee": ["nap"]}}, log_of(events))

    assert found.run("b")["doc_id"].tolist() == ["nap", "hip"]
    assert found.qrels()[["doc_id", "relevance"]].to_numpy().tolist() == [["hip", 0], ["nap", 1]]
    assert found.table["MRR"].tolist() == [1 / 2, 1]
    twice = judge_jointly({"a": {"knee": ["nap"]}, "b": {"knee": ["hip"]}}, log_of(
        follow("knee", "hip", 1, shown=("hip", "nap", "hip"))
    ))  # fmt: skip
    assert twice.table["MRR"].tolist() == [1 / 2, 1]
    assert twice.table["AUC"].tolist() == [0, 1]


def test_programs_and_people_read_all_of_it(report: JointReport):
    """JSON without NaN, one page without scripts, the verdict first."""
    content = json.loads(report.to_json())
    page = report.to_html()

    assert content["bundles"]["bundle"]["gain"] is None
    assert content["verdict"] == report.verdict
    assert f"<h1>{escape(report.verdict)}</h1>" in page
    assert "<script" not in page
    assert page.count("<svg") == 2
    assert escape(report.verdict) in report._repr_html_()


def test_names_of_any_kind_are_text():
    """On the page and in the notebook."""
    evil = "<i>"
    found = judge_jointly({evil: bundle(), "b": silent_bundle()}, log_of(readers()))

    assert "<i>" not in found.to_html() + found._repr_html_()
