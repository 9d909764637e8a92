"""Reward model: any regressor on context and task."""

from __future__ import annotations

import copy
from typing import Any, Protocol, Self

import numpy as np

from .._check import check_integer
from ..records import Floats, Ints, Logged
from ._folds import fold_of
from ._inputs import checked_reward


class Regressor(Protocol):
    """What scikit-learn's regressors offer."""

    def fit(self, X: Any, y: Any, /) -> Self:
        """Fit to features (n, d) and rewards (n,); with `weights`, `sample_weight` is passed as well."""
        ...

    def predict(self, X: Any, /) -> Any:
        """Predicted rewards (n,) for features (n, d)."""
        ...


def by_context(
    logged: Logged, context: Floats, *, regressor: Regressor, folds: int = 2, weights: Floats | None = None
) -> Floats:
    """Predicts the reward of every task in every round with a regressor on the context and the task.

    The features of a decision are the context and a one-hot code of the task. Cross-fitted: a round is predicted by a
    copy of the regressor that was fitted on the other folds (Chernozhukov et al. 2018, arXiv:1608.00060). Costs one
    fit per fold and one prediction per fold and task. Fails where the context cannot tell why rewards drift.

    Args:
        logged: decisions with rewards.
        context: what was known before each decision, shape (n_rounds, n_features), or per task
            (n_rounds, n_tasks, n_features).
        regressor: anything with scikit-learn's `fit` and `predict`; it is copied and itself left alone.
        folds: number of folds; 1 fits and predicts on the same rounds.
        weights: sample weights of the fit, shape (n_rounds,); passed on as `sample_weight`.

    Returns:
        Predicted rewards, shape (n_rounds, n_tasks).

    Raises:
        TypeError: `regressor` has no `fit` or no `predict`.
        ValueError: shapes disagree, `folds` is below 1 or above the number of rounds, a reward is missing, or a
            prediction is not finite.

    Example:
        >>> from sklearn.linear_model import LinearRegression
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1, 0], probabilities=[[0.5, 0.5]] * 3, reward=[1, 2, 3])
        >>> by_context(log, np.zeros((3, 1)), regressor=LinearRegression(), folds=1)[0].round(6)
        array([2., 2.])
    """
    for method in ("fit", "predict"):
        if not callable(getattr(regressor, method, None)):
            raise TypeError(f"`regressor` must have the method `{method}`, got {type(regressor).__name__}.")
    n_rounds, n_tasks = logged.n_rounds, len(logged.tasks)
    if context.ndim not in (2, 3) or context.shape[: context.ndim - 1] != (n_rounds, n_tasks)[: context.ndim - 1]:
        raise ValueError(
            f"`context` must have the shape ({n_rounds}, n_features) or ({n_rounds}, {n_tasks}, n_features), got "
            f"{context.shape}."
        )
    check_integer("folds", folds, low=1, high=max(n_rounds, 1))
    reward = checked_reward(logged)
    predictions = np.empty((n_rounds, n_tasks))
    fold = fold_of(n_rounds, folds)
    for held_out in range(folds):
        test = np.flatnonzero(fold == held_out)
        train = np.flatnonzero(fold != held_out) if folds > 1 else test
        model: Any = copy.deepcopy(regressor)
        extra = {} if weights is None else {"sample_weight": weights[train]}
        model.fit(_features(context, train, logged.chosen[train], n_tasks), reward[train], **extra)
        for task in range(n_tasks):
            chosen = np.full(test.size, task)
            predictions[test, task] = model.predict(_features(context, test, chosen, n_tasks))
    if not np.isfinite(predictions).all():
        raise ValueError(f"`regressor` predicts rewards that are not finite: {type(regressor).__name__}.")
    return predictions


def _features(context: Floats, rows: Ints, chosen: Ints, n_tasks: int) -> Floats:
    own = context[rows] if context.ndim == 2 else context[rows, chosen]
    return np.concatenate([own, np.eye(n_tasks)[chosen]], axis=1)
