"""What is measured at a decision, beside the training pass itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .._check import nearest
from ..records import priorities
from .costs import Meter
from .examples import Batch
from .model import MultitaskModel
from .passes import Passes, generator, random_state, replayed
from .taskset import Taskset

MEASURABLE: frozenset[str] = frozenset(
    {
        "cost",
        "entropy",
        "gradient_alignment",
        "gradient_norm",
        "loss",
        "loss_after",
        "mean_after",
        "mean_before",
        "reference_loss",
        "self_after",
        "self_before",
        "success",
        "target_after",
        "target_before",
    }
)
"""Measurements of `apportion.signals.MEASUREMENTS` that this loop can make."""

_OTHERS = ("self", "target", "mean")
_REFRESH = 8  # decisions per task between two held-out gradients: they then cost an eighth of the training


@dataclass(slots=True)
class Probed:
    """What was measured at one decision, and what is to be measured again after the update."""

    task: int
    batch: Batch
    values: dict[str, float] = field(default_factory=dict[str, float])
    whole: dict[str, float] = field(default_factory=dict[str, float])  # measured over all processes already
    cost: float = 0.0
    states: list[Tensor] = field(default_factory=list[Tensor])  # random state before the training pass
    again: list[tuple[str, int, Batch, list[Tensor]]] = field(
        default_factory=list[tuple[str, int, Batch, list[Tensor]]]
    )


class Probes:
    """Measures what a signal asks for, and only that, and says what it cost.

    Losses before and after an update are taken with the same dropout, so that they differ by the update alone. Other
    batches come from the training data: of the same task (`self_*`), of a task drawn by priority (`target_*`), or of a
    task drawn uniformly (`mean_*`). `gradient_norm` is over all weights that the batch trains. `gradient_alignment` is
    over the shared weights, with the gradient of the objective on one held-out batch per task, taken anew every eight
    decisions per task; that costs a step per task, charged to the decision at which it happens.

    Args:
        taskset: the tasks.
        passes: through the model.
        meter: of costs.
        needs: the measurements asked for.
        reference: model behind `reference_loss`; None where it is not needed.

    Raises:
        ValueError: a measurement cannot be made.
    """

    def __init__(
        self, taskset: Taskset, passes: Passes, meter: Meter, needs: frozenset[str], reference: MultitaskModel | None
    ) -> None:
        for name in sorted(needs - MEASURABLE):
            raise ValueError(
                f"the signal needs {name!r}, which this training loop cannot measure{nearest(name, MEASURABLE)}: it "
                f"measures {', '.join(sorted(MEASURABLE))}."
            )
        if "entropy" in needs:
            for part in taskset.parts:
                if part.head.kind == "regression":
                    raise ValueError(
                        f"the signal needs the entropy of predictions, which the regression {part.name!r} does not "
                        f"have: leave this task out, or take another signal."
                    )
        self.needs = needs
        self._passes = passes
        self._meter = meter
        self._reference = reference
        self._importance = priorities(taskset.tasks)
        self._others = [name for name in _OTHERS if f"{name}_before" in needs or f"{name}_after" in needs]
        self._replays = bool(needs & {"loss_after", "self_after", "target_after", "mean_after"})
        self.gradients = bool(needs & {"gradient_norm", "gradient_alignment"})
        self.held_out: Tensor | None = None
        """The gradient of the held-out objective, kept between decisions; part of a checkpoint."""

    @property
    def is_idle(self) -> bool:
        """Whether a decision needs nothing but its training loss."""
        return not self.needs - {"loss", "cost"}

    def before(self, step: int, task: int, batch: Batch) -> Probed:
        """Measure what has to be measured before the training pass of a decision."""
        passes, probed = self._passes, Probed(task, batch)
        device = passes.processes.device
        if self._replays or self._others:
            probed.states = random_state(device)
        for name in self._others:
            other = self._other(name, step, task)
            chosen = passes.probe(name, step, other)
            if f"{name}_before" in self.needs:
                with replayed(device, probed.states):
                    probed.values[f"{name}_before"] = passes.measure(other, chosen)
                probed.cost += self._meter.forward(other, chosen)
            if f"{name}_after" in self.needs:
                probed.again.append((f"{name}_after", other, chosen, probed.states))
        if "loss_after" in self.needs:
            probed.again.append(("loss_after", task, batch, probed.states))
        if "reference_loss" in self.needs:
            probed.values["reference_loss"] = passes.measure(task, batch, self._reference)
            probed.cost += self._meter.forward(task, batch)
        if "gradient_alignment" in self.needs and (self.held_out is None or step % (_REFRESH * len(passes.parts)) == 0):
            self.held_out = self._held_out_gradient(step, probed)
        return probed

    def during(self, probed: Probed, outputs: Tensor) -> None:
        """Read off what the outputs of the training pass say."""
        head, scale = self._passes.parts[probed.task].head, 1.0 / probed.batch.size
        with torch.no_grad():
            if "success" in self.needs:
                probed.values["success"] = float(head.right(outputs, probed.batch.labels).sum()) * scale
            if "entropy" in self.needs:
                probed.values["entropy"] = float(head.entropies(outputs).sum()) * scale

    def gradient(self, probed: Probed) -> None:
        """Read off what the gradient says that now lies in the weights, summed over all processes."""
        model = self._passes.model
        if "gradient_norm" in self.needs:
            own = _vector(model.trained(probed.task))
            probed.whole["gradient_norm"] = float(own @ own)
        if self.held_out is not None:
            probed.whole["gradient_alignment"] = cosine(_vector(model.shared()), self.held_out)

    def after(self, probed: Probed) -> None:
        """Measure what has to be measured after the update."""
        for name, task, batch, states in probed.again:
            with replayed(self._passes.processes.device, states):
                probed.values[name] = self._passes.measure(task, batch)
            probed.cost += self._meter.forward(task, batch)

    def _other(self, name: str, step: int, task: int) -> int:
        if name == "self":
            return task
        shares = self._importance if name == "target" else None
        return int(generator(self._passes.seed, f"{name} task", step).choice(len(self._importance), p=shares))

    def _held_out_gradient(self, step: int, probed: Probed) -> Tensor:
        passes = self._passes
        total: Tensor | None = None
        with replayed(passes.processes.device, random_state(passes.processes.device)):
            for task, weight in enumerate(self._importance):
                if weight == 0:
                    continue
                for examples in passes.parts[task].validation.values():
                    batch = passes.probe("held out", step, task, examples)
                    part = passes.gradient(task, batch) * (weight / len(passes.parts[task].validation))
                    total = part if total is None else total + part
                    probed.cost += self._meter.work(task, batch.size, batch.tokens)
        assert total is not None  # noqa: S101 (priorities do not sum to zero)
        return total


def _vector(weights: list[nn.Parameter]) -> Tensor:
    found = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
    return torch.cat([gradient.reshape(-1) for gradient in found])


def cosine(first: Tensor, second: Tensor) -> float:
    """Cosine of the angle between two vectors; 0 if one of them is zero."""
    size = float(first.norm()) * float(second.norm())
    return float(first @ second) / size if size > 0 else 0.0


def check_finite(values: Mapping[str, float], task: str, step: int) -> None:
    """Refuse a measurement that is not finite.

    Raises:
        FloatingPointError: one is NaN or infinite.
    """
    for name, value in values.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"`{name}` of task {task!r} at step {step} is {value}: lower the learning rate or clip the gradient, "
                f"look at the data of this task, and resume from the last checkpoint. It taught nothing."
            )
