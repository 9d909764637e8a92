"""The one figure of a study: how much of the gap each policy closes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def gap_figure(rows: Sequence[Mapping[str, Any]], note: str) -> Any:
    """Dots with bars, best first: gap closed and its interval, uniform at 0 and the best spending at 1.

    Args:
        rows: `kind` (`policy`, `same signal` or `ablation`), `label`, `gap_closed`, `lower`, `upper`; None is left out.
        note: what the intervals are and what they rest on, for the line below the title.

    Returns:
        An Altair chart, to show, or to save as PNG, SVG or HTML.

    Raises:
        MissingExtraError: altair is not installed.
    """
    from ..report.figures.style import GREY, PALETTE, altair, data, finish

    alt = altair()
    shown = [dict(row) for row in rows if row["gap_closed"] is not None]
    kinds = [kind for kind in ("policy", "same signal", "ablation") if any(row["kind"] == kind for row in shown)]
    panels: list[Any] = []
    for kind in kinds:
        own = [row for row in shown if row["kind"] == kind]
        order = [row["label"] for row in own]
        colour = alt.condition("datum.label == 'counterfactual'", alt.value(PALETTE[1]), alt.value(PALETTE[0]))
        base = alt.Chart(data(own)).encode(
            y=alt.Y("label:N", sort=order, title=kind, axis=alt.Axis(labelLimit=260)),
            color=colour,
        )
        axis = alt.X(
            "gap_closed:Q", title="gap closed in whole runs: 0 is uniform, 1 the best spending (estimand: run)"
        )
        zero = alt.Chart(data([{"zero": 0}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(x="zero:Q")
        bar = base.mark_rule(strokeWidth=2).encode(x="lower:Q", x2="upper:Q")
        dot = base.mark_point(filled=True, size=60, opacity=1).encode(
            x=axis, tooltip=["label:N", "gap_closed:Q", "lower:Q", "upper:Q"]
        )
        panels.append(alt.layer(zero, bar, dot).properties(width=560, height=alt.Step(19)))
    chart = alt.vconcat(*panels).resolve_scale(x="shared")
    words = "; ".join(f"{row['label']} {row['gap_closed']:.2f}" for row in shown)
    return finish(chart, "How much of the gap to the best spending each policy closes", note, description=words)
