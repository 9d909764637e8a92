"""The interval of Clopper and Pearson, for bounded scores."""

from __future__ import annotations

from scipy import special

from ..records import Floats
from ._bounds import UNKNOWN, check_confidence, from_unit, to_unit, usable


def clopper_pearson(scores: Floats, *, confidence: float = 0.95, low: float, high: float) -> tuple[float, float]:
    """An interval for the mean of bounded scores from the quantiles of beta distributions.

    With S the sum of the scores in units of the range: Beta(S, n - S + 1) below, Beta(S + 1, n - S) above. Exact for
    scores that are 0 or 1. Scores in between vary less than 0s and 1s of the same mean, so the interval is too wide
    for them; that it never is too narrow was seen in simulation, not proved.

    Source: Clopper & Pearson 1934 (doi:10.1093/biomet/26.4.404); for importance-weighted rewards as in the released
    code `VowpalWabbit/estimators`, `src/estimators/bandits/clopper_pearson.py`, which divides the number of rounds by
    the largest weight as well and so gets a slightly narrower interval.

    Args:
        scores: one per round, shape (n_rounds,), in [low, high]; independent.
        confidence: in (0, 1).
        low: lower bound of all scores that could have been.
        high: upper bound of all scores that could have been.

    Returns:
        Lower and upper end inside [low, high]; infinite without scores or with one that is not finite.

    Raises:
        ValueError: `confidence` is outside (0, 1), the bounds are not in order, or a score lies outside them.

    Example:
        >>> import numpy as np
        >>> lower, upper = clopper_pearson(np.zeros(10), low=0.0, high=1.0)
        >>> round(lower, 3), round(upper, 3)
        (0.0, 0.308)
    """
    check_confidence(confidence)
    if not usable(scores, at_least=1):
        return UNKNOWN
    unit = to_unit(scores, low, high)
    total, n, tail = float(unit.sum()), unit.size, (1.0 - confidence) / 2.0
    lower = float(special.betaincinv(total, n - total + 1.0, tail)) if total > 0 else 0.0
    upper = float(special.betaincinv(total + 1.0, n - total, 1.0 - tail)) if total < n else 1.0
    return from_unit(lower, upper, low, high)
