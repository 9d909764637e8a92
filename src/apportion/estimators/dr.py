"""The doubly robust estimator."""

from __future__ import annotations

import numpy as np

from ..records import Floats, Logged
from ._inputs import checked_reward, checked_threshold
from ._models import weighed


def dr(logged: Logged, target: Floats, *, predictions: Floats | None = None, clip: float = np.inf) -> Floats:
    """Estimates the mean reward per step under the target from a reward model, corrected by reweighted residuals.

    sum over a of pi_t(a) q(t, a) + min(w_t, M) (r_t - q(t, a_t)). Unbiased without a clip M if the propensities are
    right and q(t, .) does not depend on round t itself (cross-fitting); of lower variance than `ips` where q is any
    good.

    Source: Dudik, Langford & Li 2011 (arXiv:1103.4601). Agrees with Open Bandit Pipeline's `DoublyRobust`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        predictions: rewards predicted by a model, (n_rounds, n_tasks); `by_task(logged)` by default.
        clip: largest importance weight M, above 0.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: a reward is missing, shapes disagree, predictions are not finite, or `clip` is not above 0.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[1.0, 2.0])
        >>> dr(log, np.array([0.75, 0.25]), predictions=np.array([[1.0, 1.0], [1.0, 1.0]]))
        array([1. , 1.5])
    """
    checked_threshold("clip", clip)
    weights, value, own = weighed(logged, target, predictions)
    return value + np.minimum(weights, clip) * (checked_reward(logged) - own)
