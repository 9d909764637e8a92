"""The EXP3.S of automated curriculum learning."""

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
class Exp3SGraves(Policy):
    """Decides by p = (1 - epsilon) * softmax(w) + epsilon / K, with log-weights w that share and forget.

    w_i <- log[(1 - alpha) exp(w_i + g_i) + alpha / (K - 1) * sum over j != i of exp(w_j + g_j)], where
    g_i = eta * (r * [i was drawn] + beta) / p_i and rewards lie in [-1, 1]; others are clipped into it.

    The published eta = 0.001 and alpha = 1 / t (`Exp3SGraves.graves2017()`) are for 10^5 decisions and more: in a
    thousand they stay near uniform, and sharing dies out, so that late changes are missed. The defaults are ours: a
    constant alpha, which remembers about 1 / alpha decisions, and eta = 2 sqrt(ln K / (K min(T, 1 / alpha))). Without a
    horizon, T is the first power of two above the rewards so far. The order of eta is that of the EXP3 bound; the
    factor was chosen on simulated bandits that switch. It fails where rewards of a task are mostly noise, for a rare
    draw multiplies its reward by up to K / epsilon.

    Args:
        eta: learning rate, above 0; None derives it from the horizon and the share.
        share: alpha, in [0, 1]; None gives 1 / t.
        beta: bonus of every task over its probability, at least 0.
        exploration: epsilon, in (0, 1].
        horizon: number of decisions T, at least 1; None doubles.

    Raises:
        TypeError: `horizon` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> policy = Exp3SGraves(eta=0.1, share=0.0, exploration=0.1)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([1.0]))
    >>> policy.probabilities(Context.start(2)).round(4)  # w = 0, 0.2
    array([[0.4551, 0.5449]])
    """

    name = "exp3s_graves"
    usual_signal = "reservoir_quantiles(signal=prediction_gain)"
    family = "bandit"
    needs = frozenset({"reward"})
    source = "Graves et al. 2017, arXiv 1704.03003, section 3.1 (constants from memory, not checked)"

    eta: float | None = None
    share: float | None = 0.01
    beta: float = 0.0
    exploration: float = 0.05
    horizon: int | None = None

    def __post_init__(self) -> None:
        if self.eta is not None:
            check_number("eta", self.eta, low=0.0, low_open=True)
        if self.share is not None:
            check_number("share", self.share, low=0.0, high=1.0)
        check_number("beta", self.beta, low=0.0)
        check_number("exploration", self.exploration, low=0.0, high=1.0, low_open=True)
        check_horizon(self.horizon)

    @classmethod
    def graves2017(cls) -> Self:
        """The published settings: eta 0.001, alpha 1 / t, beta 0, epsilon 0.05 (from memory, not checked)."""
        return cls(eta=1e-3, share=None, beta=0.0, exploration=0.05)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, the published settings, and a run of known length."""
        yield cls()
        yield cls.graves2017()
        yield cls(horizon=1_000, beta=0.01)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Equal weights."""
        self.tasks_ = tuple(tasks)
        self.log_weights_ = np.zeros((n_runs, len(tasks)))
        self.steps_ = np.zeros(n_runs, dtype=np.int64)
        self.eta_ = self._eta()

    def _eta(self) -> float | Floats:
        if self.eta is not None:
            return self.eta
        memory, n_tasks = horizons(self.horizon, self.steps_), self.log_weights_.shape[1]
        if self.share:
            memory = np.minimum(memory, 1.0 / self.share)
        return rate(2.0 * np.sqrt(math.log(n_tasks) / (n_tasks * memory)))

    def probabilities(self, context: Context) -> Floats:
        """Softmax of the log-weights, mixed with epsilon of uniform, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        return explore(softmax(self.log_weights_, mask), self.exploration, mask)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Raise the weight of the task drawn, then share the weights among all tasks."""
        n_tasks = probabilities.shape[1]
        gains = weighted(chosen, probabilities, reward, -1.0, 1.0)
        if self.beta:
            gains += self.beta / np.maximum(probabilities, self.exploration / n_tasks)
        raised = centred(self.log_weights_ + self.eta_ * gains)
        if n_tasks > 1 and self.share != 0.0:
            share = 1.0 / (self.steps_ + 1)[:, None] if self.share is None else self.share
            weights = np.exp(raised)
            others = weights.sum(axis=1, keepdims=True) - weights
            shared = (1.0 - share) * weights + share / (n_tasks - 1) * others
            raised = centred(np.log(np.maximum(shared, 1e-300)))  # only ratios below 1e-300 are lost
        self.log_weights_ = raised
        self.steps_ += 1
        if self.horizon is None and doubled(self.steps_):
            self.eta_ = self._eta()
