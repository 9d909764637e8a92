"""Everything that a run's posterior says about the rest of its budget, gathered for people, files and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._check import check_names
from ..constraints import Constraints
from ..records import Floats
from .objective import MeanScore, Objective
from .planning import Plan, make_plan
from .posterior import Forecast, Interval, Posterior

_POINTS = (0.25, 0.5, 0.75, 1.0)
"""Parts of the rest at which scores are forecast for a figure."""

_LIKELY = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How much budget reaches a target under the recommended shares.

    Attributes:
        task: its name.
        score: what is wanted.
        even: budget at which it is as likely as not to be reached; inf where a hundred budgets do not suffice.
        likely: budget at which nine of ten draws from the posterior reach it; inf likewise.
    """

    task: str
    score: float
    even: float
    likely: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do with the rest of one run's budget (estimand `run`); arrays have the shape (n_tasks,).

    Attributes:
        posterior: what it rests on.
        left: budget left to spend.
        plan: the recommendation.
        now: scores as the model sees them now, NaN where nothing is known.
        alike: forecast if the rest is spent on equal numbers of batches.
        asked: forecast of the spending that was asked about; None without one.
        marginal: gain of the objective per unit of budget if the next hundredth of the budget goes to one task alone.
        transfer: what a batch of task j teaches task i, in batches of its own, (n_tasks i, n_tasks j).
        targets: budgets to reach targets.
        path: forecasts of the recommended spending after parts of the rest, as (spent, scores).
    """

    posterior: Posterior
    left: float
    plan: Plan
    now: Floats
    alike: Forecast
    asked: Forecast | None
    marginal: Interval
    transfer: Interval
    targets: tuple[Target, ...]
    path: tuple[tuple[float, Interval], ...]

    @property
    def names(self) -> list[str]:
        """The tasks in the order of the columns."""
        return [task.name for task in self.posterior.tasks]

    @property
    def batches(self) -> Floats:
        """Decisions for each task in the recommended spending, (n_tasks,)."""
        return self.left * self.plan.overall[0] / self.posterior.history.costs[0]

    def given(self) -> dict[str, list[dict[str, Any]]]:
        """The lists `forecast`, `transfer`, `worth` and `plan` that a report reads from `plan.json`.

        Tasks of which nothing is known are left out.
        """
        history, names = self.posterior.history, self.names
        known = [name for name, is_known in zip(names, self.posterior.known[0], strict=True) if is_known]
        start = float(history.spent[0, -1])
        rows = [
            {"task": name, **ends, "spent": spent, "made_at": start}
            for spent, scores in self.path
            for name, ends in _by_name(scores, names, "score").items()
            if name in known
        ]
        transfer = [
            {"task": name, "source": source, **_ends(self.transfer, (row, column), "value")}
            for row, name in enumerate(names)
            for column, source in enumerate(names)
            if name in known and row != column
        ]
        worth = [
            {"task": name, **ends} for name, ends in _by_name(self.marginal, names, "value").items() if name in known
        ]
        shares, batches = self.plan.overall[0], self.batches
        plan = [
            {"task": name, "share": float(shares[index]), "decisions": round(float(batches[index]))}
            for index, name in enumerate(names)
        ]
        return {"forecast": rows, "transfer": transfer, "worth": worth, "plan": plan}


def advise(
    posterior: Posterior,
    *,
    budget: float | None = None,
    objective: Objective | None = None,
    constraints: Constraints | None = None,
    asked: Mapping[str, float] | None = None,
    targets: Mapping[str, float] | None = None,
    confidence: float = 0.9,
) -> Advice:
    """Say everything about the rest of a single run's budget.

    Args:
        posterior: of a history of one run.
        budget: what is left to spend on steps; None for what the history leaves.
        objective: the mean score unless given.
        constraints: on the shares of steps.
        asked: shares of the rest to ask "what if" about, by name.
        targets: wanted score by task name.
        confidence: of the intervals.

    Raises:
        ValueError: a name is unknown, a number is out of range, or nothing is left to spend.
    """
    goal, history = objective or MeanScore(), posterior.history
    names = [task.name for task in posterior.tasks]
    check_names("targets", list(targets or ()), names)
    for name, score in (targets or {}).items():
        limit = float(history.upper[names.index(name)])
        if score > limit:
            raise ValueError(
                f"the target of {name!r} must be at most {limit:g}, its largest possible score, got {score:g}."
            )
    plan = make_plan(posterior, budget=budget, objective=goal, constraints=constraints, confidence=confidence)
    left = float(history.remaining[0]) if budget is None else float(budget)
    shares, start = plan.overall[0], float(history.spent[0, -1])

    def said(spending: Mapping[str, float] | Floats | None, amount: float) -> Forecast:
        return posterior.forecast(spending, budget=amount, objective=goal, confidence=confidence)

    return Advice(
        posterior=posterior,
        left=left,
        plan=plan,
        now=said(None, 0.0).scores.value[0],
        alike=said(None, left),
        asked=None if asked is None else said(asked, left),
        marginal=_first(posterior.marginal(objective=goal, confidence=confidence)),
        transfer=_first(posterior.transfer(confidence=confidence)),
        targets=tuple(
            Target(
                task=name,
                score=float(score),
                even=float(posterior.budget_for({name: score}, shares)[0]),
                likely=float(posterior.budget_for({name: score}, shares, probability=_LIKELY)[0]),
            )
            for name, score in (targets or {}).items()
        ),
        path=tuple((start + part * left, _first(said(shares, part * left).scores)) for part in _POINTS),
    )


def _first(found: Interval) -> Interval:
    return Interval(found.value[0], found.lower[0], found.upper[0])


def _by_name(found: Interval, names: list[str], key: str) -> dict[str, dict[str, float]]:
    return {name: _ends(found, (index,), key) for index, name in enumerate(names)}


def _ends(found: Interval, index: tuple[int, ...], key: str) -> dict[str, float]:
    ends = {key: found.value[index], "lower": found.lower[index], "upper": found.upper[index]}
    return {name: float(value) for name, value in ends.items() if np.isfinite(value)}
