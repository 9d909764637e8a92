"""Examples of one task, addressed by number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from ..records import Ints

Inputs = Tensor | dict[str, Tensor]


class Batch(NamedTuple):
    """A batch of one task.

    Attributes:
        inputs: what the encoder gets, examples on the first axis.
        labels: shape (n,), whole numbers for classes.
        size: number of examples, over all processes.
        tokens: tokens without padding in this process, 0 where the taskset has none.
    """

    inputs: Inputs
    labels: Tensor
    size: int
    tokens: int = 0

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        if device.type == "cpu":
            return self
        inputs = self.inputs
        moved: Inputs = (
            {name: value.to(device, non_blocking=True) for name, value in inputs.items()}
            if isinstance(inputs, dict)
            else inputs.to(device, non_blocking=True)
        )
        return Batch(moved, self.labels.to(device, non_blocking=True), self.size, self.tokens)


class Examples(Protocol):
    """A set of examples. `take` must give the same batch for the same numbers, so that a run can be repeated."""

    def __len__(self) -> int: ...

    def take(self, numbers: Ints) -> Batch:
        """The examples with these numbers as one batch."""
        ...

    def labels(self) -> np.ndarray[Any, Any]:
        """All labels, shape (n,)."""
        ...

    def checksum(self) -> str:
        """Hexadecimal SHA-256 of everything that `take` can give."""
        ...


@dataclass(slots=True)
class TensorExamples:
    """Examples in memory, such as images or cached features.

    Args:
        inputs: a tensor, or tensors by name, examples on the first axis.
        targets: labels, shape (n,).

    Raises:
        ValueError: inputs and labels differ in number.

    >>> TensorExamples(torch.eye(3), torch.tensor([0, 1, 2])).take(np.array([2])).inputs
    tensor([[0., 0., 1.]])
    """

    inputs: Inputs
    targets: Tensor

    def __post_init__(self) -> None:
        for value in self._tensors():
            if value.shape[0] != self.targets.shape[0]:
                raise ValueError(f"{value.shape[0]} inputs but {self.targets.shape[0]} labels.")

    def __len__(self) -> int:
        return self.targets.shape[0]

    def take(self, numbers: Ints) -> Batch:
        """The examples with these numbers as one batch."""
        index = torch.from_numpy(numbers)
        inputs: Inputs = (
            {name: value.index_select(0, index) for name, value in self.inputs.items()}
            if isinstance(self.inputs, dict)
            else self.inputs.index_select(0, index)
        )
        return Batch(inputs, self.targets.index_select(0, index), len(numbers))

    def labels(self) -> np.ndarray[Any, Any]:
        """All labels, shape (n,)."""
        return self.targets.numpy()

    def checksum(self) -> str:
        """SHA-256 of shapes, types and bytes."""
        return digest(value.numpy() for value in (*self._tensors(), self.targets))

    def _tensors(self) -> list[Tensor]:
        return list(self.inputs.values()) if isinstance(self.inputs, dict) else [self.inputs]


@dataclass(slots=True)
class MapExamples:
    """Examples of a map-style dataset: anything with a length and `dataset[number]`.

    Args:
        dataset: gives (input, label) pairs, always the same for the same number.
        collate: makes inputs and labels of a list of pairs; None stacks them.

    Raises:
        TypeError: the dataset has no length or cannot be indexed.
    """

    dataset: Any
    collate: Callable[[list[Any]], tuple[Inputs, Tensor]] | None = None

    def __post_init__(self) -> None:
        if not hasattr(self.dataset, "__len__") or not hasattr(self.dataset, "__getitem__"):
            raise TypeError(
                f"a dataset needs `len(dataset)` and `dataset[number]`, which {type(self.dataset).__name__} lacks: "
                f"turn a stream into a list, or into files."
            )

    def __len__(self) -> int:
        return len(self.dataset)

    def take(self, numbers: Ints) -> Batch:
        """The examples with these numbers as one batch."""
        items = [self.dataset[int(number)] for number in numbers]
        inputs, labels = self.collate(items) if self.collate is not None else _stack(items)
        return Batch(inputs, labels, len(numbers))

    def labels(self) -> np.ndarray[Any, Any]:
        """All labels, shape (n,)."""
        everything = [
            self.take(np.arange(start, min(start + 256, len(self)))).labels for start in range(0, len(self), 256)
        ]
        return torch.cat(everything).numpy() if everything else np.empty(0)

    def checksum(self) -> str:
        """SHA-256 of every example, one after another, so that padding does not matter."""
        return digest(value.numpy() for number in range(len(self)) for value in _flat(self.take(np.array([number]))))


def digest(arrays: Any) -> str:
    """SHA-256 of arrays with their shapes and types, as hexadecimal digits."""
    total = hashlib.sha256()
    for array in arrays:
        values = np.ascontiguousarray(array)
        total.update(f"{values.dtype.str}{values.shape}".encode())
        total.update(values.tobytes())
    return total.hexdigest()


def _flat(batch: Batch) -> Sequence[Tensor]:
    inputs = list(batch.inputs.values()) if isinstance(batch.inputs, dict) else [batch.inputs]
    return [*inputs, batch.labels]


def _stack(items: list[Any]) -> tuple[Inputs, Tensor]:
    pairs = cast("list[tuple[Any, Any]]", items)
    labels = torch.as_tensor(np.array([label for _, label in pairs]))
    first = pairs[0][0]
    if isinstance(first, Mapping):
        names = list(cast("Mapping[str, Any]", first))
        return {name: torch.stack([torch.as_tensor(item[name]) for item, _ in pairs]) for name in names}, labels
    return torch.stack([torch.as_tensor(item) for item, _ in pairs]), labels
