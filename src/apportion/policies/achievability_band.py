"""TTC-RL's achievability band in front of any policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_integer, check_number
from ..records import Bools, Context, Evaluation, Floats, Ints, Task
from ._gate import gated
from ._wrapper import Wrapper
from .uniform import Uniform

EDGE = 1e-3  # success rates are held this far from 0 and 1 before their logit is taken
JUMP = 0.5  # largest common shift, in logits


@dataclass(kw_only=True)
class AchievabilityBand(Wrapper):
    """Decides as the policy inside, among tasks whose estimated success rate lies in [low, high].

    Where success is 0 or 1 nothing is learned from it. The estimate f_i starts at `prior`. Tasks seen since the last
    estimate take their new rate g_i; all others shift by one common step in logits,

        logit f_j <- logit f_j + clip(mean over seen i of (logit g_i - logit f_i), -0.5, 0.5),

    so that a task that was never drawn profits from what the model learned elsewhere. If fewer than `at_least` tasks
    lie in the band, those nearest to its middle join. p = (1 - e) q + e p_inside, q being p_inside restricted to them.

    With `feedback="evaluations"` rates are the held-out scores, which must be in [0, 1]; with `feedback="reward"` they
    are the mean rewards of the last `every` decisions, as in the code, and rewards must be success rates in [0, 1].
    Rates are held 0.001 away from 0 and 1 (ours). It fails where tasks do not learn together, so that a common shift
    moves the wrong ones.

    Args:
        policy: the policy inside.
        low: lower end of the band, in [0, 1].
        high: upper end, from `low` to 1.
        prior: estimate before a task was seen, in [0, 1].
        at_least: tasks that always pass, at least 1.
        feedback: `evaluations` or `reward`.
        every: decisions between two estimates, at least 1; only for `reward`.
        exploration: e, in [0, 1].

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = AchievabilityBand(Uniform(), exploration=0.0)
    >>> policy.reset([Task(name="hard"), Task(name="b"), Task(name="easy")])
    >>> policy.observe(Evaluation(step=1, scores=np.array([[0.1, 0.4, 0.9]]), counts=np.zeros((1, 3), int)))
    >>> policy.probabilities(Context.start(3))
    array([[0., 1., 0.]])
    """

    name = "achievability_band"
    needs = frozenset({"evaluations"})
    source = (
        "Hübotter et al. 2025, arXiv 2510.04786 (text could not be checked), and from its released code: jonhue/ttc "
        "(optional curriculum)"
    )

    low: float = 0.25
    high: float = 0.6
    prior: float = 0.5
    at_least: int = 1
    feedback: Literal["evaluations", "reward"] = "evaluations"
    every: int = 10
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("low", self.low, low=0.0, high=1.0)
        check_number("high", self.high, low=self.low, high=1.0)
        check_number("prior", self.prior, low=0.0, high=1.0)
        check_integer("at_least", self.at_least, low=1)
        check_choice("feedback", self.feedback, ("evaluations", "reward"))
        check_integer("every", self.every, low=1)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    @property
    def requires(self) -> frozenset[str]:
        """Scores or rewards, and what the policy inside needs."""
        own = self.needs if self.feedback == "evaluations" else frozenset({"reward"})
        return own | self.policy.requires

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from the prior."""
        super().reset(tasks, n_runs)
        shape = (n_runs, len(tasks))
        self.rates_ = np.full(shape, self.prior)
        self.sums_ = np.zeros(shape)
        self.seen_ = np.zeros(shape, dtype=np.int64)

    def probabilities(self, context: Context) -> Floats:
        """(1 - e) q + e p_inside, shape (n_runs, n_tasks)."""
        distance = np.abs(self.rates_ - (self.low + self.high) / 2.0)
        last = np.sort(distance, axis=1)[:, min(self.at_least, distance.shape[1]) - 1]
        nearest = distance <= last[:, None] + 1e-12
        inside = (self.rates_ >= self.low) & (self.rates_ <= self.high)
        return gated(self.policy.probabilities(context), inside | nearest, self.exploration)

    def observe(self, evaluation: Evaluation) -> None:
        """Estimate anew from the scores, and pass the evaluation on."""
        if self.feedback == "evaluations":
            self._estimate(evaluation.scores)
        super().observe(evaluation)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Add the reward, and pass it on."""
        self.update_rows(np.ones(len(chosen), dtype=np.bool_), chosen, probabilities, reward)

    def update_rows(self, rows: Bools, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Add the rewards of some runs, and pass them on."""
        if self.feedback == "reward":
            index = np.flatnonzero(rows)
            self.sums_[index, chosen[index]] += reward[index]
            self.seen_[index, chosen[index]] += 1
            due = (self.seen_.sum(axis=1) >= self.every)[:, None]
            mean = self.sums_ / np.maximum(self.seen_, 1)
            self._estimate(np.where(due & (self.seen_ > 0), mean, np.nan))
            self.sums_ = np.where(due, 0.0, self.sums_)
            self.seen_ = np.where(due, 0, self.seen_)
        super().update_rows(rows, chosen, probabilities, reward)

    def _estimate(self, new: Floats) -> None:
        known = np.isfinite(new)
        rate = np.clip(np.where(known, new, 0.5), EDGE, 1.0 - EDGE)
        before = np.clip(self.rates_, EDGE, 1.0 - EDGE)
        old = np.log(before) - np.log1p(-before)
        step = np.where(known, np.log(rate) - np.log1p(-rate) - old, 0.0)
        mean = step.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
        shifted = 1.0 / (1.0 + np.exp(-(old + np.clip(mean, -JUMP, JUMP))))
        any_known = known.any(axis=1, keepdims=True)
        self.rates_ = np.where(known, rate, np.where(any_known, shifted, self.rates_))

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Uniform within the band, by scores and by rewards."""
        yield cls(Uniform())
        yield cls(Uniform(), feedback="reward", every=3, at_least=2)
