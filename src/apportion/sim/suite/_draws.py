"""What the families draw their parameters with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ...records import Floats, Ints, Task
from .._base import World
from ..learning import LearningWorld
from ..noisy import Noisy

Level = Literal["low", "mid", "high"]
NOISE: dict[Level, tuple[float, float, float]] = {
    "low": (0.1, 0.1, 0.01),
    "mid": (0.1, 0.5, 0.02),
    "high": (0.3, 1.0, 0.05),
}
"""Noise of a batch's loss, of what a step changed (per budget), and of an evaluation by one batch."""


def world(
    generator: np.random.Generator,
    n_tasks: int,
    budget: float,
    *,
    sizes: Sequence[int] | Ints | None = None,
    priorities: Sequence[float] | Floats | None = None,
    **parts: Any,
) -> LearningWorld:
    """A world of learning curves with the tasks t0, t1, ... and 32 examples in a batch.

    Args:
        generator: draws the sizes that are not given, from a thousand to a million and without any meaning.
        n_tasks: number of tasks.
        budget: of the world.
        sizes: examples of each task.
        priorities: of each task; equal where not given.
        parts: the other parameters.
    """
    examples = spread(generator, n_tasks, 1e3, 1e6).astype(np.int64) if sizes is None else np.asarray(sizes)
    weights = np.ones(n_tasks) if priorities is None else np.asarray(priorities)
    tasks = tuple(
        Task(name=f"t{index}", size=int(examples[index]), priority=float(weights[index])) for index in range(n_tasks)
    )
    return LearningWorld(tasks=tasks, budget=budget, batch=32, **parts)


def spread(generator: np.random.Generator, n: int, low: float, high: float) -> Floats:
    """`n` numbers log-uniform between `low` and `high`, one in each of `n` equal parts, in random order.

    So that every draw is as wide as its family says.
    """
    part = (generator.permutation(n) + generator.uniform(size=n)) / n
    return low * (high / low) ** part


def scales(generator: np.random.Generator, n: int, budget: float) -> Floats:
    """Learning scales from 0.003 to 3 budgets: narrower ones leave uniform nearly as good as the best."""
    return spread(generator, n, 0.003, 3.0) * budget


def seen(world: World, level: Level = "mid") -> Noisy:
    """The world with the noise of a level."""
    batch, gain, evaluation = NOISE[level]
    return Noisy(world, batch_noise=batch, gain_noise=gain, evaluation_noise=evaluation)


def groups(generator: np.random.Generator, n: int, *, n_groups: int = 3, strength: float = 0.6) -> Floats:
    """A transfer matrix of latent groups, whose members help each other, and one hub that helps all."""
    member = generator.permutation(n) % n_groups
    same = (member[:, None] == member[None, :]) & (generator.uniform(size=(n, n)) < 0.7)
    transfer = np.where(same, generator.uniform(strength / 6, strength, size=(n, n)), 0.0)
    hub = int(generator.integers(n))
    transfer[:, hub] = np.maximum(transfer[:, hub], generator.uniform(0.2, 0.5, size=n) * strength / 0.6)
    np.fill_diagonal(transfer, 1.0)
    return transfer
