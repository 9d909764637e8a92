"""Held-out evaluations: scores, losses and, where a policy asks for them, gradients of all tasks."""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..records import Ints, ObjectiveName, Task
from .examples import Batch, Examples
from .metrics import metric
from .model import MultitaskModel
from .passes import Passes
from .probes import cosine
from .taskset import TaskData, objective
from .trials import Weighted, trial_gains

GRADIENTS: frozenset[str] = frozenset({"gradient_norm", "gradient_variance", "gradient_alignment", "gradient_inner"})
"""Held-out measurements that need gradients."""

MEASURABLE: frozenset[str] = GRADIENTS | {"loss", "reference_loss", "trial_gain"}
"""What a policy may ask for as `evaluation.NAME`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScore:
    """What an evaluation found for one task.

    Attributes:
        score: mean of the primary metrics over the held-out sets; NaN where one of them is undefined.
        loss: mean held-out loss over the sets.
        metrics: by `NAME`, or `SET/NAME` where a task has several sets; NaN where undefined.
        undefined: why a metric is undefined, by its name.
    """

    score: float
    loss: float
    metrics: dict[str, float] = field(default_factory=dict[str, float])
    undefined: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def is_measured(self) -> bool:
        """Whether the evaluation looked at this task; a score may be undefined even then."""
        return not math.isnan(self.loss)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """An evaluation of all tasks at one moment of a run.

    Attributes:
        step: decisions made before it.
        spent: budget used before it.
        cost: budget that it used.
        tasks: by name.
        measured: further values by name, then task.
    """

    step: int
    spent: float
    cost: float
    tasks: dict[str, TaskScore]
    measured: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])

    @property
    def scores(self) -> dict[str, float]:
        """Score of each task, NaN where undefined."""
        return {name: found.score for name, found in self.tasks.items()}

    def objective(self, tasks: Sequence[Task], kind: ObjectiveName = "mean") -> float:
        """Priority-weighted mean of the scores, or the worst of them."""
        return objective(self.scores, tasks, kind)


class HeldOut:
    """Evaluates all tasks on a fixed subsample of their validation sets, or on the whole of their final sets.

    The subsample depends on the names of task and set alone, so all runs of a workload are evaluated on the same
    examples.

    Args:
        passes: through the model.
        size: examples per set in the subsample; 0 takes all.
        gradient_batches: training batches per task behind each gradient.
        reference: model behind `reference_loss`; None where it is not needed.
        optimizer: of the model, for `trial_gain`.
    """

    def __init__(
        self,
        passes: Passes,
        size: int,
        gradient_batches: int,
        reference: MultitaskModel | None,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._passes = passes
        self._optimizer = optimizer
        self._gradient_batches = gradient_batches
        self._reference = reference
        self._sample = [
            {
                name: list(self._batches(examples, subsample(part.name, name, len(examples), size), index))
                for name, examples in part.validation.items()
            }
            for index, part in enumerate(passes.parts)
        ]

    @property
    def sample(self) -> list[tuple[int, Batch]]:
        """The (task, batch) pairs of one evaluation."""
        return [
            (task, batch) for task, sets in enumerate(self._sample) for batches in sets.values() for batch in batches
        ]

    def work(self, names: Collection[str]) -> list[tuple[int, Batch]]:
        """The (task, batch) pairs of an evaluation of some tasks."""
        return [item for item in self.sample if self._passes.parts[item[0]].name in names]

    def scores(self, names: Collection[str]) -> dict[str, TaskScore]:
        """Scores of some tasks on the subsample: primary metrics only.

        Raises:
            FloatingPointError: the held-out loss of a task is not finite.
        """
        return self._scored(self._sample, [list(dict.fromkeys(part.primary)) for part in self._passes.parts], names)

    def final(self) -> dict[str, TaskScore]:
        """Scores on the whole of the final sets: all metrics.

        Raises:
            FloatingPointError: the held-out loss of a task is not finite.
        """
        parts = self._passes.parts
        sets = [
            {name: self._batches(examples, np.arange(len(examples)), index) for name, examples in part.final.items()}
            for index, part in enumerate(parts)
        ]
        return self._scored(sets, [list(dict.fromkeys([*part.metrics, *part.primary])) for part in parts])

    def measure(self, wanted: frozenset[str], number: int) -> dict[str, dict[str, float]]:
        """Further measurements of evaluation `number`, by name, then task.

        `gradient_norm` is |g|^2 of the mean gradient g of a task's training loss on the shared weights, less the part
        that noise adds to it, and at least 0; `gradient_variance` the variance of an example's gradient, summed over
        weights; `gradient_inner` the inner product of g with the sum of the other tasks' that count;
        `gradient_alignment` the cosine between g and the gradient of the held-out objective, on a batch of every
        held-out set. `trial_gain` is the fall of the objective's loss on those batches by an update on one batch of the
        task alone, which is then undone. Keeps one gradient per task in memory.
        """
        found: dict[str, dict[str, float]] = {}
        names = [part.name for part in self._passes.parts]
        if "reference_loss" in wanted:
            found["reference_loss"] = {name: self._loss(task, self._reference) for task, name in enumerate(names)}
        if "trial_gain" in wanted:
            self._passes.model.eval()
            batches = [self._passes.probe("trial", number, task) for task in range(len(names))]
            gains = trial_gains(self._passes, self._optimizer, batches, self._held_out_batches(number))
            found["trial_gain"] = dict(zip(names, gains, strict=True))
            self._passes.model.train()
        if wanted & GRADIENTS:
            self._passes.model.eval()
            means, squares = self._gradients(number)
            held_out = self._held_out(number) if "gradient_alignment" in wanted else None
            self._passes.model.train()
            total = sum(mean for mean, part in zip(means, self._passes.parts, strict=True) if part.priority > 0)
            for task, name in enumerate(names):
                mean, part = means[task], self._passes.parts[task]
                n, size = self._gradient_batches, min(self._passes.sizes[task], len(part.train))
                norm = float(mean @ mean)
                variance = max(squares[task] / n - norm, 0.0) * n / (n - 1)  # of a batch's gradient
                others = total - mean if part.priority > 0 else total
                values = {
                    "gradient_norm": max(norm - variance / n, 0.0),
                    "gradient_variance": variance * size,
                    "gradient_inner": float(mean @ torch.as_tensor(others)) if len(names) > 1 else 0.0,
                    "gradient_alignment": math.nan if held_out is None else cosine(mean, held_out),
                }
                for key in wanted & GRADIENTS:
                    found.setdefault(key, {})[name] = values[key]
        return found

    def gradient_work(self, wanted: frozenset[str]) -> list[tuple[int, Batch]]:
        """Batches that `measure` takes gradients of: (task, batch) each; the first stand for those that come later."""
        tasks, work = range(len(self._passes.parts)), list[tuple[int, Batch]]()
        if wanted & GRADIENTS:
            work += [(task, self._passes.probe("evaluation", 0, task)) for task in tasks] * self._gradient_batches
        if "gradient_alignment" in wanted:
            work += [(task, batch) for task, batch, _ in self._held_out_batches(0)]
        if "trial_gain" in wanted:
            work += [(task, self._passes.probe("trial", 0, task)) for task in tasks]
        return work

    def forward_work(self, wanted: frozenset[str]) -> list[tuple[int, Batch]]:
        """Batches of which scores and `measure` take the loss alone: (task, batch) each."""
        work = self.sample * (2 if "reference_loss" in wanted else 1)
        if "trial_gain" in wanted:
            held_out = [(task, batch) for task, batch, _ in self._held_out_batches(0)]
            work += held_out * (1 + len(self._passes.parts))
        return work

    def _batches(self, examples: Examples, numbers: Ints, task: int) -> Iterator[Batch]:
        lengths = getattr(examples, "lengths", None)
        if lengths is not None:  # alike lengths together need less padding
            numbers = numbers[np.argsort(lengths[numbers], kind="stable")]
        size = max(64, 4 * self._passes.sizes[task])
        for start in range(0, len(numbers), size):
            yield examples.take(numbers[start : start + size]).to(self._passes.processes.device)

    def _scored(
        self,
        sets: Sequence[Mapping[str, Iterable[Batch]]],
        metrics: list[list[str]],
        names: Collection[str] | None = None,
    ) -> dict[str, TaskScore]:
        passes, world, rank = self._passes, self._passes.processes.world, self._passes.processes.rank
        passes.model.eval()
        flat: list[float] = []
        measured = [(task, part) for task, part in enumerate(passes.parts) if names is None or part.name in names]
        for task, part in measured:
            for batches in sets[task].values():
                # Each process evaluates some of the tasks; the sum over processes brings them together.
                mine = task % world == rank
                flat += self._score(task, part, batches, metrics[task]) if mine else [0.0] * (1 + len(metrics[task]))
        passes.model.train()
        values = iter(passes.processes.sum_values(flat))
        found: dict[str, TaskScore] = {}
        for task, part in measured:
            by_set = {name: [next(values) for _ in range(1 + len(metrics[task]))] for name in sets[task]}
            found[part.name] = _collected(part, by_set, metrics[task])
        return found

    def _score(self, task: int, part: TaskData, batches: Iterable[Batch], metrics: list[str]) -> list[float]:
        passes, loss, n = self._passes, 0.0, 0
        predictions: list[Tensor] = []
        labels: list[Tensor] = []
        with torch.no_grad():
            for batch in batches:
                outputs = passes.outputs(task, batch)
                loss += float(part.head.losses(outputs, batch.labels).sum())
                n += batch.size
                predictions.append(part.head.predictions(outputs).cpu())
                labels.append(batch.labels.cpu())
        if not math.isfinite(loss):
            return [math.nan] * (1 + len(metrics))
        truth, guess = torch.cat(labels).numpy(), torch.cat(predictions).numpy()
        return [loss / n, *(metric(name).score(truth, guess) for name in metrics)]

    def _loss(self, task: int, model: MultitaskModel | None) -> float:
        passes, head = self._passes, self._passes.parts[task].head
        means: list[float] = []
        with torch.no_grad():
            for batches in self._sample[task].values():
                losses = [head.losses(passes.outputs(task, batch, model), batch.labels).sum() for batch in batches]
                means.append(float(sum(losses)) / sum(batch.size for batch in batches))
        return sum(means) / len(means)

    def _gradients(self, number: int) -> tuple[list[Tensor], list[float]]:
        passes, n = self._passes, self._gradient_batches
        means: list[Tensor] = []
        squares: list[float] = []
        for task in range(len(passes.parts)):
            total, square = None, 0.0
            for index in range(n):
                gradient = passes.gradient(task, passes.probe("evaluation", number * n + index, task))
                total = gradient if total is None else total + gradient
                square += float(gradient @ gradient)
            assert total is not None  # noqa: S101 (there are at least two batches)
            means.append(total / n)
            squares.append(square)
        return means, squares

    def _held_out_batches(self, number: int) -> list[Weighted]:
        """A batch of every held-out set that counts, with its weight in the objective: (task, batch, weight) each."""
        parts = self._passes.parts
        total = sum(part.priority for part in parts)
        return [
            (task, self._passes.probe("held out", number, task, examples), part.priority / total / len(part.validation))
            for task, part in enumerate(parts)
            if part.priority > 0
            for examples in part.validation.values()
        ]

    def _held_out(self, number: int) -> Tensor:
        batches = self._held_out_batches(number)
        return sum((self._passes.gradient(task, batch) * weight for task, batch, weight in batches), torch.zeros(()))


def subsample(task: str, split: str, total: int, size: int) -> Ints:
    """Numbers of the examples in the fixed subsample of a held-out set, ascending; all if `size` is 0 or too large."""
    if size == 0 or size >= total:
        return np.arange(total)
    random = np.random.Generator(np.random.PCG64([zlib.crc32(task.encode()), zlib.crc32(split.encode())]))
    return np.sort(random.permutation(total)[:size])


def _collected(part: TaskData, by_set: dict[str, list[float]], names: list[str]) -> TaskScore:
    metrics: dict[str, float] = {}
    undefined: dict[str, str] = {}
    for split, (loss, *values) in by_set.items():
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the held-out loss of task {part.name!r} is {loss}: lower the learning rate or clip the gradient, and "
                f"resume from the last checkpoint."
            )
        for name, value in zip(names, values, strict=True):
            key = f"{split}/{name}" if split else name
            metrics[key] = value
            if math.isnan(value):
                undefined[key] = metric(name).undefined
    primary = [metrics[f"{split}/{name}" if split else name] for split in by_set for name in part.primary]
    return TaskScore(
        score=sum(primary) / len(primary),
        loss=sum(loss for loss, *_ in by_set.values()) / len(by_set),
        metrics=metrics,
        undefined=undefined,
    )
