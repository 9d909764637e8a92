"""Exact solvers for worlds whose objective is a concave function of the spending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..records import Floats, Ints
from ._form import Form

Function = Callable[[Floats], tuple[float, Floats]]
"""A concave function of a point, with its gradient."""


@dataclass(frozen=True, slots=True)
class Solution:
    """A point of a convex set at which a concave function is nearly largest.

    Attributes:
        value: of the function.
        upper: bound on the function over the whole set: value + duality gap.
        corners: points of the set that the point is made of, shape (n_corners, n_dims).
        weights: of the corners, sum to 1.
    """

    value: float
    upper: float
    corners: Floats
    weights: Floats

    @property
    def point(self) -> Floats:
        """The point itself."""
        return self.weights @ self.corners


def frank_wolfe(
    function: Function,
    corner: Callable[[Floats], Floats],
    start: Floats,
    *,
    tolerance: float = 1e-6,
    most: int = 2000,
) -> Solution:
    """Maximise a concave function over a convex set that is known by its corners only.

    Pairwise Frank-Wolfe (Lacoste-Julien and Jaggi 2015, arXiv 1511.05932, algorithm 2; could not be checked): weight
    moves from the corner in use with the smallest inner product with the gradient to the best corner. Between two
    searches for a new corner the weights of those in use are brought to order among themselves. For a concave f and
    its gradient g, f(y) <= f(x) + max over corners c of g . (c - x) for every y of the set: that gap is the
    certificate.

    Args:
        function: value and gradient at a point.
        corner: the point of the set with the largest inner product with a vector.
        start: a corner.
        tolerance: gap at which to stop.
        most: searches for a corner at the most.
    """
    corners, weights = start[None, :].copy(), np.ones(1)
    upper = np.inf
    value, gradient = function(start)
    for _ in range(most):
        best = corner(gradient)
        point = weights @ corners
        gap = float(gradient @ (best - point))
        upper = min(upper, value + max(gap, 0.0))
        if upper - value <= tolerance:
            break
        known = np.flatnonzero((corners == best).all(axis=1))
        if not known.size:
            corners, weights = np.vstack([corners, best]), np.append(weights, 0.0)
        for _ in range(20 + 2 * len(weights)):
            inner = corners @ gradient
            into = int(inner.argmax())
            out = int(np.where(weights > 0, inner, np.inf).argmin())
            if inner[into] - inner @ weights <= 0.1 * max(gap, tolerance):
                break
            length = _line(function, weights @ corners, corners[into] - corners[out], weights[out])
            if length <= 0:
                break
            weights[into] += length
            weights[out] = 0.0 if length >= weights[out] else weights[out] - length
            value, gradient = function(weights @ corners)
        kept = weights > 0
        corners, weights = corners[kept], weights[kept] / weights[kept].sum()
        value, gradient = function(weights @ corners)
    return Solution(value, max(upper, value), corners, weights)


def _line(function: Function, point: Floats, direction: Floats, longest: float) -> float:
    """The step in [0, longest] at which the slope along the direction vanishes, by bisection."""
    if function(point + longest * direction)[1] @ direction >= 0:
        return longest
    low, high = 0.0, longest
    for _ in range(50):
        middle = 0.5 * (low + high)
        if function(point + middle * direction)[1] @ direction >= 0:
            low = middle
        else:
            high = middle
    return low


def solve_counts(form: Form, *, tolerance: float = 1e-6) -> Solution:
    """Best counts where the order does not matter; corners spend the whole budget on one task, or nothing."""
    ends = np.vstack([np.diag(form.budget / form.costs), np.zeros(form.n_tasks)])

    def corner(gradient: Floats) -> Floats:
        return ends[int((ends @ gradient).argmax())]

    return frank_wolfe(form.of_counts, corner, corner(form.of_counts(np.zeros(form.n_tasks))[1]), tolerance=tolerance)


@dataclass(slots=True)
class Ordered:
    """Best order where experience at the end is linear in the choices: a point is (experience, counts)."""

    form: Form
    rates: Floats  # (n_steps, n_tasks, n_dims): experience at the end by drawing a task at a step

    @classmethod
    def of(cls, form: Form) -> Ordered:
        """Write out what every choice adds."""
        rates = form.every_worth[:, :, None] * form.columns[None, :, :] * form.every_retention[:, None, :]
        return cls(form, rates)

    @property
    def n_dims(self) -> int:
        """Dimensions of the experience."""
        return self.rates.shape[2]

    def function(self, point: Floats) -> tuple[float, Floats]:
        """The objective at a point."""
        experience, counts = point[None, : self.n_dims], point[None, self.n_dims :]
        value, by_experience, by_counts = self.form.outcome(experience, counts)
        return float(value[0]), np.concatenate([by_experience[0], by_counts[0]])

    def best(self, gradient: Floats) -> Ints:
        """The schedule with the largest inner product with a gradient, shape (n_steps,)."""
        worth = self.rates @ gradient[: self.n_dims] + gradient[self.n_dims :]
        return worth.argmax(axis=1)

    def point(self, schedule: Ints) -> Floats:
        """Where a schedule leads."""
        steps = np.arange(len(schedule))
        counts = np.bincount(schedule, minlength=self.form.n_tasks).astype(np.float64)
        return np.concatenate([self.rates[steps, schedule].sum(axis=0), counts])

    def solve(self, *, tolerance: float = 1e-5) -> tuple[Solution, Floats]:
        """The best point, and the share of each task at each step that leads to it, (n_steps, n_tasks)."""
        schedules: dict[bytes, Ints] = {}

        def corner(gradient: Floats) -> Floats:
            schedule = self.best(gradient)
            point = self.point(schedule)
            schedules[point.tobytes()] = schedule
            return point

        n_tasks = self.form.n_tasks
        start = corner(self.function(np.zeros(self.n_dims + n_tasks))[1])
        solution = frank_wolfe(self.function, corner, start, tolerance=tolerance)
        shares = np.zeros((len(self.rates), n_tasks))
        steps = np.arange(len(self.rates))
        for point, weight in zip(solution.corners, solution.weights, strict=True):
            shares[steps, schedules[point.tobytes()]] += weight
        return solution, shares

    def polish(self, schedule: Ints, *, sweeps: int = 5) -> Ints:
        """Change one step after the other to the task that is best given all others, until nothing gains."""
        schedule, point = schedule.copy(), self.point(schedule)
        n_dims, eye = self.n_dims, np.eye(self.form.n_tasks)
        for _ in range(sweeps):
            changed = False
            for step, task in enumerate(schedule):
                experience = point[:n_dims] + self.rates[step] - self.rates[step, task]
                counts = point[n_dims:] + eye - eye[task]
                values = self.form.outcome(experience, counts)[0]
                best = int(values.argmax())
                if values[best] > values[task] + 1e-15:
                    schedule[step] = best
                    point = np.concatenate([experience[best], counts[best]])
                    changed = True
            if not changed:
                break
        return schedule


def greedy_separable(gains: Floats, n_steps: int) -> Ints:
    """How often to draw each task where each has its own falling gains: the `n_steps` largest of all.

    Exact for unit costs, since with concave curves the k-th gain of a task never comes before its (k-1)-th.

    Args:
        gains: of the k-th draw of each task, falling along the rows, shape (n_tasks, n_steps).
        n_steps: draws in all.
    """
    order = np.argsort(-gains, axis=None, kind="stable")[:n_steps]
    return np.bincount(order // gains.shape[1], minlength=gains.shape[0]).astype(np.int64)


def round_counts(form: Form, counts: Floats) -> Ints:
    """Whole counts near the given ones that spend the budget: round down, then add the best step per cost."""
    whole = np.floor(counts + 1e-9)
    while True:
        left = form.budget - whole @ form.costs
        fits = np.flatnonzero(form.costs <= left + 1e-9)
        if not fits.size:
            return whole.astype(np.int64)
        now = form.of_counts(whole)[0]
        gains = [(form.of_counts(whole + _unit(int(task), len(whole)))[0] - now) / form.costs[task] for task in fits]
        whole[fits[int(np.argmax(gains))]] += 1.0


def interleaved(counts: Sequence[int] | Ints) -> Ints:
    """A schedule with the given counts in which every task is spread evenly."""
    times = np.concatenate([(np.arange(count) + 0.5) / count for count in counts if count] or [np.zeros(0)])
    tasks = np.repeat(np.arange(len(counts)), counts)
    return tasks[np.argsort(times, kind="stable")]


def _unit(task: int, n_tasks: int) -> Floats:
    unit = np.zeros(n_tasks)
    unit[task] = 1.0
    return unit
