"""The task whose score rose most steeply in a block of steps: teacher-student curriculum learning, naive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Bools, Floats, Task
from ._progress import ProgressPolicy


@dataclass(kw_only=True)
class TSCLNaive(ProgressPolicy):
    """Decides by the slope of each task's score in blocks of `window` rewards, between which nothing changes.

    At the end of a block, Q_a <- Q_a + step_size * (slope_a - Q_a), where slope_a is the least-squares slope of the
    scores of a seen in the block against their number 0, 1, 2, ..., and `optimism` for a task seen less than twice.
    p by epsilon-greedy in |Q|, or softmax(|Q| / temperature).

    This is the batch form of the released code, whose probabilities stay fixed for a block. The paper's simple form
    trains one task for a whole block: that is `hold` around this policy. With rewards, the score of a task is the sum
    of the changes that they report. The released code follows Q unless told otherwise (`absolute=False`). It fails with
    many tasks and short blocks: most tasks are then seen less than twice and `optimism` decides.

    Args:
        feed: `reward` or `evaluations`.
        absolute: follow |Q|; False follows Q.
        exploration: share of uniform exploration, in [0, 1].
        temperature: of the Boltzmann choice, above 0; None is epsilon-greedy. The released command uses 0.0004.
        step_size: weight of the newest slope, in (0, 1].
        window: rewards or evaluations in a block, at least 2.
        optimism: slope of a task that was seen less than twice in a block.

    Raises:
        TypeError: `window` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Context
    >>> policy = TSCLNaive(window=4, step_size=0.5)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> for task, change in ((0, 0.1), (0, 0.3), (1, 0.2), (1, 0.8)):
    ...     policy.update(np.array([task]), np.array([[0.5, 0.5]]), np.array([change]))
    >>> policy.progress()  # scores 0.1, 0.4 and 0.2, 1.0
    array([[0.15, 0.4 ]])
    """

    name = "tscl_naive"
    usual_signal = "loss_decrease"
    source = (
        "Matiisen et al. 2017, arXiv 1707.00183; from its released code: tambetm/TSCL addition/addition_rnn_teacher.py"
    )

    step_size: float = 0.1
    window: int = 10
    optimism: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("step_size", self.step_size, low=0.0, high=1.0, low_open=True)
        check_integer("window", self.window, low=2)
        check_number("optimism", self.optimism)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The paper's choice by |Q|, and the released command's form fed by evaluations."""
        yield cls()
        yield cls(feed="evaluations", absolute=False, window=3)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No progress: Q = 0."""
        super().reset(tasks, n_runs)
        shape = (n_runs, len(tasks))
        self.values_ = np.zeros(shape)
        self.counts_ = np.zeros(shape)  # seen in this block
        self.heights_ = np.zeros(shape)  # score since the first one in this block
        self.sums_ = np.zeros(shape)  # of the heights
        self.products_ = np.zeros(shape)  # of number and height

    def progress(self) -> Floats:
        """The averages of the slopes."""
        return self.values_

    def learn(self, change: Floats, seen: Bools) -> None:
        """Extend the scores of the tasks seen; at the end of the block, turn them into slopes."""
        self.heights_ = self.heights_ + np.where(seen & (self.counts_ > 0), change, 0.0)
        self.sums_ = self.sums_ + np.where(seen, self.heights_, 0.0)
        self.products_ = self.products_ + np.where(seen, self.counts_ * self.heights_, 0.0)
        self.counts_ = self.counts_ + seen
        ends = (self.steps_ + 1) % self.window == 0
        if ends.any():
            n = np.maximum(self.counts_, 2.0)
            # Numbers 0 .. n - 1 have the mean (n - 1) / 2 and squares around it that sum to n (n^2 - 1) / 12.
            slopes = (self.products_ - 0.5 * (n - 1.0) * self.sums_) / (n * (n * n - 1.0) / 12.0)
            slopes = np.where(self.counts_ > 1, slopes, self.optimism)
            moved = self.values_ + self.step_size * (slopes - self.values_)
            self.values_ = np.where(ends[:, None], moved, self.values_)
            for name in ("counts_", "heights_", "sums_", "products_"):
                setattr(self, name, np.where(ends[:, None], 0.0, getattr(self, name)))
