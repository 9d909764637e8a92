"""The Lasso from its normal equations."""

import numpy as np

from ..records import Floats

RIDGE = 1e-6  # on features scaled to length 1: makes the answer the same whatever the order of the features


def lasso(square: Floats, pull: Floats, penalty: float, *, signed: bool) -> Floats:
    """Estimates argmin over v of 0.5 v'Gv - c'v + l |v|_1 exactly, with l = penalty * max_i |c_i| in the scale of G.

    Features are scaled to length 1 first, so that l treats them alike, with a ridge of 1e-6. With v = u - w and neither
    u nor w negative, it is a least-squares problem over numbers that are not negative (Lawson and Hanson).

    Args:
        square: G = X'X, shape (n, n).
        pull: c = X'y, shape (n,).
        penalty: fraction of the penalty at which v becomes 0, in [0, 1).
        signed: allow negative entries.

    Returns:
        v in the units of y per unit of the features, shape (n,).
    """
    from scipy.optimize import nnls  # here, as it takes long to import

    length = np.sqrt(np.maximum(np.diag(square), 0.0))
    scale = np.where(length > 0.0, length, np.inf)
    c = pull / scale
    top = float(np.abs(c).max()) if signed else float(c.max())
    if not top > 0.0:
        return np.zeros(len(pull))
    g = square / scale[:, None] / scale[None, :]
    c = c / top
    if signed:
        g = np.block([[g, -g], [-g, g]])
        c = np.concatenate((c, -c))
    root = np.linalg.cholesky(g + RIDGE * np.eye(len(c)))
    found, _ = nnls(root.T, np.linalg.solve(root, c - penalty), maxiter=100 * len(c))
    v = found[: len(pull)] - found[len(pull) :] if signed else found
    return top * v / scale
