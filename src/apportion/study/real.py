"""Real training: policies x settings x seeds, beside single tasks and the best fixed mixture found by search."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from .._check import check_integer
from .._version import __version__
from ..config import Config, make_config
from ..policies import policies as registry
from .jobs import Engine, Job, Work, run_jobs
from .real_search import Search, search_mixture
from .real_work import loaded, spec_of, teach, work

BEST = "best fixed mixture"
"""Label of the mixture found by search."""

LESSONS = "planner with lessons"
"""Label of the planner that was told what earlier runs of its own taught."""

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how many jobs are done, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealSetting:
    """One question: tasks, priorities, budget, and what counts.

    Args:
        name: unique in the study.
        words: what it asks.
        overrides: values of the configuration by dotted key.
        worst: whether the lowest score of the tasks with a priority counts, in place of their weighted mean; policies
            that can be told so are.
        parts: fractions of the budget with which `candidates` run as well, to be held against uniform at all of it.
        policies: further policies for this setting alone, by label.
    """

    name: str
    words: str
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    worst: bool = False
    parts: tuple[float, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class RealPlan:
    """What a study does.

    Args:
        name: of the study.
        config: of every run, but for what settings override, policy and seed.
        settings: the questions.
        policies: by label; `uniform` must be among them.
        candidates: labels of those whose worth is in question, beside all the others.
        seeds: of the reported runs.
        single_seeds: of single-task training, in the first setting; 0 trains none.
        trials: mixtures tried in the search for the best; 0 searches for none.
        search_seed: the first seed of the search, whose seeds differ from the reported ones.
        earlier: runs of the planner with other seeds, of the same setting and its whole budget, that teach
            `planner with lessons` before each of its runs; 0 leaves it out. Nothing is charged for them.
        earlier_seed: the first seed of those.

    Raises:
        ValueError: `uniform` is missing, or a number is out of range.
    """

    name: str
    config: Mapping[str, Any]
    settings: tuple[RealSetting, ...]
    policies: Mapping[str, str]
    candidates: tuple[str, ...] = ("counterfactual", "planner")
    seeds: tuple[int, ...] = tuple(range(10))
    single_seeds: int = 2
    trials: int = 48
    search_seed: int = 100_000
    earlier: int = 3
    earlier_seed: int = 200_000

    def __post_init__(self) -> None:
        if "uniform" not in self.policies:
            raise ValueError("a study needs the policy 'uniform', which the others are held against.")
        check_integer("number of seeds", len(self.seeds), low=2)
        check_integer("single_seeds", self.single_seeds, low=0)
        check_integer("trials", self.trials, low=0)
        check_integer("earlier", self.earlier, low=0)
        for spec in self.policies.values():
            registry.make(spec)

    @property
    def judged(self) -> tuple[str, ...]:
        """Labels whose worth is in question: the candidates, and the planner with lessons where it runs."""
        own = tuple(label for label in self.candidates if label in self.policies)
        return (*own, LESSONS) if self.earlier else own

    def configured(self, setting: RealSetting, policy: Any, seed: int, part: float = 1.0) -> Config:
        """The configuration of one run."""
        goal = {"objective": "worst"} if setting.worst else {}
        config = make_config(self.config, {**goal, **setting.overrides, "policy": policy, "seed": seed})
        if part == 1.0:
            return config
        amount = config.budget.amount * part
        changed: dict[str, Any] = {"budget.amount": amount}
        if config.make_settings().evaluate_every is not None:
            changed["training.evaluate_every"] = part * float(config.make_settings().evaluate_every or 0.0)
        return make_config(spec_of(config), changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealResults:
    """What all runs came to.

    Attributes:
        plan: what was done.
        runs: by (setting, label, seed), what `work` gave.
        singles: by (task, "share" or "full"), final scores of single-task training over seeds.
        searches: by setting, how the best fixed mixture was found.
        directories: of the reported runs by setting.
        signature: versions, machine, data.
    """

    plan: RealPlan
    runs: Mapping[tuple[str, str, int], Mapping[str, Any]]
    singles: Mapping[tuple[str, str], tuple[float, ...]]
    searches: Mapping[str, Search]
    directories: Mapping[str, tuple[Path, ...]]
    signature: Mapping[str, Any]


def run_real_study(
    plan: RealPlan,
    out: Path,
    *,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    progress: Progress | None = None,
) -> RealResults:
    """Do all runs of a study that are not in its store yet.

    Args:
        plan: what to do.
        out: folder of the study: `jobs.jsonl` holds finished jobs, `runs/` the directories of reported runs.
        engine: see `run_jobs`.
        workers: see `run_jobs`.
        address: see `run_jobs`.
        progress: called as jobs finish.

    Raises:
        ValueError: a name or a number is wrong.
        CheckpointError: the store belongs to another study.
    """
    store = out / "jobs.jsonl"

    def do(jobs: Sequence[Job], what: str, work: Work = work) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for job, result in run_jobs(jobs, work, engine=engine, workers=workers, address=address, store=store):
            found[job.key] = result
            if progress is not None:
                progress(what, len(found), len(jobs))
        return found

    searches: dict[str, Search] = {}
    for setting in plan.settings if plan.trials else ():
        searches[setting.name] = search_mixture(
            *_tasks(plan, setting),
            score=lambda jobs, setting=setting: _search_round(plan, setting, jobs, do),
            trials=plan.trials,
            seed=plan.search_seed,
        )
    lessons = _lessons(plan, partial(do, work=teach))
    jobs, keys, directories = _run_jobs_of(plan, searches, lessons, out)
    done = do(jobs, "policies")
    runs = {keys[key]: result for key, result in done.items()}
    for setting in plan.settings:
        for label, seed in product(labels_of(plan, setting), plan.seeds):
            # Where earlier runs failed, the planner with lessons has their reason for a note.
            runs.setdefault((setting.name, label, seed), lessons.get((setting.name, seed), {}))
        if "note" in (found := runs[setting.name, "uniform", plan.seeds[0]]):
            raise ValueError(f"`uniform` cannot run in the setting {setting.name!r}: {found['note']}")
    singles = _singles(plan, do)
    versions: dict[str, str] = next((item["versions"] for item in done.values() if "versions" in item), {})
    return RealResults(
        plan=plan,
        runs=runs,
        singles=singles,
        searches=searches,
        directories=directories,
        signature={
            **versions,
            "apportion": __version__,
            "seeds": list(plan.seeds),
            "search_seeds_from": plan.search_seed,
            "trials": plan.trials,
            "earlier": plan.earlier,
            "earlier_seeds_from": plan.earlier_seed,
            "data": {s.name: runs[s.name, "uniform", plan.seeds[0]].get("checksums") for s in plan.settings},
            "config": orjson.loads(orjson.dumps(dict(plan.config))),
        },
    )


def labels_of(plan: RealPlan, setting: RealSetting) -> dict[str, tuple[str, float]]:
    """What runs in a setting: policy and part of the budget by label, the best fixed mixture apart."""
    policies = {**plan.policies, **setting.policies}
    if LESSONS in plan.judged:
        policies[LESSONS] = "planner"
    found = {label: (spec, 1.0) for label, spec in policies.items()}
    for part in setting.parts:
        found |= {f"{label} at {part:.0%}": (policies[label], part) for label in plan.judged}
    return found


def _run_jobs_of(
    plan: RealPlan, searches: Mapping[str, Search], lessons: Mapping[tuple[str, int], Any], out: Path
) -> tuple[list[Job], dict[str, tuple[str, str, int]], dict[str, tuple[Path, ...]]]:
    jobs: list[Job] = []
    keys: dict[str, tuple[str, str, int]] = {}
    directories: dict[str, tuple[Path, ...]] = {}
    for setting in plan.settings:
        wanted: dict[str, tuple[Any, float]] = dict(labels_of(plan, setting))
        if setting.name in searches:
            best = {"name": "mixture", "shares": list(searches[setting.name].shares)}
            wanted |= {BEST: (best, 1.0)} | {f"{BEST} at {part:.0%}": (best, part) for part in setting.parts}
        places: list[Path] = []
        for seed in plan.seeds:
            for label, (policy, part) in wanted.items():
                if label.startswith(LESSONS):
                    if "note" in (told := lessons[setting.name, seed]):
                        continue
                    policy = {"name": policy, "priors": told["lessons"]}
                config = spec_of(plan.configured(setting, policy, seed, part))
                place = out / "runs" / _folder(setting.name) / _folder(f"{label}-{seed}")
                key = f"run|{setting.name}|{label}|{seed}"
                jobs.append(Job(key, {"config": config, "place": str(place)}))
                keys[key] = (setting.name, label, seed)
                if part == 1.0:
                    places.append(place)
        directories[setting.name] = tuple(places)
    return jobs, keys, directories


def _lessons(
    plan: RealPlan, do: Callable[[Sequence[Job], str], dict[str, dict[str, Any]]]
) -> dict[tuple[str, int], Any]:
    """What `teach` gave for each run of the planner with lessons, by setting and seed."""
    if LESSONS not in plan.judged:
        return {}
    jobs: dict[tuple[str, int], Job] = {}
    for setting in plan.settings:
        for seed in plan.seeds:
            seeds = range(plan.earlier_seed + plan.earlier * seed, plan.earlier_seed + plan.earlier * (seed + 1))
            configs = [spec_of(plan.configured(setting, "planner", number)) for number in seeds]
            jobs[setting.name, seed] = Job(f"lessons|{setting.name}|{seed}", {"configs": configs})
    found = do(list(jobs.values()), "earlier runs")
    return {key: found[job.key] for key, job in jobs.items()}


def _search_round(
    plan: RealPlan,
    setting: RealSetting,
    wanted: Sequence[tuple[tuple[float, ...], int]],
    do: Callable[[Sequence[Job], str], dict[str, dict[str, Any]]],
) -> list[float]:
    jobs: list[Job] = []
    for shares, seed in wanted:
        policy = {"name": "mixture", "shares": list(shares)}
        config = plan.configured(setting, policy, seed)
        only_end = {"training.charge_evaluations": False, "training.evaluate_every": config.budget.amount}
        config = spec_of(make_config(spec_of(config), only_end))
        jobs.append(Job(f"search|{setting.name}|{shares}|{seed}", {"config": config}))
    found = do(jobs, f"search, {setting.name}")
    return [objective_of(found[job.key]["scores"], found[job.key]["priorities"], worst=setting.worst) for job in jobs]


def _singles(
    plan: RealPlan, do: Callable[[Sequence[Job], str], dict[str, dict[str, Any]]]
) -> dict[tuple[str, str], tuple[float, ...]]:
    setting = plan.settings[0]
    tasks, _ = _tasks(plan, setting)
    jobs: dict[tuple[str, str, int], Job] = {}
    for seed in plan.seeds[: plan.single_seeds]:
        for index, task in enumerate(tasks):
            shares = [float(place == index) for place in range(len(tasks))]
            for kind, part in (("share", 1.0 / len(tasks)), ("full", 1.0)):
                config = plan.configured(setting, {"name": "mixture", "shares": shares}, seed, part)
                spec = spec_of(make_config(spec_of(config), {"training.evaluate_every": config.budget.amount}))
                jobs[task, kind, seed] = Job(f"single|{kind}|{task}|{seed}", {"config": spec})
    found = do(list(jobs.values()), "single tasks") if jobs else {}
    scores: dict[tuple[str, str], tuple[float, ...]] = {}
    for (task, kind, _), job in jobs.items():
        value = found[job.key]["scores"][task]
        scores[task, kind] = (*scores.get((task, kind), ()), np.nan if value is None else float(value))
    return scores


def _tasks(plan: RealPlan, setting: RealSetting) -> tuple[tuple[str, ...], tuple[float, ...]]:
    taskset = loaded(plan.configured(setting, "uniform", 0))
    return taskset.names, tuple(task.priority for task in taskset.tasks)


def objective_of(scores: Mapping[str, float | None], priorities: Mapping[str, float], *, worst: bool) -> float:
    """The objective of final scores: their priority-weighted mean, or the lowest of those with a priority."""
    counted = {name: weight for name, weight in priorities.items() if weight > 0}
    values = np.array([np.nan if scores[name] is None else scores[name] for name in counted], dtype=np.float64)
    weights = np.array(list(counted.values()))
    return float(values.min()) if worst else float((values * weights).sum() / weights.sum())


def _folder(words: str) -> str:
    return re.sub(r"[^\w.=-]+", "-", words).strip("-")
