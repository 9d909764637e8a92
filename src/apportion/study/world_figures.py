"""Figures of policies in simulated worlds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._files import replacing
from ..records import Floats
from ..report.figures.style import DASHES, GREY, MOST_COLOURS, PALETTE, altair, columns_for, data, finish, names_legend
from .worlds import WorldStudy

FEW_WORLDS = 6
"""Up to this many worlds get panels of their own with intervals; more become a map."""
MOST_SHARES = 12
"""Worlds whose shares are drawn."""
MOST_LINES, MOST_PANELS = 10, 18
"""Policies in one picture of objectives, and of shares: uniform and those that close most of the gap."""
_WIDTHS = (2, 5, 10, 25)
_REFERENCES = ("best fixed mixture", "oracle")


def draw_study(study: WorldStudy, folder: Path) -> list[Path]:
    """Write the figures of a study into a folder as SVG files that need nothing else.

    `gap-closed.svg`: gap closed of each policy in each world. `objective.svg`: objective over the budget, and
    `shares-WORLD.svg`: shares of the tasks over the budget; both for the first `MOST_SHARES` worlds.

    Returns:
        The files.

    Raises:
        MissingExtraError: altair or vl-convert is not installed.
    """
    charts = {"gap-closed": gap_chart(study), "objective": objective_chart(study)}
    for world in list(study.tasks)[:MOST_SHARES]:
        charts[f"shares-{_file(world)}"] = shares_chart(study, world)
    return save_charts(charts, folder)


def gap_chart(study: WorldStudy) -> Any:
    """Gap closed by policy and world: dots with bars for few worlds, a map for many."""
    worlds = list(dict.fromkeys(row.world for row in study.rows))
    return _forest(study, worlds) if len(worlds) <= FEW_WORLDS else _map(study, worlds)


def _forest(study: WorldStudy, worlds: Sequence[str]) -> Any:
    alt = altair()
    panels: list[Any] = []
    for world in worlds:
        rows = [row for row in study.rows if row.world == world and np.isfinite(row.mean)]
        gaps = any(np.isfinite(row.gap_closed) for row in rows)
        value, low, high = ("gap_closed", "gap_lower", "gap_upper") if gaps else ("gain", "gain_lower", "gain_upper")
        values = [
            {
                "policy": row.policy,
                "value": shortened(getattr(row, value)),
                "low": shortened(getattr(row, low)),
                "high": shortened(getattr(row, high)),
                "kind": "reference" if row.policy in _REFERENCES else "policy",
            }
            for row in sorted(rows, key=lambda row: -row.mean)
        ]
        base = alt.Chart(data(values)).encode(
            y=alt.Y("policy:N", sort=[item["policy"] for item in values], title=None, axis=alt.Axis(labelLimit=280)),
            color=alt.condition("datum.kind == 'reference'", alt.value(GREY), alt.value(PALETTE[0])),
        )
        title = "gap closed (0 is uniform, 1 the best)" if gaps else "difference from uniform (nothing to gain here)"
        axis = alt.Axis(tickCount=6)
        zero = alt.Chart(data([{"zero": 0}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="zero:Q")
        panels.append(
            alt.layer(
                zero,
                base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", title=title, axis=axis), x2="high:Q"),
                base.mark_point(filled=True, size=70, opacity=1).encode(x=alt.X("value:Q", title=title, axis=axis)),
            ).properties(width=420, height=alt.Step(20), title=alt.TitleParams(text=world, fontSize=13))
        )
    chart = alt.vconcat(*panels)
    words = "; ".join(f"{row.world} {row.policy} {row.gap_closed:.2f}" for row in study.rows)
    return finish(chart, "How much of the gap each policy closes", _words(study), description=words)


def _map(study: WorldStudy, worlds: Sequence[str]) -> Any:
    alt = altair()
    rows = [row for row in study.rows if row.policy not in _REFERENCES and row.policy != "uniform"]
    means: dict[str, list[float]] = {}
    for row in rows:
        if np.isfinite(row.gap_closed):
            means.setdefault(row.policy, []).append(row.gap_closed)
    order = sorted(means, key=lambda policy: -float(np.mean(means[policy])))
    values = [
        {
            "world": row.world,
            "policy": row.policy,
            "gap": shortened(row.gap_closed),
            "shown": shortened(float(np.clip(row.gap_closed, -1.0, 1.0))),
            "clear": bool(row.gain_lower > 0 or row.gain_upper < 0),
        }
        for row in rows
        if np.isfinite(row.gap_closed)
    ]
    scale = alt.Scale(scheme="blueorange", reverse=True, domain=[-1, 1], domainMid=0)
    base = alt.Chart(data(values)).encode(
        x=alt.X("policy:N", sort=order, title=None, axis=alt.Axis(labelAngle=-50, labelLimit=200)),
        y=alt.Y("world:N", sort=list(worlds), title=None, axis=alt.Axis(labelLimit=160, labelFontSize=10)),
    )
    chart = alt.layer(
        base.mark_rect(stroke="#ffffff", strokeWidth=0.5).encode(
            color=alt.Color("shown:Q", scale=scale, legend=alt.Legend(title="gap closed", gradientLength=200))
        ),
        base.transform_filter("datum.clear").mark_point(filled=True, size=10, opacity=1, color="#111"),
    ).properties(width=alt.Step(18), height=alt.Step(12))
    empty = [world for world in worlds if not any(item["world"] == world for item in values)]
    return finish(
        chart,
        "How much of the gap each policy closes",
        "Blue: better than uniform, orange: worse, both ends cut off at 1; policies in the order of their means",
        f"Dot: the difference from uniform is clear. {_words(study)}",
        f"Left out, as nothing can be gained there: {', '.join(empty)}" if empty else "",
        description=f"Map of the gap closed by {len(order)} policies in {len(worlds)} worlds.",
    )


def objective_chart(study: WorldStudy) -> Any:
    """Mean objective over the budget, a line for each policy, the best spending's end dashed."""
    alt = altair()
    worlds = list(study.tasks)[:MOST_SHARES]
    policies, left = _kept(study, list(dict.fromkeys(policy for _, policy in study.curves)), MOST_LINES)
    best = {row.world: row.mean for row in study.rows if row.policy == "oracle"}
    values: list[dict[str, Any]] = [
        {"world": world, "policy": policy, "spent": shortened(spent), "objective": shortened(value)}
        for (world, policy), curve in study.curves.items()
        if world in worlds and policy in policies
        for spent, value in zip(study.progress, curve, strict=True)
    ]
    for item in values:
        item["best"] = shortened(best[item["world"]])
    others = [policy for policy in policies if policy != "uniform"]
    colours = ([GREY] if "uniform" in policies else []) + [PALETTE[i % len(PALETTE)] for i in range(len(others))]
    domain = (["uniform"] if "uniform" in policies else []) + others
    encoding: dict[str, Any] = {
        "color": alt.Color("policy:N", scale=alt.Scale(domain=domain, range=colours), legend=names_legend("stroke"))
    }
    if len(domain) > len(PALETTE) + 1:
        dashes = [list(DASHES[max(i - 1, 0) // len(PALETTE) % len(DASHES)]) for i in range(len(domain))]
        dash = alt.Scale(domain=domain, range=dashes)
        encoding["strokeDash"] = alt.StrokeDash("policy:N", scale=dash, legend=names_legend("stroke"))
    x = alt.X("spent:Q", title="share of the budget spent", axis=alt.Axis(format="%", tickCount=4))
    line = (
        alt.Chart()
        .mark_line(strokeWidth=2)
        .encode(x=x, y=alt.Y("objective:Q", title="objective", scale=alt.Scale(zero=False)), **encoding)
    )
    rule = alt.Chart().mark_rule(color=GREY, strokeDash=[4, 3]).encode(y="mean(best):Q")
    columns = columns_for(len(worlds))
    chart = (
        alt.layer(line, rule, data=data(values))
        .properties(width=660 // columns - 50, height=170 if columns > 1 else 280)
        .facet(alt.Facet("world:N", title=None, sort=worlds), columns=columns)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent")
    )
    more = len(study.tasks) - len(worlds)
    return finish(
        chart,
        "Objective over the budget",
        f"Mean over {study.signature['runs']} runs; dashed: what the best spending ends with",
        f"{more} more worlds are in the table" if more > 0 else "",
        f"Uniform and the {len(policies) - 1} policies that close most of the gap, of {len(policies) + left}"
        if left
        else "",
        description=f"Line charts of the objective over the budget in {', '.join(worlds)}.",
    )


def shares_chart(study: WorldStudy, world: str) -> Any:
    """Mean shares of the tasks of one world over the budget, stacked, a panel for each policy."""
    alt = altair()
    tasks = list(study.tasks[world])
    own = {policy: shares for (name, policy), shares in study.shares.items() if name == world}
    kept_policies, left = _kept(study, list(own), MOST_PANELS)
    own = {policy: own[policy] for policy in kept_policies}
    if len(tasks) > MOST_COLOURS + 1:
        total = np.max([shares.sum(axis=0) for shares in own.values()], axis=0)
        kept = sorted(np.argsort(-total, kind="stable")[:MOST_COLOURS].tolist())
    else:
        kept = list(range(len(tasks)))
    rest = len(tasks) - len(kept)
    names = [tasks[index] for index in kept] + ([f"{rest} other tasks"] if rest else [])
    colours = [*PALETTE[: len(kept)], *([GREY] if rest else [])]
    values: list[dict[str, Any]] = []
    for policy, looks in own.items():
        marks, shares = _pooled(study.progress, looks)
        columns = shares[:, kept]
        if rest:
            columns = np.column_stack([columns, shares.sum(axis=1) - columns.sum(axis=1)])
        tops = np.cumsum(columns, axis=1)
        values.extend(
            {
                "policy": policy,
                "task": name,
                "start": shortened(marks[part]),
                "end": shortened(marks[part + 1]),
                "low": shortened(tops[part, index] - columns[part, index]),
                "high": shortened(tops[part, index]),
            }
            for part in range(len(columns))
            for index, name in enumerate(names)
        )
    n_columns = columns_for(len(own))
    chart = (
        alt.Chart(data(values))
        .mark_rect(x2Offset=0.6)
        .encode(
            x=alt.X("start:Q", title="share of the budget spent", axis=alt.Axis(format="%", tickCount=4)),
            x2="end:Q",
            y=alt.Y("low:Q", title="share", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=4)),
            y2="high:Q",
            color=alt.Color("task:N", scale=alt.Scale(domain=names, range=colours), legend=names_legend()),
        )
        .properties(width=660 // n_columns - 50, height=130)
        .facet(
            alt.Facet("policy:N", title=None, sort=list(own), header=alt.Header(labelLimit=660 // n_columns - 40)),
            columns=n_columns,
        )
    )
    return finish(
        chart,
        f"Shares of the tasks of {world}",
        f"Mean share of the decisions over {study.signature['runs']} runs",
        f"Uniform and the {len(own) - 1} policies that close most of the gap over all worlds, of {len(own) + left}"
        if left
        else "",
        description=f"Stacked shares of {len(tasks)} tasks over the budget for {', '.join(own)}.",
    )


def _kept(study: WorldStudy, policies: Sequence[str], most: int) -> tuple[list[str], int]:
    """At most so many policies, uniform and those with the largest totals, and how many are left out."""
    if len(policies) <= most:
        return list(policies), 0
    ranks = {item.policy: number for number, item in enumerate(study.totals)}
    order = sorted(policies, key=lambda policy: -1 if policy == "uniform" else ranks.get(policy, len(ranks)))
    return order[:most], len(policies) - most


def _pooled(marks: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Shares in parts of the budget so long that every part holds a step: (n_parts + 1,), (n_parts, n_tasks)."""
    for width in _WIDTHS:
        if len(shares) % width:
            continue
        parts = shares.reshape(-1, width, shares.shape[1]).sum(axis=1)
        total = parts.sum(axis=1, keepdims=True)
        if (total > 0).all():
            return marks[::width], parts / total
    return marks, shares


def save_charts(charts: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write charts as SVG files that need nothing else."""
    written: list[Path] = []
    for name, chart in charts.items():
        path = folder / f"{name}.svg"
        with replacing(path) as part:
            chart.save(str(part), format="svg")
        written.append(path)
    return written


def _file(world: str) -> str:
    return re.sub(r"[^\w.-]+", "-", world).strip("-")


def _words(study: WorldStudy) -> str:
    made = study.signature
    return f"{made['split']} settings, {made['runs']} paired runs, seed {made['seed']}; intervals: {made['interval']}"


def shortened(value: float) -> float | None:
    """Five digits, None for what is not finite."""
    return float(f"{value:.5g}") if np.isfinite(value) else None
