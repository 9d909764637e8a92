"""The synthetic study: the counterfactual policy beside all that do not forecast, each at its best setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson

from .._check import check_choice, check_integer
from .._files import replacing, write_file
from ..component import decode, encode
from ..policies import POLICIES, policies
from ..records import Floats
from ..sim import simulate
from ..sim._wrapper import Wrapper
from ..sim.gap import LEAST_HEADROOM
from ..sim.suite import SPLITS, Split
from .figure import gap_figure
from .jobs import Engine, Job, run_jobs
from .tune import read_tuned
from .worlds import expand, load_world, work

CANDIDATE = "counterfactual"
SIGNALS = ("loss_decrease", "windowed_quantiles(signal=loss_decrease)", "prediction_gain")
"""Signals that every policy which learns from rewards is tried with, beside its usual one."""
WORTH = ("worth", "windowed_quantiles(signal=worth, range='unit')")
"""What policies are tried with that get the signal of `counterfactual`."""
SAME_SIGNAL = {
    "lin_ucb": "lin_ucb(reward='worth')",
    "lin_thompson": "lin_thompson(reward='worth')",
    "sec": "sec",
    "dump": "dump",
    "exp3s": "exp3s",
    "epsilon_greedy": "epsilon_greedy",
}
"""Competitors that are also run on that signal, so that the policy can be told from its signal."""
FAMILIES = ("static", "bandit", "learning-progress", "mixing", "allocation")
"""Kinds of policies that take part; wrappers and planners do not."""
RESAMPLES = 2000
WORST = 0.02
"""A policy may lose this fraction of uniform's score in its worst world."""

Kind = Literal["policy", "same signal", "ablation"]
KINDS: tuple[Kind, ...] = ("policy", "same signal", "ablation")
_THETA = "prior=({0}, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)"


class Setting(NamedTuple):
    """What runs in a world.

    Attributes:
        policy: with its parameters.
        signal: empty where none is used.
        pace: steps between evaluations, as a multiple of what the world has.
    """

    policy: str
    signal: str = ""
    pace: float = 1.0


_HELD_OUT = ("counterfactual(reward='objective')", "held_out_gain(ridge=0.1)")

ABLATIONS: dict[str, Setting] = {
    "reward: loss decrease": Setting("counterfactual(reward='own')", "loss_decrease"),
    "reward: prediction gain": Setting("counterfactual", "prediction_gain"),
    "reward: held-out gain": Setting(*_HELD_OUT),
    "reward: held-out gain, evaluated twice as often": Setting(*_HELD_OUT, 0.5),
    "reward: held-out gain, evaluated half as often": Setting(*_HELD_OUT, 2.0),
    "reward: held-out gain, evaluated a quarter as often": Setting(*_HELD_OUT, 4.0),
    "reward: gradient alignment": Setting("counterfactual(reward='objective')", "gradient_alignment"),
    "estimator: ips": Setting("counterfactual(estimator='ips')", "worth"),
    "estimator: banditnet": Setting("counterfactual(estimator='banditnet')", "worth"),
    "estimator: dr": Setting("counterfactual(estimator='dr')", "worth"),
    "estimator: log smoothing": Setting("counterfactual(estimator='log_smoothing')", "worth"),
    "features: none": Setting("counterfactual(context_free=True)", "worth"),
    "features: no effects on others": Setting("counterfactual", "worth(others=False)"),
    "prior: none": Setting(f"counterfactual({_THETA.format('0.0')})", "worth"),
    "prior: third power": Setting(f"counterfactual({_THETA.format('3.0')})", "worth"),
    "prior: never left": Setting("counterfactual(l2=1000000.0)", "worth"),
    "window: 100": Setting("counterfactual(window=100)", "worth"),
    "penalty: none": Setting("counterfactual(penalty=0.0)", "worth"),
    "trust region: weak": Setting("counterfactual(kl=0.05)", "worth"),
    "gate: none": Setting("counterfactual(gate=None)", "worth"),
    "propensities: none": Setting("counterfactual(use_propensities=False)", "worth"),
}
"""What is changed in `counterfactual`, one thing at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of the study is run."""

    worlds: tuple[str, ...]
    policies: tuple[str, ...]
    runs: int
    tuning_runs: int


QUICK = Size(
    worlds=("speeds/0", "useless/0", "transfer/0", "few_steps/2"),
    policies=("proportional", "exp3s", "epsilon_greedy", "tscl_online", "odm", "lin_ucb"),
    runs=16,
    tuning_runs=4,
)
"""Enough to see what comes out; far too little to conclude anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticRow:
    """One policy, in one world or in all.

    Attributes:
        kind: `policy`, `same signal` (a competitor on the signal of `counterfactual`) or `ablation`.
        label: name of the policy, or what the ablation changes.
        policy: with its parameters.
        signal: empty where none is used.
        world: such as `transfer/3`, or `all`.
        gap_closed: (policy - uniform) / (best - uniform), over all worlds the ratio of the sums; NaN where there is
            nothing to gain.
        lower, upper: ends of its 95 % interval, by a bootstrap over paired runs.
        mean_gap: mean over worlds of their gaps closed, those without room left out; in rows of one world its gap.
        mean_lower, mean_upper: ends of its 95 % interval.
        gain: mean of policy - uniform, in units of score.
        behind: mean gap of `counterfactual` minus that of this policy, only in rows of all worlds, else NaN.
        behind_lower, behind_upper: ends of its 95 % interval over paired runs.
        worst_gain: smallest gain in a world, as a fraction of uniform's score there.
        worst_world: that world.
        runs: paired runs in each world.
        settings: how many settings were tried on the public worlds.
        missing: worlds in which the policy cannot run, which count as uniform.
    """

    kind: Kind
    label: str
    policy: str
    signal: str
    world: str
    gap_closed: float
    lower: float
    upper: float
    mean_gap: float
    mean_lower: float
    mean_upper: float
    gain: float
    behind: float
    behind_lower: float
    behind_upper: float
    worst_gain: float
    worst_world: str
    runs: int
    settings: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticStudy:
    """The rows of the table, best first, and how they were made.

    Attributes:
        rows: over all worlds and by world.
        signature: seeds, runs, worlds and splits.
    """

    rows: tuple[SyntheticRow, ...]
    signature: dict[str, Any]

    def table(self) -> list[dict[str, Any]]:
        """One row for each policy and ablation, as data that JSON can hold: NaN is None."""
        rows = (asdict(row) for row in self.rows if row.world == "all")
        return [{key: None if value != value else value for key, value in row.items()} for row in rows]

    def verdict(self) -> str:
        """Whether `counterfactual` is ahead of every other policy, and what it costs where it does worst."""
        rows = [row for row in self.rows if row.world == "all"]
        own = next(row for row in rows if row.kind == "policy" and row.label == CANDIDATE)
        others = [row for row in rows if row.kind == "policy" and row is not own]
        limit = "within" if own.worst_gain >= -WORST else "beyond"
        verdict = (
            f"{CANDIDATE} closes {own.mean_gap:.3f} of the gap between uniform and the best spending, averaged over "
            f"worlds. It is ahead {_ahead(others)}. Where it does worst, in {own.worst_world}, it changes uniform's "
            f"score by {own.worst_gain:+.1%}, {limit} the {WORST:.0%} that it may lose."
        )
        same = [row for row in rows if row.kind == "same signal"]
        return f"{verdict} Of those on its own signal it is ahead {_ahead(same)}." if same else verdict

    def figure(self) -> list[dict[str, Any]]:
        """Mean gap closed with its interval over all worlds, in the order in which they are drawn."""
        keys = ("kind", "label", "mean_gap", "mean_lower", "mean_upper")
        names = ("kind", "label", "gap_closed", "lower", "upper")
        return [{name: row[key] for name, key in zip(names, keys, strict=True)} for row in self.table()]


def _ahead(others: Sequence[SyntheticRow]) -> str:
    close = [row for row in others if not row.behind_lower > 0]
    if not close:
        return f"of each of {len(others)} others by an interval that excludes zero"
    names = ", ".join(f"{row.label} ({row.behind:+.3f})" for row in close)
    if len(close) == len(others):
        return f"of none of the others by such an interval: {names}"
    return f"of each of {len(others)} others by an interval that excludes zero, except {names}"


def settings_of(name: str, tuned: Mapping[str, str] | None = None) -> list[Setting]:
    """What a policy is tried with on the public worlds: its usual signal and `SIGNALS`, or just itself.

    Where there is a tuned form of it, that one takes part with the signal it was tuned with, the usual one.
    """
    policy = policies.make(name)
    more = [tuned[name]] if tuned and name in tuned else []
    if "reward" not in policy.requires:
        return [Setting(spec) for spec in (name, *more)]
    signals = [policy.usual_signal, *SIGNALS] if policy.usual_signal else list(SIGNALS)
    found = [Setting(name, signal) for signal in dict.fromkeys(signals)]
    return [*found, *(Setting(spec, policy.usual_signal) for spec in more)]


def competitors() -> list[str]:
    """Policies that need no argument, of the kinds that take part."""
    return [cls.name for cls in POLICIES if cls.family in FAMILIES and _constructs(cls.name)]


def run_synthetic_study(
    world_names: Sequence[str] = ("all",),
    names: Sequence[str] | None = None,
    *,
    runs: int = 64,
    tuning_runs: int = 16,
    seed: int = 2024,
    tuning_seed: int = 1,
    split: Split = "reported",
    tuning_worlds: Sequence[str] | None = None,
    tuned: str | Path | None = None,
    same_signal: bool = True,
    ablations: bool = True,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    out: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> SyntheticStudy:
    """Compare `counterfactual` with every policy that does not forecast, on budgets that pay for all measurements.

    Each policy is first tried with its settings on the public worlds, and its best one runs in the worlds of `split`.
    All get the same chance: the usual signal and those of `SIGNALS`, and the parameters in `tuned`, if they are there.
    `counterfactual` runs as it is: its defaults were chosen on the public worlds. A world in which a policy cannot run,
    since it lacks a measurement, counts as uniform.

    Args:
        world_names: worlds or families, or `all`.
        names: policies; None takes `competitors`. `counterfactual` and `uniform` are always there.
        runs: paired runs in each world, at least 2.
        tuning_runs: the same on the public worlds.
        seed: of noise and draws.
        tuning_seed: the same on the public worlds.
        split: the worlds that count.
        tuning_worlds: public worlds or families on which settings are chosen; None takes those of `world_names`.
        tuned: file of `apportion tune`, or `shipped`; None tries no tuned parameters.
        same_signal: whether to run `SAME_SIGNAL`.
        ablations: whether to run `ABLATIONS`.
        engine: see `run_jobs`.
        workers: see `run_jobs`.
        address: see `run_jobs`.
        out: folder for the store of finished jobs.
        progress: called with the phase (`tuning`, then `results`), the number of its finished jobs and of all of them.

    Raises:
        ValueError: a name is unknown, or a number out of range.
    """
    check_integer("runs", runs, low=2)
    check_integer("tuning_runs", tuning_runs, low=2)
    check_choice("split", split, SPLITS)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    chosen = dict.fromkeys([CANDIDATE, "uniform", *(competitors() if names is None else names)])
    found = {} if tuned is None else {name: item.spec for name, item in read_tuned(tuned).items()}
    tried: dict[tuple[Kind, str], list[Setting]] = {("policy", name): settings_of(name, found) for name in chosen}
    tried["policy", CANDIDATE] = [Setting(CANDIDATE, policies.make(CANDIDATE).usual_signal)]
    if same_signal:
        for name, spec in SAME_SIGNAL.items():
            specs = dict.fromkeys([spec, found.get(spec, spec)])
            tried["same signal", name] = [Setting(item, signal) for item in specs for signal in WORTH]

    def runs_of(
        phase: str, names: list[str], settings: Sequence[Setting], of: Split, count: int, start: int
    ) -> _Finals:
        jobs = _jobs(names, settings, of, count, start)
        results: dict[str, dict[str, Any]] = {}
        store = None if out is None else out / "jobs.jsonl"
        for job, result in run_jobs(jobs, simulated, engine=engine, workers=workers, address=address, store=store):
            results[job.key] = result
            if progress is not None:
                progress(phase, len(results), len(jobs))
        return _Finals(names, [(job, results[job.key]) for job in jobs], count, start)

    contested = [item for items in tried.values() if len(items) > 1 for item in items]
    trial = expand(tuning_worlds or world_names, "public")
    best = {who: items[0] for who, items in tried.items()}
    if contested:
        public = runs_of("tuning", trial, contested, "public", tuning_runs, tuning_seed)
        for who, items in tried.items():
            if len(items) > 1:
                best[who] = max(items, key=lambda item: public.mean_gap(item)[0])
    extra = ABLATIONS if ablations else {}
    finals = runs_of("results", expand(world_names, split), [*best.values(), *extra.values()], split, runs, seed)
    reference = finals.mean_gap(best["policy", CANDIDATE])
    rows = [row for who, item in best.items() for row in finals.rows(*who, item, reference, len(tried[who]))]
    rows += [row for label, item in extra.items() for row in finals.rows("ablation", label, item, reference, 1)]
    signature = {
        "worlds": list(finals.worlds),
        "split": split,
        "runs": runs,
        "seed": seed,
        "tuning_runs": tuning_runs,
        "tuning_seed": tuning_seed,
        "tuning_worlds": trial,
        "tuned": None if tuned is None else str(tuned),
        "estimand": "run",
    }
    rows.sort(key=lambda row: (KINDS.index(row.kind), row.world != "all", -row.mean_gap))
    return SyntheticStudy(rows=tuple(rows), signature=signature)


@dataclass
class _Paced(Wrapper):
    """A world whose tasks are evaluated more or less often."""

    pace: float = 1.0

    @property
    def evaluate_every(self) -> int:
        return max(1, round(self.world.evaluate_every * self.pace))


def simulated(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Do one job of the study; a function of a module, so that other processes can find it."""
    if "pace" not in spec:
        return work(spec)
    world = _Paced(load_world(spec["world"], spec["split"]), spec["pace"])
    try:
        result = simulate(
            world, spec["policy"], spec["signal"], n_runs=spec["runs"], seed=spec["seed"], label=spec["world"]
        )
    except ValueError as error:
        return {"note": str(error)}
    return {"final": encode(result.final), "seconds": result.seconds}


def _jobs(worlds: Sequence[str], settings: Sequence[Setting], split: Split, runs: int, seed: int) -> list[Job]:
    jobs: list[Job] = []
    for world in worlds:
        jobs.append(Job(f"{split}|{world}|references", {"kind": "references", "world": world, "split": split}))
        for policy, signal, pace in dict.fromkeys([Setting("uniform"), *settings]):
            key = f"{split}|{world}|{policy}|{signal}|{seed}|{runs}" + (f"|{pace:g}" if pace != 1.0 else "")
            spec: dict[str, Any] = {"kind": "run", "world": world, "split": split, "policy": policy, "signal": signal}
            # With its parameters, so that a store does not answer for a policy whose defaults have changed since.
            spec |= {"params": policies.make(policy).params(), "seed": seed, "first": 0, "runs": runs}
            if pace != 1.0:
                spec["pace"] = pace
            jobs.append(Job(key, spec))
    return jobs


class _Finals:
    """Final objectives of all settings in all worlds, and what follows from them."""

    def __init__(self, worlds: list[str], finished: Sequence[tuple[Job, dict[str, Any]]], runs: int, seed: int) -> None:
        self.worlds, self.runs = worlds, runs
        self._best: dict[str, float] = {}
        self._final: dict[tuple[str, Setting], Floats] = {}
        for job, result in finished:
            spec = job.spec
            if spec["kind"] == "references":
                self._best[spec["world"]] = float(result["best"])
            elif "final" in result:
                setting = Setting(spec["policy"], spec["signal"], spec.get("pace", 1.0))
                self._final[spec["world"], setting] = decode(result["final"])
        generator = np.random.default_rng([seed, runs])
        self._picks = [generator.integers(runs, size=(RESAMPLES, runs)) for _ in worlds]

    def gains(self, setting: Setting, world: str) -> Floats | None:
        """Policy - uniform of every run, shape (runs,); None where it cannot run."""
        found = self._final.get((world, setting))
        return None if found is None else found - self._final[world, Setting("uniform")]

    def gap(self, setting: Setting, worlds: Sequence[str] | None = None) -> Floats:
        """Gap closed as observed and of every bootstrap sample, shape (1 + RESAMPLES,); NaN without room."""
        gained, room = np.zeros(1 + RESAMPLES), np.zeros(1 + RESAMPLES)
        names = self.worlds if worlds is None else worlds
        for world in names:
            picks = self._picks[self.worlds.index(world)]
            gains = self.gains(setting, world)
            gained += 0.0 if gains is None else _means(gains, picks)
            room += self._best[world] - _means(self._final[world, Setting("uniform")], picks)
        return gained / room if room[0] >= LEAST_HEADROOM * len(names) else np.full(1 + RESAMPLES, np.nan)

    def mean_gap(self, setting: Setting, worlds: Sequence[str] | None = None) -> Floats:
        """Mean of the worlds' gaps closed, worlds without room left out, as `gap` gives it."""
        gaps = [self.gap(setting, [world]) for world in worlds or self.worlds]
        gaps = [gap for gap in gaps if not np.isnan(gap[0])]
        return np.mean(gaps, axis=0) if gaps else np.full(1 + RESAMPLES, np.nan)

    def rows(self, kind: Kind, label: str, setting: Setting, reference: Floats, settings: int) -> list[SyntheticRow]:
        """A row for all worlds and one for each."""
        found = {world: self.gains(setting, world) for world in self.worlds}
        gains = {world: 0.0 if gain is None else float(gain.mean()) for world, gain in found.items()}
        parts = {
            world: gain / abs(float(self._final[world, Setting("uniform")].mean())) for world, gain in gains.items()
        }
        worst = min(parts, key=lambda world: parts[world])
        missing = sum(gain is None for gain in found.values())
        rows: list[SyntheticRow] = []
        for world in ("all", *self.worlds):
            among = None if world == "all" else [world]
            gap, mean = self.gap(setting, among), self.mean_gap(setting, among)
            ahead = reference - mean if world == "all" else np.full(2, np.nan)
            rows.append(
                SyntheticRow(
                    kind=kind,
                    label=label,
                    policy=setting.policy,
                    signal=setting.signal,
                    world=world,
                    gap_closed=float(gap[0]),
                    lower=_end(gap, 0.025),
                    upper=_end(gap, 0.975),
                    mean_gap=float(mean[0]),
                    mean_lower=_end(mean, 0.025),
                    mean_upper=_end(mean, 0.975),
                    gain=float(np.mean(list(gains.values()))) if world == "all" else gains[world],
                    behind=float(ahead[0]),
                    behind_lower=_end(ahead, 0.025),
                    behind_upper=_end(ahead, 0.975),
                    worst_gain=parts[worst],
                    worst_world=worst,
                    runs=self.runs,
                    settings=settings,
                    missing=missing,
                )
            )
        return rows


def _means(values: Floats, picks: Any) -> Floats:
    return np.concatenate([[values.mean()], values[picks].mean(axis=1)])


def _end(samples: Floats, level: float) -> float:
    return float("nan") if np.isnan(samples[0]) else float(np.quantile(samples[1:], level))


def _constructs(name: str) -> bool:
    try:
        policies.make(name)
    except ValueError:
        return False
    return True


def write_study(study: SyntheticStudy, folder: Path) -> Mapping[str, Path]:
    """Write `synthetic.json` (table, signature, all rows) and `synthetic.png` (the figure) into a folder; their paths.

    Raises:
        MissingExtraError: altair or vl-convert is not installed.
        OSError: the folder cannot be written.
    """
    paths = {"table": folder / "synthetic.json", "figure": folder / "synthetic.png"}
    rows = [asdict(row) for row in study.rows]
    data = {"signature": study.signature, "verdict": study.verdict(), "table": study.table(), "rows": rows}
    write_file(paths["table"], orjson.dumps(data, option=orjson.OPT_INDENT_2))
    made = study.signature
    note = (
        f"{len(made['worlds'])} {made['split']} worlds, {made['runs']} paired runs each; bar: 95 % bootstrap interval"
    )
    with replacing(paths["figure"]) as part:
        gap_figure(study.figure(), note).save(str(part), format="png", scale_factor=2)
    return paths
