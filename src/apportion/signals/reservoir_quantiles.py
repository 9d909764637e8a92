"""Rewards rescaled by quantiles of the whole history."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer
from ..records import Floats, Ints
from ._rescaled import Rescaled, between, check_quantiles, quantiles
from .loss import Loss


@dataclass(kw_only=True)
class ReservoirQuantiles(Rescaled):
    """Rescales rewards by two quantiles of all rewards so far, of which a fixed number is kept.

    r = -1 below the low quantile, 1 above the high one, 2 (reward - low) / (high - low) - 1 in between; 0 without
    history, and for a reward that equals both quantiles. Graves et al. keep a random sample. Here the choice is
    deterministic: every s-th reward is kept, s = 1 at first; when the reservoir is full, every second one is dropped
    and s doubles. So what is kept is evenly spaced over the whole history and fills at least half of the places.

    It fails where rewards shrink as training goes on: the history then pins all later ones at -1. Use
    `WindowedQuantiles` or `DecayedQuantiles` there.

    In [-1, 1], or [0, 1] with `range="unit"`.

    Args:
        signal: the signal inside.
        range: `signed` or `unit`.
        low: lower quantile, in [0, 1).
        high: upper quantile, in (low, 1].
        capacity: rewards kept, at least 2.

    Raises:
        ValueError: a parameter is outside its range.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = ReservoirQuantiles(Loss(), low=0.0, high=1.0)
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> [signal.reward(np.array([0]), {"loss": np.array([x])}).item() for x in (1.0, 5.0, 2.0)]
    [0.0, 1.0, -0.5]
    """

    name = "reservoir_quantiles"
    source = "Graves et al. 2017, arXiv 1704.03003 (from memory; text could not be checked); the thinning is ours"
    complexity = "O(capacity log capacity)"

    low: float = 0.2
    high: float = 0.8
    capacity: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        check_quantiles(self.low, self.high)
        check_integer("capacity", self.capacity, low=2)

    def forget(self, n_runs: int) -> None:
        """Empty the reservoir."""
        self.kept_ = np.full((n_runs, self.capacity), np.inf)
        self.n_kept_ = np.zeros(n_runs, dtype=np.int64)
        self.n_seen_ = np.zeros(n_runs, dtype=np.int64)
        self.stride_ = np.ones(n_runs, dtype=np.int64)

    def scaled(self, reward: Floats) -> Floats:
        """By the quantiles of what is kept, shape (n_runs,)."""
        ordered = np.sort(self.kept_, axis=1)
        return between(reward, quantiles(ordered, self.n_kept_, (self.low, self.high)))

    def remember(self, rows: Ints, reward: Floats) -> None:
        """Keep every s-th reward."""
        due = self.n_seen_[rows] % self.stride_[rows] == 0
        self.n_seen_[rows] += 1
        rows, reward = rows[due], reward[due]
        full = rows[self.n_kept_[rows] == self.capacity]
        if full.size:
            half = (self.capacity + 1) // 2
            self.kept_[full, :half] = self.kept_[full, ::2]
            self.kept_[full, half:] = np.inf
            self.n_kept_[full] = half
            self.stride_[full] *= 2
        # The reward that met a full reservoir came at a multiple of the old stride; it stays if of the new one, too.
        stays = (self.n_seen_[rows] - 1) % self.stride_[rows] == 0
        rows, reward = rows[stays], reward[stays]
        self.kept_[rows, self.n_kept_[rows]] = reward
        self.n_kept_[rows] += 1

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The quantiles of Graves et al., and a reservoir so small that it is thinned."""
        yield cls(Loss())
        yield cls(Loss(), capacity=8, range="unit")
