"""Held-out metrics from scikit-learn and scipy, and the rule for samples on which a metric is undefined."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._check import check_choice
from .._optional import optional

Kind = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A score of predictions against labels, bigger is better.

    Where the sample does not determine the metric, the score is NaN: callers report it and leave it out, and never put
    a number in its place.

    Attributes:
        name: as in configurations.
        kind: of the tasks that it fits.
        low: smallest possible value.
        high: largest possible value.
        undefined: when the score is NaN, in words.
        compute: from (labels, predictions), each of shape (n,), to the score.
        defined: from (labels, predictions) to whether the sample determines the metric.
    """

    name: str
    kind: Kind
    low: float
    high: float
    undefined: str
    compute: Callable[[NDArray[Any], NDArray[Any]], float]
    defined: Callable[[NDArray[Any], NDArray[Any]], bool]

    def score(self, labels: NDArray[Any], predictions: NDArray[Any]) -> float:
        """The metric on a sample, NaN where it is undefined.

        Raises:
            ValueError: the arrays differ in length.
        """
        if labels.shape != predictions.shape:
            raise ValueError(f"{self.name}: {labels.shape[0]} labels but {predictions.shape[0]} predictions.")
        return float(self.compute(labels, predictions)) if self.defined(labels, predictions) else math.nan


def metric(name: str) -> Metric:
    """The metric of this name.

    Raises:
        ValueError: there is none.

    >>> metric("accuracy").score(np.array([0, 1, 1]), np.array([0, 1, 0]))
    0.6666666666666666
    >>> metric("matthews").score(np.array([1, 1]), np.array([0, 1]))  # one class says nothing about a correlation
    nan
    """
    check_choice("metric", name, METRICS)
    return METRICS[name]


def _sklearn(function: str, **options: Any) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    def compute(labels: NDArray[Any], predictions: NDArray[Any]) -> float:
        return getattr(optional("sklearn.metrics", extra="train"), function)(labels, predictions, **options)

    return compute


def _scipy(function: str) -> Callable[[NDArray[Any], NDArray[Any]], float]:
    def compute(labels: NDArray[Any], predictions: NDArray[Any]) -> float:
        return getattr(optional("scipy.stats", extra="train"), function)(labels, predictions).statistic

    return compute


def _negative_rmse(labels: NDArray[Any], predictions: NDArray[Any]) -> float:
    return -_sklearn("root_mean_squared_error")(labels, predictions)


def _any(labels: NDArray[Any], predictions: NDArray[Any]) -> bool:
    return labels.size > 0


def _two_classes(labels: NDArray[Any], predictions: NDArray[Any]) -> bool:
    return labels.size > 0 and bool((labels != labels[0]).any())


def _both_vary(labels: NDArray[Any], predictions: NDArray[Any]) -> bool:
    # The sample needs two different values on both sides, beyond rounding, for a correlation to exist.
    return labels.size > 1 and all(np.ptp(side) > 1e-12 * (1 + np.abs(side).max()) for side in (labels, predictions))


_EMPTY, _ONE_CLASS = "the sample is empty", "the labels of the sample hold one class only"
_CONSTANT = "labels or predictions are constant"

METRICS: Mapping[str, Metric] = {
    item.name: item
    for item in (
        Metric("accuracy", "classification", 0, 1, _EMPTY, _sklearn("accuracy_score"), _any),
        Metric(
            "balanced_accuracy", "classification", 0, 1, _ONE_CLASS, _sklearn("balanced_accuracy_score"), _two_classes
        ),
        # F1 of the class 1; a model that never predicts it gets 0.
        Metric("f1", "classification", 0, 1, _ONE_CLASS, _sklearn("f1_score", zero_division=0.0), _two_classes),
        Metric(
            "macro_f1",
            "classification",
            0,
            1,
            _ONE_CLASS,
            _sklearn("f1_score", average="macro", zero_division=0.0),
            _two_classes,
        ),
        # Constant predictions give 0, as scikit-learn and so the official scorer of GLUE define it.
        Metric("matthews", "classification", -1, 1, _ONE_CLASS, _sklearn("matthews_corrcoef"), _two_classes),
        Metric("pearson", "regression", -1, 1, _CONSTANT, _scipy("pearsonr"), _both_vary),
        Metric("spearman", "regression", -1, 1, _CONSTANT, _scipy("spearmanr"), _both_vary),
        Metric(
            "r2",
            "regression",
            -math.inf,
            1,
            "the labels of the sample are constant",
            _sklearn("r2_score"),
            _two_classes,
        ),
        Metric("negative_rmse", "regression", -math.inf, 0, _EMPTY, _negative_rmse, _any),
    )
}
"""All metrics by name."""
