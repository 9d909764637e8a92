"""The base of signals that bring another signal's rewards into a fixed range."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .._check import check_choice, check_number
from ..records import Evaluation, Floats, Ints, Task
from ._base import Signal

Range = Literal["signed", "unit"]


@dataclass(kw_only=True)
class Rescaled(Signal, ABC):
    """Rescales the rewards of the signal inside by those that came before, without ever leaving the range.

    A reward is compared with earlier ones and then remembered. Those that are NaN stay NaN and are not remembered.

    Args:
        signal: the signal inside.
        range: `signed` gives rewards in [-1, 1], `unit` in [0, 1], as policies of the EXP3 family want them.
    """

    signal: Signal = field(kw_only=False)
    range: Range = "signed"

    def __post_init__(self) -> None:
        check_choice("range", self.range, ("signed", "unit"))

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Reset the signal inside; nothing is remembered."""
        self.tasks_ = tuple(tasks)
        self.signal.reset(tasks, n_runs)
        self.forget(n_runs)

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """The rescaled reward, shape (n_runs,)."""
        return self._rescaled(self.signal.reward(chosen, measured))

    def observe(self, evaluation: Evaluation) -> None:
        """Pass it on."""
        self.signal.observe(evaluation)

    def credit(self, evaluation: Evaluation, chosen: Ints, costs: Floats) -> Floats:
        """The rescaled credits, one decision after the other, shape (n_runs, n_decisions)."""
        raw = self.signal.credit(evaluation, chosen, costs)
        columns = [self._rescaled(raw[:, index]) for index in range(raw.shape[1])]
        return np.stack(columns, axis=1) if columns else raw

    @abstractmethod
    def forget(self, n_runs: int) -> None:
        """Make the state: an empty history for every run."""

    @abstractmethod
    def scaled(self, reward: Floats) -> Floats:
        """Rewards, shape (n_runs,), some NaN, as numbers in [-1, 1] by what is remembered; changes no state."""

    @abstractmethod
    def remember(self, rows: Ints, reward: Floats) -> None:
        """Take up the rewards of these runs, shapes (n_rows,)."""

    def _rescaled(self, raw: Floats) -> Floats:
        known = np.isfinite(raw)
        values = np.where(known, raw, 0.0)
        signed = np.clip(self.scaled(values), -1.0, 1.0)
        rows = np.flatnonzero(known)
        self.remember(rows, values[rows])
        return np.where(known, signed if self.range == "signed" else 0.5 * (signed + 1.0), np.nan)


def check_quantiles(low: float, high: float) -> None:
    """Refuse quantiles that are not in order.

    Raises:
        ValueError: `low` or `high` is outside [0, 1], or `low` is not below `high`.
    """
    check_number("low", low, low=0.0, high=1.0, high_open=True)
    check_number("high", high, low=low, high=1.0, low_open=True)


def between(reward: Floats, bounds: Floats) -> Floats:
    """-1 below the bounds, 1 above, in a straight line in between; 0 where both bounds are the same or unknown (NaN).

    Differences below 1e-12 of the bounds are rounding and count as none.

    Args:
        reward: shape (n_runs,).
        bounds: low and high, shape (n_runs, 2).
    """
    low, high = bounds[:, 0], bounds[:, 1]
    slack = 1e-12 * np.abs(bounds).max(axis=1)
    wide = high - low > slack
    inside = (np.minimum(np.maximum(reward, low), high) - low) / np.where(wide, high - low, 1.0)
    outside = np.where(reward > high + slack, 1.0, np.where(reward < low - slack, -1.0, 0.0))
    return np.where(wide, 2.0 * inside - 1.0, outside)


def quantiles(ordered: Floats, n: Ints, levels: tuple[float, float]) -> Floats:
    """The quantiles of the first n of each sorted row, by linear interpolation; NaN where n is 0; shape (n_runs, 2).

    Args:
        ordered: sorted along the last axis, what is not in use at the end, shape (n_runs, capacity).
        n: values in use, shape (n_runs,).
        levels: low and high, in [0, 1].
    """
    last = np.maximum(n - 1, 0)[:, None]
    place: Floats = last * np.array(levels, dtype=np.float64)
    below = place.astype(np.int64)
    rows = np.arange(len(n))[:, None]
    used = (n > 0)[:, None]
    lower = np.where(used, ordered[rows, below], np.nan)
    upper = np.where(used, ordered[rows, np.minimum(below + 1, last)], np.nan)
    return lower + (place - below) * (upper - lower)
