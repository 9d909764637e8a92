"""Every task as likely as one of its last changes is the largest: teacher-student curriculum learning, sampling."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Bools, Context, Floats, Task
from ._choice import explore, mask_of, normalised
from ._progress import ProgressPolicy
from ._quadrature import in_chunks


@dataclass(kw_only=True)
class TSCLSampling(ProgressPolicy):
    """Decides as if one of the last changes of every task were drawn and the task with the largest were taken.

    Each task keeps its last `window` changes of score; Y_a is one of them, uniformly, in absolute value, and `optimism`
    before the first. p = (1 - exploration) * P(Y_a is the largest, ties split) + exploration / K, exactly: with L_j(y)
    the part of j's changes below y and E_j(y) the part equal to it, P sums over the changes y of a the integral over u
    from 0 to 1 of the product over j of (L_j(y) + u E_j(y)), by a Gauss rule that is exact for this polynomial.

    A Thompson sampler without a model. With a `temperature` it is softmax(mean change / temperature) instead, as in the
    released code, which follows changes rather than absolute ones unless told otherwise (`absolute=False`). It fails
    when noise is larger than progress: the noisiest task has the largest changes.

    Args:
        feed: `reward` or `evaluations`.
        absolute: compare absolute changes; False compares changes.
        exploration: share of uniform exploration, in [0, 1].
        temperature: of a Boltzmann choice by the mean change, above 0; None compares draws.
        window: changes remembered of each task, at least 1.
        optimism: the change of a task that was never seen.

    Raises:
        TypeError: `window` is not a whole number.
        ValueError: a parameter is out of its range.

    >>> policy = TSCLSampling(exploration=0.0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> for task, change in ((0, 0.1), (0, 0.3), (1, 0.2), (1, 0.4)):
    ...     policy.update(np.array([task]), np.array([[0.5, 0.5]]), np.array([change]))
    >>> policy.probabilities(Context.start(2))  # of the four pairs, cola wins with 0.3 against 0.2 only
    array([[0.25, 0.75]])
    """

    name = "tscl_sampling"
    usual_signal = "loss_decrease"
    source = (
        "Matiisen et al. 2017, arXiv 1707.00183; from its released code: tambetm/TSCL addition/addition_rnn_teacher.py"
    )
    complexity = "O(K^2 window (K + ln window))"

    window: int = 10
    optimism: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("window", self.window, low=1)
        check_number("optimism", self.optimism)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The paper's form, the released command's form fed by evaluations, and a Boltzmann choice."""
        yield cls()
        yield cls(feed="evaluations", absolute=False, window=4)
        yield cls(temperature=0.05)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No changes seen."""
        super().reset(tasks, n_runs)
        shape = (n_runs, len(tasks))
        self.counts_ = np.zeros(shape, dtype=np.int64)
        # Until a task is seen its window holds `optimism` alone; from then on only changes that were seen.
        self.changes_ = np.full((*shape, self.window), float(self.optimism))

    def _weights(self) -> Floats:
        """How likely each place of each window is drawn, shape (n_runs, n_tasks, window)."""
        n = np.clip(self.counts_, 1, self.window)[:, :, None]
        return (np.arange(self.window) < n) / n

    def progress(self) -> Floats:
        """The mean changes, for the Boltzmann choice."""
        return (self._weights() * self.changes_).sum(axis=2)

    def probabilities(self, context: Context) -> Floats:
        """How likely each task's draw is the largest, mixed with uniform, shape (n_runs, n_tasks)."""
        if self.temperature is not None:
            return super().probabilities(context)
        mask = mask_of(context)
        changes = np.abs(self.changes_) if self.absolute else self.changes_
        weights = self._weights()
        if mask is not None:  # whoever may not be drawn lies below all and is taken into no sum
            changes = np.where(mask[:, :, None], changes, -np.inf)
        cells = changes.shape[1] * changes.shape[1] * self.window
        wins = in_chunks(lambda rows: _largest(changes[rows], weights[rows], mask is None), len(changes), cells)
        return explore(wins, self.exploration, mask)

    def learn(self, change: Floats, seen: Bools) -> None:
        """Put the changes of the tasks seen in place of their oldest ones."""
        self.changes_[(*np.nonzero(seen), (self.counts_ % self.window)[seen])] = change[seen]
        self.counts_ = self.counts_ + seen


@cache
def _gauss(n_points: int) -> tuple[tuple[float, float], ...]:
    """Points and weights of the Gauss-Legendre rule on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(n_points)
    return tuple(zip((0.5 * points + 0.5).tolist(), (0.5 * weights).tolist(), strict=True))


def _largest(values: Floats, weights: Floats, everyone: bool) -> Floats:
    """P(a draw of task a is the largest, ties split), shape (n_runs, n_tasks).

    Args:
        values: that may be drawn, -inf for a task that takes no part, shape (n_runs, n_tasks, window).
        weights: how likely each is drawn, summing to 1 over the last axis, same shape.
        everyone: whether all tasks take part.
    """
    n_runs, n_tasks, window = values.shape
    n = n_tasks * window
    flat, owner = values.reshape(n_runs, n), np.repeat(np.arange(n_tasks), window)
    order = flat.argsort(axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    mass = np.zeros((n_runs, n + 1, n_tasks))  # row m: weight of each task among the m smallest
    runs = np.arange(n_runs)[:, None]
    mass[runs, np.arange(1, n + 1), owner[order]] = np.take_along_axis(weights.reshape(n_runs, n), order, axis=1)
    own = mass[:, 1:].copy()
    mass = mass.cumsum(axis=1)
    # Where the run of equal values around each place starts and ends.
    place = np.arange(n)
    new = np.concatenate([np.ones((n_runs, 1), dtype=np.bool_), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    start = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    last = np.concatenate([new[:, 1:], np.ones((n_runs, 1), dtype=np.bool_)], axis=1)
    end = np.minimum.accumulate(np.where(last, place, n)[:, ::-1], axis=1)[:, ::-1] + 1
    below = mass[runs, start]
    equal = mass[runs, end] - below
    wins = np.zeros((n_runs, n_tasks))
    for point, weight in _gauss((n_tasks + 1) // 2):
        chance = np.maximum(below + point * equal, 1e-300)
        wins += weight * (own * (chance.prod(axis=2, keepdims=True) / chance)).sum(axis=1)
    if not everyone:
        wins = np.where(np.isfinite(values[:, :, 0]), wins, 0.0)
    return normalised(wins)
