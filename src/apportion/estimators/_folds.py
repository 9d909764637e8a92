"""Assignment of rounds to folds without a random generator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._check import check_integer
from ..records import Floats, Ints


def fold_of(n_rounds: int, folds: int) -> Ints:
    """Fold of each round, from 0 to folds - 1, shape (n_rounds,).

    The golden-ratio sequence spreads every fold evenly over the run and never falls into step with a periodic policy,
    which taking the round number modulo the number of folds would.

    Raises:
        ValueError: `folds` is below 1.
    """
    check_integer("folds", folds, low=1)
    turns = np.arange(n_rounds, dtype=np.float64) * 0.6180339887498949
    return ((turns - np.floor(turns)) * folds).astype(np.int64)


def out_of_fold(sums: NDArray[Any], folds: int) -> Floats:
    """Sums over all folds but one's own, or over the only fold; folds are on the first axis."""
    return sums.sum(axis=0, keepdims=True) - sums if folds > 1 else sums
