"""Fixed points that stand for random draws: the same for every run and in every session."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from ..records import Floats


@lru_cache(maxsize=8)
def fixed_draws(n_members: int, n_tasks: int, n_params: int, seed: int) -> tuple[Floats, Floats]:
    """Uniforms (n_members, n_tasks) and normals (n_members, n_tasks, n_params), of each one in n_members equal strata.

    A Latin hypercube (McKay, Beckman and Conover 1979, doi 10.2307/1268522, as in scipy).
    """
    points = qmc.LatinHypercube(n_tasks * (n_params + 1), rng=seed).random(n_members)
    table = np.clip(points, 1e-6, 1.0 - 1e-6).reshape(n_members, n_tasks, n_params + 1)
    order = table[..., 0].argsort(axis=0).argsort(axis=0)
    return (order + 0.5) / n_members, ndtri(table[..., 1:])
