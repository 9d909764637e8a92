"""Run directories as the forecaster takes them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..forecast import History, Lessons, Priors
from ..forecast.priors import open_log
from ..log import Log
from ..run import RunDirectory
from ._output import errors

_BOUNDED = ("digits", "glue", "superglue")
"""Tasksets in which no score can be above 1."""


def read_history(path: Path, *, upper: float | None = None, to_end: bool = True) -> tuple[History, Log]:
    """What a run has shown so far, and its log.

    Args:
        path: the run directory.
        upper: largest possible score; None for 1 in the tasksets of this package and no limit in others.
        to_end: see `History.of_log`.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: it has no evaluation yet, or a score is above `upper`.
    """
    log = open_log(path)
    if not log.evaluations:
        raise ValueError(f"the run in '{path}' has no evaluation yet: a forecast needs at least one.")
    limit = upper if upper is not None else 1.0 if taskset_of(path) in _BOUNDED else np.inf
    return History.of_log(log, upper=limit, to_end=to_end), log


def taskset_of(path: Path) -> str:
    """The name of the taskset in a run's configuration; empty where it has none."""
    try:
        config: dict[str, Any] = tomllib.loads(RunDirectory.open(path).config_path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return ""
    part: Any = config.get("taskset")
    return str(cast("dict[str, Any]", part).get("name", "")) if isinstance(part, dict) else ""


def unit_of(log: Log) -> str:
    """The unit of the budget, for messages."""
    budget: Any = log.header.get("budget")
    return str(cast("dict[str, Any]", budget).get("unit", "units")) if isinstance(budget, dict) else "units"


def priors_from(paths: list[Path], history: History, upper: float | None = None) -> Priors | None:
    """What earlier runs, or a file of their lessons, teach about a new one; None without any.

    Raises:
        ValueError: an earlier run has other tasks.
    """
    if not paths:
        return None
    names = [task.name for task in history.tasks]
    lessons = Lessons.of_paths(paths, upper=upper)
    return lessons.priors(names, costs=history.costs / history.budget, scores=history.scores, upper=history.upper)


def named_numbers(option: str, text: str) -> dict[str, float]:
    """`a=0.4,b=0.6` as a mapping.

    Raises:
        ValueError: it is not of that form, or a name comes twice.
    """
    found: dict[str, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, separator, value = item.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = np.nan
        if not separator or not name.strip() or not np.isfinite(number):
            raise ValueError(f"`--{option}` takes TASK=NUMBER with commas between, got {item!r}.")
        if name.strip() in found:
            raise ValueError(f"`--{option}` names {name.strip()!r} twice.")
        found[name.strip()] = number
    if not found:
        raise ValueError(f"`--{option}` takes TASK=NUMBER with commas between, got {text!r}.")
    return found


def shares_from(text: str) -> dict[str, float] | None:
    """What `--shares` asks about; None where it is left out. Shares that do not sum to 1 are divided by their sum.

    Raises:
        ValueError: it is not of the form a=0.4,b=0.6, a share is negative, or all are 0.
    """
    if not text:
        return None
    found = named_numbers("shares", text)
    for name, share in found.items():
        if share < 0:
            raise ValueError(f"`--shares` must not be negative, got {name}={share:g}.")
    total = sum(found.values())
    if total <= 0:
        raise ValueError(f"`--shares` must give at least one task a share above 0, got {text!r}.")
    if abs(total - 1.0) > 1e-6:
        words = f"note: the shares sum to {total:g} and were divided by it; tasks that are not named get nothing."
        errors.print(words, markup=False, soft_wrap=True)
    return {name: share / total for name, share in found.items()}
