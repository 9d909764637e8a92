"""What policies were told, and how likely what they did was."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..settings import Setting


class Reward(NamedTuple):
    """Rewards of a task in one part of the budget: quantiles 0.1, 0.5, 0.9, each averaged over seeds."""

    policy: str
    task: str
    spent: float
    low: float
    median: float
    high: float
    rewards: int


class Propensity(NamedTuple):
    """Propensities in one part of the budget: the smallest of all seeds, and quantiles averaged over seeds."""

    policy: str
    spent: float
    smallest: float
    low: float
    median: float
    high: float


def rewards(setting: Setting) -> list[Reward]:
    """Rewards over the budget for each policy and task; parts without a reward are left out.

    Rewards of policies with different signals have different units: compare tasks within a policy, not policies.
    """
    found: list[Reward] = []
    for policy in setting.policies:
        runs = setting.of(policy)
        middles = (runs[0].log.edges[:-1] + runs[0].log.edges[1:]) / 2
        values = np.stack([run.log.reward for run in runs])
        counts = np.sum([run.log.rewarded for run in runs], axis=0)
        for part, index in zip(*np.nonzero(counts), strict=True):
            low, median, high = np.nanmean(values[:, part, index], axis=0)
            found.append(
                Reward(
                    policy,
                    setting.tasks[index].name,
                    float(middles[part]),
                    float(low),
                    float(median),
                    float(high),
                    int(counts[part, index]),
                )
            )
    return found


def propensities(setting: Setting) -> list[Propensity]:
    """Propensities over the budget for each policy; parts without a decision are left out."""
    found: list[Propensity] = []
    for policy in setting.policies:
        runs = setting.of(policy)
        middles = (runs[0].log.edges[:-1] + runs[0].log.edges[1:]) / 2
        values = np.stack([run.log.propensity for run in runs])
        for part in np.flatnonzero(np.isfinite(values[:, :, 0]).any(axis=0)):
            low, median, high = np.nanmean(values[:, part, 1:], axis=0)
            smallest = float(np.nanmin(values[:, part, 0]))
            found.append(Propensity(policy, float(middles[part]), smallest, float(low), float(median), float(high)))
    return found
