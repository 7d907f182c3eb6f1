"""Slopes are what clicks make likeliest, as far as there are enough of them."""

import numpy as np
import pytest
from scipy.optimize import minimize

from recommender.clicks.choice_model import Exposures
from recommender.ranking.logit import LinearScore, fit_logit

TRUTH = np.array([1.0, 0.6])


def shown(n_pages: int, clicks: int, *, weight: float = 0.1) -> tuple[np.ndarray, Exposures]:
    """Two features of four links a page, of which readers choose by ``TRUTH``."""
    random = np.random.default_rng(0)
    columns = random.normal(0, 1, (4 * n_pages, 2))
    chance = np.exp(columns @ TRUTH).reshape(n_pages, 4)
    made = [random.multinomial(clicks, row / row.sum()) for row in chance]
    rows = np.arange(4 * n_pages)
    of = Exposures(rows, rows // 4, np.ones(len(rows)), np.concatenate(made).astype(float), weight)
    return columns, of


def fitted(columns: np.ndarray, of: Exposures, precision: float = 1.0) -> LinearScore:
    centre = np.zeros(columns.shape[1])
    return fit_logit(("first", "second"), columns, of, centre=centre, precision=precision)


def test_planted_slopes_are_found():
    columns, of = shown(500, 20)

    assert fitted(columns, of).slopes == pytest.approx(TRUTH, rel=0.05)


@pytest.mark.parametrize("precision", [1.0, 30.0])
def test_slopes_are_the_maximum_a_posteriori(precision: float):
    """Sixty clicks, and a prior that stays where it is: what another optimiser finds."""
    columns, of = shown(60, 1)
    found = fitted(columns, of, precision)
    within = np.clip(columns, found.low, found.high)

    def loss(slopes: np.ndarray) -> float:
        return float(precision * slopes @ slopes / 2 - of.log_likelihood(within @ slopes))

    likeliest = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-7}).x
    assert found.slopes == pytest.approx(likeliest, abs=1e-4)


def test_a_feature_that_hardly_varies_gets_no_steep_slope():
    """Of 240 links three have it, and all three were followed: the prior holds the slope."""
    columns, of = shown(60, 1)
    columns[:, 1] = 0
    followed = np.flatnonzero(of.clicks)[:3]
    columns[followed, 1] = 1

    assert 0 < fitted(columns, of).slopes[1] < 2


def test_beyond_what_was_shown_slopes_are_those_of_before():
    """A thousand links lie between -4 and 4 or so; one at 100 scores as the highest of them, and by
    as much more as was thought beforehand.
    """
    columns, of = shown(500, 20)
    centre = np.array([0.5, 0.0])

    found = fit_logit(("first", "second"), columns, of, centre=centre, precision=1.0)

    far, high, farther = found.predict(
        np.array([[100.0, 0.0], [found.high[0], 0.0], [100.0, 100.0]])
    )
    assert far - high == pytest.approx((100 - found.high[0]) / 2)
    assert farther - far == pytest.approx(found.high[1] * found.slopes[1])
    assert 2 < found.high[0] < 5


def test_a_constant_feature_does_no_harm():
    columns, of = shown(50, 5)
    columns[:, 1] = 7

    found = fitted(columns, of)

    assert found.slopes[1] == pytest.approx(0, abs=1e-9)
    assert found.slopes[0] == pytest.approx(TRUTH[0], rel=0.3)


def test_without_clicks_slopes_stay_where_they_were():
    columns, of = shown(50, 0)
    nothing = Exposures(*(np.zeros(0, dtype=int),) * 2, *(np.zeros(0),) * 2)
    centre = np.array([1.0, 0.0])

    for rows, part in ((columns, of), (columns[:0], nothing)):
        found = fit_logit(("first", "second"), rows, part, centre=centre, precision=1.0)
        assert found.slopes == pytest.approx(centre)
