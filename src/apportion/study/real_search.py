"""The search for the best fixed mixture: Bayesian optimisation, and a final on more seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..records import Floats

Shares = tuple[float, ...]
Score = Callable[[Sequence[tuple[Shares, int]]], list[float]]
"""Objectives of (shares, seed) pairs."""

_ROUNDS = 4
_LENGTH = 0.3  # of the kernel, between square roots of shares
_NOISE = 0.013  # standard deviation of one run's objective, as on digits at 400 batches: counts like two runs
_REPEATS = 4  # runs of uniform that say how noisy a run is here
_PROPOSED = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How the best fixed mixture of a setting was found.

    Attributes:
        tasks: names.
        shares: of the best mixture, shape (n_tasks,), sum 1.
        objective: its mean objective over the seeds of the search, which flatters it.
        trials: mixtures tried.
        runs: trainings that it took.
    """

    tasks: tuple[str, ...]
    shares: Shares
    objective: float
    trials: int
    runs: int


def search_mixture(
    tasks: Sequence[str], priorities: Sequence[float], *, score: Score, trials: int, seed: int
) -> Search:
    """Look for the shares with the largest objective by Bayesian optimisation, on seeds that nothing else uses.

    At first come uniform, on four seeds to learn how noisy a run is, the tasks with a priority alone or with half of
    the budget, each task left out, and random mixtures, a quarter of the trials together. Then a Gaussian process over
    the square roots of the shares (linear and squared-exponential kernel) says where mean + standard deviation is
    largest, in three rounds. Each of these mixtures runs once, with the first seed. The sixth with the best means of
    the process runs on the other three seeds, and the best average wins.

    Args:
        tasks: names.
        priorities: of the tasks.
        score: trains.
        trials: mixtures to try, at least 4.
        seed: the first of the seeds.

    Raises:
        ValueError: `trials` is too small.
    """
    if trials < 4:
        raise ValueError(f"`trials` must be at least 4, got {trials}.")
    random = np.random.Generator(np.random.PCG64(seed))
    n, weights = len(tasks), np.array(priorities, dtype=np.float64)
    counted, uniform = weights / weights.sum(), _shares(np.ones(n))
    left_out = [_shares(1.0 - row) for row in np.eye(n)] if n > 1 else []
    wanted = list(dict.fromkeys([uniform, _shares(counted), _shares(counted + 1.0 / n), *left_out]))[:trials]
    while len(wanted) < trials // _ROUNDS:
        wanted.append(_shares(np.exp(random.normal(size=n))))
    tried, values = wanted, score([(shares, seed) for shares in wanted])
    more_seeds = range(seed + 1, seed + _REPEATS)
    repeats = [values[0], *score([(uniform, number) for number in more_seeds])]
    values[0] = float(np.mean(repeats))
    noise = float(np.sqrt((_REPEATS * np.var(repeats) + 2 * _NOISE**2) / (_REPEATS + 1)))
    for number in range(2, _ROUNDS + 1):
        fresh = _proposals(tried, values, noise, trials * number // _ROUNDS - len(tried), random)
        values = [*values, *score([(shares, seed) for shares in fresh])]
        tried = [*tried, *fresh]
    means, _ = _process(tried, tried, values, noise)
    best = np.argsort(-means, kind="stable")[: max(2, len(tried) // 6)]
    finalists = [tried[place] for place in best if tried[place] != uniform]
    again = [(shares, number) for number in more_seeds for shares in finalists]
    averages = {shares: float(means[tried.index(shares)]) / _REPEATS for shares in finalists}
    for (shares, _), value in zip(again, score(again), strict=True):
        averages[shares] += value / _REPEATS
    finalists.append(uniform)
    averages[uniform] = values[0]
    winner = max(finalists, key=lambda shares: averages[shares])
    return Search(
        tasks=tuple(tasks),
        shares=winner,
        objective=averages[winner],
        trials=len(tried),
        runs=len(tried) + len(again) + _REPEATS - 1,
    )


def _proposals(
    tried: Sequence[Shares], values: Sequence[float], noise: float, number: int, random: np.random.Generator
) -> list[Shares]:
    """Mixtures that promise most, one after another, each taken to come out as the process expects."""
    known, worth = list(tried), list(values)
    n = len(known[0])
    for _ in range(number):
        means, _ = _process(known, known, worth, noise)
        parents = [np.array(known[place]) for place in np.argsort(-means, kind="stable")[:4]]
        drawn = [_changed(parents[index % len(parents)], random) for index in range(_PROPOSED)]
        drawn += [_shares(random.dirichlet(np.full(n, 0.7))) for _ in range(_PROPOSED // 4)]
        candidates = [shares for shares in dict.fromkeys(drawn) if shares not in known]
        expected, spread = _process(candidates, known, worth, noise)
        place = int(np.argmax(expected + spread))
        known.append(candidates[place])
        worth.append(float(expected[place]))
    return known[len(tried) :]


def _process(
    wanted: Sequence[Shares], tried: Sequence[Shares], values: Sequence[float], noise: float
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the Gaussian process at `wanted`, each (n_wanted,)."""
    seen = np.nan_to_num(np.array(values))
    centre, scale = float(seen.mean()), max(float(seen.std()), 1e-6)
    points, known = np.sqrt(np.array(wanted)), np.sqrt(np.array(tried))
    ridge = (noise / scale) ** 2 + 1e-6
    cross = _kernel(points, known)
    solved = np.linalg.solve(_kernel(known, known) + ridge * np.eye(len(known)), cross.T)
    variance = 1.0 + (points**2).sum(axis=1) - (cross * solved.T).sum(axis=1)
    return centre + scale * solved.T @ ((seen - centre) / scale), scale * np.sqrt(np.maximum(variance, 0.0))


def _kernel(one: Floats, other: Floats) -> Floats:
    distances = ((one[:, None] - other[None]) ** 2).sum(axis=-1)
    return np.exp(-distances / (2.0 * _LENGTH**2)) + one @ other.T


def _changed(shares: Floats, random: np.random.Generator) -> Shares:
    moved = shares * np.exp(random.choice((0.3, 0.8)) * random.normal(size=shares.size))
    moved = np.where(random.random(shares.size) < 0.1, 0.0, moved)
    moved = np.where((shares == 0) & (random.random(shares.size) < 0.15), 0.5 / shares.size, moved)
    return _shares(moved if moved.sum() > 0 else shares)


def _shares(values: Floats) -> Shares:
    """Shares with four digits, so that they read and repeat well."""
    return tuple(round(float(value), 4) for value in values / values.sum())
