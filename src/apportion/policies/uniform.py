"""The same probability for every task."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..records import Context, Floats, Task
from ._base import Policy


@dataclass(kw_only=True)
class Uniform(Policy):
    """Decides that every task is equally likely: p_i = 1 / K for K tasks.

    The strongest simple baseline when the objective weighs all tasks alike. It fails where tasks differ much in size
    or in how much they still have to learn: small ones are repeated often, finished ones keep their share.

    >>> from apportion.records import Context, Task
    >>> policy = Uniform()
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0.5, 0.5]])
    """

    name = "uniform"
    family = "static"
    source = "by definition"
    static = True

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Take the number of tasks; sizes are not needed."""
        self.tasks_ = tuple(tasks)

    def probabilities(self, context: Context) -> Floats:
        """1 / K for every task, shape (n_runs, n_tasks)."""
        n_tasks = len(self.tasks_)
        return np.full((context.n_runs, n_tasks), 1.0 / n_tasks)
