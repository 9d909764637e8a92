"""The block bootstrap, for scores that depend on each other along the run."""

from __future__ import annotations

import numpy as np
from scipy import special

from .._check import check_integer
from ..records import Floats
from ._bounds import UNKNOWN, check_confidence, standardised, usable
from .bootstrap import percentiles

_CHUNK = 1 << 20


def block_bootstrap(
    scores: Floats,
    *,
    confidence: float = 0.95,
    block_length: int | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """An interval for the mean of dependent scores from the percentiles of means of resampled blocks of the run.

    Circular blocks of b consecutive rounds keep the dependence up to b rounds, such as measurement noise that lasts
    over several steps. `block_length=None` takes twice the automatic choice of Politis & White, which is best for the
    variance and leaves intervals too narrow; and resampled means are stretched about their centre by t / z sqrt(k / (k
    - 1)), t and z the quantiles of Student's t with k - 1 degrees and of the normal, since the k blocks are few. Both
    are ours, from simulation. Still too narrow when the dependence reaches over a good part of the run (measured in
    `docs/off_policy.md`).

    Source: Politis & Romano 1992 (circular block bootstrap); Politis & White 2004 (doi:10.1081/ETC-120028836) with
    the correction of Patton, Politis & White 2009 (doi:10.1080/07474930802459016).

    Args:
        scores: one per round in the order of the run, shape (n_rounds,).
        confidence: in (0, 1).
        block_length: rounds per block b, at least 1.
        n_resamples: number of resamples, at least 100.
        seed: of the resampling.

    Returns:
        Lower and upper end; infinite with fewer than 8 scores, fewer than 4 blocks, or a score that is not finite.

    Raises:
        ValueError: `confidence` is outside (0, 1), `block_length` below 1 or `n_resamples` below 100.

    Example:
        >>> lower, upper = block_bootstrap(np.repeat(np.arange(20.0), 5), block_length=5)
        >>> bool(6 < lower < 8 and 11 < upper < 13)
        True
    """
    check_confidence(confidence)
    check_integer("n_resamples", n_resamples, low=100)
    if block_length is not None:
        check_integer("block_length", block_length, low=1)
    if not usable(scores, at_least=8):
        return UNKNOWN
    n = scores.size
    unit, mean, scale = standardised(scores)
    length = _default_length(unit) if block_length is None else block_length
    if length * 4 > n:
        return UNKNOWN
    around = np.concatenate([[0.0], np.cumsum(np.concatenate([unit, unit[: length - 1]]))])
    sums = around[length:] - around[:-length]
    n_blocks = -(-n // length)
    rng = np.random.default_rng(seed)
    means = np.empty(n_resamples)
    rows = max(1, _CHUNK // n_blocks)
    for start in range(0, n_resamples, rows):
        count = min(rows, n_resamples - start)
        means[start : start + count] = sums[rng.integers(0, n, (count, n_blocks))].sum(axis=1)
    blocks, tail = n / length, 0.5 + confidence / 2.0
    stretch = special.stdtrit(blocks - 1.0, tail) / special.ndtri(tail) * np.sqrt(blocks / (blocks - 1.0))
    return percentiles(mean + scale * stretch * means / (n_blocks * length), confidence)


def _default_length(scores: Floats) -> int:
    length = automatic_block_length(scores)
    return min(2 * length, scores.size // 4) if length > 1 else 1


def automatic_block_length(scores: Floats) -> int:
    """Length of circular blocks with the smallest mean squared error of the variance, from the autocovariances.

    b = (2 G^2 / D)^(1/3) n^(1/3), G = sum of l(k/M) |k| R(k), D = (4/3) (sum of l(k/M) R(k))^2, with the flat-top
    window l; M is twice the lag after which the autocorrelations stay inside their noise band. At least 1, at most
    the smaller of 3 sqrt(n) and n/4.

    Source: as `block_bootstrap`.
    """
    n = scores.size
    power = np.abs(np.fft.rfft(standardised(scores)[0], 2 * n)) ** 2
    reach = min(int(np.ceil(np.sqrt(n))) + max(5, int(np.ceil(np.sqrt(np.log10(n))))), n - 1)
    covariance = np.fft.irfft(power, 2 * n)[: reach + 1] / n
    if not covariance[0] > 0:
        return 1
    band = 2.0 * np.sqrt(np.log10(n) / n)
    quiet = max(5, int(np.ceil(np.sqrt(np.log10(n)))))
    loud = np.abs(covariance[1:] / covariance[0]) > band
    last = 0
    for lag in range(reach):
        if loud[lag]:
            last = lag + 1
        elif lag + 1 - last >= quiet:
            break
    lags = np.arange(1, min(2 * last, reach) + 1)
    taper = np.clip(2.0 * (1.0 - lags / max(lags.size, 1)), 0.0, 1.0)
    weighted = taper * covariance[1 : lags.size + 1]
    slope = 2.0 * float((weighted * lags).sum())
    spectrum = float(covariance[0]) + 2.0 * float(weighted.sum())
    if slope == 0.0 or spectrum == 0.0:
        return 1
    length = (2.0 * slope**2 / (4.0 / 3.0 * spectrum**2)) ** (1.0 / 3.0) * n ** (1.0 / 3.0)
    return int(np.clip(np.ceil(length), 1, max(1, min(3 * np.sqrt(n), n // 4))))
