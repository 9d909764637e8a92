"""How much the held-out objective gained since the last evaluation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_number
from ..records import OBJECTIVES, Evaluation, Floats, Ints, ObjectiveName, Task, priorities
from ._base import Signal


@dataclass(kw_only=True)
class HeldOutGain(Signal):
    """Estimates what decisions did for the objective: the gain between two evaluations, spread over the decisions.

    The gain is the sum of priority_i * (score_i - last score_i) over the tasks measured in both evaluations, divided by
    their priorities' sum. With `by="decisions"` each of n decisions gets gain / n; with `by="cost"`
    gain * cost / sum of costs. All decisions between two evaluations then earn the same, so which task earned it only
    shows over many evaluations with differing counts.

    With `objective="worst"` the gain is that of the lowest score among the tasks with a priority instead.

    With `ridge` the signal finds that out itself: over the evaluations so far, weighted decay^age, it regresses gains
    on how much each task got (x_i decisions, or cost), and a decision for task i earns b_i (per unit of cost), with b
    minimising  sum of (gain - x . b)^2  +  ridge * (mean over tasks of sum of x_i^2) * |b - m|^2,
    where m = sum of gains / sum of x is what tasks earn on average, towards which little data leaves them.

    It captures all transfer and needs no measurement per decision, but an evaluation's noise is spread with the gain,
    gains shrink as training goes on, and rewards come late. The first evaluation credits nothing (NaN).

    In units of the score (or loss) per decision; any sign.

    Args:
        of: `score`, or `loss`: gains are then decreases of the held-out loss, which is less noisy than most scores.
        by: what the gain is spread by, `decisions` or `cost`.
        ridge: strength of the pull towards the average, at least 1e-6; None spreads the gain without regression.
        decay: weight of an evaluation relative to the one after it, in (0, 1]; for `ridge` only.
        objective: what is to gain, `mean` or `worst`.

    Raises:
        ValueError: a parameter is outside its range.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = HeldOutGain()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> counts = np.zeros((1, 2), dtype=int)
    >>> first = Evaluation(step=0, scores=np.array([[0.5, 0.5]]), counts=counts)
    >>> second = Evaluation(step=2, scores=np.array([[0.75, 0.75]]), counts=counts)
    >>> signal.credit(first, np.zeros((1, 0), dtype=int), np.zeros((1, 0)))
    array([], shape=(1, 0), dtype=float64)
    >>> signal.credit(second, np.array([[0, 1]]), np.ones((1, 2)))
    array([[0.125, 0.125]])
    """

    name = "held_out_gain"
    needs = frozenset({"evaluations"})
    source = "the reward of many adaptive mixers; spreading and regression are ours"
    deferred = True
    derived = frozenset({"tasks_", "priority_"})

    of: Literal["score", "loss"] = "score"
    by: Literal["decisions", "cost"] = "decisions"
    ridge: float | None = None
    decay: float = 0.9
    objective: ObjectiveName = "mean"

    def __post_init__(self) -> None:
        check_choice("of", self.of, ("score", "loss"))
        check_choice("by", self.by, ("decisions", "cost"))
        if self.ridge is not None:
            check_number("ridge", self.ridge, low=1e-6)
        check_number("decay", self.decay, low=0.0, high=1.0, low_open=True)
        check_choice("objective", self.objective, OBJECTIVES)

    @property
    def requires(self) -> frozenset[str]:
        """Evaluations, with the loss if gains are decreases of it."""
        return self.needs | {"evaluation.loss"} if self.of == "loss" else self.needs

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Forget all evaluations."""
        self.tasks_ = tuple(tasks)
        self.priority_ = priorities(tasks)
        n_tasks = len(tasks)
        self.last_ = np.full((n_runs, n_tasks), np.nan)
        self.square_ = np.zeros((n_runs, n_tasks, n_tasks))
        self.product_ = np.zeros((n_runs, n_tasks))
        self.gain_ = np.zeros(n_runs)
        self.amount_ = np.zeros(n_runs)

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """None yet: NaN, shape (n_runs,)."""
        return np.full(len(chosen), np.nan)

    def credit(self, evaluation: Evaluation, chosen: Ints, costs: Floats) -> Floats:
        """Each decision's part of the gain, shape (n_runs, n_decisions)."""
        values = evaluation.scores if self.of == "score" else -evaluation.measured["loss"]
        both = np.isfinite(values) & np.isfinite(self.last_)
        priority = np.where(both, self.priority_, 0.0)
        total = priority.sum(axis=1)
        # Auxiliary tasks alone tell nothing about the objective.
        known = total > 0
        if self.objective == "mean":
            change = np.where(both, values, 0.0) - np.where(both, self.last_, 0.0)
            gain = (priority * change).sum(axis=1) / np.where(known, total, 1.0)
        else:
            now, before = (np.where(priority > 0, level, np.inf).min(axis=1) for level in (values, self.last_))
            gain = np.where(known, now, 0.0) - np.where(known, before, 0.0)
        self.last_ = np.where(np.isfinite(values), values, self.last_)
        amount = np.ones(chosen.shape) if self.by == "decisions" else costs
        whole = amount.sum(axis=1)
        known &= whole > 0
        if self.ridge is None:
            rate = (gain / np.where(known, whole, 1.0))[:, None]
        else:
            rate = np.take_along_axis(self._regressed(gain, chosen, amount, known), chosen, axis=1)
        return np.where(known[:, None], rate * amount, np.nan)

    def _regressed(self, gain: Floats, chosen: Ints, amount: Floats, known: np.ndarray) -> Floats:
        """What each task earns per decision or unit of cost, shape (n_runs, n_tasks)."""
        n_runs, n_tasks = self.last_.shape
        per_task = np.zeros((n_runs, n_tasks))
        np.add.at(per_task, (np.arange(n_runs)[:, None], chosen), amount)
        old, new = np.where(known, self.decay, 1.0), np.where(known, 1.0, 0.0)
        self.square_ = old[:, None, None] * self.square_ + new[:, None, None] * (
            per_task[:, :, None] * per_task[:, None, :]
        )
        self.product_ = old[:, None] * self.product_ + (new * gain)[:, None] * per_task
        self.gain_ = old * self.gain_ + new * gain
        self.amount_ = old * self.amount_ + new * amount.sum(axis=1)
        mean = self.gain_ / np.where(self.amount_ > 0, self.amount_, 1.0)
        scale = np.trace(self.square_, axis1=1, axis2=2) / n_tasks
        penalty = (self.ridge or 0.0) * np.where(scale > 0, scale, 1.0)
        left = self.square_ + penalty[:, None, None] * np.eye(n_tasks)
        right = self.product_ - (self.square_ * mean[:, None, None]).sum(axis=2)
        return mean[:, None] + np.linalg.solve(left, right[:, :, None])[:, :, 0]

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Spread by decisions, spread by cost, regressed, and of the worst task."""
        yield cls()
        yield cls(of="loss", by="cost")
        yield cls(ridge=0.1)
        yield cls(objective="worst")
