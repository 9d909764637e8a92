"""Means and co-moments that can be merged chunk by chunk without loss of precision."""

from __future__ import annotations

import numpy as np

from ..records import Floats


class Moments:
    """Count, means and centred co-moments of a few columns (Chan, Golub & LeVeque 1983, update of means).

    Args:
        n_columns: number of columns of the rows to come.
    """

    def __init__(self, n_columns: int) -> None:
        self.n = 0
        self.mean: Floats = np.zeros(n_columns)
        self.comoments: Floats = np.zeros((n_columns, n_columns))

    def add(self, *columns: Floats) -> None:
        """Take in one chunk: columns of equal length, (n_rows,)."""
        n_rows = columns[0].shape[0]
        if n_rows == 0:
            return
        rows = np.stack(columns)
        mean = rows.mean(axis=1)
        rows -= mean[:, None]
        total = self.n + n_rows
        shift = mean - self.mean
        self.comoments += rows @ rows.T + np.outer(shift, shift) * (self.n * n_rows / total)
        self.mean += shift * (n_rows / total)
        self.n = total

    def variance_of(self, gradient: Floats) -> float:
        """Variance (n - 1 in the denominator) of the linear combination of the columns with these coefficients."""
        if self.n < 2:
            return float("nan")
        return max(float(gradient @ self.comoments @ gradient) / (self.n - 1), 0.0)
