"""How likely each of several independent variables is the largest, by quadrature and without sampling."""

from collections.abc import Callable
from functools import cache, partial
from math import ceil, sqrt

import numpy as np
from scipy.special import betaln, ndtr

from ..records import Bools, Floats, Ints
from ._choice import normalised

CELLS = 1 << 17
"""Numbers per array at most, so that many runs at once stay in the cache instead of filling memory."""
FEWEST = 32
"""Nodes for normal variables come in multiples of this."""
REACH = 6.5
"""Standard deviations at which a normal variable is taken to end; beyond lie 4e-11."""
TAIL = 14.0
"""Exponents of the exponential tail of ln(x / (1 - x)) that count; beyond lie 1e-6."""


@cache
def _places(n_nodes: int) -> Floats:
    places: Floats = np.arange(n_nodes, dtype=np.float64) + 0.5
    places.flags.writeable = False
    return places


def in_chunks(some: Callable[[slice], Floats], n_runs: int, cells_per_run: int) -> Floats:
    """`some` of all runs, joined from slices of so many that their arrays have at most `CELLS` numbers."""
    size = max(CELLS // cells_per_run, 1)
    if n_runs <= size:
        return some(slice(None))
    return np.concatenate([some(slice(start, start + size)) for start in range(0, n_runs, size)])


def normal_nodes(ratio: float) -> int:
    """Nodes for `normal_argmax` when the largest deviation is `ratio` times the smallest: steps no wider than it."""
    return ceil(2.0 * REACH * ratio) + 16


def normal_argmax(mean: Floats, deviation: Floats, mask: Bools | None, n_nodes: int) -> Floats:
    """P(X_i is the largest) for independent X_i ~ N(mean_i, deviation_i^2), shape (n_runs, n_tasks).

    Integrates f_i times the product of all other F_j by the midpoint rule, which converges exponentially for functions
    as smooth as these: with `normal_nodes` the error was below 1e-6 in all of 8,000 cases of 2 to 20 variables. A run
    whose deviations are closer together takes fewer nodes, with steps no wider than its smallest deviation.

    Args:
        mean: shape (n_runs, n_tasks).
        deviation: above 0, shape (n_runs, n_tasks).
        mask: who takes part, shape (n_runs, n_tasks), or None for all.
        n_nodes: of the quadrature, at most.
    """
    n_runs, n_tasks = mean.shape
    low, high, least = mean - REACH * deviation, mean + REACH * deviation, deviation
    if mask is not None:
        low, high = np.where(mask, low, -np.inf), np.where(mask, high, -np.inf)
        least = np.where(mask, deviation, np.inf)
    low = np.maximum.reduce(low, axis=1, keepdims=True)  # the largest of all is never below it
    span = np.maximum.reduce(high, axis=1, keepdims=True) - low
    steps = span / np.minimum.reduce(least, axis=1, keepdims=True) + 16.0
    # A handful of sizes, so that runs of one size are done together.
    nodes = np.minimum(FEWEST * np.ceil(steps[:, 0] / FEWEST), n_nodes).astype(np.int64)
    first = (low - mean) / deviation

    def some(rows: Ints, count: int) -> Floats:
        step = span[rows] / count
        places = _places(count)
        z = (step / deviation[rows])[:, :, None] * places
        z += first[rows, :, None]
        np.minimum(z, 37.0, out=z)  # beyond, F is 1 and f is 0 already, and squares might overflow
        if mask is not None:
            np.maximum(z, -REACH, out=z)  # only who takes no part lies below
        below = ndtr(z)
        z *= z
        z *= -0.5
        density = np.exp(z, out=z)
        density /= below
        if mask is not None:
            density[~mask[rows]], below[~mask[rows]] = 0.0, 1.0
        return step * (density @ np.multiply.reduce(below, axis=1)[:, :, None])[:, :, 0]

    found = np.empty((n_runs, n_tasks))
    for count in sorted(set(nodes.tolist())):
        rows = np.flatnonzero(nodes == count)
        part = partial(some, count=count)
        found[rows] = in_chunks(lambda at, rows=rows, part=part: part(rows[at]), len(rows), n_tasks * count)
    return normalised(found / deviation)


def beta_nodes(least: float, most: float) -> int:
    """Nodes for `beta_argmax` when all alpha and beta are at least `least` and alpha + beta at most `most`.

    The step is 0.7 of the smallest standard deviation that ln(x / (1 - x)) can then have.
    """
    widest = 2.0 * (5.0 * sqrt(2.0 / least) + TAIL / least)
    return ceil(widest * sqrt(most) / 1.4)


def beta_argmax(alpha: Floats, beta: Floats, mask: Bools | None, n_nodes: int) -> Floats:
    """P(X_i is the largest) for independent X_i ~ Beta(alpha_i, beta_i), shape (n_runs, n_tasks).

    Works on y = ln(x / (1 - x)), where the densities are smooth. F_j is a sum over the nodes with the first correction
    of Euler and Maclaurin, so that the error falls with the fourth power of the step: with `beta_nodes` it was below
    1e-4 in 800 cases of nine variables.

    Args:
        alpha: above 0, shape (n_runs, n_tasks).
        beta: above 0, shape (n_runs, n_tasks).
        mask: who takes part, shape (n_runs, n_tasks), or None for all.
        n_nodes: of the quadrature.
    """
    n_runs, n_tasks = alpha.shape
    middle, spread = np.log(alpha / beta), 5.0 * np.sqrt(1.0 / alpha + 1.0 / beta)
    low, high = middle - spread - TAIL / alpha, middle + spread + TAIL / beta
    if mask is not None:
        low, high = np.where(mask, low, -np.inf), np.where(mask, high, -np.inf)
    low = np.maximum.reduce(low, axis=1, keepdims=True)
    step = (np.maximum.reduce(high, axis=1, keepdims=True) - low) / n_nodes
    scale = np.log(step) - betaln(alpha, beta)
    both = alpha + beta
    places = _places(n_nodes)

    def some(rows: slice) -> Floats:
        y = low[rows] + step[rows] * places
        x = 1.0 / (1.0 + np.exp(-y))
        # x^alpha (1 - x)^beta = x^(alpha + beta) e^(-beta y); times the step it is the mass around a node
        mass = both[rows, :, None] * np.log(x)[:, None]
        mass -= beta[rows, :, None] * y[:, None]
        mass += scale[rows, :, None]
        np.exp(mass, out=mass)
        part = both[rows, :, None] * x[:, None]
        part -= alpha[rows, :, None]
        part *= step[rows, :, None] / 12.0
        part += 0.5  # half of the mass around the node lies below it; then the correction
        part *= mass
        below = np.add.accumulate(mass[:, :, ::-1], axis=2)[:, :, ::-1]
        np.subtract(part, below, out=below)
        below += 1.0
        np.maximum(below, 1e-12, out=below)
        if mask is not None:
            mass[~mask[rows]], below[~mask[rows]] = 0.0, 1.0
        mass /= below
        return (mass @ np.multiply.reduce(below, axis=1)[:, :, None])[:, :, 0]

    return normalised(in_chunks(some, n_runs, n_tasks * n_nodes))
