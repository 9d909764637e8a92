"""Playing given schedules in a world, many at once."""

from __future__ import annotations

import numpy as np

from ..records import Floats, Ints
from ._base import World

_SLACK = 1e-9


def play_tasks(world: World, schedules: Ints) -> Floats:
    """True objective after drawing the tasks of each schedule in turn, shape (n,).

    A task that does not fit into what is left of the budget is replaced by the cheapest one, and a schedule that is too
    short goes on with its last task, so that every schedule spends what can be spent.

    Args:
        world: its state is overwritten.
        schedules: shape (n, n_steps).
    """
    world.reset(len(schedules))
    costs, cheapest = world.costs, int(world.costs.argmin())
    spent = np.zeros(len(schedules))
    equal = bool(np.ptp(costs) == 0)
    step = 0
    while True:
        left = world.budget - spent + _SLACK
        active = left >= costs[cheapest]
        if not active.any():
            return world.objective()
        chosen = schedules[:, min(step, schedules.shape[1] - 1)]
        if not equal:
            chosen = np.where(costs[chosen] <= left, chosen, cheapest)
        world.step(chosen, active=None if active.all() else active)
        spent += costs[chosen] * active
        step += 1


def to_tasks(world: World, shares: Floats) -> list[Ints]:
    """Schedules that follow piecewise constant shares as closely as whole batches can.

    Every task is owed its share of the budget as it is spent, and the task that is owed the most steps goes next.

    Args:
        world: only its costs and budget are used.
        shares: of the budget, shape (n, n_segments, n_tasks); the segments are equally long, and rows sum to 1.

    Returns:
        For each of the n, the tasks in order, shape (n_steps,).
    """
    n, n_segments, _ = shares.shape
    costs, rows = world.costs, np.arange(n)
    spent, owed = np.zeros(n), shares[:, 0] * costs  # one step in advance, so that the first one follows the shares too
    drawn: list[Ints] = []
    lengths = np.zeros(n, dtype=np.int64)
    while True:
        fits = costs <= (world.budget - spent + _SLACK)[:, None]
        active = fits.any(axis=1)
        if not active.any():
            break
        segment = np.minimum((spent / world.budget * n_segments + _SLACK).astype(np.int64), n_segments - 1)
        now = shares[rows, segment]
        chosen: Ints = np.where(fits, np.where(now > 0, owed, owed - world.budget) / costs, -np.inf).argmax(axis=1)
        cost = costs[chosen] * active
        owed += now * cost[:, None]
        owed[rows, chosen] -= cost
        spent += cost
        lengths += active
        drawn.append(chosen)
    table = np.stack(drawn, axis=1) if drawn else np.zeros((n, 1), dtype=np.int64)
    return [table[row, :length] for row, length in enumerate(lengths)]


def flow_shares(world: World, shares: Floats, n_chunks: int) -> Floats:
    """Objective after piecewise constant shares of the budget on divided batches, shape (n,).

    Args:
        world: its state is overwritten.
        shares: shape (n, n_segments, n_tasks), rows sum to 1.
        n_chunks: parts into which the budget is cut, at least one for each segment.
    """
    n_segments = shares.shape[1]
    per_segment = max(1, n_chunks // n_segments)
    drawn = shares * (world.budget / (n_segments * per_segment)) / world.costs
    steps = drawn.sum(axis=2)
    world.reset(len(shares))
    for segment in range(n_segments):
        amount = steps[:, segment]
        for _ in range(per_segment):
            world.flow(drawn[:, segment] / amount[:, None], amount)
    return world.objective()
