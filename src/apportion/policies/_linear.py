"""The base of bandits that are linear in the features of tasks."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._check import check_integer, check_number
from ..records import Bools, Context, Floats, Ints, Task
from ._features import FEATURES, FeaturePolicy

LINEAR = (*FEATURES, "one")


@dataclass(kw_only=True)
class LinearPolicy(FeaturePolicy, ABC):
    """Keeps a discounted ridge regression of rewards, standardised by their running moments, on the features.

    A = ridge I + sum discount^age x x',  b = sum discount^age x r,  theta = A^-1 b, with x the features of the task
    drawn, as they were before its reward, and 1.

    Args:
        ridge: pseudo-observations that hold theta at 0, above 0.
        discount: of every past reward at every reward, in (0, 1].
        exploration: share of uniform exploration, in [0, 1].
        visits: how often each task is drawn at first, from 0.
    """

    ridge: float = 1.0
    discount: float = 0.995
    exploration: float = 0.05
    visits: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("ridge", self.ridge, low=0.0, low_open=True)
        check_number("discount", self.discount, low=0.0, high=1.0, low_open=True)
        check_number("exploration", self.exploration, low=0.0, high=1.0)
        check_integer("visits", self.visits, low=0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Nothing learned."""
        super().reset(tasks, n_runs)
        n = len(LINEAR)
        self.matrix_ = np.zeros((n_runs, n, n))
        self.vector_ = np.zeros((n_runs, n))
        self.mean_ = np.zeros(n_runs)

    def predictions(self, context: Context) -> tuple[Floats, Floats, Bools | None]:
        """Predicted reward of each task, divided by its price, its deviation x' A^-1 x, and who may be drawn."""
        available = context.available
        available = available | ~np.logical_or.reduce(available, axis=1, keepdims=True)
        inputs = self._inputs()
        inverse = np.linalg.inv(self.matrix_ + self.ridge * np.eye(inputs.shape[2]))
        theta = inverse @ self.vector_[:, :, None]
        spread = np.sqrt(np.maximum(np.add.reduce((inputs @ inverse) * inputs, axis=2), 1e-12))
        price = self.prices(context)
        return (inputs @ theta)[:, :, 0] / price, spread / price, None if available.all() else available

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Regress the reward on what was known before it, then take it in."""
        inputs = self._inputs()[np.arange(len(chosen)), chosen]
        self.note(chosen, reward)
        worth = reward * self.priority_[chosen]
        self.mean_ += (worth - self.mean_) / np.minimum(self.told_, 100)
        power = np.sqrt(self.power_)
        scaled = np.clip((worth - self.mean_) / np.where(power > 0.0, power, 1.0), -3.0, 3.0)
        self.matrix_ = self.discount * self.matrix_ + inputs[:, :, None] * inputs[:, None, :]
        self.vector_ = self.discount * self.vector_ + inputs * scaled[:, None]
        self.revalue()

    def _inputs(self) -> Floats:
        features = self.features()
        return np.concatenate([features, np.ones((*features.shape[:2], 1))], axis=2)
