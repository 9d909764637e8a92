"""Choice of a threshold by Lepski's principle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from .._check import check_number
from ..records import Floats, Logged
from ._inputs import importance_weights


def slope(candidates: Mapping[float, Floats], *, confidence: float = 0.9) -> float:
    """Decides how far to trade variance for bias: the most biased candidate that the others do not contradict.

    Candidates are ordered by the half-width c of their interval, widest (least biased) first; candidate i is accepted
    while |V_i - V_j| <= c_i + (sqrt(6) - 1) c_j for all accepted j. The half-width is that of a one-sided t-interval.

    Source: SLOPE, Su, Srinath & Krishnamurthy 2020 (arXiv:2002.07729); the test is that of SLOPE++ (Tucker & Lee
    2021, which could not be checked) in the released code of Open Bandit Pipeline (`ope/estimators_tuning.py`). Needs
    bias to grow as variance falls along the candidates. An interval computed after the choice ignores that a choice
    was made.

    Args:
        candidates: scores (n_rounds,) by threshold; at least one.
        confidence: of the half-widths, in (0, 1).

    Returns:
        The threshold chosen.

    Raises:
        ValueError: there is no candidate, or `confidence` is not in (0, 1).

    Example:
        >>> slope({1.0: np.array([0.9, 1.1, 1.0]), np.inf: np.array([0.0, 3.0, 0.3])})
        1.0
    """
    check_number("confidence", confidence, low=0.0, high=1.0, low_open=True, high_open=True)
    if not candidates:
        raise ValueError("`candidates` must hold the scores of at least one threshold, got none.")
    names = list(candidates)
    values = np.array([candidates[name].mean() if candidates[name].size else 0.0 for name in names])
    n_rounds = next(iter(candidates.values())).size
    if n_rounds < 2:
        return names[0]
    quantile = float(special.stdtrit(n_rounds - 1, confidence))
    widths = np.array([candidates[name].std(ddof=1) for name in names]) * quantile / np.sqrt(n_rounds)
    order = np.argsort(widths, kind="stable")[::-1]
    for position in range(1, order.size):
        here, before = order[position], order[:position]
        if (np.abs(values[before] - values[here]) > widths[here] + (np.sqrt(6.0) - 1.0) * widths[before]).any():
            return names[order[position - 1]]
    return names[order[-1]]


def thresholds(weights: Floats) -> list[float]:
    """Thresholds worth trying for these importance weights: none at all (infinity), and some of their quantiles.

    >>> thresholds(np.array([0.5, 2.0, 2.0, 2.0, 2.0]))
    [inf, 2.0]
    """
    positive = weights[weights > 0]
    if positive.size == 0:
        return [float("inf")]
    quantiles = np.quantile(positive, [0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999])
    return [float("inf"), *(float(value) for value in np.unique(quantiles)[::-1])]


def choose_threshold(
    estimator: Callable[..., Floats],
    logged: Logged,
    target: Floats,
    *,
    option: str = "threshold",
    values: Sequence[float] | None = None,
    confidence: float = 0.9,
    **options: Any,
) -> float:
    """Decides by `slope` which value of one option of an estimator to use.

    Args:
        estimator: such as `clipped_ips`, `switch_dr` or `shrinkage_dr`.
        logged: decisions with rewards.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        option: name of the option.
        values: what to try; infinity and some quantiles of the importance weights by default.
        confidence: see `slope`.
        **options: further arguments of the estimator.

    Returns:
        The value chosen.

    Raises:
        ValueError: as `slope` and the estimator.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import clipped_ips, from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1] * 9, probabilities=[[0.5, 0.5]] * 18, reward=[1, 0] * 9)
        >>> choose_threshold(clipped_ips, log, np.array([0.5, 0.5]), option="clip", values=[1.0, 0.1])
        1.0
    """
    tried = thresholds(importance_weights(logged, target)) if values is None else values
    scores = {value: estimator(logged, target, **{option: value}, **options) for value in tried}
    return slope(scores, confidence=confidence)
