"""Figures of what was reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..settings import Setting
from ..tables import KIND, OBJECTIVE, CurvePoint, Difference, Final, Forecast, told_name
from .style import (
    MOST_PANELS,
    MOST_TALL_ROWS,
    altair,
    band_words,
    budget_axis,
    columns_for,
    data,
    finish,
    has_bands,
    has_intervals,
    highlight,
    highlighted,
    names_axis,
    policy_colour,
    records,
    seeds_words,
    shown_names,
)

_MOST_BANDS = 6
_GOALS = {
    "mean": "Priority-weighted mean of the held-out scores",
    "worst": "Lowest held-out score of the tasks that count",
}


def objective(rows: Sequence[CurvePoint], setting: Setting, finals: Sequence[Final] = ()) -> Any:
    """The objective over the budget, a line for each policy with its band over seeds, and what the final test says."""
    shown = [row for row in rows if row.task == OBJECTIVE]
    sparing = [policy for policy in setting.policies if any(row.policy == policy and not row.joined for row in shown)]
    values, layers = _measured(shown, setting), _lines(shown, setting, "objective")
    ends = _tested([row for row in finals if row.task == OBJECTIVE], setting)
    layers = [layer.transform_filter("datum.kind == 'measured'") for layer in layers] + _squares(setting, ends)
    chart = altair().layer(*layers, data=data(values + ends))
    return finish(
        chart.add_params(highlight()).properties(width=640, height=320),
        "Objective over the budget",
        f"{_GOALS[setting.goal]}; bigger is better",
        f"Line: mean; {band_words(shown, 'band')}; {seeds_words(setting)}",
        _SQUARES if ends else "",
        f"Points without a line, as evaluations left tasks out: {', '.join(sparing)}" if sparing else "",
        description=f"Line chart of the objective over the budget for {', '.join(setting.policies)}.",
    )


def scores(
    rows: Sequence[CurvePoint], setting: Setting, forecasts: Sequence[Forecast] = (), finals: Sequence[Final] = ()
) -> Any:
    """Held-out score of each task over the budget, one panel each, with forecasts and the final test where given."""
    alt = altair()
    tasks = shown_tasks(rows, setting)
    values = _measured([row for row in rows if row.task in tasks], setting)
    ends = _tested([row for row in finals if row.task in tasks], setting)
    values += ends
    ahead = records([row for row in forecasts if row.task in tasks], setting)
    values += [{**record, "mean": record["score"], "kind": "forecast"} for record in ahead]
    end = max((row.spent for row in forecasts), default=0.0)
    layers = [layer.transform_filter("datum.kind == 'measured'") for layer in _lines(rows, setting, "score", end=end)]
    if forecasts:
        ahead = alt.Chart().transform_filter("datum.kind == 'forecast'")
        at = {"x": budget_axis(setting, end=end), "color": policy_colour(setting)["color"]}
        if end > setting.budget:
            edge = alt.Chart(data([{"spent": setting.budget}])).mark_rule(strokeDash=[4, 3], opacity=0.8)
            layers.append(edge.encode(x=at["x"]))
        layers.append(ahead.mark_rule(opacity=0.7).encode(y="lower:Q", y2="upper:Q", **at))
        layers.append(
            ahead.mark_point(shape="diamond", filled=False, size=50).encode(
                y="mean:Q", tooltip=["task:N", "policy:N", "seed:Q", "mean:Q", "lower:Q", "upper:Q", "made_at:Q"], **at
            )
        )
    layers += _squares(setting, ends, end=end)
    chart = _by_task(layers, values, tasks, setting)
    left_out, bands = len(setting.tasks) - len(tasks), band_words(rows, "band")
    return finish(
        chart,
        "Score of each task over the budget",
        f"Held-out score, bigger is better; axes differ. Line: mean; {bands}; {seeds_words(setting)}",
        "Diamonds with bars: forecasts and their intervals"
        + ("; dashed line: end of the budget" * (end > setting.budget))
        if forecasts
        else "",
        _SQUARES if ends else "",
        "Points without a line: evaluations left the task out" * any(not row.joined for row in rows),
        f"The {len(tasks)} tasks in which policies differ most; {left_out} more are in the tables" if left_out else "",
        description=f"Line charts of the held-out scores of {len(tasks)} tasks over the budget, one panel each.",
    )


def training(rows: Sequence[CurvePoint], setting: Setting) -> Any:
    """What the batches of each task told before their updates, one panel each: free evidence between evaluations."""
    tasks, name = shown_tasks(rows, setting), told_name(setting)
    shown = [row for row in rows if row.task in tasks]
    chart = _by_task(_lines(shown, setting, name), records(shown, setting), tasks, setting)
    left_out = len(setting.tasks) - len(tasks)
    return finish(
        chart,
        "What training batches told",
        f"{_TOLD.get(name, name)}, mean over the batches of a tenth of the budget; axes differ",
        f"Line: mean; {band_words(rows, 'band')}; {seeds_words(setting)}. Once examples repeat, it flatters",
        f"The {len(tasks)} tasks in which policies differ most; {left_out} more are left out" if left_out else "",
        description=f"Line charts of the training {name} of {len(tasks)} tasks over the budget, one panel each.",
    )


_TOLD = {
    "success": "Part of each batch that was right before its update, bigger is better",
    "loss": "Loss of each batch before its update, smaller is better",
}
_SQUARES = "Squares at the end: the final test, on examples that no policy looked at"


def _by_task(layers: Sequence[Any], values: list[dict[str, Any]], tasks: Sequence[str], setting: Setting) -> Any:
    """One panel for each task, with axes of its own."""
    alt = altair()
    names = [shown_names(setting)[task] for task in tasks]
    panels = columns_for(len(tasks))
    return (
        alt.layer(*layers, data=data(values))
        .properties(width=640 // panels - 40, height=150)
        .facet(alt.Facet("task:N", title=None, sort=names, header=alt.Header(labelLimit=200)), columns=panels)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent")
        .add_params(highlight())
    )


def _measured(rows: Sequence[CurvePoint], setting: Setting) -> list[dict[str, Any]]:
    return [{**record, "kind": "measured"} for record in records(rows, setting)]


def _tested(rows: Sequence[Final], setting: Setting) -> list[dict[str, Any]]:
    """Final scores at the end of the budget; none where runs have no test of their own."""
    if any(run.final_source != "test" for run in setting.runs):
        return []
    return [{**record, "kind": "tested", "spent": setting.budget} for record in records(rows, setting)]


def _squares(setting: Setting, ends: Sequence[Mapping[str, Any]], end: float = 0.0) -> list[Any]:
    if not ends:
        return []
    points = altair().Chart().transform_filter("datum.kind == 'tested'")
    tips = ["task:N", "policy:N", "mean:Q", "lower:Q", "upper:Q", "n:Q"]
    return [
        points.mark_point(shape="square", filled=True, size=45).encode(
            x=budget_axis(setting, end=end),
            y="mean:Q",
            color=policy_colour(setting)["color"],
            opacity=highlighted(1.0, 0.1),
            tooltip=tips,
        )
    ]


def shown_tasks(rows: Sequence[CurvePoint], setting: Setting, most: int = MOST_PANELS) -> list[str]:
    """The tasks that fit into a figure, in their order: those in which policies' last means differ most."""
    last = {(row.policy, row.task): row.mean for row in rows}
    spread = {
        task.name: max(values) - min(values) + (1e6 if task.priority > 0 and len(setting.tasks) <= most else 0.0)
        for task in setting.tasks
        if (values := [last[policy, task.name] for policy in setting.policies if (policy, task.name) in last])
    }
    kept = sorted(spread, key=lambda name: -spread[name])[:most]
    return [task.name for task in setting.tasks if task.name in kept]


def forest(rows: Sequence[Difference], setting: Setting) -> Any:
    """Paired differences of the final objective to the reference: a dot and its interval for each policy."""
    alt = altair()
    shown = records([row for row in rows if row.task == OBJECTIVE and row.n], setting)
    against = rows[0].reference
    order = [record["policy"] for record in sorted(shown, key=lambda record: -record["mean"])]
    y = alt.Y("policy:N", sort=order, title=None, axis=alt.Axis(labelLimit=200))
    base = alt.Chart(data(shown)).encode(y=y)
    colour = policy_colour(setting, legend=False)["color"]
    title = f"difference in the objective to {against}"
    tip = ["policy:N", "mean:Q", "lower:Q", "upper:Q", "n:Q", "wins:Q"]
    x = alt.X("zero:Q", title=title, scale=alt.Scale(padding=12), axis=alt.Axis(tickCount=6))
    layers = [
        alt.Chart(data([{"zero": 0}])).mark_rule(strokeDash=[4, 3], opacity=0.8).encode(x=x),
        base.mark_point(filled=True, size=90, opacity=1).encode(x="mean:Q", color=colour, tooltip=tip),
    ]
    if has_intervals(rows):
        layers.insert(1, base.mark_rule(strokeWidth=3).encode(x="lower:Q", x2="upper:Q", color=colour))
    chart = alt.layer(*layers)
    return finish(
        chart.properties(width=640, height=alt.Step(34)),
        f"Who is better than {against}",
        "Final objective minus that of the same seed; right of the dashed line is better",
        f"Dot: mean of paired differences; bar: {KIND}; n = {_span([row.n for row in rows])} paired seeds",
        description="; ".join(
            f"{record['policy']} {record['mean']:+.3g}" for record in sorted(shown, key=lambda r: -r["mean"])
        ),
    )


def task_differences(rows: Sequence[Difference], setting: Setting) -> Any:
    """Paired difference of each task's final score to the reference, as a map of tasks by policies."""
    alt = altair()
    against = rows[0].reference
    shown = records([row for row in rows if row.task != OBJECTIVE and row.n], setting)
    for record in shown:
        known = record["lower"] is not None
        record["clear"] = known and (record["lower"] > 0 or record["upper"] < 0)
    largest = max((abs(record["mean"]) for record in shown if record["mean"] is not None), default=0.0) or 1.0
    scale = alt.Scale(scheme="blueorange", reverse=True, domain=[-largest, largest], domainMid=0)
    legend = alt.Legend(title="difference in score", gradientLength=200, format="+.2~g")
    base = alt.Chart(data(shown)).encode(
        x=alt.X("policy:N", title=None, sort=list(setting.policies), axis=alt.Axis(labelAngle=-40, labelLimit=140)),
        y=alt.Y("task:N", title=None, sort=list(setting.names), axis=names_axis(200, rows=len(setting.tasks))),
    )
    tall = len(setting.tasks) <= MOST_TALL_ROWS
    layers = [
        base.mark_rect(stroke="#ffffff", strokeWidth=1).encode(
            color=alt.Color("mean:Q", scale=scale, legend=legend),
            tooltip=["task:N", "policy:N", "mean:Q", "lower:Q", "upper:Q", "n:Q", "wins:Q"],
        )
    ]
    clear = base.transform_filter("datum.clear")
    if tall:
        dark = alt.condition(f"abs(datum.mean) > {0.6 * largest:.6g}", alt.value("#ffffff"), alt.value("#10151c"))
        text = alt.Text("mean:Q", format="+.2f" if largest >= 0.1 else "+.3f")
        layers += [
            base.transform_filter("!datum.clear").mark_text(fontSize=10).encode(text=text, color=dark),
            clear.mark_text(fontSize=11, fontWeight="bold").encode(text=text, color=dark),
        ]
    else:
        layers.append(clear.mark_point(shape="circle", filled=True, size=26, opacity=1, color="#111"))
    return finish(
        alt.layer(*layers).properties(width=alt.Step(64), height=alt.Step(22 if tall else 13)),
        f"What each task gained or lost against {against}",
        "Mean paired difference of the final score; blue is better, orange is worse",
        f"{'Bold' if tall else 'Dot'}: the {KIND} excludes zero, not corrected for the number of cells",
        description=f"Map of the difference in final score to {against} for {len(setting.tasks)} tasks and policies.",
    )


def _lines(rows: Sequence[CurvePoint], setting: Setting, word: str, *, end: float = 0.0) -> list[Any]:
    alt = altair()
    x = budget_axis(setting, end=end)
    y = alt.Y("mean:Q", title=word, scale=alt.Scale(zero=False))
    encoding = policy_colour(setting)
    tip = ["task:N", "policy:N", "spent:Q", "mean:Q", "lower:Q", "upper:Q", "n:Q"]
    # Hidden, not filtered out: a panel without any row has no extent, of which browsers warn.
    width = alt.condition("datum.joined", alt.value(2.2), alt.value(0.0))
    line = alt.Chart().mark_line().encode(x=x, y=y, opacity=highlighted(1.0, 0.12), strokeWidth=width, **encoding)
    points = (
        alt.Chart()
        .mark_point(filled=True, size=22)
        .encode(x=x, y=y, color=encoding["color"], tooltip=tip, opacity=highlighted(0.9, 0.05))
    )
    if not any(row.joined for row in rows):
        return [points]
    if not has_bands(rows):
        return [line, points]
    alone = alt.condition("highlight == datum.policy", alt.value(0.2), alt.value(0.0))
    opacity = alone if len(setting.policies) > _MOST_BANDS else highlighted(0.16, 0.02)
    fill = alt.condition("datum.joined", alt.value(1.0), alt.value(0.0))
    at = {"x": x, "y": "lower:Q", "y2": "upper:Q", "color": encoding["color"]}
    area = alt.Chart().mark_area().encode(opacity=opacity, fillOpacity=fill, **at)
    return [area, line, points]


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
