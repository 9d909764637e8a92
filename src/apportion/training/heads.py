"""What a task predicts: classes or a number."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .._check import check_integer, check_number
from .metrics import Kind


@dataclass(frozen=True, slots=True)
class Classification:
    """One of `classes` classes, numbered from 0; trained by cross-entropy.

    Raises:
        ValueError: fewer than two classes.
    """

    classes: int

    def __post_init__(self) -> None:
        check_integer("classes", self.classes, low=2)

    @property
    def kind(self) -> Kind:
        """The word for messages and metrics."""
        return "classification"

    @property
    def width(self) -> int:
        """Outputs of the head."""
        return self.classes

    def losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Loss of each example in nats, shape (n,), from outputs (n, classes) and labels (n,)."""
        return functional.cross_entropy(outputs, labels, reduction="none")

    def mean_loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Mean of `losses`, in one operation."""
        return functional.cross_entropy(outputs, labels)

    def predictions(self, outputs: Tensor) -> Tensor:
        """Predicted classes, shape (n,)."""
        return outputs.argmax(dim=1)

    def right(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Which examples are right, shape (n,)."""
        return outputs.argmax(dim=1) == labels

    def entropies(self, outputs: Tensor) -> Tensor:
        """Entropy of the prediction for each example in nats, shape (n,)."""
        logs = functional.log_softmax(outputs, dim=1)
        return -(logs.exp() * logs).sum(dim=1)


@dataclass(frozen=True, slots=True)
class Regression:
    """A number; trained by the squared error of labels scaled to mean 0 and standard deviation 1.

    Args:
        mean: of the training labels.
        scale: standard deviation of the training labels, above 0.
        tolerance: an example counts as right if it is off by at most this many standard deviations, above 0.

    Raises:
        ValueError: `scale` or `tolerance` is not above 0.
    """

    mean: float = 0.0
    scale: float = 1.0
    tolerance: float = 0.5

    def __post_init__(self) -> None:
        check_number("mean", self.mean)
        check_number("scale", self.scale, low=0.0, low_open=True)
        check_number("tolerance", self.tolerance, low=0.0, low_open=True)

    @property
    def kind(self) -> Kind:
        """The word for messages and metrics."""
        return "regression"

    @property
    def width(self) -> int:
        """Outputs of the head."""
        return 1

    def losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Squared error of each example in squared standard deviations, shape (n,), from outputs (n, 1)."""
        return (outputs[:, 0] - self._scaled(labels)) ** 2

    def mean_loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Mean of `losses`, in one operation."""
        return functional.mse_loss(outputs[:, 0], self._scaled(labels))

    def predictions(self, outputs: Tensor) -> Tensor:
        """Predicted numbers in the units of the labels, shape (n,)."""
        return outputs[:, 0].float() * self.scale + self.mean

    def right(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Which examples are within the tolerance, shape (n,)."""
        return self.losses(outputs, labels) <= self.tolerance**2

    def entropies(self, outputs: Tensor) -> Tensor:
        """Not defined for a point prediction.

        Raises:
            ValueError: always.
        """
        raise ValueError("a regression head predicts a point, which has no entropy: use another signal.")

    def _scaled(self, labels: Tensor) -> Tensor:
        return (labels.to(torch.float32) - self.mean) / self.scale


Head = Classification | Regression
