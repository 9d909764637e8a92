"""Rewards rescaled by quantiles that forget gradually."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Floats, Ints
from ._rescaled import Rescaled, between, check_quantiles
from .loss import Loss


@dataclass(kw_only=True)
class DecayedQuantiles(Rescaled):
    """Rescales rewards by two quantiles in which a reward weighs decay^age, age in rewards.

    r = -1 below the low quantile, 1 above the high one, 2 (reward - low) / (high - low) - 1 in between; 0 without
    history, and for a reward that equals both quantiles. The quantile at q is the smallest reward at or below which at
    least the part q of all weight lies. Rewards older than log(0.01) / log(decay), which together hold a hundredth of
    the weight, are dropped.

    In [-1, 1], or [0, 1] with `range="unit"`.

    Args:
        signal: the signal inside.
        range: `signed` or `unit`.
        low: lower quantile, in [0, 1).
        high: upper quantile, in (low, 1].
        decay: in [0.5, 0.9999]. The mean age of what counts is 1 / (1 - decay).

    Raises:
        ValueError: a parameter is outside its range.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = DecayedQuantiles(Loss(), low=0.0, high=1.0)
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> [signal.reward(np.array([0]), {"loss": np.array([x])}).item() for x in (1.0, 5.0, 2.0)]
    [0.0, 1.0, -0.5]
    """

    name = "decayed_quantiles"
    source = "Graves et al. 2017, arXiv 1704.03003, with decaying weights in place of their reservoir"
    complexity = "O(m log m) for m = log(0.01) / log(decay)"

    low: float = 0.2
    high: float = 0.8
    decay: float = 0.98

    def __post_init__(self) -> None:
        super().__post_init__()
        check_quantiles(self.low, self.high)
        check_number("decay", self.decay, low=0.5, high=0.9999)

    @property
    def length(self) -> int:
        """Number of rewards that are remembered."""
        return math.ceil(math.log(0.01) / math.log(self.decay))

    def forget(self, n_runs: int) -> None:
        """Remember nothing."""
        self.last_ = np.full((n_runs, self.length), np.inf)
        self.n_seen_ = np.zeros(n_runs, dtype=np.int64)

    def scaled(self, reward: Floats) -> Floats:
        """By the weighted quantiles, shape (n_runs,)."""
        places = np.arange(self.length)
        age = (self.n_seen_[:, None] - 1 - places) % self.length
        weight = np.where(places < self.n_seen_[:, None], (self.decay ** np.arange(self.length))[age], 0.0)
        order = np.argsort(self.last_, axis=1)
        below = np.take_along_axis(weight, order, axis=1).cumsum(axis=1)
        rows, whole = np.arange(len(reward)), below[:, -1] * (1.0 - 1e-12)
        found = [order[rows, (below >= level * whole[:, None]).argmax(axis=1)] for level in (self.low, self.high)]
        bounds = self.last_[rows[:, None], np.stack(found, axis=1)]
        return between(reward, np.where((self.n_seen_ > 0)[:, None], bounds, np.nan))

    def remember(self, rows: Ints, reward: Floats) -> None:
        """Replace the oldest."""
        self.last_[rows, self.n_seen_[rows] % self.length] = reward
        self.n_seen_[rows] += 1

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """A long memory, and a short one in [0, 1]."""
        yield cls(Loss())
        yield cls(Loss(), decay=0.8, range="unit")
