"""MultiDDS: learn a scorer from gradient alignment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import adam, held_out, softmax
from ._shares import Shares, check_shares, shares_of


@dataclass(kw_only=True)
class MultiDds(Policy):
    """Decides by a learned scorer: p = softmax(psi), psi pushed towards tasks whose gradient points along the target's.

    At each evaluation R_i = cos(gradient on training data of task i, gradient on the held-out data), and `inner` Adam
    steps of rate `learning_rate` climb the objective sum_i R_i log p_i, all tasks at once:

        gradient of psi_j = R_j - p_j sum_i R_i          (with `weighted`: p_j (R_j - sum_i p_i R_i))

    R is `evaluation.gradient_alignment`; with a look-ahead step before the held-out gradient it is the variant
    MultiDDS-S, which is up to the loop. A task that was not measured has R_i = 0. The prior is where psi starts; the
    code fits psi to it by gradient steps, here psi = log prior at once.

    It is REINFORCE without its factor p_i unless `weighted`, so it moves towards p_i proportional to R_i rather than to
    the best task. It costs two gradients per task and evaluation, and fails where the alignment is mostly noise.

    Args:
        learning_rate: of Adam, above 0; 1e-4 in the released scripts.
        inner: Adam steps per evaluation, at least 1; 200 in the released scripts.
        weighted: multiply each reward by its probability: `scale_reward` in the code.
        prior: p at the start, by name or in task order, all above 0; None is equal. The released scripts take sizes.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = MultiDds()
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> alignment = np.array([[0.5, -0.5]])
    >>> policy.observe(Evaluation(
    ...     step=1, scores=alignment, counts=np.zeros((1, 2), int), measured={"gradient_alignment": alignment}))
    >>> policy.probabilities(Context.start(2)).round(3)
    array([[0.51, 0.49]])
    """

    name = "multi_dds"
    family = "mixing"
    needs = frozenset({"evaluation.gradient_alignment"})
    source = (
        "Wang et al. 2020, arXiv 2004.06748, and from its released code: cindyxinyiwang/multiDDS fairseq/trainer.py "
        "(update_language_sampler)"
    )
    complexity = "O(inner K) per evaluation, O(K) per decision"

    learning_rate: float = 1e-4
    inner: int = 200
    weighted: bool = False
    prior: Shares | None = None

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, low=0.0, low_open=True)
        check_integer("inner", self.inner, low=1)
        if self.prior is not None:
            check_shares("prior", self.prior)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start the scorer at the prior.

        Raises:
            ValueError: the prior names an unknown task, leaves one out, or gives one no share.
        """
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        shares = np.full(n, 1.0 / n) if self.prior is None else shares_of("prior", self.prior, tasks)
        for task, share in zip(tasks, shares, strict=True):
            if share <= 0.0:
                raise ValueError(f"`prior` must give every task a share above 0, got 0 for {task.name!r}.")
        self.logits_ = np.tile(np.log(shares), (n_runs, 1))
        self.first_ = np.zeros((n_runs, n))
        self.second_ = np.zeros((n_runs, n))
        self.steps_ = np.zeros((n_runs, 1))

    def probabilities(self, context: Context) -> Floats:
        """Softmax of the scores psi, shape (n_runs, n_tasks)."""
        return softmax(self.logits_)

    def observe(self, evaluation: Evaluation) -> None:
        """`inner` steps of Adam on the rewards of this evaluation."""
        measured = held_out(evaluation, "gradient_alignment", self.name)
        reward = np.where(np.isfinite(measured), measured, 0.0)
        for _ in range(self.inner):
            p = softmax(self.logits_)
            rewards = reward * p if self.weighted else reward
            gradient = p * rewards.sum(axis=1, keepdims=True) - rewards
            self.steps_ += 1.0
            step, self.first_, self.second_ = adam(gradient, self.first_, self.second_, self.steps_, self.learning_rate)
            self.logits_ = self.logits_ - step

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """A few fast steps instead of 200 slow ones, without and with the factor p_i."""
        yield cls(learning_rate=0.01, inner=2)
        yield cls(learning_rate=0.01, inner=2, weighted=True)
