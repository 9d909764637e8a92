"""What training batches told: evidence that costs nothing, and between evaluations the only one."""

from __future__ import annotations

import numpy as np

from ...records import HEARD
from ..settings import Setting
from .intervals import mean_over_seeds
from .scores import CurvePoint

PARTS = 10
"""Parts of the budget over which a curve is averaged: single batches are noisy."""


def told_name(setting: Setting) -> str:
    """What all runs of a setting told of their batches: `success`, or else `loss`; empty where they told neither."""
    for name in sorted(HEARD, reverse=True):
        if all(name in run.log.told and run.log.told_by[name].any() for run in setting.runs):
            return name
    return ""


def training(setting: Setting) -> list[CurvePoint]:
    """Mean success (or loss) of the batches of each task in ten parts of the budget, before their updates.

    Means over the batches of a part, then over seeds. Until data repeat, a batch is new to the model, and its success
    is that of a small held-out set. A part in which a task had no batch is left out.
    """
    name, found = told_name(setting), list[CurvePoint]()
    if not name:
        return found
    for policy in setting.policies:
        runs = setting.of(policy)
        starts = np.linspace(0, len(runs[0].log.edges) - 1, PARTS + 1).round().astype(int)[:-1]
        sums, times = (
            np.stack([np.add.reduceat(getattr(run.log, part)[name], starts, axis=0) for run in runs])
            for part in ("told", "told_by")
        )
        means = np.where(times > 0, sums / np.maximum(times, 1.0), np.nan)  # (n_seeds, PARTS, n_tasks)
        middles = (np.arange(PARTS) + 0.5) / PARTS * runs[0].log.budget
        for index, task in enumerate(setting.tasks):
            for part, spent in enumerate(middles):
                interval = mean_over_seeds(means[:, part, index])
                if interval.n:
                    found.append(CurvePoint(policy, task.name, float(spent), *interval, joined=True))
    return found
