"""Inverse propensity scoring."""

from __future__ import annotations

from ..records import Floats, Logged
from ._inputs import checked_reward, importance_weights


def ips(logged: Logged, target: Floats) -> Floats:
    """Estimates the mean reward per step under the target by reweighting: w_t r_t.

    Unbiased if the logged probabilities are those that tasks were drawn from and positive wherever the target is,
    also when the logging policy adapted to earlier rewards. Fails with large importance weights: the variance grows
    with their square, and a constant added to all rewards changes the spread.

    Source: Horvitz & Thompson 1952; Strehl et al. 2010 (arXiv:1003.0120). Agrees with Open Bandit Pipeline's
    `InverseProbabilityWeighting`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: a reward is missing, or the target is not a probability vector in every row.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> import numpy as np
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[1.0, 2.0])
        >>> ips(log, np.array([0.75, 0.25]))
        array([1.5, 1. ])
    """
    return importance_weights(logged, target) * checked_reward(logged)
