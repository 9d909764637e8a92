"""How much budget a policy needs to reach a given objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...records import Floats
from ..runs import Run
from ..settings import Setting
from .intervals import mean_over_seeds

N_LEVELS = 30
"""Levels of the objective at which curves are drawn."""


class Reach(NamedTuple):
    """Median over seeds of the budget needed to reach `level`, inf where half of them never did."""

    policy: str
    level: float
    budget: float
    reached: int
    n: int


class Saving(NamedTuple):
    """Share of the budget with which a policy reached the reference's last evaluation.

    `level` is the mean of the levels to be reached; `share` is the median over seeds, `smallest` and `largest` the
    extremes; inf where a seed never got there, NaN where evaluations left tasks out, so that nobody can tell.
    """

    policy: str
    level: float
    share: float
    smallest: float
    largest: float
    reached: int
    n: int


def budget_to_reach(run: Run, level: float) -> float:
    """Budget at which a run's objective first reached `level`, inf if never.

    Between evaluations the objective is taken as a straight line. A noisy curve crosses a level early by luck, so
    compare policies that were evaluated on equal sets at equal intervals, and read the reference's own figure beside.
    """
    at, values = run.log.evaluated_at, run.objectives
    known = np.isfinite(values)
    at, values = at[known], values[known]
    above = np.flatnonzero(values >= level)
    if not above.size:
        return float("inf")
    first = int(above[0])
    if first == 0:
        return float(at[0])
    low, high = values[first - 1], values[first]
    return float(at[first - 1] + (level - low) / (high - low) * (at[first] - at[first - 1]))


def reach(setting: Setting) -> list[Reach]:
    """Budget needed for each of `N_LEVELS` levels, from the lowest first evaluation to the highest mean last one.

    Policies whose evaluations left out tasks that count have no rows: nobody knows when they got there.
    """
    policies = [policy for policy in setting.policies if not is_sparing(setting.of(policy))]
    starts, ends = [_ends(setting, policy) for policy in policies], []
    ends = [end for _, end in starts if np.isfinite(end)]
    begins = [start for start, _ in starts if np.isfinite(start)]
    if not ends or max(ends) <= min(begins):
        return []
    found: list[Reach] = []
    for policy in policies:
        runs = setting.of(policy)
        for level in np.linspace(min(begins), max(ends), N_LEVELS):
            needed = np.array([budget_to_reach(run, level) for run in runs])
            found.append(Reach(policy, float(level), _median(needed), int(np.isfinite(needed).sum()), len(runs)))
    return found


def savings(setting: Setting) -> list[Saving]:
    """Share of the budget with which each policy reached the last evaluation of the reference with the same seed.

    A seed that the reference did not run has to reach the mean of the reference's seeds. Empty where evaluations of
    the reference left tasks out: the last one that did not may be the one before any training.
    """
    if is_sparing(setting.of(setting.reference)):
        return []
    own = {run.seed: _last(run) for run in setting.of(setting.reference)}
    mean = mean_over_seeds(np.array(list(own.values()))).mean
    if not np.isfinite(mean):
        return []
    found: list[Saving] = []
    for policy in setting.policies:
        runs = setting.of(policy)
        levels = np.array([own.get(run.seed, np.nan) for run in runs])
        levels = np.where(np.isfinite(levels), levels, mean)
        needed = [budget_to_reach(run, float(level)) for run, level in zip(runs, levels, strict=True)]
        parts = np.array(needed) / setting.budget
        if is_sparing(runs):
            parts = np.full(len(runs), np.nan)
        reached = int(np.isfinite(parts).sum())
        smallest, largest = float(parts.min()), float(parts.max())
        found.append(Saving(policy, float(levels.mean()), _median(parts), smallest, largest, reached, len(runs)))
    return found


def is_sparing(runs: Sequence[Run]) -> bool:
    """Whether some evaluation left out tasks that count, so that the objective then is not known."""
    return any(bool(np.isnan(run.objectives).any()) for run in runs)


def _last(run: Run) -> float:
    known = run.objectives[np.isfinite(run.objectives)]
    return float(known[-1]) if known.size else float("nan")


def _ends(setting: Setting, policy: str) -> tuple[float, float]:
    """Mean objective over seeds at the first and at the last evaluation."""
    curves = [run.objectives[np.isfinite(run.objectives)] for run in setting.of(policy)]
    known = [curve for curve in curves if curve.size]
    if not known:
        return float("nan"), float("nan")
    return (
        mean_over_seeds(np.array([curve[0] for curve in known])).mean,
        mean_over_seeds(np.array([curve[-1] for curve in known])).mean,
    )


def _median(values: Floats) -> float:
    """The median, inf where half of the values are."""
    ordered = np.sort(values)
    low, high = ordered[(values.size - 1) // 2], ordered[values.size // 2]
    return float("inf") if np.isinf(high) else float((low + high) / 2)
