"""Curvature and gradient of all fits, without derivatives by transfer ever being written out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..records import Floats, Ints
from ._evidence import TRANSFER, Look


@dataclass(slots=True)
class Products:
    """Products of experience that all shapes of a stream share.

    The derivative by the transfer from task a is steep * x_a, with x shared by all tasks. So sums over rows of products
    of two of them are matrix products with those of x_a x_b, which do not change from one iteration to the next.

    Attributes:
        single: x, (n_runs, n_streams, n_rows, n_tasks).
        pairs: products of two, (n_runs, n_streams, n_rows, n_tasks^2).
        members: the shapes of each stream.
    """

    single: Floats
    pairs: Floats
    members: list[Ints]

    @classmethod
    def of(cls, streams: Floats, stream: Ints) -> Self:
        """From experience (n_runs, n_streams, n_tasks, n_rows) and the stream of each shape."""
        single = np.ascontiguousarray(streams.swapaxes(2, 3))
        pairs = single[..., :, None] * single[..., None, :]
        return cls(single, pairs.reshape(*single.shape[:3], -1), []).for_shapes(stream)

    def for_shapes(self, stream: Ints) -> Self:
        """The same products for shapes of these streams."""
        return replace(self, members=[np.flatnonzero(stream == index) for index in range(self.single.shape[1])])

    def slopes(self, look: Look, each: Floats) -> tuple[Floats, Floats]:
        """Curvature (R, H, I, P, P) and gradient (R, H, I, P) of half the squared residuals over their variance.

        Args:
            look: residuals and derivatives.
            each: variance of each row, (R, I, T).
        """
        root = 1.0 / np.sqrt(each[:, None])
        residual, own, steep = look.residual * root, look.own * root[..., None, :], look.steep * root
        n_tasks = self.single.shape[3]
        n_params = TRANSFER + n_tasks
        curvature = np.empty((*steep.shape[:3], n_params, n_params))
        gradient = np.empty((*steep.shape[:3], n_params))
        curvature[..., :TRANSFER, :TRANSFER] = own @ own.swapaxes(-1, -2)
        gradient[..., :TRANSFER] = (own @ residual[..., None])[..., 0]
        across = self._sum(own * steep[..., None, :], self.single)
        curvature[..., :TRANSFER, TRANSFER:] = across
        curvature[..., TRANSFER:, :TRANSFER] = across.swapaxes(-1, -2)
        pairs = self._sum(steep**2, self.pairs)
        curvature[..., TRANSFER:, TRANSFER:] = pairs.reshape(*pairs.shape[:3], n_tasks, n_tasks)
        gradient[..., TRANSFER:] = self._sum(residual * steep, self.single)
        # What a task has from itself is 1 and not fitted.
        task = np.arange(n_tasks)
        curvature[:, :, task, TRANSFER + task] = 0.0
        curvature[:, :, task, :, TRANSFER + task] = 0.0
        gradient[:, :, task, TRANSFER + task] = 0.0
        return curvature, gradient

    def squares(self, look: Look, rows: slice) -> Floats:
        """Sums of squared derivatives over some of the rows, (R, H, I, P)."""
        own, steep, n_tasks = look.own[..., rows], look.steep[..., rows], self.single.shape[3]
        found = np.empty((*steep.shape[:3], TRANSFER + n_tasks))
        found[..., :TRANSFER] = np.einsum("...t,...t->...", own, own)
        found[..., TRANSFER:] = self._sum(steep**2, self.pairs[:, :, rows, :: n_tasks + 1])
        task = np.arange(n_tasks)
        found[:, :, task, TRANSFER + task] = 0.0
        return found

    def _sum(self, values: Floats, table: Floats) -> Floats:
        """Sums over rows of values (R, H, ..., T) times the table (R, F, T, C) of the stream of each shape."""
        found = np.empty((*values.shape[:-1], table.shape[3]))
        for stream, shapes in enumerate(self.members):
            part = values[:, shapes]
            product = part.reshape(len(part), -1, part.shape[-1]) @ table[:, stream]
            found[:, shapes] = product.reshape(*part.shape[:-1], -1)
        return found
