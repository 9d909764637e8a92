"""Tasks from easy to hard, one block of the budget for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_names
from ..records import Context, Floats, Task
from ._base import Policy

Kind = Literal["mixed", "sequential", "random"]


@dataclass(kw_only=True)
class Curriculum(Policy):
    """Decides by an easy-to-hard order: the budget is cut into K equal blocks, block b = 0 .. K - 1.

    `sequential`: only task b of the order. `mixed`: uniform over tasks 0 .. b. `random`: uniform over all tasks, the
    control without a curriculum.

    Under `mixed` task j gets the share (1 / K) * sum over b from j to K - 1 of 1 / (b + 1): for three tasks 61, 28 and
    11 percent. So the easiest task gets most of the budget, and a comparison with another kind compares shares as well
    as order. `sequential` forgets early tasks, and its probabilities of 0 and 1 allow no off-policy estimate.

    Args:
        kind: `mixed`, `sequential` or `random`.
        order: all task names from easy to hard; None takes the tasks in the order given to the run.

    Raises:
        ValueError: `kind` is unknown, or `order` has a name twice.

    >>> from apportion.records import Context, Task
    >>> policy = Curriculum(kind="sequential", order=("rte", "cola"))
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0., 1.]])
    """

    name = "curriculum"
    family = "static"
    source = (
        "from its released code: harmonbhasin/curriculum_learning_icl src/train.py (blocks of steps, not of budget)"
    )
    ordered = True
    derived = frozenset({"tasks_", "shares_"})

    kind: Kind = "mixed"
    order: Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("mixed", "sequential", "random"))
        if self.order is not None and len(set(self.order)) < len(self.order):
            raise ValueError(f"`order` must name every task once, got `order = {tuple(self.order)!r}`.")

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Work out the probabilities of every block.

        Raises:
            ValueError: `order` names an unknown task or leaves one out.
        """
        self.tasks_ = tuple(tasks)
        names = [task.name for task in tasks]
        order = names if self.order is None else list(self.order)
        check_names("order", order, names)
        for name in names:
            if name not in order:
                raise ValueError(f"`order` must name every task, but {name!r} is missing.")
        n_tasks = len(tasks)
        rows = {
            "mixed": np.tril(np.ones((n_tasks, n_tasks))),
            "sequential": np.eye(n_tasks),
            "random": np.ones((n_tasks, n_tasks)),
        }[self.kind]
        shares = np.zeros((n_tasks, n_tasks))
        shares[:, [names.index(name) for name in order]] = rows / rows.sum(axis=1, keepdims=True)
        self.shares_ = shares

    def probabilities(self, context: Context) -> Floats:
        """The probabilities of the block that each run is in, shape (n_runs, n_tasks)."""
        n_tasks = len(self.tasks_)
        block = np.minimum((context.progress * n_tasks).astype(np.int64), n_tasks - 1)
        return self.shares_[block]

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """All three kinds."""
        yield cls(kind="mixed")
        yield cls(kind="sequential")
        yield cls(kind="random")
