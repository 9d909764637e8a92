"""What several policies do with given shares, sizes and costs."""

from collections.abc import Mapping, Sequence

import numpy as np

from .._check import check_names, check_number
from ..records import Floats, Ints, Task

Shares = Mapping[str, float] | Sequence[float]
"""How large a part each task gets: by task name, or in the order of the tasks. They need not sum to 1."""


def check_shares(name: str, shares: Shares, *, empty: bool = False) -> None:
    """Refuse shares that are negative, not finite, all zero, or none at all unless `empty` is allowed.

    Raises:
        TypeError: the shares are text, or one of them is not a number.
        ValueError: one is negative or not finite, all are zero, or there is none.
    """
    if isinstance(shares, str):
        raise TypeError(f"`{name}` must be numbers by task name or in task order, got `{name} = {shares!r}`.")
    labelled = shares.items() if isinstance(shares, Mapping) else enumerate(shares)
    total = 0.0
    for key, value in labelled:
        check_number(f"{name}[{key!r}]", value, low=0.0)
        total += value
    if total <= 0 and not (empty and len(shares) == 0):
        raise ValueError(f"`{name}` must give at least one task a share above 0, got `{name} = {shares!r}`.")


def shares_of(name: str, shares: Shares, tasks: Sequence[Task], default: float | None = None) -> Floats:
    """The shares of these tasks, divided by their sum, shape (n_tasks,).

    Args:
        name: of the parameter, for messages.
        shares: by name or in task order, checked by `check_shares`.
        tasks: of the run.
        default: share of a task that `shares` does not name; None refuses to leave one out.

    Raises:
        ValueError: a name is unknown, a task has no share, the number of shares is not that of the tasks, or the shares
            of these tasks sum to zero.
    """
    names = [task.name for task in tasks]
    if isinstance(shares, Mapping):
        check_names(name, list(shares), names)
        for task in names:
            if task not in shares and default is None:
                raise ValueError(f"`{name}` has no share for the task {task!r}: give it one, 0 to leave it out.")
        values = np.array([shares.get(task, default) for task in names], dtype=np.float64)
    else:
        if len(shares) != len(tasks):
            raise ValueError(f"`{name}` must have one share for each of the {len(tasks)} tasks, got {len(shares)}.")
        values = np.array(shares, dtype=np.float64)
    if values.sum() <= 0:
        raise ValueError(f"`{name}` must give at least one task a share above 0, got {values.tolist()}.")
    values = values / values.max()  # first, so that shares near the largest float do not overflow in the sum
    return values / values.sum()


def power_shares(sizes: Floats, exponent: float | Floats) -> Floats:
    """sizes^exponent divided by its sum over the last axis, in log-space so that no size or exponent overflows.

    Args:
        sizes: above 0, shape (n_tasks,).
        exponent: one for all, or one for each run with shape (n_runs, 1).
    """
    logs = np.log(sizes) * exponent
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def mean_per_step(used: Floats, counts: Ints) -> Floats:
    """What a decision for each task took so far, shape (n_runs, n_tasks).

    The mean over all drawn tasks for one not drawn yet, or drawn and not known yet, and 1 before anything is known.
    """
    known = (counts > 0) & (used > 0)
    total = np.where(known, used, 0.0).sum(axis=1, keepdims=True)
    drawn = np.where(known, counts, 0).sum(axis=1, keepdims=True)
    mean = np.where(drawn > 0, total / np.maximum(drawn, 1), 1.0)
    return np.where(known, used / np.maximum(counts, 1), mean)
