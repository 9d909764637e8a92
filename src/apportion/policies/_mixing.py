"""What policies that learn from values of all tasks have in common."""

from collections.abc import Mapping, Sequence

import numpy as np

from .._check import check_names, check_number
from ..records import Evaluation, Floats, Task

PerTask = Mapping[str, float] | float
"""A number for every task: one for all of them, or by task name."""

LOWEST = -700.0
"""Log-weights are held at this distance from the largest; exp(-700) is about the smallest number above 0."""


def check_per_task(name: str, values: PerTask, *, low: float = -np.inf) -> None:
    """Refuse values that are not finite or below `low`.

    Raises:
        TypeError: a value is not a number.
        ValueError: a value is not finite or below `low`.
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            check_number(f"{name}[{key!r}]", value, low=low)
    else:
        check_number(name, values, low=low)


def per_task(name: str, values: PerTask, tasks: Sequence[Task]) -> Floats:
    """The value of every task, shape (n_tasks,).

    Raises:
        ValueError: a name is unknown, or a task has no value.
    """
    if not isinstance(values, Mapping):
        return np.full(len(tasks), float(values))
    names = [task.name for task in tasks]
    check_names(name, list(values), names)
    for task in names:
        if task not in values:
            raise ValueError(f"`{name}` has no value for the task {task!r}: give it one.")
    return np.array([values[task] for task in names], dtype=np.float64)


def held_out(evaluation: Evaluation, name: str, policy: str) -> Floats:
    """What an evaluation measured under this name, shape (n_runs, n_tasks).

    Raises:
        ValueError: the evaluation did not measure it.
    """
    if name not in evaluation.measured:
        known = ", ".join(sorted(evaluation.measured)) or "nothing"
        raise ValueError(f"{policy} needs `evaluation.{name}` of every task, but the evaluation measured {known}.")
    return evaluation.measured[name]


def newest(old: Floats, new: Floats) -> Floats:
    """The new values where there are any, else the last known ones."""
    return np.where(np.isfinite(new), new, old)


def completed(values: Floats, default: float = 0.0) -> Floats:
    """Gaps filled with the mean of the known values of the same run, or `default` where a run knows none."""
    known = np.isfinite(values)
    count = known.sum(axis=-1, keepdims=True)
    mean = np.where(known, values, 0.0).sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    return np.where(known, values, np.where(count > 0, mean, default))


def softmax(logits: Floats) -> Floats:
    """exp(logits) divided by its sum over the last axis; no finite logits overflow it."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def anchored(logits: Floats) -> Floats:
    """The same log-weights with their largest at 0 and none below `LOWEST`: they stay finite however long a run is."""
    return np.maximum(logits - logits.max(axis=-1, keepdims=True), LOWEST)


def mixed(probabilities: Floats, exploration: float) -> Floats:
    """(1 - exploration) * probabilities + exploration / K."""
    return (1.0 - exploration) * probabilities + exploration / probabilities.shape[-1]


def normalised(values: Floats) -> Floats:
    """Values divided by their sum over the last axis; equal shares where the sum is 0. None may be negative."""
    scaled = values / np.maximum(values.max(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    total = scaled.sum(axis=-1, keepdims=True)
    return np.where(total > 0.0, scaled / np.where(total > 0.0, total, 1.0), 1.0 / values.shape[-1])


def adam(gradient: Floats, first: Floats, second: Floats, steps: Floats, rate: float) -> tuple[Floats, Floats, Floats]:
    """One step of Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1) with its default decays 0.9 and 0.999.

    Args:
        gradient: shape (n_runs, n_tasks).
        first: mean of the gradients so far.
        second: mean of their squares so far.
        steps: number of this step, from 1, shape (n_runs, 1).
        rate: learning rate.

    Returns:
        What to subtract from the parameters, and the new means.
    """
    first = 0.9 * first + 0.1 * gradient
    second = 0.999 * second + 0.001 * gradient**2
    scale = np.sqrt(second / (1.0 - 0.999**steps)) + 1e-8
    return rate * first / (1.0 - 0.9**steps) / scale, first, second
