"""A policy that waits: uniform at first, then in proportion to what each task lacks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apportion import Evaluation, Task
from apportion.policies import Policy
from apportion.records import Context, Floats


@dataclass(kw_only=True)
class Patient(Policy):
    """Draws tasks in proportion to 1 - score, once they were evaluated."""

    name = "patient"
    family = "mixing"
    needs = frozenset({"evaluations"})
    source = "an example"

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Nothing is known yet."""
        self.lack_ = np.ones((n_runs, len(tasks)))

    def probabilities(self, context: Context) -> Floats:
        """In proportion to what each task lacks."""
        return self.lack_ / self.lack_.sum(axis=1, keepdims=True)

    def observe(self, evaluation: Evaluation) -> None:
        """Remember how much each task lacks; a task that was not measured keeps its value."""
        known = np.isfinite(evaluation.scores)
        self.lack_ = np.where(known, np.clip(1 - evaluation.scores, 0.05, 1.0), self.lack_)
