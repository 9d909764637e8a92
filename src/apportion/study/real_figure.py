"""The figure of a real study: gains over uniform, a panel for each setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._optional import optional
from .real import RealResults
from .real_tables import RealRow


def gains(rows: Sequence[RealRow], results: RealResults) -> Any:
    """Paired differences from uniform with their intervals, a panel for each setting, as an Altair chart."""
    alt: Any = optional("altair", extra="report")
    order = [setting.name for setting in results.plan.settings]
    data = [
        {
            "setting": row.setting,
            "policy": row.label,
            "gain": row.gain.value,
            "lower": row.gain.lower,
            "upper": row.gain.upper,
        }
        for row in rows
        if row.part == 1.0 and np.isfinite(row.gain.value)
    ]
    labels = list(dict.fromkeys(str(item["policy"]) for item in data))
    base = alt.Chart(alt.Data(values=data))
    y = alt.Y("policy:N", sort=labels, title=None, axis=alt.Axis(labelLimit=220))
    x = alt.X("lower:Q", title="objective minus that of uniform", axis=alt.Axis(format="+.3~f", tickCount=4))
    bold = alt.condition(
        alt.FieldOneOfPredicate("policy", list(results.plan.judged)), alt.value("#b3431e"), alt.value("#35618f")
    )
    layers = alt.layer(
        base.mark_rule(color="#888888").encode(x=alt.datum(0)),
        base.mark_rule(strokeWidth=2).encode(x=x, x2="upper:Q", y=y, color=bold),
        base.mark_point(filled=True, size=55, opacity=1).encode(x="gain:Q", y=y, color=bold),
    ).properties(width=250)
    panels = layers.facet(
        facet=alt.Facet("setting:N", sort=order, title=None, header=alt.Header(labelFontSize=13)), columns=2
    )
    seeds = len(results.plan.seeds)
    return panels.resolve_scale(x="independent", y="independent").properties(
        title=alt.Title(
            f"{results.plan.name}: final objective minus uniform's", subtitle=f"{seeds} paired seeds, 95 % t-intervals"
        ),
        background="white",
    )
