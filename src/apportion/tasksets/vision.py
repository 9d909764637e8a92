"""Mixed pictures of 8 x 8 pixels: handwritten digits that scikit-learn ships, and drawings made on the spot."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .._check import check_integer
from .._optional import optional
from ..records import Ints
from ..training import Classification, Head, Regression, TaskData, Taskset, TensorExamples

_WIDTH, _SIDE = 64, 8
_HELD_OUT = 400
Images = NDArray[np.float32]


def vision(*, seed: int = 0) -> Taskset:
    """Makes seven tasks on pictures of two kinds, so that tasks of one kind help each other and hardly the others.

    ==========  =====  ========  =====================================================================
    task         size  score     what it is
    ==========  =====  ========  =====================================================================
    digits        900  accuracy  which digit?
    few_digits    100  accuracy  which digit, mirrored?
    parity        900  accuracy  is the digit even?
    shapes       1200  accuracy  disk, ring, square, cross or triangle, anywhere, under noise
    few_shapes    100  accuracy  the same shapes, bright on dark turned to dark on bright
    dots         1200  R2        how many dots, one to nine?
    brightness   1200  R2        how bright is the picture? Learned at once
    ==========  =====  ========  =====================================================================

    The digits are those of `tasksets.digits`; the rest is drawn. Packages that ship photographs of many classes are no
    dependencies of this one.

    Args:
        seed: of the split and the drawings.

    Raises:
        ValueError: `seed` is negative.
        MissingExtraError: scikit-learn is not installed.

    >>> [task.size for task in vision().tasks]
    [900, 100, 900, 1200, 100, 1200, 1200]
    """
    check_integer("seed", seed, low=0)
    return _made(seed)


@lru_cache(maxsize=4)
def _made(seed: int) -> Taskset:
    random = np.random.Generator(np.random.PCG64(seed))
    data: Any = optional("sklearn.datasets", extra="train").load_digits()
    written: Images = (np.asarray(data.images) / 16.0).astype(np.float32)
    digit: Ints = np.asarray(data.target).astype(np.int64)
    order = random.permutation(len(written))
    written, digit = written[order], digit[order]
    shapes, kind = _shapes(random, 1200 + 2 * _HELD_OUT)
    dark, dark_kind = _shapes(random, 100 + 2 * _HELD_OUT)
    dots, count = _dots(random, 1200 + 2 * _HELD_OUT)
    level = random.uniform(0.1, 0.9, 1200 + 2 * _HELD_OUT)
    grey = (level[:, None, None] + random.normal(0.0, 0.2, (len(level), _SIDE, _SIDE))).astype(np.float32)

    def part(name: str, size: int, images: Images, labels: NDArray[Any], head: Head) -> TaskData:
        # Digits have 1,797 pictures: the same held-out ones for all tasks on them.
        held = len(images) - 2 * _HELD_OUT
        spans = (slice(size), slice(held, held + _HELD_OUT), slice(held + _HELD_OUT, None))
        train, validation, test = (
            TensorExamples(torch.from_numpy(images[span, None] - 0.3), torch.from_numpy(labels[span].copy()))
            for span in spans
        )
        metrics = ("r2",) if isinstance(head, Regression) else ("accuracy",)
        return TaskData(
            name=name,
            train=train,
            validation={"": validation},
            test={"": test},
            head=head,
            metrics=metrics,
            primary=metrics,
        )

    five = Classification(5)
    return Taskset(
        name="vision",
        parts=(
            part("digits", 900, written, digit, Classification(10)),
            part("few_digits", 100, written[:, :, ::-1].copy(), digit, Classification(10)),
            part("parity", 900, written, digit % 2, Classification(2)),
            part("shapes", 1200, shapes, kind, five),
            part("few_shapes", 100, 1 - dark, dark_kind, five),
            part("dots", 1200, dots, count.astype(np.float32), Regression(mean=5.0, scale=float(count.std()))),
            part("brightness", 1200, grey, level.astype(np.float32), Regression(mean=0.5, scale=float(level.std()))),
        ),
        encoder=_encoder,
        width=_WIDTH,
        batch_size=16,
        learning_rate=1e-2,
        notes={"data_seed": seed, "pictures": "scikit-learn load_digits, and drawings"},
    )


def _shapes(random: np.random.Generator, n: int) -> tuple[Images, Ints]:
    """Disks, rings, squares, crosses and triangles of many sizes and places."""
    kind = random.integers(0, 5, n)
    radius = random.uniform(1.5, 3.0, n)[:, None, None]
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float64)
    across = x[None] - random.uniform(2.5, 4.5, n)[:, None, None]
    down = y[None] - random.uniform(2.5, 4.5, n)[:, None, None]
    distance = np.hypot(across, down)
    largest = np.maximum(np.abs(across), np.abs(down))
    drawn = np.stack(
        [
            distance <= radius,
            np.abs(distance - radius) <= 0.7,
            largest <= 0.85 * radius,
            (np.minimum(np.abs(across), np.abs(down)) <= 0.6) & (largest <= radius),
            (down >= -radius) & (np.abs(across) <= 0.5 * (down + radius)) & (down <= radius),
        ]
    )
    picture = drawn[kind, np.arange(n)] + random.normal(0.0, 0.25, (n, _SIDE, _SIDE))
    return picture.astype(np.float32), kind.astype(np.int64)


def _dots(random: np.random.Generator, n: int) -> tuple[Images, Ints]:
    """One to nine single bright pixels under noise."""
    count = random.integers(1, 10, n)
    ranks = random.random((n, _SIDE * _SIDE)).argsort(axis=1).argsort(axis=1)
    picture = (ranks < count[:, None]).reshape(n, _SIDE, _SIDE) + random.normal(0.0, 0.15, (n, _SIDE, _SIDE))
    return picture.astype(np.float32), count.astype(np.int64)


def _encoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, _WIDTH),
        nn.ReLU(),
    )
