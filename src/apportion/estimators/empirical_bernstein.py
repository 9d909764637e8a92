"""The empirical Bernstein interval."""

from __future__ import annotations

import numpy as np

from ..records import Floats
from ._bounds import UNKNOWN, check_confidence, from_unit, to_unit, usable


def empirical_bernstein(scores: Floats, *, confidence: float = 0.95, low: float, high: float) -> tuple[float, float]:
    """An interval for the mean of bounded scores that holds at every n: mean +- sqrt(2 s^2 L / n) + 7 L / (3 (n - 1)).

    In units of the range, with L = ln(4 / (1 - confidence)): two one-sided bounds. Wider than `normal`; `betting` is
    narrower and holds as well. The bounds must be known beforehand: the largest score seen is no bound.

    Source: Maurer & Pontil 2009 (arXiv:0907.3740), theorem 4. The lower end agrees with Open Bandit Pipeline's
    `estimate_bernstein_lower_bound` for scores from 0.

    Args:
        scores: one per round, shape (n_rounds,), in [low, high]; independent.
        confidence: in (0, 1).
        low: lower bound of all scores that could have been.
        high: upper bound of all scores that could have been.

    Returns:
        Lower and upper end inside [low, high]; infinite with fewer than two scores or one that is not finite.

    Raises:
        ValueError: `confidence` is outside (0, 1), the bounds are not in order, or a score lies outside them.

    Example:
        >>> lower, upper = empirical_bernstein(np.tile([0.0, 1.0], 500), low=0.0, high=1.0)
        >>> round(lower, 3), round(upper, 3)
        (0.443, 0.557)
    """
    check_confidence(confidence)
    if not usable(scores):
        return UNKNOWN
    unit = to_unit(scores, low, high)
    depth = np.log(4.0 / (1.0 - confidence))
    half = np.sqrt(2.0 * unit.var(ddof=1) * depth / unit.size) + 7.0 * depth / (3.0 * (unit.size - 1))
    mean = unit.mean()
    return from_unit(float(max(mean - half, 0.0)), float(min(mean + half, 1.0)), low, high)
