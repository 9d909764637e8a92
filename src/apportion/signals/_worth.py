"""What a task still learns, and what its decisions do to the others: the estimates behind the signal `worth`."""

import numpy as np

from ..records import Bools, Floats

SCALES: Floats = np.geomspace(1.5, 6000.0, 14)
"""Decisions over which a task may learn; the mixture weighs them by their evidence."""
START, START_SD = 0.1, 0.15
"""Prior of the level before any decision."""
RISE, RISE_SD = 0.8, 0.3
"""Prior of how far the level rises in the end."""
SOFTNESS = 0.05
"""Levels that are less than about this apart count as equally low: what noise leaves between running means."""


def rises(n: Floats) -> Floats:
    """1 - exp(-n / scale) for each scale, shape (n_runs, n_scales)."""
    return -np.expm1(-n[:, None] / SCALES)


def curve_slope(curve: Floats, level: Floats, n: Floats, variance: Floats) -> Floats:
    """Expected slope of level = start + rise (1 - exp(-n / scale)) at decision n, shape (n_runs,).

    Start and rise have normal priors, the scale is one of `SCALES` with equal prior probability; slopes of scales are
    averaged by their evidence, and falling curves count as flat.

    Args:
        curve: discounted sums of f, f^2 and f y with f = 1 - exp(-n / scale), shape (n_runs, n_scales, 3).
        level: discounted sums of 1 and y, shape (n_runs, 2).
        n: decisions for the task, the next one included, shape (n_runs,).
        variance: of the noise of a level, above 0, shape (n_runs,).
    """
    noise = variance[:, None]
    ones, y = level[:, :1] / noise, level[:, 1:] / noise
    f, f2, fy = np.moveaxis(curve / noise[..., None], -1, 0)
    first, second = ones + START_SD**-2, f2 + RISE_SD**-2
    left, right = y + START * START_SD**-2, fy + RISE * RISE_SD**-2
    determinant = first * second - f * f
    start, rise = (second * left - f * right) / determinant, (first * right - f * left) / determinant
    evidence = 0.5 * (left * start + right * rise) - 0.5 * np.log(determinant)
    weight = np.exp(evidence - np.maximum.reduce(evidence, axis=1, keepdims=True))
    slope = np.maximum(rise, 0.0) * np.exp(-n[:, None] / SCALES) / SCALES
    return np.add.reduce(weight * slope, axis=1) / np.add.reduce(weight, axis=1)


def effects(matrix: Floats, vector: Floats, variance: Floats, own: float, spread: Floats) -> tuple[Floats, Floats]:
    """Posterior mean and variance of what a batch of each task is worth to each other one, in its own batches.

    Level of task i = start_i + sum_a theta_ia z_ia + noise, with z_ia the slopes of i, added up over the decisions for
    a; theta_ii ~ N(1, own^2) and theta_ia ~ N(0, spread_a^2). Shape (n_runs, n_tasks, n_tasks) each, the task that is
    affected first; the diagonal is 0.

    Args:
        matrix: discounted sums of z z', with a 1 behind the entries of the tasks, (n_runs, n_tasks, n_tasks + 1,
            n_tasks + 1).
        vector: discounted sums of z y, (n_runs, n_tasks, n_tasks + 1).
        variance: of the noise of a level, above 0, (n_runs,).
        own: deviation of theta_ii, above 0.
        spread: deviation of theta_ia by task a, above 0, (n_tasks,).
    """
    n_tasks = len(spread)
    diagonal = np.eye(n_tasks, dtype=np.bool_)
    precision = np.empty((n_tasks, n_tasks + 1))
    precision[:, :-1] = np.where(diagonal, own**-2, spread**-2)
    precision[:, -1] = START_SD**-2
    mean = np.concatenate([np.eye(n_tasks), np.full((n_tasks, 1), START)], axis=1)
    noise = variance[:, None, None]
    covariance = np.linalg.inv(matrix / noise[..., None] + precision[:, None, :] * np.eye(n_tasks + 1))
    right = vector / noise + precision * mean
    theta = np.add.reduce(covariance * right[:, :, None, :], axis=3)[:, :, :-1]
    spreads = np.einsum("riaa->ria", covariance)[:, :, :-1]
    return np.where(diagonal, 0.0, theta), np.where(diagonal, 0.0, spreads)


def lowest(levels: Floats, counted: Bools) -> tuple[Floats, Floats]:
    """The lowest level of the tasks that count, smoothed, (n_runs,), and its derivative by each, (n_runs, n_tasks).

    -s log mean exp(-level / s) with s = `SOFTNESS`; the derivatives sum to 1.
    """
    seen = np.where(counted, levels, np.inf)
    low = np.minimum.reduce(seen, axis=1, keepdims=True)
    weight = np.exp(-np.minimum((seen - low) / SOFTNESS, 700.0)) * counted
    total = np.add.reduce(weight, axis=1, keepdims=True)
    return (low - SOFTNESS * np.log(total / counted.sum()))[:, 0], weight / total
