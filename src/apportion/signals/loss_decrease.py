"""How much the loss of a task fell since its last batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..records import Floats, Ints, Task
from ._base import Signal


@dataclass(kw_only=True)
class LossDecrease(Signal):
    """Estimates learning progress without extra work: reward = the task's last loss - its loss now.

    The two losses are of different batches, so the noise of both adds up; and all training between them counts, on
    other tasks too, so a task that was not drawn for long is credited with what the others did for it. The first batch
    of a task has no reward (NaN). A loss that is not finite is not remembered.

    Units of the loss, usually nats; any sign.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = LossDecrease()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([1]), {"loss": np.array([0.75])})
    array([nan])
    >>> signal.reward(np.array([1]), {"loss": np.array([0.5])})
    array([0.25])
    """

    name = "loss_decrease"
    needs = frozenset({"loss"})
    source = "the change of score of Matiisen et al. 2017, arXiv 1707.00183, applied to the training loss"

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Forget all losses."""
        self.tasks_ = tuple(tasks)
        self.last_ = np.full((n_runs, len(tasks)), np.nan)

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """Last loss of the chosen task minus the loss now, shape (n_runs,)."""
        runs = np.arange(len(chosen))
        loss = measured["loss"]
        last = self.last_[runs, chosen]
        known = np.isfinite(loss)
        self.last_[runs, chosen] = np.where(known, loss, last)
        # An infinite loss is no measurement: subtracting it would give an infinite reward.
        return last - np.where(known, loss, np.nan)
