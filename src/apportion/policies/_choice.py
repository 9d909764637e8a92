"""From values of the tasks to probabilities: softmax, argmax with ties split, and a stated share of exploration.

`mask` is True where a task may be drawn, shape (n_runs, n_tasks), or None where all may: most decisions are like that.
It comes from `mask_of`, so that it has a task in every run.
Reductions avoid the array methods, which take most of the time where rows are as short as a handful of tasks. They give
a run the same numbers whichever other runs are beside it.
"""

import numpy as np

from ..records import Bools, Context, Floats

_FEW_RUNS, _FEW_TASKS = 64, 32  # between them a loop over the tasks beats a reduction of many short rows


def mask_of(context: Context) -> Bools | None:
    """The tasks that may be drawn, or None if all may; all of them in a run where none may, for a valid row."""
    available = context.available
    if np.logical_and.reduce(available, axis=None):
        return None
    return available | ~np.logical_or.reduce(available, axis=1, keepdims=True)


def largest(values: Floats) -> Floats:
    """The largest value of each run, shape (n_runs, 1)."""
    n_runs, n_tasks = values.shape
    if n_runs <= _FEW_RUNS or n_tasks > _FEW_TASKS:
        return np.maximum.reduce(values, axis=1, keepdims=True)
    found = values[:, 0].copy()
    for task in range(1, n_tasks):
        np.maximum(found, values[:, task], out=found)
    return found[:, None]


def normalised(values: Floats) -> Floats:
    """Values divided by their sum over the tasks."""
    return values / np.einsum("ij->i", values)[:, None]


def softmax(logits: Floats, mask: Bools | None) -> Floats:
    """exp(logits) divided by its sum over the tasks that may be drawn; the largest is subtracted first."""
    if mask is not None:
        logits = np.where(mask, logits, -np.inf)
    return normalised(np.exp(logits - largest(logits)))


def greedy(values: Floats, mask: Bools | None) -> Floats:
    """All probability on the task with the largest value, which may be infinite; tasks that tie share it."""
    if mask is None:
        return normalised((values == largest(values)).astype(np.float64))
    best = largest(np.where(mask, values, -np.inf))
    return normalised(((values == best) & mask).astype(np.float64))


def explore(shares: Floats, exploration: float | Floats, mask: Bools | None) -> Floats:
    """(1 - exploration) * shares + exploration * uniform over the tasks that may be drawn.

    Args:
        shares: probabilities, shape (n_runs, n_tasks).
        exploration: in [0, 1], one for all or shape (n_runs, 1).
        mask: tasks that may be drawn, or None.
    """
    uniform = 1.0 / shares.shape[1] if mask is None else normalised(mask.astype(np.float64))
    return (1.0 - exploration) * shares + exploration * uniform
