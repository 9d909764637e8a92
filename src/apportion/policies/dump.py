"""Softmax of upper confidence bounds of recent advantages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Context, Floats, Ints, Task
from ._base import Policy
from ._choice import explore, mask_of, softmax


@dataclass(kw_only=True)
class DUMP(Policy):
    """Decides by softmax(u / temperature), where u_a is an upper confidence bound of a's recent rewards.

    u_a = mean of the last `window` rewards of a (0 before the first) + sqrt(2 ln(n + 1) / (n_a + 1)), with n_a samples
    of a so far and n of all tasks; p = (1 - exploration) * softmax(u / temperature) + exploration / K. The reward is
    the mean absolute advantage of the batch (signal `advantage`); scale others to about [0, 1].

    The released code counts every rollout of a batch as a sample, and its window holds 300 of them: `samples` says how
    many a reward stands for. Counts never fade, so late in training the bonus is gone and a task left behind is not
    tried again unless there is exploration.

    Args:
        window: rewards of each task remembered, at least 1.
        temperature: above 0.
        samples: how many samples one reward stands for in the bonus, at least 1.
        exploration: share of uniform exploration, in [0, 1]; the published rule has 0.

    Raises:
        TypeError: `window` or `samples` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> policy = DUMP()
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([0.4]))
    >>> policy.probabilities(Context.start(2)).round(4)  # u = 1.1774, 0.4 + 0.8326
    array([[0.3655, 0.6345]])
    """

    name = "dump"
    usual_signal = "learnability"
    family = "learning-progress"
    needs = frozenset({"reward"})
    source = (
        "Wang et al. 2025, arXiv 2504.09710 (not checked); from its released code: ZhentingWang/DUMP "
        "verl/utils/curriculum_learning.py"
    )
    complexity = "O(K), memory O(K window)"

    window: int = 300
    temperature: float = 0.1
    samples: int = 1
    exploration: float = 0.0

    def __post_init__(self) -> None:
        check_integer("window", self.window, low=1)
        check_number("temperature", self.temperature, low=0.0, low_open=True)
        check_integer("samples", self.samples, low=1)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The released settings, and a short window of batches of eight."""
        yield cls()
        yield cls(window=5, samples=8, exploration=0.05)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No rewards yet."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.counts_ = np.zeros(shape, dtype=np.int64)
        self.rewards_ = np.zeros((*shape, self.window))
        self.sums_ = np.zeros(shape)

    def bounds(self) -> Floats:
        """Mean of the window plus bonus, shape (n_runs, n_tasks)."""
        samples = self.samples * self.counts_
        bonus = np.sqrt(2.0 * np.log(samples.sum(axis=1, keepdims=True) + 1.0) / (samples + 1.0))
        return self.sums_ / np.minimum(np.maximum(self.counts_, 1), self.window) + bonus

    def probabilities(self, context: Context) -> Floats:
        """Softmax of the bounds, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        return explore(softmax(self.bounds() / self.temperature, mask), self.exploration, mask)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Put the reward in place of the oldest one of the task drawn."""
        runs = np.arange(len(chosen))
        place = self.counts_[runs, chosen] % self.window
        self.sums_[runs, chosen] += reward - self.rewards_[runs, chosen, place]
        self.rewards_[runs, chosen, place] = reward
        self.counts_[runs, chosen] += 1
        full = place == self.window - 1
        if full.any():  # what adding and subtracting leaves behind does not pile up over a long run
            self.sums_[runs[full], chosen[full]] = self.rewards_[runs[full], chosen[full]].sum(axis=1)
