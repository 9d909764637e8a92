"""The plan that is printed before anything is spent: shares, repetitions, and what happens when data runs out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ._check import check_number
from .records import Context, Floats
from .selector import Selector

_POINTS = 200
"""Moments of the run at which the policy is asked; between them its shares are taken as constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """What a task can expect.

    Attributes:
        name: of the task.
        share: fraction of the decisions, in [0, 1].
        decisions: expected number.
        examples: expected number consumed.
        epochs: expected passes over its data; NaN where its size is not known.
        note: what a user should know, or nothing.
    """

    name: str
    share: float
    decisions: float
    examples: float
    epochs: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do, as far as it can be known before it starts.

    Attributes:
        tasks: one entry each.
        decisions: expected number in all.
        evaluation_cost: budget that the evaluations will use.
        reference_cost: budget on which a reference model will be trained first; 0 for none.
        adapts: whether the policy changes its shares with what it learns, so that the shares are only its start.
    """

    tasks: tuple[PlannedTask, ...]
    decisions: float
    evaluation_cost: float
    reference_cost: float
    adapts: bool


def make_plan(
    selector: Selector,
    *,
    batch_sizes: Mapping[str, float],
    costs: Mapping[str, float],
    evaluation_cost: float = 0.0,
    evaluate_every: float | None = None,
    reference_cost: float = 0.0,
    exhaustible: bool = False,
) -> Plan:
    """Follow a selector's policy through its budget without feedback, in expectation; nothing is drawn or changed.

    Args:
        selector: before its first decision.
        batch_sizes: examples in a batch of each task, above 0.
        costs: of one batch of each task, in the unit of the budget, above 0.
        evaluation_cost: of one evaluation of all tasks, in the unit of the budget.
        evaluate_every: budget spent on training between two evaluations; None for none.
        reference_cost: budget on which a reference model will be trained first.
        exhaustible: whether a task is drawn no more once its data were seen once (`renormalize`).

    Raises:
        ValueError: a number is out of range, or the budget does not suffice for one evaluation.
    """
    names = selector.names
    for name in names:
        check_number(f"batch size of task {name!r}", batch_sizes[name], low=0.0, low_open=True)
        check_number(f"cost of task {name!r}", costs[name], low=0.0, low_open=True)
    check_number("evaluation_cost", evaluation_cost, low=0.0)
    budget = selector.budget.amount
    if evaluate_every is not None:
        check_number("evaluate_every", evaluate_every, low=0.0, low_open=True)
        if evaluation_cost >= budget:
            raise ValueError(
                f"one evaluation costs {evaluation_cost:g} {selector.budget.unit}, the whole budget is {budget:g}: "
                f"raise the budget, or evaluate on fewer examples."
            )
    check_number("reference_cost", reference_cost, low=0.0)
    left = budget - reference_cost
    charged = 0.0
    if evaluate_every is not None and evaluation_cost < left:  # the first comes before the first batch
        charged = evaluation_cost * math.ceil((left - evaluation_cost) / (evaluate_every + evaluation_cost))
    batch = np.array([batch_sizes[name] for name in names])
    cost = np.array([costs[name] for name in names])
    sizes = np.array([np.nan if task.size is None else float(task.size) for task in selector.tasks])
    counts = _expected_counts(selector, batch, cost, left - charged, sizes if exhaustible else None)
    total = max(float(counts.sum()), 1e-300)
    adapts = bool(selector.policy.requires)
    tasks = tuple(
        PlannedTask(
            name=name,
            share=float(counts[index] / total),
            decisions=float(counts[index]),
            examples=float(counts[index] * batch[index]),
            epochs=float(counts[index] * batch[index] / sizes[index]),
            note=_note(float(counts[index]), float(counts[index] * batch[index] / sizes[index])),
        )
        for index, name in enumerate(names)
    )
    return Plan(
        tasks=tasks,
        decisions=float(counts.sum()),
        evaluation_cost=float(charged),
        reference_cost=reference_cost,
        adapts=adapts,
    )


def _expected_counts(selector: Selector, batch: Floats, cost: Floats, budget: float, sizes: Floats | None) -> Floats:
    n_tasks = len(selector.names)
    expected: Floats = np.zeros(n_tasks)
    limits = selector.constraints.epochs(selector.tasks)
    own = np.array([np.inf if task.size is None else float(task.size) for task in selector.tasks])
    most = limits * own if sizes is None else np.minimum(limits * own, np.where(np.isnan(sizes), np.inf, sizes))
    piece = budget / _POINTS
    for _ in range(_POINTS):
        available = (expected + 0.5) * batch <= np.maximum(most, batch / 2)
        available &= selector.allowed
        if not available.any():
            break
        context = Context(
            step=int(expected.sum()),
            spent=np.array([float((expected * cost).sum())]),
            budget=selector.budget.amount,
            counts=np.floor(expected)[None, :].astype(np.int64),
            examples=(expected * batch)[None, :],
            costs=(expected * cost)[None, :],
            available=available[None, :],
        )
        shares = selector.shares(context)
        expected += shares * piece / float((shares * cost).sum())
    return expected


def _note(decisions: float, epochs: float) -> str:
    if decisions == 0:
        return "never drawn"
    if decisions < 1:
        return f"only {decisions:.2g} draws expected: it may never be drawn; set a floor"
    return f"its data repeat {epochs:.1f} times" if epochs > 1 else ""
