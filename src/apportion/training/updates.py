"""From batches to updates of the weights, with credit to each batch's task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..loader import TaskBatch, TaskLoader
from .costs import Meter
from .examples import Batch
from .passes import Passes
from .probes import Probed, Probes, check_finite
from .settings import Settings


@dataclass(slots=True)
class Trained:
    """A batch whose gradient was taken and whose measurements were not told yet.

    Attributes:
        item: of the loader.
        probed: what was measured so far.
        loss: of this process's part of the batch.
    """

    item: TaskBatch
    probed: Probed
    loss: float


class Updates:
    """Takes gradients of batches, updates the weights, and tells the loader what each batch measured.

    Args:
        loader: of the run.
        passes: through the model.
        probes: measurements.
        meter: of costs.
        optimizer: of the model's weights.
        settings: of the training.
    """

    def __init__(
        self,
        loader: TaskLoader,
        passes: Passes,
        probes: Probes,
        meter: Meter,
        optimizer: torch.optim.Optimizer,
        settings: Settings,
    ) -> None:
        self._loader, self._passes, self._probes, self._meter = loader, passes, probes, meter
        self._optimizer, self._settings = optimizer, settings
        self._weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self._index = {name: index for index, name in enumerate(loader.names)}
        self._rates: list[float] = [group["lr"] for group in optimizer.param_groups]
        self._is_plain = settings.accumulate == 1 and passes.processes.world == 1 and not probes.gradients
        self.count = 0
        """Updates made so far."""
        self.reserved = 0.0
        """Budget that was used for something else before the first of them: the learning rate starts there."""
        self.seconds = 0.0
        """Time they took."""

    def train(self, item: TaskBatch) -> Trained:
        """Add the gradient of one batch, divided by the number of batches of an update.

        Raises:
            FloatingPointError: the loss is NaN or infinite; nothing has changed then.
        """
        task, probes = self._index[item.task], self._probes
        batch: Batch = item.batch.to(self._passes.processes.device)
        probed = Probed(task, batch) if probes.is_idle else probes.before(item.decision.step, task, batch)
        outputs = self._passes.outputs(task, batch)
        loss = self._passes.loss(task, batch, outputs)
        value = loss.item()
        total = value if self._passes.processes.world == 1 else self._passes.processes.sum_values([value])[0]
        if not math.isfinite(total):
            check_finite({"loss": total}, item.task, item.decision.step)
        if not probes.is_idle:
            probes.during(probed, outputs)
        if self._is_plain:
            loss.backward()
        else:
            self._accumulate(probed, loss)
        return Trained(item, probed, total)

    def update(self, group: Sequence[Trained]) -> list[tuple[Trained, float]]:
        """Make one update of the gradients of these batches, measure, and tell; gives the reward of each.

        Raises:
            FloatingPointError: a measurement is NaN or infinite; its decision is not logged.
            OSError: the log cannot be written.
        """
        settings, selector, world = self._settings, self._loader.selector, self._passes.processes.world
        if len(group) < settings.accumulate:
            for gradient in self._gradients():
                gradient *= settings.accumulate / len(group)
        amount, reserved = selector.budget.amount, self.reserved
        factor = rate_factor(settings, (selector.spent - reserved) / (amount - reserved))
        for parameters, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            parameters["lr"] = rate * factor
        if settings.clip is not None:
            nn.utils.clip_grad_norm_(self._passes.model.parameters(), settings.clip)
        self._optimizer.step()
        for weight in self._weights:  # what `zero_grad` does, without its hooks
            weight.grad = None
        self.count += 1
        for trained in group:
            self._probes.after(trained.probed)
        elapsed = self._meter.elapsed()
        self.seconds += elapsed
        time = self._passes.processes.sum_values([elapsed])[0] / world / len(group)
        rewards: list[tuple[Trained, float]] = []
        for trained in group:
            values, cost = self._measured(trained)
            if values.keys() != {"loss"}:
                check_finite(values, trained.item.task, trained.item.decision.step)
            cost = time if self._meter.unit == "seconds" else cost
            rewards.append((trained, self._loader.tell(trained.item, cost=cost, **values)))
        return rewards

    def _accumulate(self, probed: Probed, loss: Tensor) -> None:
        weights = self._passes.model.trained(probed.task)
        earlier = [weight.grad for weight in weights]
        for weight in weights:
            weight.grad = None
        loss.backward()
        self._passes.processes.sum_gradients(weights)
        if self._probes.gradients:
            self._probes.gradient(probed)
        for weight, before in zip(weights, earlier, strict=True):
            own = gradient_of(weight)
            if own is None:
                weight.grad = before
                continue
            own /= self._settings.accumulate
            if before is not None:
                own += before

    def _measured(self, trained: Trained) -> tuple[dict[str, float], float]:
        # Of several processes each measured its part of a sum, except for the loss and for gradients, which were summed
        # before. Costs are known to each process, but for tokens, of which each has its own.
        probed, sums = trained.probed, self._passes.processes.sum_values
        cost = self._meter.training(probed.task, trained.item.batch) + probed.cost
        if self._passes.processes.world > 1:
            names = list(probed.values)
            probed.values = dict(zip(names, sums([probed.values[name] for name in names]), strict=True))
            if self._meter.unit == "tokens":
                cost = sums([cost])[0]
        return {"loss": trained.loss, **probed.values, **probed.whole}, cost

    def _gradients(self) -> list[Tensor]:
        found = [gradient_of(weight) for weight in self._passes.model.parameters()]
        return [gradient for gradient in found if gradient is not None]


def gradient_of(weight: nn.Parameter) -> Tensor | None:
    """The gradient of a weight, if it has one."""
    return weight.grad


def rate_factor(settings: Settings, progress: float) -> float:
    """Learning rate at this fraction of the budget, as a fraction of its largest value.

    >>> rate_factor(Settings(schedule="linear"), 0.25)
    0.75
    """
    progress = min(progress, 1.0)
    # The first update must not have the rate 0, so it counts a thousandth of the budget.
    rising = min((progress + 1e-3) / settings.warmup, 1.0) if settings.warmup > 0 else 1.0
    if settings.schedule == "constant":
        return rising
    left = min((1 - progress) / (1 - settings.warmup), 1.0)
    return rising * (left if settings.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left)))
