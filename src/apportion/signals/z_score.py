"""Rewards rescaled by a running mean and standard deviation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Floats, Ints
from ._rescaled import Rescaled
from .loss import Loss


@dataclass(kw_only=True)
class ZScore(Rescaled):
    """Rescales rewards by how many standard deviations they lie from the mean of earlier ones.

    r = clip((reward - mean) / deviation, -limit, limit) / limit; 0 before two rewards, and where all were the same. In
    mean and variance a reward weighs decay^age, age in rewards; the variance is the weighted one, without correction
    for the number of rewards. One outlier stretches the scale for some 1 / (1 - decay) rewards, where quantiles would
    not notice.

    In [-1, 1], or [0, 1] with `range="unit"`.

    Args:
        signal: the signal inside.
        range: `signed` or `unit`.
        limit: deviations that give 1, above 0.
        decay: in (0, 1]; 1 remembers all history alike.

    Raises:
        ValueError: a parameter is outside its range.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = ZScore(Loss(), limit=2.0)
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> [signal.reward(np.array([0]), {"loss": np.array([x])}).item() for x in (1.0, 3.0, 3.0)]
    [0.0, 0.0, 0.5]
    """

    name = "z_score"
    source = "by definition; weighted moments after West 1979, DOI 10.1145/359146.359153"

    limit: float = 3.0
    decay: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("limit", self.limit, low=0.0, low_open=True)
        check_number("decay", self.decay, low=0.0, high=1.0, low_open=True)

    def forget(self, n_runs: int) -> None:
        """Remember nothing."""
        self.weight_ = np.zeros(n_runs)
        self.mean_ = np.zeros(n_runs)
        self.variance_ = np.zeros(n_runs)

    def scaled(self, reward: Floats) -> Floats:
        """Deviations from the mean divided by the limit, shape (n_runs,)."""
        # Rounding leaves a constant history with a variance of some 1e-32 of its square: that is none.
        spread = self.variance_ > 1e-24 * self.mean_**2
        deviation = np.sqrt(np.where(spread, self.variance_, 1.0))
        return np.where(spread, (reward - self.mean_) / deviation, 0.0) / self.limit

    def remember(self, rows: Ints, reward: Floats) -> None:
        """Move mean and variance by the weight of the new reward."""
        self.weight_[rows] = self.decay * self.weight_[rows] + 1.0
        part = 1.0 / self.weight_[rows]
        step = reward - self.mean_[rows]
        self.mean_[rows] += part * step
        self.variance_[rows] = (1.0 - part) * (self.variance_[rows] + part * step**2)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """All history, and a short memory in [0, 1]."""
        yield cls(Loss())
        yield cls(Loss(), decay=0.9, range="unit")
