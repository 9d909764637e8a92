"""Dynamic sampling by the gap to single-task performance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import PerTask, check_per_task, completed, newest, normalised, per_task
from ._shares import Shares, check_shares, shares_of


@dataclass(kw_only=True)
class PerformanceGap(Policy):
    """Decides by what is missing: p_i proportional to max(target_i - score_i, floor).

    target_i is what a model trained on task i alone reaches, score_i the held-out score of this model. Before the first
    evaluation p is the prior; the paper starts proportional to size for one epoch. A task that was not measured keeps
    its last score; before it has one, its gap is the mean of the known ones.

    It needs one single-task run per task. It fails where a target is out of reach: that task then draws the budget for
    good. Scores of different metrics should be brought to one scale first.

    Args:
        targets: in the unit of the scores, one for all tasks or by name.
        floor: smallest gap, above 0, so that no task is forgotten.
        prior: p before the first evaluation, by name or in task order; None is equal.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = PerformanceGap(targets={"cola": 0.9, "rte": 0.8})
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.observe(Evaluation(step=1, scores=np.array([[0.6, 0.7]]), counts=np.zeros((1, 2), int)))
    >>> policy.probabilities(Context.start(2))
    array([[0.75, 0.25]])
    """

    name = "performance_gap"
    family = "mixing"
    needs = frozenset({"evaluations"})
    source = (
        "Gottumukkala et al. 2020, DOI 10.18653/v1/2020.acl-main.86 (abstract read; rule and floor from memory, text "
        "could not be checked)"
    )
    derived = frozenset({"tasks_", "targets_", "prior_"})

    targets: PerTask = 1.0
    floor: float = 0.05
    prior: Shares | None = None

    def __post_init__(self) -> None:
        check_per_task("targets", self.targets)
        check_number("floor", self.floor, low=0.0, low_open=True)
        if self.prior is not None:
            check_shares("prior", self.prior)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start without scores.

        Raises:
            ValueError: a target or share names an unknown task or leaves one out.
        """
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        self.targets_ = per_task("targets", self.targets, tasks)
        self.prior_ = np.full(n, 1.0 / n) if self.prior is None else shares_of("prior", self.prior, tasks)
        self.scores_ = np.full((n_runs, n), np.nan)

    def probabilities(self, context: Context) -> Floats:
        """Gaps divided by their sum, shape (n_runs, n_tasks)."""
        gaps = np.maximum(completed(self.targets_ - self.scores_), self.floor)
        known = np.isfinite(self.scores_).any(axis=1, keepdims=True)
        return np.where(known, normalised(gaps), self.prior_)

    def observe(self, evaluation: Evaluation) -> None:
        """Take the new scores over."""
        self.scores_ = newest(self.scores_, evaluation.scores)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """One target for all tasks."""
        yield cls()
