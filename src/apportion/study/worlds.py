"""Policies in simulated worlds: gap closed, score, regret and budget saved, with intervals over paired runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..component import decode, encode
from ..policies import policies
from ..records import Floats, priorities
from ..signals import signals
from ..sim import simulate, suite, worlds
from ..sim._base import World
from ..sim._checks import check_world
from ..sim.gap import LEAST_HEADROOM
from ..sim.references import References, references, suite_references
from ..sim.suite import Split
from .jobs import Engine, Job, run_jobs
from .world_totals import WorldTotal, world_totals

RESAMPLES = 2000
CHUNK = 500
"""Runs that one job simulates; the engine is fastest with some hundred runs side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRow:
    """One policy in one world.

    Attributes:
        world: such as `transfer/3`.
        policy: as given.
        signal: as given, or the policy's usual one; empty where none is used.
        mean: final objective, averaged over runs.
        lower, upper: ends of its 95 % interval.
        gap_closed: (policy - uniform) / (best - uniform); NaN where there is nothing to gain.
        gap_lower, gap_upper: ends of its 95 % interval.
        gain: difference from uniform, paired.
        gain_lower, gain_upper: ends of its 95 % interval.
        regret: best - policy.
        budget_saved: share of the budget not needed to reach uniform's final objective, to one step or a fiftieth of
            the budget; NaN if it is never reached.
        runs: paired runs.
        seconds: time of the simulation.
        note: why there are no figures, or nothing.
    """

    world: str
    policy: str
    signal: str
    mean: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    gap_closed: float = np.nan
    gap_lower: float = np.nan
    gap_upper: float = np.nan
    gain: float = np.nan
    gain_lower: float = np.nan
    gain_upper: float = np.nan
    regret: float = np.nan
    budget_saved: float = np.nan
    runs: int = 0
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldStudy:
    """Rows of all worlds and policies, and what they are measured against.

    Attributes:
        rows: one for each world and policy; the references `uniform`, `best fixed mixture` and `oracle` among them.
        curves: mean objective over the budget by (world, policy), each (n_points,).
        shares: mean shares over the budget by (world, policy), each (n_points - 1, n_tasks).
        progress: fractions of the budget, shape (n_points,).
        tasks: names by world.
        verified: whether the best spending of a world is proven to be the best, by world.
        totals: every policy over all worlds, the largest mean gap closed first.
        signature: what all figures were made from.
    """

    rows: tuple[WorldRow, ...]
    totals: tuple[WorldTotal, ...] = ()
    curves: dict[tuple[str, str], Floats] = field(default_factory=dict[tuple[str, str], Floats])
    shares: dict[tuple[str, str], Floats] = field(default_factory=dict[tuple[str, str], Floats])
    progress: Floats = field(default_factory=lambda: np.zeros(0))
    tasks: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    verified: dict[str, bool] = field(default_factory=dict[str, bool])
    signature: dict[str, Any] = field(default_factory=dict[str, Any])


def study_worlds(
    world_names: Sequence[str],
    policy_specs: Sequence[str],
    *,
    runs: int,
    seed: int,
    split: Split = "public",
    signals_of: Mapping[str, str] | None = None,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    out: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WorldStudy:
    """Simulate every policy in every world and compare it with uniform and with the best spending.

    Args:
        world_names: such as `transfer/3`, a family such as `transfer` (all its worlds), or one of a user's own:
            `FILE.py:CLASS` or a registered name, with or without parameters.
        policy_specs: names with parameters.
        runs: paired runs for each world and policy, at least 2.
        seed: of noise and draws.
        split: `public` settings for development, `reported` ones for results.
        signals_of: signals by policy spec; other policies get their usual one.
        engine: see `run_jobs`.
        workers: see `run_jobs`.
        address: see `run_jobs`.
        out: folder for the store of finished jobs.
        progress: called with the number of finished jobs and of all.

    Raises:
        ValueError: a name is unknown, or a number out of range.
    """
    names = expand(world_names, split)
    specs = list(dict.fromkeys(["uniform", *policy_specs]))
    chosen = {spec: _signal_of(spec, signals_of or {}) for spec in specs}
    jobs: list[Job] = []
    for name in names:
        jobs.append(Job(f"{name}|references", {"kind": "references", "world": name, "split": split}))
        for spec in specs:
            for first in range(0, runs, CHUNK):
                more = {"policy": spec, "signal": chosen[spec], "seed": seed, "first": first}
                count = min(CHUNK, runs - first)
                jobs.append(
                    Job(
                        f"{name}|{spec}|{chosen[spec]}|{first}",
                        {"kind": "run", "world": name, "split": split, "runs": count, **more},
                    )
                )
    results: dict[str, dict[str, Any]] = {}
    store = None if out is None else out / "jobs.jsonl"
    for job, result in run_jobs(jobs, work, engine=engine, workers=workers, address=address, store=store):
        results[job.key] = result
        if progress is not None:
            progress(len(results), len(jobs))
    return _collect(names, specs, chosen, runs, seed, split, results)


def expand(world_names: Sequence[str], split: Split) -> list[str]:
    """Single worlds: those of a family named, `all` of the suite, and a user's own as they are.

    Raises:
        ValueError: a name is unknown, or a world of the user's own has settings that make no sense.
    """
    names: list[str] = []
    for name in world_names:
        if _is_own(name):
            check_world(worlds.make(name))
            names.append(name)
        elif name == "all":
            names.extend(suite.ids())
        elif "/" in name:
            suite.load(name, split=split)
            names.append(name)
        else:
            names.extend(suite.find(name).ids())
    return list(dict.fromkeys(names))


def load_world(name: str, split: Split) -> World:
    """A world of the suite, or one of a user's own: `FILE.py:CLASS`, a registered name, or either with parameters."""
    return worlds.make(name) if _is_own(name) else suite.load(name, split=split)


def _is_own(name: str) -> bool:
    return ".py:" in name or "(" in name or (name not in suite.FAMILIES and name in worlds.names())


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldDescription:
    """A world of the suite as it can be drawn.

    Attributes:
        name: such as `transfer/3`.
        world: without state.
        references: what policies are measured against.
        progress: fractions of the budget, shape (n_points,).
        scores: true scores there if every task evenly gets the same number of batches, shape (n_points, n_tasks).
    """

    name: str
    world: World
    references: References
    progress: Floats
    scores: Floats

    @property
    def family(self) -> str:
        """The family that it belongs to."""
        return self.name.partition("/")[0]

    @property
    def objective(self) -> Floats:
        """Priority-weighted mean of the scores, shape (n_points,)."""
        return self.scores @ priorities(self.world.tasks)

    def as_data(self) -> dict[str, Any]:
        """What machines may want to know."""
        return {
            "name": self.name,
            "tasks": [task.name for task in self.world.tasks],
            "budget": self.world.budget,
            "uniform": self.objective[-1],
            "best": self.references.best,
            "verified": self.references.verified,
            "method": self.references.method,
            "best_shares": self.references.best_shares,
            "progress": self.progress,
            "objective": self.objective,
        }


def describe_worlds(names: Sequence[str], split: Split, *, n_points: int = 61) -> list[WorldDescription]:
    """Worlds of the suite, with how they learn under uniform spending in divided batches.

    Raises:
        ValueError: a world is not of the suite.
    """
    found: list[WorldDescription] = []
    for name in names:
        world = suite.load(name, split=split)
        world.reset(1)
        shares = np.full((1, world.n_tasks), 1.0 / world.n_tasks)
        steps = world.budget / float(world.costs.mean()) / (n_points - 1)
        scores = [world.scores()[0]]
        for _ in range(n_points - 1):
            world.flow(shares, steps)
            scores.append(world.scores()[0])
        found.append(
            WorldDescription(
                name=name,
                world=world.clone(),
                references=suite_references(name, split),
                progress=np.linspace(0.0, 1.0, n_points),
                scores=np.array(scores),
            )
        )
    return found


def _signal_of(spec: str, given: Mapping[str, str]) -> str:
    policy = policies.make(spec)
    if "reward" not in policy.requires:
        return ""
    signal = given.get(spec, policy.usual_signal)
    if signal:
        signals.make(signal)
    return signal


def work(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Do one job of a study; a function of a module, so that other processes can find it."""
    if spec["kind"] == "references":
        found = load_references(spec["world"], spec["split"])
        return {"best": found.best, "fixed": found.fixed, "verified": bool(found.verified), "method": found.method}
    try:
        result = simulate(
            load_world(spec["world"], spec["split"]),
            spec["policy"],
            spec["signal"] or None,
            n_runs=spec["runs"],
            seed=spec["seed"],
            first_run=spec["first"],
            label=spec["world"],
        )
    except ValueError as error:
        # A world that lacks what a policy measures is a row without figures, not the end of a study.
        return {"note": str(error)}
    return {
        "final": encode(result.final),
        "curve": encode(result.objective.sum(axis=0)),
        "shares": encode(result.shares * result.n_runs),
        "progress": encode(result.progress),
        "tasks": list(result.tasks),
        "seconds": result.seconds,
    }


def load_references(name: str, split: Split) -> References:
    """What policies are measured against in a world of the suite, or in one of a user's own."""
    return references(worlds.make(name)) if _is_own(name) else suite_references(name, split)


def _collect(
    names: Sequence[str],
    specs: Sequence[str],
    chosen: Mapping[str, str],
    runs: int,
    seed: int,
    split: Split,
    results: Mapping[str, dict[str, Any]],
) -> WorldStudy:
    rows: list[WorldRow] = []
    resampled: dict[tuple[str, str], Floats] = {}
    curves: dict[tuple[str, str], Floats] = {}
    shares: dict[tuple[str, str], Floats] = {}
    tasks: dict[str, tuple[str, ...]] = {}
    marks = np.zeros(0)
    rng = np.random.default_rng(0)  # of the bootstrap alone
    for name in names:
        found = results[f"{name}|references"]
        best = float(found["best"])
        picks = rng.integers(0, runs, (RESAMPLES, runs))
        uniform: Floats = np.zeros(0)
        goal = np.nan
        for spec in specs:
            pieces = [results[f"{name}|{spec}|{chosen[spec]}|{first}"] for first in range(0, runs, CHUNK)]
            note = next((str(piece["note"]) for piece in pieces if "note" in piece), "")
            if note:
                rows.append(WorldRow(world=name, policy=spec, signal=chosen[spec], note=note))
                continue
            final: Floats = np.concatenate([decode(piece["final"]) for piece in pieces])
            marks = decode(pieces[0]["progress"])
            tasks[name] = tuple(pieces[0]["tasks"])
            curves[name, spec] = np.sum([decode(piece["curve"]) for piece in pieces], axis=0) / runs
            shares[name, spec] = np.sum([decode(piece["shares"]) for piece in pieces], axis=0) / runs
            if spec == "uniform":
                uniform, goal = final, float(final.mean())
            row, gaps = _row(
                WorldRow(world=name, policy=spec, signal=chosen[spec], runs=runs),
                final,
                uniform,
                best,
                picks,
                0.0 if spec == "uniform" else _saved(curves[name, spec], marks, goal),
                sum(float(piece["seconds"]) for piece in pieces),
            )
            rows.append(row)
            if gaps is not None:
                resampled[name, spec] = gaps
        room = best - goal
        kind = str(found["method"]) if found["verified"] else f"{found['method']}, best known"
        for label, value, note in (("best fixed mixture", float(found["fixed"]), ""), ("oracle", best, kind)):
            rows.append(
                WorldRow(
                    world=name,
                    policy=label,
                    signal="",
                    mean=value,
                    gap_closed=(value - goal) / room if room >= LEAST_HEADROOM else np.nan,
                    gain=value - goal,
                    regret=best - value,
                    note=note,
                )
            )
    return WorldStudy(
        rows=tuple(rows),
        totals=world_totals(rows, resampled),
        curves=curves,
        shares=shares,
        progress=marks,
        tasks=tasks,
        verified={name: bool(results[f"{name}|references"]["verified"]) for name in names},
        signature={"split": split, "seed": seed, "runs": runs, "interval": f"95 % bootstrap, {RESAMPLES} resamples"},
    )


def _row(
    row: WorldRow,
    final: Floats,
    uniform: Floats,
    best: float,
    picks: np.ndarray[Any, Any],
    saved: float,
    seconds: float,
) -> tuple[WorldRow, Floats | None]:
    """A row, and the gaps closed of resampled runs."""
    means = final[picks].mean(axis=1)
    gains = (final - uniform)[picks].mean(axis=1)
    rooms = best - uniform[picks].mean(axis=1)
    gain, room = float((final - uniform).mean()), best - float(uniform.mean())
    lower, upper = np.quantile(means, (0.025, 0.975))
    gain_lower, gain_upper = np.quantile(gains, (0.025, 0.975))
    row = replace(
        row,
        mean=float(final.mean()),
        lower=float(lower),
        upper=float(upper),
        gain=gain,
        gain_lower=float(gain_lower),
        gain_upper=float(gain_upper),
        regret=best - float(final.mean()),
        budget_saved=saved,
        seconds=seconds,
    )
    if room < LEAST_HEADROOM:
        return row, None
    gaps = gains / np.where(rooms > 0, rooms, np.nan)
    gap_lower, gap_upper = np.quantile(gaps, (0.025, 0.975))
    return replace(row, gap_closed=gain / room, gap_lower=float(gap_lower), gap_upper=float(gap_upper)), gaps


def _saved(curve: Floats, marks: Floats, goal: float) -> float:
    reached = np.flatnonzero(curve >= goal)
    if not reached.size:
        return float("nan")
    index = int(reached[0])
    if index == 0:
        return 1.0
    rise = (goal - curve[index - 1]) / (curve[index] - curve[index - 1])
    return float(1.0 - marks[index - 1] - rise * (marks[index] - marks[index - 1]))
