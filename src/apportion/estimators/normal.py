"""The interval of the central limit theorem."""

from __future__ import annotations

import numpy as np
from scipy import special

from ..records import Floats
from ._bounds import UNKNOWN, check_confidence, standardised, usable


def normal(scores: Floats, *, confidence: float = 0.95) -> tuple[float, float]:
    """An interval for the mean of the scores from Student's t: mean +- t_(n-1) s / sqrt(n).

    Covers at its rate when n is large against the skewness that large importance weights bring. Scores that depend on
    each other along the run need `block_bootstrap`. Where the mean reward drifts along the run, the drift counts as
    noise and the interval is too wide, not too narrow.

    Source: Student 1908.

    Args:
        scores: one per round, shape (n_rounds,).
        confidence: in (0, 1).

    Returns:
        Lower and upper end; infinite with fewer than two scores or one that is not finite.

    Raises:
        ValueError: `confidence` is outside (0, 1).

    Example:
        >>> lower, upper = normal(np.array([1.0, 2.0, 3.0]))
        >>> round(lower, 3), round(upper, 3)
        (-0.484, 4.484)
    """
    check_confidence(confidence)
    if not usable(scores):
        return UNKNOWN
    unit, mean, scale = standardised(scores)
    half = scale * float(special.stdtrit(unit.size - 1, 0.5 + confidence / 2.0) * unit.std(ddof=1) / np.sqrt(unit.size))
    return mean - half, mean + half
