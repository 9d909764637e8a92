"""Run directories as a report sees them: one condensed run each."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson

from ..errors import CheckpointError
from ..log import Log, read_log
from ..records import Floats, ObjectiveName, Task, priorities
from ..run import RunDirectory
from .condense import Condensed, condense

_EXTRA = "plan.json"

Stamp = tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run.

    Attributes:
        path: its folder.
        policy: label of what is compared: the policy, and what else differs between the runs given.
        seed: of the selector.
        tasks: as the policy saw them.
        log: its decisions and evaluations, condensed.
        final: final score of each task from the summary, or the last evaluation, NaN where undefined, shape
            (n_tasks,).
        final_source: `test` where `final` is from the summary, else `last evaluation`.
        finished: whether the run wrote its summary.
        usable_off_policy: whether tasks were drawn at random from the logged probabilities.
        unit: of the budget.
        header: of the log.
        summary: what the run wrote at its end; empty while it goes on.
        extra: forecasts, transfer and plan that were given beside it, see `docs/report.md`.
        config: text of its configuration.
        written_at: when its log was last written to, in seconds since 1970; NaN where there is no file.
        goal: what its configuration asks to make large, the `mean` of the scores or the `worst`.
    """

    path: Path
    policy: str
    seed: int
    tasks: tuple[Task, ...]
    log: Condensed
    final: Floats
    final_source: str
    finished: bool
    usable_off_policy: bool
    unit: str
    header: Mapping[str, Any]
    summary: Mapping[str, Any]
    extra: Mapping[str, Any]
    config: str
    written_at: float = float("nan")
    goal: ObjectiveName = "mean"

    @property
    def objective(self) -> float:
        """Objective of the final scores; auxiliary tasks need none."""
        return float(objective(self.final, self.tasks, self.goal))

    @property
    def objectives(self) -> Floats:
        """Objective of the scores of each evaluation, shape (n_evaluations,)."""
        return objective(self.log.scores, self.tasks, self.goal)


def objective(scores: Floats, tasks: Sequence[Task], goal: ObjectiveName = "mean") -> Floats:
    """Priority-weighted mean over the last axis, or the lowest there; NaN if the score of a task that counts is NaN."""
    weights = priorities(tasks)
    counts = weights > 0
    return scores[..., counts].min(axis=-1) if goal == "worst" else scores[..., counts] @ weights[counts]


def load_run(path: str | Path) -> Run:
    """Read one run directory, finished or not.

    Raises:
        FileNotFoundError: the folder holds no run, or the run has made no decision yet.
        LogFormatError: the log is damaged.
        CheckpointError: its summary or `plan.json` is.
    """
    folder = RunDirectory.open(path)
    if not _has_begun(folder.log_path):
        raise FileNotFoundError(f"the run in '{folder.path}' has no decision yet: wait for its first one.")
    written_at = folder.log_path.stat().st_mtime
    beside = folder.path / _EXTRA
    with warnings.catch_warnings():
        if not folder.summary_path.is_file():
            # A run that goes on may be in the middle of writing its last line.
            warnings.filterwarnings("ignore", message=".*torn line")
        log = read_log(folder.log_path)
    return run_of(
        log,
        path=folder.path,
        summary=_object(folder.summary_path) if folder.summary_path.is_file() else None,
        given=_object(beside) if beside.is_file() else {},
        config=folder.config_path.read_text(encoding="utf-8", errors="replace"),
        written_at=written_at,
    )


def stamp_of(path: str | Path) -> Stamp:
    """Sizes and times of what a run is read from; they change when anything is written to it."""
    folder = RunDirectory(path)
    files = (folder.config_path, folder.log_path, folder.summary_path, folder.path / _EXTRA)
    told = (file.stat() if file.is_file() else None for file in files)
    return tuple(None if item is None else (item.st_size, item.st_mtime_ns) for item in told)


def _has_begun(log: Path) -> bool:
    """Whether the log has a whole line after its header."""
    if not log.is_file():
        return False
    with log.open("rb") as file:
        file.readline()
        return file.readline().endswith(b"\n")


def _object(path: Path) -> dict[str, Any]:
    try:
        data = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise CheckpointError(f"'{path}' is not JSON ({error}).") from error
    if not isinstance(data, dict):
        raise CheckpointError(f"'{path}' must hold an object, got {type(data).__name__}.")
    return cast("dict[str, Any]", data)


def run_of(
    log: Log,
    *,
    path: Path,
    summary: Mapping[str, Any] | None,
    given: Mapping[str, Any] | None = None,
    config: str = "",
    written_at: float = float("nan"),
) -> Run:
    """One run from a log that was read already; nothing of the log is kept but `Condensed`.

    Args:
        log: its log.
        path: what to call it.
        summary: what it wrote at its end; None while it goes on.
        given: forecasts, transfer and plan; those in the summary go before.
        config: text of its configuration.
        written_at: when its log was last written to, in seconds since 1970.
    """
    found = summary or {}
    condensed = condense(log)
    final, source = _final(found, log.logged.tasks, condensed)
    own = {key: found[key] for key in ("forecast", "transfer", "worth", "plan") if key in found}
    return Run(
        path=path,
        policy=str(log.header["policy"]["name"]),
        seed=int(log.header["seed"]),
        tasks=log.tasks,
        log=condensed,
        final=final,
        final_source=source,
        finished=summary is not None,
        usable_off_policy=log.usable_off_policy,
        unit=str(log.header["budget"]["unit"]),
        header=log.header,
        summary=found,
        extra={**(given or {}), **own},
        config=config,
        written_at=written_at,
        goal=_goal(config),
    )


def _goal(config: str) -> ObjectiveName:
    try:
        return "worst" if tomllib.loads(config).get("objective") == "worst" else "mean"
    except tomllib.TOMLDecodeError:
        return "mean"


def _final(summary: Mapping[str, Any], names: Sequence[str], log: Condensed) -> tuple[Floats, str]:
    tasks = summary.get("tasks")
    if isinstance(tasks, Mapping):
        values = cast("Mapping[str, Any]", tasks)
        row = np.array([_number(values.get(name)) for name in names])
        if np.isfinite(row).any():
            return row, "test"
    row = log.scores[-1] if log.scores.shape[0] else np.full(len(names), np.nan)
    return row, "last evaluation"


def _number(value: Any) -> float:
    if isinstance(value, Mapping):
        value = cast("Mapping[str, Any]", value).get("score")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else float("nan")
