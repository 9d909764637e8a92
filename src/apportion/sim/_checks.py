"""What is asked of a world before anything runs in it, so that one of a user's own fails with a sentence."""

from __future__ import annotations

import numpy as np

from .._check import check_number
from ..records import Floats, check_tasks
from ._base import World


def check_world(world: World) -> None:
    """Refuse a world that cannot be run.

    Raises:
        TypeError: the budget is no number.
        ValueError: it has no tasks, two with one name, a budget or price that is not above 0 and finite, or scores
            before training that are not finite or not one for each run and task.
    """
    check_tasks(world.tasks)
    check_number("budget", world.budget, low=0.0, low_open=True)
    costs = _as_numbers(world, "costs", world.costs, (world.n_tasks,))
    for task, cost in zip(world.tasks, costs, strict=True):
        if not 0.0 < cost < np.inf:
            raise ValueError(
                f"a step on task {task.name!r} of the world {world.name!r} must cost more than 0, got {cost:g}."
            )
    fresh = world.clone()
    fresh.reset(2)
    scores = _as_numbers(world, "scores", fresh.scores(), (2, world.n_tasks))
    if not np.isfinite(scores).all():
        task = world.tasks[int(np.argwhere(~np.isfinite(scores))[0, 1])].name
        raise ValueError(
            f"`scores` of the world {world.name!r} must be finite, got {scores[~np.isfinite(scores)][0]} "
            f"for task {task!r} before training."
        )


def _as_numbers(world: World, what: str, values: Floats, shape: tuple[int, ...]) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != shape:
        raise ValueError(f"`{what}` of the world {world.name!r} must have the shape {shape}, got {found.shape}.")
    return found
