"""References of a world: the best spending in hindsight, and the best mixture that never changes."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

import numpy as np

from .._check import check_integer
from ..records import Floats, Ints
from ._base import World
from ._form import Form
from ._play import play_tasks, to_tasks
from ._search import climb, flows, polish_short, search, softmax
from ._solve import Ordered, greedy_separable, interleaved, round_counts, solve_counts

TOLERANCE = 2e-3
"""Distance between value and upper bound, in units of the objective, up to which a reference counts as verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A spending of the budget that policies are measured against.

    Attributes:
        value: objective that it reaches when played in whole batches, without any cost for evaluations.
        upper: bound that no spending can exceed; inf where none is known.
        verified: whether `upper` is within `TOLERANCE` of `value`. Otherwise the reference is the best known, not an
            oracle.
        method: how it was found.
        shares: of the budget for each task, shape (n_tasks,).
        schedule: tasks in order, shape (n_steps,); empty for a mixture.
        seconds: time that it took.
    """

    value: float
    upper: float
    verified: bool
    method: str
    shares: Floats
    schedule: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    seconds: float = 0.0

    @property
    def gap(self) -> float:
        """What at most is missing to the best spending."""
        return self.upper - self.value


def oracle(world: World, *, effort: int = 150, seed: int = 0) -> Reference:
    """Find the best spending in hindsight, or the best known one with a bound.

    - Tasks that do not touch each other, equal costs: the largest gains first, which is exact.
    - Objective concave in the counts: pairwise Frank-Wolfe, whose duality gap bounds the optimum.
    - Forgetting, changing worth: experience at the end is linear in the choices, so the objective is concave over the
      product of one simplex per step; Frank-Wolfe with its gap again, then single steps are changed as long as that
      gains.
    - Elsewhere (prerequisites, plateau, interference, harm with repetition, forgetting with repetition, a user's
    world): climbs
      from several starts over piecewise constant shares, and random changes of the schedule. The bound is that of the
      concave world that is left when all that breaks concavity is left out, so it can be far above.

    Args:
        world: left as it is.
        effort: iterations of each search.
        seed: of the searches.
    """
    check_integer("effort", effort, low=1)
    start = time.perf_counter()
    world = world.clone()
    form = world.form()
    if form is None:
        found = _searched(world, effort, seed)
    elif form.ordered:
        found = _ordered(world, form)
    elif _separable(form):
        found = _separated(world, form)
    else:
        found = _counted(world, form)
    value, upper, method, schedule = found
    upper = max(upper, value)
    spent = np.bincount(schedule, minlength=world.n_tasks) * world.costs
    return Reference(
        value=value,
        upper=upper,
        verified=bool(upper - value <= TOLERANCE),
        method=method,
        shares=spent / spent.sum(),
        schedule=schedule,
        seconds=time.perf_counter() - start,
    )


def best_fixed_mixture(world: World, *, effort: int = 100, seed: int = 0) -> Reference:
    """Find the shares that lead furthest if they never change.

    Where the order does not matter these are the shares of the best counts. Elsewhere quasi-Newton climbs from several
    starts over the smooth stand-in of the world; `upper` is infinite there. `value` is that of an even interleaving.

    Args:
        world: left as it is.
        effort: iterations of each climb.
        seed: of the starts.
    """
    start = time.perf_counter()
    world = world.clone()
    form, upper = world.form(), np.inf
    if form is not None and not form.ordered:
        solution = solve_counts(form)
        spent = solution.point * form.costs
        shares, upper, method = spent / spent.sum(), solution.upper, "frank-wolfe"
    elif flows(world):
        shares, method = _climbed_mixture(world, effort, seed), "climbs"
    else:
        shares, method = _mutated_mixture(world, effort, seed), "random changes"
    schedule = to_tasks(world, shares[None, None, :])[0]
    value = float(play_tasks(world, schedule[None, :])[0])
    return Reference(
        value=value,
        upper=max(upper, value),
        verified=bool(upper - value <= TOLERANCE),
        method=method,
        shares=shares,
        seconds=time.perf_counter() - start,
    )


_Found = tuple[float, float, str, Ints]


def _separable(form: Form) -> bool:
    off = form.columns.copy()
    np.fill_diagonal(off, 0.0)
    return form.columns.shape[0] == form.columns.shape[1] and not off.any() and bool(np.ptp(form.costs) == 0)


def _separated(world: World, form: Form) -> _Found:
    n_tasks, n_steps = world.n_tasks, form.n_steps
    # One run for each task, which draws nothing else: its gains are read off the world itself.
    world.reset(n_tasks)
    tasks = np.arange(n_tasks)
    values = np.empty((n_tasks, n_steps + 1))
    values[:, 0] = world.objective()
    for step in range(n_steps):
        world.step(tasks)
        values[:, step + 1] = world.objective()
    counts = greedy_separable(np.diff(values, axis=1), n_steps)
    schedule = interleaved(counts)
    value = float(play_tasks(world, schedule[None, :])[0])
    return value, value, "largest gains first", schedule


def _counted(world: World, form: Form) -> _Found:
    solution = solve_counts(form)
    spent = solution.point * form.costs
    followed = to_tasks(world, (spent / spent.sum())[None, None, :])[0]
    # Two ways to whole batches; with prices neither is always the better one.
    trials = [interleaved(round_counts(form, solution.point)), followed]
    values = [float(play_tasks(world, trial[None, :])[0]) for trial in trials]
    value, schedule = polish_short(world, trials[int(np.argmax(values))])
    return value, solution.upper, "frank-wolfe over counts", schedule


def _ordered(world: World, form: Form) -> _Found:
    ordered = Ordered.of(form)
    solution, shares = ordered.solve()
    schedule = ordered.polish(to_tasks(world, shares[None])[0][: len(shares)])
    value, schedule = polish_short(world, schedule)
    return value, solution.upper, "frank-wolfe over schedules", schedule


def _searched(world: World, effort: int, seed: int) -> _Found:
    uniform = np.full((1, world.n_tasks), 1.0 / world.n_tasks)
    begin = [uniform, best_fixed_mixture(world, effort=effort, seed=seed).shares[None, :]]
    relaxed, upper = world.form(relaxed=True), np.inf
    if relaxed is not None and relaxed.ordered:
        solution, shares = Ordered.of(relaxed).solve(tolerance=1e-4)
        upper = solution.upper
        begin.append(_binned(shares, 40))
    elif relaxed is not None:
        solution = solve_counts(relaxed, tolerance=1e-4)
        upper, spent = solution.upper, solution.point * relaxed.costs
        begin.append((spent / spent.sum())[None, :])
    value, schedule = search(world, shares=begin, seed=seed, effort=effort)
    return value, upper, "best of many climbs", schedule


def _climbed_mixture(world: World, effort: int, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    n_tasks = world.n_tasks
    begin = [np.zeros((1, n_tasks))] + [generator.normal(scale=1.5, size=(1, n_tasks)) for _ in range(3)]
    return softmax(max((climb(world, logits, most=effort) for logits in begin), key=lambda item: item[0])[1])[0]


def _mutated_mixture(world: World, effort: int, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    best, value, width = np.full(world.n_tasks, 1.0 / world.n_tasks), -np.inf, 1.0
    for _ in range(effort):
        trials = softmax(np.log(best + 1e-4) + width * generator.normal(size=(32, world.n_tasks)))
        trials[0] = best
        schedules = to_tasks(world, trials[:, None, :])
        longest = max(map(len, schedules))
        table = np.stack([np.pad(item, (0, longest - len(item)), mode="edge") for item in schedules])
        values = play_tasks(world, table)
        top = int(values.argmax())
        width = min(2.0, width * 1.5) if values[top] > value else max(0.02, width * 0.8)
        if values[top] > value:
            best, value = trials[top], float(values[top])
    return best


def _binned(shares: Floats, n_segments: int) -> Floats:
    edges = np.linspace(0, len(shares), n_segments + 1).astype(np.int64)
    return np.stack([shares[low : max(high, low + 1)].mean(axis=0) for low, high in itertools.pairwise(edges)])
