"""Runs gathered into settings: what can be compared with what, and under which names."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import orjson

from ..records import ObjectiveName, Task
from .runs import Run, load_run
from .wording import label_all, short_names

_TOLD = frozenset(
    {
        *("seed", "out", "log", "policy", "signal", "constraints", "execution", "budget", "priorities", "trackers"),
        "objective",
    }
)
"""Keys of a configuration that the log tells as well, or that make no difference."""

_MOST_NAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Runs that can be compared: the same tasks, priorities, objective and budget.

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
    def goal(self) -> ObjectiveName:
        """What every run was to make large."""
        return self.runs[0].goal

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


def load_runs(paths: Sequence[str | Path], *, reference: str = "uniform") -> list[Setting]:
    """Read run directories and gather them into settings, each with the policies that can be compared in it.

    Runs belong to one setting if tasks, priorities, sizes, objective, budget and checksums of the data agree. Within
    it, runs that differ in nothing but the seed are one policy. Policies whose runs differ in more than the policy's
    name get it added to their label.

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
        alike.setdefault(orjson.dumps([tasks, run.header["budget"], run.goal]), []).append(run)
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
    told = (parts["policy"] or {}).get("priors")
    if isinstance(told, Mapping):
        # What a planner was told differs from seed to seed, as data do; how many runs told it is what it knows.
        parts["policy"] = {**head["policy"], "priors": f"of {told.get('runs')} earlier runs"}
    return {**parts, "config": settings}


def _title(run: Run) -> str:
    taskset = run.summary.get("taskset")
    if isinstance(taskset, Mapping):
        taskset = cast("Mapping[str, Any]", taskset).get("name")
    n_tasks = len(run.tasks)
    words = f"{n_tasks} task{'s' if n_tasks != 1 else ''}, {run.log.budget:,.10g} {run.unit}"
    counted = [task.name for task in run.tasks if task.priority > 0]
    if len(counted) < n_tasks:
        names = [*short_names(counted[:_MOST_NAMES]), *(["…"] if len(counted) > _MOST_NAMES else [])]
        words += f", only {', '.join(names)} count{'s' if len(counted) == 1 else ''}"
    if run.goal == "worst":
        words += ", the worst task counts"
    return f"{taskset}, {words}" if isinstance(taskset, str) and taskset else words
