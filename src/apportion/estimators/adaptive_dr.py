"""The adaptively weighted doubly robust estimator."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .._check import check_choice
from ..records import Floats, Logged
from ._inputs import checked_target
from .by_task import by_task
from .dr import dr


def adaptive_dr(
    logged: Logged,
    target: Floats,
    *,
    predictions: Floats | None = None,
    allocation: Literal["stable", "minimum"] = "stable",
) -> Floats:
    """Estimates the mean reward per step under the target from the log of a policy that adapted, with normal intervals.

    V = sum h_t G_t / sum h_t, where G_t are the scores of `dr` with a model of the past only, and h_t evens out their
    variance, which an adaptive policy makes wander: with v_t = sum over a of pi_t(a)^2 / p_t(a), "stable" is h_t =
    v_t^(-1/2) and "minimum" is h_t = 1 / v_t. For a target that is one task, "stable" is the constant allocation of
    Hadad et al. The scores returned are those of the delta method, V + (h_t / mean h)(G_t - V).

    Rounds count by h_t, which the log's probabilities determine: exact only if the mean reward under the target does
    not drift along the run. If it does, this estimates its h-weighted mean, and `dr` the plain mean.

    Source: Hadad, Hirshberg, Zhan, Wager & Athey 2021 (doi:10.1073/pnas.2014602118); Zhan, Hadad, Hirshberg & Athey
    2021 (arXiv:2106.02029), StableVar and MinVar weights; released code `gsbDBI/contextual_bandits_evaluation`,
    `adaptive/inference.py` (there named lvdl and propscore). The two-point allocation of Hadad et al. is left out: it
    needs to know the floor under the probabilities for the rest of the run.

    Args:
        logged: decisions with rewards, in the order of their steps.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        predictions: rewards predicted from earlier rounds only, (n_rounds, n_tasks); `by_task(logged, folds="past")`
            by default.
        allocation: how h_t follows from v_t.

    Returns:
        Scores, shape (n_rounds,), in units of reward; their mean is the estimate (`per_step`).

    Raises:
        ValueError: `allocation` is unknown, a reward is missing, shapes disagree, or predictions are not finite.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[1.0, 2.0])
        >>> float(adaptive_dr(log, np.array([0.75, 0.25])).mean())
        1.5
    """
    check_choice("allocation", allocation, ("stable", "minimum"))
    target = checked_target(logged, target)
    if predictions is None:
        predictions = by_task(logged, folds="past")
    scores = dr(logged, target, predictions=predictions)
    if scores.size == 0:
        return scores
    supported = logged.probabilities > 0
    variance = np.divide(target**2, logged.probabilities, out=np.zeros_like(target), where=supported).sum(axis=1)
    # A variance of 0 means that nothing the target wants could be drawn: such a round says nothing.
    share = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    if allocation == "stable":
        share = np.sqrt(share)
    share = share / share.mean()
    value = float((share * scores).mean())
    return value + share * (scores - value)
