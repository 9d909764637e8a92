"""Tasks that succeed sometimes: neither solved nor out of reach."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Bools, Context, Floats, Task
from ._choice import explore, mask_of, normalised
from ._success import SuccessPolicy


@dataclass(kw_only=True)
class Learnability(SuccessPolicy):
    """Decides by s (1 - s), the variance of success: largest where a task succeeds half of the time.

    s <- s + step_size * (measured - s). p proportional to s (1 - s), or uniform over the `top` tasks where it is
    largest, mixed with uniform exploration. A task that was never seen counts as s = 1/2; if s (1 - s) is zero
    everywhere, all are equal.

    Made for success rates of reinforcement learning. Of accuracies it only says which tasks are in the middle: a task
    whose accuracy cannot rise above 1/2 keeps the largest share for ever.

    Args:
        feed: `evaluations`, or `reward` where the reward is the success rate of the batch.
        above_chance: count success above each task's first rate, as Syllabus does.
        exploration: share of uniform exploration, in [0, 1].
        step_size: weight of the newest rate, in (0, 1]; Syllabus uses the newest alone.
        top: number of tasks, at least 1; ties at the edge are split. None makes p proportional.

    Raises:
        TypeError: `top` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Evaluation
    >>> policy = Learnability(exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.observe(Evaluation(step=0, scores=np.array([[0.5, 0.9]]), counts=np.zeros((1, 2), dtype=np.int64)))
    >>> policy.probabilities(Context.start(2)).round(4)  # 0.25 to 0.09
    array([[0.7353, 0.2647]])
    """

    name = "learnability"
    needs = frozenset({"evaluations"})
    source = (
        "Rutherford et al. 2024, arXiv 2408.15099 (from memory, not checked); from the released code of "
        "RyanNavillus/Syllabus syllabus/curricula/learnability.py"
    )

    step_size: float = 1.0
    top: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("step_size", self.step_size, low=0.0, high=1.0, low_open=True)
        if self.top is not None:
            check_integer("top", self.top, low=1)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Proportional, and the best two as in Syllabus, fed by rewards."""
        yield cls()
        yield cls(feed="reward", top=2, step_size=0.2)
        yield cls(above_chance=True)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No success seen yet."""
        super().reset(tasks, n_runs)
        self.rates_ = np.full((n_runs, len(tasks)), 0.5)

    def probabilities(self, context: Context) -> Floats:
        """Proportional to s (1 - s), or uniform over the largest, mixed with uniform, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        values = self.rates_ * (1.0 - self.rates_)
        allowed = np.ones(values.shape) if mask is None else mask.astype(np.float64)
        if self.top is not None:
            values = _top(np.where(allowed > 0, values, -1.0), self.top)
        values = values * allowed
        values = np.where(values.sum(axis=1, keepdims=True) > 0, values, allowed)
        return explore(normalised(values), self.exploration, mask)

    def learn(self, success: Floats, above: Floats, seen: Bools) -> None:
        """Move the rates of the tasks seen; the first one sets them."""
        step = np.where(self.known_, self.step_size, 1.0)
        self.rates_ = self.rates_ + step * np.where(seen, above - self.rates_, 0.0)


def _top(values: Floats, top: int) -> Floats:
    """1 for the `top` largest of each row, 0 for the rest; those that tie at the edge share what is left."""
    if top >= values.shape[1]:
        return np.ones_like(values)
    edge = -np.partition(-values, top - 1, axis=1)[:, top - 1 : top]
    over, at = values > edge, values == edge
    return over + at * (top - over.sum(axis=1, keepdims=True)) / at.sum(axis=1, keepdims=True)
