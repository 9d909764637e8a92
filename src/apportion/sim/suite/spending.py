"""Families in which data, time and money matter: repetition, forgetting, prices, change, delay."""

from __future__ import annotations

import math

import numpy as np

from .._base import World
from ..changing import Change, Drift
from ..delayed import Delayed
from ..priced import Priced
from ._draws import groups, scales, seen, spread, world
from ._family import family

GLUE_SIZES = (6680, 2865, 306_798, 1945, 4491, 52_616, 284_257, 84_715)
"""Training examples of eight GLUE tasks as written in the script of Stickland and Murray 2019
(AsaCooperStickland/Bert-n-Pals)."""


@family({"reuse": 8.0, "overfit": 0.0}, {"reuse": 4.0, "overfit": 0.005}, {"reuse": 2.0, "overfit": 0.02})
def sizes(generator: np.random.Generator, reuse: float, overfit: float) -> World:
    """Tasks of very different size, whose small ones lose by repetition: the sizes are those of GLUE."""
    examples = np.array(GLUE_SIZES)[generator.permutation(8)]
    scale = spread(generator, 8, 0.003, 3.0) * 2000
    return seen(world(generator, 8, 2000, sizes=examples, scale=scale, curve="power", reuse=reuse, overfit=overfit))


@family({"rate": 1.0}, {"rate": 2.0}, {"rate": 5.0}, {"rate": 10.0})
def forgetting(generator: np.random.Generator, rate: float) -> World:
    """Every task forgets at its own pace, so when it is trained matters as much as how often."""
    paces = spread(generator, 8, 0.1, 2.0) * rate / 1000
    return seen(world(generator, 8, 1000, scale=spread(generator, 8, 0.01, 0.5) * 1000, forgetting=paces))


@family({"range": 2.0}, {"range": 4.0}, {"range": 10.0}, {"range": 30.0})
def prices(generator: np.random.Generator, range: float) -> World:
    """Steps on some tasks cost many times those on others, while the tasks matter alike."""
    costs = spread(generator, 8, 1.0 / math.sqrt(range), math.sqrt(range))
    inner = world(generator, 8, 1000, scale=scales(generator, 8, 1000))
    return Priced(seen(inner), prices=costs / costs.mean())


@family({"keep": 1.0, "n_late": 4}, {"keep": 0.5, "n_late": 4}, {"keep": 0.2, "n_late": 2}, {"keep": 1.0, "n_late": 0})
def change(generator: np.random.Generator, keep: float, n_late: int) -> World:
    """Half way, some tasks become learnable and others stop being so; or the worth of batches drifts all along."""
    inner = seen(world(generator, 8, 1000, scale=spread(generator, 8, 0.05, 0.5) * 1000))
    order = generator.permutation(8)
    if n_late == 0:
        start, end = generator.uniform(0.0, 2.0, size=8), generator.uniform(0.0, 2.0, size=8)
        return Drift(inner, start=start, end=end)
    before, after = np.ones(8), np.ones(8)
    before[order[:n_late]] = 0.05
    after[order[n_late : 2 * n_late]] = 0.05
    kept = np.ones(8)
    kept[order[:6]] = keep
    return Change(inner, at=0.5, before=before, after=after, keep=kept)


@family(
    {"steps": 10, "missing": 0.0, "random": False},
    {"steps": 100, "missing": 0.0, "random": False},
    {"steps": 20, "missing": 0.2, "random": True},
    {"steps": 0, "missing": 0.5, "random": False},
)
def delayed(generator: np.random.Generator, steps: int, missing: float, random: bool) -> World:
    """Rewards come late, in another order, or not at all."""
    inner = world(generator, 8, 1000, scale=scales(generator, 8, 1000), transfer=groups(generator, 8, strength=0.3))
    return Delayed(seen(inner), steps=steps, missing=missing, random=random)
