"""Means over seeds with their intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from ...records import Floats

CONFIDENCE = 0.95
"""Of every interval in a report, unless a table says otherwise."""

KIND = "95 % Student t interval over seeds"
"""How figures and captions call the intervals."""


class Mean(NamedTuple):
    """A mean over seeds with its interval; NaN where there are too few."""

    mean: float
    lower: float
    upper: float
    n: int


def mean_over_seeds(values: Floats, *, confidence: float = CONFIDENCE) -> Mean:
    """Mean of the finite values with Student's t interval, mean +- t_{n-1} s / sqrt(n).

    It assumes that the mean over seeds is about normal, which a handful of seeds of a bounded score mostly satisfies
    and outliers break. One value has a mean and no interval; none has nothing.

    Args:
        values: one for each seed; NaN where a seed has none, shape (n_seeds,).
        confidence: of the interval, in (0, 1).

    >>> [round(value, 3) for value in mean_over_seeds(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484, 3]
    """
    known = values[np.isfinite(values)]
    n = known.size
    if n == 0:
        return Mean(np.nan, np.nan, np.nan, 0)
    mean = float(known.mean())
    if n == 1:
        return Mean(mean, np.nan, np.nan, 1)
    half = float(special.stdtrit(n - 1, 0.5 + confidence / 2) * known.std(ddof=1) / np.sqrt(n))
    return Mean(mean, mean - half, mean + half, n)
