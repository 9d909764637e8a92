"""Online data mixing: an EXP3 bandit that follows the loss."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_number
from ..records import Context, Evaluation, Floats, Ints, Task
from ._base import Policy
from ._mixing import completed, held_out, newest, softmax

VARIANTS = ("paper", "code", "code_softmax", "code_exp3", "code_validation")
UNSEEN = -1e300  # the logarithm of an estimate of 0, finite so that differences of two of them are 0


@dataclass(kw_only=True)
class Odm(Policy):
    """Decides by the training loss: tasks with a high loss are drawn more often.

    With e_t = min(1/K, sqrt(ln K / (K t))), e_0 = 1/K, the turn t = 1, 2, ... and the loss L of the task a drawn:

        p_i = (1 - K e_t) q_i + e_t

        paper            q = softmax(e_(t-1) R),  R_a <- s R_a + (1 - s) L / p_a
        code             q = R / sum R,           R_a <- s R_a + (1 - s) exp(L)
        code_softmax     q = softmax(e_(t-1) R),  R_a <- s R_a + (1 - s) exp(L)
        code_exp3        q = softmax(e_(t-1) R),  R_a <- R_a + L / (10 p_a)
        code_validation  q = softmax(e_(t-1) R),  R_i <- R_i + (V_i - min V) / (max V - min V), V held-out losses

    The repository calls `code` (`SmoothedMeanWeightUpdater.group_update`) the method of the paper; it divides by no
    propensity and is no softmax, so the two are different algorithms. In the code the number t of e_t is that of the
    last update, one less than in the paper; `code_validation` takes the step of the evaluation for it. The reward must
    be the loss: use the signal `loss`.

    It fails where a high loss is not one that can be learned: label noise draws all the probability. As e_(t-1) is also
    the inverse temperature, `paper` stays close to uniform for the first thousand steps.

    Args:
        variant: one of the five rules above.
        smoothing: s, in [0, 1).

    Raises:
        ValueError: `variant` is unknown, or `smoothing` outside [0, 1).

    >>> policy = Odm(variant="code")
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.requires
    frozenset({'reward'})
    """

    name = "odm"
    family = "mixing"
    needs = frozenset({"reward"})
    usual_signal = "loss"
    source = (
        "Albalak et al. 2023, arXiv 2312.02406, algorithm 1 (from memory; text could not be checked); code_*: from its "
        "released code: alon-albalak/online-data-mixing megatron/data/data_sampling_utils.py"
    )

    variant: Literal["paper", "code", "code_softmax", "code_exp3", "code_validation"] = "paper"
    smoothing: float = 0.9

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, VARIANTS)
        check_number("smoothing", self.smoothing, low=0.0, high=1.0, high_open=True)

    @property
    def requires(self) -> frozenset[str]:
        """The loss of the task drawn as reward, or the held-out losses of all tasks."""
        return frozenset({"evaluation.loss"}) if self.variant == "code_validation" else self.needs

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start with estimates of 0."""
        self.tasks_ = tuple(tasks)
        # The estimates of `code` and `code_softmax` are kept as logarithms, because exp(loss) overflows at 710 nats.
        fill = UNSEEN if self.variant in ("code", "code_softmax") else 0.0
        self.estimates_ = np.full((n_runs, len(tasks)), fill)
        self.losses_ = np.full((n_runs, len(tasks)), np.nan)
        self.turn_ = np.zeros(n_runs, dtype=np.int64)
        self.previous_ = np.zeros(n_runs, dtype=np.int64)

    def _rate(self, turn: Ints) -> Floats:
        n = len(self.tasks_)
        return np.where(turn < 1, 1.0 / n, np.minimum(1.0 / n, np.sqrt(np.log(n) / (n * np.maximum(turn, 1)))))[:, None]

    def probabilities(self, context: Context) -> Floats:
        """(1 - K e_t) q_i + e_t, shape (n_runs, n_tasks)."""
        if self.variant == "paper":
            now, before = self._rate(self.turn_ + 1), self._rate(self.turn_)
        else:
            now, before = self._rate(self.turn_), self._rate(self.previous_)
        if self.variant == "code":
            shares = softmax(self.estimates_)
        elif self.variant == "code_softmax":
            shares = softmax(before * np.exp(np.minimum(self.estimates_, 700.0)))
        else:
            shares = softmax(before * self.estimates_)
        return np.maximum(1.0 - len(self.tasks_) * now, 0.0) * shares + now

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Bring the loss of the task drawn into its estimate."""
        if self.variant == "code_validation":
            return
        runs = np.arange(len(chosen))
        old, propensity = self.estimates_[runs, chosen], np.maximum(probabilities[runs, chosen], 1e-12)
        if self.variant == "paper":
            new = self.smoothing * old + (1.0 - self.smoothing) * reward / propensity
        elif self.variant == "code_exp3":
            new = old + reward / 10.0 / propensity
        else:
            kept = old + np.log(self.smoothing) if self.smoothing > 0.0 else np.full_like(old, UNSEEN)
            new = np.logaddexp(kept, np.log1p(-self.smoothing) + reward)
        self.estimates_[runs, chosen] = new
        self.previous_ = self.turn_.copy()
        self.turn_ += 1

    def observe(self, evaluation: Evaluation) -> None:
        """Bring the held-out losses of all tasks, scaled to [0, 1], into their estimates."""
        if self.variant != "code_validation":
            return
        self.losses_ = newest(self.losses_, held_out(evaluation, "loss", self.name))
        losses = completed(self.losses_)
        low = losses.min(axis=1, keepdims=True)
        span = losses.max(axis=1, keepdims=True) - low
        self.estimates_ = self.estimates_ + np.where(span > 0.0, (losses - low) / np.where(span > 0.0, span, 1.0), 0.0)
        self.previous_ = self.turn_.copy()
        self.turn_ = np.full_like(self.turn_, max(evaluation.step, 1))

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """All five rules."""
        for variant in VARIANTS:
            yield cls(variant=variant)
