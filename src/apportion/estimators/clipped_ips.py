"""Inverse propensity scoring with a cap on the importance weights."""

from __future__ import annotations

import numpy as np

from ..records import Floats, Logged
from ._inputs import checked_reward, checked_threshold, importance_weights
from .slope import choose_threshold


def clipped_ips(logged: Logged, target: Floats, *, clip: float | None = None) -> Floats:
    """Estimates the mean reward per step under the target with bounded variance: min(w_t, M) r_t.

    Biased by -E[(w - M)+ r]: towards zero, so pessimistic for rewards that are not negative. Intervals cover the mean
    of the clipped scores, not the bias.

    Source: Bottou et al. 2013 (arXiv:1209.2355). Agrees with Open Bandit Pipeline's
    `InverseProbabilityWeighting(lambda_=clip)`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        clip: largest importance weight M, above 0; infinity for none, None to let SLOPE choose.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: `clip` is not above 0, a reward is missing, or the target is not a probability vector in every
            row.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[1.0, 2.0])
        >>> clipped_ips(log, np.array([0.75, 0.25]), clip=1.0)
        array([1., 1.])
    """
    if clip is None:
        clip = choose_threshold(clipped_ips, logged, target, option="clip")
    checked_threshold("clip", clip)
    return np.minimum(importance_weights(logged, target), clip) * checked_reward(logged)
