"""How noisy the evidence is, by neighbours and by residuals, and how far the two disagree."""

from __future__ import annotations

import numpy as np

from ..records import Floats
from ._evidence import Evidence

POOLED = 4.0
"""Evaluations of a typical task that count towards the noise of each."""

ENOUGH = 6
"""Second differences of what training batches told, for each task, that their noise can be told from."""

EXPECTED = 0.005
"""Error of the model that is always expected, as a part of the range of scores: what is as small is no bad fit."""

TAILS = 4.0
"""Degrees of freedom of the noise of scores: now and then one is far off."""

CONSISTENT = 0.7666
"""Mean of w z^2 for normal z, with w = min(1, (TAILS + 1) / (TAILS + z^2)): squares so weighted are too small by it."""


def inlier_weights(residual: Floats, each: Floats) -> Floats:
    """What scores count for, at most 1: little where the best shape is far off, (n_runs, n_tasks, n_rows).

    (f + 1) / (f + r^2 / variance), f = TAILS: the weights of Student's t (Lange, Little and Taylor 1989, doi
    10.1080/01621459.1989.10478852, from memory).
    """
    best = (residual**2 / each[:, None]).sum(axis=-1).argmin(axis=1)
    own = np.take_along_axis(residual, best[:, None, :, None], axis=1)[:, 0]
    return np.minimum((TAILS + 1.0) / (TAILS + own**2 / each), 1.0)


def misfit_of(
    data: Evidence,
    residual: Floats,
    weight: Floats,
    of_scores: tuple[Floats, Floats],
    of_batches: tuple[Floats, Floats, Floats],
) -> Floats:
    """Mean squared residual of the best shapes over all rows, in units of what noise (or EXPECTED) explains, (n_runs,).

    NaN where noise cannot be told yet.

    Args:
        data: that was fitted.
        residual: (n_runs, n_variants, n_tasks, n_rows).
        weight: of the shapes, (n_runs, n_variants, n_tasks).
        of_scores: their noise from second differences, (n_runs,), and how many there are of each task, (n_runs,
            n_tasks).
        of_batches: the fitted noise of what training batches told, how many there are, both (n_runs, n_tasks), and what
            each counts for, (n_runs, n_tasks, n_rows).
    """
    n, (rough, seen), (fitted, heard, batches) = data.n_scores, of_scores, of_batches
    # In units of the fitted noise of each task, as that of a success depends on the success.
    relative, triples = rough_noise(data.y[..., n:] / fitted[..., None], batches, bounded=True)
    relative = np.where(triples >= ENOUGH * data.y.shape[1], relative, np.nan)
    squares, rows = np.zeros((2, len(rough)))
    for part, noise, unit, number in (
        (residual[..., :n], np.maximum(rough, EXPECTED), np.ones_like(fitted), seen),
        (residual[..., n:], relative, fitted, heard),
    ):
        own = ((part / unit[:, None, :, None]) ** 2).sum(axis=-1)
        known = np.isfinite(noise)
        squares += np.where(known, (own * weight).sum(axis=(1, 2)) / np.where(known, noise, 1.0) ** 2, 0.0)
        rows += np.where(known, number.sum(axis=1), 0.0)
    return np.where(rows > 0, squares / np.maximum(rows, 1.0), np.nan)


def rough_noise(y: Floats, weight: Floats, *, bounded: bool = False) -> tuple[Floats, Floats]:
    """Noise of a row of weight 1 from second differences of neighbours, over all tasks, and their number, (n_runs,).

    The noise is NaN where there are too few.

    Hall, Kay and Titterington 1990, Biometrika 77, 521, with weights (1, -2, 1) over their standard deviation, which is
    sqrt(6) for rows of weight 1. Robust: by the median.
    """
    if y.shape[-1] < 3:
        return np.full(len(y), np.nan), np.zeros(len(y))
    second = y[..., :-2] - 2.0 * y[..., 1:-1] + y[..., 2:]
    known = (weight[..., :-2] > 0) & (weight[..., 1:-1] > 0) & (weight[..., 2:] > 0)
    part = 1.0 / np.where(weight > 0, weight, 1.0)
    deviation = np.sqrt(part[..., :-2] + 4.0 * part[..., 1:-1] + part[..., 2:])
    if bounded:
        # No difference at all tells of a task whose batches are all wrong or all right, and not of noise.
        known &= second != 0.0
    value = np.where(known, np.abs(second) / deviation, np.nan).reshape(len(y), -1)
    triples = known.reshape(len(y), -1).sum(axis=1)
    enough = triples >= 4
    found = np.full(len(y), np.nan)
    if enough.any():
        found[enough] = np.nanmedian(value[enough], axis=1) / 0.6745
    return np.maximum(found, 1e-6), triples.astype(np.float64)


def noise_variance(
    residual: Floats, told: Floats, weights: Floats, variance: Floats, seen: Floats, prior: Floats
) -> Floats:
    """Noise variance of each task: residuals of its best shape, drawn towards those of the other tasks.

    Args:
        residual: (n_runs, n_variants, n_tasks, n_rows).
        told: sums over the rows of squared derivatives by the parameters, (n_runs, n_variants, n_tasks, P).
        weights: precision of the prior, shaped alike.
        variance: as found so far, (n_runs, n_tasks).
        seen: number of rows, (n_runs, n_tasks).
        prior: variance before anything is known, (n_runs, 1) or (n_runs, n_tasks).
    """
    squares = (residual**2).sum(axis=-1).min(axis=1)  # (R, I)
    # Effective parameters, by the curvature of the data against that of the prior on the diagonal.
    data = told / variance[:, None, :, None]
    used = (data / (data + weights)).sum(axis=-1).mean(axis=1)
    free = np.maximum(seen - used, 0.2 * seen)
    # The median over tasks: one task that the shapes cannot follow must not make the others look noisy.
    typical = np.median((squares + 3.0 * prior) / (free + 3.0), axis=1)
    own = (squares + POOLED * typical[:, None]) / (free + POOLED)
    return np.maximum(own, 1e-8)
