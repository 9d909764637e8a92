"""Rewards rescaled by quantiles of the last ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer
from ..records import Floats, Ints
from ._rescaled import Rescaled, between, check_quantiles, quantiles
from .held_out_gain import HeldOutGain
from .loss import Loss


@dataclass(kw_only=True)
class WindowedQuantiles(Rescaled):
    """Rescales rewards by two quantiles of the last rewards, so that it follows them as they shrink.

    r = -1 below the low quantile, 1 above the high one, 2 (reward - low) / (high - low) - 1 in between; 0 without
    history, and for a reward that equals both quantiles. Rescaling tells a policy which rewards are large for their
    time, not how large: late in training it blows noise up to the full range.

    In [-1, 1], or [0, 1] with `range="unit"`.

    Args:
        signal: the signal inside.
        range: `signed` or `unit`.
        low: lower quantile, in [0, 1).
        high: upper quantile, in (low, 1].
        window: number of last rewards, at least 2.

    Raises:
        ValueError: a parameter is outside its range.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = WindowedQuantiles(Loss(), low=0.0, high=1.0, window=2)
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> [signal.reward(np.array([0]), {"loss": np.array([x])}).item() for x in (9.0, 1.0, 5.0, 2.0)]
    [0.0, -1.0, 0.0, -0.5]
    """

    name = "windowed_quantiles"
    source = "Graves et al. 2017, arXiv 1704.03003, with a window in place of their reservoir"
    complexity = "O(window log window)"

    low: float = 0.2
    high: float = 0.8
    window: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        check_quantiles(self.low, self.high)
        check_integer("window", self.window, low=2)

    def forget(self, n_runs: int) -> None:
        """Empty the window."""
        self.last_ = np.full((n_runs, self.window), np.inf)
        self.n_seen_ = np.zeros(n_runs, dtype=np.int64)

    def scaled(self, reward: Floats) -> Floats:
        """By the quantiles of the window, shape (n_runs,)."""
        ordered = np.sort(self.last_, axis=1)
        n = np.minimum(self.n_seen_, self.window)
        return between(reward, quantiles(ordered, n, (self.low, self.high)))

    def remember(self, rows: Ints, reward: Floats) -> None:
        """Replace the oldest."""
        self.last_[rows, self.n_seen_[rows] % self.window] = reward
        self.n_seen_[rows] += 1

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """A long window, a short one in [0, 1], and one around rewards that come with evaluations."""
        yield cls(Loss())
        yield cls(HeldOutGain(ridge=0.1), window=30)
        yield cls(Loss(), window=5, range="unit")
