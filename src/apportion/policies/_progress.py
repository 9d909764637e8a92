"""The base of policies that follow the learning progress of each task."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .._check import check_choice, check_number
from ..records import Bools, Context, Evaluation, Floats, Ints, Task
from ._base import Policy
from ._choice import explore, greedy, mask_of, softmax

Feed = Literal["reward", "evaluations"]


@dataclass(kw_only=True)
class Fed(Policy, ABC):
    """Learns either from rewards, of the task drawn, or from held-out evaluations, of all tasks at once.

    Args:
        feed: `reward` or `evaluations`.
    """

    family = "learning-progress"
    needs = frozenset({"reward"})

    feed: Feed = "reward"

    def __post_init__(self) -> None:
        check_choice("feed", self.feed, ("reward", "evaluations"))

    @property
    def requires(self) -> frozenset[str]:
        """Rewards or evaluations, as `feed` says."""
        return frozenset({self.feed})


@dataclass(kw_only=True)
class ProgressPolicy(Fed, ABC):
    """Follows Q, each task's progress, by epsilon-greedy or Boltzmann choice.

    A reward counts as the change of the drawn task's score since it was last seen, as `loss_decrease` and
    `prediction_gain` give it. An evaluation gives the change of every task's score since its last evaluation; the first
    one only sets the mark.

    Args:
        feed: `reward` or `evaluations`.
        absolute: follow |Q|, so that forgotten tasks come back; False follows Q.
        exploration: share of uniform exploration, in [0, 1].
        temperature: above 0, of softmax(Q / temperature); None takes the largest, ties split.
    """

    absolute: bool = True
    exploration: float = 0.1
    temperature: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("exploration", self.exploration, low=0.0, high=1.0)
        if self.temperature is not None:
            check_number("temperature", self.temperature, low=0.0, low_open=True)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No progress seen yet."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.steps_ = np.zeros(n_runs, dtype=np.int64)
        self.scores_ = np.full(shape, np.nan)

    @abstractmethod
    def progress(self) -> Floats:
        """Q: how fast the score of each task changes, shape (n_runs, n_tasks)."""

    @abstractmethod
    def learn(self, change: Floats, seen: Bools) -> None:
        """Take in what happened since the last time.

        Args:
            change: of the scores, 0 where not seen, shape (n_runs, n_tasks).
            seen: tasks with a change to learn from, shape (n_runs, n_tasks).
        """

    def probabilities(self, context: Context) -> Floats:
        """Epsilon-greedy or Boltzmann in Q or |Q|, shape (n_runs, n_tasks)."""
        values = self.progress()
        if self.absolute:
            values = np.abs(values)
        mask = mask_of(context)
        shares = greedy(values, mask) if self.temperature is None else softmax(values / self.temperature, mask)
        return explore(shares, self.exploration, mask)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Learn the change that the reward reports for the task drawn, unless fed by evaluations."""
        if self.feed == "reward":
            seen = np.zeros(self.scores_.shape, dtype=np.bool_)
            seen[np.arange(len(chosen)), chosen] = True
            self.learn(np.where(seen, reward[:, None], 0.0), seen)
            self.steps_ += 1

    def observe(self, evaluation: Evaluation) -> None:
        """Learn the changes of all scores since their last evaluation, if fed by evaluations."""
        if self.feed == "evaluations":
            measured = np.isfinite(evaluation.scores)
            seen = measured & np.isfinite(self.scores_)
            change = np.where(seen, evaluation.scores, 0.0) - np.where(seen, self.scores_, 0.0)
            self.scores_ = np.where(measured, evaluation.scores, self.scores_)
            self.learn(change, seen)
            self.steps_ += 1
