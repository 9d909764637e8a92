"""A least probability for every task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from .._check import check_number
from ..records import Context, Floats, Task
from ._wrapper import Wrapper
from .mixture import Mixture


@dataclass(kw_only=True)
class Floor(Wrapper):
    """Decides as the policy inside, mixed with uniform so that every task keeps a least probability.

    q_i = (1 - K f) p_i + f for K tasks and the floor f, so the ranking of the tasks stays and q_i is at least f, which
    bounds importance weights by 1 / f. `Constraints(floor=...)` is the other way: it moves only the tasks below it.

    Args:
        policy: the policy inside.
        floor: f, in (0, 1 / K].

    Raises:
        ValueError: the floor is outside (0, 1].

    >>> from apportion.records import Context, Task
    >>> policy = Floor(Mixture([1, 0]), floor=0.1)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0.9, 0.1]])
    """

    name = "floor"
    source = "by definition; the exploration of EXP3, Auer et al. 2002, DOI 10.1137/S0097539701398375"

    floor: float = 0.02

    def __post_init__(self) -> None:
        check_number("floor", self.floor, low=0.0, high=1.0, low_open=True)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Reset the policy inside.

        Raises:
            ValueError: the floors of all tasks sum to more than 1.
        """
        if self.floor * len(tasks) > 1.0 + 1e-12:
            raise ValueError(f"`floor` must be at most 1 / {len(tasks)} with {len(tasks)} tasks, got {self.floor:g}.")
        super().reset(tasks, n_runs)

    def probabilities(self, context: Context) -> Floats:
        """(1 - K f) p + f, shape (n_runs, n_tasks)."""
        left = max(1.0 - self.floor * len(self.tasks_), 0.0)
        return left * self.policy.probabilities(context) + self.floor

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """A policy that gives some tasks nothing."""
        yield cls(Mixture({"c": 1}, default=0.0), floor=0.05)
