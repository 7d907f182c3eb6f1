"""The negative log-likelihood of choices, as a loss that scikit-learn's boosted trees can follow.

scikit-learn takes an instance of its loss class in place of a name. Rows of a slate depend on each
other, which none of its own losses knows; the gradient is that of McFadden's conditional logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn._loss.link import IdentityLink
from sklearn._loss.loss import BaseLoss

if TYPE_CHECKING:
    from recommender.clicks.choice_model import Exposures


class SoftmaxLoss(BaseLoss):  # type: ignore[misc]
    """Of rows ``shown`` that have ``scores``, ``(n_rows,)``, beside what the trees add."""

    def __init__(self, shown: Exposures, scores: np.ndarray) -> None:
        super().__init__(closs=None, link=IdentityLink(), n_classes=None)
        self.shown, self.scores = shown, scores
        self.need_update_leaves_values = False

    def fit_intercept_only(self, y_true: np.ndarray, sample_weight: Any = None) -> np.ndarray:
        """Nothing: what is added to all links of a slate changes no choice."""
        return np.zeros(1)

    def gradient_hessian(
        self,
        y_true: np.ndarray,
        raw_prediction: np.ndarray,
        sample_weight: np.ndarray | None = None,
        gradient_out: np.ndarray | None = None,
        hessian_out: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of each row, into the arrays given: clicks expected less those made, and the variance of
        these (the diagonal of the Hessian), ``(n_rows,)``.
        """
        share = self.shown.share(self.scores + raw_prediction.reshape(-1))
        due = (self.shown.made + self.shown.weight)[self.shown.page] * share
        gradient, hessian = due - y_true, due * (1 - share)
        if gradient_out is None or hessian_out is None:
            return gradient, hessian
        gradient_out.reshape(-1)[:] = gradient
        hessian_out.reshape(-1)[:] = hessian
        return gradient_out, hessian_out
