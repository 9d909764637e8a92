"""DoReMi: follow the excess loss over a reference model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_number
from ..records import Context, Evaluation, Floats, Ints, Task
from ._base import Policy
from ._mixing import held_out, mixed, newest, softmax
from ._shares import Shares, check_shares, shares_of


@dataclass(kw_only=True)
class DoReMi(Policy):
    """Decides by excess loss: a_i <- a_i exp(eta x_i), normalised, then smoothed to (1-c) a + c/K.

    The excess x_i = max(loss_i - reference loss_i, 0) is the loss that a reference model shows to be avoidable. DoReMi
    weighs losses by a and draws from the prior; here a is what tasks are drawn from. With `feedback="reward"` each
    decision is one step: the reward must be the excess loss (signal `excess_loss`), and absent tasks keep their last
    excess, as in the released code. With `feedback="evaluations"` each evaluation is one step on the held-out losses
    `evaluation.loss` and `evaluation.reference_loss`.

    The mixture that DoReMi recommends is the mean of a over the run: `average`. It needs a reference model trained on
    the prior, and fails where the reference is bad at a task, since its excess loss is then small. The code clips every
    token's excess before the mean; the mean is clipped here, as it is all that is reported.

    Args:
        eta: step size, above 0.
        smoothing: c, in [0, 1]; 1e-3 in the script for the Pile, 1e-4 by default in the released code.
        initial: excess of a task before its first batch; the logarithm of the vocabulary size in the released code.
        prior: a at the start, by name or in task order; None is equal.
        feedback: `reward` or `evaluations`.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = DoReMi(smoothing=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.log([3.0]))
    >>> policy.probabilities(Context.start(2))
    array([[0.25, 0.75]])
    """

    name = "doremi"
    family = "mixing"
    needs = frozenset({"reward"})
    usual_signal = "excess_loss"
    source = (
        "Xie et al. 2023, arXiv 2305.10429, algorithm 1, and from its released code: sangmichaelxie/doremi "
        "doremi/trainer.py; drawing from the weights is ours"
    )

    eta: float = 1.0
    smoothing: float = 1e-3
    initial: float = 0.0
    prior: Shares | None = None
    feedback: Literal["reward", "evaluations"] = "reward"

    def __post_init__(self) -> None:
        check_number("eta", self.eta, low=0.0, low_open=True)
        check_number("smoothing", self.smoothing, low=0.0, high=1.0)
        check_number("initial", self.initial, low=0.0)
        check_choice("feedback", self.feedback, ("reward", "evaluations"))
        if self.prior is not None:
            check_shares("prior", self.prior)

    @property
    def requires(self) -> frozenset[str]:
        """The excess loss of the task drawn as reward, or held-out losses of model and reference."""
        if self.feedback == "reward":
            return self.needs
        return frozenset({"evaluation.loss", "evaluation.reference_loss"})

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from the prior.

        Raises:
            ValueError: the prior names an unknown task or leaves one out.
        """
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        shares = np.full(n, 1.0 / n) if self.prior is None else shares_of("prior", self.prior, tasks)
        self.weights_ = np.tile(shares, (n_runs, 1))
        self.average_ = self.weights_.copy()
        self.excess_ = np.full((n_runs, n), self.initial)
        self.steps_ = np.zeros(n_runs)

    def probabilities(self, context: Context) -> Floats:
        """The weights a, shape (n_runs, n_tasks)."""
        return self.weights_.copy()

    @property
    def average(self) -> Floats:
        """Mean of the weights since the start, shape (n_runs, n_tasks): the mixture for the main run."""
        return self.average_.copy()

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """One step on the excess of the task drawn and the last excess of the others."""
        if self.feedback == "reward":
            self.excess_[np.arange(len(chosen)), chosen] = np.maximum(reward, 0.0)
            self._step()

    def observe(self, evaluation: Evaluation) -> None:
        """One step on the held-out excess losses; a task that was not measured keeps its last one."""
        if self.feedback == "evaluations":
            excess = held_out(evaluation, "loss", self.name) - held_out(evaluation, "reference_loss", self.name)
            self.excess_ = newest(self.excess_, np.maximum(excess, 0.0))
            self._step()

    def _step(self) -> None:
        logits = np.log(np.maximum(self.weights_, 1e-300)) + self.eta * self.excess_
        self.weights_ = mixed(softmax(logits), self.smoothing)
        self.steps_ += 1.0
        self.average_ = self.average_ + (self.weights_ - self.average_) / (self.steps_ + 1.0)[:, None]

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Per decision, and per evaluation."""
        yield cls()
        yield cls(feedback="evaluations", eta=0.1)
