"""What a day may bring follows from usual days."""

import pytest

from recommender.events.allowance import beyond


@pytest.mark.parametrize(
    ("n_views", "usual", "too_many"),
    [
        (800, 200.0, 0),
        (801, 200.0, 1),
        (100, 0.0, 0),
        (130, 10.0, 10),
        (10**6, None, 0),
    ],
)
def test_a_day_may_bring_four_usual_ones(n_views: int, usual: float | None, too_many: int):
    """Two, or a hundred views, and two more where nothing else was more; where no day is usual
    nothing is too much.
    """
    assert beyond(n_views, usual=usual) == too_many
