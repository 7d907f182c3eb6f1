"""The page on sites of any size: its tables are what its formulas give, and these are right."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

arithmetic = pytest.importorskip("benchmarks.arithmetic", reason="benchmarks are not here")


@pytest.mark.parametrize("name", ["measured", "serving", "kept", "training", "swap"])
def test_the_page_has_what_the_formulas_give(name: str):
    """Whoever changes a figure writes the page anew."""
    made = {
        "measured": arithmetic.measured,
        "serving": arithmetic.serving,
        "kept": arithmetic.storing,
        "training": arithmetic.training,
        "swap": arithmetic.swapping,
    }[name]()
    page = (ROOT / "docs" / "arithmetic.md").read_text(encoding="utf-8")

    assert [row for row in made if f"| {' | '.join(row)} |\n" not in page] == []


@pytest.mark.parametrize(("variants", "edges"), [(1, 1), (10, 1), (4, 3)])
def test_the_hit_rate_of_a_cache_is_that_of_drawn_views(variants: int, edges: int):
    """The formula against views one by one, on a small site."""
    share = arithmetic.popularity(0.9, 2_000)
    how = {"rate": 200.0, "variants": variants, "edges": edges, "max_age": 60.0}

    found = arithmetic.simulated(share, seconds=600.0, **how)

    assert arithmetic.hit_rate(share, **how) == pytest.approx(found, abs=0.01)


def test_one_page_alone_is_missed_once_in_a_max_age():
    """By hand: asked for twice a second and kept 10 s, one of 21 is a miss."""
    rate = arithmetic.hit_rate(np.array([1.0]), rate=2.0, variants=1, edges=1, max_age=10.0)

    assert rate == pytest.approx(20 / 21)


def test_replicas_that_fetch_at_once_share_the_link():
    """By hand: ten of 1 GB over 8 Gbit/s take ten seconds together; with a link that is wide
    enough each takes what it can take.
    """
    shared = arithmetic.swap(
        gigabytes=1, replicas=10, store_gbit=8, replica_gbit=4, poll=0.0, stagger=0.0
    )
    alone = arithmetic.swap(
        gigabytes=1, replicas=10, store_gbit=800, replica_gbit=4, poll=0.0, stagger=0.0
    )

    opening = arithmetic.value("opened")
    assert shared.live - opening == pytest.approx(np.full(10, 10.0))
    assert alone.live - opening == pytest.approx(np.full(10, 2.0))
    assert (shared.busiest, alone.busiest) == (8.0, 40.0)


def test_replicas_that_come_one_after_the_other_do_not_wait_for_each_other():
    """As many as fetch at a moment share it."""
    found = arithmetic.swap(
        gigabytes=1, replicas=5, store_gbit=4, replica_gbit=4, poll=0.0, stagger=1_000.0
    )

    assert np.ptp(found.live) > 200
    assert found.live.min() - arithmetic.value("opened") >= 2.0
