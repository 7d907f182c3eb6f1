"""What a candidate would win, estimated from the log; what cannot be estimated is not."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sites import BODIES, NOW, built, click, stored, view

import recommender
from recommender.articles.article import Article
from recommender.bundle.bundle import Bundle
from recommender.cli.main import main
from recommender.demo import readers
from recommender.errors import EvaluationError, InputError
from recommender.evaluation.offpolicy import DR, IPS, PBM, SNIPS, OffPolicy
from recommender.events.event import Click, Event, Impression
from recommender.store.database import Store
from recommender.training.pipeline import build

# Beside the knee, in nine views of ten the first list, in one the second.
SHOWN, OTHER = ("sleep", "hip"), ("hip", "sleep")
# Chances of a click, list by list: the hip is wanted, and places are looked at alike.
FOLLOW = {"hip": 0.4, "sleep": 0.1}


def log(
    n: int, *, seed: int = 2, chances: bool = True, day: float = 400, rare: float = 0.1
) -> list[Event]:
    """Views of the two lists, in visits of two; a ``rare`` share of the second."""
    random = np.random.default_rng(seed)
    events: list[Event] = []
    for number in range(n):
        shown, chance = (OTHER, rare) if random.random() < rare else (SHOWN, 1 - rare)
        more = {"propensities": (chance, chance)} if chances else {}
        name = f"v{seed}-{number}"
        session = f"s{seed}-{number // 2}"
        events.append(view(name, "knee", *shown, day=day, session_id=session, **more))
        events += [click(name, id, day=day) for id in shown if random.random() < FOLLOW[id]]
    return events


def frame(events: list[Event]) -> list[pd.DataFrame]:
    """As an analyst has them."""
    rows = [event._asdict() for event in events]
    for row in rows:
        row["ts"] = pd.Timestamp(row["ts"], unit="ms", tz="UTC")
    views, clicks = ([row for row in rows if name in row] for name in ("shown", "clicked"))
    return [pd.DataFrame(views), pd.DataFrame(clicks)]


def judged(candidate: object, events: list[Event], **more: object) -> OffPolicy:
    """By these events, as they come from a store."""
    with Store("sqlite://") as store:
        store.add_events(events)
        return recommender.off_policy(candidate, store, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Trained on a log of its own, which swaps the two links: it states chances."""
    articles = [Article(id=id, title=id, body=body) for id, body in BODIES.items()]
    return built(
        tmp_path_factory.mktemp("off-policy"), articles, log(4_000, seed=9, day=300, rare=0.5)
    )


@pytest.mark.slow
def test_lists_are_judged_by_what_was_shown_at_random():
    """Both orders win half a click a view; taking sleep away costs a tenth."""
    found = judged({"knee": OTHER}, log(4_000))

    row = found.table.loc[SNIPS]
    assert row["low"] < 0.5 < row["high"]
    assert row["gain low"] < 0 < row["gain high"]
    assert 300 < row["effective sample"] < 500
    assert row["top 1 %"] == pytest.approx(0.1, abs=0.02)
    assert row["unsupported"] < 0.1
    assert not row["depends on model"]
    assert found.logged.low < 0.5 < found.logged.high
    assert found.best == SNIPS
    assert "no clear difference to what was shown" in found.verdict
    shorter = judged({"knee": ["hip"]}, log(4_000), k=1)
    assert shorter.table.loc[IPS, "gain low"] > 0.1
    assert "more than what was shown" in shorter.verdict


def test_lists_may_come_as_a_table():
    """One row a link, in any order."""
    table = pd.DataFrame({"source_id": ["knee"] * 2, "position": [2, 1], "id": ["sleep", "hip"]})

    one = recommender.off_policy(table, frame(log(2_000)))

    two = judged({"knee": OTHER}, log(2_000))
    assert one.to_dict() == two.to_dict()
    with pytest.raises(InputError, match="takes columns position"):
        recommender.off_policy(table.drop(columns="position"), [])


def test_lists_alone_have_no_model():
    """The two estimators that take one say so; a bundle may lend its own."""
    events = log(4_000)
    alone = judged({"knee": OTHER}, events)

    for name in (DR, PBM):
        assert np.isnan(alone.table.loc[name, "estimate"])
        assert "give a bundle as model" in alone.table.loc[name, "summary"]


def test_a_bundle_lends_its_chances_and_positions(bundle: Bundle):
    """It learned from other views, so both are right; doubly robust is what the verdict is of."""
    found = judged({"knee": OTHER}, log(4_000), model=bundle)

    for name in (DR, PBM):
        row = found.table.loc[name]
        assert row["low"] < 0.5 < row["high"]
    assert found.best == SNIPS
    assert found.table.loc[PBM, "depends on model"]
    assert not any("flatter" in note for note in found.notes)


def test_a_log_without_chances_leaves_the_model_of_positions(bundle: Bundle):
    """Nothing else is given, and the reason is. This bundle's log had two links that moved,
    too few to identify how places are examined, so that the verdict does not rest on it.
    """
    found = judged({"knee": OTHER}, log(2_000, chances=False), model=bundle)

    given = found.table["estimate"].notna()
    assert given[given].index.tolist() == [PBM]
    for name in (IPS, SNIPS, DR):
        assert "no view in the log has the chances" in found.table.loc[name, "summary"]
    assert found.best is None
    assert "does not identify the examination of positions" in found.table.loc[PBM, "summary"]
    assert "clicks a page view is a guess" in found.verdict


def test_too_little_is_refused_in_words():
    """Few views, few clicks, or a list the log has no view of."""
    few = judged({"knee": OTHER}, log(300))
    strange = judged({"knee": ("nap", "hip")}, log(4_000))
    views = [event for event in log(4_000) if not isinstance(event, Click)]
    silent = judged({"knee": OTHER}, views)

    assert "views of the candidate's lists; 100 is the least" in few.table.loc[IPS, "summary"]
    assert "of 50 % of the candidate's places the log has no view" in strange.verdict
    assert "0 clicks bear on the candidate's lists" in silent.table.loc[SNIPS, "summary"]
    for found in (few, strange, silent):
        assert found.best is None
        assert found.table["estimate"].isna().all()
        assert found.verdict.startswith(
            "The log gives no estimate of what the lists given would win"
        )


def test_clicks_on_what_everybody_saw_do_not_make_up_for_rare_ones():
    """The candidate keeps the first link and changes the second, which one view in fifty showed:
    hundreds of clicks on the first are as many as fall on a few views of the two.
    """
    random = np.random.default_rng(0)
    events: list[Event] = []
    for number in range(12_000):
        rare = number % 50 == 0
        shown, second = ("sleep", "nap") if rare else SHOWN, 0.02 if rare else 0.98
        events.append(view(f"v{number}", "knee", *shown, propensities=(1.0, second)))
        events += [click(f"v{number}", "sleep")] * (random.random() < 0.04)

    table = judged({"knee": ("sleep", "nap")}, events).table

    assert table.loc[SNIPS, "effective sample"] > 400
    assert "clicks bear on the candidate's lists; 20 is the least" in table.loc[SNIPS, "summary"]


def test_a_rare_slate_weighs_in_full():
    """A chance of 1 in 50 weighs 50: no weight is cut, which would put the estimate too low."""
    events: list[Event] = []
    for number in range(10_000):
        shown, chance = (OTHER, 0.02) if number % 50 == 0 else (SHOWN, 0.98)
        events.append(view(f"v{number}", "knee", *shown, propensities=(chance, chance)))
        events += [click(f"v{number}", "hip")] * (number % 100 == 0)

    table = judged({"knee": OTHER}, events).table

    assert table.loc[IPS, "estimate"] == pytest.approx(0.5)
    assert table.loc[SNIPS, "estimate"] == pytest.approx(0.5)


@pytest.mark.slow
def test_what_is_left_out_is_noted(bundle: Bundle):
    """Views without chances or places, and pages the candidate knows nothing of."""
    events = [
        *log(600),
        view("a", "knee", *SHOWN, day=400),
        view("b", "knee", *SHOWN, day=400, ordered=False),
        view("c", "hip", "knee", "nap", day=400, propensities=(1.0, 1.0)),
        view("d", "elbow", "knee", "nap", day=400, propensities=(1.0, 1.0)),
    ]  # fmt: skip

    of_lists = judged({"knee": OTHER}, events)
    of_bundle = judged(bundle, events)

    assert of_lists.n_views == 600
    said = " ".join(of_lists.notes)
    assert "1 views are left out: the positions of their links are unknown" in said
    assert "1 views are left out: the chances of their links are not logged" in said
    assert "2 views are left out: the candidate has no list" in said
    assert of_bundle.n_views == 602
    assert any("1 views are of pages the bundle does not know" in note for note in of_bundle.notes)


def test_views_the_bundle_learned_from_are_noted(bundle: Bundle):
    """Of files all are judged, with a warning; of a site only what came after."""
    found = recommender.off_policy(bundle, frame(log(400, seed=9, day=300)), 10)

    assert any("400 of these views are not later" in note for note in found.notes)


def test_of_a_site_only_later_views_count(bundle: Bundle, tmp_path: Path):
    """None is an error; flagged ones are left out."""
    url = f"sqlite:///{tmp_path / 'site.db'}"
    store = Store(url)
    site = recommender.connect(url)
    store.add_events(log(300, seed=9, day=299))
    with pytest.raises(EvaluationError, match="no view"):
        recommender.off_policy(bundle, site)
    store.add_events(log(400))
    store.close()

    assert recommender.off_policy(bundle, site).n_views == 400
    site.store.close()


def test_people_and_programs_can_read_it(bundle: Bundle):
    """A sentence, a cell of a notebook, JSON without NaN, a picture of every estimator."""
    found = judged({"knee": OTHER}, log(2_000, chances=False), model=bundle)

    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))

    assert content["estimators"][IPS]["estimate"] is None
    assert content["estimators"][PBM]["estimate"] == pytest.approx(found.table.loc[PBM, "estimate"])
    assert content["logged"]["value"] == found.logged.value
    assert "<table" in found._repr_html_()
    drawn = found.plot()._repr_svg_()
    words = re.findall(">([^<>]+)</text>", drawn)
    assert [each for each in words if each in found.table.index] == list(found.table.index)
    assert drawn.count(">not given<") == 3


def test_estimates_that_are_all_refused_are_drawn(bundle: Bundle):
    """Every line is there, without an interval."""
    found = judged({"knee": OTHER}, log(2_000, chances=False), model=bundle)
    table = found.table.assign(estimate=np.nan, low=np.nan, high=np.nan)

    drawn = replace(found, table=table).plot()._repr_svg_()

    assert drawn.count(">not given<") == len(table)


@pytest.mark.slow
def test_the_sample_sites_readers_agree(learned: Bundle, sample: Path):
    """Lists as the bundle would order the editors' links, judged by readers who saw these in any
    order: estimates hold what the readers' stated taste says.
    """
    with Store(f"sqlite:///{sample / 'site.db'}") as store:
        picked = {page.id: page.recommended for page in store.articles() if not page.stub}
    known = learned.lists.find
    lists = {}
    for id, links in picked.items():
        there = [link for link in dict.fromkeys(links) if known(link) is not None]
        order = np.argsort(-learned.score(id, there), kind="stable")
        lists[id] = [there[at] for at in order]
    visits = list(readers.visits(picked, seed=7, days=20, a_day=300))
    later = [event._replace(ts=event.ts + 40 * 86_400_000) for event in visits]

    found = judged(lists, later, model=learned)

    pages = [
        event.source_id for event in visits if isinstance(event, Impression) and event.propensities
    ]
    right = np.mean([readers.expected_clicks(page, lists[page]) for page in pages])
    for name in (IPS, SNIPS, DR):
        row = found.table.loc[name]
        assert row["low"] < right < row["high"]
    assert found.n_views == len(pages)
    silent = [e._replace(propensities=None) if isinstance(e, Impression) else e for e in later]
    by_places = judged(lists, silent, model=learned)
    assert by_places.best == PBM
    assert by_places.table.loc[PBM, "low"] < right < by_places.table.loc[PBM, "high"]
    assert "if the model of positions is right" in by_places.verdict
    assert found.best == SNIPS
    assert "more than what was shown" in found.verdict


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    """Beside the order of the links: what the lists would have won, or why nobody can say."""
    monkeypatch.chdir(tmp_path)
    with Store("sqlite:///recommender.db") as store:
        articles = [Article(id=id, title=id, body=body) for id, body in BODIES.items()]
        stored(store, articles, log(400, seed=9, day=300, rare=0.5))
        build(store, tmp_path / "models", now=NOW)
        store.add_events(log(400, rare=0.5))

    assert main(["evaluate", "--json", "report.json"]) == 0

    said = capsys.readouterr().out
    assert "had these lists been shown" in said
    for name in (IPS, DR, PBM):
        assert name in said
    assert f"{DR}: not given: " in said
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["off_policy"]["views"] == 400
    assert set(content["off_policy"]["estimators"]) == {IPS, SNIPS, DR, PBM}
