"""Large tasks first, then all tasks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from .._check import check_names, check_number
from ..records import Context, Floats, Task
from ._base import Policy, sizes_of
from ._wrapper import Wrapper
from .proportional import Proportional


@dataclass(kw_only=True)
class Phases(Wrapper):
    """Decides in two phases, "pre-train on large tasks, then join": phase 1 draws from the large tasks only.

    Up to `switch` of the budget p_i is that of the policy inside, restricted to the large tasks and divided by its sum
    (uniform over them where the policy gives them nothing); from then on it is that of the policy. The gain reported
    comes from small tasks that are repeated fewer times, from a better start; none is to be expected where the small
    task does not overfit before the large one converges.

    Args:
        policy: gives the proportions in both phases.
        switch: fraction of the budget at which the small tasks join, in [0, 1].
        large: names of the tasks of phase 1; None takes those whose size is at least the median size.

    Raises:
        ValueError: `switch` is outside [0, 1], or `large` is empty.

    >>> from apportion.records import Context, Task
    >>> policy = Phases(switch=0.5)
    >>> policy.reset([Task(name="mnli", size=3000), Task(name="qqp", size=1000), Task(name="rte", size=10)])
    >>> policy.probabilities(Context.start(3))
    array([[0.75, 0.25, 0.  ]])
    """

    name = "phases"
    family = "static"
    source = 'Choi et al. 2023, "Order Matters in the Presence of Dataset Imbalance" (its abstract; text not checked)'
    derived = frozenset({"tasks_", "large_"})

    policy: Policy = field(default_factory=Proportional, kw_only=False)
    switch: float = 0.5
    large: Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_number("switch", self.switch, low=0.0, high=1.0)
        if self.large is not None and not self.large:
            raise ValueError("`large` must name at least one task, got none.")

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Find the large tasks and reset the policy inside.

        Raises:
            ValueError: `large` names an unknown task, or it is None and a task has no size.
        """
        super().reset(tasks, n_runs)
        names = [task.name for task in tasks]
        if self.large is None:
            sizes = sizes_of(tasks, "phases without `large`")
            self.large_ = sizes >= np.median(sizes)
        else:
            check_names("large", list(self.large), names)
            self.large_ = np.array([name in self.large for name in names])

    def probabilities(self, context: Context) -> Floats:
        """Those of the policy inside, in phase 1 for the large tasks only, shape (n_runs, n_tasks)."""
        inner = self.policy.probabilities(context)
        first = np.where(self.large_, inner, 0.0)
        total = first.sum(axis=1, keepdims=True)
        uniform = self.large_ / self.large_.sum()
        first = np.where(total > 0, first / np.where(total > 0, total, 1.0), uniform)
        return np.where((context.progress < self.switch)[:, None], first, inner)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """By size, and by name over the tasks of the shared checks."""
        yield cls()
        yield cls(switch=0.3, large=("c",))
