"""DoGE: follow the tasks whose gradients help the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import anchored, completed, held_out, mixed, newest, softmax


@dataclass(kw_only=True)
class DoGE(Policy):
    """Decides by gradient alignment: a_i <- a_i exp(lr clip(W_i, low, high) / mu), normalised.

    W_i = <g_i, sum_(j != i) g_j> / mean_j |g_j| is how far a step on task i lowers the losses of the others to first
    order. Where the targets are other tasks than those trained on, the sum runs over the targets. Each evaluation is
    one step; it has to measure

        evaluation.gradient_inner   <g_i, sum_(j != i) g_j> over all tasks j that count
        evaluation.gradient_norm    |g_i|^2

    on the parameters that the loop tracks, after its own clipping. A task that was not measured keeps its last values.
    The mixture that DoGE recommends is the mean over the run: `average`.

    It costs a gradient per task and evaluation, and it fails where the gradients are mostly noise: tasks then gain by
    their norm. Negative alignment counts as none with the default `low = 0`.

    Args:
        learning_rate: lr, above 0: that of the model in the released code.
        mu: temperature of the mirror step, above 0; 0.05 by default in the released code.
        low: smallest W_i that counts.
        high: largest W_i that counts.
        smoothing: share of equal probabilities mixed in, in [0, 1]; 0 in the released code.

    Raises:
        ValueError: a parameter is out of range, or `low` is above `high`.

    >>> policy = DoGE(learning_rate=1.0, mu=1.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0.5, 0.5]])
    """

    name = "doge"
    family = "mixing"
    needs = frozenset({"evaluation.gradient_inner", "evaluation.gradient_norm"})
    source = (
        "Fan et al. 2024, arXiv 2310.15393, algorithm 1 (text could not be checked), and from its released code: "
        "Olivia-fsm/DoGE src/trainer.py"
    )

    learning_rate: float = 5e-4
    mu: float = 0.05
    low: float = 0.0
    high: float = 5.0
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, low=0.0, low_open=True)
        check_number("mu", self.mu, low=0.0, low_open=True)
        check_number("high", self.high)
        check_number("low", self.low, high=self.high)
        check_number("smoothing", self.smoothing, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from equal weights."""
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        self.logits_ = np.zeros((n_runs, n))
        self.average_ = np.full((n_runs, n), 1.0 / n)
        self.inner_ = np.full((n_runs, n), np.nan)
        self.norms_ = np.full((n_runs, n), np.nan)
        self.steps_ = np.zeros(n_runs)

    def probabilities(self, context: Context) -> Floats:
        """The weights a, shape (n_runs, n_tasks)."""
        return mixed(softmax(self.logits_), self.smoothing)

    @property
    def average(self) -> Floats:
        """Mean of the weights after each step, shape (n_runs, n_tasks): the mixture for the main run."""
        return self.average_.copy()

    def observe(self, evaluation: Evaluation) -> None:
        """One mirror step."""
        self.inner_ = newest(self.inner_, held_out(evaluation, "gradient_inner", self.name))
        self.norms_ = newest(self.norms_, held_out(evaluation, "gradient_norm", self.name))
        norm = np.sqrt(np.maximum(completed(self.norms_), 0.0)).mean(axis=1, keepdims=True)
        scores = np.clip(completed(self.inner_) / (norm + 1e-6), self.low, self.high)
        weights = mixed(softmax(self.logits_ + self.learning_rate * scores / self.mu), self.smoothing)
        self.logits_ = anchored(np.log(np.maximum(weights, 1e-300)))
        self.steps_ += 1.0
        self.average_ = self.average_ + (weights - self.average_) / self.steps_[:, None]

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The released defaults, and faster with smoothing."""
        yield cls()
        yield cls(learning_rate=0.1, smoothing=0.05)
