"""What policies come to over all worlds of a study, each family of worlds counting alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..records import Floats

if TYPE_CHECKING:
    from .worlds import WorldRow


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldTotal:
    """One policy over all worlds.

    Attributes:
        policy: as given.
        gap_closed: mean over families of the mean gap closed in their worlds; NaN where there is none.
        gap_lower, gap_upper: ends of its 95 % interval, from resampled runs; the worlds are taken as they are.
        families: that have a world in which something can be gained and the policy ran.
        better: worlds where it is clearly better than uniform: the interval of the difference leaves out 0.
        worse: worlds where it is clearly worse.
        ran: worlds in which it ran.
        refused: worlds that cannot serve it.
    """

    policy: str
    gap_closed: float
    gap_lower: float
    gap_upper: float
    families: int
    better: int
    worse: int
    ran: int
    refused: int


def world_totals(rows: Sequence[WorldRow], resampled: Mapping[tuple[str, str], Floats]) -> tuple[WorldTotal, ...]:
    """Totals of all policies, the largest first.

    Args:
        rows: of all worlds and policies.
        resampled: gaps closed by (world, policy) in samples drawn again from the runs, each (n_samples,).
    """
    found: list[WorldTotal] = []
    for policy in dict.fromkeys(row.policy for row in rows):
        own = [row for row in rows if row.policy == policy]
        families: dict[str, list[WorldRow]] = {}
        for row in own:
            if np.isfinite(row.gap_closed):
                families.setdefault(family_of(row.world), []).append(row)
        gap = lower = upper = np.nan
        if families:
            gap = float(np.mean([np.mean([row.gap_closed for row in group]) for group in families.values()]))
        if families and all((row.world, policy) in resampled for group in families.values() for row in group):
            samples = [np.mean([resampled[row.world, policy] for row in group], axis=0) for group in families.values()]
            lower, upper = (float(end) for end in np.quantile(np.mean(samples, axis=0), (0.025, 0.975)))
        ran = [row for row in own if np.isfinite(row.mean)]
        found.append(
            WorldTotal(
                policy=policy,
                gap_closed=gap,
                gap_lower=lower,
                gap_upper=upper,
                families=len(families),
                better=sum(row.gain_lower > 0 for row in ran),
                worse=sum(row.gain_upper < 0 for row in ran),
                ran=len(ran),
                refused=len(own) - len(ran),
            )
        )
    return tuple(sorted(found, key=lambda item: np.inf if np.isnan(item.gap_closed) else -item.gap_closed))


def family_of(world: str) -> str:
    """The family of a world such as `transfer/3`; one of a user's own is a family of its own.

    >>> family_of("transfer/3"), family_of("my/file.py:Ladder")
    ('transfer', 'my/file.py:Ladder')
    """
    family, _, index = world.rpartition("/")
    return family if index.isdecimal() else world
