"""What a run of training came to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .held_out import EvaluationResult, TaskScore


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a run of training came to.

    Attributes:
        taskset: name of the workload.
        tasks: final scores by task, on the whole of its final sets.
        objective: priority-weighted mean of the final scores, or the worst; NaN if one that counts is undefined.
        counts: decisions for each task.
        examples: training examples of each task.
        costs: budget spent on each task.
        steps: decisions.
        updates: of the weights.
        spent: budget used, evaluations included.
        evaluation_cost: budget used by evaluations; 0 where they were not charged.
        reference_cost: budget used to train a reference model; 0 where none was, or it was given.
        unit: of the budget.
        seconds: wall time of training and evaluations; parts before a resume included.
        evaluations: those during the run, oldest first, on the fixed subsample.
        seed: of the run.
        checksums: SHA-256 of the data of each task.
    """

    taskset: str
    tasks: dict[str, TaskScore]
    objective: float
    counts: dict[str, int]
    examples: dict[str, float]
    costs: dict[str, float]
    steps: int
    updates: int
    spent: float
    evaluation_cost: float
    reference_cost: float
    unit: str
    seconds: float
    evaluations: tuple[EvaluationResult, ...]
    seed: int
    checksums: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def scores(self) -> dict[str, float]:
        """Final score of each task, NaN where undefined."""
        return {name: found.score for name, found in self.tasks.items()}

    @property
    def undefined(self) -> dict[str, dict[str, str]]:
        """By task, the final metrics that are undefined, and why."""
        return {name: dict(found.undefined) for name, found in self.tasks.items() if found.undefined}

    def to_dict(self) -> dict[str, Any]:
        """Everything as data that JSON can hold; None stands for NaN."""
        return {
            "taskset": self.taskset,
            "objective": number(self.objective),
            "tasks": {name: score_to_dict(found) for name, found in self.tasks.items()},
            "counts": self.counts,
            "examples": self.examples,
            "costs": self.costs,
            "steps": self.steps,
            "updates": self.updates,
            "spent": self.spent,
            "evaluation_cost": self.evaluation_cost,
            "reference_cost": self.reference_cost,
            "unit": self.unit,
            "seconds": self.seconds,
            "evaluations": [evaluation_to_dict(item) for item in self.evaluations],
            "seed": self.seed,
            "checksums": self.checksums,
        }


def number(value: float) -> float | None:
    """None for NaN."""
    return None if math.isnan(value) else value


def score_to_dict(found: TaskScore) -> dict[str, Any]:
    """A score as data that JSON can hold."""
    return {
        "score": number(found.score),
        "loss": number(found.loss),
        "metrics": {name: number(value) for name, value in found.metrics.items()},
        "undefined": dict(found.undefined),
    }


def evaluation_to_dict(found: EvaluationResult) -> dict[str, Any]:
    """An evaluation as data that JSON can hold."""
    return {
        "step": found.step,
        "spent": found.spent,
        "cost": found.cost,
        "tasks": {name: score_to_dict(item) for name, item in found.tasks.items()},
        "measured": found.measured,
    }


def evaluation_from_dict(data: Mapping[str, Any]) -> EvaluationResult:
    """The inverse of `evaluation_to_dict`."""
    return EvaluationResult(
        step=int(data["step"]),
        spent=float(data["spent"]),
        cost=float(data["cost"]),
        tasks={name: _score_from_dict(item) for name, item in data["tasks"].items()},
        measured={name: dict(values) for name, values in data["measured"].items()},
    )


def _score_from_dict(data: Mapping[str, Any]) -> TaskScore:
    return TaskScore(
        score=_value(data["score"]),
        loss=_value(data["loss"]),
        metrics={name: _value(value) for name, value in data["metrics"].items()},
        undefined=dict(data["undefined"]),
    )


def _value(value: float | None) -> float:
    return math.nan if value is None else float(value)
