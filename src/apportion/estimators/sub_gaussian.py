"""Estimators with importance weights that keep sub-Gaussian tails."""

from __future__ import annotations

from .._check import check_number
from ..records import Floats, Logged
from ._inputs import checked_reward, importance_weights
from ._models import weighed


def _tamed(weights: Floats, strength: float) -> Floats:
    check_number("strength", strength, low=0.0, high=1.0)
    return weights / (1.0 - strength + strength * weights) if strength < 1.0 else (weights > 0).astype(float)


def sub_gaussian_ips(logged: Logged, target: Floats, *, strength: float = 0.05) -> Floats:
    """Estimates the mean reward per step under the target with tamed weights: w_t / (1 - lambda + lambda w_t) r_t.

    No weight exceeds 1 / lambda and the formula stays differentiable in the target. Biased; intervals do not cover
    the bias.

    Source: Metelli, Russo & Restelli 2021, "Subgaussian and differentiable importance sampling" (NeurIPS 34), the
    correction with s = -1; formula from the released code of Open Bandit Pipeline. Agrees with
    `SubGaussianInverseProbabilityWeighting(lambda_=strength)`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        strength: lambda in [0, 1]; 0 gives `ips`.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: `strength` is outside [0, 1], a reward is missing, or shapes disagree.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> import numpy as np
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.25, 0.75]] * 2, reward=[1.0, 2.0])
        >>> sub_gaussian_ips(log, np.array([0.75, 0.25]), strength=0.5)
        array([1.5, 1. ])
    """
    return _tamed(importance_weights(logged, target), strength) * checked_reward(logged)


def sub_gaussian_dr(
    logged: Logged, target: Floats, *, predictions: Floats | None = None, strength: float = 0.05
) -> Floats:
    """Estimates the mean reward per step under the target like `dr`, with the weights of `sub_gaussian_ips`.

    Source: as `sub_gaussian_ips`. Agrees with Open Bandit Pipeline's `SubGaussianDoublyRobust(lambda_=strength)`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        predictions: rewards predicted by a model, (n_rounds, n_tasks); `by_task(logged)` by default.
        strength: lambda in [0, 1]; 0 gives `dr`.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: `strength` is outside [0, 1], a reward is missing, shapes disagree, or predictions are not finite.
        LogFormatError: a task was drawn with probability 0.
    """
    weights, value, own = weighed(logged, target, predictions)
    return value + _tamed(weights, strength) * (checked_reward(logged) - own)
