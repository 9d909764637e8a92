"""The shapes that a learning curve may have: every one is fitted, and each counts as much as its evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..records import Floats, Ints


@dataclass(frozen=True, slots=True)
class Variants:
    """Shapes side by side, arrays of shape (n_variants,).

    Attributes:
        tail: exponent a of u(z) = 1 - (1 + z/a)^-a, whose slope at 0 is 1; inf is the saturating exponential.
        fading: how often the experience would fall to 1/e within one budget, 0 for no forgetting.
        plateau: fraction of the budget after which a batch teaches half of what it will, 0 for no plateau; below 0 that
            after which it teaches half of what it did, as what all tasks share is learned.
        late: fraction of the budget before which batches teach nothing, 0 for none such, inf for never; below 0 that
            from which on they teach nothing any more.
        touch: factor on the scale of transfer's prior; small for tasks that learn on their own.
        height: added to the prior mean of the log span; very negative for tasks that learn nothing.
        prior: log probability before any data.
        streams: index into the distinct triples of fading, plateau and late, which alone decide what is summed up.
        rows: those triples, shape (n_streams, 3).
    """

    tail: Floats
    fading: Floats
    plateau: Floats
    late: Floats
    touch: Floats
    height: Floats
    prior: Floats
    streams: Ints
    rows: Floats

    @classmethod
    def of(
        cls, shapes: list[tuple[float, ...]], *, alone: bool = False, flat: float = 0.0, never: float = 0.0
    ) -> Variants:
        """From rows of tail, fading, plateau, prior probability (not normalised) and, where there is one, late.

        With `alone`, every shape comes twice: with transfer from other tasks, and with hardly any. `flat` and `never`
        are prior probabilities, beside those of the rows, of a task that learns next to nothing and of one that learns
        nothing at all, from whatever batches.
        """
        touch, height = np.ones(len(shapes)), np.zeros(len(shapes))
        if alone:
            touch, height = np.repeat([1.0, ALONE], len(shapes)), np.tile(height, 2)
            shapes, flat, never = shapes + shapes, 2.0 * flat, 2.0 * never
        for chance, late in ((flat, 0.0), (never, np.inf)):
            if chance > 0:
                touch, height = np.append(touch, ALONE), np.append(height, FLAT)
                shapes = [*shapes, (np.inf, 0.0, 0.0, chance, late)]
        table = np.array([(*shape, 0.0)[:5] for shape in shapes], dtype=np.float64)
        rows, streams = np.unique(table[:, [1, 2, 4]], axis=0, return_inverse=True)
        odds = table[:, 3] / table[:, 3].sum()
        return cls(
            table[:, 0], table[:, 1], table[:, 2], table[:, 4], touch, height, np.log(odds), streams.reshape(-1), rows
        )

    def times(self, number: int) -> Variants:
        """The shapes, several times over."""
        every = {name: np.tile(getattr(self, name), number) for name in self.__slots__ if name != "rows"}
        return Variants(**every, rows=self.rows)


def variants_of_one(tail: float, fading: float, plateau: float) -> Variants:
    """A single shape."""
    return Variants.of([(tail, fading, plateau, 1.0)])


DEPTH = 0.5
"""Spans by which harm can take a task below its start."""

ALONE = 0.1
"""Factor on the scale of transfer's prior for tasks that learn on their own."""

FLAT = -4.0
"""Log span, in units of the range of scores, of tasks that learn nothing."""

REUSE = 4.0
"""Epochs over which the worth of repeated examples decays."""

VARIANTS = Variants.of(
    [
        (np.inf, 0.0, 0.0, 3.0),
        (1.0, 0.0, 0.0, 3.5),
        (np.inf, 0.0, -0.1, 1.0),
        (np.inf, 0.0, -0.3, 1.0),
        (np.inf, 0.7, 0.0, 0.6),
        (np.inf, 2.0, 0.0, 0.5),
        (np.inf, 5.0, 0.0, 0.5),
        (np.inf, 12.0, 0.0, 0.5),
        (np.inf, 0.0, 0.08, 1.0),
        (np.inf, 0.0, 0.2, 1.0),
        (np.inf, 0.0, 0.5, 1.0),
        (1.0, 0.0, 0.12, 1.0),
        (np.inf, 0.0, 0.0, 0.3, 0.15),
        (np.inf, 0.0, 0.0, 0.3, 0.35),
        (np.inf, 0.0, 0.0, 0.3, 0.6),
        (np.inf, 0.0, 0.0, 0.3, 0.8),
        (np.inf, 0.0, 0.0, 0.1, -0.3),
        (np.inf, 0.0, 0.0, 0.1, -0.5),
        (np.inf, 0.0, 0.0, 0.1, -0.7),
    ],
    alone=True,
    flat=1.0,
    never=2.0,
)
"""Exponential and power curves, batches that teach less and less, slow and fast forgetting, short and long plateaus,
late starts and early ends; repeated examples lose worth. Without late starts a task that waits for another one would be
given up for good once it has learned nothing from its first batches. Beside them there must be a task that never
learns: as they do, it explains a score that stays where it is at no cost, while one that learns next to nothing pays
for being so slow, the more the less noise there is."""


FEW = Variants.of(
    [(np.inf, 0.0, 0.0, 3.0), (1.0, 0.0, 0.0, 2.0), (np.inf, 2.5, 0.0, 1.0), (np.inf, 0.0, 0.12, 1.0)], flat=2.0
)
"""The shapes for very many tasks, where each fit is dear."""


def value_and_slope(z: Floats, tail: Floats) -> tuple[Floats, Floats]:
    """u(z) and du/dz; below 0 u = d tanh(z / d), d = DEPTH, the straight line z at first: harm cannot take without end.

    `tail` must broadcast against z.

    >>> value_and_slope(np.array([0.0, 1.0]), np.array(1.0))
    (array([0. , 0.5]), array([1.  , 0.25]))
    """
    above = np.maximum(z, 0.0)
    bounded = np.isfinite(tail)
    if bounded.any():
        a = np.where(bounded, tail, 1.0)
        ratio = above / a
        depth = np.where(bounded, a * np.log1p(ratio), above)
        left = np.exp(-np.minimum(depth, 700.0))
        slope = np.where(bounded, left / (1.0 + ratio), left)
    else:
        left = slope = np.exp(-np.minimum(above, 700.0))
    value = 1.0 - left
    negative = z < 0.0
    if not negative.any():
        return value, slope
    below = np.tanh(np.minimum(z, 0.0) / DEPTH)
    return value + DEPTH * below, np.where(negative, 1.0 - below**2, slope)


def experience(counts: Floats, epochs: Floats, total: Floats, variants: Variants) -> Floats:
    """Batches that still count at each evaluation in every stream of the variants.

    x_a(t) = keep x_a(t-1) + ready * open * fresh_a * (what of it is left) * exp(-max(0, e_a - 1) / REUSE), with
    fresh_a the batches of task a since the last evaluation, keep = exp(-fading * steps since then / budget), ready the
    mean of `readiness`, open the part of these steps after a late start or before an early end, and e_a the passes over
    the data of task a (decay of repeated data after Muennighoff et al. 2023, arXiv 2305.16264; their exact formula
    could not be checked).

    Args:
        counts: decisions for each task up to each evaluation, shape (n_runs, n_times, n_tasks).
        epochs: passes over each task's data by then, the same shape; 0 where sizes are unknown.
        total: steps of a whole budget, shape (n_runs,).
        variants: the shapes.

    Returns:
        Shape (n_runs, n_streams, n_times, n_tasks), in units of the batches that equal shares give a task.
    """
    n_runs, n_times, n_tasks = counts.shape
    fresh = np.diff(counts, axis=1, prepend=0.0)
    begun = np.concatenate((np.zeros_like(epochs[:, :1]), epochs[:, :-1]), axis=1)
    steps = fresh.sum(axis=2)
    found = np.empty((n_runs, len(variants.rows), n_times, n_tasks))
    unit = total[:, None] / n_tasks
    end = np.cumsum(steps, axis=1)
    repeats = bool((epochs > 1).any())
    for stream, (fading, plateau, late) in enumerate(variants.rows):
        gone = fading * steps / total[:, None]
        keep, left = np.exp(-gone), average_keep(gone)
        if plateau != 0:
            left = left * mean_ready(end - steps, end, plateau * total[:, None])
        if late != 0:
            left = left * mean_open(end - steps, end, late * total[:, None])
        gain = fresh * (left / unit)[:, :, None]
        if repeats:
            gain = gain * mean_worth(begun, epochs, REUSE)
        if fading > 0:
            sum_ = np.zeros((n_runs, n_tasks))
            for time in range(n_times):
                sum_ = sum_ * keep[:, time, None] + gain[:, time]
                found[:, stream, time] = sum_
        else:
            found[:, stream] = np.cumsum(gain, axis=1)
    return found


def mean_worth(begun: Floats, ended: Floats, reuse: float | Floats) -> Floats:
    """Mean worth of batches from one number of passes over the data to another: 1 in the first pass, then falling."""
    width = np.maximum(ended - begun, 1e-9)
    return np.clip((worth_until(ended, reuse) - worth_until(begun, reuse)) / width, 0.0, 1.0)


def worth_until(epochs: Floats, reuse: float | Floats) -> Floats:
    """Passes over fresh data that so many passes are worth: min(e, 1) + reuse (1 - exp(-max(e - 1, 0) / reuse))."""
    return np.minimum(epochs, 1.0) + reuse * -np.expm1(-np.maximum(epochs - 1.0, 0.0) / reuse)


def average_keep(gone: Floats) -> Floats:
    """Mean of exp(-x) for x from 0 to `gone`: what is left of batches spread evenly over an interval."""
    safe = np.where(gone > 1e-9, gone, 1.0)
    return np.where(gone > 1e-9, -np.expm1(-safe) / safe, 1.0)


def readiness(steps: Floats, half: Floats) -> Floats:
    """What a batch teaches after so many steps: n^2 / (n^2 + half^2); for half below 0 what this leaves of 1."""
    ready = steps**2 / (steps**2 + half**2)
    return np.where(half < 0.0, 1.0 - ready, ready)


def mean_ready(start: Floats, end: Floats, half: Floats) -> Floats:
    """Mean of `readiness` for steps from `start` to `end`; `half` must not be 0."""
    width = np.maximum(end - start, 1e-9)
    missing = np.clip(
        np.abs(half) / width * (np.arctan(end / np.abs(half)) - np.arctan(start / np.abs(half))), 0.0, 1.0
    )
    return np.where(half < 0.0, missing, 1.0 - missing)


def mean_open(start: Floats, end: Floats, late: Floats) -> Floats:
    """Part of the steps from `start` to `end` that come after a late start; for `late` below 0 before an early end."""
    after = np.clip((end - np.abs(late)) / np.maximum(end - start, 1e-9), 0.0, 1.0)
    return np.where(late < 0.0, 1.0 - after, after)


def recent_shares(counts: Floats, memory: Floats) -> Floats:
    """Exponentially weighted recent shares at each evaluation, from equal ones on, shape (n_runs, n_times, n_tasks).

    Args:
        counts: decisions for each task up to each evaluation, shape (n_runs, n_times, n_tasks).
        memory: steps over which shares are averaged, shape (n_runs,).
    """
    n_runs, n_times, n_tasks = counts.shape
    found = np.empty((n_runs, n_times, n_tasks))
    recent, before = np.full((n_runs, n_tasks), 1.0 / n_tasks), np.zeros((n_runs, n_tasks))
    for time in range(n_times):
        fresh = counts[:, time] - before
        steps = fresh.sum(axis=1)
        left = np.exp(-steps / memory)[:, None]
        recent = left * recent + (1.0 - left) * fresh / np.maximum(steps, 1.0)[:, None]
        found[:, time], before = recent, counts[:, time]
    return found


HALF_SHARE = 0.25
"""Recent share, as a multiple of the equal share, at which half of what interference can take is taken."""


def kept(recent: Floats) -> tuple[Floats, Floats]:
    """How far a task is kept in mind by its recent share, 1 at the equal share or above 0 below, and the slope.

    m(r) = min(r (e + h) / (e (r + h)), 1 at most a little above) with e the equal share and h = HALF_SHARE e; it is 1
    at r = e, so that equal shares are the reference.
    """
    n_tasks = recent.shape[-1]
    half = HALF_SHARE / n_tasks
    factor = 1.0 + half * n_tasks
    return factor * recent / (recent + half), factor * half / (recent + half) ** 2
