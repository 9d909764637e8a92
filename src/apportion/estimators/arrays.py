"""Logs from anywhere as arrays, checked before they are believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._check import nearest
from ..errors import LogFormatError
from ..records import Floats, Ints, Logged

MAX_TASKS = 100_000
"""Most tasks of a log that is accepted: a damaged header must not eat the memory."""


def from_arrays(
    *,
    tasks: Sequence[str],
    chosen: ArrayLike,
    probabilities: ArrayLike,
    reward: ArrayLike,
    step: ArrayLike | None = None,
    cost: ArrayLike | None = None,
    first_round: int = 0,
) -> Logged:
    """Builds a log from arrays of unknown origin, and refuses what cannot be a log.

    Args:
        tasks: names, all different, in the order of the columns; at most 100,000.
        chosen: task of each decision, as index or name, shape (n_rounds,).
        probabilities: what each was drawn from, shape (n_rounds, n_tasks). Rows must sum to 1 within 10^-6 and are
            divided by their sums.
        reward: shape (n_rounds,); NaN where none came.
        step: number of each decision, shape (n_rounds,); 0, 1, 2 ... by default.
        cost: budget spent by each decision, not negative, shape (n_rounds,); 1 by default.
        first_round: number of the first row, for messages about chunks of a longer log.

    Returns:
        The log, as float64 and int64 arrays.

    Raises:
        LogFormatError: something is damaged; the message names field and round.

    Example:
        >>> log = from_arrays(tasks=["a", "b"], chosen=["b", "a"], probabilities=[[0.2, 0.8]] * 2, reward=[1, 2])
        >>> log.chosen, log.propensity
        (array([1, 0]), array([0.8, 0.2]))
    """
    names = checked_names(tasks)
    chances = _numbers("probabilities", probabilities, "fiu").astype(np.float64, copy=False)
    indices = _indices(chosen, names, first_round)
    n_rounds = indices.shape[0]
    if chances.shape != (n_rounds, len(names)):
        raise LogFormatError(f"`probabilities` must have the shape ({n_rounds}, {len(names)}), got {chances.shape}.")
    with np.errstate(over="ignore", invalid="ignore"):  # a sum that is no number is refused below
        total = chances.sum(axis=1)
    if n_rounds:
        if not (chances.min() >= 0.0 and np.abs(total - 1.0).max() <= 1e-6):
            wrong = np.flatnonzero(~((chances >= 0).all(axis=1) & (np.abs(total - 1.0) <= 1e-6)))[0]
            raise LogFormatError(
                f"`probabilities` in round {first_round + wrong} must be probabilities that sum to 1, got the sum "
                f"{total[wrong]:.9g} and the smallest entry {chances[wrong].min():.3g}."
            )
        if np.abs(total - 1.0).max() > 1e-12:
            chances = chances / total[:, None]
        own = chances[np.arange(n_rounds), indices]
        if not own.min() > 0:
            row = int(np.argmin(own))
            raise LogFormatError(
                f"`probabilities` in round {first_round + row} give the task drawn, {names[indices[row]]!r}, "
                "no probability."
            )
    rewards = _column("reward", reward, n_rounds, first_round, missing=True)
    costs = np.ones(n_rounds) if cost is None else _column("cost", cost, n_rounds, first_round)
    if n_rounds and not costs.min() >= 0:
        row = int(np.argmin(costs))
        raise LogFormatError(f"`cost` in round {first_round + row} must not be negative, got {costs[row]:g}.")
    steps = np.arange(first_round, first_round + n_rounds) if step is None else _numbers("step", step, "iu")
    if steps.shape != (n_rounds,):
        raise LogFormatError(f"`step` must have the shape ({n_rounds},), got {steps.shape}.")
    return Logged(
        tasks=names,
        chosen=indices,
        probabilities=chances,
        reward=rewards,
        step=steps.astype(np.int64, copy=False),
        cost=costs,
    )


def from_obp(feedback: Mapping[str, Any], *, tasks: Sequence[str] | None = None) -> Logged:
    """Builds a log from the `bandit_feedback` dictionary of Open Bandit Pipeline (0.5).

    Uses `action`, `reward`, `n_actions`, `pscore`, and if there is one `pi_b` with `position`. Without `pi_b` only
    the propensity of the task drawn is known; the other tasks then share the rest evenly. That changes no estimate
    but that of `adaptive_dr`; the bounds of the bounded intervals and the check of overlap are then guesses.

    Args:
        feedback: the dictionary.
        tasks: names of the actions; "0", "1" ... by default.

    Raises:
        LogFormatError: an entry is missing or damaged; the message names it.

    Example:
        >>> log = from_obp({"n_actions": 2, "action": [0, 1], "reward": [1, 0], "pscore": [0.5, 0.2]})
        >>> log.probabilities
        array([[0.5, 0.5],
               [0.8, 0.2]])
    """
    for key in ("n_actions", "action", "reward"):
        if feedback.get(key) is None:
            raise LogFormatError(f"the feedback has no `{key}`.")
    n_tasks = feedback["n_actions"]
    if isinstance(n_tasks, bool) or not isinstance(n_tasks, (int, np.integer)) or not 1 <= n_tasks <= MAX_TASKS:
        raise LogFormatError(f"`n_actions` must be a whole number from 1 to {MAX_TASKS}, got {n_tasks!r}.")
    names = tuple(str(index) for index in range(int(n_tasks))) if tasks is None else checked_names(tasks)
    chosen = _indices(feedback["action"], names, 0)
    n_rounds = chosen.shape[0]
    if feedback.get("pi_b") is not None:
        policy = _numbers("pi_b", feedback["pi_b"], "f")
        if policy.ndim == 3:
            position = feedback.get("position")
            if position is None:
                slots = np.zeros(n_rounds, dtype=np.int64)
            else:
                slots = _numbers("position", position, "iu")
                if slots.shape != (n_rounds,) or (
                    n_rounds and not (slots.min() >= 0 and slots.max() < policy.shape[2])
                ):
                    raise LogFormatError(f"`position` must be {n_rounds} indices from 0 to {policy.shape[2] - 1}.")
            if policy.shape[0] != n_rounds or policy.shape[2] == 0:
                raise LogFormatError(
                    f"`pi_b` must have the shape ({n_rounds}, {n_tasks}, n_positions), got {policy.shape}."
                )
            policy = policy[np.arange(n_rounds), :, slots]
    else:
        if feedback.get("pscore") is None:
            raise LogFormatError("the feedback has neither `pi_b` nor `pscore`.")
        pscore = _column("pscore", feedback["pscore"], n_rounds, 0)
        if n_rounds and not (pscore.min() > 0 and pscore.max() <= 1):
            row = int(np.argmax((pscore <= 0) | (pscore > 1)))
            raise LogFormatError(f"`pscore` in round {row} must be in (0, 1], got {pscore[row]:g}.")
        policy = np.repeat(((1.0 - pscore) / max(len(names) - 1, 1))[:, None], len(names), axis=1)
        policy[np.arange(n_rounds), chosen] = pscore
    return from_arrays(tasks=names, chosen=chosen, probabilities=policy, reward=feedback["reward"])


def checked_names(tasks: Sequence[str]) -> tuple[str, ...]:
    """Task names as a tuple.

    Raises:
        LogFormatError: there are none or too many, one is not a word, or comes twice.
    """
    if isinstance(tasks, str) or not isinstance(tasks, Sequence):
        raise LogFormatError(f"`tasks` must be a list of names, got {type(tasks).__name__}.")
    if not 1 <= len(tasks) <= MAX_TASKS:
        raise LogFormatError(f"`tasks` must hold 1 to {MAX_TASKS} names, got {len(tasks)}.")
    seen: set[str] = set()
    for name in tasks:
        if type(name) is not str or not name.strip():
            raise LogFormatError(f"`tasks` must be names that are not empty, got {name!r}.")
        if name in seen:
            raise LogFormatError(f"`tasks` must be different names, got {name!r} twice.")
        seen.add(name)
    return tuple(tasks)


def _numbers(name: str, values: Any, kinds: str) -> NDArray[Any]:
    if isinstance(values, (str, bytes)):
        raise LogFormatError(f"`{name}` must be an array of numbers, got {values[:40]!r}.")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError) as error:
        raise LogFormatError(f"`{name}` is not an array: {error}.") from error
    if not array.size:  # an empty list has no type
        return np.zeros(array.shape, dtype=np.int64)
    if array.dtype.kind not in kinds:
        wanted = "whole numbers" if "f" not in kinds else "numbers"
        raise LogFormatError(f"`{name}` must hold {wanted}, got the type {array.dtype}.")
    if array.dtype.kind == "u" and array.max() > np.iinfo(np.int64).max:
        raise LogFormatError(f"`{name}` holds {array.max()}, which is too large.")
    return array


def _column(name: str, values: Any, n_rounds: int, first_round: int, *, missing: bool = False) -> Floats:
    column = _numbers(name, values, "fiu").astype(np.float64, copy=False)
    if column.shape != (n_rounds,):
        raise LogFormatError(f"`{name}` must have the shape ({n_rounds},), got {column.shape}.")
    wrong = np.isinf(column) if missing else ~np.isfinite(column)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise LogFormatError(f"`{name}` in round {first_round + row} must be finite, got {column[row]}.")
    return column


def _indices(chosen: Any, names: tuple[str, ...], first_round: int) -> Ints:
    try:
        array = np.asarray(chosen)
    except (TypeError, ValueError, OverflowError) as error:
        raise LogFormatError(f"`chosen` is not an array: {error}.") from error
    if array.ndim != 1:
        raise LogFormatError(f"`chosen` must have one axis, got the shape {array.shape}.")
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.dtype.kind == "U":
        return _named(array, names, first_round)
    if array.dtype.kind not in "iu":
        raise LogFormatError(f"`chosen` must hold indices or names of tasks, got the type {array.dtype}.")
    wrong = (array < 0) | (array >= len(names))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise LogFormatError(
            f"`chosen` in round {first_round + row} must be from 0 to {len(names) - 1}, got {array[row]}."
        )
    return array.astype(np.int64, copy=False)


def _named(chosen: NDArray[Any], names: tuple[str, ...], first_round: int) -> Ints:
    known = {name: index for index, name in enumerate(names)}
    different, inverse = np.unique(chosen, return_inverse=True)
    columns = np.array([known.get(str(name), -1) for name in different], dtype=np.int64)
    indices = columns[inverse]
    if (indices < 0).any():
        row = int(np.argmax(indices < 0))
        name = str(chosen[row])[:80]
        raise LogFormatError(
            f"`chosen` in round {first_round + row} names the unknown task {name!r}{nearest(name, names[:1000])}."
        )
    return indices
