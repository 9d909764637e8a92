"""The base of policies that follow the success rate of each task."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._check import check_number
from ..records import Bools, Evaluation, Floats, Ints, Task
from ._progress import Fed, Feed

SURE = 0.75
"""A task that succeeds more often than this before training counts as if it did so this often."""


@dataclass(kw_only=True)
class SuccessPolicy(Fed, ABC):
    """Keeps a success rate in [0, 1] of each task, from evaluation scores or from rewards; others are clipped into it.

    Args:
        feed: `evaluations` or `reward`.
        above_chance: count success from each task's first rate b, at most 0.75: (s - b) / (1 - b), not below 0.
        exploration: share of uniform exploration, in [0, 1].
    """

    feed: Feed = "evaluations"
    above_chance: bool = False
    exploration: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No success seen yet."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.known_ = np.zeros(shape, dtype=np.bool_)
        self.chance_ = np.zeros(shape)

    @abstractmethod
    def learn(self, success: Floats, above: Floats, seen: Bools) -> None:
        """Take in success rates, and what of them counts; `known_` still tells who was seen before.

        Args:
            success: in [0, 1], shape (n_runs, n_tasks).
            above: success above chance if that is asked for, else the same, shape (n_runs, n_tasks).
            seen: tasks whose rate was measured now, shape (n_runs, n_tasks).
        """

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Take the reward as the success rate of the task drawn, if fed by rewards."""
        if self.feed == "reward":
            seen = np.zeros(self.known_.shape, dtype=np.bool_)
            seen[np.arange(len(chosen)), chosen] = True
            self._take(np.where(seen, reward[:, None], 0.0), seen)

    def observe(self, evaluation: Evaluation) -> None:
        """Take the scores as success rates, if fed by evaluations."""
        if self.feed == "evaluations":
            seen = np.isfinite(evaluation.scores)
            self._take(np.where(seen, evaluation.scores, 0.0), seen)

    def _take(self, success: Floats, seen: Bools) -> None:
        success = np.clip(success, 0.0, 1.0)
        above = success
        if self.above_chance:
            self.chance_ = np.where(seen & ~self.known_, np.minimum(success, SURE), self.chance_)
            above = np.maximum(success - self.chance_, 0.0) / (1.0 - self.chance_)
        self.learn(success, above, seen)
        self.known_ = self.known_ | seen
