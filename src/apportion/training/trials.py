"""Trial updates: what training on each task would do for the objective, tried and undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .examples import Batch
from .passes import Passes

Weighted = tuple[int, Batch, float]
"""A held-out batch: its task, the batch, and its weight in the objective."""


def trial_gains(
    passes: Passes, optimizer: torch.optim.Optimizer, batches: Sequence[Batch], held_out: Sequence[Weighted]
) -> list[float]:
    """By how much one update on a batch of each task alone lowers the held-out loss of the objective.

    Each update is made by the run's own optimizer at its present learning rate, from the same weights, and undone.

    Args:
        passes: through the model, which should be in evaluation mode.
        optimizer: of the model; left as it was.
        batches: one for each task.
        held_out: what the objective is measured on.
    """
    before = _objective(passes, held_out)
    gains: list[float] = []
    for task, batch in enumerate(batches):
        weights = passes.model.trained(task)
        kept = [(weight, weight.detach().clone(), _copied(optimizer, weight)) for weight in weights]
        passes.loss(task, batch, passes.outputs(task, batch)).backward()
        passes.processes.sum_gradients(weights)
        optimizer.step()
        gains.append(before - _objective(passes, held_out))
        with torch.no_grad():
            for weight, value, state in kept:
                weight.copy_(value)
                weight.grad = None
                optimizer.state.pop(weight, None)
                if state is not None:
                    optimizer.state[weight] = state
    return gains


def _objective(passes: Passes, held_out: Sequence[Weighted]) -> float:
    own = sum(weight * passes.measure(task, batch) for task, batch, weight in held_out)
    return passes.processes.sum_values([own])[0]


def _copied(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> dict[str, Any] | None:
    if weight not in optimizer.state:
        return None
    return {
        key: value.clone() if isinstance(value, Tensor) else value for key, value in optimizer.state[weight].items()
    }
