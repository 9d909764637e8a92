"""MT-GRPO: follow tasks that score low and improve slowly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import adam, anchored, completed, mixed, newest, softmax


@dataclass(kw_only=True)
class MtGrpo(Policy):
    """Decides by score and improvement: w <- w - rate * z_i (s_i - sum_j z_j s_j), s = I + lambda J, z = softmax(w).

    J_i is the held-out score of task i, I_i its change since the last evaluation; each evaluation is one step. A large
    lambda strives for the best worst task, a small one for balanced progress. `variant="paper"` takes a plain gradient
    step as in subroutine 1; `variant="code"` takes an Adam step with weight decay. In the paper I is the change of the
    GRPO objective over one update; scores stand in for it here. A task that was not measured keeps its last score.

    The other half of MT-GRPO, filling batches so that examples without a gradient do not distort the shares, is up to
    whoever fills batches. It fails where a task cannot be learned: it keeps gaining through J.

    Args:
        trade_off: lambda, not negative; 0.1 to 1.2 in the experiments.
        rate: step size, above 0; 0.025 in the released scripts.
        variant: `paper` or `code`.
        decay: weight decay of `code`, not negative; 1e-5 in the released scripts.
        exploration: share of equal probabilities mixed in, in [0, 1]; 0 in the released scripts.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = MtGrpo(rate=1.0, exploration=0.0)
    >>> policy.reset([Task(name="countdown"), Task(name="arc")])
    >>> policy.probabilities(Context.start(2))
    array([[0.5, 0.5]])
    """

    name = "mt_grpo"
    family = "mixing"
    needs = frozenset({"evaluations"})
    source = (
        "Ramesh et al. 2026, arXiv 2602.05547, subroutine 1; code: rsshyam/MT-GRPO "
        "verl/verl/utils/auto_curriculum/priority_decay.py"
    )

    trade_off: float = 0.2
    rate: float = 0.025
    variant: Literal["paper", "code"] = "paper"
    decay: float = 1e-5
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("trade_off", self.trade_off, low=0.0)
        check_number("rate", self.rate, low=0.0, low_open=True)
        check_choice("variant", self.variant, ("paper", "code"))
        check_number("decay", self.decay, low=0.0)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from equal weights."""
        self.tasks_ = tuple(tasks)
        shape = (n_runs, len(tasks))
        self.logits_ = np.zeros(shape)
        self.scores_ = np.full(shape, np.nan)
        self.first_ = np.zeros(shape)
        self.second_ = np.zeros(shape)
        self.steps_ = np.zeros((n_runs, 1))

    def probabilities(self, context: Context) -> Floats:
        """Softmax of w with the exploration mixed in, shape (n_runs, n_tasks)."""
        return mixed(softmax(self.logits_), self.exploration)

    def observe(self, evaluation: Evaluation) -> None:
        """One step; the first evaluation has no improvement yet."""
        after = newest(self.scores_, evaluation.scores)
        change = after - self.scores_
        self.scores_ = after
        signal = completed(change) + self.trade_off * completed(after)
        z = softmax(self.logits_)
        gradient = z * (signal - (z * signal).sum(axis=1, keepdims=True))
        if self.variant == "paper":
            self.logits_ = anchored(self.logits_ - self.rate * gradient)
            return
        gradient = gradient + self.decay * self.logits_
        self.steps_ += 1.0
        step, self.first_, self.second_ = adam(gradient, self.first_, self.second_, self.steps_, self.rate)
        self.logits_ = self.logits_ - step

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The paper's step and the code's."""
        yield cls(rate=1.0)
        yield cls(variant="code")
