"""Tables made by a generator: tasks that share hidden factors, to a degree that is set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .._check import check_integer, check_number
from ..records import Floats
from ..training import Classification, Regression, TaskData, Taskset, TensorExamples

_COLUMNS, _FACTORS, _WIDTH = 24, 12, 64
_HELD_OUT = 400


@dataclass(frozen=True, slots=True)
class _Spec:
    size: int
    classes: int | None  # None is a regression
    related: bool  # to the group of the main tasks
    noise: float  # standard deviations of the score before it becomes a class
    layers: int  # 1: linear in the factors, 2: a small network of them


_TASKS: dict[str, _Spec] = {
    "easy": _Spec(1200, 2, True, 0.1, 1),
    "main": _Spec(1200, 4, True, 0.3, 2),
    "small": _Spec(100, 4, True, 0.3, 2),
    "value": _Spec(1200, None, True, 0.4, 2),
    "noisy": _Spec(1200, 2, True, 3.0, 2),
    "other": _Spec(1200, 4, False, 0.3, 2),
    "other_small": _Spec(150, None, False, 0.3, 1),
}


def tabular(*, seed: int = 0, relatedness: float = 0.8) -> Taskset:
    """Makes seven tasks on rows of 24 numbers, some of which share the hidden factors that labels depend on.

    Twelve factors are a fixed nonlinear function of a row. A task's label is a function of factors mixed as
    sqrt(r) * common + sqrt(1 - r) * own, with r the relatedness, or 0 for `other` and `other_small`; noise is added and
    the sum is cut into classes of equal size, or kept as a number.

    ============  =====  ========  ==========================================================
    task           size  score     what it is
    ============  =====  ========  ==========================================================
    easy           1200  accuracy  two classes, linear in the factors, hardly any noise
    main           1200  accuracy  four classes
    small           100  accuracy  four classes, only 100 rows
    value          1200  R2        a number
    noisy          1200  accuracy  two classes under noise: little above 0.5 can be reached
    other          1200  accuracy  four classes of other factors
    other_small     150  R2        a number of other factors, 150 rows
    ============  =====  ========  ==========================================================

    The scheme is that of generators for multitask tables with a set relatedness (MultiTab, whose text could not be
    checked); the numbers are ours.

    Args:
        seed: of everything.
        relatedness: r, in [0, 1].

    Raises:
        ValueError: an argument is out of range.

    >>> [task.size for task in tabular().tasks]
    [1200, 1200, 100, 1200, 1200, 1200, 150]
    """
    check_integer("seed", seed, low=0)
    check_number("relatedness", relatedness, low=0.0, high=1.0)
    return _made(seed, float(relatedness))


@lru_cache(maxsize=4)
def _made(seed: int, relatedness: float) -> Taskset:
    random = np.random.Generator(np.random.PCG64(seed))

    def network(inputs: int, outputs: int) -> tuple[Floats, Floats]:
        return random.normal(size=(inputs, 32)) / inputs**0.5, random.normal(size=(32, outputs)) / 32**0.5

    def through(weights: tuple[Floats, Floats], values: Floats) -> Floats:
        return np.tanh(1.5 * values @ weights[0]) @ weights[1]

    factors = network(_COLUMNS, _FACTORS)
    common = random.normal(size=(_FACTORS, 6)) / _FACTORS**0.5
    parts: list[TaskData] = []
    for name, spec in _TASKS.items():
        own = random.normal(size=(_FACTORS, 6)) / _FACTORS**0.5
        r = relatedness if spec.related else 0.0
        mixing = r**0.5 * common + (1 - r) ** 0.5 * own
        head, line = network(6, 1), random.normal(size=(6, 1))
        rows = random.normal(size=(spec.size + 2 * _HELD_OUT, _COLUMNS))
        mixed = through(factors, rows) @ mixing
        score = (through(head, 3.0 * mixed) if spec.layers == 2 else mixed @ line)[:, 0]
        score = score / score.std() + spec.noise * random.normal(size=len(rows))
        cuts = np.quantile(score, np.linspace(0, 1, (spec.classes or 1) + 1)[1:-1])
        labels: NDArray[Any] = (
            score.astype(np.float32) if spec.classes is None else np.digitize(score, cuts).astype(np.int64)
        )
        ends = np.cumsum([spec.size, _HELD_OUT, _HELD_OUT])
        train, validation, test = (
            TensorExamples(torch.from_numpy(rows[first:last].astype(np.float32)), torch.from_numpy(labels[first:last]))
            for first, last in zip([0, *ends[:-1]], ends, strict=True)
        )
        regression = spec.classes is None
        parts.append(
            TaskData(
                name=name,
                train=train,
                validation={"": validation},
                test={"": test},
                head=Regression(mean=float(score.mean()), scale=float(score.std()))
                if spec.classes is None
                else Classification(spec.classes),
                metrics=("r2",) if regression else ("accuracy",),
                primary=("r2",) if regression else ("accuracy",),
            )
        )
    return Taskset(
        name="tabular",
        parts=tuple(parts),
        encoder=_encoder,
        width=_WIDTH,
        batch_size=16,
        learning_rate=3e-3,
        notes={"data_seed": seed, "relatedness": relatedness},
    )


def _encoder() -> nn.Module:
    return nn.Sequential(nn.Linear(_COLUMNS, 128), nn.ReLU(), nn.Linear(128, _WIDTH), nn.ReLU())
