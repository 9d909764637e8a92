"""Does simulation predict reality? Policies in real training, and in a world fitted to other runs of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from .._check import check_integer
from ..config import Config, make_config
from ..forecast.history import History
from ..log import fingerprint, read_log
from ..records import Floats
from ..sim import simulate
from ..sim.fitted import Fit, Losses, fit_world
from .jobs import Engine, Job, run_jobs
from .real_work import loaded
from .training import TrainingStudy, study_training, t_interval, work

FIRST_EXPLORED = 1_000_000
"""Seed of the first run that the world is fitted to; far from any seed that policies are judged on."""
LOOKS = 20
"""Evaluations in each of these runs."""
LOWEST = -0.3
"""Scores below (R2 has no lower end) count as this much in the fit."""
PARTS = ("transfer", "interference", "heat", "plateau")
RESAMPLES = 2000
POLICIES = (
    "proportional",
    "temperature(temperature=2)",
    "round_robin",
    "exp3s",
    "exp3",
    "ucb1",
    "discounted_ucb",
    "thompson_gaussian",
    "epsilon_greedy",
    "tscl_online",
    "tscl_window",
    "tscl_naive",
    "sec",
    "dump",
    "odm",
    "group_dro",
    "lin_ucb",
    "meta_rtl",
    "worst_task",
    "performance_gap",
    "learnability",
    "bidirectional_progress",
    "planner",
    "famo",
)
"""Policies of all kinds that are compared where none are named, beside uniform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealityRow:
    """One policy in both.

    Attributes:
        policy: as given.
        real: final objective in real training, averaged over seeds.
        real_gain: difference from uniform, paired by seed, with its 95 % t-interval.
        real_lower: lower end.
        real_upper: upper end.
        simulated: mean final objective in the fitted world.
        simulated_gain: difference from uniform, paired, with its 95 % normal interval over runs.
        simulated_lower: lower end.
        simulated_upper: upper end.
        note: why there are no figures, or nothing.
    """

    policy: str
    real: float = np.nan
    real_gain: float = np.nan
    real_lower: float = np.nan
    real_upper: float = np.nan
    simulated: float = np.nan
    simulated_gain: float = np.nan
    simulated_lower: float = np.nan
    simulated_upper: float = np.nan
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reality:
    """How well simulation predicted what policies do in real training.

    Attributes:
        rows: one for each policy, uniform first.
        spearman: rank correlation of the final objectives of all policies, with its 95 % bootstrap interval over seeds
            and simulated runs (value, lower, upper).
        kendall: Kendall's tau-b, likewise.
        agreeing: policies whose differences from uniform have the same sign.
        judged: policies other than uniform.
        clear_agreeing: those among them whose real difference is clear: its interval leaves out zero.
        clear: number of policies with a clear real difference.
        slope: of a line through the origin, real difference over simulated difference.
        fit: the world.
        signature: what all figures were made from.
    """

    rows: tuple[RealityRow, ...]
    spearman: tuple[float, float, float]
    kendall: tuple[float, float, float]
    agreeing: int
    judged: int
    clear_agreeing: int
    clear: int
    slope: float
    fit: Fit
    signature: Mapping[str, Any]


def study_reality(
    config: Config,
    policies: Sequence[str],
    *,
    seeds: Sequence[int],
    explored: int = 64,
    first_explored: int = FIRST_EXPLORED,
    runs: int = 200,
    parts: Sequence[str] = PARTS,
    fit: Fit | None = None,
    out: Path,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Reality:
    """Rank policies in real training and in a world fitted to other runs of it, and compare the rankings.

    1. `explored` runs follow random plans: 1, 2, 4 or 12 stages of random lengths with random shares. Their seeds are
       none of those that policies are judged on, and no policy of the comparison takes part.
    2. A world is fitted to their scores and losses.
    3. Every policy trains for real under `config`, with every seed.
    4. Every policy runs in the world, under the same budget, prices and evaluations.

    Args:
        config: of the training, with a budget in steps.
        policies: names with parameters; uniform is added if it is missing.
        seeds: of real training, at least 2.
        explored: runs to fit to, at least 8.
        first_explored: seed of the first of them.
        runs: simulated runs of each policy, at least 2.
        parts: of the world; see `fit_world`.
        fit: a world that is already fitted; then no run is explored.
        out: folder of the study; finished runs are not repeated.
        engine: see `run_jobs`.
        workers: see `run_jobs`.
        address: see `run_jobs`.
        progress: called with the stage, and the number of finished runs and of all.

    Raises:
        ValueError: the budget is not in steps, seeds overlap, there are too few policies, or a name is wrong.
    """
    if config.budget.unit != "steps":
        raise ValueError(f"the budget must be in steps to be simulated, got {config.budget.unit!r}.")
    check_integer("number of seeds", len(seeds), low=2)
    check_integer("explored", explored, low=8)
    check_integer("runs", runs, low=2)
    if set(seeds) & set(range(first_explored, first_explored + explored)):
        raise ValueError(f"seeds {first_explored} to {first_explored + explored - 1} are for the fit: judge on others.")
    specs = list(dict.fromkeys(["uniform", *policies]))
    check_integer("number of policies beside uniform", len(specs) - 1, low=2)

    def tell(stage: str) -> Callable[..., None] | None:
        return None if progress is None else partial(_told, progress, stage)

    if fit is None:
        places = explore(
            config,
            explored,
            first_explored,
            out=out / "explored",
            engine=engine,
            workers=workers,
            address=address,
            progress=tell("exploring"),
        )
        fit = fit_runs(config, places, parts)
    fit.save(out / "fit.json")
    study = study_training(
        config,
        specs,
        seeds,
        out=out / "real",
        engine=engine,
        workers=workers,
        address=address,
        progress=tell("training"),
    )
    return compare(config, study, fit, runs=runs, progress=tell("simulating"))


def _told(progress: Callable[[str, int, int], None], stage: str, done: int, total: int, *_: object) -> None:
    progress(stage, done, total)


def explore(
    config: Config,
    n_runs: int,
    first_seed: int,
    *,
    out: Path,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Train along random plans, with losses measured before and after every update; gives the run directories.

    The budget is a third larger, for the forward passes; whole sets are evaluated, at no cost.
    """
    base = config.model_dump(mode="json", exclude_none=True)
    n_tasks = len(loaded(config).tasks)
    budget = config.budget.amount * 4.0 / 3.0
    training = base["training"] | {
        "evaluate_every": budget / LOOKS,
        "charge_evaluations": False,
        "evaluation_size": 0,
    }
    jobs: list[Job] = []
    for number in range(n_runs):
        plan = random_plan(n_tasks, first_seed + number)
        own = {
            "seed": first_seed + number,
            "policy": {"name": "stages", "stages": plan},
            "signal": "prediction_gain",
            "budget": base["budget"] | {"amount": budget},
            "training": training,
        }
        make_config({**base, **own})
        jobs.append(Job(str(number), {"config": {**base, **own}, "place": str(out / "runs" / str(number))}))
    finished = run_jobs(jobs, work, engine=engine, workers=workers, address=address, store=out / "jobs.jsonl")
    for done, (job, result) in enumerate(finished, 1):
        if "note" in result:
            raise ValueError(f"run {job.key} of the exploration cannot be made: {result['note']}")
        if progress is not None:
            progress(done, len(jobs))
    return [Path(str(job.spec["place"])) for job in jobs]


def random_plan(n_tasks: int, seed: int) -> list[tuple[float, list[float]]]:
    """A table of shares that change at random times, for `Stages`; the same for the same seed.

    >>> random_plan(2, seed=0)[0][0]
    0.0
    """
    rng = np.random.default_rng(seed)
    n_stages = int(rng.choice([1, 2, 4, 12]))
    evenness = float(rng.choice([0.3, 1.0, 3.0]))
    starts = [0.0, *sorted(set(rng.uniform(0.05, 0.95, n_stages - 1).round(4).tolist()))]
    return [(start, rng.dirichlet(np.full(n_tasks, evenness)).round(5).tolist()) for start in starts]


def fit_runs(config: Config, places: Sequence[Path], parts: Sequence[str] = PARTS) -> Fit:
    """Fit a world to the logs of runs under `config`, one fold left out at a time for its error."""
    settings, taskset = config.make_settings(), loaded(config)
    logs = [read_log(place / "decisions.jsonl") for place in places]
    histories = [History.of_log(log, upper=1.0) for log in logs]
    for history in histories:
        np.maximum(history.scores, LOWEST, out=history.scores)
    batches = {settings.batch_size or taskset.batch_size_of(task.name) for task in taskset.tasks}
    prints = fingerprint({"logs": [log.header["fingerprint"] for log in logs]})
    return fit_world(
        histories,
        batch=max(batches),
        cooling=1.0 if settings.schedule == "linear" else 0.0,
        losses=[Losses.of_log(log) for log in logs],
        parts=parts,
        n_folds=3,
        most=40,
        source=f"{len(logs)} runs of {config.taskset.name} with {config.budget.amount:g} steps, logs {prints}",
    )


def compare(
    config: Config,
    study: TrainingStudy,
    fit: Fit,
    *,
    runs: int = 200,
    progress: Callable[[int, int], None] | None = None,
) -> Reality:
    """Compare real runs with those of the same policies in a fitted world; see `study_reality`."""
    settings = config.make_settings()
    budget = config.budget.amount
    size = settings.evaluation_size
    batch = int(fit.parameters["batch"])
    world = fit.world(
        budget,
        evaluations=max(1, round(settings.evaluate_every or budget / 10)),
        evaluated_batches=max(1, -(-size // batch)) if size else max(1, round(budget / 10)),
    )
    real: list[Floats] = []
    simulated: list[Floats] = []
    kept: list[str] = []
    left_out: list[RealityRow] = []
    for number, (row, own) in enumerate(zip(study.rows, study.objectives, strict=True), 1):
        note = row.note
        if not note:
            try:
                final = simulate(world, row.policy, n_runs=runs, seed=0).final
            except ValueError as error:
                note = str(error)
            else:
                real.append(own)
                simulated.append(final)
                kept.append(row.policy)
        if note:
            left_out.append(RealityRow(policy=row.policy, note=note))
        if progress is not None:
            progress(number, len(study.rows))
    made = {
        **study.signature,
        "fit": fit.source,
        "runs": runs,
        "intervals": f"95 %: t over paired seeds; normal over simulated runs; bootstrap of both, {RESAMPLES} resamples",
    }
    return _judged(kept, np.array(real), np.array(simulated), left_out, fit, made)


def _judged(
    names: Sequence[str],
    real: Floats,
    simulated: Floats,
    left_out: Sequence[RealityRow],
    fit: Fit,
    signature: Mapping[str, Any],
) -> Reality:
    rows: list[RealityRow] = []
    for name, own, own_simulated in zip(names, real, simulated, strict=True):
        gain, lower, upper = t_interval(own - real[0])
        gained = own_simulated - simulated[0]
        half = 1.96 * float(gained.std(ddof=1)) / np.sqrt(gained.size)
        rows.append(
            RealityRow(
                policy=name,
                real=float(own.mean()),
                real_gain=gain,
                real_lower=lower,
                real_upper=upper,
                simulated=float(own_simulated.mean()),
                simulated_gain=float(gained.mean()),
                simulated_lower=float(gained.mean()) - half,
                simulated_upper=float(gained.mean()) + half,
            )
        )
    others = rows[1:]
    clear = [row for row in others if row.real_lower > 0 or row.real_upper < 0]
    samples = _resampled(real, simulated)
    gains = np.array([(row.simulated_gain, row.real_gain) for row in others])
    return Reality(
        rows=(*rows, *left_out),
        spearman=_interval(_spearman(*samples)),
        kendall=_interval(_kendall(*samples)),
        agreeing=sum(_agrees(row) for row in others),
        judged=len(others),
        clear_agreeing=sum(_agrees(row) for row in clear),
        clear=len(clear),
        slope=float(gains[:, 0] @ gains[:, 1] / max(float(gains[:, 0] @ gains[:, 0]), 1e-12)),
        fit=fit,
        signature=signature,
    )


def _agrees(row: RealityRow) -> bool:
    return (row.real_gain > 0) == (row.simulated_gain > 0)


def _resampled(real: Floats, simulated: Floats) -> tuple[Floats, Floats]:
    """Mean objectives as observed and of bootstrap samples, each (1 + RESAMPLES, n_policies)."""
    rng = np.random.default_rng(0)  # of the bootstrap alone
    found: list[Floats] = []
    for values in (real, simulated):
        n = values.shape[1]
        picks = np.vstack([np.arange(n), rng.integers(0, n, (RESAMPLES, n))])
        found.append(np.stack([values[:, row].mean(axis=1) for row in picks]))
    return found[0], found[1]


def _spearman(x: Floats, y: Floats) -> Floats:
    """Correlation of the ranks in every row."""
    a, b = (stats.rankdata(values, axis=1) - (values.shape[1] + 1) / 2 for values in (x, y))
    return (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))


def _kendall(x: Floats, y: Floats) -> Floats:
    """Tau-b of every row: pairs in the same order less pairs in the other one, over those without ties."""
    a, b = (np.sign(values[:, :, None] - values[:, None, :]) for values in (x, y))
    return (a * b).sum(axis=(1, 2)) / np.sqrt((a * a).sum(axis=(1, 2)) * (b * b).sum(axis=(1, 2)))


def _interval(values: Floats) -> tuple[float, float, float]:
    lower, upper = np.quantile(values[1:], (0.025, 0.975))
    return float(values[0]), float(lower), float(upper)
