"""FAMO: let every loss fall at the same relative speed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import adam, completed, held_out, mixed, newest, normalised, softmax


@dataclass(kw_only=True)
class Famo(Policy):
    """Decides for the task whose loss falls slowest in relative terms.

    With D_i = L_i - low + 1e-8, z = softmax(w) and d_i = log D_i(before) - log D_i(after), each evaluation is one Adam
    step on w along the gradient z_i (d_i - sum_j z_j d_j) plus weight decay. FAMO descends
    c sum_i z_i log D_i with c = 1 / sum_i (z_i / D_i), so that the gradient of task i has the weight c z_i / D_i: this
    is what tasks are drawn from here, with exploration mixed in.

    FAMO compares the losses of one batch before and after one step; here they are those of two evaluations,
    `evaluation.loss`. A task that was not measured keeps its last loss. It fails where a loss nears `low`: its task
    then takes almost everything, and `by_loss=False`, which draws from z, is the safer choice.

    Args:
        rate: of Adam, above 0; 0.025 in the released code.
        decay: weight decay, not negative; 0.01 in the released code.
        low: smallest possible loss.
        by_loss: draw from z_i / D_i; else from z_i.
        exploration: share of equal probabilities mixed in, in [0, 1]; ours.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = Famo(exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> loss = np.array([[0.5, 1.5]])
    >>> policy.observe(Evaluation(step=0, scores=-loss, counts=np.zeros((1, 2), int), measured={"loss": loss}))
    >>> policy.probabilities(Context.start(2)).round(6)
    array([[0.75, 0.25]])
    """

    name = "famo"
    family = "mixing"
    needs = frozenset({"evaluation.loss"})
    source = (
        "Liu et al. 2023, arXiv 2306.03792, algorithm 1; constants as in its released code: Cranial-XIX/FAMO; drawing "
        "from the weights is ours"
    )

    rate: float = 0.025
    decay: float = 0.01
    low: float = 0.0
    by_loss: bool = True
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("rate", self.rate, low=0.0, low_open=True)
        check_number("decay", self.decay, low=0.0)
        check_number("low", self.low)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from equal weights."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.logits_ = np.zeros(shape)
        self.losses_ = np.full(shape, np.nan)
        self.first_ = np.zeros(shape)
        self.second_ = np.zeros(shape)
        self.steps_ = np.zeros((n_runs, 1))

    def probabilities(self, context: Context) -> Floats:
        """z_i / D_i divided by its sum, or z_i, shape (n_runs, n_tasks)."""
        weights = softmax(self.logits_)
        if self.by_loss:
            weights = normalised(weights / self._above(completed(self.losses_, default=1.0 + self.low)))
        return mixed(weights, self.exploration)

    def _above(self, losses: Floats) -> Floats:
        return np.maximum(losses - self.low, 0.0) + 1e-8

    def observe(self, evaluation: Evaluation) -> None:
        """One step on the relative decrease of every loss since the last evaluation."""
        before, after = self.losses_, newest(self.losses_, held_out(evaluation, "loss", self.name))
        known = np.isfinite(before)
        ratio = np.log(self._above(np.where(known, before, 1.0))) - np.log(self._above(np.where(known, after, 1.0)))
        self.losses_ = after
        delta = completed(np.where(known, ratio, np.nan))
        z = softmax(self.logits_)
        gradient = z * (delta - (z * delta).sum(axis=1, keepdims=True)) + self.decay * self.logits_
        ready = known.any(axis=1, keepdims=True)
        steps = self.steps_ + 1.0
        step, first, second = adam(gradient, self.first_, self.second_, steps, self.rate)
        self.logits_ = np.where(ready, self.logits_ - step, self.logits_)
        self.first_, self.second_ = np.where(ready, first, self.first_), np.where(ready, second, self.second_)
        self.steps_ = np.where(ready, steps, self.steps_)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Drawn from the weights of the gradients, and from z."""
        yield cls()
        yield cls(by_loss=False, rate=0.2)
