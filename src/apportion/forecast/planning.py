"""The plan for the rest of a run, from its posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._check import check_number
from ..constraints import Constraints
from ..records import Bools, Floats
from ._planning import Limits, cut, find_plan, toll
from .doubts import doubts
from .objective import MeanScore, Objective
from .posterior import Forecast, Interval, Posterior, Spending


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A recommended spending of the rest.

    Attributes:
        pieces: part of the rest's budget in each piece of time, (n_runs, n_segments).
        shares: recommended shares of the budget in each piece, (n_runs, n_segments, n_tasks).
        overall: recommended shares of the whole rest, (n_runs, n_tasks).
        confidence: how far the recommendation goes from the safe shares (0) towards the best expected ones (1),
            (n_runs,).
        gain: of the objective over the safe shares, (n_runs,).
        forecast: of the scores if the whole rest is spent by `overall`.
        droppable: tasks without which the plan's mean objective loses at most `tolerance`, in the draws in which they
            are not `waiting`, (n_runs, n_tasks).
        waiting: probability that batches of a task have taught nothing so far and will later on, (n_runs, n_tasks).
        warnings: what the reader must know: a bad fit, tasks of which nothing is known, or that nothing can be gained.
    """

    pieces: Floats
    shares: Floats
    overall: Floats
    confidence: Floats
    gain: Interval
    forecast: Forecast
    droppable: Bools
    waiting: Floats
    warnings: tuple[str, ...]


def make_plan(
    posterior: Posterior,
    *,
    budget: float | None = None,
    objective: Objective | None = None,
    constraints: Constraints | None = None,
    safe: Spending = None,
    caution: float = 0.5,
    tether: float = 1.5,
    confidence: float = 0.9,
    tolerance: float = 0.001,
) -> Plan:
    """Plan the rest of the budget: as far from the safe shares as the posterior is sure of gaining.

    Args:
        posterior: from `fit`.
        budget: what is left to spend on steps; None for what the history leaves.
        objective: the mean score unless given.
        constraints: on the shares of steps.
        safe: shares to start from, see `Posterior.forecast`; None for equal steps.
        caution: standard deviations of the gain that are held against the plan, not negative.
        tether: what is held against a plan for each nat of its divergence from the safe shares when the whole budget is
            left, in standard deviations of the noise of the objective, on a mean over a tenth of the evaluations so
            far, not negative.
        confidence: of the intervals.
        tolerance: loss of the objective at which a task still counts as droppable, not negative.

    Raises:
        ValueError: a number is out of range, the constraints clash, or nothing is left to spend.
    """
    check_number("caution", caution, low=0.0)
    check_number("tether", tether, low=0.0)
    check_number("tolerance", tolerance, low=0.0)
    history, goal = posterior.history, objective or MeanScore()
    if budget is not None:
        check_number("budget", budget, low=0.0, low_open=True)
    left = history.remaining if budget is None else np.full(history.n_runs, float(budget))
    if (left <= 0).any():
        raise ValueError(
            f"nothing is left to plan: {history.spent[:, -1].max():g} of the budget of {history.budget:g} are spent; "
            "say how much more there is with `budget`."
        )
    lower, upper = (constraints or Constraints()).bounds(history.tasks)
    pieces = cut(left / history.budget)
    outlook = posterior.outlook(pieces)
    trouble = np.sqrt(np.maximum(np.nan_to_num(posterior.misfit, nan=1.0), 1.0))
    # Where nothing is known of any task there is nothing to plan on.
    trouble = np.where(posterior.known.any(axis=1), trouble, _NEVER)
    limits = Limits(lower, upper)
    begun = posterior.shares(safe, pieces.shape[1])
    found = find_plan(
        outlook,
        history.tasks,
        goal,
        begun,
        history.costs,
        limits=limits,
        caution=caution * trouble,
        toll=toll(
            tether,
            outlook,
            history.tasks,
            goal,
            begun,
            noise=posterior.noise,
            left=left / history.budget,
            evaluations=history.scores.shape[1] - posterior.begun,
            earlier=posterior.earlier,
        ),
        iterations=60,
    )
    ends = _ends(found.gains, confidence)
    parts = pieces / pieces.sum(axis=1, keepdims=True)
    final = goal.value(outlook.scores(found.shares), history.tasks)
    waiting = posterior.waiting
    droppable = np.zeros((history.n_runs, history.n_tasks), dtype=np.bool_)
    for task in range(history.n_tasks if history.n_tasks > 1 else 0):
        without = found.shares.copy()
        without[:, :, task] = 1e-9
        without /= without.sum(axis=2, keepdims=True)
        loss = final - goal.value(outlook.scores(without), history.tasks)
        begun = ~waiting[:, :, task]
        mean = (loss * begun).sum(axis=1) / np.maximum(begun.sum(axis=1), 1)
        is_known = posterior.known[:, task] & begun.any(axis=1)
        droppable[:, task] = (mean <= tolerance) & is_known & (lower[task] == 0)
    return Plan(
        pieces=parts,
        shares=found.shares,
        overall=(parts[:, :, None] * found.shares).sum(axis=1),
        confidence=found.confidence,
        gain=ends,
        forecast=posterior.forecast(
            (parts[:, :, None] * found.shares).sum(axis=1)[:, None],
            budget=None if budget is None else float(budget),
            objective=goal,
            confidence=confidence,
        ),
        droppable=droppable,
        waiting=waiting.mean(axis=1),
        warnings=_warnings(posterior, found.confidence),
    )


_NEVER = 1e12
"""Standard deviations of a gain that no plan has."""


def _ends(gains: Floats, confidence: float) -> Interval:
    lower, upper = np.quantile(gains, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0], axis=1)
    return Interval(np.clip(gains.mean(axis=1), lower, upper), lower, upper)


def _warnings(posterior: Posterior, confidence: Floats) -> tuple[str, ...]:
    found = list(doubts(posterior))
    if (confidence == 0).all():
        found.append("No spending is surely better than the safe shares, which are recommended.")
    return tuple(found)
