"""Reward model: the mean reward of each task."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .._check import check_choice
from ..records import Floats, Logged
from ._folds import fold_of, out_of_fold
from ._inputs import checked_reward


def by_task(logged: Logged, *, folds: int | Literal["past"] = 5, weights: Floats | None = None) -> Floats:
    """Predicts the reward of every task in every round as the mean of the task's other logged rewards.

    q(t, a) = sum over s of v_s r_s 1[a_s = a] / sum of v_s 1[a_s = a], over the rounds s of the other folds
    (cross-fitting, Chernozhukov et al. 2018, arXiv:1608.00060) or, with `folds="past"`, over s < t. A task without
    any gets the mean over all tasks. Fails where rewards drift along the run: see `learning_curve`.

    Args:
        logged: decisions with rewards.
        folds: number of folds; 1 fits and predicts on the same rounds; "past" keeps predictions independent of all
            later decisions, which logs of adaptive policies require for exact unbiasedness.
        weights: v_s, not negative, shape (n_rounds,); all 1 by default; not with "past".

    Returns:
        Predicted rewards, shape (n_rounds, n_tasks).

    Raises:
        ValueError: a reward is missing, or `folds` is neither at least 1 nor "past".

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1, 0], probabilities=[[0.5, 0.5]] * 3, reward=[1, 2, 3])
        >>> by_task(log, folds=1)[0]
        array([2., 2.])
        >>> by_task(log, folds="past")
        array([[0., 0.],
               [1., 1.],
               [1., 2.]])
    """
    reward = checked_reward(logged)
    if isinstance(folds, str):
        check_choice("folds", folds, ("past",))
        if weights is not None:
            raise ValueError('`weights` need folds: give a number of folds instead of `folds = "past"`.')
        return _so_far(logged, reward)
    n_tasks = len(logged.tasks)
    fold = fold_of(logged.n_rounds, folds)
    cell = fold * n_tasks + logged.chosen
    size = folds * n_tasks
    ones: Floats = np.ones(logged.n_rounds) if weights is None else weights.astype(np.float64, copy=False)
    totals = out_of_fold(np.bincount(cell, ones * reward, minlength=size).reshape(folds, n_tasks), folds)
    counts = out_of_fold(np.bincount(cell, ones, minlength=size).reshape(folds, n_tasks), folds)
    # Differences of sums leave dust where a fold held all of a task's weight.
    counts = np.where(counts > 1e-12 * counts.sum(axis=1, keepdims=True), counts, 0.0)
    return filled_means(totals, counts)[fold]


def filled_means(totals: Floats, counts: Floats) -> Floats:
    """Means along the last axis; where a task has no weight, the mean over all tasks; 0 where there is none at all."""
    weight = counts.sum(axis=-1, keepdims=True)
    overall = np.divide(totals.sum(axis=-1, keepdims=True), weight, out=np.zeros_like(weight), where=weight > 0)
    return np.divide(totals, counts, out=np.broadcast_to(overall, totals.shape).copy(), where=counts > 0)


def _so_far(logged: Logged, reward: Floats) -> Floats:
    predictions = np.empty((logged.n_rounds, len(logged.tasks)))
    before = np.arange(logged.n_rounds, dtype=np.float64)
    overall = np.divide(np.cumsum(reward) - reward, before, out=np.zeros_like(reward), where=before > 0)
    for task in range(len(logged.tasks)):
        own = logged.chosen == task
        earned = np.where(own, reward, 0.0)
        count = np.cumsum(own) - own
        predictions[:, task] = np.divide(np.cumsum(earned) - earned, count, out=overall.copy(), where=count > 0)
    return predictions
