"""Every task as likely as it is to help most often, by a Beta posterior that forgets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Floats, Ints, Task
from ._base import Policy
from ._choice import explore, mask_of
from ._quadrature import beta_argmax, beta_nodes


@dataclass(kw_only=True)
class ThompsonBeta(Policy):
    """Decides with the probability that a task helps most often, under a Beta posterior with forgetting (AutoSeM).

    At every reward, for all tasks: alpha <- (1 - forget) * alpha + forget * prior_alpha, and beta alike; then for the
    task drawn alpha += s and beta += 1 - s, where s = 1 if the reward is at least `threshold` and else 0. With
    theta_a ~ Beta(alpha_a, beta_a): p = (1 - exploration) * P(theta_a is the largest) + exploration / K. P comes from
    quadrature, not from draws, with an error below 1e-4.

    In the paper the reward says whether the primary task's validation metric did not fall, threshold 0. It fails when
    nearly all rewards, or nearly none, pass the threshold: then it sees no difference between tasks.

    Args:
        forget: gamma, in (0, 1]; memory is about 1 / forget rewards.
        threshold: reward from which a decision counts as a success; None takes the reward itself as s, clipped to
            [0, 1].
        prior_alpha: successes that the prior is worth, at least 0.1.
        prior_beta: failures that the prior is worth, at least 0.1.
        exploration: share of uniform exploration, in [0, 1]; the published rule has 0.

    Raises:
        ValueError: a parameter is out of its range.

    >>> policy = ThompsonBeta(exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([0.2]))
    >>> policy.probabilities(Context.start(2)).round(4)  # Beta(1, 1) against Beta(2, 1)
    array([[0.3333, 0.6667]])
    """

    name = "thompson_beta"
    usual_signal = "windowed_quantiles(signal=prediction_gain)"
    family = "bandit"
    needs = frozenset({"reward"})
    source = (
        "Guo, Pasunuru and Bansal 2019 (AutoSeM), arXiv 1904.04153; from its released code: HanGuo97/AutoSeM "
        "multitask/multitask_autoMR_model.py"
    )
    complexity = "O(K / sqrt(forget)), quadrature at about 70 points by default: about 0.1 ms at K = 9"

    forget: float = 0.3
    threshold: float | None = 0.0
    prior_alpha: float = 1.0
    prior_beta: float = 1.0
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("forget", self.forget, low=0.0, high=1.0, low_open=True)
        if self.threshold is not None:
            check_number("threshold", self.threshold)
        check_number("prior_alpha", self.prior_alpha, low=0.1)
        check_number("prior_beta", self.prior_beta, low=0.1)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The published settings with exploration, and one with graded rewards and a longer memory."""
        yield cls()
        yield cls(forget=0.05, threshold=None, prior_alpha=2.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Only the prior."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.alpha_ = np.full(shape, float(self.prior_alpha))
        self.beta_ = np.full(shape, float(self.prior_beta))

    def probabilities(self, context: Context) -> Floats:
        """How likely each task helps most often, mixed with uniform, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        least = min(self.prior_alpha, self.prior_beta)
        nodes = beta_nodes(least, self.prior_alpha + self.prior_beta + 1.0 / self.forget)
        return explore(beta_argmax(self.alpha_, self.beta_, mask, nodes), self.exploration, mask)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Forget a little of all tasks, then count the success or failure of the task drawn."""
        at = (np.arange(len(chosen)), chosen)
        if self.threshold is None:
            success = np.minimum(np.maximum(reward, 0.0), 1.0)
        else:
            success = (reward >= self.threshold).astype(np.float64)
        self.alpha_ += self.forget * (self.prior_alpha - self.alpha_)
        self.beta_ += self.forget * (self.prior_beta - self.beta_)
        self.alpha_[at] += success
        self.beta_[at] += 1.0 - success
