"""Source weights learned from trial updates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_number
from ..records import Context, Evaluation, Floats, Ints, Task
from ._base import Policy
from ._mixing import anchored, held_out, mixed, softmax


@dataclass(kw_only=True)
class MetaRtl(Policy):
    """Decides by trial updates: a policy gradient raises tasks whose trial update lowers the loss of the target most.

    With z = softmax(w), p = (1-e) z + e/K and the reward R_i = target loss before minus after an update on task i
    alone, divided by s, a running mean of |R| (factor 0.9),

        reward       w_j <- memory w_j + rate (R_a - b) (1[j = a] - z_j)      one step per decision for the task a
        evaluations  w_j <- memory w_j + rate z_j (R_j - sum_i z_i R_i)       one step per evaluation

    b being a running mean of the rewards before. The first learns from real updates: the reward must be the gain of the
    target (signal `target_gain`). The second is closer to the paper and needs `evaluation.trial_gain`: for
    every task, the decrease of the held-out loss of the objective by a trial update that is then undone, the
    counterfactual "what if I had trained on this one"; training and simulation provide it and charge it.

    It is a stand-in for Meta-RTL, which draws weights from an LSTM trained by REINFORCE and mixes the trial updates by
    them: here the logits themselves are the memory, scaling and exploration are ours. Trials cost one update and one
    evaluation per task; it fails where one trial is too short to show in the target loss.

    Args:
        rate: step size, above 0.
        memory: factor on old logits, in (0, 1]; below 1 old evidence fades.
        feedback: `reward` or `evaluations`.
        exploration: e, in [0, 1].

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = MetaRtl()
    >>> policy.reset([Task(name="csqa"), Task(name="siqa")])
    >>> policy.probabilities(Context.start(2))
    array([[0.5, 0.5]])
    """

    name = "meta_rtl"
    family = "allocation"
    needs = frozenset({"reward"})
    usual_signal = "target_gain"
    source = (
        "after Fu et al. 2024, arXiv 2409.19075 (abstract read; update rule could not be checked; logits in place of "
        "its LSTM)"
    )

    rate: float = 0.1
    memory: float = 0.99
    feedback: Literal["reward", "evaluations"] = "reward"
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("rate", self.rate, low=0.0, low_open=True)
        check_number("memory", self.memory, low=0.0, high=1.0, low_open=True)
        check_choice("feedback", self.feedback, ("evaluations", "reward"))
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    @property
    def requires(self) -> frozenset[str]:
        """The gain of the task drawn as reward, or the trial gains of all tasks."""
        return self.needs if self.feedback == "reward" else frozenset({"evaluation.trial_gain"})

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from equal weights."""
        self.tasks_ = tuple(tasks)
        self.logits_ = np.zeros((n_runs, len(tasks)))
        self.scale_ = np.full(n_runs, np.nan)
        self.baseline_ = np.zeros(n_runs)

    def probabilities(self, context: Context) -> Floats:
        """(1 - e) softmax(w) + e / K, shape (n_runs, n_tasks)."""
        return mixed(softmax(self.logits_), self.exploration)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """One step along the sampled policy gradient."""
        if self.feedback != "reward":
            return
        advantage = (reward - np.where(np.isfinite(self.scale_), self.baseline_, reward)) / self._scaled(np.abs(reward))
        direction = -softmax(self.logits_)
        direction[np.arange(len(chosen)), chosen] += 1.0
        self._step(np.clip(advantage, -10.0, 10.0)[:, None] * direction)
        self.baseline_ = np.where(np.isfinite(self.scale_), 0.9 * self.baseline_ + 0.1 * reward, reward)
        self.scale_ = self._mean(np.abs(reward))

    def observe(self, evaluation: Evaluation) -> None:
        """One step along the exact policy gradient; a task that was not measured counts with the mean of the others."""
        if self.feedback != "evaluations":
            return
        gain = held_out(evaluation, "trial_gain", self.name)
        known = np.isfinite(gain)
        z = softmax(self.logits_)
        size = np.where(known, np.abs(gain), 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        scaled = np.where(known, gain, 0.0) / self._scaled(size)[:, None]
        # Weighing the known tasks by z makes the unknown ones stand exactly where they are.
        weight = np.where(known, z, 0.0).sum(axis=1, keepdims=True)
        mean = (np.where(known, z, 0.0) * scaled).sum(axis=1, keepdims=True) / np.where(weight > 0.0, weight, 1.0)
        self._step(z * np.where(known, scaled - mean, 0.0))
        self.scale_ = np.where(known.any(axis=1), self._mean(size), self.scale_)

    def _mean(self, size: Floats) -> Floats:
        known = np.isfinite(self.scale_)
        return np.where(known, 0.9 * np.where(known, self.scale_, 0.0) + 0.1 * size, size)

    def _scaled(self, size: Floats) -> Floats:
        scale = self._mean(size)
        return np.where(scale > 0.0, scale, 1.0)

    def _step(self, direction: Floats) -> None:
        self.logits_ = anchored(self.memory * self.logits_ + self.rate * direction)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """By rewards, and by trial updates without fading."""
        yield cls()
        yield cls(feedback="evaluations", rate=0.5, memory=1.0)
