"""Tunes the parameters of any policy on public worlds, with the same number of trials for each."""

from __future__ import annotations

import dataclasses
import types
import typing
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import orjson

from .._check import check_choice, check_integer, check_number
from .._files import write_file
from .._optional import optional
from ..policies import Policy, policies
from ..sim import simulate
from ..sim.gap import LEAST_HEADROOM
from .jobs import Engine, Job, run_jobs
from .worlds import expand, load_references, load_world

FORMAT = "apportion tuned policies 1"
WORLDS = ("few_steps/1", "useless/2", "change/0", "fitted/0")
"""Public worlds to tune on where none are named: what is hard differs, and none has many steps."""

Kind = Literal["linear", "log", "complement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Where to look for a parameter.

    Args:
        low: smallest value.
        high: largest value, above `low`.
        kind: `linear`; `log`, all orders of magnitude alike; `complement`, those of 1 - value, for values near 1.
        whole: only whole numbers.

    Raises:
        ValueError: the ends are in the wrong order, or outside what the kind allows.
    """

    low: float
    high: float
    kind: Kind = "log"
    whole: bool = False

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("linear", "log", "complement"))
        check_number("low", self.low, low=0.0 if self.kind == "log" else -np.inf, low_open=True)
        check_number(
            "high", self.high, low=self.low, low_open=True, high=1.0 if self.kind == "complement" else np.inf,
            high_open=True,
        )  # fmt: skip

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read `LOW:HIGH` or `LOW:HIGH:KIND`; ends without a point mean whole numbers.

        >>> Range.parse("0.9:0.999:complement").kind
        'complement'

        Raises:
            ValueError: it cannot be read.
        """
        parts = text.split(":")
        try:
            if len(parts) not in (2, 3):
                raise ValueError
            low, high = float(parts[0]), float(parts[1])
        except ValueError:
            raise ValueError(f"a range is written LOW:HIGH or LOW:HIGH:KIND, got {text!r}.") from None
        whole = parts[0].lstrip("-").isdecimal() and parts[1].lstrip("-").isdecimal()
        kind = parts[2] if len(parts) == 3 else "linear"
        return cls(low=low, high=high, kind=kind, whole=whole)  # pyright: ignore[reportArgumentType] (checked inside)

    def draw(self, trial: Any, name: str) -> float | int:
        """A value of an Optuna trial, to three digits."""
        if self.whole:
            return int(trial.suggest_int(name, int(self.low), int(self.high), log=self.kind == "log"))
        if self.kind == "complement":
            return _short(1.0 - _short(trial.suggest_float(name, 1.0 - self.high, 1.0 - self.low, log=True)), 6)
        return _short(trial.suggest_float(name, self.low, self.high, log=self.kind == "log"))

    def inverse(self, value: float) -> float | int:
        """What an Optuna trial calls this value."""
        return int(value) if self.whole else 1.0 - value if self.kind == "complement" else value

    def holds(self, value: Any) -> bool:
        """Whether the value lies in the range."""
        return isinstance(value, (int, float)) and self.low <= value <= self.high


RANGES: Mapping[str, Range] = {
    "exploration": Range(low=0.01, high=0.5),
    "floor": Range(low=0.005, high=0.1),
    "gamma": Range(low=0.01, high=0.6),
    "alpha": Range(low=1e-5, high=0.1),
    "discount": Range(low=0.8, high=0.999, kind="complement"),
    "memory": Range(low=0.8, high=0.999, kind="complement"),
    "forget": Range(low=0.01, high=0.9),
    "step_size": Range(low=0.02, high=0.9),
    "temperature": Range(low=0.02, high=5.0),
    "smoothing": Range(low=0.001, high=0.95),
    "share": Range(low=1e-4, high=0.2),
    "window": Range(low=5, high=500, whole=True),
    "initial": Range(low=0.01, high=3.0),
    "switches": Range(low=0.5, high=50.0),
    "threshold": Range(low=0.01, high=0.9),
}
"""By the name of a parameter, whichever policy has it. Its `alpha` is a rate of mixing, except in `lin_ucb`."""
OWN_RANGES: Mapping[str, Mapping[str, Range]] = {
    "lin_ucb": {"alpha": Range(low=0.1, high=10.0)},
    "coba": {"warmup": Range(low=2, high=20, whole=True)},  # at most its `history`
    "exp3s_graves": {"eta": Range(low=1e-3, high=1.0)},
    "temperature": {"temperature": Range(low=0.5, high=100.0)},  # of sizes: the larger, the closer to uniform
    "meta_rtl": {"memory": Range(low=0.5, high=0.999, kind="complement")},
    "planner": {"floor": Range(low=0.005, high=0.1), "memory": Range(low=0.01, high=0.5)},
}
"""By policy, where its parameter means something else."""
LEFT = frozenset(
    {"seed", "horizon", "history", "members", "nodes", "refit", "refresh", "every", "samples", "batch_size"}
)
"""Numbers that cost time, or that say something about the loop; they keep their defaults."""
SPAN = 10.0
"""Other numbers above 0 are looked for from a tenth to ten times their default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What came of tuning one policy.

    Attributes:
        policy: name.
        parameters: the best ones found; none where no trial beat the defaults.
        score: mean gap closed with them over the worlds.
        default: mean gap closed with the defaults.
        trials: settings tried, the defaults among them.
        refused: settings that the policy refused; others were tried in their place.
        space: where was looked, by parameter.
        seconds: time it took.
        note: why there are no figures, or nothing.
    """

    policy: str
    parameters: Mapping[str, float] = field(default_factory=dict[str, float])
    score: float = np.nan
    default: float = np.nan
    trials: int = 0
    refused: int = 0
    space: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    note: str = ""

    @property
    def spec(self) -> str:
        """The policy with these parameters, as commands take it."""
        if not self.parameters:
            return self.policy
        return f"{self.policy}({', '.join(f'{key}={value!r}' for key, value in self.parameters.items())})"


def search_space(policy: Policy, ranges: Mapping[str, Range] | None = None) -> dict[str, Range]:
    """Where to look for the parameters of a policy.

    All its numbers take part: in the range that `RANGES` gives for their name, or else from a tenth to ten times their
    default, and below 1 where the default is. Words and switches make another policy and are left as they are, as is
    what costs time alone.

    Args:
        policy: with its defaults.
        ranges: in place of those, by parameter; then only these take part.

    Raises:
        ValueError: the policy has no such parameter.

    >>> sorted(search_space(policies.make("tscl_window")))
    ['exploration', 'optimism', 'temperature', 'window']
    """
    kinds = _numbers(policy)
    if ranges:
        for name in ranges:
            if name not in kinds:
                raise ValueError(f"policy {policy.name!r} has no number {name!r}; it has {', '.join(kinds) or 'none'}.")
        return dict(ranges)
    found: dict[str, Range] = {}
    for name, whole in kinds.items():
        given = OWN_RANGES.get(policy.name, {}).get(name) or RANGES.get(name)
        value = getattr(policy, name)
        if name in LEFT:
            continue
        if given is not None:
            found[name] = dataclasses.replace(given, whole=whole)
        elif value is not None and value > 0 and whole:
            found[name] = Range(low=max(1, int(value / SPAN)), high=int(value * SPAN), whole=True)
        elif value is not None and 0.5 < value < 1:
            found[name] = Range(low=max(1 - SPAN * (1 - value), 0.05), high=1 - (1 - value) / SPAN, kind="complement")
        elif value is not None and value > 0:
            found[name] = Range(low=value / SPAN, high=min(value * SPAN, 0.95) if value < 1 else value * SPAN)
    return found


def _numbers(policy: Policy) -> dict[str, bool]:
    """The parameters that hold a number, and whether it is whole."""
    hints = typing.get_type_hints(type(policy))
    found: dict[str, bool] = {}
    for item in dataclasses.fields(cast("Any", policy)):
        hint = hints[item.name]
        options = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
        numbers = options & {int, float}
        if numbers and not isinstance(getattr(policy, item.name), (bool, Mapping)):
            found[item.name] = numbers == {int}
    return found


def tune(
    names: Sequence[str],
    *,
    worlds: Sequence[str] = WORLDS,
    trials: int = 20,
    runs: int = 50,
    seed: int = 0,
    ranges: Mapping[str, Range] | None = None,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    out: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Tuned]:
    """Tune every policy by itself, with the same number of trials on the same worlds, seeds and runs.

    The first trial is the policy with its defaults, so that the result is never worse there; further ones come from
    Optuna's tree-structured Parzen estimator (Bergstra et al. 2011; Optuna: Akiba et al. 2019, arXiv 1907.10902).
    Score of a trial: mean over the worlds of (policy - uniform) / (best - uniform). Only settings of the split
    `public` are touched.

    Args:
        names: of policies that work by name alone, or `FILE.py:CLASS`.
        worlds: such as `transfer/3` or a family.
        trials: settings tried for each policy, at least 1.
        runs: paired runs in each world, at least 2.
        seed: of the search, and of noise and draws in the worlds.
        ranges: see `search_space`.
        engine: see `run_jobs`; a job is a policy.
        workers: see `run_jobs`.
        address: see `run_jobs`.
        out: folder for the store of finished policies.
        progress: called with the number of finished policies and of all.

    Raises:
        ValueError: a name is unknown, a number out of range, or there is nothing to gain in any world.
        MissingExtraError: Optuna is not installed.
    """
    optional("optuna", extra="tune")
    check_integer("trials", trials, low=1)
    check_integer("runs", runs, low=2)
    check_integer("seed", seed, low=0)
    specs = list(dict.fromkeys(names))
    for name in specs:
        search_space(policies.make(name), ranges)
    shared = {
        "worlds": expand(worlds, "public"),
        "trials": trials,
        "runs": runs,
        "seed": seed,
        "ranges": {key: asdict(value) for key, value in (ranges or {}).items()},
    }
    jobs = [Job(name, {"policy": name, **shared}) for name in specs]
    found: dict[str, Tuned] = {}
    store = None if out is None else out / "jobs.jsonl"
    for job, result in run_jobs(jobs, work, engine=engine, workers=workers, address=address, store=store):
        found[job.key] = Tuned(**result)
        if progress is not None:
            progress(len(found), len(jobs))
    return [found[name] for name in specs]


def work(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Tune one policy; a function of a module, so that other processes can find it."""
    optuna: Any = optional("optuna", extra="tune")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    name, trials = str(spec["policy"]), int(spec["trials"])
    ranges = {key: Range(**value) for key, value in spec["ranges"].items()}
    policy = policies.make(name)
    space = search_space(policy, ranges)
    judge = _Judge(spec["worlds"], spec["runs"], spec["seed"])
    try:
        default = judge.score(name, {})
    except ValueError as error:  # a policy that worlds cannot serve is a line without figures
        return asdict(Tuned(policy=name, note=str(error)))
    best, score, done, refused = {}, default, 1, 0
    sampler = optuna.samplers.TPESampler(seed=zlib.crc32(name.encode()) + int(spec["seed"]))
    study: Any = optuna.create_study(direction="maximize", sampler=sampler)
    known = {key: getattr(policy, key) for key in space}
    if all(item.holds(known[key]) for key, item in space.items()):
        distributions = _distributions(space, optuna)
        params = {key: item.inverse(known[key]) for key, item in space.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=default))
    while space and done < trials and refused < 10 * trials:
        trial = study.ask()
        params = {key: item.draw(trial, key) for key, item in space.items()}
        try:
            value = judge.score(name, params)
        except ValueError:  # some settings show only with the tasks that they do not go with
            refused += 1
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        study.tell(trial, value)
        done += 1
        if value > score:
            best, score = params, value
    return asdict(
        Tuned(
            policy=name,
            parameters=best,
            score=score,
            default=default,
            trials=done,
            refused=refused,
            space={key: f"{item.low:g}:{item.high:g}:{item.kind}" for key, item in space.items()},
            seconds=judge.seconds,
        )
    )


class _Judge:
    """Scores settings of policies by the mean gap closed."""

    def __init__(self, worlds: Sequence[str], runs: int, seed: int) -> None:
        self.runs, self.seed, self.seconds = runs, seed, 0.0
        self._worlds: list[tuple[str, Any, float, float]] = []
        for name in worlds:
            world, best = load_world(name, "public"), load_references(name, "public").best
            uniform = float(simulate(world, "uniform", n_runs=runs, seed=seed).final.mean())
            if best - uniform >= LEAST_HEADROOM:
                self._worlds.append((name, world, uniform, best))
        if not self._worlds:
            raise ValueError(f"nothing can be gained over uniform in {', '.join(worlds)}: tune on other worlds.")

    def score(self, policy: str, params: Mapping[str, Any]) -> float:
        """Mean gap closed."""
        gaps: list[float] = []
        for _, world, uniform, best in self._worlds:
            made = policies.make({"name": policy, **params})
            result = simulate(world, made, n_runs=self.runs, seed=self.seed)
            self.seconds += result.seconds
            gaps.append((float(result.final.mean()) - uniform) / (best - uniform))
        return float(np.mean(gaps))


def _distributions(space: Mapping[str, Range], optuna: Any) -> dict[str, Any]:
    trial = optuna.trial.FixedTrial({key: item.inverse(item.low) for key, item in space.items()})
    for key, item in space.items():
        item.draw(trial, key)
    return dict(trial.distributions)


def write_tuned(path: Path, results: Sequence[Tuned], signature: Mapping[str, Any]) -> None:
    """Write tuned parameters for `read_tuned`; policies in the file that are not among the results stay.

    Raises:
        ValueError: the file was made under another signature (trials, worlds, runs, seed), and mixing would be unfair.
    """
    kept: dict[str, Any] = {}
    if path.is_file():
        data = _parsed(path.read_bytes(), str(path))
        if data["signature"] != signature:
            raise ValueError(f"'{path}' was tuned with {data['signature']}: give another file, or the same settings.")
        kept = data["policies"]
    policies_of = kept | {item.policy: asdict(item) for item in results}
    ordered = {name: policies_of[name] for name in sorted(policies_of)}
    data = {"format": FORMAT, "signature": signature, "policies": ordered}
    write_file(path, orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")


def read_tuned(path: str | Path = "shipped") -> dict[str, Tuned]:
    """Tuned parameters by policy, from a file of `apportion tune` or, as `shipped`, those that come with the package.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is none of ours.
    """
    if str(path) == "shipped":
        content = files("apportion.sim").joinpath("suite").joinpath("tuned.json").read_bytes()
    elif Path(path).is_file():
        content = Path(path).read_bytes()
    else:
        raise FileNotFoundError(f"there is no file '{path}': write it with `apportion tune --save`, or give `shipped`.")
    found: dict[str, Tuned] = {}
    for name, item in _parsed(content, str(path))["policies"].items():
        unknown: dict[str, Any] = {key: np.nan for key in ("score", "default") if item[key] is None}
        found[name] = Tuned(**{**item, **unknown})
    return found


def with_tuned(specs: Sequence[str], path: str | Path) -> list[str]:
    """Policies that are named alone get their tuned parameters; those given with parameters stay as they are."""
    tuned = read_tuned(path)
    return [tuned[spec].spec if spec in tuned else spec for spec in specs]


def _parsed(content: bytes, path: str) -> dict[str, Any]:
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"'{path}' is no JSON file: {error}.") from error
    if not isinstance(data, dict) or cast("dict[str, Any]", data).get("format") != FORMAT:
        raise ValueError(f"'{path}' holds no tuned parameters: write it with `apportion tune`.")
    return cast("dict[str, Any]", data)


def _short(value: float, digits: int = 3) -> float:
    return float(f"{value:.{digits}g}")
