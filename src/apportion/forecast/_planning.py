"""From an outlook to shares: the best spending, and how far towards it the posterior is sure of gaining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..constraints import project
from ..records import Bools, Floats, Ints, Task
from ._outlook import Outlook
from ._search import best_shares, hand_out
from .objective import Objective

_LATE = np.array([0.2, 0.1, 0.06, 0.04])
"""Pieces at the end, as fractions of the whole budget: where forgetting and recent shares matter."""

_MOST = 0.75  # of the rest that they take at most

SEGMENTS = len(_LATE) + 1
"""Pieces with constant shares that the rest of the budget is cut into."""

_PARTS = (0.25, 0.5, 0.75, 1.0)
_CHUNKS, _PART = 8, 0.05
_LOOKS = 10.0  # evaluations at which a tether counts as it is given; an earlier run counts for as many
_LEAST = 1e-3  # an exponentiated gradient cannot leave a share of zero


def cut(left: Floats) -> Floats:
    """Pieces of what is left of the budget, shorter towards its end, as fractions of the whole, (n_runs, SEGMENTS).

    >>> cut(np.array([1.0, 0.1])).round(3)
    array([[0.6  , 0.2  , 0.1  , 0.06 , 0.04 ],
           [0.025, 0.038, 0.019, 0.011, 0.008]])
    """
    late = np.minimum(1.0, _MOST * left / _LATE.sum())[:, None] * _LATE
    return np.concatenate((left[:, None] - late.sum(axis=1, keepdims=True), late), axis=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the shares of steps, as `Constraints.bounds` gives them, (n_tasks,)."""

    lower: Floats
    upper: Floats

    def clip(self, shares: Floats, costs: Floats) -> Floats:
        """Make shares of the budget (n_runs, n_segments, n_tasks) feasible as shares of steps, and none of them 0."""
        n_tasks = shares.shape[2]
        found = (1.0 - _LEAST) * shares + _LEAST / n_tasks
        if not ((self.lower > 0).any() or (self.upper < 1).any()):
            return found
        steps = found / costs[:, None]
        flat = (steps / steps.sum(axis=2, keepdims=True)).reshape(-1, n_tasks)
        able: Bools = np.broadcast_to(self.upper > 0, flat.shape)
        flat = project(np.where(able, flat, 0.0), self.lower, self.upper, able)
        back = flat.reshape(shares.shape) * costs[:, None]
        return back / back.sum(axis=2, keepdims=True)


@dataclass(slots=True)
class Found:
    """A planned spending of the rest.

    Attributes:
        best: shares of the budget that promise most on average, (n_runs, n_segments, n_tasks).
        shares: what is recommended, between the safe shares and the best ones, shaped alike.
        confidence: how far from the safe shares (0) to the best (1), (n_runs,).
        gains: what the recommended shares gain over the safe ones, by member, (n_runs, n_members).
    """

    best: Floats
    shares: Floats
    confidence: Floats
    gains: Floats


def find_plan(
    outlook: Outlook,
    tasks: Sequence[Task],
    objective: Objective,
    safe: Floats,
    costs: Floats,
    *,
    limits: Limits,
    caution: Floats,
    toll: Floats | float = 0.0,
    members: Ints | None = None,
    iterations: int = 16,
) -> Found:
    """Search the best spending and go towards it as far as the lower bound of the gain still rises.

    The bound is mean - caution * standard deviation of the gain over the members; where no part of the way has one
    above 0, the safe shares stay.

    Args:
        outlook: on the rest of the budget.
        tasks: in the order of the columns.
        objective: what to make large.
        safe: shares of the budget to start from, (n_runs, n_segments, n_tasks).
        costs: of a batch, (n_runs, n_tasks).
        limits: bounds on the shares.
        caution: see above, (n_runs,).
        toll: objective that is held against shares for each nat of their divergence from the safe ones, (n_runs,): no
            model is right far from what was tried.
        members: the best spending is sought for these only; None for all.
        iterations: of the climb after the greedy start.
    """
    view = outlook if members is None else outlook.pick(members)

    price = np.broadcast_to(np.asarray(toll, dtype=np.float64), (len(safe),))

    def away(shares: Floats) -> Floats:
        return price * (shares * np.log(shares / safe)).sum(axis=2).mean(axis=1)

    def value(shares: Floats) -> Floats:
        return objective.value(view.scores(shares), tasks).mean(axis=1) - away(shares)

    def gradient(shares: Floats) -> Floats:
        slope = view.gradient(shares, objective.gradient(view.scores(shares), tasks))
        return slope - price[:, None, None] * (np.log(shares / safe) + 1.0) / shares.shape[1]

    def clip(shares: Floats) -> Floats:
        return limits.clip(shares, costs)

    safe = clip(safe)
    best = best_shares(value, gradient, safe, clip=clip, iterations=iterations)
    base = objective.value(outlook.scores(safe), tasks)
    bound, part = np.zeros(len(safe)), np.zeros(len(safe))
    gains = np.zeros_like(base)
    for tried in _PARTS:
        shares = (1.0 - tried) * safe + tried * best
        gain = objective.value(outlook.scores(shares), tasks) - base
        low = gain.mean(axis=1) - caution * gain.std(axis=1) - away(shares)
        better = low > bound
        bound, part = np.where(better, low, bound), np.where(better, tried, part)
        gains = np.where(better[:, None], gain, gains)
    shares = safe + part[:, None, None] * (best - safe)
    return Found(best, shares, part, gains)


def toll(
    tether: float,
    outlook: Outlook,
    tasks: Sequence[Task],
    objective: Objective,
    safe: Floats,
    *,
    noise: Floats,
    left: Floats,
    evaluations: Ints,
    earlier: int,
) -> Floats:
    """What is held against a nat of divergence from the safe shares, in units of the objective, (n_runs,).

    What noise hides cannot be planned on, and it hides less the more evaluations there are:
    tether * sqrt(sum_i (g_i noise_i)^2) * part of the budget that is left * sqrt(10 / (evaluations + 10 earlier)), with
    g the objective's gradient at the safe shares, so that the mean of many tasks is less noisy than a single target.

    Args:
        tether: standard deviations, not negative.
        outlook: on the rest of the budget.
        tasks: in the order of the columns.
        objective: what is to be made large.
        safe: shares of the budget, (n_runs, n_segments, n_tasks).
        noise: standard deviation of a score, (n_runs, n_tasks).
        left: of the budget, as a fraction of the whole, (n_runs,).
        evaluations: since the curves began, whether or not they measured scores, as training batches tell between them,
            (n_runs,).
        earlier: runs that taught the prior; what they measured was under the same noise.
    """
    weight = np.abs(objective.gradient(outlook.scores(safe), tasks)).mean(axis=1)
    noise = np.sqrt(((weight * noise) ** 2).sum(axis=1))
    return tether * noise * np.minimum(left, 1.0) * np.sqrt(_LOOKS / np.maximum(evaluations + _LOOKS * earlier, 1))


def worth_of_knowing(
    outlook: Outlook, tasks: Sequence[Task], objective: Objective, shares: Floats, noise: Floats
) -> Floats:
    """What another score of each task is worth, as a fraction of the rest of the budget, (n_runs, n_tasks).

    At stake in task i is by how much the objective would move, through this task, if every draw from the posterior
    were known to be true and planned for: mean over draws of |g_i (score_i(best for the draw) - score_i(shares))|, g
    the objective's gradient. A score tells the part s^2 / (s^2 + noise^2) of it, with s the standard deviation of the
    draws' scores now. It is compared with what the last twentieth of the rest brings.

    Args:
        outlook: on the rest of the budget.
        tasks: in the order of the columns.
        objective: what is to be made large.
        shares: that are planned, (n_runs, n_segments, n_tasks).
        noise: standard deviation of a score, (n_runs, n_tasks).
    """
    scores = outlook.scores(shares)
    weight = np.abs(objective.gradient(scores, tasks))
    single = outlook.single()

    def gradient(tried: Floats) -> Floats:
        return single.gradient(tried, objective.gradient(single.scores(tried), tasks))

    best = hand_out(gradient, (scores.shape[0] * scores.shape[1], *shares.shape[1:]), chunks=_CHUNKS)
    stake = (weight * np.abs(single.scores(best).reshape(scores.shape) - scores)).mean(axis=1)
    now = outlook.scores(np.full_like(shares, 1e-9)).var(axis=1)
    told = now / (now + noise**2 + 1e-30)
    value = objective.value(scores, tasks).mean(axis=1)
    less = objective.value(outlook.scores((1.0 - _PART) * shares), tasks).mean(axis=1)
    pace = np.maximum(value - less, 0.0) / _PART
    return stake * told / np.maximum(pace, 1e-12)[:, None]
