"""ROLLIN's stage gate in front of any policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Evaluation, Floats, Task
from ._gate import gated
from ._mixing import PerTask, check_per_task, per_task
from ._wrapper import Wrapper
from .replay import places
from .uniform import Uniform


@dataclass(kw_only=True)
class StageGate(Wrapper):
    """Decides for one task after another: the next one opens when the score of the current one reaches its threshold.

    The current task gets 1 - `review`, and the policy inside divides `review` among the tasks passed; without any, the
    current task gets all. When the last is passed, the policy inside decides among all. Scores come from evaluations;
    several tasks can be passed at once, and a task passed stays passed.

    Of ROLLIN only the gate carries over to supervised tasks: it advances on near-optimality of the current task, and
    starts episodes with probability beta from the policy of the stage before, to which `review` corresponds. It fails
    where a threshold is out of reach: the stages after it never open. Tasks not open yet have the probability 0.

    Args:
        policy: the policy inside.
        threshold: score that opens the next task, one for all or by name.
        review: share of the tasks passed, in [0, 1).
        order: names of all tasks, easiest first; empty takes the order of the tasks.

    Raises:
        ValueError: the threshold is not finite, or `review` out of range.

    >>> policy = StageGate(Uniform(), threshold=0.8, review=0.25)
    >>> policy.reset([Task(name="easy"), Task(name="middle"), Task(name="hard")])
    >>> policy.observe(Evaluation(step=1, scores=np.array([[0.9, 0.3, 0.1]]), counts=np.zeros((1, 3), int)))
    >>> policy.probabilities(Context.start(3))
    array([[0.25, 0.75, 0.  ]])
    """

    name = "stage_gate"
    needs = frozenset({"evaluations"})
    ordered = True
    source = "after Li et al. 2023, arXiv 2212.12809 (ROLLIN; only its gate; text could not be checked)"
    derived = frozenset({"tasks_", "place_", "threshold_"})

    threshold: PerTask = 0.8
    review: float = 0.5
    order: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_per_task("threshold", self.threshold)
        check_number("review", self.review, low=0.0, high=1.0, high_open=True)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Open the first task.

        Raises:
            ValueError: `order` does not name every task once, or `threshold` names an unknown task or leaves one out.
        """
        super().reset(tasks, n_runs)
        self.place_ = places("order", self.order, tasks)
        self.threshold_ = per_task("threshold", self.threshold, tasks)
        self.stage_ = np.zeros(n_runs, dtype=np.int64)

    def probabilities(self, context: Context) -> Floats:
        """The current task and the tasks passed, shape (n_runs, n_tasks)."""
        inside = self.policy.probabilities(context)
        stage = self.stage_[:, None]
        review = np.where(stage > 0, self.review, 0.0)
        staged = (1.0 - review) * (self.place_ == stage) + review * gated(inside, self.place_ < stage, 0.0)
        return np.where(stage == len(self.place_), inside, staged)

    def observe(self, evaluation: Evaluation) -> None:
        """Open the next tasks if the current ones are passed, and pass the evaluation on."""
        known = np.isfinite(evaluation.scores)
        passed = known & (np.where(known, evaluation.scores, 0.0) >= self.threshold_)
        for place in range(len(self.place_)):
            current = passed[:, int(np.flatnonzero(self.place_ == place)[0])]
            self.stage_ = self.stage_ + ((self.stage_ == place) & current)
        super().observe(evaluation)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Uniform over the tasks passed."""
        yield cls(Uniform(), threshold=0.4)
