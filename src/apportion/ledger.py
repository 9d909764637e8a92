"""The books of a run: how much of the budget went where."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .budget import Budget
from .component import decode, encode
from .records import Bools, Decision, Floats, Ints

_SLACK = 1e-9  # fractions of a budget add up with rounding


class Ledger:
    """Decisions, examples and costs of each task, and what the evaluations cost.

    The books are lists: between two training steps, adding to one element of an array takes several times as long.

    Args:
        budget: of the run.
        most_examples: most examples that each task may consume, shape (n_tasks,); inf where there is no limit.

    Attributes:
        limited: whether some task has a limit.
        spent: budget used, evaluations included.
        evaluation_cost: budget used by evaluations.
    """

    def __init__(self, budget: Budget, most_examples: Floats) -> None:
        n_tasks = most_examples.shape[0]
        self.budget = budget
        self.limited = bool(np.isfinite(most_examples).any())
        self.spent = 0.0
        self.evaluation_cost = 0.0
        self._most_examples = most_examples
        self._examples = [0.0] * n_tasks
        self._costs = [0.0] * n_tasks
        self._settled = [0] * n_tasks  # decisions told or skipped
        self._batch = [0.0] * n_tasks  # examples of the last batch of each task

    def counts(self, pending: Iterable[Decision]) -> Ints:
        """Decisions for each task, the pending ones included, shape (1, n_tasks)."""
        counts = self._settled.copy()
        for decision in pending:
            counts[decision.task] += 1
        return np.array([counts], dtype=np.int64)

    @property
    def examples(self) -> Floats:
        """Examples consumed by each task, shape (1, n_tasks)."""
        return np.array([self._examples])

    @property
    def costs(self) -> Floats:
        """Budget spent on each task, shape (1, n_tasks)."""
        return np.array([self._costs])

    def settle(self, task: int, cost: float, examples: int) -> None:
        """Book what one decision used."""
        self.spent += cost
        self._costs[task] += cost
        self._examples[task] += examples
        self._settled[task] += 1
        if examples:
            self._batch[task] = examples

    def settle_many(self, drawn: Ints) -> None:
        """Book decisions of one step and one example each, shape (n_tasks,)."""
        for task, n in enumerate(drawn.tolist()):
            self._settled[task] += n
            self._examples[task] += n
            self._costs[task] += n
            self.spent += n

    def evaluated(self, cost: float) -> None:
        """Book what an evaluation used."""
        self.spent += cost
        self.evaluation_cost += cost

    def reserved(self, pending: Collection[Decision]) -> float:
        """What pending decisions should use: a step each, or the mean cost of their tasks so far."""
        if self.budget.unit == "steps":
            return float(len(pending))
        return sum(self._costs[item.task] / max(self._settled[item.task], 1) for item in pending)

    def fits(self, pending: Collection[Decision], more: float = 0.0) -> bool:
        """Whether something is left of the budget beside the pending decisions, and at least `more`."""
        left = self.budget.amount - self.spent
        if pending:
            left -= self.reserved(pending)
        return left >= more - _SLACK if more else left > _SLACK

    def within_limits(self, pending: Iterable[Decision]) -> Bools:
        """Tasks whose next batch does not exceed the most examples that they may consume, shape (n_tasks,)."""
        batch, used = np.array(self._batch), self.examples[0]
        for decision in pending:
            used[decision.task] += batch[decision.task]
        return (used + batch <= self._most_examples + _SLACK) & (used < self._most_examples)

    def state_dict(self) -> dict[str, Any]:
        """The books as data that JSON can hold."""
        books = {name: encode(np.array(getattr(self, f"_{name}"), dtype=kind)) for name, kind in _BOOKS.items()}
        return {**books, "spent": self.spent, "evaluation_cost": self.evaluation_cost}

    def load_state_dict(
        self, state: Mapping[str, Any], here: Sequence[int], there: Sequence[int], n_saved: int
    ) -> None:
        """Take over saved books; column `there[k]` of `n_saved` goes to column `here[k]`, others start at zero.

        Raises:
            KeyError, ValueError: the state is damaged.
        """
        books: dict[str, Any] = {}
        for name, kind in _BOOKS.items():
            saved = decode(state[name])
            if saved.shape != (n_saved,):
                raise ValueError(f"`{name}` has the shape {saved.shape}")
            own = np.zeros(len(self._settled), dtype=kind)
            own[list(here)] = saved[list(there)]
            books[name] = own.tolist()
        spent, evaluation_cost = float(state["spent"]), float(state["evaluation_cost"])
        for name, values in books.items():
            setattr(self, f"_{name}", values)
        self.spent, self.evaluation_cost = spent, evaluation_cost


_BOOKS = {"examples": np.float64, "costs": np.float64, "settled": np.int64, "batch": np.float64}
