"""Tasksets made from others: with tasks that waste budget, or with final scores on examples of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from ..records import Ints
from ..training import Examples, TaskData, Taskset
from ._wrapped import Part, Relabelled

MOST_SET_ASIDE = 500
WRONG = 0.8
"""Fraction of the training labels of `corrupted` that were shuffled."""


def with_decoys(taskset: Taskset, *, seed: int = 0) -> Taskset:
    """Adds three tasks to a taskset that spend budget for nothing: two useless ones and one with corrupted labels.

    `useless_1` and `useless_2` have the inputs of the largest and the smallest task, and labels shuffled in every set:
    nothing can be learned. `corrupted` is the second smallest with `WRONG` of its training labels shuffled, its
    held-out labels as they were. All three have the priority of an ordinary task, 1: who adds a task does not know that
    it is useless.

    Args:
        taskset: without tasks of these names.
        seed: of the shuffling.

    Raises:
        ValueError: a task has one of the names already.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    by_size = sorted(taskset.parts, key=lambda part: (len(part.train), part.name))
    small, second, large = by_size[0], by_size[min(1, len(by_size) - 1)], by_size[-1]

    def shuffled(examples: Examples, fraction: float = 1.0) -> Examples:
        labels = np.array(examples.labels())
        moved = np.flatnonzero(random.random(len(labels)) < fraction)
        labels[moved] = labels[random.permutation(moved)]
        return Relabelled(examples, torch.from_numpy(labels))

    def useless(part: TaskData, name: str) -> TaskData:
        held_out: dict[str, Mapping[str, Examples] | None] = {
            key: None if sets is None else {name: shuffled(item) for name, item in sets.items()}
            for key, sets in (("validation", part.validation), ("test", part.test))
        }
        validation = held_out["validation"] or {}
        return replace(
            part, name=name, priority=1.0, train=shuffled(part.train), validation=validation, test=held_out["test"]
        )

    corrupted = replace(second, name="corrupted", priority=1.0, train=shuffled(second.train, WRONG))
    return replace(
        taskset,
        parts=(*taskset.parts, useless(large, "useless_1"), useless(small, "useless_2"), corrupted),
        notes={**taskset.notes, "decoys": f"two useless tasks, one with {WRONG:.0%} of its training labels shuffled"},
    )


def with_validation_from_training(taskset: Taskset) -> Taskset:
    """Evaluates during a run on training examples set aside, so that no policy is scored on what it looked at.

    Every tenth training example, at most `MOST_SET_ASIDE` of a task, serves the evaluations and is not trained on; the
    held-out sets give the final scores alone. Tasks that have sets for the final scores already stay as they are.

    Raises:
        ValueError: a task has fewer than ten training examples.
    """
    notes = {**taskset.notes, "evaluations": "on training examples set aside; final scores on the held-out sets"}
    parts = tuple(part if part.test is not None else _set_aside(part) for part in taskset.parts)
    return replace(taskset, parts=parts, notes=notes)


def _set_aside(part: TaskData) -> TaskData:
    n = len(part.train)
    if n < 10:
        raise ValueError(f"task {part.name!r} has {n} training examples: at least 10 are needed to set one aside.")
    numbers: Ints = np.arange(n, dtype=np.int64)
    aside = numbers[9::10]
    aside = aside[np.linspace(0, len(aside) - 1, min(len(aside), MOST_SET_ASIDE)).astype(np.int64)]
    rest = np.setdiff1d(numbers, aside)
    return replace(part, train=Part(part.train, rest), validation={"": Part(part.train, aside)}, test=part.validation)
