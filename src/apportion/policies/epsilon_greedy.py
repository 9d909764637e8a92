"""Mostly the task with the largest running reward."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Floats, Ints, Task
from ._index import IndexPolicy


@dataclass(kw_only=True)
class EpsilonGreedy(IndexPolicy):
    """Decides for the task with the largest running reward Q, and uniformly with probability epsilon.

    p = (1 - epsilon) * [argmax Q, ties split] + epsilon / K;  Q_a <- Q_a + step_size * (r - Q_a) for the task drawn.

    A constant step size forgets at the rate at which tasks change; None averages all rewards alike. Rewards may have
    any range: only their order matters. It fails when the best reward comes from a task that looked bad early on, for
    it is then revisited only once in K / epsilon decisions; and under a reward that is mostly noise it follows the
    noise.

    Args:
        exploration: epsilon, in [0, 1].
        step_size: weight of the newest reward, in (0, 1]; None gives 1 / n, the mean of all.
        initial: Q of a task before its first reward, which then counts like any other; None tries every task once
            first, and takes its first reward as Q.

    Raises:
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Context
    >>> policy = EpsilonGreedy(exploration=0.2)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([0]), np.array([[0.5, 0.5]]), np.array([1.0]))
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([3.0]))
    >>> policy.probabilities(Context.start(2))
    array([[0.1, 0.9]])
    """

    name = "epsilon_greedy"
    usual_signal = "windowed_quantiles(signal=prediction_gain, range='unit')"
    source = "Sutton and Barto 2018, Reinforcement Learning, sections 2.2 to 2.6 (from memory, not checked)"

    step_size: float | None = 0.1
    initial: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step_size is not None:
            check_number("step_size", self.step_size, low=0.0, high=1.0, low_open=True)
        if self.initial is not None:
            check_number("initial", self.initial)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, and the mean of all rewards from a stated start."""
        yield cls()
        yield cls(step_size=None, initial=0.0, exploration=0.05)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No rewards yet."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.counts_ = np.zeros(shape)
        self.values_ = np.full(shape, np.inf if self.initial is None else self.initial)

    def index(self) -> Floats:
        """Q, infinite for a task without a reward unless `initial` is given."""
        return self.values_

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Move Q of the task drawn towards its reward."""
        at = (np.arange(len(chosen)), chosen)
        self.counts_[at] += 1.0
        old = self.values_[at]
        if self.initial is None:
            old = np.where(np.isinf(old), reward, old)
        step = 1.0 / self.counts_[at] if self.step_size is None else self.step_size
        self.values_[at] = old + step * (reward - old)
