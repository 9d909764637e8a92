"""The task whose last scores rise most steeply: teacher-student curriculum learning, window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Bools, Floats, Task
from ._progress import ProgressPolicy


@dataclass(kw_only=True)
class TSCLWindow(ProgressPolicy):
    """Decides by the least-squares slope of each task's last `window` scores against time.

    Q_a is the slope, in score per decision (or per evaluation), of the last scores of a over the times at which they
    were seen, and `optimism` until two were seen. p by epsilon-greedy in |Q|, or softmax(|Q| / temperature).

    With rewards, the score of a task is the sum of the changes that they report. Slopes are used as they are, as in the
    released code, which follows Q unless told otherwise (`absolute=False`). It fails when a task is seen rarely: its
    window then reaches far back and the slope is of long ago.

    Args:
        feed: `reward` or `evaluations`.
        absolute: follow |Q|; False follows Q.
        exploration: share of uniform exploration, in [0, 1].
        temperature: of the Boltzmann choice, above 0; None is epsilon-greedy. The released command uses 0.0004.
        window: scores remembered of each task, at least 2.
        optimism: slope of a task of which less than two scores were seen.

    Raises:
        TypeError: `window` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Context
    >>> policy = TSCLWindow()
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> for task, change in ((0, 0.1), (0, 0.3), (1, 0.2), (0, 0.2)):
    ...     policy.update(np.array([task]), np.array([[0.5, 0.5]]), np.array([change]))
    >>> policy.progress().round(4)  # scores 0.1, 0.4, 0.6 at the times 0, 1, 3; one score only
    array([[0.1571, 1.    ]])
    """

    name = "tscl_window"
    usual_signal = "loss_decrease"
    source = (
        "Matiisen et al. 2017, arXiv 1707.00183; from its released code: tambetm/TSCL addition/addition_rnn_teacher.py"
    )
    complexity = "O(K window)"

    window: int = 10
    optimism: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("window", self.window, low=2)
        check_number("optimism", self.optimism)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The paper's choice by |Q|, and the released command's form fed by evaluations."""
        yield cls()
        yield cls(feed="evaluations", absolute=False, window=4)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No scores."""
        super().reset(tasks, n_runs)
        shape = (n_runs, len(tasks))
        self.counts_ = np.zeros(shape, dtype=np.int64)
        self.heights_ = np.zeros(shape)
        self.last_ = np.zeros((*shape, self.window))
        self.times_ = np.zeros((*shape, self.window))

    def progress(self) -> Floats:
        """The slopes, `optimism` where there is none yet."""
        n = np.minimum(self.counts_, self.window)[:, :, None]
        filled = np.arange(self.window) < n
        many = np.maximum(n, 1)
        time = np.where(filled, self.times_ - np.where(filled, self.times_, 0.0).sum(axis=2, keepdims=True) / many, 0.0)
        score = self.last_ - np.where(filled, self.last_, 0.0).sum(axis=2, keepdims=True) / many
        spread = (time * time).sum(axis=2)
        known = self.counts_ > 1
        return np.where(known, (time * score).sum(axis=2) / np.where(known, spread, 1.0), self.optimism)

    def learn(self, change: Floats, seen: Bools) -> None:
        """Put the scores of the tasks seen, and the time, in place of their oldest ones."""
        self.heights_ = self.heights_ + change
        place = self.counts_ % self.window
        at = (*np.nonzero(seen), place[seen])
        self.last_[at] = self.heights_[seen]
        self.times_[at] = np.broadcast_to(self.steps_[:, None], seen.shape)[seen]
        self.counts_ = self.counts_ + seen
