"""Probabilities proportional to the sizes of the tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Context, Floats, Task
from ._base import Policy, broadcast, sizes_of


@dataclass(kw_only=True)
class Proportional(Policy):
    """Decides in proportion to the data: p_i = N_i / sum_j N_j for sizes N in training examples.

    It equals drawing batches from the concatenation of all data, so every task passes through the same number of
    epochs. It fails small tasks: beside one of a million examples, one of a thousand is hardly ever seen.

    >>> from apportion.records import Context, Task
    >>> policy = Proportional()
    >>> policy.reset([Task(name="qnli", size=300), Task(name="rte", size=100)])
    >>> policy.probabilities(Context.start(2))
    array([[0.75, 0.25]])
    """

    name = "proportional"
    family = "static"
    source = "by definition"
    static = True
    derived = frozenset({"tasks_", "shares_"})

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Take the sizes.

        Raises:
            ValueError: a task has no size.
        """
        self.tasks_ = tuple(tasks)
        sizes = sizes_of(tasks, "proportional")
        self.shares_ = sizes / sizes.sum()

    def probabilities(self, context: Context) -> Floats:
        """N_i / sum_j N_j, shape (n_runs, n_tasks)."""
        return broadcast(self.shares_, context.n_runs)
