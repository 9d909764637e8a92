"""The base of signals that need no state."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Task
from ._base import Signal


@dataclass(kw_only=True)
class Stateless(Signal, ABC):
    """A signal whose reward follows from the measurements of the decision alone; a subclass has `reward`."""

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Keep the tasks; there is no other state."""
        self.tasks_ = tuple(tasks)
