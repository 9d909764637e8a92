"""What a forecaster gave beside the runs: forecasts, transfer between tasks, worth of more budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from ..._check import check_names
from ..runs import Run
from ..settings import Setting


class Forecast(NamedTuple):
    """Forecast score of a task after `spent`, made after `made_at` of the budget."""

    policy: str
    seed: int
    task: str
    spent: float
    score: float
    lower: float
    upper: float
    made_at: float


class Transfer(NamedTuple):
    """What a batch of `source` teaches `task`, as a fraction of a batch of its own; negative for harm."""

    policy: str
    seed: int
    task: str
    source: str
    value: float
    lower: float
    upper: float


class Worth(NamedTuple):
    """What one more unit of budget for a task would add to the objective."""

    policy: str
    seed: int
    task: str
    value: float
    lower: float
    upper: float


def forecasts(setting: Setting) -> list[Forecast]:
    """All forecasts given with the runs.

    Raises:
        ValueError: an entry lacks a field, is no number or names an unknown task.
    """
    return [
        Forecast(
            run.policy,
            run.seed,
            _task(run, row, "task"),
            _value(run, row, "spent"),
            _value(run, row, "score"),
            _value(run, row, "lower", float("nan")),
            _value(run, row, "upper", float("nan")),
            _value(run, row, "made_at", 0.0),
        )
        for run, row in _rows(setting, "forecast")
    ]


def transfers(setting: Setting) -> list[Transfer]:
    """All transfer matrices given with the runs, entry by entry.

    Raises:
        ValueError: an entry lacks a field, is no number or names an unknown task.
    """
    return [
        Transfer(
            run.policy,
            run.seed,
            _task(run, row, "task"),
            _task(run, row, "source"),
            _value(run, row, "value"),
            _value(run, row, "lower", float("nan")),
            _value(run, row, "upper", float("nan")),
        )
        for run, row in _rows(setting, "transfer")
    ]


def worths(setting: Setting) -> list[Worth]:
    """The worth of more budget for each task, as given with the runs.

    Raises:
        ValueError: an entry lacks a field, is no number or names an unknown task.
    """
    return [
        Worth(
            run.policy,
            run.seed,
            _task(run, row, "task"),
            _value(run, row, "value"),
            _value(run, row, "lower", float("nan")),
            _value(run, row, "upper", float("nan")),
        )
        for run, row in _rows(setting, "worth")
    ]


def _rows(setting: Setting, key: str) -> list[tuple[Run, Mapping[str, Any]]]:
    found: list[tuple[Run, Mapping[str, Any]]] = []
    for run in setting.runs:
        rows: Any = run.extra.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in cast("list[Any]", rows)):
            raise ValueError(f"`{key}` given with the run in '{run.path}' must be a list of objects.")
        found.extend((run, row) for row in cast("list[Mapping[str, Any]]", rows))
    return found


def _task(run: Run, row: Mapping[str, Any], key: str) -> str:
    name = str(row.get(key))
    check_names(f"{key}` given with the run in '{run.path}'; `{key}", [name], [task.name for task in run.tasks])
    return name


def _value(run: Run, row: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = row.get(key, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"`{key}` of what was given with the run in '{run.path}' must be a number, got {value!r}.")
    return float(value)
