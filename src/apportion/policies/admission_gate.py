"""XLand's admission gate in front of any policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Evaluation, Floats, Task
from ._gate import gated
from ._mixing import PerTask, check_per_task, newest, per_task
from ._wrapper import Wrapper
from .uniform import Uniform


@dataclass(kw_only=True)
class AdmissionGate(Wrapper):
    """Decides as the policy inside, among tasks that are neither too easy nor out of reach and take skill.

    With the held-out score s_i and the score c_i of a control (a trivial model), task i is admitted if

        s_i <= ceiling                 it is not too easy,
        s_i >= c_i + margin            the model does better at it than the control,
        c_i <= control_ceiling         and the control fails at it.

    p = (1 - e) q + e p_inside, q being p_inside restricted to admitted tasks. A task without a score is admitted, and
    if none is admitted, all are. XLand asks the same of distributions of returns over episodes of proposed tasks, and
    evolves the thresholds; here they are given, and scores come from evaluations, which keep measuring rejected tasks.

    It fails where scores start at the level of the control: set a negative margin until they rise.

    Args:
        policy: the policy inside.
        ceiling: largest score worth training on.
        margin: by how much the control has to be beaten.
        control: its scores, one for all tasks or by name.
        control_ceiling: largest score of the control.
        exploration: e, in [0, 1].

    Raises:
        ValueError: a parameter is not finite, or the exploration is out of range.

    >>> policy = AdmissionGate(Uniform(), ceiling=0.9, exploration=0.0)
    >>> policy.reset([Task(name="easy"), Task(name="b"), Task(name="c")])
    >>> policy.observe(Evaluation(step=1, scores=np.array([[0.95, 0.6, 0.7]]), counts=np.zeros((1, 3), int)))
    >>> policy.probabilities(Context.start(3))
    array([[0. , 0.5, 0.5]])
    """

    name = "admission_gate"
    needs = frozenset({"evaluations"})
    source = (
        "Open-Ended Learning Team 2021, arXiv 2107.12808 (abstract read; conditions from memory, could not be checked)"
    )
    derived = frozenset({"tasks_", "control_"})

    ceiling: float = 0.95
    margin: float = 0.0
    control: PerTask = 0.0
    control_ceiling: float = 0.9
    exploration: float = 0.05

    def __post_init__(self) -> None:
        check_number("ceiling", self.ceiling)
        check_number("margin", self.margin)
        check_per_task("control", self.control)
        check_number("control_ceiling", self.control_ceiling)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start without scores, so that every task is admitted unless the control is too good at it.

        Raises:
            ValueError: `control` names an unknown task or leaves one out.
        """
        super().reset(tasks, n_runs)
        self.control_ = per_task("control", self.control, tasks)
        self.scores_ = np.full((n_runs, len(tasks)), np.nan)

    def probabilities(self, context: Context) -> Floats:
        """(1 - e) q + e p_inside, shape (n_runs, n_tasks)."""
        known = np.isfinite(self.scores_)
        score = np.where(known, self.scores_, 0.0)
        fits = ~known | ((score <= self.ceiling) & (score >= self.control_ + self.margin))
        admitted = fits & (self.control_ <= self.control_ceiling)
        return gated(self.policy.probabilities(context), admitted, self.exploration)

    def observe(self, evaluation: Evaluation) -> None:
        """Take the new scores over, and pass the evaluation on."""
        self.scores_ = newest(self.scores_, evaluation.scores)
        super().observe(evaluation)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Uniform among tasks of middling score."""
        yield cls(Uniform(), ceiling=0.6, margin=0.1, control=0.2)
