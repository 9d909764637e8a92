"""The direct method."""

from __future__ import annotations

from ..records import Floats, Logged
from ._models import predicted


def direct_method(logged: Logged, target: Floats, *, predictions: Floats | None = None) -> Floats:
    """Estimates the mean reward per step under the target from a reward model alone: sum over a of pi_t(a) q(t, a).

    Low variance, but biased by whatever the model gets wrong. The scores vary with the target, not with the error of
    the model, so an interval from them means nothing (measured coverage in `docs/off_policy.md`) and `evaluate` gives
    an infinite one. Use `dr` to report.

    Source: Beygelzimer & Langford 2009 (arXiv:0812.4044). Agrees with Open Bandit Pipeline's `DirectMethod`.

    Args:
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        predictions: rewards predicted by a model, (n_rounds, n_tasks); `by_task(logged)` by default.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: a reward is missing, shapes disagree, or predictions are not finite.

    Example:
        >>> import numpy as np
        >>> from apportion.estimators import by_task, from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[1.0, 2.0])
        >>> direct_method(log, np.array([0.75, 0.25]), predictions=by_task(log, folds=1))
        array([1.25, 1.25])
    """
    return predicted(logged, target, predictions)[0]
