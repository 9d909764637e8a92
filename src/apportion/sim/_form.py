"""The objective of a world as a concave function of how the budget is spent: what the exact solvers work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..records import Floats

Outcome = Callable[[Floats, Floats], tuple[Floats, Floats, Floats]]
"""From experience (m, n_dims) and counts (m, n_tasks): objective (m,), and its gradients in both, of the same
shapes."""

Reuse = Callable[[Floats], tuple[Floats, Floats]]
"""From counts (m, n_tasks): what they are worth in fresh batches, and the derivative, both (m, n_tasks)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Objective = outcome(experience, counts), concave in the spending.

    Without `retention` and `worth` the order of the batches does not matter: experience = reuse(counts) @ columns. With
    them it does, but the experience at the end is a sum over steps t of worth[t, a] retention[t] columns[a] for the
    task a drawn at t, so it is linear in the choices.

    Attributes:
        costs: budget that a step on each task takes, shape (n_tasks,).
        budget: of the run.
        columns: experience in each dimension that a fresh batch of each task adds, shape (n_tasks, n_dims).
        outcome: the objective with its gradients, concave and not falling in the experience.
        reuse: worth of repeated batches; None where every batch counts in full.
        retention: part of the experience gained at each step that is left at the end, shape (n_steps, n_dims).
        worth: factor on what a batch of each task teaches at each step, shape (n_steps, n_tasks).
    """

    costs: Floats
    budget: float
    columns: Floats
    outcome: Outcome
    reuse: Reuse | None = None
    retention: Floats | None = None
    worth: Floats | None = None

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return self.columns.shape[0]

    @property
    def ordered(self) -> bool:
        """Whether the order of the batches matters."""
        return self.retention is not None or self.worth is not None

    @property
    def n_steps(self) -> int:
        """Steps that the budget allows, for the cheapest task."""
        return int(self.budget / self.costs.min() + 1e-9)

    @property
    def every_retention(self) -> Floats:
        """`retention`, written out where nothing is lost."""
        return np.ones((self.n_steps, self.columns.shape[1])) if self.retention is None else self.retention

    @property
    def every_worth(self) -> Floats:
        """`worth`, written out where it is always 1."""
        return np.ones((self.n_steps, self.n_tasks)) if self.worth is None else self.worth

    def of_counts(self, counts: Floats) -> tuple[float, Floats]:
        """Objective of the counts, shape (n_tasks,), and its gradient; where the order does not matter."""
        value, slope = (counts, np.ones_like(counts)) if self.reuse is None else self.reuse(counts)
        total, by_experience, by_counts = self.outcome((value @ self.columns)[None, :], counts[None, :])
        return float(total[0]), slope * (self.columns @ by_experience[0]) + by_counts[0]
