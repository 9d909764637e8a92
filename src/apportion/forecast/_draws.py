"""Fixed points that stand for random draws: the same for every run and in every session."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from ..records import Floats

_LARGEST_SOBOL = 21201


@lru_cache(maxsize=8)
def fixed_draws(n_members: int, n_tasks: int, n_params: int, seed: int) -> tuple[Floats, Floats]:
    """Uniforms (n_members, n_tasks), one in each of n_members equal strata, and normals (n_members, n_tasks, n_params).

    Points of a scrambled Sobol sequence (Owen 1998, doi 10.1006/jcom.1998.0487, as in scipy); tasks beyond its
    dimensions take the columns in turn.
    """
    width = min(n_tasks * (n_params + 1), _LARGEST_SOBOL)
    exponent = int(np.ceil(np.log2(max(n_members, 2))))
    points = qmc.Sobol(width, scramble=True, rng=seed).random_base2(exponent)[:n_members]
    points = np.clip(points, 1e-6, 1.0 - 1e-6)
    table = points[:, np.arange(n_tasks * (n_params + 1)) % width].reshape(n_members, n_tasks, n_params + 1)
    order = table[..., 0].argsort(axis=0).argsort(axis=0)
    return (order + 0.5) / n_members, ndtri(table[..., 1:])
