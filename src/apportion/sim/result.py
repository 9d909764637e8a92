"""What came of simulated runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..records import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The truth about the runs of one policy in one world; policies never see it.

    Attributes:
        world: label of the world.
        policy: label of the policy.
        signal: label of the signal; empty where none was used.
        seed: of the noise and the draws; runs of two results with the same seed and world are paired.
        budget: of each run.
        tasks: names, in the order of the columns.
        weights: priorities that sum to 1, shape (n_tasks,).
        scores: held-out scores at the end, shape (n_runs, n_tasks).
        progress: fractions of the budget at which runs were looked at, from 0 to 1, shape (n_points,).
        objective: priority-weighted mean score when at least that much was spent, shape (n_runs, n_points).
        shares: mean over the runs of the fraction of decisions between two looks that went to each task, shape
            (n_points - 1, n_tasks).
        counts: decisions for each task, shape (n_runs, n_tasks).
        costs: budget spent on each task, shape (n_runs, n_tasks).
        evaluations: number of evaluations of a run.
        evaluation_cost: budget that they took, for each run, shape (n_runs,).
        seconds: time that the simulation took.
    """

    world: str
    policy: str
    signal: str
    seed: int
    budget: float
    tasks: tuple[str, ...]
    weights: Floats
    scores: Floats
    progress: Floats
    objective: Floats
    shares: Floats
    counts: Ints
    costs: Floats
    evaluations: int
    evaluation_cost: Floats
    seconds: float

    @property
    def n_runs(self) -> int:
        """Number of runs."""
        return self.scores.shape[0]

    @property
    def n_steps(self) -> int:
        """Decisions of all runs together."""
        return int(self.counts.sum())

    @property
    def final(self) -> Floats:
        """Objective at the end of each run, shape (n_runs,)."""
        return self.objective[:, -1]

    @property
    def spent(self) -> Floats:
        """Budget used by each run, evaluations included, shape (n_runs,)."""
        return self.costs.sum(axis=1) + self.evaluation_cost

    def regret(self, best: float) -> Floats:
        """How far each run stayed below the objective `best` of a named reference, shape (n_runs,)."""
        return best - self.final

    def mean_and_error(self) -> tuple[float, float]:
        """Mean final objective and its standard error; NaN for the error of a single run."""
        error = float(self.final.std(ddof=1) / np.sqrt(self.n_runs)) if self.n_runs > 1 else float("nan")
        return float(self.final.mean()), error
