"""A planted difference is found in the slice it was planted in."""

import numpy as np
import pytest
from judging import JUDGED, case, follow

from recommender.evaluation.baselines import Case
from recommender.evaluation.slices import AGE, CATEGORY, KNOWN, TRAFFIC, all_slices, slice_table
from recommender.events.event import Event

JOINTS = follow("knee", "hip", 40)
REST = follow("sleep", "nap", 40, shown=("nap", "hip"))


def sizes(case: Case, by: str) -> dict[str, int]:
    """How many views each slice has."""
    return {name: int(mask.sum()) for kind, name, mask in all_slices(case) if kind == by}


def test_a_planted_difference_is_found_where_it_is():
    """Gains of 1 with noise on pages on joints, noise alone on pages on rest."""
    known = case([*JOINTS, *REST])
    random = np.random.default_rng(0)
    on_joints = known.views.source[known.views.slate] == known.views.ids.index("knee")
    gain = on_joints + random.normal(size=80)

    found = slice_table(known, np.ones(80), gain, random, metric="nDCG@10")

    rows = found[found["by"] == CATEGORY].set_index("slice")
    assert rows.loc["joints", "gain"] == pytest.approx(gain[on_joints].mean())
    assert rows.loc["joints", "gain low"] > 0.5
    assert rows.loc["joints", "gain p"] < 0.05 < rows.loc["rest", "gain p"]
    assert rows.loc["rest", ["views", "visits", "nDCG@10"]].tolist() == [40, 40, 1]


def test_luck_in_one_of_many_slices_is_not_taken_for_a_difference():
    """p-values are corrected for the number of slices: none is below the uncorrected one."""
    known = case([*JOINTS, *REST])
    random = np.random.default_rng(1)

    found = slice_table(known, np.ones(80), random.normal(size=80), random, metric="MRR")

    assert len(found) > 4
    assert (found["gain p"] > 0.05).all()


def test_slices_of_few_visits_are_left_out():
    """Forty views of two readers say as little as two; then there is no slice at all."""
    events: list[Event] = []
    for number in range(2):
        events += follow("knee", "hip", 20, day=JUDGED + number, session_id=f"s{number}")
    known = case(events)

    found = slice_table(known, np.ones(40), np.ones(40), np.random.default_rng(0), metric="MRR")

    assert len(found) == 0
    assert {"by", "slice", "MRR", "gain low", "gain p"} <= set(found.columns)


def test_categories_have_names():
    """The articles', or, where they are not at hand, that of the category's most read page."""
    events = [*JOINTS, *REST, *follow("nowhere", "hip", 1)]

    assert sizes(case(events), CATEGORY) == {
        "joints": 40, "rest": 40, "other categories": 0, "no category": 1,
    }  # fmt: skip
    named = sizes(case(events, with_articles=False), CATEGORY)
    assert named["that of “Ankles”"] == named["that of “Naps”"] == 40
    assert sizes(case(JOINTS), CATEGORY) == {}


def test_traffic_is_cut_into_thirds_of_the_views():
    """The page with two thirds of the views is the first third, and there is no second."""
    events = [*follow("knee", "hip", 4), *follow("sleep", "nap", 1, shown=("nap", "hip"))]
    events += follow("hip", "knee", 1, shown=("knee", "nap"))

    assert list(sizes(case(events), TRAFFIC).values()) == [4, 0, 2]


def test_age_is_that_on_the_day_of_the_view():
    """Knee came out on 20 October: 13 days before the first view, 73 before the second."""
    events = [*follow("knee", "hip", 2), *follow("knee", "hip", 1, day=JUDGED + 60)]
    events += follow("sleep", "nap", 1, shown=("nap", "hip"))

    assert sizes(case(events), AGE) == {
        "under 30 days": 2, "30 days to a year": 1, "over a year": 1, "no date": 0,
    }  # fmt: skip
    assert sizes(case(events, with_articles=False), AGE) == {}


def test_cold_and_warm_links():
    """Beside knee, sleep was followed before; ankle was, but elsewhere; hip never."""
    events = [
        *follow("knee", "sleep", 3), *follow("knee", "ankle", 2), *follow("knee", "hip", 1),
        *follow("nowhere", "hip", 1),
    ]  # fmt: skip

    assert list(sizes(case(events), KNOWN).values()) == [3, 2, 2]


def test_of_several_links_followed_the_best_known_counts():
    """A view that followed hip and sleep is warm."""
    from sites import click

    events = [*follow("knee", "hip", 1), click(f"knee-hip-{JUDGED}-0", "sleep", day=JUDGED)]

    assert list(sizes(case(events), KNOWN).values()) == [1, 0, 0]
