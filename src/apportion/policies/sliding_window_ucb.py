"""Upper confidence bounds from the last rewards only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Bools, Floats, Ints, Task
from ._index import IndexPolicy


@dataclass(kw_only=True)
class SlidingWindowUCB(IndexPolicy):
    """Decides for the task with the largest upper bound of its mean over the last rewards, with uniform exploration.

    Among the last `window` rewards of all tasks, n_a belong to a with mean mean_a;
    index_a = mean_a + scale * sqrt(xi * ln(min(t, window)) / n_a), infinite for a task that is not in the window.

    The paper sets window = 2 * scale * sqrt(T ln T / changes) for a horizon T with that many changes. Expects rewards
    in an interval of width `scale`; others are accepted, but change the balance. It fails when the window holds few
    rewards of each task: a task that dropped out is tried again at once, whatever it was worth.

    Args:
        window: number of rewards remembered, over all tasks, at least 1.
        scale: B, the width of the interval of rewards, above 0.
        xi: weight of the bonus, above 0; the analysis wants more than 0.5.
        exploration: share of uniform exploration, in [0, 1]; the published rule has 0.

    Raises:
        TypeError: `window` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Context
    >>> policy = SlidingWindowUCB(window=3, exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> for task in (0, 0, 0, 1):  # the first reward leaves the window
    ...     policy.update(np.array([task]), np.array([[0.5, 0.5]]), np.array([0.6]))
    >>> policy.index().round(4)
    array([[1.1741, 1.4119]])
    """

    name = "sliding_window_ucb"
    usual_signal = "windowed_quantiles(signal=prediction_gain, range='unit')"
    source = "Garivier and Moulines 2011, arXiv 0805.3415, section 2.2 (constants from memory, not checked)"
    complexity = "O(K), memory O(window)"

    window: int = 200
    scale: float = 1.0
    xi: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("window", self.window, low=1)
        check_number("scale", self.scale, low=0.0, low_open=True)
        check_number("xi", self.xi, low=0.0, low_open=True)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, and a window that the shared checks fill."""
        yield cls()
        yield cls(window=20, exploration=0.05)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """An empty window."""
        self.tasks_ = tuple(tasks)
        n_tasks = len(tasks)
        self.steps_ = np.zeros(n_runs, dtype=np.int64)
        self.tasks_in_ = np.full((n_runs, self.window), n_tasks, dtype=np.int64)  # n_tasks: an empty place
        self.rewards_in_ = np.zeros((n_runs, self.window))
        self.counts_ = np.zeros((n_runs, n_tasks + 1))  # the last column holds the empty places
        self.counts_[:, n_tasks] = self.window
        self.sums_ = np.zeros((n_runs, n_tasks + 1))

    def index(self) -> Floats:
        """Mean in the window plus bonus; infinite for a task that is not in it."""
        counts = self.counts_[:, :-1]
        safe = np.maximum(counts, 1.0)
        total = np.minimum(np.maximum(self.steps_, 1), self.window)[:, None]
        bonus = self.scale * np.sqrt(self.xi * np.log(total) / safe)
        return np.where(counts > 0.0, self.sums_[:, :-1] / safe + bonus, np.inf)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Let the oldest reward go and take in the new one."""
        runs, place = np.arange(len(chosen)), self.steps_ % self.window
        # Views in one dimension: indexing two takes twice the time.
        counts, sums = self.counts_.ravel(), self.sums_.ravel()
        tasks_in, rewards_in = self.tasks_in_.ravel(), self.rewards_in_.ravel()
        at, first = runs * self.window + place, runs * self.sums_.shape[1]
        old, new = first + tasks_in[at], first + chosen
        counts[old] -= 1.0
        sums[old] -= rewards_in[at]
        tasks_in[at] = chosen
        rewards_in[at] = reward
        counts[new] += 1.0
        sums[new] += reward
        self.steps_ += 1
        full = place == self.window - 1
        if np.logical_or.reduce(full):
            self._sum_again(full)

    def _sum_again(self, rows: Bools) -> None:
        """Sums from the window itself: what adding and subtracting leaves behind does not pile up over a long run."""
        n_rows, n_columns = int(rows.sum()), self.sums_.shape[1]
        cells = self.tasks_in_[rows] + n_columns * np.arange(n_rows)[:, None]
        sums = np.bincount(cells.ravel(), self.rewards_in_[rows].ravel(), n_rows * n_columns)
        self.sums_[rows] = sums.reshape(n_rows, n_columns)
