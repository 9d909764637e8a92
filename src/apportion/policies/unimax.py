"""As uniform as a limit on repetitions allows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_names, check_number
from ..errors import ConstraintError
from ..records import Context, Floats, Ints, Task
from ._base import Policy, sizes_of
from ._shares import mean_per_step

PerTask = float | Mapping[str, float] | None


@dataclass(kw_only=True)
class UniMax(Policy):
    """Decides as uniformly as possible while no task passes through its data more than `max_epochs` times.

    With B the budget, E the most epochs, N_i examples, and b_i examples and c_i budget units in a batch of task i, a
    task can use up at most E N_i c_i / b_i of the budget. From the smallest of these limits to the largest, every task
    gets u_i = min(what is left of B / number of tasks left, its limit); then p_i is proportional to u_i / c_i, since a
    decision is a batch. All is counted in the unit of the budget, whether steps, examples, tokens or seconds.

    Where the limits sum to less than B, the budget is infeasible: with both `examples_per_step` and `cost_per_step`
    given, that is known before the first decision and refused; otherwise, and with `infeasible="proportional"`, every
    task gets its limit's part of the whole and is repeated more often than E times.
    It holds on average only: a hard limit is `Constraints(max_epochs=...)`. It fails where small tasks need many
    repetitions.

    Args:
        max_epochs: E, most passes over the data of any task, above 0.
        examples_per_step: b, for all tasks or by name, above 0. None takes what the decisions of the run so far show:
            the mean of a task, of all drawn tasks for one not drawn yet, and 1 before anything is known.
        cost_per_step: c, for all tasks or by name, above 0: 1 for a budget in steps, b for one in examples. None as
            above.
        infeasible: `refuse` or `proportional`.

    Raises:
        ValueError: a number is not above 0, or `infeasible` is unknown.

    >>> from apportion.records import Context, Task
    >>> policy = UniMax(max_epochs=2, examples_per_step=10, cost_per_step=1)
    >>> policy.reset([Task(name="mnli", size=10_000), Task(name="rte", size=500)])
    >>> policy.probabilities(Context.start(2, budget=1000.0))  # 2 epochs of rte are 100 steps of 1000
    array([[0.9, 0.1]])
    """

    name = "unimax"
    family = "static"
    source = "Chung et al. 2023, arXiv 2304.09151 (its algorithm known at second hand only; in batches: ours)"
    complexity = "O(K log K)"
    derived = frozenset({"tasks_", "sizes_"})

    max_epochs: float = 1.0
    examples_per_step: PerTask = None
    cost_per_step: PerTask = None
    infeasible: Literal["refuse", "proportional"] = "refuse"

    def __post_init__(self) -> None:
        check_number("max_epochs", self.max_epochs, low=0.0, low_open=True)
        check_choice("infeasible", self.infeasible, ("refuse", "proportional"))
        for name in ("examples_per_step", "cost_per_step"):
            value: PerTask = getattr(self, name)
            for part in value.values() if isinstance(value, Mapping) else (() if value is None else (value,)):
                check_number(name, part, low=0.0, low_open=True)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Take the sizes.

        Raises:
            ValueError: a task has no size, or a mapping names an unknown task or leaves one out.
        """
        self.tasks_ = tuple(tasks)
        self.sizes_ = sizes_of(tasks, "unimax")
        names = [task.name for task in tasks]
        for name in ("examples_per_step", "cost_per_step"):
            value: PerTask = getattr(self, name)
            if isinstance(value, Mapping):
                check_names(name, list(value), names)
                for task in names:
                    if task not in value:
                        raise ValueError(f"`{name}` must name every task, but {task!r} is missing.")

    def probabilities(self, context: Context) -> Floats:
        """u_i / c_i divided by its sum, shape (n_runs, n_tasks).

        Raises:
            ConstraintError: the budget is known to be infeasible and `infeasible` is `refuse`.
        """
        examples = self._per_step(self.examples_per_step, context.examples, context.counts)
        cost = self._per_step(self.cost_per_step, context.costs, context.counts)
        limits = self.max_epochs * self.sizes_ * cost / examples
        if self.infeasible == "refuse" and self.examples_per_step is not None and self.cost_per_step is not None:
            possible = float(limits[0].sum())
            if possible < context.budget * (1.0 - 1e-9):
                raise ConstraintError(
                    f"at most {self.max_epochs:g} epochs of every task use up {possible:.6g} of the budget of "
                    f"{context.budget:.6g}: raise `max_epochs` to {self.max_epochs * context.budget / possible:.4g} or "
                    f"lower the budget."
                )
        batches = water_level(limits, context.budget) / cost
        return batches / batches.sum(axis=1, keepdims=True)

    def _per_step(self, given: PerTask, used: Floats, counts: Ints) -> Floats:
        """What one batch of each task takes, shape (n_runs, n_tasks)."""
        if isinstance(given, Mapping):
            return np.broadcast_to(np.array([given[task.name] for task in self.tasks_], dtype=np.float64), used.shape)
        if given is not None:
            return np.full(used.shape, float(given))
        return mean_per_step(used, counts)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Sizes against a budget in steps, given and learned from the run."""
        yield cls(max_epochs=0.01, examples_per_step=8, cost_per_step=1, infeasible="proportional")
        yield cls(max_epochs=0.2)


def water_level(limits: Floats, budget: float) -> Floats:
    """Share out the budget equally under limits: min(limit, level), where the level uses it up; shape as `limits`.

    Where the limits sum to less than the budget, they are returned.
    """
    n_tasks = limits.shape[1]
    ordered = np.sort(limits, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    equal = (budget - before) / np.arange(n_tasks, 0, -1)
    # The level is the equal part of the first task whose limit exceeds it; with none there is no level.
    binding = ordered >= equal
    level = np.where(binding.any(axis=1), equal[np.arange(len(limits)), binding.argmax(axis=1)], np.inf)
    return np.minimum(limits, level[:, None])
