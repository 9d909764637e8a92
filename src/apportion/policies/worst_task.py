"""The worst-task objective: train on what is furthest behind."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._choice import explore, greedy, mask_of, softmax
from ._mixing import PerTask, check_per_task, completed, newest, per_task


@dataclass(kw_only=True)
class WorstTask(Policy):
    """Decides for the task furthest behind its target: a greedy step on the minimum over tasks of score - target.

    With the gap g_i = target_i - score_i, q puts everything on the largest gap among the available tasks, shared where
    tasks tie, or is softmax(g / temperature), the best answer to the objective with an entropy term;
    p = (1 - e) q + e / K. Before the first evaluation p is equal. A task that was not measured keeps its last score;
    before it has one, its gap is the mean of the known ones.

    It maximises the minimum over tasks, not the mean of the objective, and fails where the worst task cannot be
    learned: everything then goes where nothing is gained. `MtGrpo` and `GroupDro` are slower forms of the same aim.

    Args:
        targets: in the unit of the scores, one for all tasks or by name; equal targets compare raw scores.
        temperature: in the unit of the scores, not negative; 0 takes the largest gap alone.
        exploration: e, in [0, 1].

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = WorstTask()
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.observe(Evaluation(step=1, scores=np.array([[0.6, 0.7]]), counts=np.zeros((1, 2), int)))
    >>> policy.probabilities(Context.start(2))
    array([[0.95, 0.05]])
    """

    name = "worst_task"
    family = "allocation"
    needs = frozenset({"evaluations"})
    source = "by definition; the min-max objective of Sagawa et al. 2020, arXiv 1911.08731, equation 4, with scores"
    derived = frozenset({"tasks_", "targets_"})

    targets: PerTask = 1.0
    temperature: float = 0.0
    exploration: float = 0.1

    def __post_init__(self) -> None:
        check_per_task("targets", self.targets)
        check_number("temperature", self.temperature, low=0.0)
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start without scores.

        Raises:
            ValueError: a target names an unknown task or leaves one out.
        """
        self.tasks_ = tuple(tasks)
        self.targets_ = per_task("targets", self.targets, tasks)
        self.scores_ = np.full((n_runs, len(tasks)), np.nan)

    def probabilities(self, context: Context) -> Floats:
        """(1 - e) q + e / K, shape (n_runs, n_tasks)."""
        gaps = completed(self.targets_ - self.scores_)
        mask = mask_of(context)
        shares = softmax(gaps / self.temperature, mask) if self.temperature > 0.0 else greedy(gaps, mask)
        return explore(shares, self.exploration, mask)

    def observe(self, evaluation: Evaluation) -> None:
        """Take the new scores over."""
        self.scores_ = newest(self.scores_, evaluation.scores)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The worst alone, and softened."""
        yield cls()
        yield cls(temperature=0.2, exploration=0.0)
