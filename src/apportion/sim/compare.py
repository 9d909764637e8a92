"""Policies beside each other in worlds of the suite: the rows of every table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..policies import Policy
from ..policies import policies as registry
from ..policies.mixture import Mixture
from ..policies.uniform import Uniform
from ..signals import Signal
from ._base import World
from .engine import simulate
from .gap import budget_saved, difference, gap_closed, mean
from .references import References, references, suite_references
from .result import Result
from .suite import Split, load

BEST, FIXED, UNIFORM = "oracle", "best fixed mixture", "uniform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy in one world.

    Attributes:
        world: such as `transfer/3`.
        policy: label; `oracle` and `best fixed mixture` are the references.
        signal: label; empty where none was used.
        mean: mean objective at the end.
        lower: lower end of its interval.
        upper: upper end of its interval.
        gap_closed: (policy - uniform) / (best - uniform); NaN where nothing can be gained.
        gap_lower: lower end of its interval.
        gap_upper: upper end of its interval.
        difference: policy - uniform.
        difference_lower: lower end of its interval over paired runs.
        difference_upper: upper end of its interval.
        regret: best - mean, against the oracle or the best known spending.
        budget_saved: share of the budget that is left when uniform's final objective is reached; NaN if it never is.
        confidence: of all intervals.
        runs: number of paired runs.
        seconds: time that the simulation took.
    """

    world: str
    policy: str
    signal: str
    mean: float
    lower: float
    upper: float
    gap_closed: float
    gap_lower: float
    gap_upper: float
    difference: float
    difference_lower: float
    difference_upper: float
    regret: float
    budget_saved: float
    confidence: float
    runs: int
    seconds: float

    @property
    def worse(self) -> bool:
        """Whether the policy is significantly worse than uniform."""
        return self.difference_upper < 0.0


def row(result: Result, uniform: Result, best: float, *, policy: str = "", confidence: float = 0.95) -> Row:
    """What a table says about a result.

    Args:
        result: of the policy.
        uniform: of the uniform policy with the same world, seed and runs.
        best: objective of the best spending.
        policy: label in place of the policy's name.
        confidence: of the intervals, in (0, 1).

    Raises:
        ValueError: the results are not paired, or `confidence` is out of range.
    """
    gap = gap_closed(result, uniform, best, confidence=confidence)
    gain = difference(result, uniform, confidence=confidence)
    level = mean(result, confidence=confidence)
    return Row(
        world=result.world,
        policy=policy or result.policy,
        signal=result.signal,
        mean=level.value,
        lower=level.lower,
        upper=level.upper,
        gap_closed=gap.value,
        gap_lower=gap.lower,
        gap_upper=gap.upper,
        difference=gain.value,
        difference_lower=gain.lower,
        difference_upper=gain.upper,
        regret=best - level.value,
        budget_saved=budget_saved(result, uniform),
        confidence=confidence,
        runs=result.n_runs,
        seconds=result.seconds,
    )


def compare(
    world: str | World,
    policies: Sequence[Policy | str],
    signal: Signal | str | None = None,
    *,
    n_runs: int,
    seed: int,
    split: Split = "public",
    confidence: float = 0.95,
    progress: Callable[[str], None] | None = None,
) -> list[Row]:
    """Run policies in one world, with uniform, the best fixed mixture and the oracle in the first three rows.

    Args:
        world: of the suite, such as `transfer/3`, or any other.
        policies: instances or names.
        signal: for the policies that need one and have no usual one.
        n_runs: paired runs of each.
        seed: of noise and draws.
        split: of the suite.
        confidence: of the intervals, in (0, 1).
        progress: called with the label of each policy before it runs.

    Raises:
        ValueError: a name is unknown, or the world cannot measure what a policy or the signal needs.
    """
    label = world if isinstance(world, str) else world.name
    known = suite_references(world, split) if isinstance(world, str) else references(world)
    loaded = load(world, split=split) if isinstance(world, str) else world

    def run(policy: Policy | str) -> Result:
        if progress is not None:
            progress(policy if isinstance(policy, str) else policy.name)
        made = registry.make(policy)
        return simulate(loaded, made, made.usual_signal or signal, n_runs=n_runs, seed=seed, label=label)

    uniform = run(Uniform())
    rows = [
        row(uniform, uniform, known.best, policy=UNIFORM, confidence=confidence),
        row(run(fixed_mixture(loaded, known)), uniform, known.best, policy=FIXED, confidence=confidence),
        _oracle_row(uniform, known, confidence),
    ]
    for policy in policies:
        text = policy if isinstance(policy, str) else ""
        rows.append(row(run(policy), uniform, known.best, policy=text, confidence=confidence))
    return rows


def fixed_mixture(world: World, known: References) -> Mixture:
    """The policy that plays the best fixed mixture."""
    return Mixture(tuple(known.fixed_probabilities(world).tolist()))


def _oracle_row(uniform: Result, known: References, confidence: float) -> Row:
    gain = known.best - float(uniform.final.mean())
    return Row(
        world=uniform.world,
        policy=BEST if known.verified else "best known",
        signal="",
        mean=known.best,
        lower=known.best,
        upper=known.upper,
        gap_closed=1.0,
        gap_lower=1.0,
        gap_upper=1.0,
        difference=gain,
        difference_lower=gain,
        difference_upper=known.upper - float(uniform.final.mean()),
        regret=0.0,
        budget_saved=float("nan"),
        confidence=confidence,
        runs=0,
        seconds=0.0,
    )
