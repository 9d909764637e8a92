"""Sets of examples made from others: a part of one, or one with other labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..records import Ints
from ..training import Batch, Examples
from ..training.examples import digest


@dataclass(slots=True)
class Part:
    """Some of the examples of a set.

    Args:
        whole: the set.
        numbers: which of its examples, shape (n,).
    """

    whole: Examples
    numbers: Ints

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, numbers: Ints) -> Batch:
        """The examples with these numbers as one batch."""
        return self.whole.take(self.numbers[numbers])

    def labels(self) -> np.ndarray[Any, Any]:
        """All labels, shape (n,)."""
        return np.asarray(self.whole.labels())[self.numbers]

    def checksum(self) -> str:
        """SHA-256 of the set and of the numbers."""
        return digest([np.frombuffer(self.whole.checksum().encode(), np.uint8), self.numbers])


@dataclass(slots=True)
class Relabelled:
    """A set with other labels.

    Args:
        inner: where the inputs come from.
        targets: labels, shape (n,).

    Raises:
        ValueError: there are more or fewer labels than examples.
    """

    inner: Examples
    targets: Tensor

    def __post_init__(self) -> None:
        if len(self.inner) != self.targets.shape[0]:
            raise ValueError(f"{len(self.inner)} examples but {self.targets.shape[0]} labels.")

    def __len__(self) -> int:
        return len(self.inner)

    def take(self, numbers: Ints) -> Batch:
        """The examples with these numbers as one batch."""
        return self.inner.take(numbers)._replace(labels=self.targets[torch.from_numpy(numbers)])

    def labels(self) -> np.ndarray[Any, Any]:
        """All labels, shape (n,)."""
        return self.targets.numpy()

    def checksum(self) -> str:
        """SHA-256 of the set and of the labels."""
        return digest([np.frombuffer(self.inner.checksum().encode(), np.uint8), self.targets.numpy()])
