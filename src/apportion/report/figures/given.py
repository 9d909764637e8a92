"""Figures of what a forecaster gave beside the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..settings import Setting
from ..tables import Transfer, Worth
from .style import PALETTE, altair, columns_for, data, finish, has_intervals, records


def transfer(rows: Sequence[Transfer], setting: Setting) -> Any:
    """Transfer matrix as a heat map, one panel for each policy that has one; seeds are averaged."""
    alt = altair()
    sums: dict[tuple[str, str, str], list[float]] = {}
    short = [record["source"] for record in records(rows, setting)]
    tasks = [record["task"] for record in records(rows, setting)]
    for row, task, source in zip(rows, tasks, short, strict=True):
        sums.setdefault((row.policy, task, source), []).append(row.value)
    values: list[dict[str, Any]] = [
        {"policy": policy, "task": task, "source": source, "value": float(f"{sum(found) / len(found):.4g}")}
        for (policy, task, source), found in sums.items()
    ]
    others = [abs(item["value"]) for item in values if item["task"] != item["source"]]
    largest = max(others, default=0.0) or 1.0
    policies = [policy for policy in setting.policies if any(row.policy == policy for row in rows)]
    columns = min(columns_for(len(policies)), 2)
    size = 26 if len(setting.tasks) <= 20 else 11
    scale = alt.Scale(scheme="blueorange", reverse=True, domain=[-largest, largest], domainMid=0, clamp=True)
    chart = (
        alt.Chart(data(values))
        .mark_rect()
        .encode(
            x=alt.X("source:N", title="a batch of", sort=list(setting.names), axis=alt.Axis(labelLimit=110)),
            y=alt.Y("task:N", title="teaches", sort=list(setting.names), axis=alt.Axis(labelLimit=150)),
            color=alt.Color("value:Q", scale=scale, legend=alt.Legend(title="own batches", gradientLength=200)),
            tooltip=["policy:N", "source:N", "task:N", "value:Q"],
        )
        .properties(width=alt.Step(size), height=alt.Step(size))
        .facet(alt.Facet("policy:N", title=None, sort=policies), columns=columns)
    )
    seeds = len({row.seed for row in rows})
    return finish(
        chart,
        "Who helps and who harms whom",
        "What a batch of one task teaches another, as a part of a batch of its own; blue helps, orange harms",
        f"Mean of the forecasters of {seeds} seed{'s' if seeds != 1 else ''}; colours end at the largest value between "
        f"different tasks",
        description=f"Heat map of the transfer between {len(setting.tasks)} tasks.",
    )


def worth(rows: Sequence[Worth], setting: Setting) -> Any:
    """Worth of one more unit of budget for each task, a dot and an interval for each run that has one."""
    alt = altair()
    base = alt.Chart(data(records(rows, setting))).encode(
        y=alt.Y("task:N", title=None, sort=list(setting.names), axis=alt.Axis(labelLimit=180)),
        yOffset="seed:N",
    )
    title = f"change of the objective per {setting.unit.removesuffix('s')}"
    x = alt.X("value:Q", title=title, axis=alt.Axis(format="~g", tickCount=5))
    tip = ["policy:N", "seed:Q", "task:N", "value:Q", "lower:Q", "upper:Q"]
    layers = [base.mark_point(filled=True, size=60, color=PALETTE[0], opacity=1).encode(x=x, tooltip=tip)]
    if has_intervals(rows):
        layers.append(base.mark_rule(strokeWidth=2, color=PALETTE[0]).encode(x="lower:Q", x2="upper:Q"))
    chart = alt.layer(*layers)
    return finish(
        chart.properties(width=560, height=alt.Step(26)),
        "What more budget is worth",
        "Forecast change of the objective for one more unit of budget spent on each task",
        "Dot: forecast of one run; bar: its interval as given",
        description=f"Dots with intervals of the worth of more budget for {len(setting.tasks)} tasks.",
    )
