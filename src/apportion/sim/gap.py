"""How much of the way from uniform to the best spending a policy goes, with intervals over paired runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._check import check_integer, check_number
from ..records import Floats
from .result import Result

LEAST_HEADROOM = 0.005
"""Distance between uniform and the best spending below which the gap closed is not defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with its bootstrap interval.

    Attributes:
        value: the number; NaN where it is not defined.
        lower: lower end.
        upper: upper end.
        confidence: of the interval, in (0, 1).
        n_runs: paired runs of each world that it rests on.
    """

    value: float
    lower: float
    upper: float
    confidence: float
    n_runs: int


def gap_closed(
    policy: Result | Sequence[Result],
    uniform: Result | Sequence[Result],
    best: float | Sequence[float],
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Estimate (policy - uniform) / (best - uniform) of the mean final objective.

    0 is what uniform reaches, 1 the best spending. Over several worlds it is the ratio of the sums, not the mean of
    the ratios, so that worlds with little to gain count little. The interval is the percentile bootstrap over runs,
    each drawn together with its partner under uniform (Efron and Tibshirani 1993, chapter 13; could not be checked);
    worlds are taken as given, so it says nothing about other worlds. NaN where best and uniform are less than
    `LEAST_HEADROOM` apart.

    Args:
        policy: one result, or one for each world.
        uniform: those of the uniform policy with the same worlds, seed and runs.
        best: objective of the best spending, for each world.
        confidence: of the interval, in (0, 1).
        n_resamples: bootstrap samples, at least 1.
        seed: of the bootstrap.

    Raises:
        ValueError: results are not paired, or a number is out of range.
    """
    policies, uniforms = _listed(policy), _listed(uniform)
    bests = [best] if isinstance(best, (int, float)) else list(best)
    if not len(policies) == len(uniforms) == len(bests):
        raise ValueError(f"got {len(policies)} results, {len(uniforms)} of uniform and {len(bests)} references.")
    gained = resampled(policies, uniforms, n_resamples=n_resamples, seed=seed)
    top = np.stack(
        [
            value - _means(result.final, number, n_resamples, seed)
            for number, (value, result) in enumerate(zip(bests, uniforms, strict=True))
        ]
    )
    room = top.sum(axis=0)
    if room[0] < LEAST_HEADROOM * len(bests):
        return _interval(np.full(1, np.nan), confidence, policies)
    return _interval(gained.sum(axis=0) / np.where(room > 0, room, np.nan), confidence, policies)


def difference(
    policy: Result | Sequence[Result],
    uniform: Result | Sequence[Result],
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Estimate policy - uniform of the mean final objective, averaged over worlds; the interval as in `gap_closed`.

    Raises:
        ValueError: results are not paired, or a number is out of range.
    """
    policies = _listed(policy)
    gained = resampled(policies, _listed(uniform), n_resamples=n_resamples, seed=seed)
    return _interval(gained.mean(axis=0), confidence, policies)


def mean(result: Result, *, confidence: float = 0.95, n_resamples: int = 2000, seed: int = 0) -> Interval:
    """Estimate the mean final objective; the interval is the percentile bootstrap over runs.

    Raises:
        ValueError: a number is out of range.
    """
    check_integer("n_resamples", n_resamples, low=1)
    return _interval(_means(result.final, 0, n_resamples, seed), confidence, [result])


def budget_saved(policy: Result, uniform: Result) -> float:
    """Share of the budget with which the policy's mean objective first reaches uniform's final one, subtracted from 1.

    Between two looks the mean objective is taken as a straight line. NaN where the policy never gets there.

    Raises:
        ValueError: the results are not paired.
    """
    _check_pairs([policy], [uniform])
    goal, curve = float(uniform.final.mean()), policy.objective.mean(axis=0)
    reached = np.flatnonzero(curve >= goal)
    if not reached.size:
        return float("nan")
    index = int(reached[0])
    if index == 0:
        return 1.0
    rise = (goal - curve[index - 1]) / (curve[index] - curve[index - 1])
    return float(1.0 - policy.progress[index - 1] - rise * (policy.progress[index] - policy.progress[index - 1]))


def resampled(policies: Sequence[Result], uniforms: Sequence[Result], *, n_resamples: int, seed: int) -> Floats:
    """Mean gains over uniform, the first column as observed, then of bootstrap samples, (n_worlds, 1 + n_resamples).

    Raises:
        ValueError: results are not paired, or `n_resamples` is below 1.
    """
    check_integer("n_resamples", n_resamples, low=1)
    _check_pairs(policies, uniforms)
    return np.stack(
        [
            _means(policy.final - uniform.final, number, n_resamples, seed)
            for number, (policy, uniform) in enumerate(zip(policies, uniforms, strict=True))
        ]
    )


def _means(values: Floats, number: int, n_resamples: int, seed: int) -> Floats:
    """The mean and its bootstrap samples; the same rows for every call with the same world number and seed."""
    generator = np.random.default_rng([seed, number])
    picks = generator.integers(len(values), size=(n_resamples, len(values)))
    return np.concatenate([[values.mean()], values[picks].mean(axis=1)])


def _interval(samples: Floats, confidence: float, policies: Sequence[Result]) -> Interval:
    check_number("confidence", confidence, low=0.0, high=1.0, low_open=True, high_open=True)
    n_runs = min(result.n_runs for result in policies)
    value = float(samples[0])
    if not np.isfinite(value):
        return Interval(value=np.nan, lower=np.nan, upper=np.nan, confidence=confidence, n_runs=n_runs)
    if n_runs < 2:  # one run says nothing about how runs differ
        return Interval(value=value, lower=-np.inf, upper=np.inf, confidence=confidence, n_runs=n_runs)
    tail = (1.0 - confidence) / 2.0
    lower, upper = np.nanquantile(samples[1:], [tail, 1.0 - tail])
    return Interval(
        value=value,
        lower=min(float(lower), value),
        upper=max(float(upper), value),
        confidence=confidence,
        n_runs=n_runs,
    )


def _listed(results: Result | Sequence[Result]) -> list[Result]:
    return [results] if isinstance(results, Result) else list(results)


def _check_pairs(policies: Sequence[Result], uniforms: Sequence[Result]) -> None:
    if len(policies) != len(uniforms) or not policies:
        raise ValueError(f"every result needs its partner, got {len(policies)} results and {len(uniforms)} partners.")
    for policy, uniform in zip(policies, uniforms, strict=True):
        for name in ("world", "seed", "n_runs", "budget"):
            if getattr(policy, name) != getattr(uniform, name):
                raise ValueError(
                    f"results must be paired: `{name}` is {getattr(policy, name)!r} for {policy.policy!r} and "
                    f"{getattr(uniform, name)!r} for {uniform.policy!r}."
                )
