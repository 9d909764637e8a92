"""What training and measuring cost, in the unit of the budget."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..budget import FORWARD_COST, Unit
from .examples import Batch
from .taskset import Taskset


class Meter:
    """Says what a pass over a batch costs.

    Training on a batch is one step; its examples; its tokens; or the time that it took. A forward pass without training
    costs `FORWARD_COST` of that. Under a budget in seconds every pass costs the time since the clock was last read, so
    nothing is estimated.

    Args:
        unit: of the budget.
        taskset: for batch sizes.
        batch_size: the user's, or None for the taskset's.
    """

    def __init__(self, unit: Unit, taskset: Taskset, batch_size: int | None) -> None:
        self.unit = unit
        self._sizes = [batch_size or taskset.batch_size_of(name) for name in taskset.names]
        self._clock = time.perf_counter()

    def training(self, task: int, batch: Batch) -> float:
        """Cost of training on a batch from the loader: one step whatever its size. 0 for seconds."""
        return 1.0 if self.unit == "steps" else self.work(task, batch.size, batch.tokens)

    def forward(self, task: int, batch: Batch) -> float:
        """Cost of a forward pass over a batch. 0 for seconds."""
        return FORWARD_COST * self.training(task, batch)

    def work(self, task: int, size: int, tokens: int) -> float:
        """Cost of training on `size` examples, counted in whole and parts of batches for steps. 0 for seconds."""
        if self.unit == "steps":
            return size / self._sizes[task]
        if self.unit == "examples":
            return float(size)
        return float(tokens) if self.unit == "tokens" else 0.0

    def evaluation(self, held_out: Sequence[tuple[int, Batch]]) -> float:
        """Cost of a forward pass over held-out batches of (task, batch). 0 for seconds."""
        return FORWARD_COST * sum(self.work(task, batch.size, batch.tokens) for task, batch in held_out)

    def elapsed(self) -> float:
        """Seconds since this was last asked, or the meter was made or restarted."""
        now = time.perf_counter()
        passed, self._clock = now - self._clock, now
        return passed

    def restart(self) -> None:
        """Forget the time that has passed."""
        self._clock = time.perf_counter()
