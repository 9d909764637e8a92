"""Exponential weights of rewards divided by their propensities."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Floats, Ints, Task
from ._base import Policy
from ._choice import explore, mask_of, softmax
from ._exp3 import centred, check_horizon, doubled, horizons, rate, weighted


@dataclass(kw_only=True)
class Exp3(Policy):
    """Decides by exponential weights: p_i = (1 - gamma) * w_i / sum_j w_j + gamma / K.

    After the reward r of the task a drawn with probability p_a: w_a <- w_a * exp(gamma * r / (p_a * K)). Weights are
    kept as logarithms with 0 as the largest, so runs of any length neither overflow nor underflow. From a horizon T,
    gamma = min(1, sqrt(K ln K / ((e - 1) T))); without one T is the first power of two above the rewards so far.

    Expects rewards in [0, 1] and clips others into it, so rescale them first. Nothing is assumed about where rewards
    come from, but it competes with the best single task over the whole run: it forgets nothing, and when the best task
    changes it follows late or never. `exp3s` tracks changes.

    Args:
        gamma: learning rate and share of uniform exploration, in (0, 1]; None derives it from the horizon.
        horizon: number of decisions that gamma is made for, at least 1; None doubles.

    Raises:
        TypeError: `horizon` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> policy = Exp3(gamma=0.2)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([1.0]))
    >>> policy.probabilities(Context.start(2)).round(4)  # w = 1, e^0.2
    array([[0.4601, 0.5399]])
    """

    name = "exp3"
    usual_signal = "windowed_quantiles(signal=prediction_gain, range='unit')"
    family = "bandit"
    needs = frozenset({"reward"})
    source = "Auer, Cesa-Bianchi, Freund and Schapire 2002, doi 10.1137/S0097539701398375, figure 1 and corollary 3.2"

    gamma: float | None = None
    horizon: int | None = None

    def __post_init__(self) -> None:
        if self.gamma is not None:
            check_number("gamma", self.gamma, low=0.0, high=1.0, low_open=True)
        check_horizon(self.horizon)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Without a horizon, with one, and with a given gamma."""
        yield cls()
        yield cls(horizon=1_000)
        yield cls(gamma=0.1)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Equal weights."""
        self.tasks_ = tuple(tasks)
        self.log_weights_ = np.zeros((n_runs, len(tasks)))
        self.steps_ = np.zeros(n_runs, dtype=np.int64)
        self.gamma_ = self._gamma()

    def _gamma(self) -> float | Floats:
        if self.gamma is not None:
            return self.gamma
        horizon, n_tasks = horizons(self.horizon, self.steps_), self.log_weights_.shape[1]
        return rate(np.minimum(1.0, np.sqrt(n_tasks * math.log(n_tasks) / ((math.e - 1.0) * horizon))))

    def probabilities(self, context: Context) -> Floats:
        """Softmax of the log-weights, mixed with gamma of uniform, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        return explore(softmax(self.log_weights_, mask), self.gamma_, mask)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Raise the weight of the task drawn by its reward, clipped to [0, 1], over its propensity."""
        gains = weighted(chosen, probabilities, reward, 0.0, 1.0)
        self.log_weights_ = centred(self.log_weights_ + self.gamma_ * gains / gains.shape[1])
        self.steps_ += 1
        if self.horizon is None and doubled(self.steps_):
            self.gamma_ = self._gamma()
