"""The scaling law that ADO fits to every task: L(n) = exp(e) + exp(a) n^(-alpha)."""

import numpy as np

from ..records import Floats

DELTA = 1e-3  # where the Huber loss turns from square to absolute
STARTS = 4  # grid points that the descent starts from
ROUNDS = 60  # steps of the descent
RANKED = 40  # points by which the grid is ranked
LARGEST_A, LARGEST_ALPHA = 6.5, 0.8


def fit_scaling_law(counts: Floats, losses: Floats, smallest_e: float) -> Floats:
    """Estimates (a, e, alpha) of L(n) = exp(e) + exp(a) n^(-alpha) for many curves at once.

    Minimises sum_n huber(log L_n - log(exp(e) + exp(a) n^(-alpha))) within a <= 6.5, e >= `smallest_e` and
    0 <= alpha <= 0.8. The released code has penalties with slope 1 in place of these bounds, which the data term, whose
    slopes are of the order 1e-3, does not outweigh, and runs L-BFGS from each of 512 grid points; this takes
    damped Gauss-Newton steps on reweighted squares from the best 4 of the same grid.

    Source: Jiang et al. 2024, arXiv 2410.11820, and from its released code: yidingjiang/ado src/data_selectors/ado.py.

    Args:
        counts: n, above 0, shape (n_points,), or one row per curve.
        losses: L_n, above 0, shape (n_curves, n_points).
        smallest_e: bound of e.

    Returns:
        (a, e, alpha) of every curve, shape (n_curves, 3).
    """
    own = np.atleast_2d(np.log(counts))
    log_n = np.broadcast_to(own, losses.shape)
    log_l = np.log(losses)
    low = np.array([-20.0, smallest_e, 0.0])
    high = np.array([LARGEST_A, np.inf, LARGEST_ALPHA])
    a, e, alpha = np.meshgrid(np.arange(-2.0, 6.0), np.arange(-2.0, 2.0, 0.5), np.arange(8) / 10.0, indexing="ij")
    grid = np.clip(np.stack((a.ravel(), e.ravel(), alpha.ravel()), axis=1), low, high)
    value = np.empty((len(losses), len(grid)))
    some = slice(None, None, max(losses.shape[1] // RANKED, 1))  # a fraction of the points is enough to rank the grid
    for index, point in enumerate(grid):
        value[:, index] = objective(point[None], own[:, some], log_l[:, some])
    best = np.argsort(value, axis=1, kind="stable")[:, :STARTS]
    n_curves = len(losses)
    theta = grid[best].reshape(-1, 3)
    repeated = np.repeat(np.arange(n_curves), STARTS)
    theta, value = _descend(theta, log_n[repeated], log_l[repeated], low, high)
    winner = value.reshape(n_curves, STARTS).argmin(axis=1)
    return theta.reshape(n_curves, STARTS, 3)[np.arange(n_curves), winner]


def objective(theta: Floats, log_n: Floats, log_l: Floats) -> Floats:
    """Sum of the Huber losses of every curve, shape (n_curves,)."""
    gap = np.abs(_residual(theta, log_n, log_l)[0])
    huber = np.where(gap > DELTA, DELTA * (gap - 0.5 * DELTA), 0.5 * np.minimum(gap, DELTA) ** 2)
    return huber.sum(axis=1)


def _residual(theta: Floats, log_n: Floats, log_l: Floats) -> tuple[Floats, Floats]:
    """The log of L minus its prediction, and the part of that prediction that can still fall, in [0, 1]."""
    reducible = theta[:, :1] - theta[:, 2:] * log_n
    floor = theta[:, 1:2]
    predicted = np.logaddexp(reducible, floor)
    return log_l - predicted, np.exp(reducible - predicted)


def _descend(theta: Floats, log_n: Floats, log_l: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    value = objective(theta, log_n, log_l)
    damping = np.full(len(theta), 1e-3)
    for _ in range(ROUNDS):
        gap, part = _residual(theta, log_n, log_l)
        weight = DELTA / np.maximum(np.abs(gap), DELTA)
        slopes = np.stack((part, 1.0 - part, -part * log_n), axis=2)
        weighted = (weight[:, :, None] * slopes).transpose(0, 2, 1)
        square = weighted @ slopes
        pull = (weighted @ gap[:, :, None])[:, :, 0]
        # A parameter at its bound that is pulled outwards stays there, and the others move as if it were fixed.
        held = ((theta <= low) & (pull < 0.0)) | ((theta >= high) & (pull > 0.0))
        free = ~held
        square = square * (free[:, :, None] & free[:, None, :])
        diagonal = np.einsum("cii->ci", square)
        ridge = damping[:, None] * np.maximum(diagonal, 1e-9) + 1e-12 + held
        step = np.linalg.solve(square + ridge[:, :, None] * np.eye(3), (pull * free)[:, :, None])[:, :, 0]
        moved = np.clip(theta + step, low, high)
        new = objective(moved, log_n, log_l)
        better = new < value
        theta = np.where(better[:, None], moved, theta)
        value = np.where(better, new, value)
        damping = np.clip(np.where(better, damping * 0.3, damping * 5.0), 1e-9, 1e9)
    return theta, value
