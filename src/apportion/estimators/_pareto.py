"""The shape of the tail of the importance weights."""

from __future__ import annotations

import numpy as np

from ..records import Floats

MAX_TAIL = 30_000
"""Most tail values that are kept: what the rule below asks for at 10^8 rounds."""


def tail_size(n_rounds: int) -> int:
    """How many of the largest weights the tail fit uses: the smaller of n/5 and 3 sqrt(n)."""
    return int(min(0.2 * n_rounds, 3.0 * np.sqrt(n_rounds), MAX_TAIL))


def pareto_k(largest: Floats, n_rounds: int) -> float:
    """Shape k of the generalised Pareto tail of the importance weights: their moments below 1/k exist.

    Above 0.7 estimates and intervals cannot be relied on; below 0.5 the variance is finite. Bounded weights give k <
    0.

    Source: Vehtari et al. 2024 (arXiv:1507.02646), with the fit of Zhang & Stephens 2009
    (doi:10.1198/tech.2009.08017) and its weakly informative prior towards 0.5.

    Args:
        largest: the largest importance weights, at least `tail_size(n_rounds) + 1` of them if there are as many.
        n_rounds: number of all importance weights.

    Returns:
        k; NaN where the tail has fewer than five values, or does not vary.
    """
    size = tail_size(n_rounds)
    if size < 5 or largest.size < size + 1:
        return float("nan")
    ordered = np.sort(largest)[-(size + 1) :]
    excess = ordered[1:] - ordered[0]
    excess = excess[excess > 1e-12 * max(ordered[-1], 1e-300)]
    if excess.size < 5 or excess[-1] <= excess[0] * (1 + 1e-9):
        return float("nan")
    n = excess.size
    n_grid = 30 + int(np.sqrt(n))
    grid = 1.0 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))
    grid = grid / (3.0 * excess[int(n / 4 + 0.5) - 1]) + 1.0 / excess[-1]
    grid = grid[np.abs(grid) > 1e-12 / excess[-1]]
    shapes = np.array([np.log1p(-b * excess).mean() for b in grid])
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = n * (np.log(-grid / shapes) - shapes - 1.0)
    profile = np.where(np.isfinite(profile), profile, -np.inf)
    likelihood = np.exp(profile - profile.max())
    b = float((grid * likelihood).sum() / likelihood.sum())
    k = float(np.log1p(-b * excess).mean())
    return (n * k + 5.0) / (n + 10.0)
