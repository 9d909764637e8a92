"""Estimators for logs that several logging policies wrote together.

The naive estimators of the literature are `ips` and `dr` themselves: every decision carries its own propensity.
"""

from __future__ import annotations

import numpy as np

from ..errors import LogFormatError
from ..records import Floats, Ints, Logged
from ._inputs import checked_propensity, checked_reward, checked_target, importance_weights
from ._models import predicted


def weighted_ips(logged: Logged, target: Floats, *, logger: Ints) -> Floats:
    """Estimates the mean reward per step under the target from several logs, each weighted by its precision.

    V = sum over k of l_k mean_k(w r), with l_k proportional to n_k / Var_k(w r) over the rounds of logging policy k.
    Assumes that the mean reward under the target is the same in all logs. The scores are those of the delta method.
    The precisions are estimated on the same rounds, which biases V when n_k is small.

    Source: Agarwal, Basu, Schnabel & Joachims 2017 (arXiv:1703.06180), weighted estimator. The value agrees with Open
    Bandit Pipeline's `MultiLoggersWeightedInverseProbabilityWeighting`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        logger: index of the policy that made each decision, from 0, shape (n_rounds,).

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: a reward is missing, shapes disagree, or the scores of one logging policy do not vary.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1] * 2, probabilities=[[0.5, 0.5]] * 4, reward=[1, 2, 3, 2])
        >>> float(weighted_ips(log, np.array([0.5, 0.5]), logger=np.array([0, 0, 1, 1])).mean())
        2.0
    """
    return _weighted(importance_weights(logged, target) * checked_reward(logged), 0.0, logger)


def weighted_dr(logged: Logged, target: Floats, *, logger: Ints, predictions: Floats | None = None) -> Floats:
    """Estimates the mean reward per step under the target like `dr`, the corrections of each log weighted by precision.

    Source: as `weighted_ips`. The value agrees with Open Bandit Pipeline's `MultiLoggersWeightedDoublyRobust`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        logger: index of the policy that made each decision, from 0, shape (n_rounds,).
        predictions: rewards predicted by a model, (n_rounds, n_tasks); `by_task(logged)` by default.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: a reward is missing, shapes disagree, or the scores of one logging policy do not vary.
        LogFormatError: a task was drawn with probability 0.
    """
    value, own = predicted(logged, target, predictions)
    return _weighted(importance_weights(logged, target) * (checked_reward(logged) - own), value, logger)


def balanced_ips(logged: Logged, target: Floats, *, logger: Ints, propensities: Floats) -> Floats:
    """Estimates the mean reward per step under the target as if one mixture of all logging policies had drawn.

    pi_t(a_t) / pbar_t r_t with pbar_t = sum over k of (n_k / n) p_k(a_t): weights are large only where no logging
    policy wanted the task. Loses exact unbiasedness where a logging policy was learned from rewards of another's log.

    Source: Agarwal, Basu, Schnabel & Joachims 2017 (arXiv:1703.06180), balanced estimator. Agrees with Open Bandit
    Pipeline's `MultiLoggersBalancedInverseProbabilityWeighting`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        logger: index of the policy that made each decision, from 0, shape (n_rounds,).
        propensities: probability of the task drawn under each logging policy, in the state of that round, shape
            (n_rounds, n_loggers).

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: a reward is missing or shapes disagree.
        LogFormatError: a propensity is not in [0, 1], or differs from the logged one of the policy that drew.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.75, 0.25]] * 2, reward=[1.0, 2.0])
        >>> propensities = np.array([[0.75, 0.25], [0.75, 0.25]])
        >>> balanced_ips(log, np.array([0.5, 0.5]), logger=np.array([0, 1]), propensities=propensities)
        array([1., 2.])
    """
    return _balanced(logged, target, logger, propensities) * checked_reward(logged)


def balanced_dr(
    logged: Logged, target: Floats, *, logger: Ints, propensities: Floats, predictions: Floats | None = None
) -> Floats:
    """Estimates the mean reward per step under the target like `dr`, with the weights of `balanced_ips`.

    Source: as `balanced_ips`. Agrees with Open Bandit Pipeline's `MultiLoggersBalancedDoublyRobust`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        logger: index of the policy that made each decision, from 0, shape (n_rounds,).
        propensities: probability of the task drawn under each logging policy, shape (n_rounds, n_loggers).
        predictions: rewards predicted by a model, (n_rounds, n_tasks); `by_task(logged)` by default.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: a reward is missing, shapes disagree, or predictions are not finite.
        LogFormatError: a propensity is not in [0, 1], or differs from the logged one of the policy that drew.
    """
    value, own = predicted(logged, target, predictions)
    return value + _balanced(logged, target, logger, propensities) * (checked_reward(logged) - own)


def _checked_logger(logger: Ints, n_rounds: int) -> Ints:
    if logger.shape != (n_rounds,) or logger.dtype.kind not in "iu" or (logger < 0).any():
        raise ValueError(
            f"`logger` must be indices from 0, of the shape ({n_rounds},), got {logger.dtype} {logger.shape}."
        )
    return logger


def _weighted(correction: Floats, base: Floats | float, logger: Ints) -> Floats:
    n_rounds = correction.size
    index = np.unique(_checked_logger(logger, n_rounds), return_inverse=True)[1]
    counts = np.bincount(index)
    scores = base + correction
    centred = scores - (np.bincount(index, scores) / counts)[index]
    variance = np.bincount(index, centred**2) / counts
    if not (variance > 0).all():
        raise ValueError(
            f"the scores of {int((variance <= 0).sum())} of the {counts.size} logging policies do not vary, so that "
            "they have no precision to weight by: use the naive estimator."
        )
    share = (n_rounds / (variance * (counts / variance).sum()))[index]
    value = float((share * correction).mean()) if n_rounds else 0.0
    return base + value + share * (correction - value)


def _balanced(logged: Logged, target: Floats, logger: Ints, propensities: Floats) -> Floats:
    n_rounds = logged.n_rounds
    own = checked_propensity(logged)
    logger = _checked_logger(logger, n_rounds)
    if propensities.ndim != 2 or propensities.shape[0] != n_rounds or (logger >= propensities.shape[1]).any():
        raise ValueError(f"`propensities` must have the shape ({n_rounds}, n_loggers), got {propensities.shape}.")
    if not ((propensities >= 0) & (propensities <= 1)).all():
        raise LogFormatError("`propensities` must be probabilities, in [0, 1].")
    difference = np.abs(propensities[np.arange(n_rounds), logger] - own)
    if difference.max(initial=0.0) > 1e-9:
        row = int(np.argmax(difference))
        raise LogFormatError(
            f"`propensities` in round {row} differ by {difference[row]:.3g} from the logged one of who drew."
        )
    shares = np.bincount(logger, minlength=propensities.shape[1]) / max(n_rounds, 1)
    return checked_target(logged, target)[np.arange(n_rounds), logged.chosen] / (propensities @ shares)
