"""The records that every part of the package exchanges: plain data, no behaviour beyond derived values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._check import check_integer, check_number, check_probabilities

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Estimand = Literal["per_step", "run"]
ObjectiveName = Literal["mean", "worst"]
OBJECTIVES: tuple[ObjectiveName, ...] = ("mean", "worst")
"""What a run is to make large: the priority-weighted mean of the scores, or the lowest of those with a priority."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One of the things that the model learns.

    Args:
        name: unique among the tasks of a run.
        size: number of training examples, at least 1; None where it is unknown or endless.
        priority: importance in the objective, not negative; 0 marks an auxiliary task.
        features: description of the task for policies that generalise over tasks (PDTS); may be empty.

    Raises:
        ValueError: the name is empty, the size below 1, or the priority negative or not finite.
    """

    name: str
    size: int | None = None
    priority: float = 1.0
    features: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError(f"`name` of a task must not be empty, got `name = {self.name!r}`.")
        if self.size is not None:
            check_integer(f"size of task {self.name!r}", self.size, low=1)
        check_number(f"priority of task {self.name!r}", self.priority, low=0.0)


def check_tasks(tasks: Sequence[Task]) -> None:
    """Refuse a list of tasks that no objective can be made of.

    Raises:
        ValueError: there is no task, a name comes twice, or the priorities sum to zero.
    """
    if not tasks:
        raise ValueError("at least one task is needed, got none.")
    seen: set[str] = set()
    for task in tasks:
        if task.name in seen:
            raise ValueError(f"task names must differ, got {task.name!r} twice.")
        seen.add(task.name)
    if sum(task.priority for task in tasks) <= 0:
        raise ValueError("priorities must not sum to zero: give at least one task a priority above 0.")


def priorities(tasks: Sequence[Task]) -> Floats:
    """Priorities divided by their sum: the importance of each task in the objective, shape (n_tasks,)."""
    values = np.array([task.priority for task in tasks], dtype=np.float64)
    return values / values.sum()


@dataclass(slots=True)
class Context:
    """What a policy may look at when it says how likely each task is. Arrays must not be changed.

    Attributes:
        step: number of decisions made so far.
        spent: budget used so far, shape (n_runs,), in the unit of the budget.
        budget: budget of the whole run, in the same unit.
        counts: decisions for each task so far, told or not, shape (n_runs, n_tasks).
        examples: training examples consumed by each task so far, shape (n_runs, n_tasks).
        costs: budget spent on each task so far, shape (n_runs, n_tasks).
        available: tasks that may be drawn now, shape (n_runs, n_tasks). The caller masks the rest, so a policy may
            ignore it unless its formula depends on it.
    """

    step: int
    spent: Floats
    budget: float
    counts: Ints
    examples: Floats
    costs: Floats
    available: Bools

    @property
    def n_runs(self) -> int:
        """Number of runs that advance together."""
        return self.counts.shape[0]

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return self.counts.shape[1]

    @property
    def progress(self) -> Floats:
        """Fraction of the budget used, clipped to [0, 1], shape (n_runs,)."""
        return np.minimum(self.spent / self.budget, 1.0)

    @classmethod
    def start(cls, n_tasks: int, *, n_runs: int = 1, budget: float = 1000.0) -> Context:
        """The context before the first decision: nothing drawn, nothing spent, every task available.

        >>> Context.start(3).counts
        array([[0, 0, 0]])
        """
        shape = (n_runs, n_tasks)
        return cls(
            step=0,
            spent=np.zeros(n_runs),
            budget=budget,
            counts=np.zeros(shape, dtype=np.int64),
            examples=np.zeros(shape),
            costs=np.zeros(shape),
            available=np.ones(shape, dtype=np.bool_),
        )


class Decision(NamedTuple):
    """One draw: the task that gives the next batch, and the probabilities that it was drawn from.

    Attributes:
        step: number of the decision, from 0.
        task: index of the task drawn.
        name: name of the task drawn.
        probabilities: after masking and constraints, shape (n_tasks,); read-only.
    """

    step: int
    task: int
    name: str
    probabilities: Floats

    @property
    def propensity(self) -> float:
        """The probability with which this task was drawn."""
        return float(self.probabilities[self.task])


HEARD = ("loss", "success")
"""What training batches tell of a task that policies may listen to."""


@dataclass(slots=True)
class Evaluation:
    """A held-out evaluation of the tasks, for all runs at once.

    Attributes:
        step: number of decisions made before it.
        scores: held-out metric of every task, bigger is better, shape (n_runs, n_tasks); NaN where not measured.
        counts: decisions for each task so far, shape (n_runs, n_tasks).
        measured: further values per task by name, each (n_runs, n_tasks), NaN where not measured; `loss` is the
            held-out loss. Policies ask for them by `evaluation.NAME` in `needs`. `training_loss` and
            `training_success`, means over the batches since the evaluation before, cost nothing, and are there for
            policies that listen wherever the loop told them.
        progress: fraction of the budget used, shape (n_runs,).
        examples: training examples consumed by each task so far, shape (n_runs, n_tasks); None where it is not known.
        costs: fraction of the budget spent on each task so far, without evaluations, shape (n_runs, n_tasks); None
            where it is not known.
    """

    step: int
    scores: Floats
    counts: Ints
    measured: Mapping[str, Floats] = field(default_factory=dict[str, Floats])
    progress: Floats = field(default_factory=lambda: np.zeros(1))
    examples: Floats | None = None
    costs: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Logged decisions as arrays: what estimators see.

    Attributes:
        tasks: names, in the order of the columns.
        chosen: index of the task drawn, shape (n_rounds,).
        probabilities: what was drawn from, shape (n_rounds, n_tasks).
        reward: per decision, bigger is better, shape (n_rounds,); NaN where none came.
        step: number of each decision, shape (n_rounds,).
        cost: budget spent by each decision, shape (n_rounds,).

    Raises:
        ValueError: shapes disagree, a task index is out of range, or a row of probabilities is not one.
    """

    tasks: tuple[str, ...]
    chosen: Ints
    probabilities: Floats
    reward: Floats
    step: Ints
    cost: Floats

    def __post_init__(self) -> None:
        n_rounds, n_tasks = self.chosen.shape[0], len(self.tasks)
        for name in ("chosen", "reward", "step", "cost"):
            if getattr(self, name).shape != (n_rounds,):
                raise ValueError(f"`{name}` must have the shape ({n_rounds},), got {getattr(self, name).shape}.")
        if self.probabilities.shape != (n_rounds, n_tasks):
            raise ValueError(
                f"`probabilities` must have the shape ({n_rounds}, {n_tasks}), got {self.probabilities.shape}."
            )
        if n_rounds and not (self.chosen.min() >= 0 and self.chosen.max() < n_tasks):
            raise ValueError(
                f"`chosen` must be from 0 to {n_tasks - 1}, got {self.chosen.min()} to {self.chosen.max()}."
            )
        check_probabilities("probabilities", self.probabilities)

    @property
    def n_rounds(self) -> int:
        """Number of decisions."""
        return self.chosen.shape[0]

    @property
    def propensity(self) -> Floats:
        """Probability of each task drawn, shape (n_rounds,)."""
        return self.probabilities[np.arange(self.n_rounds), self.chosen]

    def rewarded(self) -> Logged:
        """Only the decisions that got a reward."""
        return self.rows(np.isfinite(self.reward))

    def rows(self, keep: Bools | Ints | slice) -> Logged:
        """Only the decisions that `keep` selects."""
        return Logged(
            tasks=self.tasks,
            chosen=self.chosen[keep],
            probabilities=self.probabilities[keep],
            reward=self.reward[keep],
            step=self.step[keep],
            cost=self.cost[keep],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimated value with its interval, its diagnostics and the words that say what it means.

    Attributes:
        value: the estimate; NaN where there is no data.
        lower: lower end of the interval, -inf where too little is known.
        upper: upper end of the interval, inf where too little is known.
        confidence: of the interval, in (0, 1).
        n_rounds: decisions that it rests on.
        effective_sample_size: (sum of w)^2 / sum of w^2 over the importance weights w.
        max_weight: the largest importance weight.
        estimand: `per_step` or `run`; see `docs/estimands.md`.
        signature: what the figure was made from: policy, estimator, interval, log fingerprint, version.
    """

    value: float
    lower: float
    upper: float
    confidence: float
    n_rounds: int
    effective_sample_size: float
    max_weight: float
    estimand: Estimand
    signature: str

    def __post_init__(self) -> None:
        check_number("confidence", self.confidence, low=0.0, high=1.0, low_open=True, high_open=True)
        if not math.isnan(self.value) and not self.lower <= self.value <= self.upper:
            raise ValueError(
                f"the interval from {self.lower:g} to {self.upper:g} must contain the value {self.value:g}."
            )
