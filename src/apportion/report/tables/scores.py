"""What was reached: scores over the budget and at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...records import Floats
from ..runs import Run, objective
from ..settings import Setting
from .intervals import mean_over_seeds

OBJECTIVE = ""
"""Stands for the objective where a table lists tasks; no task can have this name."""

MOST_POINTS = 60
"""Evaluations of a curve that a table keeps."""


class CurvePoint(NamedTuple):
    """Mean held-out score over seeds after a part of the budget; `task` may be `OBJECTIVE`.

    `joined` says whether every evaluation of the policy measured it: only then may a line join the points.
    """

    policy: str
    task: str
    spent: float
    mean: float
    lower: float
    upper: float
    n: int
    joined: bool


class Final(NamedTuple):
    """Mean score over seeds at the end; `task` may be `OBJECTIVE`."""

    policy: str
    task: str
    mean: float
    lower: float
    upper: float
    n: int


class Compared(NamedTuple):
    """The scores by which runs are compared.

    Attributes:
        scores: one row for each run of the setting, shape (n_runs, n_tasks).
        objective: what the runs were to make large, shape (n_runs,).
        words: where they are from, to finish a sentence with.
    """

    scores: Floats
    objective: Floats
    words: str


def compared(setting: Setting) -> Compared:
    """The scores by which the runs are compared: from one source for all of them.

    If all have finished, the final scores of their summaries, or the last evaluations if one has none; while any goes
    on, the scores at the budget that all have reached, by linear interpolation between evaluations.
    """
    runs = setting.runs
    if all(run.finished for run in runs):
        if all(run.final_source == "test" for run in runs):
            rows, words = [run.final for run in runs], "in the final test"
        else:
            rows, words = [_last(run) for run in runs], "at the last evaluation"
    else:
        common = min((float(run.log.evaluated_at[-1]) if run.log.evaluated_at.size else 0.0) for run in runs)
        rows = [_at(run, np.array([common]))[0] for run in runs]
        words = f"after {common:,.6g} of {setting.budget:,.10g} {setting.unit}, which every run has reached"
    scores = np.array(rows)
    return Compared(scores, objective(scores, setting.tasks, setting.goal), words)


def curves(setting: Setting) -> list[CurvePoint]:
    """Scores of the tasks and the objective over the budget, for each policy, with intervals over its seeds.

    Points are the evaluations of the policy's first run, at most `MOST_POINTS`; other runs are interpolated linearly
    between their own evaluations and left out beyond them. Where evaluations left a task out, nothing is interpolated:
    what was measured counts at the nearest point, and a point is the mean of the seeds that measured there.
    """
    found: list[CurvePoint] = []
    for policy in setting.policies:
        runs = setting.of(policy)
        grid = max((run.log.evaluated_at for run in runs), key=lambda at: at.size)
        if grid.size > MOST_POINTS:
            grid = np.linspace(grid[0], grid[-1], MOST_POINTS)
        for task, rows in _measured(setting, runs):
            joined = all(bool(np.isfinite(row).all()) for row in rows)
            place = _between if joined else _nearest
            table = np.stack([place(run.log.evaluated_at, row, grid) for run, row in zip(runs, rows, strict=True)])
            for point, spent in enumerate(grid):
                interval = mean_over_seeds(table[:, point])
                if interval.n:
                    found.append(CurvePoint(policy, task, float(spent), *interval, joined))
    return found


def finals(setting: Setting) -> list[Final]:
    """Scores at the end, for each policy: the objective, then each task."""
    source = compared(setting)
    policies = np.array([run.policy for run in setting.runs])
    found: list[Final] = []
    for policy in setting.policies:
        rows = policies == policy
        found.append(Final(policy, OBJECTIVE, *mean_over_seeds(source.objective[rows])))
        found.extend(
            Final(policy, task.name, *mean_over_seeds(source.scores[rows, index]))
            for index, task in enumerate(setting.tasks)
        )
    return found


def _measured(setting: Setting, runs: Sequence[Run]) -> Iterator[tuple[str, list[Floats]]]:
    """The objective and each task, with its scores at the evaluations of each run."""
    yield OBJECTIVE, [run.objectives for run in runs]
    for index, task in enumerate(setting.tasks):
        yield task.name, [run.log.scores[:, index] for run in runs]


def _last(run: Run) -> Floats:
    return run.log.scores[-1] if run.log.scores.shape[0] else np.full(len(run.tasks), np.nan)


def _at(run: Run, grid: Floats) -> Floats:
    """Scores of a run after each budget of `grid`, NaN outside its evaluations, shape (n_points, n_tasks)."""
    found = np.full((grid.size, len(run.tasks)), np.nan)
    for index in range(len(run.tasks)):
        known = np.isfinite(run.log.scores[:, index])
        if known.any():
            found[:, index] = _between(run.log.evaluated_at[known], run.log.scores[known, index], grid)
    return found


def _between(at: Floats, values: Floats, grid: Floats) -> Floats:
    return np.interp(grid, at, values, left=np.nan, right=np.nan) if at.size else np.full(grid.size, np.nan)


def _nearest(at: Floats, values: Floats, grid: Floats) -> Floats:
    found, known = np.full(grid.size, np.nan), np.isfinite(values)
    found[np.abs(at[known, None] - grid).argmin(axis=1)] = values[known]
    return found
