"""Eight tasks made from scikit-learn's handwritten digits: a real workload that needs no download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .._check import check_integer, check_names
from .._optional import optional
from ..training import Classification, Regression, TaskData, Taskset, TensorExamples
from .derived import with_decoys

_TRAIN, _VALIDATION = 900, 397  # of 1,797 images; the remaining 500 are the test set
_CENTRE, _SPREAD = 0.305, 0.376  # mean and standard deviation of the pixels, which are from 0 to 1
_WIDTH = 64


def digits(*, seed: int = 0, decoys: bool = False, batch_sizes: Mapping[str, int] | None = None) -> Taskset:
    """Makes eight tasks of 8 x 8 images whose needs differ, so that it matters how a budget is shared.

    ========  ====  =====  =======================================================================================
    task      size  score  what it is
    ========  ====  =====  =======================================================================================
    negative   900  acc    are black and white swapped? Easy: a few batches suffice
    digit      600  acc    which digit? Medium; helps `few` and `noisy`
    rotated    900  acc    which digit, turned by any angle? Hard: gains as long as one trains
    shuffled   900  acc    which digit, its pixels in another order? Medium; shares nothing with the others
    few         80  acc    which digit, upside down? Only 80 examples
    noisy      900  acc    which digit? Half of the training labels were replaced by random ones
    random     900  acc    labels that are random in every set: nothing can be learned, the score stays near 0.1
    angle      900  R2     by how many degrees, up to 60 either way, was the digit turned? Unrelated regression
    ========  ====  =====  =======================================================================================

    Every image is in one of three parts, the same for all tasks: 900 to train on (or the first so many), 397 for
    evaluations during a run, 500 for the final scores. The encoder is one convolution of 16 channels and a layer of 64
    units; a run of 400 batches takes about a second on one core.

    The images are those of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository 1998, DOI 10.24432/C50P49 (CC BY 4.0), in the copy that scikit-learn ships (the 1,797 of its test set).

    Args:
        seed: of the split, the angles, the order of pixels and the noise; not of training.
        decoys: add two useless tasks and one with corrupted labels; see `with_decoys`.
        batch_sizes: examples in a batch of some tasks, by name; the others have 16. Under a budget in examples, tasks
            with large batches then cost more.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        ValueError: `batch_sizes` names an unknown task, or a size is below 1.

    >>> [task.size for task in digits().tasks]
    [900, 600, 900, 900, 80, 900, 900, 900]
    """
    check_integer("seed", seed, low=0)
    made = with_decoys(_made(seed), seed=seed) if decoys else _made(seed)
    sizes = dict(batch_sizes or {})
    check_names("batch_sizes", list(sizes), made.names)
    parts = tuple(replace(part, batch_size=sizes.get(part.name, part.batch_size)) for part in made.parts)
    return replace(made, parts=parts)


@lru_cache(maxsize=4)
def _made(seed: int) -> Taskset:
    data: Any = optional("sklearn.datasets", extra="train").load_digits()
    images: NDArray[np.float32] = (np.asarray(data.images) / 16.0).astype(np.float32)
    labels: NDArray[np.int64] = np.asarray(data.target).astype(np.int64)
    random = np.random.Generator(np.random.PCG64(seed))
    split = random.permutation(len(images))
    n = len(images)

    any_angle = random.uniform(-180, 180, n)
    small_angle = random.uniform(-60, 60, n)
    pixels = random.permutation(64)
    noisy = np.where(random.random(n) < 0.5, random.integers(0, 10, n), labels)
    swapped = random.random(n) < 0.5
    unrelated = random.integers(0, 10, n)
    shuffled = images.reshape(n, 64)[:, pixels].reshape(n, 8, 8)
    ten = Classification(10)
    scale = float(small_angle[split[:_TRAIN]].std())

    def part(name: str, inputs: NDArray[np.float32], targets: NDArray[Any], **options: Any) -> TaskData:
        size: int = options.pop("size", _TRAIN)
        train_targets: NDArray[Any] = options.pop("train_targets", targets)
        return TaskData(
            name=name,
            train=_examples(inputs, train_targets, split[:size]),
            validation={"": _examples(inputs, targets, split[_TRAIN : _TRAIN + _VALIDATION])},
            test={"": _examples(inputs, targets, split[_TRAIN + _VALIDATION :])},
            **options,
        )

    return Taskset(
        name="digits",
        parts=(
            part(
                "negative",
                np.where(swapped[:, None, None], 1 - images, images),
                swapped.astype(np.int64),
                head=Classification(2),
            ),
            part("digit", images, labels, head=ten, size=600),
            part("rotated", _turned(images, any_angle), labels, head=ten),
            part("shuffled", shuffled, labels, head=ten),
            part("few", images[:, ::-1], labels, head=ten, size=80),
            part("noisy", images, labels, head=ten, train_targets=noisy),
            part("random", images, unrelated, head=ten),
            part(
                "angle",
                _turned(images, small_angle),
                small_angle.astype(np.float32),
                head=Regression(scale=scale),
                metrics=("r2", "negative_rmse"),
                primary=("r2",),
            ),
        ),
        encoder=_encoder,
        width=_WIDTH,
        batch_size=16,
        learning_rate=1e-2,
        notes={"data_seed": seed, "images": "scikit-learn load_digits"},
    )


def _encoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, _WIDTH),
        nn.ReLU(),
    )


def _examples(images: NDArray[np.float32], targets: NDArray[Any], numbers: NDArray[np.int64]) -> TensorExamples:
    chosen = (images[numbers, None] - _CENTRE) / _SPREAD
    return TensorExamples(torch.from_numpy(chosen.astype(np.float32)), torch.from_numpy(targets[numbers].copy()))


def _turned(images: NDArray[np.float32], angles: NDArray[np.float64]) -> NDArray[np.float32]:
    rotate: Any = optional("scipy.ndimage", extra="train").rotate
    return np.stack([rotate(image, angle, reshape=False, order=1) for image, angle in zip(images, angles, strict=True)])
