"""What a plan is to make large: a function of the scores at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .._check import check_names, check_number
from ..records import Floats, Task, priorities


class Objective(ABC):
    """A number to make large, from the scores of all tasks on the last axis."""

    @abstractmethod
    def value(self, scores: Floats, tasks: Sequence[Task]) -> Floats:
        """The objective of scores (..., n_tasks), shape (...)."""

    def gradient(self, scores: Floats, tasks: Sequence[Task]) -> Floats:
        """Its derivative by the scores, shaped as `scores`; by central differences unless a subclass knows better."""
        found = np.empty_like(scores)
        step = 1e-4 * max(float(np.abs(scores).max(initial=0.0)), 1e-6)
        for task in range(scores.shape[-1]):
            high, low = scores.copy(), scores.copy()
            high[..., task] += step
            low[..., task] -= step
            found[..., task] = (self.value(high, tasks) - self.value(low, tasks)) / (2.0 * step)
        return found


@dataclass(frozen=True)
class MeanScore(Objective):
    """The priority-weighted mean of the scores.

    >>> float(MeanScore().value(np.array([0.2, 0.8]), [Task(name="a", priority=3), Task(name="b")]).round(6))
    0.35
    """

    def value(self, scores: Floats, tasks: Sequence[Task]) -> Floats:
        """sum_i w_i score_i with w the priorities divided by their sum."""
        return (scores * priorities(tasks)).sum(axis=-1)

    def gradient(self, scores: Floats, tasks: Sequence[Task]) -> Floats:
        """w_i."""
        return np.broadcast_to(priorities(tasks), scores.shape).copy()


@dataclass(frozen=True)
class WorstScore(Objective):
    """The lowest score among the tasks that have a priority, smoothed: -s log mean exp(-score/s).

    Args:
        softness: s, in units of score, above 0.
    """

    softness: float = 0.02

    def __post_init__(self) -> None:
        check_number("softness", self.softness, low=0.0, low_open=True)

    def value(self, scores: Floats, tasks: Sequence[Task]) -> Floats:
        """The smoothed minimum."""
        low, shares = self._shares(scores, tasks)
        return low - self.softness * np.log(shares.mean(axis=-1))

    def gradient(self, scores: Floats, tasks: Sequence[Task]) -> Floats:
        """The softmin weights of the tasks."""
        counted = np.array([task.priority > 0 for task in tasks])
        _, shares = self._shares(scores, tasks)
        found = np.zeros_like(scores)
        found[..., counted] = shares / shares.sum(axis=-1, keepdims=True)
        return found

    def _shares(self, scores: Floats, tasks: Sequence[Task]) -> tuple[Floats, Floats]:
        counted = scores[..., [task.priority > 0 for task in tasks]]
        low = counted.min(axis=-1)
        return low, np.exp(-np.minimum((counted - low[..., None]) / self.softness, 700.0))


@dataclass(frozen=True)
class Targets(Objective):
    """How far the scores stay below targets: -sum_i max(target_i - score_i, 0), and a little of the mean score.

    Args:
        targets: wanted score by task name.
        mean: part of the mean score that counts once the targets are reached, not negative.
    """

    targets: Mapping[str, float]
    mean: float = 0.05

    def __post_init__(self) -> None:
        if not self.targets:
            raise ValueError("`targets` must name at least one task, got none.")
        for name, value in self.targets.items():
            check_number(f"targets[{name!r}]", value)
        check_number("mean", self.mean, low=0.0)

    def value(self, scores: Floats, tasks: Sequence[Task]) -> Floats:
        """Minus what is missing, plus the part of the mean."""
        missing = np.maximum(self._wanted(tasks) - scores, 0.0).sum(axis=-1)
        return self.mean * MeanScore().value(scores, tasks) - missing

    def gradient(self, scores: Floats, tasks: Sequence[Task]) -> Floats:
        """1 for tasks below their target, and the part of the mean."""
        return (scores < self._wanted(tasks)) + self.mean * MeanScore().gradient(scores, tasks)

    def _wanted(self, tasks: Sequence[Task]) -> Floats:
        names = [task.name for task in tasks]
        check_names("targets", list(self.targets), names)
        return np.array([self.targets.get(name, -np.inf) for name in names])


@dataclass(frozen=True)
class OwnObjective(Objective):
    """A user's function of the scores.

    Args:
        function: from scores of shape (..., n_tasks) to values of shape (...).
    """

    function: Callable[[Floats], Floats]

    def value(self, scores: Floats, tasks: Sequence[Task]) -> Floats:
        """What the function says."""
        found = np.asarray(self.function(scores), dtype=np.float64)
        if found.shape != scores.shape[:-1]:
            raise ValueError(
                f"the objective must turn scores of shape {scores.shape} into values of shape {scores.shape[:-1]}, "
                f"got {found.shape}."
            )
        if np.isnan(found).any():
            raise ValueError("the objective must be a number for all finite scores, got NaN.")
        return found
