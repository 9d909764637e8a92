"""Upper confidence bounds that forget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Floats, Ints, Task
from ._index import IndexPolicy

FORGOTTEN = 1e-12
"""A discounted count below it says nothing any more: the task counts as never tried."""


@dataclass(kw_only=True)
class DiscountedUCB(IndexPolicy):
    """Decides for the task with the largest upper bound of its discounted mean reward, with uniform exploration.

    N_a = sum over rewards s of a of discount^(t - s), mean_a the mean under the same discount, and
    index_a = mean_a + 2 * scale * sqrt(xi * ln(sum_b N_b) / N_a).

    The paper sets discount = 1 - sqrt(changes / T) / (4 * scale) for a horizon T with that many changes. SMPyBandits'
    `DiscountedUCB` is the same index with scale = 1 and xi = its alpha / 8. Expects rewards in an interval of width
    `scale`; others are accepted, but change the balance. It fails when the discount forgets faster than K tasks can
    be revisited: with N_a about 1 the bonus rules and the policy is round-robin.

    Args:
        discount: in (0, 1); 0.98 remembers about 50 decisions.
        scale: B, the width of the interval of rewards, above 0.
        xi: weight of the bonus, above 0; the analysis wants more than 0.5.
        exploration: share of uniform exploration, in [0, 1]; the published rule has 0.

    Raises:
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Context
    >>> policy = DiscountedUCB(discount=0.5, exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> for task in (0, 0, 1):
    ...     policy.update(np.array([task]), np.array([[0.5, 0.5]]), np.array([0.6]))
    >>> policy.index().round(4)  # N = 0.75 and 1
    array([[1.8216, 1.6579]])
    """

    name = "discounted_ucb"
    usual_signal = "windowed_quantiles(signal=prediction_gain, range='unit')"
    source = "Garivier and Moulines 2011, arXiv 0805.3415, section 2.1 (constants from memory, not checked)"

    discount: float = 0.98
    scale: float = 1.0
    xi: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("discount", self.discount, low=0.0, high=1.0, low_open=True, high_open=True)
        check_number("scale", self.scale, low=0.0, low_open=True)
        check_number("xi", self.xi, low=0.0, low_open=True)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, and a long memory with a smaller bonus."""
        yield cls()
        yield cls(discount=0.995, xi=0.125, exploration=0.05)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No rewards yet."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.counts_ = np.zeros(shape)
        self.sums_ = np.zeros(shape)

    def index(self) -> Floats:
        """Discounted mean plus bonus; infinite for a task that was never tried, or so long ago that nothing is left."""
        tried = self.counts_ > FORGOTTEN
        counts = np.where(tried, self.counts_, 1.0)
        total = np.maximum(self.counts_.sum(axis=1, keepdims=True), 1.0)
        bonus = 2.0 * self.scale * np.sqrt(self.xi * np.log(total) / counts)
        return np.where(tried, self.sums_ / counts + bonus, np.inf)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Discount everything once, then count the reward of the task drawn."""
        at = (np.arange(len(chosen)), chosen)
        self.counts_ *= self.discount
        self.sums_ *= self.discount
        self.counts_[at] += 1.0
        self.sums_[at] += reward
