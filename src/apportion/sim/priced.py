"""Steps that cost more on some tasks than on others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..records import Floats
from ._constants import per_task
from ._form import Form
from ._wrapper import Wrapper


@dataclass
class Priced(Wrapper):
    """Decides what a step on each task costs; what it teaches stays as it is.

    Args:
        world: the world inside.
        prices: budget that a step takes, above 0; for all tasks or for each.

    Raises:
        TypeError: `world` is none, or a price is no number.
        ValueError: a price is not above 0 and finite, or there is not one for each task.
    """

    name = "priced"
    source = "our own"

    prices: float | Sequence[float] | Floats = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._prices = per_task("prices", self.prices, self.n_tasks, low=0.0, low_open=True)

    @property
    def costs(self) -> Floats:
        """The prices, shape (n_tasks,)."""
        return self._prices

    def form(self, *, relaxed: bool = False) -> Form | None:
        """The form of the world inside with these prices.

        Where the order of the batches matters, prices make the number of steps depend on the choices. The relaxed form
        then forgets nothing, harms nobody and takes the best worth of each task's batches at any time.
        """
        form = self.world.form(relaxed=relaxed)
        if form is None or not form.ordered:
            return None if form is None else replace(form, costs=self._prices)
        if not relaxed:
            return None
        best = np.ones(self.n_tasks) if form.worth is None else form.worth.max(axis=0)
        columns = np.maximum(form.columns, 0.0) * best[:, None]
        return replace(form, costs=self._prices, columns=columns, retention=None, worth=None)
