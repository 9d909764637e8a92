"""PiKE: follow large gradients, shun noisy ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import anchored, completed, held_out, mixed, newest, softmax


@dataclass(kw_only=True)
class Pike(Policy):
    """Decides by signal and noise of the gradients: w_i <- w_i exp(z1 |g_i|^2 - z2 s_i^2 / (2 b)), p = w / sum w.

    |g_i|^2 is the squared norm of the gradient of task i, s_i^2 the variance of its stochastic gradient and b the batch
    size: a step on task i lowers the mean loss by about the first and raises it by about the second, while gradients
    hardly conflict. Each evaluation is one step; it has to measure `evaluation.gradient_norm` (|g_i|^2) and
    `evaluation.gradient_variance` (s_i^2). A task that was not measured keeps its last values.

    The abstract was read; the formula is from memory and could not be checked, no code was found, and the defaults are
    ours: z1 and z2 have to fit the scale of the gradients. It fails where gradients of tasks conflict, and where one
    task's loss has larger units than another's.

    Args:
        norm_rate: z1, not negative.
        variance_rate: z2, not negative.
        batch_size: b, above 0.
        exploration: share of equal probabilities mixed in, in [0, 1]; ours.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = Pike(norm_rate=1.0, exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0.5, 0.5]])
    """

    name = "pike"
    family = "mixing"
    needs = frozenset({"evaluation.gradient_norm", "evaluation.gradient_variance"})
    source = "Li et al. 2025, arXiv 2502.06244 (abstract read; formula from memory, could not be checked)"

    norm_rate: float = 0.01
    variance_rate: float = 0.01
    batch_size: float = 32.0
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("norm_rate", self.norm_rate, low=0.0)
        check_number("variance_rate", self.variance_rate, low=0.0)
        check_number("batch_size", self.batch_size, low=0.0, low_open=True)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from equal weights."""
        self.tasks_ = tuple(tasks)
        self.logits_ = np.zeros((n_runs, len(tasks)))
        self.norms_ = np.full((n_runs, len(tasks)), np.nan)
        self.variances_ = np.full((n_runs, len(tasks)), np.nan)

    def probabilities(self, context: Context) -> Floats:
        """The weights over their sum, with the exploration mixed in, shape (n_runs, n_tasks)."""
        return mixed(softmax(self.logits_), self.exploration)

    def observe(self, evaluation: Evaluation) -> None:
        """One multiplicative step."""
        self.norms_ = newest(self.norms_, held_out(evaluation, "gradient_norm", self.name))
        self.variances_ = newest(self.variances_, held_out(evaluation, "gradient_variance", self.name))
        gain = self.norm_rate * completed(self.norms_)
        harm = self.variance_rate * completed(self.variances_) / (2.0 * self.batch_size)
        self.logits_ = anchored(self.logits_ + gain - harm)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The defaults, and faster without exploration."""
        yield cls()
        yield cls(norm_rate=0.5, variance_rate=5.0, exploration=0.0)
