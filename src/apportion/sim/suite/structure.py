"""Families in which tasks touch each other: help, harm, prerequisites, a shared representation."""

from __future__ import annotations

import itertools

import numpy as np

from .._base import World
from ._draws import Level, groups, scales, seen, spread, world
from ._family import family


@family(
    {"strength": 0.3, "level": "mid"},
    {"strength": 0.6, "level": "low"},
    {"strength": 0.6, "level": "mid"},
    {"strength": 0.6, "level": "high"},
    {"strength": 0.9, "level": "mid"},
)
def transfer(generator: np.random.Generator, strength: float, level: Level) -> World:
    """Groups of tasks that help each other, and one that helps all."""
    matrix = groups(generator, 8, strength=strength)
    return seen(world(generator, 8, 1000, scale=scales(generator, 8, 1000), transfer=matrix), level)


@family({"harm": 0.1}, {"harm": 0.3}, {"harm": 0.6}, {"harm": 0.9})
def harmful(generator: np.random.Generator, harm: float) -> World:
    """One task whose batches take away what the others have learned."""
    matrix, culprit = np.eye(8), int(generator.integers(8))
    matrix[:, culprit] = -harm * generator.uniform(0.5, 1.5, size=8)
    matrix[culprit, culprit] = 1.0
    scale = spread(generator, 8, 0.03, 1.0) * 1000
    return seen(world(generator, 8, 1000, scale=scale, transfer=matrix))


@family({"worth": 0.3}, {"worth": 0.6}, {"worth": 1.0}, {"worth": 2.0})
def auxiliary(generator: np.random.Generator, worth: float) -> World:
    """Two small tasks that count, and six that do not: some of those help, and only by transfer."""
    order = generator.permutation(8)
    targets, helpers = order[:2], order[2:4]
    priorities, matrix = np.zeros(8), np.eye(8)
    priorities[targets] = 1.0
    for target, helper in zip(targets, helpers, strict=True):
        matrix[target, helper] = worth
    matrix[np.ix_(targets, order[4:])] = 0.02
    sizes = np.full(8, 1_000_000)
    sizes[targets] = generator.integers(400, 2400, size=2)
    return seen(
        world(
            generator,
            8,
            1000,
            sizes=sizes,
            priorities=priorities,
            scale=spread(generator, 8, 0.1, 0.5) * 1000,
            transfer=matrix,
            reuse=3.0,
        )
    )


@family({"length": 2}, {"length": 3}, {"length": 5}, {"length": 8})
def prerequisites(generator: np.random.Generator, length: int) -> World:
    """A chain of tasks, each of which learns only once the one before has come half way."""
    order = generator.permutation(8)[:length]
    chain = [(int(task), int(before), 0.5) for before, task in itertools.pairwise(order)]
    scale = spread(generator, 8, 0.04, 0.2) * 1000
    return seen(world(generator, 8, 1000, scale=scale, prerequisites=chain))


@family({"plateau": 0.05}, {"plateau": 0.1}, {"plateau": 0.2}, {"plateau": 0.4})
def plateau(generator: np.random.Generator, plateau: float) -> World:
    """A shared representation has to form before any task learns, so early progress says nothing."""
    scale = scales(generator, 8, 1000)
    return seen(world(generator, 8, 1000, scale=scale, plateau=plateau * 1000))


@family(
    {"interference": 0.2, "memory": 50},
    {"interference": 0.4, "memory": 50},
    {"interference": 0.6, "memory": 50},
    {"interference": 0.4, "memory": 200},
)
def interference(generator: np.random.Generator, interference: float, memory: float) -> World:
    """What a task learned is lost for now while it is rarely drawn, because the shared layers move on."""
    scale = scales(generator, 8, 1000)
    return seen(world(generator, 8, 1000, scale=scale, interference=interference, memory=memory))
