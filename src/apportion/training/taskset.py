"""Tasks with their data, their metrics and the encoder that they share."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from torch import nn

from .._check import check_integer, check_names, check_number
from ..records import ObjectiveName, Task, check_tasks
from .examples import Examples
from .heads import Classification, Head
from .metrics import metric


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """One task: its data, what it predicts, and how it is scored.

    Args:
        name: unique in the taskset.
        train: examples to learn from.
        validation: held-out examples for the evaluations during a run, by the name of the set; most tasks have one.
        test: held-out examples for the final scores; None takes the whole of `validation`.
        head: what is predicted.
        metrics: reported at the end, by name.
        primary: the metrics whose mean, over the held-out sets, is the score of the task.
        priority: importance in the objective; 0 for an auxiliary task.
        features: description of the task for policies that use one.
        batch_size: examples in a batch; None takes that of the taskset.

    Raises:
        ValueError: a set is empty, a label is outside its range, or a metric does not fit the head.
    """

    name: str
    train: Examples
    validation: Mapping[str, Examples]
    test: Mapping[str, Examples] | None = None
    head: Head
    metrics: Sequence[str] = ("accuracy",)
    primary: Sequence[str] = ("accuracy",)
    priority: float = 1.0
    features: tuple[float, ...] = ()
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size is not None:
            check_integer(f"batch_size of task {self.name!r}", self.batch_size, low=1)
        if not self.primary or not self.validation:
            raise ValueError(f"task {self.name!r} needs at least one primary metric and one validation set.")
        for name in (*self.metrics, *self.primary):
            if metric(name).kind != self.head.kind:
                raise ValueError(f"the metric {name!r} does not fit task {self.name!r}, which is a {self.head.kind}.")
        for split, examples in self._splits():
            if len(examples) == 0:
                raise ValueError(f"task {self.name!r} has no examples in {split}: give it some, or leave the task out.")
            self._check_labels(split, np.asarray(examples.labels()))

    @property
    def task(self) -> Task:
        """The task as policies see it."""
        return Task(name=self.name, size=len(self.train), priority=self.priority, features=self.features)

    @property
    def final(self) -> Mapping[str, Examples]:
        """The sets of the final scores."""
        return self.validation if self.test is None else self.test

    @property
    def score_range(self) -> tuple[float, float]:
        """Smallest and largest possible score."""
        chosen = [metric(name) for name in self.primary]
        return sum(item.low for item in chosen) / len(chosen), sum(item.high for item in chosen) / len(chosen)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of all examples."""
        parts = [f"{split} {examples.checksum()}" for split, examples in self._splits()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _splits(self) -> list[tuple[str, Examples]]:
        held_out = [
            (f"{kind} {name!r}" if name else kind, examples)
            for kind, sets in (("validation", self.validation), ("test", self.test or {}))
            for name, examples in sets.items()
        ]
        return [("train", self.train), *held_out]

    def _check_labels(self, split: str, labels: np.ndarray[Any, Any]) -> None:
        if labels.ndim != 1:
            raise ValueError(f"labels of task {self.name!r} in {split} must have one axis, got shape {labels.shape}.")
        if isinstance(self.head, Classification):
            if labels.dtype.kind not in "iu":
                raise ValueError(
                    f"labels of task {self.name!r} in {split} must be whole numbers, got {labels.dtype}: "
                    f"make it a regression, or number its classes."
                )
            bad = (labels < 0) | (labels >= self.head.classes)
            wanted = f"from 0 to {self.head.classes - 1}"
        else:
            bad, wanted = ~np.isfinite(labels), "finite"
        if bad.any():
            place = int(bad.argmax())
            raise ValueError(
                f"labels of task {self.name!r} in {split} must be {wanted}, got {labels[place]} in example {place}: "
                f"correct the label or drop the example."
            )


@dataclass(frozen=True, kw_only=True)
class Taskset:
    """A workload: tasks that share an encoder.

    Args:
        name: for reports and signatures.
        parts: the tasks, with different names.
        encoder: makes the shared encoder, an `nn.Module` from inputs to features (n, width).
        width: number of features that the encoder gives.
        batch_size: examples in a batch, unless a task says otherwise.
        learning_rate: a good value for AdamW.
        notes: how the data were made or where they came from, for the signature.

    Raises:
        ValueError: there is no task, a name comes twice, or a number is out of range.
    """

    name: str
    parts: tuple[TaskData, ...]
    encoder: Callable[[], nn.Module]
    width: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        check_tasks(self.tasks)
        check_integer("width", self.width, low=1)
        check_integer("batch_size", self.batch_size, low=1)
        check_number("learning_rate", self.learning_rate, low=0.0, low_open=True)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks as policies see them."""
        return tuple(part.task for part in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tasks, in order."""
        return tuple(part.name for part in self.parts)

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of the data of each task."""
        return {part.name: part.checksum for part in self.parts}

    @property
    def checksum(self) -> str:
        """SHA-256 of names, data, heads and metrics."""
        described = [[part.name, part.checksum, repr(part.head), *part.metrics, *part.primary] for part in self.parts]
        return hashlib.sha256(json.dumps(described).encode()).hexdigest()

    def batch_size_of(self, name: str) -> int:
        """Examples in a batch of this task."""
        return self[name].batch_size or self.batch_size

    def __getitem__(self, name: str) -> TaskData:
        for part in self.parts:
            if part.name == name:
                return part
        check_names("task", [name], self.names)
        raise KeyError(name)

    def select(self, names: Sequence[str]) -> Self:
        """The same workload with these tasks only, in this order.

        Raises:
            ValueError: a task is unknown, comes twice, or none is named.
        """
        check_names("tasks", list(names), self.names)
        return replace(self, parts=tuple(self[name] for name in names))

    def with_priorities(self, priorities: Mapping[str, float]) -> Self:
        """The same workload with other priorities for the tasks named.

        Raises:
            ValueError: a task is unknown, or a priority is negative or not finite.
        """
        check_names("priorities", list(priorities), self.names)
        parts = tuple(replace(part, priority=float(priorities.get(part.name, part.priority))) for part in self.parts)
        return replace(self, parts=parts)


def objective(scores: Mapping[str, float], tasks: Sequence[Task], kind: ObjectiveName = "mean") -> float:
    """Priority-weighted mean of scores, or the `worst` of them; NaN if the score of a task that counts is missing.

    >>> tasks = [Task(name="a"), Task(name="b", priority=3.0)]
    >>> objective({"a": 0.5, "b": 1.0}, tasks)
    0.875
    >>> objective({"a": 0.5, "b": 1.0}, tasks, "worst")
    0.5
    """
    counted = [(scores.get(task.name, math.nan), task.priority) for task in tasks if task.priority > 0]
    if kind == "worst":
        return math.nan if any(math.isnan(score) for score, _ in counted) else min(score for score, _ in counted)
    return sum(score * priority for score, priority in counted) / sum(task.priority for task in tasks)
