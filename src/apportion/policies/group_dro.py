"""Group DRO as a selection policy: the task with the highest loss gains."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_number
from ..records import Context, Evaluation, Floats, Ints, Task
from ._base import Policy, sizes_of
from ._mixing import anchored, completed, held_out, mixed, newest, softmax


@dataclass(kw_only=True)
class GroupDro(Policy):
    """Decides against the worst case: q_i <- q_i exp(eta (L_i + C / sqrt(n_i))), normalised, and p = (1-e) q + e/K.

    Group DRO weighs losses by q; here q is what tasks are drawn from, which has the same expected gradient. With
    `feedback="reward"` each decision is one step: the reward must be the loss of the batch (signal `loss`), and absent
    tasks count with their last loss, or the mean of the known ones before they have any. With `absent="zero"` they
    count with 0, which is what the released code does with groups missing from a batch; a task that is drawn then
    gains from being drawn. With `feedback="evaluations"` each evaluation is one step on the held-out losses.

    The exploration e is ours: without it q soon leaves tasks undrawn. It fails where the highest loss cannot be
    lowered: that task then gets everything.

    Args:
        eta: step size, above 0.
        adjustment: C, not negative; above 0 it needs the sizes n_i.
        normalise: divide the adjusted losses by their sum first.
        feedback: `reward` or `evaluations`.
        absent: `last` or `zero`; only for `feedback="reward"`.
        exploration: e, in [0, 1].

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = GroupDro(eta=1.0, exploration=0.0, feedback="evaluations")
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> loss = np.log([[2.0, 3.0]])
    >>> policy.observe(Evaluation(step=1, scores=-loss, counts=np.zeros((1, 2), int), measured={"loss": loss}))
    >>> policy.probabilities(Context.start(2))
    array([[0.4, 0.6]])
    """

    name = "group_dro"
    family = "mixing"
    needs = frozenset({"reward"})
    usual_signal = "loss"
    source = (
        "Sagawa et al. 2020, arXiv 1911.08731, algorithm 1, and from its released code: kohpangwei/group_DRO loss.py; "
        "drawing from q is ours"
    )
    derived = frozenset({"tasks_", "added_"})

    eta: float = 0.01
    adjustment: float = 0.0
    normalise: bool = False
    feedback: Literal["reward", "evaluations"] = "reward"
    absent: Literal["last", "zero"] = "last"
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("eta", self.eta, low=0.0, low_open=True)
        check_number("adjustment", self.adjustment, low=0.0)
        check_choice("feedback", self.feedback, ("reward", "evaluations"))
        check_choice("absent", self.absent, ("last", "zero"))
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    @property
    def requires(self) -> frozenset[str]:
        """The loss of the task drawn as reward, or the held-out losses of all tasks."""
        return self.needs if self.feedback == "reward" else frozenset({"evaluation.loss"})

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from equal weights.

        Raises:
            ValueError: `adjustment` is above 0 and a task has no size.
        """
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        self.added_ = self.adjustment / np.sqrt(sizes_of(tasks, self.name)) if self.adjustment else np.zeros(n)
        self.logits_ = np.zeros((n_runs, n))
        self.losses_ = np.full((n_runs, n), np.nan)

    def probabilities(self, context: Context) -> Floats:
        """(1 - e) q + e / K, shape (n_runs, n_tasks)."""
        return mixed(softmax(self.logits_), self.exploration)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """One step on the loss of the task drawn and the last losses of the others."""
        if self.feedback != "reward":
            return
        runs = np.arange(len(chosen))
        if self.absent == "zero":
            losses = np.zeros_like(self.logits_)
            losses[runs, chosen] = reward
        else:
            self.losses_[runs, chosen] = reward
            losses = completed(self.losses_)
        self._step(losses)

    def observe(self, evaluation: Evaluation) -> None:
        """One step on the held-out losses; a task that was not measured keeps its last one."""
        if self.feedback == "evaluations":
            self.losses_ = newest(self.losses_, held_out(evaluation, "loss", self.name))
            self._step(completed(self.losses_))

    def _step(self, losses: Floats) -> None:
        losses = losses + self.added_
        if self.normalise:
            total = losses.sum(axis=1, keepdims=True)
            losses = np.where(np.abs(total) > 0.0, losses / np.where(np.abs(total) > 0.0, total, 1.0), 0.0)
        self.logits_ = anchored(self.logits_ + self.eta * losses)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Per decision as here and as in the code, and per evaluation."""
        yield cls()
        yield cls(absent="zero", adjustment=1.0)
        yield cls(feedback="evaluations", eta=0.5, normalise=True)
