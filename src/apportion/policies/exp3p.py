"""Exponential weights with a bonus for rarely drawn tasks, for bounds that hold with high probability."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Floats, Ints, Task
from ._base import Policy
from ._choice import explore, mask_of, softmax
from ._exp3 import TINY, centred, check_horizon, doubled, horizons, rate, weighted


@dataclass(kw_only=True)
class Exp3P(Policy):
    """Decides by exponential weights of upper confidence bounds: p_i = (1 - gamma) * w_i / sum_j w_j + gamma / K.

    w_i <- w_i * exp(gamma / (3 K) * (x_i + alpha / (p_i sqrt(K T)))), where x_i = r / p_i for the task drawn and 0 for
    the others, alpha = 2 sqrt(ln(K T / delta)) and gamma = min(3/5, 2 sqrt(3 K ln K / (5 T))). The published equal
    starting weights cancel. Without a horizon, T is the first power of two above the rewards so far.

    Expects rewards in [0, 1] and clips others into it. The bonus of a decision made elsewhere divides by no less than
    gamma / K, the least that this policy gives. Like `exp3` it never forgets; the bonus costs exploration that pays in
    the worst case only.

    Args:
        gamma: learning rate and share of uniform exploration, in (0, 1]; None derives it from the horizon.
        delta: chance with which the bound may fail, in (0, 1).
        horizon: number of decisions T, at least 1; None doubles.

    Raises:
        TypeError: `horizon` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> policy = Exp3P(gamma=0.3, delta=0.1, horizon=100)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([1]), np.array([[0.2, 0.8]]), np.array([1.0]))
    >>> policy.probabilities(Context.start(2)).round(4)
    array([[0.5019, 0.4981]])
    """

    name = "exp3p"
    usual_signal = "windowed_quantiles(signal=prediction_gain, range='unit')"
    family = "bandit"
    needs = frozenset({"reward"})
    source = (
        "Auer, Cesa-Bianchi, Freund and Schapire 2002, doi 10.1137/S0097539701398375, section 6 "
        "(constants from memory, not checked)"
    )

    gamma: float | None = None
    delta: float = 0.05
    horizon: int | None = None

    def __post_init__(self) -> None:
        if self.gamma is not None:
            check_number("gamma", self.gamma, low=0.0, high=1.0, low_open=True)
        check_number("delta", self.delta, low=0.0, high=1.0, low_open=True, high_open=True)
        check_horizon(self.horizon)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Without a horizon, and with one."""
        yield cls()
        yield cls(horizon=1_000, delta=0.01)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Equal weights."""
        self.tasks_ = tuple(tasks)
        self.log_weights_ = np.zeros((n_runs, len(tasks)))
        self.steps_ = np.zeros(n_runs, dtype=np.int64)
        self._set_rates()

    def _set_rates(self) -> None:
        horizon, n_tasks = horizons(self.horizon, self.steps_), self.log_weights_.shape[1]
        self.gamma_ = rate(np.minimum(0.6, 2.0 * np.sqrt(0.6 * n_tasks * math.log(n_tasks) / horizon)))
        if self.gamma is not None:
            self.gamma_ = self.gamma
        self.bonus_ = rate(2.0 * np.sqrt(np.log(n_tasks * horizon / self.delta) / (n_tasks * horizon)))

    def probabilities(self, context: Context) -> Floats:
        """Softmax of the log-weights, mixed with gamma of uniform, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        return explore(softmax(self.log_weights_, mask), self.gamma_, mask)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Raise all weights by the bonus, and that of the task drawn by its reward over its propensity."""
        n_tasks = probabilities.shape[1]
        bonus = self.bonus_ / np.maximum(probabilities, np.maximum(self.gamma_ / n_tasks, TINY))
        gains = weighted(chosen, probabilities, reward, 0.0, 1.0)
        self.log_weights_ = centred(self.log_weights_ + self.gamma_ / (3.0 * n_tasks) * (gains + bonus))
        self.steps_ += 1
        if self.horizon is None and doubled(self.steps_):
            self._set_rates()
