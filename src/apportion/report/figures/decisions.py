"""Figures of how decisions were made: budget to reach a level, rewards, propensities, effective sample sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..settings import Setting
from ..tables import EffectiveSize, Propensity, Reach, Reward
from .style import (
    MOST_COLOURS,
    MOST_TALL_ROWS,
    PALETTE,
    altair,
    budget_axis,
    columns_for,
    data,
    finish,
    highlight,
    highlighted,
    names_axis,
    names_legend,
    policy_colour,
    records,
    seeds_words,
    shown_names,
)

_MOST_TARGETS = 14


def reach(rows: Sequence[Reach], setting: Setting) -> Any:
    """Budget that each policy needs to reach a level of the objective, median over seeds."""
    alt = altair()
    x = alt.X(
        "level:Q", title="objective to reach", scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(tickCount=8)
    )
    y = alt.Y("budget:Q", title=f"budget needed ({setting.unit})", scale=alt.Scale(domain=[0, setting.budget]))
    tip = ["policy:N", "level:Q", "budget:Q", "reached:Q", "n:Q"]
    base = alt.Chart(data(records(rows, setting))).transform_filter("isValid(datum.budget)").encode(x=x, y=y)
    encoding = policy_colour(setting)
    chart = alt.layer(
        base.mark_line(strokeWidth=2.2).encode(opacity=highlighted(1.0, 0.12), **encoding),
        base.mark_point(filled=True, size=22).encode(
            color=encoding["color"], opacity=highlighted(0.9, 0.05), tooltip=tip
        ),
    )
    return finish(
        chart.add_params(highlight()).properties(width=640, height=300),
        "Budget needed to reach an objective",
        "Lower is better; a line ends where fewer than half of the seeds ever got there",
        f"Median over seeds of the first crossing, straight between evaluations; {seeds_words(setting)}",
        description=f"Line chart of the budget needed to reach each objective for {', '.join(setting.policies)}.",
    )


def rewards(rows: Sequence[Reward], setting: Setting) -> Any:
    """Rewards over the budget, one panel for each policy, a line for each of the tasks that were rewarded most."""
    alt = altair()
    names = shown_names(setting)
    tasks = _most_rewarded(rows, setting)
    shown = records([row for row in rows if row.task in tasks], setting)
    policies = [policy for policy in setting.policies if any(row.policy == policy for row in rows)]
    domain = [names[task] for task in tasks]
    colour = alt.Color(
        "task:N", scale=alt.Scale(domain=domain, range=list(PALETTE[: len(domain)])), legend=names_legend()
    )
    x = budget_axis(setting)
    tip = ["policy:N", "task:N", "spent:Q", "low:Q", "median:Q", "high:Q", "rewards:Q"]
    columns = min(columns_for(len(policies)), 2)
    chart = (
        alt.layer(
            alt.Chart().mark_area(opacity=0.1).encode(x=x, y=alt.Y("low:Q", title="reward"), y2="high:Q", color=colour),
            alt.Chart().mark_line(strokeWidth=1.8).encode(x=x, y="median:Q", color=colour, tooltip=tip),
            data=data(shown),
        )
        .properties(width=640 // columns - 50, height=170)
        .facet(alt.Facet("policy:N", title=None, sort=policies, header=alt.Header(labelLimit=270)), columns=columns)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent")
    )
    left_out = len(setting.tasks) - len(tasks)
    return finish(
        chart,
        "Rewards",
        "Reward per decision, in the unit of each policy's signal: compare tasks, not policies",
        f"Line: median; band: quantiles 0.1 to 0.9, averaged over seeds; {seeds_words(setting)}",
        f"The {len(tasks)} tasks with most rewards; {left_out} more are left out" if left_out else "",
        description=f"Line charts of the rewards of {len(tasks)} tasks over the budget, one panel for each policy.",
    )


def propensities(rows: Sequence[Propensity], setting: Setting) -> Any:
    """Propensities of the decisions over the budget, one panel for each policy."""
    alt = altair()
    x = budget_axis(setting)
    scale = alt.Scale(type="log", domainMax=1.0, nice=False)
    axis = alt.Axis(format="~g", tickCount=4)
    y = alt.Y("low:Q", title="propensity", scale=scale, axis=axis)
    columns = columns_for(len(setting.policies))
    tip = ["policy:N", "spent:Q", "smallest:Q", "low:Q", "median:Q", "high:Q"]
    chart = (
        alt.layer(
            alt.Chart().mark_area(opacity=0.2, color=PALETTE[0]).encode(x=x, y=y, y2="high:Q"),
            alt.Chart().mark_line(strokeWidth=2, color=PALETTE[0]).encode(x=x, y="median:Q", tooltip=tip),
            alt.Chart().mark_line(strokeDash=[3, 3], color=PALETTE[1]).encode(x=x, y="smallest:Q", tooltip=tip),
            data=data(records(rows, setting)),
        )
        .properties(width=640 // columns - 50, height=140)
        .facet(
            alt.Facet("policy:N", title=None, sort=list(setting.policies), header=alt.Header(labelLimit=200)),
            columns=columns,
        )
        .resolve_axis(x="independent")
    )
    return finish(
        chart,
        "How likely the decisions were",
        "Probability of the task drawn, on a logarithmic axis: near 0, the log says little about other choices",
        f"Line: median; band: quantiles 0.1 to 0.9; dashed: the smallest of all seeds; {seeds_words(setting)}",
        description="Line charts of the propensities of the decisions over the budget, one panel for each policy.",
    )


def effective_sizes(rows: Sequence[EffectiveSize], setting: Setting) -> Any:
    """Effective sample size for questions about other shares, as a map of targets by logging policies."""
    alt = altair()
    short = {f"only {name}": f"only {shown}" for name, shown in shown_names(setting).items()}
    targets = list(dict.fromkeys(short.get(row.target, row.target) for row in rows))
    shown = [
        {**record, "target": short.get(record["target"], record["target"]), "text": _short_number(record["size"])}
        for record in records(rows, setting)
    ]
    base = alt.Chart(data(shown)).encode(
        x=alt.X("policy:N", title="log of", sort=list(setting.policies), axis=alt.Axis(labelAngle=-40, labelLimit=140)),
        y=alt.Y("target:N", title="shares asked about", sort=targets, axis=names_axis(180, rows=len(targets))),
    )
    scale = alt.Scale(type="sqrt", scheme="blues", domain=[0, 1])
    legend = alt.Legend(title="part of the decisions", format="%", gradientLength=200, values=[0, 0.1, 0.5, 1])
    layers = [
        base.mark_rect(stroke="#ffffff", strokeWidth=1).encode(
            color=alt.Color("share:Q", scale=scale, legend=legend),
            tooltip=["policy:N", "target:N", "size:Q", "share:Q", "max_weight:Q", "n:Q"],
        )
    ]
    if len(targets) <= 2 * _MOST_TARGETS:
        dark = alt.condition("datum.share > 0.35", alt.value("#ffffff"), alt.value("#10151c"))
        layers.append(base.mark_text(fontSize=11).encode(text="text:N", color=dark))
    return finish(
        alt.layer(*layers).properties(
            width=alt.Step(64), height=alt.Step(22 if len(targets) <= MOST_TALL_ROWS else 13)
        ),
        "What the logs could answer",
        "Effective sample size for per-step estimates under other shares; below 30 is too little to tell",
        f"Number: mean over seeds of (sum w)²/(sum w²); colour: as a part of all decisions; {seeds_words(setting)}",
        description="Map of effective sample sizes for questions about other shares, by the policy that wrote the log.",
    )


def _most_rewarded(rows: Sequence[Reward], setting: Setting) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.task] = counts.get(row.task, 0) + row.rewards
    kept = sorted(counts, key=lambda name: -counts[name])[: MOST_COLOURS + 1]
    return [task.name for task in setting.tasks if task.name in kept]


def _short_number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return ""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.2g}{letter}" if value < 10 * size else f"{value / size:.0f}{letter}"
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"
