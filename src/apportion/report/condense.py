"""A whole log in a few small arrays: what tables need of it, and all that is kept of it in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..log import Log
from ..records import HEARD, Floats, Ints

N_BINS = 30
"""Equal parts of the budget into which decisions are gathered."""

QUANTILES = (0.1, 0.5, 0.9)
"""Of rewards and propensities in a part of the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condensed:
    """One log, gathered over equal parts of its budget.

    Attributes:
        budget: at which the last part ends, in the unit of the budget.
        spent: budget used in all, evaluations included.
        evaluation_cost: budget used by evaluations.
        counts: decisions for each task, shape (n_tasks,).
        examples: training examples of each task, shape (n_tasks,).
        costs: budget spent on each task, shape (n_tasks,).
        asked: share of the budget that the logged probabilities asked for, rows sum to 1, NaN where a part has no
            decision, shape (n_bins, n_tasks).
        realised: share of the budget that the decisions took, likewise.
        weight: budget that the decisions of each part took, shape (n_bins,).
        reward: quantiles `QUANTILES` of the rewards, NaN where there are none, shape (n_bins, n_tasks, 3).
        rewarded: number of rewards, shape (n_bins, n_tasks).
        told: sums of what the batches of each task told before their updates, by name (`success`, `loss`), each of
            shape (n_bins, n_tasks).
        told_by: number of batches that told it, likewise.
        propensity: smallest propensity and the quantiles `QUANTILES`, NaN where a part has no decision, shape
            (n_bins, 4).
        inverse: sum of 1/propensity over the decisions of each task, shape (n_tasks,).
        inverse_squared: sum of 1/propensity^2, shape (n_tasks,).
        inverse_largest: largest 1/propensity, 0 where a task was never drawn, shape (n_tasks,).
        evaluated_at: budget spent at each evaluation, shape (n_evaluations,).
        scores: held-out scores, NaN where undefined, shape (n_evaluations, n_tasks).
    """

    budget: float
    spent: float
    evaluation_cost: float
    counts: Ints
    examples: Floats
    costs: Floats
    asked: Floats
    realised: Floats
    weight: Floats
    reward: Floats
    rewarded: Ints
    told: dict[str, Floats]
    told_by: dict[str, Floats]
    propensity: Floats
    inverse: Floats
    inverse_squared: Floats
    inverse_largest: Floats
    evaluated_at: Floats
    scores: Floats

    @property
    def n_decisions(self) -> int:
        """Number of decisions."""
        return int(self.counts.sum())

    @property
    def edges(self) -> Floats:
        """Ends of the parts of the budget, from 0, shape (n_bins + 1,)."""
        return np.linspace(0.0, self.budget, self.asked.shape[0] + 1)


def condense(log: Log, *, n_bins: int = N_BINS) -> Condensed:
    """Gather a log over equal parts of its budget.

    A decision belongs to the part of the budget in which the middle of its cost falls; the cost of evaluations moves
    what comes after them. Shares are fractions of the budget: probabilities are weighted with the mean cost of a
    decision of each task in this log (of all decisions, for a task never drawn). Where nothing cost anything, every
    decision counts 1.

    Args:
        log: as read by `read_log`.
        n_bins: number of parts, at least 1.

    Returns:
        The arrays described in `Condensed`.
    """
    data = log.logged
    n_rounds, n_tasks = data.n_rounds, len(data.tasks)
    cost = data.cost if data.cost.sum() > 0 else np.ones(n_rounds)
    evaluation_steps = np.array([item.step for item in log.evaluations], dtype=np.int64)
    evaluation_costs = np.array([item.cost for item in log.evaluations], dtype=np.float64)
    order = np.argsort(evaluation_steps, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(evaluation_costs[order])])
    charged = before[np.searchsorted(evaluation_steps[order], data.step, side="right")]
    ends = np.cumsum(cost) + charged
    spent = float(max(ends[-1] if n_rounds else 0.0, *(item.spent for item in log.evaluations), 0.0))
    budget = float(log.header["budget"]["amount"])
    place = np.clip((ends - cost / 2) / budget * n_bins, 0, n_bins - 1).astype(np.int64)
    cell = place * n_tasks + data.chosen

    counts = np.bincount(data.chosen, minlength=n_tasks)
    costs = _sums(data.chosen, cost, n_tasks)
    propensity = data.propensity
    inverse = 1.0 / propensity
    largest = np.zeros(n_tasks)
    np.maximum.at(largest, data.chosen, inverse)
    weight = _sums(place, cost, n_bins)
    heard = {name: log.measured[name] for name in HEARD if name in log.measured}
    known = {name: np.isfinite(values) for name, values in heard.items()}
    return Condensed(
        budget=budget,
        spent=spent,
        evaluation_cost=float(evaluation_costs.sum()),
        counts=counts,
        examples=_sums(data.chosen, log.examples, n_tasks),
        costs=costs,
        asked=_asked(data.probabilities, place, n_bins, _mean_cost(counts, costs)),
        realised=_rows(_sums(cell, cost, n_bins * n_tasks), n_bins),
        weight=weight,
        reward=_quantiles(cell, data.reward, n_bins * n_tasks).reshape(n_bins, n_tasks, -1),
        rewarded=np.bincount(cell[np.isfinite(data.reward)], minlength=n_bins * n_tasks).reshape(n_bins, n_tasks),
        told={
            name: _sums(cell[known[name]], values[known[name]], n_bins * n_tasks).reshape(n_bins, n_tasks)
            for name, values in heard.items()
        },
        told_by={
            name: _sums(cell[some], np.ones(int(some.sum())), n_bins * n_tasks).reshape(n_bins, n_tasks)
            for name, some in known.items()
        },
        propensity=_quantiles(place, propensity, n_bins, (0.0, *QUANTILES)),
        inverse=_sums(data.chosen, inverse, n_tasks),
        inverse_squared=_sums(data.chosen, inverse**2, n_tasks),
        inverse_largest=largest,
        evaluated_at=np.array([item.spent for item in log.evaluations], dtype=np.float64),
        scores=np.array([item.scores for item in log.evaluations], dtype=np.float64).reshape(-1, n_tasks),
    )


def _sums(groups: Ints, values: Floats, n_groups: int) -> Floats:
    return np.bincount(groups, weights=values, minlength=n_groups).astype(np.float64)


def _mean_cost(counts: Ints, costs: Floats) -> Floats:
    overall = costs.sum() / max(int(counts.sum()), 1)
    return np.where((counts > 0) & (costs > 0), costs / np.maximum(counts, 1), overall)


def _asked(probabilities: Floats, place: Ints, n_bins: int, cost: Floats) -> Floats:
    sums = np.zeros((n_bins, probabilities.shape[1]))
    if place.size:
        # Decisions stand in the order of their budget, so that each part is one stretch of them.
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        sums[place[starts]] = np.add.reduceat(probabilities, starts, axis=0)
    return _rows((sums * cost).ravel(), n_bins)


def _rows(values: Floats, n_bins: int) -> Floats:
    """Divide each row by its sum; NaN where that is 0."""
    table = values.reshape(n_bins, -1)
    total = table.sum(axis=1, keepdims=True)
    return np.divide(table, total, out=np.full_like(table, np.nan), where=total > 0)


def _quantiles(groups: Ints, values: Floats, n_groups: int, levels: tuple[float, ...] = QUANTILES) -> Floats:
    """Quantiles of the finite values of each group, by linear interpolation as numpy does, NaN for empty groups."""
    known = np.isfinite(values)
    groups, values = groups[known], values[known]
    values = values[np.lexsort((values, groups))]
    sizes = np.bincount(groups, minlength=n_groups)
    first = np.cumsum(sizes) - sizes
    found = np.full((n_groups, len(levels)), np.nan)
    full = sizes > 0
    for column, level in enumerate(levels):
        at = level * (sizes[full] - 1)
        low = first[full] + np.floor(at).astype(np.int64)
        high = np.minimum(low + 1, first[full] + sizes[full] - 1)
        part = at - np.floor(at)
        found[full, column] = values[low] * (1 - part) + values[high] * part
    return found
