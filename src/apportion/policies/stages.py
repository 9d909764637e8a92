"""Shares that change at given points of the run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_number
from ..records import Context, Floats, Task
from ._base import Policy
from ._shares import Shares, check_shares, shares_of


@dataclass(kw_only=True)
class Stages(Policy):
    """Decides by a table of shares: each row holds from its start to the start of the next row.

    With `interpolate` the shares move in a straight line from one row to the next instead, and stay at the last.
    It fails as every fixed plan does: where the run learns faster or slower than whoever wrote the table thought.

    Args:
        stages: pairs (start, shares), the first at 0, starts strictly increasing. Shares by task name, where those not
            named get 0, or in task order; they need not sum to 1.
        unit: `progress`, starts are fractions of the budget in [0, 1); or `steps`, starts are numbers of decisions.
        interpolate: move in straight lines between the rows.

    Raises:
        TypeError: a start or share is not a number.
        ValueError: the starts do not begin at 0 or do not increase, or a row has no share above 0.

    >>> from apportion.records import Context, Task
    >>> policy = Stages([(0, {"mnli": 1}), (100, {"mnli": 1, "rte": 1})], unit="steps")
    >>> policy.reset([Task(name="mnli"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[1., 0.]])
    """

    name = "stages"
    family = "static"
    source = "by definition"
    complexity = "O(K + log stages)"
    derived = frozenset({"tasks_", "shares_"})

    stages: Sequence[tuple[float, Shares]] = field(kw_only=False)
    unit: Literal["progress", "steps"] = "progress"
    interpolate: bool = False

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, ("progress", "steps"))
        if not self.stages:
            raise ValueError("`stages` must have at least one pair (start, shares), got none.")
        for index, (start, shares) in enumerate(self.stages):
            high = 1.0 if self.unit == "progress" else np.inf
            check_number(f"stages[{index}][0]", start, low=0.0, high=high, high_open=True)
            check_shares(f"stages[{index}][1]", shares)
        starts = [start for start, _ in self.stages]
        if starts[0] != 0:
            raise ValueError(f"the first of `stages` must start at 0, got {starts[0]:g}.")
        for before, after in pairwise(starts):
            if after <= before:
                raise ValueError(f"`stages` must be in increasing order, got a start at {after:g} after {before:g}.")

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Bring the shares of every stage into the order of the tasks.

        Raises:
            ValueError: a stage names an unknown task, or has another number of shares than there are tasks.
        """
        self.tasks_ = tuple(tasks)
        rows = [shares_of(f"stages[{i}][1]", shares, tasks, 0.0) for i, (_, shares) in enumerate(self.stages)]
        self.shares_ = np.stack(rows)

    def probabilities(self, context: Context) -> Floats:
        """Shares of the stage that each run is in, shape (n_runs, n_tasks)."""
        starts = np.array([start for start, _ in self.stages], dtype=np.float64)
        now = context.progress if self.unit == "progress" else np.full(context.n_runs, float(context.step))
        row = np.searchsorted(starts, now, side="right") - 1
        if not self.interpolate:
            return self.shares_[row]
        following = np.minimum(row + 1, len(starts) - 1)
        width = np.where(following > row, starts[following] - starts[row], 1.0)
        part = ((now - starts[row]) / width * (following > row))[:, None]
        return (1.0 - part) * self.shares_[row] + part * self.shares_[following]

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """A join half way and a straight line, over the tasks of the shared checks."""
        yield cls([(0, {"c": 2, "d": 1}), (0.5, {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1})])
        yield cls([(0, {"a": 1}), (20, {"a": 1, "b": 3})], unit="steps", interpolate=True)
