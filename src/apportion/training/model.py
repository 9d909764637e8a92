"""A shared encoder with one head per task."""

from __future__ import annotations

import zlib
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from .examples import Inputs
from .taskset import Taskset


class MultitaskModel(nn.Module):
    """A shared encoder with one linear head per task.

    Args:
        encoder: from inputs to features (n, width).
        width: number of features.
        outputs: outputs of each head, by task name.
    """

    def __init__(self, encoder: nn.Module, width: int, outputs: dict[str, int]) -> None:
        super().__init__()
        self.encoder = encoder
        self.names = tuple(outputs)
        self.heads = nn.ModuleDict({_key(name): nn.Linear(width, n) for name, n in outputs.items()})
        self._heads = [cast("nn.Linear", self.heads[_key(name)]) for name in outputs]

    def forward(self, task: int, inputs: Inputs) -> Tensor:
        """Outputs of the head of task number `task`, shape (n, outputs)."""
        return self._heads[task](self.encoder(inputs))

    def shared(self) -> list[nn.Parameter]:
        """Parameters of the encoder that are trained."""
        return [parameter for parameter in self.encoder.parameters() if parameter.requires_grad]

    def trained(self, task: int) -> list[nn.Parameter]:
        """Parameters that a batch of task number `task` trains."""
        return [*self.shared(), *self._heads[task].parameters()]


def make_model(taskset: Taskset, seed: int) -> MultitaskModel:
    """The model of a taskset, with weights that depend on the seed alone; leaves the global random state as it was.

    Each head has its own seed from its name, so that adding or removing a task leaves the other heads as they were.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MultitaskModel(taskset.encoder(), taskset.width, {part.name: part.head.width for part in taskset.parts})
        for name in taskset.names:
            torch.manual_seed(_head_seed(name, seed))
            cast("nn.Linear", model.heads[_key(name)]).reset_parameters()
    return model


def _head_seed(name: str, seed: int) -> int:
    entropy = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1))


def _key(name: str) -> str:
    # Module names must not contain a dot, nor be a method of ModuleDict.
    return "task:" + name.replace("%", "%25").replace(".", "%2E")
