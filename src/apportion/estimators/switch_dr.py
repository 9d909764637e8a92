"""The doubly robust estimator that trusts the model where importance weights are large."""

from __future__ import annotations

import numpy as np

from ..records import Floats, Logged
from ._inputs import checked_reward, checked_threshold
from ._models import weighed
from .by_task import by_task
from .slope import choose_threshold


def switch_dr(
    logged: Logged, target: Floats, *, predictions: Floats | None = None, threshold: float | None = None
) -> Floats:
    """Estimates the mean reward per step under the target like `dr`, correcting the model only where w_t <= tau.

    sum over a of pi_t(a) q(t, a) + 1[w_t <= tau] w_t (r_t - q(t, a_t)). Biased by the model's error where weights are
    large; intervals do not cover that bias.

    Source: Wang, Agarwal & Dudik 2017 (arXiv:1612.01205). Agrees with Open Bandit Pipeline's
    `SwitchDoublyRobust(lambda_=threshold)`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        predictions: rewards predicted by a model, (n_rounds, n_tasks); `by_task(logged)` by default.
        threshold: tau, above 0; infinity gives `dr`, None lets SLOPE choose.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: a reward is missing, shapes disagree, predictions are not finite, or `threshold` is not above 0.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[3.0, 2.0])
        >>> switch_dr(log, np.array([0.75, 0.25]), predictions=np.ones((2, 2)), threshold=1.0)
        array([1. , 1.5])
    """
    if threshold is None:
        predictions = by_task(logged) if predictions is None else predictions
        threshold = choose_threshold(switch_dr, logged, target, predictions=predictions)
    checked_threshold("threshold", threshold)
    weights, value, own = weighed(logged, target, predictions)
    return value + np.where(weights <= threshold, weights * (checked_reward(logged) - own), 0.0)
