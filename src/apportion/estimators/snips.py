"""Self-normalised inverse propensity scoring."""

from __future__ import annotations

from ..records import Floats, Logged
from ._inputs import checked_reward, importance_weights, ratio_scores


def snips(logged: Logged, target: Floats) -> Floats:
    """Estimates the mean reward per step under the target as a weighted mean: V = sum w r / sum w.

    The scores are those of the delta method, V + (w_t / mean w)(r_t - V). A constant added to all rewards only shifts
    the estimate, which suits rewards of learning progress. Bias of order 1/n. Fails where the target is all but
    absent from the log: the estimate is then the mean of a few rewards.

    Source: Swaminathan & Joachims 2015, "The self-normalized estimator for counterfactual learning" (NeurIPS 28). Its
    value agrees with Open Bandit Pipeline's `SelfNormalizedInverseProbabilityWeighting`, whose scores are w r / mean
    w and give other intervals.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`), NaN where all weights
        are 0.

    Raises:
        ValueError: a reward is missing, or the target is not a probability vector in every row.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> import numpy as np
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[1.0, 2.0])
        >>> float(snips(log, np.array([0.75, 0.25])).mean())
        1.25
    """
    weights = importance_weights(logged, target)
    return ratio_scores(weights * checked_reward(logged), weights)
