"""Constraints on shares that hold for every policy, adaptive ones too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._check import check_names, check_number
from .errors import ConstraintError
from .records import Bools, Floats, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What probabilities must obey whatever the policy says.

    Args:
        floor: least share of every task, or of the tasks named; in [0, 1].
        cap: largest share of every task, or of the tasks named; in (0, 1].
        fixed: exact share of the tasks named; in [0, 1].
        exclude: names of tasks that are never drawn.
        max_epochs: most passes over the data of every task, or of the tasks named; above 0. A task that used them up is
            not available any more.

    Raises:
        ValueError: a number is outside its range.

    >>> Constraints(floor=0.05, cap={"mnli": 0.5}, exclude=("wnli",)).is_trivial
    False
    """

    floor: float | Mapping[str, float] = 0.0
    cap: float | Mapping[str, float] = 1.0
    fixed: Mapping[str, float] = field(default_factory=dict[str, float])
    exclude: Sequence[str] = ()
    max_epochs: float | Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for name, value in _items("floor", self.floor) + _items("fixed", self.fixed):
            check_number(name, value, low=0.0, high=1.0)
        for name, value in _items("cap", self.cap):
            check_number(name, value, low=0.0, high=1.0, low_open=True)
        if self.max_epochs is not None:
            for name, value in _items("max_epochs", self.max_epochs):
                check_number(name, value, low=0.0, low_open=True)

    @property
    def is_trivial(self) -> bool:
        """Whether nothing is constrained."""
        return self == Constraints()

    def params(self) -> dict[str, Any]:
        """The constraints as plain data, for fingerprints."""
        return {
            "floor": _plain(self.floor),
            "cap": _plain(self.cap),
            "fixed": dict(self.fixed),
            "exclude": list(self.exclude),
            "max_epochs": _plain(self.max_epochs),
        }

    def bounds(self, tasks: Sequence[Task]) -> tuple[Floats, Floats]:
        """Least and largest share of each task, each (n_tasks,).

        Raises:
            ValueError: a task named is unknown.
            ConstraintError: the bounds contradict each other; the message gives the numbers.
        """
        names = [task.name for task in tasks]
        for key in ("floor", "cap", "fixed", "max_epochs"):
            value = getattr(self, key)
            if isinstance(value, Mapping):
                check_names(key, list(value), names)
        check_names("exclude", list(self.exclude), names)
        lower = _per_task(self.floor, names, 0.0)
        upper = _per_task(self.cap, names, 1.0)
        for name, share in self.fixed.items():
            lower[names.index(name)] = upper[names.index(name)] = share
        for name in self.exclude:
            if name in self.fixed and self.fixed[name] > 0:
                raise ConstraintError(f"task {name!r} is excluded, but its share is fixed to {self.fixed[name]:g}.")
            # A floor given by name contradicts the exclusion; a floor for all tasks means all that take part.
            if isinstance(self.floor, Mapping) and self.floor.get(name, 0.0) > 0:
                raise ConstraintError(f"task {name!r} is excluded, but its floor is {self.floor[name]:g}.")
            lower[names.index(name)] = upper[names.index(name)] = 0.0
        for index in np.flatnonzero(lower > upper):
            raise ConstraintError(
                f"task {names[index]!r} has the floor {lower[index]:g} above its cap {upper[index]:g}: change one."
            )
        if lower.sum() > 1 + 1e-12:
            raise ConstraintError(
                f"floors and fixed shares sum to {lower.sum():.6g}, which is more than 1: {_listed(names, lower)}."
            )
        if upper.sum() < 1 - 1e-12:
            raise ConstraintError(
                f"caps and fixed shares sum to {upper.sum():.6g}, which is less than 1: {_listed(names, upper)}."
            )
        return lower, upper

    def epochs(self, tasks: Sequence[Task]) -> Floats:
        """Most passes over the data of each task, (n_tasks,); inf where there is no limit.

        Raises:
            ConstraintError: a limit is set for a task whose size is not known.
        """
        names = [task.name for task in tasks]
        if self.max_epochs is None:
            return np.full(len(tasks), np.inf)
        limits = _per_task(self.max_epochs, names, np.inf)
        for task, limit in zip(tasks, limits, strict=True):
            if task.size is None and np.isfinite(limit) and isinstance(self.max_epochs, Mapping):
                raise ConstraintError(f"`max_epochs` of task {task.name!r} needs its size: give the task a `size`.")
        return limits


def project(probabilities: Floats, lower: Floats, upper: Floats, available: Bools) -> Floats:
    """The probabilities nearest to what a policy asked for that obey the bounds and give unavailable tasks nothing.

    Nearest in Kullback-Leibler divergence: q_i = clip(c p_i, lower_i, upper_i) with the one c for which q sums to 1, so
    tasks that touch no bound keep their ratios (Krichene et al. 2015, "Efficient Bregman projections onto the simplex",
    section III; could not be checked). A task with p_i = 0 gets its floor and no more, unless all others are at their
    caps: what remains is then shared equally by the tasks with room.

    Where the available tasks cannot fill the budget under their caps (others were exhausted), the caps of the available
    ones are given up for that step, and where their floors exceed it, floors are scaled down: something must be drawn.

    Args:
        probabilities: rows sum to 1, shape (n_runs, n_tasks).
        lower: least share of each task, shape (n_tasks,), sum at most 1.
        upper: largest share of each task, shape (n_tasks,), sum at least 1.
        available: shape (n_runs, n_tasks), at least one true in each row.

    Returns:
        shape (n_runs, n_tasks), rows sum to 1 within 1e-12.

    Raises:
        ValueError: no task is available in some run.

    >>> bounds = np.array([0.1, 0.0, 0.0]), np.array([1.0, 0.5, 1.0])
    >>> project(np.array([[0.0, 0.8, 0.2]]), *bounds, np.ones((1, 3), dtype=bool))
    array([[0.1, 0.5, 0.4]])
    """
    if not available.any(axis=1).all():
        raise ValueError("no task is available in some run: nothing can be drawn.")
    low = np.where(available, lower, 0.0)
    total = low.sum(axis=1, keepdims=True)
    low = np.where(total > 1.0, low / np.maximum(total, 1.0), low)
    high = np.where(available, upper, 0.0)
    high = np.where(high.sum(axis=1, keepdims=True) < 1.0, available.astype(np.float64), high)
    # A vanishing weight for every task with room lets the rest be shared when all wanted tasks are at their caps.
    wanted = np.where(available & (high > 0), np.maximum(probabilities, 1e-300), 0.0)
    shares = np.clip(wanted / wanted.sum(axis=1, keepdims=True), low, high)
    if np.abs(shares.sum(axis=1) - 1.0).max() < 1e-15:
        return shares
    return _waterfill(wanted, low, high)


def _waterfill(wanted: Floats, low: Floats, high: Floats) -> Floats:
    """clip(c wanted, low, high) with row sums of 1.

    The sum grows with c and is linear between the 2K values of c at which a task leaves its floor or reaches its cap. A
    binary search over the sorted values finds the segment; inside it c follows from the tasks that touch no bound.
    """
    n_runs, n_tasks = wanted.shape
    rows = np.arange(n_runs)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        leaves, reaches = np.minimum(low / wanted, _HUGE), np.minimum(high / wanted, _HUGE)
    leaves[wanted == 0] = reaches[wanted == 0] = _HUGE
    points = np.sort(np.concatenate([leaves, reaches], axis=1), axis=1)
    first, last = np.zeros(n_runs, dtype=np.int64), np.full(n_runs, 2 * n_tasks - 1)
    for _ in range((2 * n_tasks).bit_length()):  # invariant: the sum at `first` is at most 1
        middle = (first + last + 1) // 2
        fits = np.clip(points[rows, middle][:, None] * wanted, low, high).sum(axis=1) <= 1.0
        first, last = np.where(fits, middle, first), np.where(fits, last, np.maximum(middle - 1, first))
    start = points[rows, first][:, None]
    free = (leaves <= start) & (reaches > start) & (wanted > 0)
    bound = np.where(reaches <= start, high, low)
    rest = 1.0 - np.where(free, 0.0, bound).sum(axis=1, keepdims=True)
    # Dividing by the largest first keeps vanishing weights from underflowing.
    parts = np.where(free, wanted, 0.0)
    parts = parts / np.maximum(parts.max(axis=1, keepdims=True), 1e-300)
    shares = np.where(free, parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-300) * rest, bound)
    return np.clip(shares, low, high)


_HUGE = 1e308  # stands for "never": beyond every level that a weight of at least 1e-300 can need


def _items(name: str, value: float | Mapping[str, float]) -> list[tuple[str, float]]:
    if isinstance(value, Mapping):
        return [(f"{name} of task {task!r}", share) for task, share in value.items()]
    return [(name, value)]


def _plain(value: float | Mapping[str, float] | None) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _per_task(value: float | Mapping[str, float], names: Sequence[str], default: float) -> Floats:
    if isinstance(value, Mapping):
        return np.array([value.get(name, default) for name in names], dtype=np.float64)
    return np.full(len(names), float(value))


def _listed(names: Sequence[str], values: Floats) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in zip(names, values, strict=True) if value > 0)
