"""What all figures have in common: colours, fonts, and how rows become data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ..._optional import optional
from ..settings import Setting
from ..tables import KIND, OBJECTIVE

GREY = "#7a7f87"
PALETTE = (
    "#3b7dd8",
    "#d9692b",
    "#2a9367",
    "#c94f7c",
    "#8a63d2",
    "#a67c00",
    "#1590a5",
    "#d1495b",
    "#6b8e23",
    "#9a5b3c",
)
"""Colours of at least 3:1 against the light and the dark page."""

DASHES: tuple[Sequence[int], ...] = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
"""Of lines, one kind for every ten colours."""

FEWEST_FOR_BANDS = 3
"""Seeds from which on intervals are drawn around curves and bars; tables give them from two on."""

FONT = "system-ui, 'DejaVu Sans', 'Liberation Sans', sans-serif"

MOST_PANELS = 24
"""Tasks that a figure with one panel for each task shows."""

MOST_TALL_ROWS = 30
"""Tasks up to which the rows of a map are tall enough for text."""

MOST_COLOURS = 9
"""Tasks that get a colour of their own where tasks are stacked; the rest stand together."""

CONFIG: dict[str, Any] = {
    "background": "white",
    "font": FONT,
    "view": {"stroke": None, "continuousWidth": 560, "continuousHeight": 300},
    "axis": {
        "labelFontSize": 12,
        "labelSeparation": 8,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridOpacity": 0.6,
    },
    "axisY": {"titlePadding": 10, "minExtent": 34},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "orient": "bottom", "columns": 4, "labelLimit": 240},
    "header": {"labelFontSize": 12, "labelFontWeight": "bold", "titleFontSize": 12},
    "title": {"fontSize": 16, "subtitleFontSize": 12, "anchor": "start", "offset": 12, "subtitlePadding": 6},
    "range": {"category": list(PALETTE)},
}


def altair() -> Any:
    """The drawing library.

    Raises:
        MissingExtraError: it is not installed.
    """
    return optional("altair", extra="report")


def records(rows: Iterable[NamedTuple], setting: Setting) -> list[dict[str, Any]]:
    """Rows as plain data: short names of tasks, six digits, None for what is not finite."""
    names = shown_names(setting)
    found: list[dict[str, Any]] = []
    for row in rows:
        record = row._asdict()
        for key, value in record.items():
            if isinstance(value, float):
                record[key] = float(f"{value:.6g}") if math.isfinite(value) else None
            elif key in ("task", "source"):
                record[key] = names[value]
        found.append(record)
    return found


def shown_names(setting: Setting) -> dict[str, str]:
    """Name of each task in figures, and of the objective."""
    return {OBJECTIVE: "objective", **dict(zip((task.name for task in setting.tasks), setting.names, strict=True))}


def data(values: Sequence[Mapping[str, Any]]) -> Any:
    """Plain records as the data of a chart: as JSON text, since altair would check a list value by value."""
    alt = altair()
    return alt.InlineData(values=orjson.dumps(list(values)).decode(), format=alt.JsonDataFormat(type="json"))


def policy_colour(setting: Setting, *, legend: bool = True) -> dict[str, Any]:
    """Encodings of colour and dash by policy: the reference grey, the others in the order of the setting."""
    alt = altair()
    n = len(setting.policies)
    colours = [GREY, *(PALETTE[index % len(PALETTE)] for index in range(n - 1))]
    dashes = [DASHES[0], *(DASHES[index // len(PALETTE) % len(DASHES)] for index in range(n - 1))]
    domain = list(setting.policies)
    dashed = n > len(PALETTE) + 1
    shown = names_legend("stroke" if dashed else "circle") if legend and n > 1 else None
    found = {"color": alt.Color("policy:N", scale=alt.Scale(domain=domain, range=colours), legend=shown)}
    if dashed:
        dash = alt.Scale(domain=domain, range=[list(item) for item in dashes])
        found["strokeDash"] = alt.StrokeDash("policy:N", scale=dash, legend=shown)
    return found


def names_legend(symbol: str = "circle") -> Any:
    """A legend of names, with symbols in full colour however faint the marks are."""
    return altair().Legend(title=None, symbolOpacity=1, symbolType=symbol, symbolSize=90)


def has_bands(rows: Iterable[Any]) -> bool:
    """Whether intervals can be drawn around curves and bars: with two seeds they would bury the means."""
    return any(math.isfinite(row.lower) and row.n >= FEWEST_FOR_BANDS for row in rows)


def band_words(rows: Iterable[Any], shape: str) -> str:
    """What a caption says about the intervals."""
    return f"{shape}: {KIND}" if has_bands(rows) else f"intervals need {FEWEST_FOR_BANDS} seeds to be drawn"


def has_intervals(rows: Iterable[Any]) -> bool:
    """Whether any row has an interval."""
    return any(math.isfinite(row.lower) for row in rows)


def highlighted(full: float, faint: float) -> Any:
    """Opacity of a mark: `faint` where another policy is highlighted."""
    alt = altair()
    test = "highlight == '' || highlight == datum.policy"
    return alt.condition(test, alt.value(full), alt.value(faint))


def highlight() -> Any:
    """The parameter that a page sets to the policy to be highlighted."""
    return altair().param(name="highlight", value="")


def budget_axis(setting: Setting, field: str = "spent", *, end: float = 0.0) -> Any:
    """The budget as x axis, or as far as `end` where that lies beyond it."""
    alt = altair()
    title = f"budget spent ({setting.unit})"
    scale = alt.Scale(domain=[0, max(setting.budget, end)], nice=False)
    axis = alt.Axis(labelExpr="format(datum.value, '~s')", tickCount=5)  # "format" would write 0 as 0M
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=axis)


def names_axis(limit: int, *, rows: int = 1) -> Any:
    """An axis of names, in small letters where there are many rows."""
    size = {"labelFontSize": 10} if rows > MOST_TALL_ROWS else {}
    return altair().Axis(labelLimit=limit, **size)


def seeds_words(setting: Setting) -> str:
    """How many seeds each policy has, and which."""
    counts = {len(setting.of(policy)) for policy in setting.policies}
    seeds = sorted({seed for policy in setting.policies for seed in setting.seeds(policy)})
    shown = ", ".join(map(str, seeds[:12])) + (", …" if len(seeds) > 12 else "")
    low, high = min(counts), max(counts)
    n = f"n = {low}" if low == high else f"n = {low} to {high}"
    return f"{n} seed{'s' if high != 1 else ''} per policy ({shown})"


def finish(chart: Any, title: str, *subtitle: str, description: str) -> Any:
    """Give a chart its title, its subtitle lines, its description for those who cannot see it, and the house style."""
    alt = altair()
    head = alt.TitleParams(text=title, subtitle=[line for line in subtitle if line])
    return chart.properties(title=head, description=description).configure(**CONFIG)


def columns_for(n_panels: int) -> int:
    """Columns of small panels in a figure of full width."""
    return 1 if n_panels == 1 else 2 if n_panels in (2, 4) else 3
