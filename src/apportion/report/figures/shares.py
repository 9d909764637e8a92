"""Figures of where the budget went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..settings import Setting
from ..tables import Share, TotalShare
from .style import (
    GREY,
    MOST_COLOURS,
    MOST_TALL_ROWS,
    PALETTE,
    altair,
    band_words,
    budget_axis,
    columns_for,
    data,
    finish,
    has_bands,
    names_axis,
    names_legend,
    seeds_words,
    shown_names,
)

_ASKED, _REALISED = "asked for", "realised"


def shares(rows: Sequence[Share], setting: Setting) -> Any:
    """Shares of the tasks over the budget, stacked, as asked for and as realised, panels for each policy."""
    alt = altair()
    coloured = coloured_tasks(rows, setting)
    names = shown_names(setting)
    rest = len(setting.tasks) - len(coloured)
    other = f"{rest} other tasks" if rest > 0 else ""
    domain = [names[task] for task in coloured] + ([other] if rest > 0 else [])
    sums: dict[tuple[str, str, float, float, str], float] = {}
    seeds: dict[tuple[str, float], int] = {}
    for row in rows:
        task = names[row.task] if row.task in coloured else other
        seeds[row.policy, row.start] = row.n
        for kind, value in ((_ASKED, row.asked), (_REALISED, row.realised)):
            key = (row.policy, kind, row.start, row.end, task)
            sums[key] = sums.get(key, 0.0) + value
    values: list[dict[str, Any]] = []
    tops: dict[tuple[str, str, float], float] = {}
    for (policy, kind, start, end, task), share in sorted(sums.items(), key=lambda item: domain.index(item[0][4])):
        low = tops.get((policy, kind, start), 0.0)
        tops[policy, kind, start] = low + share
        values.append(
            {
                "panel": f"{policy}: {kind}",
                "policy": policy,
                "kind": kind,
                "start": start,
                "end": end,
                "task": task,
                "share": float(f"{share:.5g}"),
                "low": round(low, 5),
                "high": round(low + share, 5),
                "n": seeds[policy, start],
            }
        )
    colours = [*PALETTE[: len(coloured)], *([GREY] if rest > 0 else [])]
    order = [f"{policy}: {kind}" for policy in setting.policies for kind in (_ASKED, _REALISED)]
    scale = alt.Scale(domain=domain, range=colours)
    colour = alt.Color("task:N", scale=scale, legend=names_legend())
    y = alt.Y("low:Q", title="share", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    tip = ["policy:N", "kind:N", "task:N", "share:Q", "start:Q", "end:Q", "n:Q"]
    x = budget_axis(setting, "start")
    chart = (
        alt.Chart(data(values))
        .mark_rect(x2Offset=0.6)
        .encode(x=x, x2="end:Q", y=y, y2="high:Q", color=colour, tooltip=tip)
        .properties(width=270, height=170)
        .facet(alt.Facet("panel:N", title=None, sort=order, header=alt.Header(labelLimit=270)), columns=2)
        .resolve_axis(x="independent")
    )
    return finish(
        chart,
        "Share of each task over the budget",
        "As the policy asked for it, and as it was realised by the draws",
        f"Mean over seeds; {seeds_words(setting)}; {setting.budget:,.10g} {setting.unit} in equal parts",
        f"The {len(coloured)} largest tasks have colours; all are in the map below" if rest > 0 else "",
        description=f"Stacked bars of the shares of {len(setting.tasks)} tasks over the budget for each policy.",
    )


def share_map(rows: Sequence[Share], setting: Setting) -> Any:
    """Realised share of every task over the budget as a map, for settings with many tasks."""
    alt = altair()
    names = shown_names(setting)
    values = [
        {
            "policy": row.policy,
            "task": names[row.task],
            "start": row.start,
            "end": row.end,
            "asked": float(f"{row.asked:.4g}"),
            "realised": float(f"{row.realised:.4g}"),
        }
        for row in rows
    ]
    columns = min(columns_for(len(setting.policies)), 2)
    scale, legend = alt.Scale(scheme="blues"), alt.Legend(title="share", format="%")
    chart = (
        alt.Chart(data(values))
        .mark_rect(x2Offset=0.6)
        .encode(
            x=budget_axis(setting, "start"),
            x2="end:Q",
            y=alt.Y("task:N", title=None, sort=list(setting.names), axis=alt.Axis(labelLimit=160, labelFontSize=10)),
            color=alt.Color("asked:Q", scale=scale, legend=legend),
            tooltip=["policy:N", "task:N", "asked:Q", "realised:Q", "start:Q", "end:Q"],
        )
        .properties(width=640 // columns - 60, height=alt.Step(11))
        .facet(alt.Facet("policy:N", title=None, sort=list(setting.policies)), columns=columns)
        .resolve_axis(x="independent")
    )
    return finish(
        chart,
        "Share of every task",
        f"Share of the budget that each policy asked for; mean over seeds; {seeds_words(setting)}",
        description=f"Map of the share of each of {len(setting.tasks)} tasks over the budget.",
    )


def totals(rows: Sequence[TotalShare], setting: Setting) -> Any:
    """Share of each task in the whole budget as bars, one panel for each policy, with intervals over seeds."""
    alt = altair()
    names = shown_names(setting)
    values = [
        {**row._asdict(), "task": names[row.task], **{key: _number(getattr(row, key)) for key in _TOTAL_NUMBERS}}
        for row in rows
    ]
    y = alt.Y("task:N", title=None, sort=list(setting.names), axis=names_axis(150, rows=len(setting.tasks)))
    base = alt.Chart().encode(y=y)
    x = alt.X("realised:Q", title="share of the budget", axis=alt.Axis(format="%", tickCount=4))
    tip = ["policy:N", "task:N", "asked:Q", "realised:Q", "lower:Q", "upper:Q", "decisions:Q", "epochs:Q", "n:Q"]
    columns = columns_for(len(setting.policies))
    layers = [base.mark_bar(color=PALETTE[0], opacity=0.75).encode(x=x, tooltip=tip)]
    if has_bands(rows):
        layers.append(base.mark_rule(strokeWidth=2).encode(x="lower:Q", x2="upper:Q"))
    chart = (
        alt.layer(*layers, data=data(values))
        .properties(width=640 // columns - 80, height=alt.Step(16 if len(setting.tasks) <= MOST_TALL_ROWS else 11))
        .facet(alt.Facet("policy:N", title=None, sort=list(setting.policies)), columns=columns)
        .resolve_axis(x="independent")
    )
    return finish(
        chart,
        "Share of each task in the whole budget",
        f"Bar: mean realised share; {band_words(rows, 'line')}; {seeds_words(setting)}",
        description=f"Bars of the total share of {len(setting.tasks)} tasks for each policy.",
    )


def coloured_tasks(rows: Sequence[Share], setting: Setting) -> list[str]:
    """The tasks that get a colour of their own, in their order: all if they are few, else the largest anywhere."""
    if len(setting.tasks) <= MOST_COLOURS + 1:
        return [task.name for task in setting.tasks]
    sums: dict[tuple[str, str], float] = {}
    for row in rows:
        sums[row.policy, row.task] = sums.get((row.policy, row.task), 0.0) + row.realised
    largest: dict[str, float] = {}
    for (_, task), value in sums.items():
        largest[task] = max(largest.get(task, 0.0), value)
    kept = sorted(largest, key=lambda name: -largest[name])[:MOST_COLOURS]
    return [task.name for task in setting.tasks if task.name in kept]


_TOTAL_NUMBERS = ("asked", "realised", "lower", "upper", "decisions", "epochs")


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if value == value and abs(value) != float("inf") else None
