"""Optimism about tasks that were tried little."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Floats, Ints, Task
from ._index import IndexPolicy


@dataclass(kw_only=True)
class UCB1(IndexPolicy):
    """Decides for the task with the largest upper confidence bound of its mean reward, with uniform exploration.

    index_a = mean_a + scale * sqrt(2 ln t / n_a) after t rewards, n_a of them for a; every task is tried once first.

    Assumes that rewards do not drift and lie in an interval of width `scale`; any other range is accepted, but then
    the bonus is too large or too small beside the means. It fails in training, where rewards shrink as a task is
    learned: the mean of all rewards lags behind. `discounted_ucb` and `sliding_window_ucb` forget.

    Args:
        scale: width of the interval of rewards, above 0; 1 for rewards in [0, 1].
        exploration: share of uniform exploration, in [0, 1]; the published rule has 0.

    Raises:
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Context
    >>> policy = UCB1(exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> for _ in range(9):
    ...     policy.update(np.array([0]), np.array([[0.5, 0.5]]), np.array([0.6]))
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([0.4]))
    >>> policy.index().round(3)
    array([[1.315, 2.546]])
    """

    name = "ucb1"
    usual_signal = "windowed_quantiles(signal=prediction_gain, range='unit')"
    source = "Auer, Cesa-Bianchi and Fischer 2002, doi 10.1023/A:1013689704352, figure 1 (from memory, not checked)"

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("scale", self.scale, low=0.0, low_open=True)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, and one for rewards in [-1, 1]."""
        yield cls()
        yield cls(scale=2.0, exploration=0.2)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No rewards yet."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.counts_ = np.zeros(shape)
        self.means_ = np.zeros(shape)

    def index(self) -> Floats:
        """Mean plus bonus; infinite before the first reward of a task."""
        tried = self.counts_ > 0
        counts = np.where(tried, self.counts_, 1.0)
        total = np.maximum(self.counts_.sum(axis=1, keepdims=True), 1.0)
        return np.where(tried, self.means_ + self.scale * np.sqrt(2.0 * np.log(total) / counts), np.inf)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Count the reward into the mean of the task drawn."""
        at = (np.arange(len(chosen)), chosen)
        self.counts_[at] += 1.0
        self.means_[at] += (reward - self.means_[at]) / self.counts_[at]
