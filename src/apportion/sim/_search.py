"""Search for good spending in worlds where no solver has a guarantee."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import minimize

from ..records import Floats, Ints
from ._base import World
from ._play import flow_shares, play_tasks, to_tasks

_CHUNKS = 150
_STEP = 1e-5
_SHORT = 6000  # number of changed schedules up to which all are tried


def flows(world: World) -> bool:
    """Whether a world can train on divided batches."""
    world.reset(1)
    try:
        world.flow(np.full((1, world.n_tasks), 1.0 / world.n_tasks), 1.0)
    except NotImplementedError:
        return False
    return True


def climb(world: World, logits: Floats, *, most: int) -> tuple[float, Floats]:
    """Climb from piecewise constant shares to a local optimum of the smooth stand-in of a world.

    Quasi-Newton (L-BFGS-B of scipy) over the logits of the shares; all differences of a gradient are one batch of runs.

    Args:
        world: its state is overwritten.
        logits: shape (n_segments, n_tasks).
        most: iterations.

    Returns:
        Objective and logits.
    """
    shape = logits.shape
    steps = _STEP * np.eye(logits.size)

    def fall(flat: Floats) -> tuple[float, Floats]:
        trials = np.vstack([flat, flat + steps]).reshape(-1, *shape)
        values = flow_shares(world, softmax(trials), max(_CHUNKS, shape[0]))
        return -float(values[0]), -(values[1:] - values[0]) / _STEP

    found = minimize(fall, logits.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": most})
    # Logits far apart have no slope left, so they are brought back within reach of a further climb.
    best = found.x.reshape(shape)
    return -float(found.fun), np.maximum(best - best.max(axis=1, keepdims=True), -8.0)


def softmax(logits: Floats) -> Floats:
    """Shares from logits, over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def starts(n_tasks: int, n_segments: int, seed: int) -> list[Floats]:
    """Logits to climb from: alike, tasks one after the other in several orders, and random ones."""
    generator = np.random.default_rng(seed)
    orders = [np.arange(n_tasks), np.arange(n_tasks)[::-1]]
    orders += [generator.permutation(n_tasks) for _ in range(2)]
    found = [np.zeros((n_segments, n_tasks))]
    for order in orders:
        when = np.empty(n_tasks)
        when[order] = (np.arange(n_tasks) + 0.5) / n_tasks
        middle = (np.arange(n_segments) + 0.5) / n_segments
        found.append(-4.0 * np.abs(middle[:, None] - when[None, :]))
    found += [generator.normal(scale=1.5, size=(n_segments, n_tasks)) for _ in range(2)]
    return found


def search_shares(world: World, *, segments: tuple[int, ...], extra: list[Floats], seed: int, most: int) -> Floats:
    """The best shares found by climbing from several starts, then with finer and finer segments.

    Args:
        world: one that can `flow`; its state is overwritten.
        segments: numbers of segments, from coarse to fine, each a multiple of the one before.
        extra: further starts as shares, each with any number of segments.
        seed: of the random starts.
        most: iterations of each climb.
    """
    begin = starts(world.n_tasks, segments[0], seed)
    begin += [np.log(np.maximum(_resampled(shares, segments[0]), 1e-3)) for shares in extra]
    found = [climb(world, logits, most=most) for logits in begin]
    value, logits = max(found, key=lambda item: item[0])
    for coarse, fine in itertools.pairwise(segments):
        finer = climb(world, np.repeat(logits, fine // coarse, axis=0), most=most)
        if finer[0] > value:
            value, logits = finer
        else:
            logits = np.repeat(logits, fine // coarse, axis=0)
    return softmax(logits)


def mutate(world: World, schedule: Ints, *, seed: int, rounds: int, width: int = 64) -> tuple[float, Ints]:
    """Improve a schedule by random changes that are played in the world: replaced runs, swaps and shifts.

    Args:
        world: its state is overwritten.
        schedule: tasks in order, shape (n_steps,).
        seed: of the changes.
        rounds: how often `width` changed schedules are played.
        width: see `rounds`.
    """
    generator = np.random.default_rng(seed)
    best, value = schedule, float(play_tasks(world, schedule[None, :])[0])
    n_steps = len(schedule)
    for _ in range(rounds):
        trials = np.repeat(best[None, :], width, axis=0)
        for trial in trials[1:]:
            length = int(np.ceil(n_steps ** generator.uniform(0.0, 0.8)))
            first, second = generator.integers(0, n_steps - length + 1, size=2)
            kind = generator.integers(3)
            if kind == 0:
                trial[first : first + length] = generator.integers(world.n_tasks)
            elif kind == 1:
                part = trial[first : first + length].copy()
                trial[first : first + length] = trial[second : second + length]
                trial[second : second + length] = part
            else:
                source = generator.integers(world.n_tasks)
                at = np.flatnonzero(trial == source)
                if at.size:
                    trial[generator.permutation(at)[:length]] = generator.integers(world.n_tasks)
        values = play_tasks(world, trials)
        top = int(values.argmax())
        if values[top] > value:
            best, value = trials[top].copy(), float(values[top])
    return value, best


def polish_short(world: World, schedule: Ints) -> tuple[float, Ints]:
    """Improve a schedule by the best of all single changes and swaps of two steps, until nothing gains.

    Long schedules are only played: there a single batch hardly matters.
    """
    value = float(play_tasks(world, schedule[None, :])[0])
    n_steps, n_tasks = len(schedule), world.n_tasks
    while n_steps * (n_steps + n_tasks) <= _SHORT:
        singles = np.repeat(schedule[None, :], n_steps * n_tasks, axis=0)
        at = np.repeat(np.arange(n_steps), n_tasks)
        singles[np.arange(len(singles)), at] = np.tile(np.arange(n_tasks), n_steps)
        first, second = np.triu_indices(n_steps, 1)
        swaps = np.repeat(schedule[None, :], len(first), axis=0)
        rows = np.arange(len(first))
        swaps[rows, first], swaps[rows, second] = schedule[second], schedule[first]
        trials = np.vstack([singles, swaps])
        values = play_tasks(world, trials)
        top = int(values.argmax())
        if values[top] <= value + 1e-12:
            break
        schedule, value = trials[top], float(values[top])
    return value, schedule


def search(world: World, *, shares: list[Floats], seed: int, effort: int) -> tuple[float, Ints]:
    """The best schedule found, played in whole batches.

    Args:
        world: its state is overwritten.
        shares: starts, each (n_segments, n_tasks) of the budget.
        seed: of random starts and changes.
        effort: iterations of climbs and rounds of changes.
    """
    candidates = list(shares)
    if flows(world):
        candidates.append(search_shares(world, segments=(5, 10, 20, 40), extra=shares, seed=seed, most=effort))
    schedules = [to_tasks(world, item[None])[0] for item in candidates]
    played = [float(play_tasks(world, schedule[None, :])[0]) for schedule in schedules]
    best = schedules[int(np.argmax(played))]
    return polish_short(world, mutate(world, best, seed=seed, rounds=effort)[1])


def _resampled(shares: Floats, n_segments: int) -> Floats:
    at = ((np.arange(n_segments) + 0.5) / n_segments * len(shares)).astype(np.int64)
    return shares[at]
