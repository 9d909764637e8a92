"""Exponential weights that share a little with all tasks, so as to follow a best task that changes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Floats, Ints, Task
from ._base import Policy
from ._choice import explore, mask_of, normalised
from ._exp3 import TINY, check_horizon, doubled, horizons, rate


@dataclass(kw_only=True)
class Exp3S(Policy):
    """Decides by shared exponential weights: p_i = (1 - gamma) * w_i / sum_j w_j + gamma / K.

    w_i <- w_i * exp(gamma * x_i / K) + (e * alpha / K) * sum_j w_j, where x_i = r / p_i for the task drawn and 0 for
    the others. From a horizon T with so many switches of the best task, alpha = 1 / T and
    gamma = min(1, sqrt(K (switches * ln(K T) + e) / ((e - 1) T))); without one, T is the first power of two above the
    rewards so far. Weights are kept with 1 as their sum, and none falls below its share, so runs of any length
    are safe.

    Expects rewards in [0, 1] and clips others into it, so rescale them first. It fails in short runs: with T below some
    hundred decisions per task gamma is so large that it is close to uniform.

    Args:
        gamma: learning rate and share of uniform exploration, in (0, 1]; None derives it from the horizon.
        alpha: weight shared at every reward, in (0, 1]; None gives 1 / T.
        switches: how often the best task is expected to change, at least 0.
        horizon: number of decisions T, at least 1; None doubles.

    Raises:
        TypeError: `horizon` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> policy = Exp3S(gamma=0.2, alpha=0.01)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([1.0]))
    >>> policy.probabilities(Context.start(2)).round(4)  # w = 1 + 0.01 e, e^0.2 + 0.01 e
    array([[0.4611, 0.5389]])
    """

    name = "exp3s"
    usual_signal = "windowed_quantiles(signal=prediction_gain, range='unit')"
    family = "bandit"
    needs = frozenset({"reward"})
    source = "Auer, Cesa-Bianchi, Freund and Schapire 2002, doi 10.1137/S0097539701398375, section 8, corollary 8.3"

    gamma: float | None = None
    alpha: float | None = None
    switches: float = 3.0
    horizon: int | None = None

    def __post_init__(self) -> None:
        if self.gamma is not None:
            check_number("gamma", self.gamma, low=0.0, high=1.0, low_open=True)
        if self.alpha is not None:
            check_number("alpha", self.alpha, low=0.0, high=1.0, low_open=True)
        check_number("switches", self.switches, low=0.0)
        check_horizon(self.horizon)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Without a horizon, with one, and with given rates."""
        yield cls()
        yield cls(horizon=1_000, switches=1.0)
        yield cls(gamma=0.1, alpha=0.001)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Equal weights."""
        self.tasks_ = tuple(tasks)
        self.weights_ = np.full((n_runs, len(tasks)), 1.0 / len(tasks))
        self.steps_ = np.zeros(n_runs, dtype=np.int64)
        self._set_rates()

    def _set_rates(self) -> None:
        n_tasks, horizon = self.weights_.shape[1], horizons(self.horizon, self.steps_)
        spread = n_tasks * (self.switches * np.log(n_tasks * horizon) + math.e) / (math.e - 1.0)
        self.gamma_ = rate(np.minimum(1.0, np.sqrt(spread / horizon))) if self.gamma is None else self.gamma
        self.alpha_ = 1.0 / horizon if self.alpha is None else self.alpha

    def probabilities(self, context: Context) -> Floats:
        """The weights, mixed with gamma of uniform, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        shares = self.weights_ if mask is None else normalised(np.where(mask, self.weights_, 0.0))
        return explore(shares, self.gamma_, mask)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Raise the weight of the task drawn, then give every task its share of all weights before."""
        n_runs, n_tasks = probabilities.shape
        at = np.arange(n_runs) * n_tasks + chosen  # into flat arrays, several times faster than pairs of indices
        gains = np.minimum(np.maximum(reward, 0.0), 1.0) / np.maximum(probabilities.ravel().take(at), TINY)
        # At most 1 for own decisions; for a foreign one of tiny propensity the exponential must not overflow.
        exponent = np.minimum(np.ravel(self.gamma_) * gains / n_tasks, 700.0)
        weights = self.weights_ + math.e * self.alpha_ / n_tasks
        weights.ravel()[at] += self.weights_.ravel().take(at) * np.expm1(exponent)
        weights *= (1.0 / np.einsum("ij->i", weights))[:, None]
        self.weights_ = weights
        self.steps_ += 1
        if self.horizon is None and doubled(self.steps_):
            self._set_rates()
