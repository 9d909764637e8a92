"""The self-normalised doubly robust estimator."""

from __future__ import annotations

from ..records import Floats, Logged
from ._inputs import checked_reward, ratio_scores
from ._models import weighed


def sndr(logged: Logged, target: Floats, *, predictions: Floats | None = None) -> Floats:
    """Estimates the mean reward per step under the target like `dr`, with the importance weights divided by their mean.

    mean of sum over a of pi_t(a) q(t, a), plus sum w (r - q) / sum w; the scores are those of the delta method.
    Steadier than `dr` where a few weights are large; bias of order 1/n.

    Source: Thomas & Brunskill 2016 (arXiv:1604.00923), weighted doubly robust, for one step. The value agrees with
    Open Bandit Pipeline's `SelfNormalizedDoublyRobust`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        predictions: rewards predicted by a model, (n_rounds, n_tasks); `by_task(logged)` by default.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`), NaN where all weights
        are 0.

    Raises:
        ValueError: a reward is missing, shapes disagree, or predictions are not finite.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> import numpy as np
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[1.0, 2.0])
        >>> float(sndr(log, np.array([0.75, 0.25]), predictions=np.ones((2, 2))).mean())
        1.25
    """
    weights, value, own = weighed(logged, target, predictions)
    return value + ratio_scores(weights * (checked_reward(logged) - own), weights)
