"""The protocol of policies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Self

import numpy as np

from ..component import Component, put_rows
from ..records import Bools, Context, Evaluation, Floats, Ints, Task

Family = Literal[
    "static", "bandit", "learning-progress", "mixing", "allocation", "counterfactual", "planning", "wrapper"
]


class Policy(Component, ABC):
    """Says how likely each task is to give the next batch; learns from rewards and evaluations.

    A policy never samples: whoever drives it draws the task, masks tasks that are not available, applies constraints
    and writes the log. It is vectorised: every array has the runs on its first axis, and run i depends on nothing but
    row i. A decision carries its own probabilities into `update`, so updates may come late, in another order, for
    decisions that this policy did not make, or never.

    A subclass is a dataclass with `reset`, `probabilities` and, if it learns, `update` or `observe`. Class attributes:
    `name`, `family`, `needs` (any of `reward`, `evaluations`, `evaluation.NAME` for a held-out measurement of every
    task), `source`, `complexity` (of one decision and its update), `static` (the probabilities never change) and
    `ordered` (the order of the tasks has a meaning).
    """

    family: ClassVar[Family] = "static"
    complexity: ClassVar[str] = "O(K)"
    usual_signal: ClassVar[str] = ""
    """The signal that commands give a policy which needs rewards, where the user names none."""
    static: ClassVar[bool] = False
    """True if the probabilities depend on the tasks alone: drivers then ask once."""
    ordered: ClassVar[bool] = False
    """True if the order of the tasks has a meaning, as in a curriculum; otherwise permuting the tasks permutes the
    probabilities."""

    listens: ClassVar[bool] = False
    """True if the policy makes use of `training_loss` or `training_success` in evaluations: drivers then make them."""

    @property
    def is_listening(self) -> bool:
        """Whether this policy or one inside it makes use of what training batches tell."""
        return self.listens or any(part.is_listening for part in self.parts() if isinstance(part, Policy))

    @property
    def is_ordered(self) -> bool:
        """Whether the order of the tasks has a meaning to this policy or to one inside it."""
        return self.ordered or any(part.is_ordered for part in self.parts() if isinstance(part, Policy))

    @abstractmethod
    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Make the state for a new run, or `n_runs` runs side by side."""

    @abstractmethod
    def probabilities(self, context: Context) -> Floats:
        """How likely each task is to give the next batch, shape (n_runs, n_tasks), rows sum to 1. Changes no state."""

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Learn from the rewards of one decision per run; does nothing unless a subclass says otherwise.

        Args:
            chosen: index of the task drawn, shape (n_runs,).
            probabilities: what it was drawn from, shape (n_runs, n_tasks).
            reward: bigger is better, finite, shape (n_runs,).
        """

    def observe(self, evaluation: Evaluation) -> None:
        """Learn from a held-out evaluation of the tasks; does nothing unless a subclass says otherwise."""

    def evaluation_tasks(self, context: Context) -> Bools | None:
        """Which tasks an evaluation that is due now should measure, shape (n_runs, n_tasks); None for all of them.

        Drivers ask before every evaluation that they charge, and charge what is measured. `observe` comes in any case,
        with NaN for what was not measured. Changes no state.
        """
        return None

    def update_rows(self, rows: Bools, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """`update` for the runs where `rows` is true; the state of the others stays as it was.

        The rows left out may hold anything in `reward`. Drivers use it for rewards that are missing or late in some
        runs.
        """
        if rows.all():
            self.update(chosen, probabilities, reward)
            return
        if not rows.any():
            return
        others = np.flatnonzero(~rows)
        saved = self.take_rows(others)
        self.update(chosen, probabilities, np.where(rows, reward, 0.0))
        put_rows(saved, others)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Instances that the shared checks, the documentation and the benchmarks use."""
        yield cls()


def broadcast(shares: Floats, n_runs: int) -> Floats:
    """The same probabilities for every run, shape (n_runs, n_tasks), as a fresh array."""
    return np.repeat(shares[None, :], n_runs, axis=0)


def sizes_of(tasks: Sequence[Task], policy: str) -> Floats:
    """Sizes of all tasks, shape (n_tasks,).

    Raises:
        ValueError: a task has no size, so that a policy which divides by sizes cannot work.
    """
    for task in tasks:
        if task.size is None:
            raise ValueError(f"{policy} needs the size of every task, got none for {task.name!r}: give it a `size`.")
    return np.array([task.size for task in tasks], dtype=np.float64)
