"""Reward model: the reward of each task declines along a curve."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .._check import check_choice
from ..records import Floats, Logged
from ._folds import fold_of
from ._inputs import checked_reward

_SCALES = 2.0 ** np.arange(-7.0, 2.0, 0.5)


def learning_curve(logged: Logged, *, clock: Literal["step", "count"] = "step", folds: int = 5) -> Floats:
    """Predicts the reward of every task in every round from a curve of diminishing (or growing) returns per task.

    q(t, a) = c_a + b_a k / (k + x), where x is the step since the start of the log or how often the task was drawn
    before. c_a and b_a are least squares; k_a is the best of eighteen multiples of the largest x. Cross-fitted over
    folds that are spread over the run. A task with fewer than four rewards in the other folds gets its mean, one with
    none the mean of all.

    The form is ours: the hyperbola is the derivative of logarithmic learning, and a line for large k. Because a round
    is predicted from rounds on either side of it, estimates from adaptive logs are only asymptotically unbiased.

    Args:
        logged: decisions with rewards, in the order of their steps.
        clock: what the curve runs over: `step`, or `count` of earlier draws of the task.
        folds: number of folds; 1 fits and predicts on the same rounds.

    Returns:
        Predicted rewards, shape (n_rounds, n_tasks).

    Raises:
        ValueError: `clock` is unknown, `folds` is below 1, or a reward is missing.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> reward = 10 / (10 + np.arange(50.0))
        >>> log = from_arrays(tasks=["a"], chosen=[0] * 50, probabilities=[[1.0]] * 50, reward=reward)
        >>> q = learning_curve(log)[:, 0]
        >>> bool(abs(q - reward).max() < 0.1)
        True
    """
    check_choice("clock", clock, ("step", "count"))
    reward, fold = checked_reward(logged), fold_of(logged.n_rounds, folds)
    predictions = np.empty((logged.n_rounds, len(logged.tasks)))
    steps = (logged.step - logged.step.min(initial=0)).astype(np.float64) if logged.n_rounds else np.zeros(0)
    for task in range(len(logged.tasks)):
        own = logged.chosen == task
        x = (np.cumsum(own) - own).astype(np.float64) if clock == "count" else steps
        for held_out in range(folds):
            test = fold == held_out
            train = own & ~test if folds > 1 else own
            if train.any():
                predictions[test, task] = _fitted(x[train], reward[train], x[test])
            else:
                others = ~test if folds > 1 and not test.all() else np.ones_like(test)
                predictions[test, task] = reward[others].mean()
    return predictions


def _fitted(x: Floats, y: Floats, where: Floats) -> Floats:
    mean = y.mean()
    largest = x.max()
    if y.size < 4 or largest == x.min():
        return np.full(where.shape, mean)
    best, answer = np.inf, np.full(where.shape, mean)
    for scale in _SCALES * largest:
        basis = scale / (scale + x)
        centre = basis.mean()
        spread = float(((basis - centre) ** 2).sum())
        slope = float(((basis - centre) * (y - mean)).sum()) / spread
        error = float(((y - mean - slope * (basis - centre)) ** 2).sum())
        if error < best:
            # Outside the range that was seen the curve is held, not extrapolated.
            shown = np.clip(where, x.min(), largest)
            best, answer = error, mean + slope * (scale / (scale + shown) - centre)
    return answer
