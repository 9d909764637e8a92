"""Every task once in each cycle, in random order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..records import Context, Floats, Task
from ._base import Policy


@dataclass(kw_only=True)
class RoundRobin(Policy):
    """Decides uniformly among the tasks not yet drawn in this cycle, so that each cycle is a random permutation.

    p_i = 1 / m for the m available tasks with the fewest decisions so far, 0 for the others. Over a cycle every task is
    drawn once, which has no variance, unlike `Uniform`. A task that was not available for a while, or joined late, is
    drawn until it has caught up.

    The conditional probabilities are exact and are logged, but the last task of a cycle has probability 1: a log of it
    lacks overlap with most other policies. Decisions on one step differ in what they may draw; over all steps each
    task's marginal probability is 1 / K.

    >>> import numpy as np
    >>> from apportion.records import Context, Task
    >>> policy = RoundRobin()
    >>> policy.reset([Task(name="cola"), Task(name="rte"), Task(name="wnli")])
    >>> context = Context.start(3)
    >>> context.counts = np.array([[1, 0, 0]])
    >>> policy.probabilities(context)
    array([[0. , 0.5, 0.5]])
    """

    name = "round_robin"
    family = "static"
    source = "by definition"

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Keep the tasks; what was drawn comes with the context."""
        self.tasks_ = tuple(tasks)

    def probabilities(self, context: Context) -> Floats:
        """Uniform over the available tasks with the fewest decisions, shape (n_runs, n_tasks)."""
        # In a run where nothing is available all tasks count, so that its row is valid all the same.
        open_ = context.available | ~context.available.any(axis=1, keepdims=True)
        counts = np.where(open_, context.counts, np.iinfo(np.int64).max)
        left = counts == counts.min(axis=1, keepdims=True)
        return left / left.sum(axis=1, keepdims=True)
