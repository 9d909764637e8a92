"""Shares by the user's own function of progress."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..records import Context, Floats, Task
from ._base import Policy
from ._shares import Shares, check_shares, shares_of


@dataclass
class Function(Policy):
    """Decides as the user's function says: p_i proportional to function(progress, tasks)_i.

    The function must depend on its arguments alone: whatever else it looks at is neither saved nor repeated on resume.
    Runs and logs know it by its module and name, so a lambda has no identity worth logging.
    A schedule over decisions divides the budget in steps out: `step = progress * budget`.

    Args:
        function: takes the fraction of the budget used, in [0, 1], and the tasks; returns shares by task name, where
            those not named get 0, or in task order. They need not sum to 1.

    Raises:
        TypeError: `function` cannot be called.

    >>> from apportion.records import Context, Task
    >>> policy = Function(lambda progress, tasks: {"mnli": 1.0, "rte": progress})
    >>> policy.reset([Task(name="mnli"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[1., 0.]])
    """

    name = "function"
    family = "static"
    source = "by definition; jiant has it as expressions in the step (jiant/proj/main/components/task_sampler.py)"
    complexity = "one call of the function for each distinct progress among the runs"

    function: Callable[[float, Sequence[Task]], Shares]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(
                f"`function` must take progress and tasks and return shares, got `function = {self.function!r}`."
            )

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Keep the tasks for the function."""
        self.tasks_ = tuple(tasks)

    def probabilities(self, context: Context) -> Floats:
        """What the function says, divided by its sum, shape (n_runs, n_tasks).

        Raises:
            TypeError: a share is not a number.
            ValueError: the function names an unknown task, returns a share that is negative or not finite, or none
                above 0.
        """
        progress, runs = np.unique(context.progress, return_inverse=True)
        return np.stack([self._shares(float(value)) for value in progress])[runs]

    def _shares(self, progress: float) -> Floats:
        name = f"function({progress:g})"
        shares = self.function(progress, self.tasks_)
        check_shares(name, shares)
        return shares_of(name, shares, self.tasks_, 0.0)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Large tasks first, all alike at the end."""
        yield cls(large_first)


def large_first(progress: float, tasks: Sequence[Task]) -> dict[str, float]:
    """An example: the share of a task is its size to the power of the budget that is left; 1 where it has no size."""
    return {task.name: float(task.size or 1) ** (1.0 - progress) for task in tasks}
