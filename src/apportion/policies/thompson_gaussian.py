"""Every task as likely as it is to be the best, by a normal posterior that forgets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Floats, Ints, Task
from ._base import Policy
from ._choice import explore, mask_of
from ._quadrature import normal_argmax, normal_nodes


@dataclass(kw_only=True)
class ThompsonGaussian(Policy):
    """Decides with the probability that a task has the largest mean reward, under a discounted normal posterior.

    With N_a, mean_a the discounted number and mean of rewards of a, and S the discounted squares around the means,
    summed over tasks: mu_a = (prior_count * prior_mean + N_a mean_a) / (prior_count + N_a),
    variance = (prior_deviation^2 + S) / (1 + sum N), theta_a ~ N(mu_a, variance / (prior_count + N_a)), and
    p = (1 - exploration) * P(theta_a is the largest) + exploration / K. P comes from quadrature, not from draws, with
    an error below 1e-6.

    Assumes one noise level for all tasks. Rewards may have any range, but the prior has one: rescale them to about
    [-1, 1]; far smaller ones never outweigh the prior deviation and leave it near uniform.

    Args:
        discount: of every past reward at every reward, in (0, 1); 0.98 remembers about 50. The quadrature takes
            a time that grows as 1 / sqrt(1 - discount).
        prior_mean: mean reward of a task before it was tried.
        prior_count: rewards that the prior is worth, above 0.
        prior_deviation: standard deviation of a reward before any came, above 0.
        exploration: share of uniform exploration, in [0, 1]; it bounds propensities from below.

    Raises:
        ValueError: a parameter is out of its range.

    >>> policy = ThompsonGaussian(exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([1.0]))
    >>> policy.probabilities(Context.start(2)).round(4)  # N(0, 1/2) against N(1/2, 1/4)
    array([[0.2819, 0.7181]])
    """

    name = "thompson_gaussian"
    usual_signal = "windowed_quantiles(signal=prediction_gain)"
    family = "bandit"
    needs = frozenset({"reward"})
    source = (
        "Thompson 1933, doi 10.1093/biomet/25.3-4.285, with the discount of Garivier and Moulines 2011, "
        "arXiv 0805.3415; no single source"
    )
    complexity = "O(K / sqrt(1 - discount)), quadrature at about 110 points by default: about 0.1 ms at K = 9"

    discount: float = 0.98
    prior_mean: float = 0.0
    prior_count: float = 1.0
    prior_deviation: float = 1.0
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("discount", self.discount, low=0.0, high=1.0, low_open=True, high_open=True)
        check_number("prior_mean", self.prior_mean)
        check_number("prior_count", self.prior_count, low=0.0, low_open=True)
        check_number("prior_deviation", self.prior_deviation, low=0.0, low_open=True)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, and a hopeful prior with a longer memory."""
        yield cls()
        yield cls(discount=0.99, prior_mean=0.5, prior_count=0.5, prior_deviation=0.5)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Only the prior."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.counts_ = np.zeros(shape)
        self.means_ = np.zeros(shape)
        self.squares_ = np.zeros(shape)

    def posterior(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each task's mean reward, both of shape (n_runs, n_tasks)."""
        weight = self.counts_ + self.prior_count
        mean = (self.counts_ * self.means_ + self.prior_count * self.prior_mean) / weight
        squares = np.add.reduce(self.squares_, axis=1, keepdims=True)
        total = np.add.reduce(self.counts_, axis=1, keepdims=True)
        return mean, np.sqrt((self.prior_deviation**2 + squares) / ((1.0 + total) * weight))

    def probabilities(self, context: Context) -> Floats:
        """How likely each task has the largest mean reward, mixed with uniform, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        nodes = normal_nodes(sqrt(1.0 + 1.0 / (self.prior_count * (1.0 - self.discount))))
        return explore(normal_argmax(*self.posterior(), mask, nodes), self.exploration, mask)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Discount everything once, then count the reward of the task drawn."""
        at = (np.arange(len(chosen)), chosen)
        self.counts_ *= self.discount
        self.squares_ *= self.discount
        count = self.counts_[at] + 1.0
        change = reward - self.means_[at]
        mean = self.means_[at] + change / count
        self.squares_[at] += change * (reward - mean)
        self.counts_[at], self.means_[at] = count, mean
