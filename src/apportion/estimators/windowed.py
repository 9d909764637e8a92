"""The pseudo-inverse estimator for rewards that arrive per evaluation window."""

from __future__ import annotations

import numpy as np

from .._check import check_integer
from ..records import Floats, Ints, Logged
from ._inputs import importance_weights, ratio_scores


def windowed(logged: Logged, target: Floats, *, window: int | Ints, normalise: bool = True) -> Floats:
    """Estimates the mean reward per step under the target when one reward arrives for a whole window of decisions.

    For window j with m_j decisions and reward R_j (the sum of the rewards logged in it), W_j = 1 + sum of (w_t - 1)
    over its decisions, and V = sum R_j W_j / sum m_j. If R_j is a sum of terms that each depend on one decision of
    the window, in expectation, this is the mean reward per step had the target made all decisions of each window; no
    product of weights appears, so the variance grows with m, not exponentially. Normalised, V = sum R_j W_j / sum m_j
    W_j, which does not change when a constant per step is added to the rewards.

    Fails where effects within a window multiply or saturate, that is, where windows are long against the learning
    curves.

    Source: Swaminathan et al. 2017, "Off-policy evaluation for slate recommendation" (arXiv:1605.04812), example 4
    (product policies), where W_j has this form; wPI there is the normalised variant.

    Args:
        logged: decisions in the order of their steps; rewards may be missing (NaN) for all decisions of a window but
            one.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        window: number of decisions per window, or the index of each decision's window, not decreasing, shape
            (n_rounds,).
        normalise: divide by the mean of the window weights.

    Returns:
        Scores, one per window that got a reward, in units of reward per step; their mean is the estimate
        (`per_step`). NaN where the weights do not sum to more than 0.

    Raises:
        ValueError: `window` is below 1, or is not an increasing index, or shapes disagree.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(
        ...     tasks=["a", "b"], chosen=[0, 1, 0, 0], probabilities=[[0.5, 0.5]] * 4, reward=[np.nan, 6.0, np.nan, 4.0]
        ... )
        >>> windowed(log, np.array([0.75, 0.25]), window=2, normalise=False)
        array([3., 4.])
    """
    weights = importance_weights(logged, target)
    if isinstance(window, np.ndarray):
        if window.shape != weights.shape or (np.diff(window) < 0).any():
            raise ValueError(f"`window` must be an index that never decreases, of the shape {weights.shape}.")
        starts = np.flatnonzero(np.diff(window, prepend=window[:1] - 1))
    else:
        check_integer("window", window, low=1)
        starts = np.arange(0, logged.n_rounds, window)
    if starts.size == 0:
        return np.zeros(0)
    known = np.isfinite(logged.reward)
    reward = np.add.reduceat(np.where(known, logged.reward, 0.0), starts)
    length = np.diff(np.append(starts, logged.n_rounds)).astype(np.float64)
    weight = 1.0 + np.add.reduceat(weights - 1.0, starts)
    told = np.logical_or.reduceat(known, starts)
    reward, length, weight = reward[told], length[told], weight[told]
    return ratio_scores(reward * weight, length * weight if normalise else length)
