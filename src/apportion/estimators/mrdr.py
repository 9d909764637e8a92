"""The more robust doubly robust estimator."""

from __future__ import annotations

from ..records import Floats, Logged
from ._inputs import checked_target, importance_weights
from .by_context import Regressor, by_context
from .by_task import by_task
from .dr import dr


def mrdr(
    logged: Logged,
    target: Floats,
    *,
    context: Floats | None = None,
    regressor: Regressor | None = None,
    folds: int = 5,
) -> Floats:
    """Estimates the mean reward per step under the target by `dr`, with a model fitted for low variance of just that.

    The model minimises squared residuals weighted by pi_t(a_t) (1 - p_t) / p_t^2, with p_t the propensity: accurate
    where its errors are multiplied most. Without a regressor it is the weighted mean of each task.

    Source: Farajtabar, Chow & Ghavamzadeh 2018 (arXiv:1802.03493); the weights are those of the released code of Open
    Bandit Pipeline (`ope/regression_model.py`, `fitting_method="mrdr"`).

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        context: see `by_context`; needed with `regressor`.
        regressor: anything with scikit-learn's `fit(X, y, sample_weight=...)` and `predict`.
        folds: of the cross-fitting; 1 fits and predicts on the same rounds.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: only one of `context` and `regressor` is given, a reward is missing, or shapes disagree.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> import numpy as np
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[1.0, 2.0])
        >>> float(mrdr(log, np.array([0.75, 0.25]), folds=1).mean())
        1.25
    """
    target = checked_target(logged, target)
    propensity = logged.propensity
    weights = importance_weights(logged, target) * (1.0 - propensity) / propensity
    if (context is None) != (regressor is None):
        raise ValueError("`context` and `regressor` belong together: give both, or neither for a mean per task.")
    if context is None or regressor is None:
        return dr(logged, target, predictions=by_task(logged, folds=folds, weights=weights))
    return dr(
        logged, target, predictions=by_context(logged, context, regressor=regressor, folds=folds, weights=weights)
    )
