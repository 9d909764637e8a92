"""CoBa, the convergence balancer: weigh tasks by the slopes of their held-out losses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_integer, check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import held_out, mixed, softmax

MEMORY = 1000  # slopes of the worst task that the divergence factor looks back over


@dataclass(kw_only=True)
class CoBa(Policy):
    """Decides by convergence: slowly converging tasks gain, and as soon as the worst diverges, diverging ones lose.

    a_i is the least-squares slope of the held-out loss of task i, divided by its first value, over the last `history`
    evaluations, and a_max that of the largest of these ratios. With K tasks and N slopes so far

        RCS_i = softmax_i(K a_i / sum_j |a_j|)                       slow convergence counts
        ACS_i = softmax_i(-N a_i / sum_t |a_i(t)|)                   steep descent by its own past counts
        DF    = N [softmax_t(-tau N a_max(t) / sum_t |a_max(t)|)] at the last t
        code:   w = softmax(K (DF RCS + (1 - DF) ACS)), then 0.9 w + 1/(10 K) if any w is below 1/(10 K)
        paper:  w = DF RCS + (1 - DF) ACS with DF at most 1 (from memory)

    Weights are equal for the first `warmup` evaluations. CoBa weighs losses by w; here w is what tasks are drawn from,
    and `loss_weights` gives w K, with mean 1, to multiply losses with while another policy draws. The first evaluation
    gives the values to divide by and is no point of the slopes. Slopes use the evaluations in which a task was
    measured. DF looks back over at most the last 1000 evaluations; the code over all.

    The released defaults are 100 and 200 for one validation batch per step; ours are for fewer, larger evaluations. It
    fails where noise outweighs the slope over a window.

    Args:
        warmup: evaluations with equal weights, at least 2.
        history: evaluations in a window, at least `warmup`; 2 to 5 times it is advised.
        tau: sharpness of the divergence factor, above 0.
        variant: `code` or `paper`.
        exploration: share of equal probabilities mixed in, in [0, 1]; ours.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = CoBa()
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.loss_weights
    array([[1., 1.]])
    """

    name = "coba"
    family = "mixing"
    needs = frozenset({"evaluation.loss"})
    source = (
        "Gong et al. 2024, arXiv 2410.06741 (paper form from memory, could not be checked), and its released code: "
        "codefuse-ai/MFTCoder mftcoder_accelerate/src/utils/loss_utils.py; drawing from the weights is ours"
    )
    complexity = "O(history K) per evaluation, O(K) per decision"

    warmup: int = 10
    history: int = 20
    tau: float = 5.0
    variant: Literal["code", "paper"] = "code"
    exploration: float = 0.0

    def __post_init__(self) -> None:
        check_integer("warmup", self.warmup, low=2)
        check_integer("history", self.history, low=self.warmup)
        check_number("tau", self.tau, low=0.0, low_open=True)
        check_choice("variant", self.variant, ("code", "paper"))
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from equal weights, without losses."""
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        self.weights_ = np.full((n_runs, n), 1.0 / n)
        self.first_ = np.full((n_runs, n), np.nan)
        self.ratios_ = np.full((n_runs, self.history, n), np.nan)
        self.slopes_ = np.full((n_runs, self.history - self.warmup + 1, n), np.nan)
        self.worst_ = np.full((n_runs, MEMORY), np.nan)
        self.evaluations_ = np.full(n_runs, -1, dtype=np.int64)

    def probabilities(self, context: Context) -> Floats:
        """The weights w with the exploration mixed in, shape (n_runs, n_tasks)."""
        return mixed(self.weights_, self.exploration)

    @property
    def loss_weights(self) -> Floats:
        """Factors w K for the losses of the tasks, mean 1, shape (n_runs, n_tasks)."""
        return self.weights_ * self.weights_.shape[1]

    def observe(self, evaluation: Evaluation) -> None:
        """Add the losses to the window and weigh anew."""
        losses = held_out(evaluation, "loss", self.name)
        began = np.isfinite(self.first_)
        self.first_ = np.where(began, self.first_, losses)
        ratios = np.where(began, losses / np.maximum(np.abs(np.where(began, self.first_, 1.0)), 1e-12), np.nan)
        self.evaluations_ += 1
        inside = (self.evaluations_ > 0)[:, None, None]
        moved = np.concatenate((self.ratios_[:, 1:], ratios[:, None]), axis=1)
        self.ratios_ = np.where(inside, moved, self.ratios_)
        ready = self.evaluations_ >= self.warmup
        if ready.any():
            self._weigh(ready[:, None])

    def _weigh(self, ready: np.ndarray) -> None:
        n = self.weights_.shape[1]
        slopes = _slopes(self.ratios_)
        known = np.isfinite(self.ratios_)
        largest = np.where(known, self.ratios_, -np.inf).max(axis=2)
        worst = _slopes(np.where(known.any(axis=2), largest, np.nan)[:, :, None])
        moved = np.concatenate((self.slopes_[:, 1:], slopes[:, None]), axis=1)
        self.slopes_ = np.where(ready[:, :, None], moved, self.slopes_)
        self.worst_ = np.where(ready, np.concatenate((self.worst_[:, 1:], worst), axis=1), self.worst_)
        past = np.isfinite(self.slopes_)
        count = past.any(axis=2).sum(axis=1)[:, None]
        relative = softmax(n * slopes / _positive(np.abs(slopes).sum(axis=1, keepdims=True)))
        own = _positive(np.where(past, np.abs(self.slopes_), 0.0).sum(axis=1))
        absolute = softmax(-count * slopes / own)
        ever = np.isfinite(self.worst_)
        total = _positive(np.where(ever, np.abs(self.worst_), 0.0).sum(axis=1, keepdims=True))
        times = ever.sum(axis=1, keepdims=True)
        rising = np.where(ever, -self.tau * times * np.where(ever, self.worst_, 0.0) / total, -np.inf)
        rising[:, -1] = np.where(ever[:, -1], rising[:, -1], 0.0)  # runs that are not ready: any finite number will do
        factor = times * softmax(rising)[:, -1:]
        if self.variant == "paper":
            factor = np.minimum(factor, 1.0)
            weights = factor * relative + (1.0 - factor) * absolute
        else:
            weights = softmax(n * (factor * relative + (1.0 - factor) * absolute))
            low = (weights < 0.1 / n).any(axis=1, keepdims=True)
            weights = np.where(low, 0.9 * weights + 0.1 / n, weights)
        self.weights_ = np.where(ready, weights, self.weights_)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Short windows, as in the code and as in the paper."""
        yield cls(warmup=2, history=4)
        yield cls(warmup=2, history=4, variant="paper", exploration=0.05)


def _positive(values: Floats) -> Floats:
    """The values, or 1 where they are 0: slopes that never moved divide into 0."""
    return np.where(values > 0.0, values, 1.0)


def _slopes(values: Floats) -> Floats:
    """Least-squares slopes over the second axis, 0 where fewer than two values are known, shape (n_runs, n_tasks)."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    place = np.where(known, np.arange(values.shape[1])[None, :, None], 0.0)
    level = np.where(known, values, 0.0)
    place = np.where(known, place - place.sum(axis=1, keepdims=True) / count, 0.0)
    level = np.where(known, level - level.sum(axis=1, keepdims=True) / count, 0.0)
    return (place * level).sum(axis=1) / _positive((place**2).sum(axis=1))
