"""The books of a run: how much of the budget went where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .budget import Budget
from .component import decode, encode
from .records import Bools, Floats, Ints

_SLACK = 1e-9  # fractions of a budget add up with rounding


class Ledger:
    """Decisions, examples and costs of each task, and what the evaluations cost.

    Args:
        budget: of the run.
        most_examples: most examples that each task may consume, shape (n_tasks,); inf where there is no limit.

    Attributes:
        counts: decisions for each task, pending ones included, shape (1, n_tasks).
        examples: examples consumed by each task, shape (1, n_tasks).
        costs: budget spent on each task, shape (1, n_tasks).
        spent: budget used, evaluations included.
        evaluation_cost: budget used by evaluations.
    """

    def __init__(self, budget: Budget, most_examples: Floats) -> None:
        n_tasks = most_examples.shape[0]
        self.budget = budget
        self.limited = bool(np.isfinite(most_examples).any())
        self._most_examples = most_examples
        self.counts: Ints = np.zeros((1, n_tasks), dtype=np.int64)
        self.examples: Floats = np.zeros((1, n_tasks))
        self.costs: Floats = np.zeros((1, n_tasks))
        self.spent = 0.0
        self.evaluation_cost = 0.0
        self._settled: Ints = np.zeros(n_tasks, dtype=np.int64)
        self._batch: Floats = np.zeros(n_tasks)  # examples of the last batch of each task

    def settle(self, task: int, cost: float, examples: int) -> None:
        """Book what one decision used."""
        self.spent += cost
        self.costs[0, task] += cost
        self.examples[0, task] += examples
        self._settled[task] += 1
        if examples:
            self._batch[task] = examples

    def settle_many(self, drawn: Ints) -> None:
        """Book decisions of one step and one example each, shape (n_tasks,)."""
        self.counts[0] += drawn
        self._settled += drawn
        self.examples[0] += drawn
        self.costs[0] += drawn
        self.spent += float(drawn.sum())

    def evaluated(self, cost: float) -> None:
        """Book what an evaluation used."""
        self.spent += cost
        self.evaluation_cost += cost

    def reserved(self, pending: Sequence[int]) -> float:
        """What pending decisions for these tasks should use: a step each, or the mean cost of their tasks so far."""
        if self.budget.unit == "steps" or not pending:
            return float(len(pending))
        mean = self.costs[0] / np.maximum(self._settled, 1)
        return float(sum(mean[task] for task in pending))

    def fits(self, pending: Sequence[int], more: float = 0.0) -> bool:
        """Whether something is left of the budget beside the pending decisions, and at least `more`."""
        left = self.budget.amount - self.spent - (self.reserved(pending) if pending else 0.0)
        return left >= more - _SLACK if more else left > _SLACK

    def within_limits(self, pending: Iterable[int]) -> Bools:
        """Tasks whose next batch does not exceed the most examples that they may consume, shape (n_tasks,)."""
        used = self.examples[0].copy()
        for task in pending:
            used[task] += self._batch[task]
        return (used + self._batch <= self._most_examples + _SLACK) & (used < self._most_examples)

    def state_dict(self) -> dict[str, Any]:
        """The books as data that JSON can hold."""
        arrays = {name: encode(getattr(self, name)) for name in _ARRAYS}
        return {**arrays, "spent": self.spent, "evaluation_cost": self.evaluation_cost}

    def load_state_dict(
        self, state: Mapping[str, Any], here: Sequence[int], there: Sequence[int], n_saved: int
    ) -> None:
        """Take over saved books; column `there[k]` of `n_saved` goes to column `here[k]`, others start at zero.

        Raises:
            KeyError, ValueError: the state is damaged.
        """
        arrays: dict[str, Any] = {}
        for name in _ARRAYS:
            own, saved = getattr(self, name), decode(state[name])
            if saved.shape != (*own.shape[:-1], n_saved):
                raise ValueError(f"`{name}` has the shape {saved.shape}")
            arrays[name] = np.zeros_like(own)
            arrays[name][..., list(here)] = saved[..., list(there)]
        spent, evaluation_cost = float(state["spent"]), float(state["evaluation_cost"])
        for name, values in arrays.items():
            setattr(self, name, values)
        self.spent, self.evaluation_cost = spent, evaluation_cost


_ARRAYS = ("counts", "examples", "costs", "_settled", "_batch")
