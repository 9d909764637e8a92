"""Policies x seeds in real training, paired by seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from .._check import check_integer
from ..config import Config, make_config
from ..launch import launch
from ..records import Floats
from .jobs import Engine, Job, run_jobs
from .real_work import loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRow:
    """One policy on one taskset, over seeds.

    Attributes:
        policy: as given.
        objective: final objective, averaged over seeds.
        lower: lower end of its 95 % t-interval.
        upper: upper end.
        gain: difference from the first policy, averaged over paired seeds; NaN for the first itself.
        gain_lower: lower end of its 95 % t-interval.
        gain_upper: upper end.
        scores: final score of each task, averaged over seeds.
        shares: share of the decisions of each task, averaged over seeds.
        evaluation_cost: budget that evaluations used, averaged over seeds.
        seconds: wall time of a run, averaged over seeds.
        seeds: number of runs.
        note: why there are no figures, or nothing.
    """

    policy: str
    objective: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    gain: float = np.nan
    gain_lower: float = np.nan
    gain_upper: float = np.nan
    scores: Mapping[str, float]
    shares: Mapping[str, float]
    evaluation_cost: float = np.nan
    seconds: float = np.nan
    seeds: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStudy:
    """What came of every policy, and where the runs are.

    Attributes:
        rows: one for each policy, in the order given.
        objectives: final objective of each policy and seed, shape (n_policies, n_seeds); NaN where there is none.
        directories: of the runs.
        signature: what all figures were made from.
    """

    rows: tuple[TrainingRow, ...]
    objectives: Floats
    directories: tuple[Path, ...]
    signature: Mapping[str, Any]


def study_training(
    config: Config,
    policies: Sequence[str],
    seeds: Sequence[int],
    *,
    out: Path,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> TrainingStudy:
    """Train with every policy and seed under the same budget, and compare with the first policy.

    Every run has a directory of its own below `out`; those that have finished are not repeated, and those that were
    interrupted go on where they stood.

    Args:
        config: of each run, but for policy and seed. A signal in it is used by all policies that need rewards.
        policies: names with parameters; the first is what the others are compared with.
        seeds: at least one; all policies get the same.
        out: folder of the study.
        engine: see `run_jobs`.
        workers: see `run_jobs`.
        address: see `run_jobs`.
        progress: called with the number of finished runs, of all, and the policy that finished.

    Raises:
        ValueError: nothing to do, or a name is wrong.
    """
    check_integer("number of policies", len(policies), low=1)
    check_integer("number of seeds", len(seeds), low=1)
    specs = list(dict.fromkeys(policies))
    base = config.model_dump(mode="json", exclude_none=True)
    jobs = [
        Job(
            f"{spec}|{seed}",
            {"config": {**base, "policy": spec, "seed": seed}, "place": str(out / "runs" / _folder(spec, seed))},
        )
        for seed in seeds
        for spec in specs
    ]
    found: dict[str, dict[str, Any]] = {}
    store = out / "jobs.jsonl"
    for job, result in run_jobs(jobs, work, engine=engine, workers=workers, address=address, store=store):
        found[job.key] = result
        if progress is not None:
            progress(len(found), len(jobs), str(job.spec["config"]["policy"]))
    objectives = np.array(
        [[found[f"{spec}|{seed}"].get("objective", np.nan) for seed in seeds] for spec in specs], dtype=np.float64
    )
    rows = tuple(
        _row(spec, [found[f"{spec}|{seed}"] for seed in seeds], objectives[index], objectives[0], first=index == 0)
        for index, spec in enumerate(specs)
    )
    places = tuple(Path(str(job.spec["place"])) for job in jobs if not found[job.key].get("note"))
    signature = {"config": base, "seeds": list(seeds), "interval": "95 % t-interval over paired seeds"}
    return TrainingStudy(rows=rows, objectives=objectives, directories=places, signature=signature)


def work(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Train once; a function of a module, so that other processes can find it."""
    place = Path(spec["place"])
    try:
        config = make_config(spec["config"])
        summary = launch(config, place, resume=(place / "config.toml").is_file(), taskset=loaded(config))
    except ValueError as error:
        # A policy that this training loop cannot serve is a row without figures, not the end of a study.
        return {"note": str(error)}
    total = max(sum(summary["counts"].values()), 1)
    return {
        "objective": np.nan if summary["objective"] is None else summary["objective"],
        "scores": {name: item["score"] for name, item in summary["tasks"].items()},
        "shares": {name: count / total for name, count in summary["counts"].items()},
        "evaluation_cost": summary["evaluation_cost"],
        "seconds": summary["seconds"],
    }


def _folder(spec: str, seed: int) -> str:
    return re.sub(r"[^\w.,=-]+", "-", f"{spec}-{seed}").strip("-")


def _row(spec: str, results: Sequence[dict[str, Any]], own: Floats, first_own: Floats, *, first: bool) -> TrainingRow:
    note = next((str(item["note"]) for item in results if "note" in item), "")
    if note:
        return TrainingRow(policy=spec, scores={}, shares={}, note=note)
    mean, lower, upper = t_interval(own)
    gain, gain_lower, gain_upper = (np.nan, np.nan, np.nan) if first else t_interval(own - first_own)
    return TrainingRow(
        policy=spec,
        objective=mean,
        lower=lower,
        upper=upper,
        gain=gain,
        gain_lower=gain_lower,
        gain_upper=gain_upper,
        scores=_means([item["scores"] for item in results]),
        shares=_means([item["shares"] for item in results]),
        evaluation_cost=float(np.mean([item["evaluation_cost"] for item in results])),
        seconds=float(np.mean([item["seconds"] for item in results])),
        seeds=len(results),
    )


def t_interval(values: Floats, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean and ends of its t-interval; an infinite interval for a single value.

    >>> t_interval(np.array([1.0, 2.0, 3.0]))[0]
    2.0
    """
    mean = float(values.mean())
    if values.size < 2:
        return mean, -np.inf, np.inf
    half = float(stats.t.ppf(0.5 + confidence / 2, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size))
    return mean, mean - half, mean + half


def _means(items: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    names = list(items[0])
    values = {name: [item[name] for item in items] for name in names}
    return {name: float(np.mean([np.nan if value is None else value for value in values[name]])) for name in names}
