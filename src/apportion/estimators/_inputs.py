"""What every estimator checks and computes first: the log, the target, the importance weights."""

from __future__ import annotations

import numpy as np

from .._check import check_number
from ..errors import LogFormatError
from ..records import Floats, Logged


def checked_target(logged: Logged, target: Floats) -> Floats:
    """Target probabilities as an array of shape (n_rounds, n_tasks).

    Args:
        logged: the log that the target is evaluated on.
        target: probabilities of shape (n_rounds, n_tasks), or (n_tasks,) for the same ones in every round.

    Raises:
        ValueError: shapes disagree, or a row of the target is not a probability vector.
        TypeError: the target is not an array of numbers.
        LogFormatError: arrays of the log have the wrong type.
    """
    _check_types(logged)
    values = np.asarray(target)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"`target` must be an array of numbers, got the type {values.dtype}.")
    n_tasks = len(logged.tasks)
    shape = (logged.n_rounds, n_tasks)
    if values.shape not in (shape, (n_tasks,)):
        raise ValueError(f"`target` must have the shape {shape} or ({n_tasks},), got {values.shape}.")
    values = values.astype(np.float64, copy=False)
    # Rows that are all the same one in memory are checked once. A NaN fails every comparison.
    rows = values[:1] if values.ndim == 2 and values.strides[0] == 0 else np.atleast_2d(values)
    with np.errstate(over="ignore", invalid="ignore"):
        total = rows @ np.ones(n_tasks)  # three times as fast as sums over an axis this short
    if rows.size and not (rows.min() >= 0.0 and np.abs(total - 1.0).max() <= 1e-9):
        wrong = np.flatnonzero(~((rows >= 0).all(axis=1) & (np.abs(total - 1.0) <= 1e-9)))[0]
        raise ValueError(
            f"`target` must hold probabilities that sum to 1 (within 1e-9) in every row, got the sum "
            f"{total[wrong]:.12g} and the smallest entry {rows[wrong].min():.3g} in round {wrong}."
        )
    return np.broadcast_to(values, shape)


def checked_propensity(logged: Logged) -> Floats:
    """The probability of each task drawn, shape (n_rounds,), all positive.

    Raises:
        LogFormatError: arrays of the log have the wrong type, or a task was drawn with probability 0.
    """
    _check_types(logged)
    propensity = of_drawn(logged.probabilities, logged)
    if propensity.size and not propensity.min() > 0.0:
        row = int(np.argmin(propensity))
        raise LogFormatError(
            f"`probabilities` in round {row} give the task drawn, {logged.tasks[logged.chosen[row]]!r}, the propensity "
            f"{propensity[row]:g}: such a decision cannot have happened."
        )
    return propensity


def of_drawn(values: Floats, logged: Logged) -> Floats:
    """The entry of each round's row that belongs to the task drawn, from (n_rounds, n_tasks) to (n_rounds,)."""
    n_rounds, n_tasks = values.shape
    if not values.flags.c_contiguous:
        return values[np.arange(n_rounds), logged.chosen]
    return values.ravel().take(np.arange(0, n_rounds * n_tasks, n_tasks) + logged.chosen.astype(np.int64, copy=False))


def checked_reward(logged: Logged) -> Floats:
    """Rewards, shape (n_rounds,), all finite.

    Raises:
        ValueError: a reward is missing or infinite.
        LogFormatError: arrays of the log have the wrong type.
    """
    _check_types(logged)
    finite = np.isfinite(logged.reward)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(
            f"`reward` in round {row} is {logged.reward[row]}: keep only the rounds of `logged.rewarded()`, in the "
            "target as well."
        )
    return logged.reward


def _check_types(logged: Logged) -> None:
    for name, kinds, wanted in (("chosen", "iu", "whole"), ("probabilities", "f", "float"), ("reward", "f", "float")):
        kind = getattr(logged, name).dtype
        if kind.kind not in kinds:
            raise LogFormatError(f"`{name}` of the log has the type {kind}, where {wanted} numbers belong.")


def checked_threshold(name: str, value: float, *, low: float = 0.0, high: float = np.inf) -> None:
    """Refuse a clip or switch threshold outside (low, high]; infinity stands for none.

    Raises:
        ValueError: the threshold is outside the range or not a number.
    """
    if not (value == np.inf and high == np.inf):
        check_number(name, value, low=low, low_open=True, high=high)


def importance_weights(logged: Logged, target: Floats) -> Floats:
    """How much more often the target would have drawn each task that the log drew: w_t = pi_t(a_t) / p_t(a_t).

    Args:
        logged: the log.
        target: target probabilities, (n_rounds, n_tasks), or (n_tasks,) for the same ones in every round.

    Returns:
        Importance weights, shape (n_rounds,), not negative; their expectation is 1 where the log overlaps the target.

    Raises:
        ValueError: shapes disagree, or the target is not a probability vector in every row.
        TypeError: the target is not an array of numbers.
        LogFormatError: a task was drawn with probability 0, or one so small that the importance weight overflows.

    Example:
        >>> from apportion.estimators import from_arrays, importance_weights
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[1.0, 2.0])
        >>> importance_weights(log, np.array([0.9, 0.1]))
        array([1.8, 0.2])
    """
    return weights_of(logged, checked_target(logged, target))


def weights_of(logged: Logged, policy: Floats) -> Floats:
    """The importance weights of a target that has been through `checked_target`, shape (n_rounds,)."""
    chances = of_drawn(policy, logged)
    propensity = checked_propensity(logged)
    with np.errstate(over="ignore", invalid="ignore"):
        weights = chances / propensity
    if weights.size and not weights.max() < np.inf:
        row = int(np.argmax(weights))
        raise LogFormatError(f"the propensity {propensity[row]:g} in round {row} is too small to divide by.")
    return weights


def ratio_scores(numerator: Floats, denominator: Floats) -> Floats:
    """Scores of a ratio of two means, by the delta method: V + (num_t - V den_t) / mean(den), V = sum num / sum den.

    Their mean is V and their variance that of V to first order. NaN where the denominators do not sum to more than 0.
    """
    scale = denominator.mean() if denominator.size else 0.0
    if not scale > 0.0:
        return np.full(numerator.shape, np.nan)
    value = numerator.mean() / scale
    return value + (numerator - value * denominator) / scale
