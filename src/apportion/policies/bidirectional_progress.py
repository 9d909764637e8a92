"""Tasks whose success rate moves, up or down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Bools, Context, Floats, Task
from ._choice import explore, mask_of, normalised
from ._success import SuccessPolicy


@dataclass(kw_only=True)
class BidirectionalProgress(SuccessPolicy):
    """Decides by how far a fast average of each task's success rate has moved from a slow one, in either direction.

    fast <- fast + step_size * (s - fast), slow <- slow + step_size * (fast - slow), both s at first;
    progress = |f(fast) - f(slow)| with f(p) = p (1 - theta) / (p + theta (1 - 2 p)), which stretches small rates.
    Over the tasks with any progress or success: z = (progress - mean) / standard deviation, and
    p proportional to 1 / (1 + exp(center - z)), mixed with uniform exploration. A task that was never seen counts as
    making as much progress as the best; if no task has any, all are equal.

    Falling rates attract as much as rising ones, so forgotten tasks come back; noise in few evaluated examples attracts
    too. Scores must be success rates, such as accuracies; they are clipped to [0, 1].

    Args:
        feed: `evaluations`, or `reward` where the reward is the success rate of the batch.
        above_chance: count success above each task's first rate, as Syllabus does.
        exploration: share of uniform exploration, in [0, 1]. Syllabus' `OnlineLearningProgress` uses 0.25.
        step_size: of both averages, in (0, 1].
        theta: in (0, 1); smaller stretches small rates more.
        center: standard deviations above the mean at which the weight is one half; Syllabus uses 0. The paper is
            remembered to use the 90 percent quantile, 1.28, which could not be checked.

    Raises:
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Evaluation
    >>> policy = BidirectionalProgress(exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> for scores in ([0.5, 0.2], [0.5, 0.4]):
    ...     policy.observe(Evaluation(step=0, scores=np.array([scores]), counts=np.zeros((1, 2), dtype=np.int64)))
    >>> policy.probabilities(Context.start(2)).round(4)  # z = -1, 1
    array([[0.2689, 0.7311]])
    """

    name = "bidirectional_progress"
    needs = frozenset({"evaluations"})
    source = (
        "Kanitscheider et al. 2021, arXiv 2106.14876 (not checked); from the released code of RyanNavillus/Syllabus "
        "syllabus/curricula/learning_progress.py"
    )

    above_chance: bool = True
    step_size: float = 0.1
    theta: float = 0.1
    center: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("step_size", self.step_size, low=0.0, high=1.0, low_open=True)
        check_number("theta", self.theta, low=0.0, high=1.0, low_open=True, high_open=True)
        check_number("center", self.center)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """As in Syllabus with some exploration, and one that prefers few tasks, fed by rewards."""
        yield cls()
        yield cls(feed="reward", above_chance=False, center=1.28)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No success seen yet."""
        super().reset(tasks, n_runs)
        shape = (n_runs, len(tasks))
        self.fast_ = np.zeros(shape)
        self.slow_ = np.zeros(shape)
        self.success_ = np.zeros(shape)

    def progress(self) -> Floats:
        """|f(fast) - f(slow)|, shape (n_runs, n_tasks)."""
        fast, slow = (p * (1.0 - self.theta) / (p + self.theta * (1.0 - 2.0 * p)) for p in (self.fast_, self.slow_))
        return np.abs(fast - slow)

    def probabilities(self, context: Context) -> Floats:
        """Sigmoids of the standardised progress of the tasks that move, mixed with uniform, (n_runs, n_tasks)."""
        mask = mask_of(context)
        progress = self.progress()
        progress = np.where(self.known_, progress, progress.max(axis=1, keepdims=True))
        moving = (progress > 0) | (self.success_ > 0) | ~self.known_
        allowed = np.ones_like(moving) if mask is None else mask
        moving &= allowed
        moving = np.where(moving.any(axis=1, keepdims=True), moving, allowed)
        many = moving.sum(axis=1, keepdims=True)
        apart = np.where(moving, progress - np.where(moving, progress, 0.0).sum(axis=1, keepdims=True) / many, 0.0)
        spread = np.sqrt((apart * apart).sum(axis=1, keepdims=True) / many)
        z = apart / np.where(spread > 1e-12, spread, 1.0)
        shares = normalised(np.where(moving, 1.0 / (1.0 + np.exp(self.center - z)), 0.0))
        return explore(shares, self.exploration, mask)

    def learn(self, success: Floats, above: Floats, seen: Bools) -> None:
        """Move the averages of the tasks seen; the first rate sets them."""
        first, later = seen & ~self.known_, seen & self.known_
        self.success_ = np.where(first, success, self.success_)
        self.success_ = self.success_ + self.step_size * np.where(later, success - self.success_, 0.0)
        self.fast_ = np.where(first, above, self.fast_)
        self.fast_ = self.fast_ + self.step_size * np.where(later, above - self.fast_, 0.0)
        self.slow_ = np.where(first, above, self.slow_)
        self.slow_ = self.slow_ + self.step_size * np.where(later, self.fast_ - self.slow_, 0.0)
