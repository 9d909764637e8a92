"""Passes of one batch through a model, the same in training, probing and evaluation."""

from __future__ import annotations

import zlib
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from ..records import Ints
from .examples import Batch, Examples
from .model import MultitaskModel
from .processes import Processes
from .taskset import Taskset


class Passes:
    """Runs batches of any task through the model of a taskset.

    Args:
        taskset: for heads and data.
        model: to run.
        processes: for device and precision.
        seed: of the probe batches.
        batch_size: the user's, or None for the taskset's.
    """

    def __init__(
        self, taskset: Taskset, model: MultitaskModel, processes: Processes, seed: int, batch_size: int | None
    ) -> None:
        self.model = model
        self.processes = processes
        self.parts = taskset.parts
        self.seed = seed
        self.sizes = [batch_size or taskset.batch_size_of(name) for name in taskset.names]

    def outputs(self, task: int, batch: Batch, model: MultitaskModel | None = None) -> Tensor:
        """Outputs of the head, in full precision."""
        chosen = self.model if model is None else model
        if self.processes.precision == "fp32":
            return chosen(task, batch.inputs)
        with self.processes.autocast():
            return chosen(task, batch.inputs).float()

    def loss(self, task: int, batch: Batch, outputs: Tensor) -> Tensor:
        """Mean loss of the batch; with several processes the part of this one, so that the sum is the mean."""
        head = self.parts[task].head
        if self.processes.world == 1:
            return head.mean_loss(outputs, batch.labels)
        return head.losses(outputs, batch.labels).sum() / batch.size

    def measure(self, task: int, batch: Batch, model: MultitaskModel | None = None) -> float:
        """Mean loss of the batch without training on it."""
        with torch.no_grad():
            return float(self.loss(task, batch, self.outputs(task, batch, model)))

    def gradient(self, task: int, batch: Batch) -> Tensor:
        """Gradient of the batch's mean loss on the shared weights, as one vector, over all processes."""
        shared = self.model.shared()
        found = torch.autograd.grad(
            self.loss(task, batch, self.outputs(task, batch)), shared, allow_unused=True, materialize_grads=True
        )
        flat = torch.cat([part.reshape(-1) for part in found])
        return self.processes.sum_tensor(flat)

    def probe(self, purpose: str, number: int, task: int, examples: Examples | None = None) -> Batch:
        """A batch that is a pure function of seed, purpose, number and task; from the training data if not told."""
        chosen = self.parts[task].train if examples is None else examples
        random = generator(self.seed, purpose, number, task)
        numbers = random.choice(len(chosen), size=min(self.sizes[task], len(chosen)), replace=False, shuffle=False)
        return self.take(chosen, numbers)

    def take(self, examples: Examples, numbers: Ints) -> Batch:
        """This process's part of the examples with these numbers, on its device."""
        world, rank = self.processes.world, self.processes.rank
        batch = examples.take(numbers if world == 1 else numbers[rank::world])
        return batch._replace(size=len(numbers)).to(self.processes.device)


def generator(seed: int, purpose: str, number: int, task: int = 0) -> np.random.Generator:
    """Random numbers that are a pure function of the arguments."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(purpose.encode()), number, task]))


def random_state(device: torch.device) -> list[Tensor]:
    """The random state of torch on the processor and on this device."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def set_random_state(device: torch.device, states: list[Tensor]) -> None:
    """Go back to what `random_state` gave."""
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)


@contextmanager
def replayed(device: torch.device, states: list[Tensor]) -> Generator[None]:
    """Draw the random numbers (dropout) of another moment, then go on as if nothing had been drawn."""
    kept = random_state(device)
    set_random_state(device, states)
    try:
        yield
    finally:
        set_random_state(device, kept)
