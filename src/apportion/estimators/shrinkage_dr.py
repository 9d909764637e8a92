"""The doubly robust estimator with optimistic shrinkage."""

from __future__ import annotations

import numpy as np

from ..records import Floats, Logged
from ._inputs import checked_reward, checked_threshold
from ._models import weighed
from .by_task import by_task
from .slope import choose_threshold, thresholds


def shrinkage_dr(
    logged: Logged, target: Floats, *, predictions: Floats | None = None, threshold: float | None = None
) -> Floats:
    """Estimates the mean reward per step under the target like `dr`, with smoothly shrunken importance weights.

    sum over a of pi_t(a) q(t, a) + lambda w_t / (w_t^2 + lambda) (r_t - q(t, a_t)): lambda to 0 gives the direct
    method, infinity gives `dr`. Intervals do not cover the bias that shrinking brings.

    Source: Su, Dimakopoulou, Krishnamurthy & Dudik 2020 (arXiv:1907.09623). Agrees with Open Bandit Pipeline's
    `DoublyRobustWithShrinkage(lambda_=threshold)`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        predictions: rewards predicted by a model, (n_rounds, n_tasks); `by_task(logged)` by default.
        threshold: lambda, above 0; None lets SLOPE choose.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: a reward is missing, shapes disagree, predictions are not finite, or `threshold` is not above 0.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[3.0, 2.0])
        >>> shrinkage_dr(log, np.array([1.0, 0.0]), predictions=np.ones((2, 2)), threshold=4.0)
        array([3., 1.])
    """
    if threshold is None and predictions is None:
        predictions = by_task(logged)
    weights, value, own = weighed(logged, target, predictions)
    if threshold is None:
        squares = [value**2 for value in thresholds(weights)]
        threshold = choose_threshold(shrinkage_dr, logged, target, values=squares, predictions=predictions)
    checked_threshold("threshold", threshold)
    if threshold < np.inf:
        weights = weights / (weights * weights / threshold + 1.0)
    return value + weights * (checked_reward(logged) - own)
