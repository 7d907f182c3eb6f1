"""What came of an experiment, on logs in which the truth is planted."""

import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sql
from sites import BODIES
from trials import PAGES, START, View, drawn_views, interleaved, split, store_of

import recommender
from recommender.articles.article import Article
from recommender.articles.batch import Batch
from recommender.errors import ExperimentError
from recommender.events.ingest import BEYOND_ORIGIN, BY_CRAWLER
from recommender.experiments import readout
from recommender.experiments.readout import ReadOut, read_out
from recommender.store.database import Store
from recommender.store.retention import forget_before, forget_session
from recommender.training.pipeline import build

NOW = START + timedelta(days=11)
RATES = dict(zip(PAGES, (0.1, 0.2, 0.4, 0.8, 0.3), strict=True))


def gains(**gain):
    """Readers who follow links of an arm so much more often, by page."""
    return lambda arm, page: RATES[page] * (1 + gain.get(arm, 0.0))


@pytest.fixture(scope="module")
def won():
    """The read-out of an experiment whose new arm wins a quarter more."""
    trial = split(50, 50)
    views = drawn_views(trial, 12_000, gains(new=0.25), before=3_000)
    return read_out(store_of(views), trial, now=NOW), views


def test_counts_are_those_of_the_log(won):
    """Views, clicks, clicked views and links of each arm, by hand."""
    found, views = won
    new = [view for view in views if view.arm == "new"]

    row = found.arms.loc["new"]

    assert row["views"] == len(new)
    assert row["clicks"] == sum(view.clicks for view in new)
    assert row["followed"] == sum(view.clicks > 0 for view in new)
    assert row["links"] == 4 * len(new)
    assert row["clicks per page view"] == pytest.approx(row["clicks"] / row["views"])
    assert row["clicks per link shown"] == pytest.approx(row["clicks"] / row["links"])


def test_a_planted_gain_is_found_and_the_verdict_has_the_command(won):
    """The interval holds it, and the sentence has what to do."""
    found, _ = won

    row = found.differences.query("metric == 'clicks per page view'").iloc[0]

    assert row["relative low"] < 0.25 < row["relative high"] and row["low"] > 0
    assert (found.decision, found.arm) == ("activate", "new")
    assert found.verdict.startswith("new wins ")
    assert found.verdict.endswith("run: recommender experiment stop --activate new.")


def test_what_pages_won_before_makes_it_surer(won):
    """Pages differ a lot here; the note has by how much."""
    found, _ = won

    assert 0.75 < found.adjustment["kept"]["new"] < 0.95
    assert any("is taken off: the variance is " in note for note in found.notes)


def test_each_day_has_its_figure(won):
    """Ten days, of which the last is the final figure."""
    found, _ = won
    row = found.differences.query("metric == 'clicks per page view'").iloc[0]

    assert found.daily["number"].tolist() == list(range(1, 11))
    assert found.daily.iloc[-1]["value"] == row["difference"]
    assert found.daily["views"].is_monotonic_increasing


def test_it_travels_as_json_and_as_one_page(won):
    """What was written is read, and the page has the verdict and a picture."""
    found, _ = won

    again = ReadOut.from_json(found.to_json())
    page = found.to_html()

    assert again == found and again.to_html() == page
    assert f"<h1>{found.verdict}</h1>" in page
    assert (
        "<svg" in page and "<script" not in page and "http" not in page.replace("http://www.w3", "")
    )


def test_what_is_no_read_out_is_refused():
    with pytest.raises(ExperimentError, match="no read-out"):
        ReadOut.from_json('{"views": 3}')


def test_without_a_difference_it_says_how_long_one_would_take():
    trial = split(50, 50)
    store = store_of(drawn_views(trial, 6_000, gains(), seed=2))

    found = read_out(store, trial, now=NOW)

    assert found.decision == "wait"
    assert found.verdict.startswith("No difference to old can be seen yet (new ")
    assert "one of 5 % would show after about" in found.verdict
    assert found.days_left > 10


def test_an_arm_that_loses_is_left():
    trial = split(50, 50)
    store = store_of(drawn_views(trial, 12_000, gains(new=-0.3)))

    found = read_out(store, trial, now=NOW)

    assert (found.decision, found.arm) == ("keep", "old")
    assert "fewer clicks per page view than old" in found.verdict
    assert found.verdict.endswith("run: recommender experiment stop; what is live stays.")


def test_when_it_is_over_the_sentence_has_another_command():
    trial = replace(split(50, 50), stopped=NOW.isoformat())
    store = store_of(drawn_views(trial, 12_000, gains(new=0.3)))

    found = read_out(store, trial, now=NOW)

    assert found.verdict.endswith("run: recommender models activate b1.")


def test_what_is_live_already_needs_no_command(tmp_path):
    trial = replace(split(50, 50), stopped=NOW.isoformat())
    (tmp_path / "CURRENT").write_text("b1\n")
    store = store_of(drawn_views(trial, 12_000, gains(new=0.3)))

    found = read_out(store, trial, now=NOW, models=tmp_path)

    assert found.verdict.endswith("than old; new is live: keep it.")


def test_of_three_arms_each_is_compared_with_the_first():
    trial = split(34, 33, 33)
    store = store_of(drawn_views(trial, 18_000, gains(new=0.02, other=0.4)))

    found = read_out(store, trial, now=NOW)

    assert found.differences["arm"].unique().tolist() == ["new", "other"]
    assert found.arm == "other"
    assert any("level 0.025 (Bonferroni)" in note for note in found.notes)


def test_views_that_go_missing_in_one_arm_are_not_trusted():
    """One in ten views of the new arm never arrives."""
    trial = split(50, 50)
    random = np.random.default_rng(1)
    views = drawn_views(trial, 12_000, gains(new=0.25))
    kept = [view for view in views if view.arm != "new" or random.random() > 0.1]

    found = read_out(store_of(kept), trial, now=NOW)

    assert found.decision == "distrust" and found.mismatch["found"]
    assert found.verdict.startswith("Do not trust the figures: arms were not seen as often")


def test_one_variant_that_is_drawn_too_often_is_not_trusted():
    """A cache that sends one variant to everybody, now and then."""
    trial = split(50, 50)
    views = drawn_views(trial, 12_000, gains())
    views += [View("old", "knee", 10 * at / 900, 7, 0, "b0") for at in range(900)]

    found = read_out(store_of(views), trial, now=NOW)

    assert found.mismatch["most deviating variant"] == 7
    assert found.decision == "distrust"


def sticky_views(*, keeps, seed=0, gain=0.0):
    """Readers of five views, each of whom follows a lot or hardly anything; with ``keeps`` all
    views of a visit have one variant.
    """
    trial, random, views = split(50, 50), np.random.default_rng(seed), []
    for visit in range(2_400):
        habit = random.gamma(0.5, 2)
        variant = int(random.integers(100))
        for at in range(5):
            variant = variant if keeps else int(random.integers(100))
            arm = trial.arms[trial.shown(variant).arm].name
            rate = 0.2 * habit * (1 + gain * (arm == "new"))
            day = visit / 240 + at / 2_000
            bundle = "b1" if arm == "new" else "b0"
            clicks = min(4, int(random.poisson(rate)))
            views.append(View(arm, "knee", day, variant, clicks, bundle, f"s{visit}"))
    return trial, views


def test_a_variant_for_each_visit_is_found_and_visits_stand_in_its_place():
    """Intervals are wider then, by what visits hang together."""
    trial, views = sticky_views(keeps=True)
    _, others = sticky_views(keeps=False)

    kept, drawn = (read_out(store_of(each), trial, now=NOW) for each in (views, others))

    assert kept.drawing["keeps"] and not drawn.drawing["keeps"]
    assert drawn.drawing["holds"] and not kept.drawing["holds"]
    assert not kept.mismatch["found"]
    width = [
        each.differences.iloc[0]["high"] - each.differences.iloc[0]["low"] for each in (kept, drawn)
    ]
    assert 1.2 < width[0] / width[1] < 2.5
    assert any("visits, " in note for note in kept.notes)


def test_a_variant_for_each_reader_is_found_where_no_visit_is_known():
    """By how the numbers of variants vary from hour to hour; variances are widened."""
    trial, views = sticky_views(keeps=True)
    for view in views:
        view.session = ""

    found = read_out(store_of(views), trial, now=NOW)

    assert not found.drawing["holds"]
    assert 3 < found.drawing["inflated"] < 6
    assert not found.mismatch["found"]
    assert any("Some views share a variant" in note for note in found.notes)


def test_where_few_visits_are_known_they_do_not_stand_for_all():
    """One reader in five agrees to be known: variances are widened for all."""
    trial, views = sticky_views(keeps=True)
    for view in views:
        view.session = view.session if view.session.endswith(("3", "7")) else ""

    found = read_out(store_of(views), trial, now=NOW)

    assert found.drawing["keeps"] and found.drawing["inflated"] > 3
    assert not any("stand in the place" in note for note in found.notes)
    assert any("Only 20 % of the views have a visit that is known" in note for note in found.notes)


def test_an_arm_with_short_lists_is_stopped():
    """One page in five has two links there, and readers follow more of them."""
    trial = split(50, 50)
    views = drawn_views(trial, 8_000, gains(new=0.3))
    for view in views:
        if view.arm == "new" and view.page == "nap":
            view.links, view.clicks = 2, min(2, view.clicks)

    found = read_out(store_of(views), trial, now=NOW)

    broken = found.guardrails.query("status == 'broken'")
    assert broken["guardrail"].tolist() == ["short lists"]
    assert found.decision == "stop"
    assert "of new's page views have fewer than 3 links, 0.0 % of old's; run: " in found.verdict
    assert any("Lists differ in length" in note for note in found.notes)


def marked(store, table, live, *, like):
    """The store, in which views or clicks with such an id came from somebody else."""
    with store.transaction() as connection:
        connection.execute(
            sql.text(f"UPDATE {table} SET live = :live WHERE view_id LIKE :like"),
            {"live": live, "like": like},
        )
    return store


@pytest.mark.parametrize("live", [BY_CRAWLER, BEYOND_ORIGIN])
def test_a_crawler_stops_nothing(live):
    """It drew one variant, and read two hundred pages with it: its views are left out."""
    trial = split(50, 50)
    views = drawn_views(trial, 4_000, gains())
    views += [View("new", "knee", 5 + at / 1e4, 77, 1, "b1") for at in range(300)]
    store = marked(store_of(views), "views", live, like="v0004%")

    found = read_out(store, trial, now=NOW)

    assert found.views == 4_000 and found.decision == "wait"
    assert set(found.guardrails["status"]) == {"control", "fine", "not known"}
    assert any(note.startswith("300 views of crawlers") for note in found.notes)


def fast_views(n, *, gain, share, seed=0):
    """Views of which each click is faster than a hand with such a chance, by arm."""
    trial, random = split(50, 50), np.random.default_rng(seed)
    views = drawn_views(trial, n, lambda arm, page: 0.8 * (1 + gain * (arm == "new")), seed=seed)
    store = store_of(views)
    with store.transaction() as connection:
        clicks = connection.execute(sql.text(
            "SELECT c.view_id AS view, c.item AS item, v.arm AS arm "
            "FROM clicks c JOIN views v ON v.view_id = c.view_id"
        )).all()  # fmt: skip
        fast = [
            {"view": each.view, "item": each.item}
            for each in clicks
            if random.random() < share[each.arm.removeprefix("autumn/")]
        ]
        connection.execute(sql.text("UPDATE clicks SET live = 1"))
        connection.execute(
            sql.text("UPDATE clicks SET ts = ts - 4900 WHERE view_id = :view AND item = :item"),
            fast,
        )
    return trial, store, views, len(fast)


def test_doubtful_clicks_are_left_out_and_their_views_are_kept():
    """One click in six is too fast, in both arms: the rates shrink alike, so the gain stays."""
    trial, store, views, n_fast = fast_views(8_000, gain=0.3, share={"old": 1 / 6, "new": 1 / 6})

    found = read_out(store, trial, now=NOW)

    assert found.views == 8_000
    assert found.arms["clicks"].sum() == sum(view.clicks for view in views) - n_fast
    new, old = (
        np.mean([view.clicks for view in views if view.arm == name]) for name in ("new", "old")
    )
    row = found.differences.query("metric == 'clicks per page view'").iloc[0]
    assert row["relative"] == pytest.approx(new / old - 1, abs=0.03) and row["relative low"] > 0
    rails = found.guardrails.query("guardrail == 'doubtful clicks'").set_index("arm")
    assert rails["value"].tolist() == [pytest.approx(1 / 6, abs=0.02)] * 2
    assert rails.loc["new", "status"] == "fine"
    assert found.decision == "activate"


def test_an_arm_whose_clicks_are_doubtful_breaks_a_guardrail():
    """A fifth of its clicks is too fast, of the control's a fiftieth."""
    trial, store, _, _ = fast_views(2_000, gain=0.3, share={"old": 0.02, "new": 0.2})

    found = read_out(store, trial, now=NOW)

    assert found.guardrails.query("status == 'broken'")["guardrail"].tolist() == ["doubtful clicks"]
    assert "of new's clicks are doubtful and left out" in found.verdict


@pytest.mark.parametrize(("n", "harmful"), [(2_200, 100), (300, 25)])
def test_harm_shows_in_small_numbers(n, harmful):
    """So many views of one arm with a short list, and none of the other's."""
    trial = split(50, 50)
    views = drawn_views(trial, n, gains())
    for view in [view for view in views if view.arm == "new"][:harmful]:
        view.links, view.clicks = 2, 0

    found = read_out(store_of(views), trial, now=NOW)

    assert found.guardrails.query("status == 'broken'")["guardrail"].tolist() == ["short lists"]


@pytest.mark.parametrize("keeps", [True, False])
def test_readers_who_keep_a_variant_break_no_guardrail(keeps):
    """Eight readers of the new arm met a short list, ten times each: that is eight, not eighty."""
    trial, random, views = split(50, 50), np.random.default_rng(4), []
    for reader in range(400):
        variant = int(random.integers(100))
        for at in range(10):
            variant = variant if keeps else int(random.integers(100))
            arm = trial.arms[trial.shown(variant).arm]
            views.append(View(arm.name, "knee", reader / 40 + at / 3_000, variant, 0, arm.bundle))
    for view in [view for view in views if view.arm == "new"][:80]:
        view.links = 2

    found = read_out(store_of(views), trial, now=NOW)

    assert (found.guardrails["status"] == "broken").any() != keeps


def test_slow_answers_break_a_guardrail():
    """They are counted by the servers, in the store's tallies."""
    trial = split(50, 50)
    store = store_of(drawn_views(trial, 8_000, gains()))
    rows = [("old 0.001", 9_000), ("old 0.25", 10), ("new 0.001", 8_000), ("new inf", 900)]
    with store.transaction() as connection:
        for name, n in rows:
            connection.execute(
                sql.text("INSERT INTO tallies (day, name, n) VALUES (1, :name, :n)"),
                {"name": f"seconds autumn/{name}", "n": n},
            )

    found = read_out(store, trial, now=NOW)

    assert found.guardrails.query("status == 'broken'")["guardrail"].tolist() == ["slow answers"]
    assert {row["arm"]: row["p99"] for row in found.latency_rows} == {"new": -1.0, "old": 0.001}
    assert ReadOut.from_json(found.to_json()) == found


def test_views_without_a_variant_are_named():
    """Imported ones, whose arm another system wrote down: they count, but nothing is checked."""
    trial = split(50, 50)
    store = store_of(drawn_views(trial, 3_000, gains()))
    with store.transaction() as connection:
        connection.execute(sql.text("UPDATE views SET variant = NULL"))

    found = read_out(store, trial, now=NOW)

    assert found.views == 3_000 and not found.mismatch["found"]
    assert any(note.startswith("Of 3,000 views the log does not have") for note in found.notes)
    assert not any("Nothing speaks against" in note for note in found.notes)


def test_lists_of_another_bundle_are_not_trusted():
    trial = split(50, 50)
    views = drawn_views(trial, 4_000, gains())
    for view in views[::10]:
        view.list = "b9"

    found = read_out(store_of(views), trial, now=NOW)

    assert found.decision == "distrust" and "most of them of b9" in found.verdict


def test_what_is_outside_and_what_is_forgotten_is_counted():
    trial = split(50, 50)
    views = drawn_views(trial, 3_000, gains())
    views += [View("", "knee", 1 + at / 100, 0, 0) for at in range(50)]
    for view in views[:20]:
        view.session = "s"
    store = store_of(views)
    forget_session(store, "s")

    found = read_out(store, trial, now=NOW)

    assert found.views == 2_980
    assert any(note.startswith("50 views of these days are outside") for note in found.notes)
    assert any(note.startswith("20 views of these days were forgotten") for note in found.notes)


def test_pages_on_which_arms_show_the_same_are_left_out(monkeypatch):
    """What remains has the whole effect, where all pages dilute it."""
    trial = split(50, 50)
    same = {"ankle", "sleep", "nap"}
    views = drawn_views(
        trial, 16_000, lambda arm, page: 0.3 * (1.3 if arm == "new" and page not in same else 1)
    )
    monkeypatch.setattr(readout, "pages_alike", lambda models, experiment: same)

    found = read_out(store_of(views), trial, now=NOW, models=Path())

    rows = found.differences.query("metric == 'clicks per page view'").set_index("pages")
    narrow, wide = rows.loc["pages where arms differ"], rows.loc["all pages"]
    assert narrow["relative low"] < 0.3 < narrow["relative high"]
    assert wide["relative"] < 0.2
    assert "on pages where they differ" in found.verdict
    assert any("What decides are pages where the arms differ" in note for note in found.notes)


@pytest.mark.parametrize("gain", [0.0, 0.5])
def test_arms_that_show_the_same_check_the_set_up(monkeypatch, gain):
    """No page differs: any difference is chance, and one that is no chance is not trusted."""
    trial = split(50, 50)
    views = drawn_views(trial, 6_000, gains(new=gain))
    monkeypatch.setattr(readout, "pages_alike", lambda models, experiment: {*PAGES})

    found = read_out(store_of(views), trial, now=NOW, models=Path())

    assert found.primary == "all pages"
    assert "he arms show the same lists on all pages" in found.verdict
    assert found.decision == ("distrust" if gain else "equal")


def test_arms_that_differ_on_hardly_any_page_are_taken_to_show_the_same(monkeypatch):
    """One view in a thousand would never decide."""
    trial = split(50, 50)
    views = [view for view in drawn_views(trial, 9_000, gains()) if view.page != "nap"]
    views += [View("old", "nap", 2, 3, 0), View("new", "nap", 2, 73, 0, "b1")]
    monkeypatch.setattr(readout, "pages_alike", lambda models, experiment: {*PAGES} - {"nap"})

    found = read_out(store_of(views), trial, now=NOW, models=Path())

    assert found.verdict.startswith("The arms show the same lists on all but 2 of 7,")


def test_the_loser_is_not_left_live(tmp_path):
    """The documented set-up: hand-picked lists against what is live, which loses."""
    trial = split(50, 50)
    old, new = trial.arms
    arms = replace(old, shows="hand-picked"), replace(new, shows="live")
    (tmp_path / "CURRENT").write_text("b1\n")
    store = store_of(drawn_views(trial, 12_000, gains(new=-0.3)))

    found = read_out(store, replace(trial, arms=arms), now=NOW, models=tmp_path)

    assert found.decision == "keep"
    assert "; run: recommender experiment stop --activate old (and train" in found.verdict


def test_a_bundle_trained_since_stays_if_the_arm_that_was_live_wins(tmp_path):
    """But not one that is older, to which somebody went back."""
    pages = [Article(id=id, title=id.title(), body=body) for id, body in BODIES.items()]
    with Store("sqlite://") as site:
        site.apply(Batch({page.id: page for page in pages}))
        first, second = (
            build(site, tmp_path, now=NOW + timedelta(days=day)).name for day in (0, 1)
        )
    trial, verdicts = split(50, 50), []
    for at_start, live in ((first, second), (second, first)):
        (tmp_path / "CURRENT").write_text(f"{live}\n")
        old, new = trial.arms
        arms = replace(old, shows="b0"), replace(new, shows="live", bundle=at_start)
        asked = replace(trial, arms=arms)
        store = store_of(drawn_views(asked, 6_000, gains(new=0.5)))

        found = read_out(store, asked, now=NOW, models=tmp_path)

        verdicts.append(found.verdict.partition("; ")[2])

    assert verdicts == [
        "run: recommender experiment stop; what is live, trained since in the same way, stays.",
        "run: recommender experiment stop --activate new.",
    ]


def test_what_was_forgotten_of_the_beginning_is_part_of_the_experiment():
    """Its first days are no log from before, and the note has them."""
    trial = split(50, 50)
    store = store_of(drawn_views(trial, 6_000, gains(), before=1_000))
    forget_before(store, round((START + timedelta(days=4)).timestamp() * 1000))

    found = read_out(store, trial, now=NOW)

    assert found.views == 3_600
    assert found.adjustment["views before"] == 1_000
    assert any(note.startswith("2,400 views of these days were forgotten") for note in found.notes)
    assert any("Intervals begin anew" in note for note in found.notes)


def test_where_all_was_forgotten_the_sentence_has_it():
    trial = replace(split(50, 50), stopped=NOW.isoformat())
    store = store_of(drawn_views(trial, 600, gains()))
    forget_before(store, round(NOW.timestamp() * 1000))

    found = read_out(store, trial, now=NOW + timedelta(days=90))

    assert found.verdict == (
        "No view of experiment autumn is in the log any more: 600 views of its days were forgotten."
    )


def test_before_the_first_view_there_is_nothing_to_say():
    trial = split(50, 50)

    found = read_out(store_of([]), trial, now=NOW)

    assert found.decision == "wait" and found.views == 0
    assert found.verdict.startswith("No view of experiment autumn is in the log yet: see that ")
    assert "<h1>" in found.to_html()
    assert ReadOut.from_json(found.to_json()) == found


@pytest.mark.parametrize("n", [1, 2, 3, 60])
def test_with_few_clicks_nothing_is_concluded(n):
    trial = split(50, 50)

    found = read_out(store_of(drawn_views(trial, n, gains(), before=20)), trial, now=NOW)

    assert found.decision == "wait" and found.verdict.startswith("Too little is known yet")
    assert found.differences["low"].isna().all()
    assert "<h1>" in found.to_html()


def mixed_views(n, *, first, second, seed=0):
    """Views of two links of each arm, in turn; links of the arms are followed at such rates."""
    random, views = np.random.default_rng(seed), []
    for at in range(n):
        variant = int(random.integers(100))
        teams = "1221" if variant % 2 else "2112"
        rates = np.where(np.array([*teams]) == "1", first, second)
        followed = np.flatnonzero(random.random(4) < rates)
        views.append((teams, variant, 10 * at / n, followed))
    return views


def interleaved_store(drawn):
    """A store of such views."""
    views = [View(teams, "knee", day, variant, 0, "mixed") for teams, variant, day, _ in drawn]
    store = store_of(views, experiment="mixed")
    with store.transaction() as connection:
        keys = dict(connection.execute(sql.text("SELECT id, key FROM ids")).all())
        rows = [
            {"view": f"v{number:07d}", "item": keys["abcd"[place]]}
            for number, (_, _, _, followed) in enumerate(drawn)
            for place in followed.tolist()
        ]
        connection.execute(
            sql.text("INSERT INTO clicks (view_id, item, ts, live) "
                     "SELECT :view, :item, ts + 5000, 1 FROM views WHERE view_id = :view"),
            rows,
        )  # fmt: skip
    return store


def test_clicks_are_credited_to_the_arm_that_picked_the_link():
    """Counted by hand, and the better arm is preferred."""
    drawn = mixed_views(4_000, first=0.08, second=0.12)
    trial = interleaved()

    found = read_out(interleaved_store(drawn), trial, now=NOW)

    one = sum(teams[place] == "1" for teams, _, _, clicks in drawn for place in clicks)
    two = sum(teams[place] == "2" for teams, _, _, clicks in drawn for place in clicks)
    assert found.interleaving["clicks"] == [one, two]
    assert found.interleaving["share"] == pytest.approx(two / (one + two))
    assert found.interleaving["low"] > 0.5
    assert (found.decision, found.arm) == ("activate", "new")
    assert found.verdict.startswith("Readers prefer new to old")
    assert "<h1>" in found.to_html() and ReadOut.from_json(found.to_json()) == found


def test_without_a_preference_none_is_seen():
    found = read_out(
        interleaved_store(mixed_views(3_000, first=0.1, second=0.1)), interleaved(), now=NOW
    )

    assert found.decision == "wait"
    assert found.interleaving["low"] < 0.5 < found.interleaving["high"]
    assert found.verdict.startswith("No preference can be seen yet")


def test_the_front_door_reads_the_experiment_that_runs_or_the_last(tmp_path):
    """By name, too; and says so if there was none."""
    trial = split(50, 50)
    site = recommender.Site(store_of(drawn_views(trial, 2_000, gains())))
    with pytest.raises(ExperimentError, match="no experiment was started yet"):
        recommender.experiment(tmp_path, site)
    for experiment in (trial, replace(trial, name="before", started="2026-01-01T00:00:00+00:00")):
        folder = tmp_path / "experiments" / experiment.name
        folder.mkdir(parents=True)
        (folder / "experiment.json").write_text(json.dumps(asdict(experiment)))

    found = recommender.experiment(tmp_path, site)

    assert (found.name, found.views) == ("autumn", 2_000)
    assert recommender.experiment(tmp_path, site, "before").views == 0
    assert any("A bundle of the arms is no longer there" in note for note in found.notes)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [(("models",), "site: None is given"), (("models", "site"), "site: 'site' is given")],
)
def test_the_front_door_wants_a_site(arguments, fault):
    with pytest.raises(TypeError, match=fault):
        recommender.experiment(*arguments)


@pytest.mark.parametrize("keeps", [True, False])
def test_every_kind_of_database_counts_alike(store, keeps):
    """Views, visits, doubtful views, what was before, what was forgotten."""
    trial, views = sticky_views(keeps=keeps)
    views = views[:2_000]
    views += [View("", page, -1 - at / 9, 0, at % 3) for at in range(60) for page in PAGES]

    expected, found = (
        read_out(doubted(store_of(views, store=each)), trial, now=NOW)
        for each in (Store("sqlite://"), store)
    )

    assert found.arm_rows == expected.arm_rows
    assert found.guardrail_rows == expected.guardrail_rows
    assert found.notes == expected.notes
    assert found.difference_rows == [pytest.approx(row) for row in expected.difference_rows]
    rows = {(row["guardrail"], row["arm"]): row["value"] for row in found.guardrail_rows}
    assert rows["doubtful clicks", "old"] > 0.01
    assert any("were forgotten" in note for note in found.notes)


def doubted(store):
    """The store, in which one in ten views is followed faster than a hand can be, and one session
    is forgotten.
    """
    with store.transaction() as connection:
        connection.execute(
            sql.text("UPDATE clicks SET ts = ts - 4990, live = 1 WHERE view_id LIKE '%7'")
        )
    forget_session(store, "s3")
    return store
