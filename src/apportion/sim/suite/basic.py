"""Families that test the basics: textbook rewards, nothing to gain, learning speeds, sizes, lengths."""

from __future__ import annotations

import numpy as np

from .._base import World
from ..bandit import BanditWorld
from ..learning import Curve
from ..noisy import Noisy
from ._draws import NOISE, Level, scales, seen, world
from ._family import family


@family({"gap": 0.4}, {"gap": 0.2}, {"gap": 0.1}, {"gap": 0.05})
def bandit(generator: np.random.Generator, gap: float) -> World:
    """The stationary bandit of the textbooks: eight tasks with rewards of 0 or 1, one better than the others."""
    means = np.full(8, 0.5 - gap / 2)
    means[generator.integers(8)] += gap
    return BanditWorld(means=tuple(means.tolist()), budget=4000)


@family(
    {"level": "low", "scale": 0.1},
    {"level": "mid", "scale": 0.1},
    {"level": "high", "scale": 0.1},
    {"level": "high", "scale": 0.02},
    uniform_is_best=True,
)
def equal(generator: np.random.Generator, level: Level, scale: float) -> World:
    """Eight tasks that are all the same: uniform is best, and nobody may lose much."""
    return seen(world(generator, 8, 1000, scale=scale * 1000), level)


@family(
    {"level": "low", "curve": "exponential"},
    {"level": "mid", "curve": "exponential"},
    {"level": "high", "curve": "exponential"},
    {"level": "mid", "curve": "power"},
)
def speeds(generator: np.random.Generator, level: Level, curve: Curve) -> World:
    """Eight tasks that learn on their own, the fastest a thousand times faster than the slowest."""
    exponent = generator.uniform(0.4, 1.5, size=8)
    scale = scales(generator, 8, 1000)
    return seen(world(generator, 8, 1000, scale=scale, curve=curve, exponent=exponent), level)


@family({"useless": 2}, {"useless": 4}, {"useless": 6}, {"useless": 7})
def useless(generator: np.random.Generator, useless: int) -> World:
    """Tasks that cannot be learned and keep a high loss, beside some that can."""
    transfer, dead = np.eye(8), generator.permutation(8)[:useless]
    transfer[dead, dead] = 0.0
    irreducible = np.full(8, 0.3)
    irreducible[dead] = generator.uniform(1.5, 2.5, size=useless)
    scale = scales(generator, 8, 1000)
    # What can be learned takes a good part of the budget, or else there is nothing to gain.
    alive = np.setdiff1d(np.arange(8), dead)
    scale[alive] = np.maximum(scale[alive], 60.0)
    return seen(world(generator, 8, 1000, scale=scale, transfer=transfer, irreducible=irreducible))


@family({"noise": 0.05}, {"noise": 0.1}, {"noise": 0.2}, {"noise": 0.4})
def noisy_evaluation(generator: np.random.Generator, noise: float) -> World:
    """Learning speeds seen through very noisy evaluations and batches."""
    inner = world(generator, 8, 1000, scale=scales(generator, 8, 1000))
    batch, gain, _ = NOISE["high"]
    return Noisy(inner, batch_noise=batch, gain_noise=gain, evaluation_noise=noise)


@family({"n_tasks": 100, "budget": 5000}, {"n_tasks": 100, "budget": 2000})
def hundred(generator: np.random.Generator, n_tasks: int, budget: float) -> World:
    """A hundred tasks, most of them quickly learned."""
    return seen(world(generator, n_tasks, budget, scale=scales(generator, n_tasks, budget) / 8))


@family({"n_tasks": 8, "budget": 40}, {"n_tasks": 8, "budget": 80}, {"n_tasks": 3, "budget": 40})
def few_steps(generator: np.random.Generator, n_tasks: int, budget: float) -> World:
    """So few steps that there is hardly time to find anything out."""
    return seen(world(generator, n_tasks, budget, scale=scales(generator, n_tasks, budget)))


@family({"budget": 10_000, "level": "mid"}, {"budget": 20_000, "level": "high"})
def many_steps(generator: np.random.Generator, budget: float, level: Level) -> World:
    """So many steps that slow learners have the time."""
    return seen(world(generator, 8, budget, scale=scales(generator, 8, budget)), level)
