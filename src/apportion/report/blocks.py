"""The parts that a page is made of: figures, tables and texts, as data for the template."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from .wording import interval_text, plain, shorten

_LONGEST = 240
"""Characters that a cell shows of a text."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: what is shown, and the number to sort by, if it is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table that readers can sort; the first column names the rows."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: Literal["table"] = "table"

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers, and so stand on the right."""
        return tuple(any(row[index].number is not None for row in self.rows) for index in range(len(self.columns)))


@dataclass(frozen=True, slots=True)
class FigureBlock:
    """A chart with what a page says about it; `spec` refers to data sets by name."""

    identity: str
    title: str
    notes: tuple[str, ...]
    description: str
    spec: dict[str, Any]
    table: str
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A long text that is folded away, such as a configuration."""

    title: str
    text: str
    kind: Literal["text"] = "text"


Block = TableBlock | FigureBlock | TextBlock


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    identity: str
    title: str
    note: str
    blocks: tuple[Block, ...]


class Charts:
    """Turns charts into figure blocks, and keeps every data set once, column names apart from rows."""

    def __init__(self) -> None:
        self.datasets: dict[str, dict[str, Any]] = {}

    def block(self, identity: str, chart: Any) -> FigureBlock:
        """The block of one chart of `apportion.report.figures`."""
        spec: dict[str, Any] = chart.to_dict(validate=False)  # the tests validate; here it would take seconds
        spec.pop("$schema", None)
        renamed: dict[str, str] = {}
        table, most = "", -1
        for name, text in spec.pop("datasets", {}).items():
            values: list[dict[str, Any]] = orjson.loads(text)
            columns = list(dict.fromkeys(key for row in values for key in row))
            packed = {"columns": columns, "rows": [[row.get(key) for key in columns] for row in values]}
            short = f"d{hashlib.sha256(repr(packed).encode()).hexdigest()[:12]}"
            renamed[name] = short
            self.datasets[short] = packed
            if len(values) > most:
                table, most = short, len(values)
        head = spec["title"]
        return FigureBlock(
            identity=identity,
            title=str(head["text"]),
            notes=tuple(map(str, head.get("subtitle", ()))),
            description=str(spec.get("description", "")),
            spec=_rename(spec, renamed),
            table=table,
        )


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], note: str = "") -> TableBlock:
    """A table from plain values: text, numbers, (number, lower, upper) with its interval, or `Cell`."""
    return TableBlock(title, note, tuple(columns), tuple(tuple(cell(value) for value in row) for row in rows))


def cell(value: Any) -> Cell:
    """A value as a cell.

    >>> cell((0.5, 0.4, 0.6)).text
    '0.50 (0.40 to 0.60)'
    """
    if isinstance(value, Cell):
        return value
    if isinstance(value, tuple):
        mean, lower, upper = value
        return Cell("–") if math.isnan(mean) else Cell(interval_text(mean, lower, upper), mean)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        known = not math.isnan(value)
        return Cell(number(value), float(value) if known else None)
    return Cell(shorten(plain(str(value)), _LONGEST))


def percent(value: float) -> Cell:
    """A fraction as a percentage; a dash for NaN, `never` for infinity."""
    if math.isnan(value):
        return Cell("–")
    return Cell("never" if math.isinf(value) else f"{100 * value:.3g} %", value)


def number(value: float | int) -> str:
    """A number with four digits, whole ones in full; a dash for NaN."""
    if math.isfinite(value) and value == round(value) and abs(value) < 1e9:
        return f"{round(value):,}"
    if math.isnan(value):
        return "–"
    return f"{value:.4g}"


def _rename(value: Any, names: Mapping[str, str]) -> Any:
    """The specification with data sets renamed; only `data` refers to them."""
    if isinstance(value, list):
        return [_rename(item, names) for item in value]
    if isinstance(value, dict):
        return {
            key: {"name": names[item["name"]]}
            if key == "data" and isinstance(item, dict) and item.get("name") in names
            else _rename(item, names)
            for key, item in value.items()
        }
    return value
