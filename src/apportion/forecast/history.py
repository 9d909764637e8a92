"""What a forecast rests on: how much every task had been trained, and what it scored then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._check import check_number
from ..log import Log
from ..records import Floats, Ints, Task, check_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The evaluations of one run, or of runs side by side, in the order of their making.

    Args:
        tasks: in the order of the columns.
        counts: decisions for each task up to each evaluation, shape (n_runs, n_evaluations, n_tasks), never falling.
        scores: bigger is better, the same shape; NaN where a task was not measured.
        budget: of a whole run, above 0.
        spent: budget used up to each evaluation, shape (n_runs, n_evaluations); the evaluations themselves included.
        costs: budget that a decision takes on each task, above 0, shape (n_runs, n_tasks).
        evaluation_cost: budget that one evaluation takes, not negative, shape (n_runs,).
        upper: largest possible score of each task, inf where there is none, shape (n_tasks,).
        examples: training examples of each task up to each evaluation, shaped as `counts`; zeros where not known.
        losses: mean training loss of each task since the evaluation before, shaped as `scores`, NaN where none; at an
            evaluation before any training the held-out loss. None where they are not known.
        successes: mean training success, likewise; NaN before any training. Losses count where it is None.

    Raises:
        ValueError: shapes disagree, counts or spent budget fall, a score is infinite or above `upper`, or there is no
            evaluation.

    >>> tasks = (Task(name="a"), Task(name="b"))
    >>> History.of_run(tasks, counts=[[0, 0], [5, 5]], scores=[[0.1, 0.2], [0.4, 0.2]], budget=100).n_tasks
    2
    """

    tasks: tuple[Task, ...]
    counts: Floats
    scores: Floats
    budget: float
    spent: Floats
    costs: Floats
    evaluation_cost: Floats
    upper: Floats
    examples: Floats
    losses: Floats | None = None
    successes: Floats | None = None

    def __post_init__(self) -> None:
        check_tasks(self.tasks)
        check_number("budget", self.budget, low=0.0, low_open=True)
        n_tasks = len(self.tasks)
        if self.counts.ndim != 3 or self.counts.shape[2] != n_tasks or self.counts.shape != self.scores.shape:
            raise ValueError(
                f"`counts` and `scores` must both have the shape (n_runs, n_evaluations, {n_tasks}), got "
                f"{self.counts.shape} and {self.scores.shape}."
            )
        n_runs, n_evaluations = self.counts.shape[:2]
        if self.examples.shape != self.counts.shape:
            raise ValueError(f"`examples` must have the shape {self.counts.shape}, got {self.examples.shape}.")
        for name in ("losses", "successes"):
            told = getattr(self, name)
            if told is not None and told.shape != self.scores.shape:
                raise ValueError(f"`{name}` must have the shape {self.scores.shape}, got {told.shape}.")
        if not n_evaluations:
            raise ValueError("a forecast needs at least one evaluation, got none.")
        for name, shape in (
            ("spent", (n_runs, n_evaluations)),
            ("costs", (n_runs, n_tasks)),
            ("evaluation_cost", (n_runs,)),
            ("upper", (n_tasks,)),
        ):
            if getattr(self, name).shape != shape:
                raise ValueError(f"`{name}` must have the shape {shape}, got {getattr(self, name).shape}.")
        for name, values in (("counts", self.counts), ("spent", self.spent)):
            if not np.isfinite(values).all() or (values < 0).any() or (np.diff(values, axis=1) < -1e-9).any():
                raise ValueError(
                    f"`{name}` must be finite, not negative, and never fall from one evaluation to the next."
                )
        if not (np.isfinite(self.costs).all() and (self.costs > 0).all()):
            raise ValueError(f"`costs` must be above 0 and finite, got {self.costs.tolist()}.")
        if np.isinf(self.scores).any():
            raise ValueError("`scores` must be numbers or NaN where a task was not measured, got an infinite one.")
        above = np.isfinite(self.scores) & (self.scores > self.upper + 1e-9)
        if above.any():
            run, evaluation, task = (int(index[0]) for index in np.nonzero(above))
            raise ValueError(
                f"the score of task {self.tasks[task].name!r} must be at most {self.upper[task]:g}, got "
                f"{self.scores[run, evaluation, task]:g}: give the right `upper` of its metric."
            )

    @property
    def n_runs(self) -> int:
        """Number of runs."""
        return self.counts.shape[0]

    @property
    def n_evaluations(self) -> int:
        """Number of evaluations."""
        return self.counts.shape[1]

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return self.counts.shape[2]

    @property
    def remaining(self) -> Floats:
        """Budget that is left, shape (n_runs,); 0 where it does not suffice for a batch of any task."""
        left = self.budget - self.spent[:, -1]
        return np.where(left >= self.costs.min(axis=1) - 1e-9, left, 0.0)

    @classmethod
    def of_run(
        cls,
        tasks: Sequence[Task],
        *,
        counts: Sequence[Sequence[float]] | Floats,
        scores: Sequence[Sequence[float]] | Floats,
        budget: float,
        spent: Sequence[float] | Floats | None = None,
        costs: Sequence[float] | Floats | None = None,
        evaluation_cost: float = 0.0,
        upper: Sequence[float] | Floats | float = np.inf,
        examples: Sequence[Sequence[float]] | Floats | None = None,
        losses: Sequence[Sequence[float]] | Floats | None = None,
        successes: Sequence[Sequence[float]] | Floats | None = None,
    ) -> History:
        """The history of a single run from lists with a row per evaluation; by default a decision costs 1."""
        table = np.asarray(counts, dtype=np.float64)
        n_tasks = len(tasks)
        price = np.ones(n_tasks) if costs is None else np.asarray(costs, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != n_tasks:
            raise ValueError(f"`counts` must have a row per evaluation with {n_tasks} entries, got {table.shape}.")
        used = table @ price + evaluation_cost * np.arange(1, len(table) + 1)
        return cls(
            tasks=tuple(tasks),
            counts=table[None],
            scores=np.asarray(scores, dtype=np.float64)[None],
            budget=budget,
            spent=(used if spent is None else np.asarray(spent, dtype=np.float64))[None],
            costs=price[None],
            evaluation_cost=np.array([evaluation_cost]),
            upper=np.broadcast_to(np.asarray(upper, dtype=np.float64), (n_tasks,)).copy(),
            examples=(np.zeros_like(table) if examples is None else np.asarray(examples, dtype=np.float64))[None],
            losses=None if losses is None else np.asarray(losses, dtype=np.float64)[None],
            successes=None if successes is None else np.asarray(successes, dtype=np.float64)[None],
        )

    @classmethod
    def of_log(
        cls,
        log: Log,
        *,
        budget: float | None = None,
        upper: float | Sequence[float] = np.inf,
        to_end: bool = False,
        training: bool = True,
    ) -> History:
        """The history of a logged run.

        A decision on a task costs what it cost on average in the log; a task that was never drawn is taken to cost as
        much as the mean of the others.

        Args:
            log: as read from a run directory.
            budget: of the run; by default the one in the log's header, or else what was spent.
            upper: largest possible score, for all tasks or for each.
            to_end: add what was trained since the last evaluation, as an evaluation at which nothing was measured, so
                that forecasts begin at the end of the log.
            training: whether what training batches told is evidence, too: their success, or else their loss.

        Raises:
            ValueError: the log has no evaluation, or a score is out of range.
        """
        n_tasks, logged = len(log.tasks), log.logged
        if not log.evaluations:
            raise ValueError("a forecast needs at least one evaluation, and this log has none.")
        scores = np.stack([item.scores for item in log.evaluations])
        steps = np.array([item.step for item in log.evaluations])
        # An evaluation's own cost is booked once it is made: `spent` holds it or not, depending on the writer.
        spent = np.maximum.accumulate(np.array([item.spent for item in log.evaluations]))
        since = logged.step >= steps[-1]
        if to_end and since.any():
            steps = np.append(steps, logged.step[-1] + 1)
            spent = np.append(spent, spent[-1] + logged.cost[since].sum())
            scores = np.concatenate((scores, np.full((1, n_tasks), np.nan)))
        drawn = np.cumsum(np.eye(n_tasks)[logged.chosen], axis=0)
        before = np.searchsorted(logged.step, steps, side="left")
        counts, examples = np.zeros((2, len(steps), n_tasks))
        if len(drawn):
            consumed = np.cumsum(np.eye(n_tasks)[logged.chosen] * log.examples[:, None], axis=0)
            counts = np.where(before[:, None] > 0, drawn[np.maximum(before - 1, 0)], 0.0)
            examples = np.where(before[:, None] > 0, consumed[np.maximum(before - 1, 0)], 0.0)
        total = np.bincount(logged.chosen, weights=logged.cost, minlength=n_tasks)
        times = np.bincount(logged.chosen, minlength=n_tasks)
        mean = total.sum() / times.sum() if total.sum() > 0 else 1.0
        price = np.where((times > 0) & (total > 0), total / np.maximum(times, 1), mean)
        whole = budget if budget is not None else _budget_of(log, float(spent[-1]))
        return cls.of_run(
            log.tasks,
            counts=counts,
            scores=scores,
            budget=whole,
            spent=spent,
            costs=price,
            evaluation_cost=float(np.median([item.cost for item in log.evaluations])),
            upper=upper,
            examples=examples,
            losses=_told(log, steps, "loss") if training else None,
            successes=_told(log, steps, "success") if training else None,
        )

    def until(self, n_evaluations: int) -> History:
        """Only the first evaluations, to see what would have been forecast then."""
        return History(
            tasks=self.tasks,
            counts=self.counts[:, :n_evaluations],
            scores=self.scores[:, :n_evaluations],
            budget=self.budget,
            spent=self.spent[:, :n_evaluations],
            costs=self.costs,
            evaluation_cost=self.evaluation_cost,
            upper=self.upper,
            examples=self.examples[:, :n_evaluations],
            losses=None if self.losses is None else self.losses[:, :n_evaluations],
            successes=None if self.successes is None else self.successes[:, :n_evaluations],
        )


def _told(log: Log, steps: Ints, name: str) -> Floats | None:
    """Mean of what training batches told between evaluations; before any training what was held out, if anything."""
    n_tasks, told = len(log.tasks), log.measured.get(name)
    if told is None:
        return None
    rows, tasks = np.searchsorted(steps, log.logged.step, side="right"), log.logged.chosen
    known = np.isfinite(told) & (rows < len(steps))
    sums, times = np.zeros((2, len(steps), n_tasks))
    np.add.at(sums, (rows[known], tasks[known]), told[known])
    np.add.at(times, (rows[known], tasks[known]), 1.0)
    found = np.where(times > 0, sums / np.maximum(times, 1.0), np.nan)
    held_out = log.evaluations[0].measured.get(name)
    if steps[0] == 0 and held_out is not None:
        found[0] = held_out
    return found


def _budget_of(log: Log, spent: float) -> float:
    budget = log.header.get("budget")
    amount = budget.get("amount") if isinstance(budget, dict) else budget  # type: ignore[union-attr]
    return float(amount) if isinstance(amount, (int, float)) and amount > 0 else max(spent, 1e-9)
