"""Every task as likely as one of its last changes is the largest: teacher-student curriculum learning, sampling."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Bools, Context, Floats, Ints, Task
from ._choice import explore, mask_of, normalised
from ._progress import ProgressPolicy
from ._quadrature import in_chunks


@dataclass(kw_only=True)
class TSCLSampling(ProgressPolicy):
    """Decides as if one of the last changes of every task were drawn and the task with the largest were taken.

    Each task keeps its last `window` changes of score; Y_a is one of them, uniformly, in absolute value, and `optimism`
    before the first. p = (1 - exploration) * P(Y_a is the largest, ties split) + exploration / K, exactly: with L_j(y)
    the part of j's changes below y and E_j(y) the part equal to it, P sums over the changes y of a the integral over u
    from 0 to 1 of the product over j of (L_j(y) + u E_j(y)), by a Gauss rule that is exact for this polynomial: what is
    left is rounding, below 1e-13 with a hundred tasks.

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
    complexity = "O(K window ln(K window)), and O(K^2) for changes that are equal in many tasks"

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

    def progress(self) -> Floats:
        """The mean changes, for the Boltzmann choice."""
        n = np.clip(self.counts_, 1, self.window)[:, :, None]
        return ((np.arange(self.window) < n) / n * self.changes_).sum(axis=2)

    def probabilities(self, context: Context) -> Floats:
        """How likely each task's draw is the largest, mixed with uniform, shape (n_runs, n_tasks)."""
        if self.temperature is not None:
            return super().probabilities(context)
        mask = mask_of(context)
        changes = np.abs(self.changes_) if self.absolute else self.changes_
        held = np.clip(self.counts_, 1, self.window)
        if mask is not None:
            held = np.where(mask, held, 0)
        cells = changes.shape[1] * self.window
        wins = in_chunks(lambda rows: _largest(changes[rows], held[rows]), len(changes), cells)
        return explore(wins, self.exploration, mask)

    def learn(self, change: Floats, seen: Bools) -> None:
        """Put the changes of the tasks seen in place of their oldest ones."""
        self.changes_[(*np.nonzero(seen), (self.counts_ % self.window)[seen])] = change[seen]
        self.counts_ = self.counts_ + seen


@cache
def _gauss(n_points: int) -> tuple[Floats, Floats]:
    """Points and weights of the Gauss-Legendre rule on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(n_points)
    return 0.5 * points + 0.5, 0.5 * weights


def _largest(changes: Floats, held: Ints) -> Floats:
    """P(a draw of task a is the largest, ties split), shape (n_runs, n_tasks).

    The product of all L_j is carried from each value to the next larger one as a sum of logarithms, in which only the
    task that the value belongs to changes. Values held by t tasks need a Gauss rule of t / 2 points over these t alone.

    Args:
        changes: shape (n_runs, n_tasks, window).
        held: how many of them may be drawn, all alike and from the first on; 0 for a task that takes no part. Shape
            (n_runs, n_tasks).
    """
    n_runs, n_tasks, window = changes.shape
    place = np.arange(window)
    # Drawn or not is known by place once the changes of a task are in order, so that its L are 0, 1/n, 2/n ...
    values = np.sort(np.where(place < held[:, :, None], changes, np.inf), axis=2).reshape(n_runs, -1)
    order = values.argsort(axis=1, kind="stable")  # equal values stay sorted by task
    tasks, ranks = np.divmod(order, window)
    number = np.take_along_axis(held, tasks, axis=1)
    runs, columns = np.nonzero(ranks < number)
    # Before each value: the sum of ln L_j over the tasks with a smaller value, and how many tasks have none.
    first = ranks == 0
    logs = np.log(np.maximum(ranks, 1) / np.maximum(number, 1))
    rise = np.log((ranks + 1) / np.maximum(number, 1)) - np.where(first, 0.0, logs)
    total = np.cumsum(rise, axis=1) - rise
    empty = np.count_nonzero(held, axis=1)[:, None] - (np.cumsum(first, axis=1) - first)
    at = runs, columns
    value, task, rank, number = np.take_along_axis(values, order, axis=1)[at], tasks[at], ranks[at], number[at]
    # A piece is what one task holds of one value; a level is the pieces of one value.
    new_level = np.ones(len(runs), dtype=np.bool_)
    new_level[1:] = (value[1:] != value[:-1]) | (runs[1:] != runs[:-1])
    new_piece = new_level.copy()
    new_piece[1:] |= task[1:] != task[:-1]
    pieces = np.flatnonzero(new_piece)
    equal = np.diff(pieces, append=len(runs)) / number[pieces]
    below = rank[pieces] / number[pieces]
    levels = np.flatnonzero(new_level[pieces])
    sizes = np.diff(levels, append=len(pieces))
    total, empty, logs = total[at][pieces], empty[at][pieces], logs[at][pieces]
    chance = np.empty(len(pieces))
    for size in np.unique(sizes):
        inside = levels[sizes == size, None] + np.arange(size)
        start, none = inside[:, 0], below[inside] == 0
        others = np.exp(total[start] - np.where(none, 0.0, logs[inside]).sum(axis=1))
        others *= empty[start] == none.sum(axis=1)
        points, weights = _gauss((int(size) + 1) // 2)
        terms = np.maximum(below[inside][:, :, None] + points * equal[inside][:, :, None], 1e-300)
        inner = (weights * terms.prod(axis=1, keepdims=True) / terms).sum(axis=2)
        chance[inside] = others[:, None] * inner * equal[inside]
    index = runs[pieces] * n_tasks + task[pieces]
    wins: Floats = np.bincount(index, weights=chance, minlength=n_runs * n_tasks).astype(np.float64)
    return normalised(wins.reshape(n_runs, n_tasks))
