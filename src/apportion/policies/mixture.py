"""Probabilities that the user gives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from .._check import check_number
from ..records import Context, Floats, Task
from ._base import Policy, broadcast
from ._shares import Shares, check_shares, shares_of


@dataclass
class Mixture(Policy):
    """Decides as told: p_i = share_i / sum_j share_j, the same at every step.

    It fails where good shares change during training, and a mixture found for one budget need not suit another.

    Args:
        shares: by task name, or in the order of the tasks; not negative, need not sum to 1.
        default: share of every task that `shares` does not name; None demands that all are named.

    Raises:
        TypeError: a share is not a number.
        ValueError: a share is negative or not finite, or none is above 0.

    >>> from apportion.records import Context, Task
    >>> policy = Mixture({"cola": 3, "rte": 1})
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0.75, 0.25]])
    """

    name = "mixture"
    family = "static"
    source = "by definition"
    static = True
    derived = frozenset({"tasks_", "shares_"})

    shares: Shares
    default: float | None = None

    def __post_init__(self) -> None:
        if self.default is not None:
            check_number("default", self.default, low=0.0)
        check_shares("shares", self.shares, empty=bool(self.default))

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Bring the shares into the order of the tasks.

        Raises:
            ValueError: `shares` names an unknown task, leaves one out, or has another length than the tasks.
        """
        self.tasks_ = tuple(tasks)
        self.shares_ = shares_of("shares", self.shares, tasks, self.default)

    def probabilities(self, context: Context) -> Floats:
        """share_i / sum_j share_j, shape (n_runs, n_tasks)."""
        return broadcast(self.shares_, context.n_runs)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Shares that fit any list of tasks."""
        yield cls({}, default=1.0)
