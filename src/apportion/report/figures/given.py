"""Figures of what a forecaster gave beside the runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..settings import Setting
from ..tables import Transfer, Worth
from .style import PALETTE, altair, columns_for, data, finish, has_intervals, policy_colour, records


def transfer(rows: Sequence[Transfer], setting: Setting) -> Any:
    """Transfer matrix as a heat map, one panel for each policy that has one; seeds are averaged."""
    alt = altair()
    cells: dict[tuple[str, str, str], list[Transfer]] = {}
    for row, record in zip(rows, records(rows, setting), strict=True):
        cells.setdefault((row.policy, record["task"], record["source"]), []).append(row)
    values: list[dict[str, Any]] = [
        {
            "policy": policy,
            "task": task,
            "source": source,
            "value": float(f"{sum(row.value for row in found) / len(found):.4g}"),
            "clear": task != source and (all(row.lower > 0 for row in found) or all(row.upper < 0 for row in found)),
            "n": len(found),
        }
        for (policy, task, source), found in cells.items()
    ]
    others = [item for item in values if item["task"] != item["source"]]
    largest = max((abs(item["value"]) for item in others), default=0.0) or 1.0
    policies = [policy for policy in setting.policies if any(row.policy == policy for row in rows)]
    columns = min(columns_for(len(policies)), 2)
    size = 26 if len(setting.tasks) <= 20 else 11
    scale = alt.Scale(scheme="blueorange", reverse=True, domain=[-largest, largest], domainMid=0, clamp=True)
    base = alt.Chart().encode(
        x=alt.X("source:N", title="a batch of", sort=list(setting.names), axis=alt.Axis(labelLimit=110)),
        y=alt.Y("task:N", title="teaches", sort=list(setting.names), axis=alt.Axis(labelLimit=150)),
    )
    legend = alt.Legend(title="own batches", gradientLength=200)
    chart = (
        alt.layer(
            base.mark_rect().encode(
                color=alt.Color("value:Q", scale=scale, legend=legend),
                tooltip=["policy:N", "source:N", "task:N", "value:Q", "clear:N", "n:Q"],
            ),
            base.transform_filter("datum.clear").mark_point(filled=True, size=26, opacity=1, color="#111"),
            data=data(values),
        )
        .properties(width=alt.Step(size), height=alt.Step(size))
        .facet(alt.Facet("policy:N", title=None, sort=policies), columns=columns)
    )
    seeds = len({row.seed for row in rows})
    clear = sum(item["clear"] for item in others)
    sure = f"Dot: the interval excludes zero{' in every seed' if seeds > 1 else ''}, {clear} of {len(others)} cells"
    if not clear:
        sure = f"In none of the {len(others)} cells does the interval exclude zero"
    return finish(
        chart,
        "Who helps and who harms whom",
        "What a batch of one task teaches another, as a part of a batch of its own; blue helps, orange harms",
        f"Mean of the forecasters of {seeds} seed{'s' if seeds != 1 else ''}; colours end at the largest value between "
        f"different tasks",
        sure if has_intervals(rows) else "No intervals were given",
        description=f"Heat map of the transfer between {len(setting.tasks)} tasks.",
    )


def worth(rows: Sequence[Worth], setting: Setting) -> Any:
    """Worth of one more unit of budget for each task, a dot and an interval for each run that has one."""
    alt = altair()
    values = [{**record, "run": f"{record['policy']}, seed {record['seed']}"} for record in records(rows, setting)]
    policies = {row.policy for row in rows}
    base = alt.Chart(data(values)).encode(
        y=alt.Y("task:N", title=None, sort=list(setting.names), axis=alt.Axis(labelLimit=180)),
        yOffset="run:N",
        color=policy_colour(setting)["color"] if len(policies) > 1 else alt.value(PALETTE[0]),
    )
    title = f"change of the objective per {setting.unit.removesuffix('s')}"
    x = alt.X("value:Q", title=title, axis=alt.Axis(format="~g", tickCount=5))
    tip = ["policy:N", "seed:Q", "task:N", "value:Q", "lower:Q", "upper:Q"]
    layers = [
        alt.Chart(data([{"zero": 0}])).mark_rule(strokeDash=[4, 3], opacity=0.8).encode(x=alt.X("zero:Q", title=title)),
        base.mark_point(filled=True, size=60, opacity=1).encode(x=x, tooltip=tip),
    ]
    if has_intervals(rows):
        layers.append(base.mark_rule(strokeWidth=2).encode(x="lower:Q", x2="upper:Q"))
    chart = alt.layer(*layers)
    return finish(
        chart.properties(width=560, height=alt.Step(max(9, 26 // len({item["run"] for item in values})))),
        "What more budget is worth",
        "Forecast change of the objective for one more unit of budget spent on each task",
        "Dot: forecast of one run; bar: its interval as given; one that crosses the dashed line leaves the sign open",
        description=f"Dots with intervals of the worth of more budget for {len(setting.tasks)} tasks.",
    )
