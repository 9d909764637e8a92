"""Figures of the worlds of the suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..report.figures.style import PALETTE, altair, columns_for, data, finish, names_legend
from .world_figures import save_charts, shortened
from .worlds import WorldDescription


def draw_worlds(worlds: Sequence[WorldDescription], folder: Path) -> list[Path]:
    """Write one SVG file for each family: how its tasks learn under uniform spending, and what the best one reaches.

    Returns:
        The files.

    Raises:
        MissingExtraError: altair or vl-convert is not installed.
    """
    families: dict[str, list[WorldDescription]] = {}
    for item in worlds:
        families.setdefault(item.family, []).append(item)
    return save_charts({family: world_chart(members) for family, members in families.items()}, folder)


def world_chart(worlds: Sequence[WorldDescription]) -> Any:
    """True scores over the budget under uniform spending, a panel for each world: tasks thin, the objective thick."""
    alt = altair()
    values: list[dict[str, Any]] = []
    for item in worlds:
        for task in range(item.world.n_tasks):
            kind = "auxiliary task" if item.world.tasks[task].priority == 0 else "task"
            values.extend(
                {"world": item.name, "line": task, "kind": kind, "spent": shortened(at), "score": shortened(value)}
                for at, value in zip(item.progress, item.scores[:, task], strict=True)
            )
        values.extend(
            {"world": item.name, "line": -1, "kind": "objective", "spent": shortened(at), "score": shortened(value)}
            for at, value in zip(item.progress, item.objective, strict=True)
        )
        values.append({"world": item.name, "kind": "best", "best": shortened(item.references.best)})
    colours = {"task": PALETTE[0], "auxiliary task": PALETTE[2], "objective": PALETTE[1]}
    kinds = [kind for kind in colours if any(item["kind"] == kind for item in values)]
    x = alt.X("spent:Q", title="share of the budget spent", axis=alt.Axis(format="%", tickCount=4))
    lines = (
        alt.Chart()
        .transform_filter("datum.kind != 'best'")
        .mark_line()
        .encode(
            x=x,
            y=alt.Y("score:Q", title="score"),
            detail="line:N",
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=kinds, range=[colours[kind] for kind in kinds]),
                legend=names_legend("stroke"),
            ),
            strokeWidth=alt.condition("datum.kind == 'objective'", alt.value(3.0), alt.value(1.1)),
            opacity=alt.condition("datum.kind == 'objective'", alt.value(1.0), alt.value(0.7)),
        )
    )
    rule = (
        alt.Chart()
        .transform_filter("datum.kind == 'best'")
        .mark_rule(color=PALETTE[1], strokeDash=[5, 3], strokeWidth=2)
        .encode(y="best:Q")
    )
    names = [item.name for item in worlds]
    columns = columns_for(len(worlds))
    chart = (
        alt.layer(lines, rule, data=data(values))
        .properties(width=660 // columns - 50, height=170)
        .facet(alt.Facet("world:N", title=None, sort=names), columns=columns)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent")
    )
    return finish(
        chart,
        f"The worlds of {worlds[0].family}",
        "True scores when every task gets the same share of the budget, evenly; dashed: objective of the best spending",
        description=f"Line charts of the scores of all tasks over the budget in {', '.join(names)}.",
    )
