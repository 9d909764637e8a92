"""Where the budget went."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...records import Floats
from ..runs import Run
from ..settings import Setting
from .intervals import Mean, mean_over_seeds


class Share(NamedTuple):
    """Share of a task in one part of the budget, mean over seeds; `asked` and `realised` as `Condensed` says."""

    policy: str
    task: str
    start: float
    end: float
    asked: float
    realised: float
    n: int


class TotalShare(NamedTuple):
    """Share of a task in the whole budget, with the interval of the realised share over seeds.

    `epochs` is the mean number of passes over the task's data, NaN where its size is unknown.
    """

    policy: str
    task: str
    asked: float
    realised: float
    lower: float
    upper: float
    n: int
    decisions: float
    epochs: float


def shares(setting: Setting) -> list[Share]:
    """Share of each task over the budget, for each policy; parts without any decision are left out."""
    found: list[Share] = []
    for policy in setting.policies:
        runs = setting.of(policy)
        edges = runs[0].log.edges
        asked = np.stack([run.log.asked for run in runs])
        realised = np.stack([run.log.realised for run in runs])
        n_runs = np.isfinite(asked[:, :, 0]).sum(axis=0)
        for part in np.flatnonzero(n_runs):
            mean_asked, mean_realised = np.nanmean(asked[:, part], axis=0), np.nanmean(realised[:, part], axis=0)
            found.extend(
                Share(
                    policy,
                    task.name,
                    float(edges[part]),
                    float(edges[part + 1]),
                    float(mean_asked[index]),
                    float(mean_realised[index]),
                    int(n_runs[part]),
                )
                for index, task in enumerate(setting.tasks)
            )
    return found


def total_shares(setting: Setting) -> list[TotalShare]:
    """Share of each task in the whole budget, for each policy."""
    found: list[TotalShare] = []
    for policy in setting.policies:
        runs = setting.of(policy)
        asked = np.array([_total_asked(run) for run in runs])
        realised = np.array([run.log.costs / max(float(run.log.costs.sum()), 1e-300) for run in runs])
        counts = np.mean([run.log.counts for run in runs], axis=0)
        examples = np.mean([run.log.examples for run in runs], axis=0)
        for index, task in enumerate(setting.tasks):
            interval: Mean = mean_over_seeds(realised[:, index])
            epochs = np.nan if task.size is None else float(examples[index] / task.size)
            asked_mean = mean_over_seeds(asked[:, index]).mean
            found.append(TotalShare(policy, task.name, asked_mean, *interval, float(counts[index]), epochs))
    return found


def _total_asked(run: Run) -> Floats:
    """Mean of the shares asked for, weighted with the budget of each part."""
    log, full = run.log, np.isfinite(run.log.asked[:, 0])
    if not full.any():
        return np.full(len(run.tasks), np.nan)
    return np.average(log.asked[full], axis=0, weights=log.weight[full] + 1e-300)
