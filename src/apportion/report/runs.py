"""Run directories as a report sees them: one condensed run each, gathered into settings that can be compared."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson

from ..log import Log, read_log
from ..records import Floats, Task, priorities
from ..run import RunDirectory
from .condense import Condensed, condense
from .wording import label_all, short_names

_EXTRA = "plan.json"
_TOLD = frozenset({"seed", "out", "log", "policy", "signal", "constraints", "execution", "budget", "priorities"})
"""Keys of a configuration that the log tells as well, or that make no difference."""


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

    @property
    def objective(self) -> float:
        """Priority-weighted mean of the final scores; auxiliary tasks need none."""
        return float(weighted(self.final, self.tasks))

    @property
    def objectives(self) -> Floats:
        """Priority-weighted mean of the scores of each evaluation, shape (n_evaluations,)."""
        return weighted(self.log.scores, self.tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Runs that can be compared: the same tasks, priorities and budget.

    Attributes:
        title: what a reader calls it.
        runs: sorted by policy and seed.
        policies: labels, the reference first, then as given.
        reference: the policy that the others are compared with.
        names: names of the tasks as shown in figures, short and different.
    """

    title: str
    runs: tuple[Run, ...]
    policies: tuple[str, ...]
    reference: str
    names: tuple[str, ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks."""
        return self.runs[0].tasks

    @property
    def unit(self) -> str:
        """Of the budget."""
        return self.runs[0].unit

    @property
    def budget(self) -> float:
        """Of every run, in its unit."""
        return self.runs[0].log.budget

    def of(self, policy: str) -> list[Run]:
        """The runs of one policy, by seed."""
        return [run for run in self.runs if run.policy == policy]

    def seeds(self, policy: str) -> list[int]:
        """The seeds of one policy."""
        return [run.seed for run in self.of(policy)]


def weighted(scores: Floats, tasks: Sequence[Task]) -> Floats:
    """Priority-weighted mean over the last axis, NaN if the score of a task that counts is NaN."""
    weights = priorities(tasks)
    counts = weights > 0
    return scores[..., counts] @ weights[counts]


def load_run(path: str | Path) -> Run:
    """Read one run directory, finished or not.

    Raises:
        FileNotFoundError: the folder holds no run, or the run has made no decision yet.
        LogFormatError: the log is damaged.
    """
    folder = RunDirectory.open(path)
    if not folder.log_path.is_file():
        raise FileNotFoundError(f"the run in '{folder.path}' has no decision yet: wait for its first one.")
    beside = folder.path / _EXTRA
    return run_of(
        read_log(folder.log_path),
        path=folder.path,
        summary=folder.summary() if folder.summary_path.is_file() else None,
        given=cast("dict[str, Any]", orjson.loads(beside.read_bytes())) if beside.is_file() else {},
        config=folder.config_path.read_text(encoding="utf-8", errors="replace"),
    )


def run_of(
    log: Log,
    *,
    path: Path,
    summary: Mapping[str, Any] | None,
    given: Mapping[str, Any] | None = None,
    config: str = "",
) -> Run:
    """One run from a log that was read already; nothing of the log is kept but `Condensed`.

    Args:
        log: its log.
        path: what to call it.
        summary: what it wrote at its end; None while it goes on.
        given: forecasts, transfer and plan; those in the summary go before.
        config: text of its configuration.
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
    )


def load_runs(paths: Sequence[str | Path], *, reference: str = "uniform") -> list[Setting]:
    """Read run directories and gather them into settings, each with the policies that can be compared in it.

    Runs belong to one setting if tasks, priorities, sizes, budget and checksums of the data agree. Within it, runs
    that differ in nothing but the seed are one policy. Policies whose runs differ in more than the policy's name get
    it added to their label.

    Args:
        paths: run directories.
        reference: name or label of the policy that the others are compared with; where there is none, the first.

    Raises:
        ValueError: no run is given, or the same policy and seed twice.
        FileNotFoundError: a folder holds no run with a decision.
        LogFormatError: a log is damaged.
    """
    if not paths:
        raise ValueError("at least one run directory is needed, got none.")
    return gather([load_run(path) for path in paths], reference=reference)


def gather(runs: Sequence[Run], *, reference: str = "uniform") -> list[Setting]:
    """Gather runs into settings, as `load_runs` does.

    Raises:
        ValueError: the same policy and seed twice.
    """
    titles: dict[str, int] = {}
    settings: list[Setting] = []
    for group in _gathered(runs):
        setting = _setting(group, reference)
        titles[setting.title] = titles.get(setting.title, 0) + 1
        again = titles[setting.title]
        settings.append(setting if again == 1 else replace(setting, title=f"{setting.title} ({again})"))
    return settings


def _setting(runs: Sequence[Run], reference: str) -> Setting:
    labels = label_all([_identity(run) for run in runs])
    named = [replace(run, policy=label) for run, label in zip(runs, labels, strict=True)]
    seen: dict[tuple[str, int], Path] = {}
    for run in named:
        if (run.policy, run.seed) in seen:
            raise ValueError(
                f"'{run.path}' and '{seen[run.policy, run.seed]}' are runs of the same policy, {run.policy!r}, with "
                f"the same seed, {run.seed}: give one of them."
            )
        seen[run.policy, run.seed] = run.path
    policies = list(dict.fromkeys(run.policy for run in named))
    head = [run.policy for run in named if reference in (run.policy, run.header["policy"]["name"])]
    first = min(head or policies[:1], key=len)
    policies = [first, *(policy for policy in policies if policy != first)]
    named.sort(key=lambda run: (policies.index(run.policy), run.seed))
    names = tuple(short_names([task.name for task in runs[0].tasks]))
    return Setting(title=_title(runs[0]), runs=tuple(named), policies=tuple(policies), reference=first, names=names)


def _gathered(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs by tasks and budget, and by the data that they say they used; runs that go on do not say it yet."""
    alike: dict[bytes, list[Run]] = {}
    for run in runs:
        tasks = [[task.name, task.size, task.priority] for task in run.tasks]
        alike.setdefault(orjson.dumps([tasks, run.header["budget"]]), []).append(run)
    found: list[list[Run]] = []
    for group in alike.values():
        by_data: dict[bytes, list[Run]] = {}
        for run in group:
            by_data.setdefault(orjson.dumps(run.summary.get("checksums"), option=orjson.OPT_SORT_KEYS), []).append(run)
        found.extend([group] if len(by_data.keys() - {b"null"}) <= 1 else by_data.values())
    return found


def _identity(run: Run) -> dict[str, Any]:
    """What makes a run another policy than its neighbours; its name comes first, the seed and the folder not at all."""
    head = run.header
    try:
        config = tomllib.loads(run.config)
    except tomllib.TOMLDecodeError:
        config = {}
    settings = {key: value for key, value in config.items() if key not in _TOLD}
    parts = {key: head.get(key) for key in ("policy", "signal", "constraints", "execution")}
    return {**parts, "config": settings}


def _title(run: Run) -> str:
    taskset = run.summary.get("taskset")
    if isinstance(taskset, Mapping):
        taskset = cast("Mapping[str, Any]", taskset).get("name")
    n_tasks = len(run.tasks)
    words = f"{n_tasks} task{'s' if n_tasks != 1 else ''}, {run.log.budget:,.10g} {run.unit}"
    return f"{taskset}, {words}" if isinstance(taskset, str) and taskset else words


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
