"""The percentile bootstrap."""

from __future__ import annotations

import numpy as np

from .._check import check_integer
from ..records import Floats
from ._bounds import UNKNOWN, check_confidence, standardised, usable

_EXACT = 4096
_TAIL = 256
_CELLS = 512
_CHUNK = 1 << 20


def bootstrap(
    scores: Floats, *, confidence: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """An interval for the mean of the scores from the percentiles of means of resampled scores.

    Up to 4,096 scores are resampled one by one. More are sorted; the 256 smallest and the 256 largest stay single,
    the rest is divided into 512 cells of equal count, and a resample draws how many scores fall on each (a
    multinomial count), adding within each cell a normal term of the cell's variance. That has the mean, variance and
    tails of the plain bootstrap and costs n log n + 1,024 per resample instead of n per resample. Resamples are the
    same for the same seed.

    Assumes independent rounds: see `block_bootstrap`. As narrow as `normal`, a little better for skewed scores.

    Source: Efron 1979 (doi:10.1214/aos/1176344552); the cells are ours.

    Args:
        scores: one per round, shape (n_rounds,).
        confidence: in (0, 1).
        n_resamples: number of resamples, at least 100.
        seed: of the resampling.

    Returns:
        Lower and upper end; infinite with fewer than two scores or one that is not finite.

    Raises:
        ValueError: `confidence` is outside (0, 1) or `n_resamples` below 100.

    Example:
        >>> lower, upper = bootstrap(np.arange(100.0))
        >>> bool(43 < lower < 45 and 54 < upper < 56)
        True
    """
    check_confidence(confidence)
    check_integer("n_resamples", n_resamples, low=100)
    if not usable(scores):
        return UNKNOWN
    unit, mean, scale = standardised(scores)
    draw = _resampled if unit.size <= _EXACT else _resampled_in_cells
    return percentiles(mean + scale * draw(unit, n_resamples, np.random.default_rng(seed)), confidence)


def percentiles(means: Floats, confidence: float) -> tuple[float, float]:
    """The central interval of resampled means.

    The quantiles are those that a further resample would pass with the stated chance (rank p (B + 1) of B): the usual
    ones lie further in and cost a percentage point of coverage at 200 resamples.
    """
    lower, upper = np.quantile(means, [0.5 - confidence / 2.0, 0.5 + confidence / 2.0], method="weibull")
    return float(lower), float(upper)


def _resampled(scores: Floats, n_resamples: int, rng: np.random.Generator) -> Floats:
    means = np.empty(n_resamples)
    rows = max(1, _CHUNK // scores.size)
    for start in range(0, n_resamples, rows):
        count = min(rows, n_resamples - start)
        means[start : start + count] = scores[rng.integers(0, scores.size, (count, scores.size))].mean(axis=1)
    return means


def _resampled_in_cells(scores: Floats, n_resamples: int, rng: np.random.Generator) -> Floats:
    ordered = np.sort(scores)
    n = ordered.size
    inner = np.linspace(_TAIL, n - _TAIL, _CELLS, endpoint=False).astype(np.int64)
    starts = np.concatenate([np.arange(_TAIL), inner, np.arange(n - _TAIL, n)])
    sizes = np.diff(np.append(starts, n))
    means = np.add.reduceat(ordered, starts) / sizes
    ordered -= np.repeat(means, sizes)
    variances = np.add.reduceat(ordered * ordered, starts) / sizes
    answer = np.empty(n_resamples)
    rows = _CHUNK // starts.size
    for start in range(0, n_resamples, rows):
        count = min(rows, n_resamples - start)
        counts = rng.multinomial(n, sizes / n, size=count).astype(np.float64)
        within = np.sqrt(counts @ variances) * rng.standard_normal(count)
        answer[start : start + count] = (counts @ means + within) / n
    return answer
