"""Logged decisions as columns: checked a block at a time, record by record only where a block is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ..errors import LogFormatError
from ..records import Floats, Ints

BLOCK = 1 << 12
STATUSES = ("told", "skipped", "pending")

Record = dict[str, Any]


class Columns:
    """Collects decision records; `tasks` maps names to columns and grows with the headers of the log."""

    def __init__(self, path: str, tasks: dict[str, int]) -> None:
        self._path = path
        self._tasks = tasks
        self._order: list[int] = []  # column of each entry of `p` under the current header
        self._waiting: list[tuple[int, Record]] = []
        self._blocks: list[dict[str, Any]] = []

    def header(self, order: list[int]) -> None:
        """From here on, `p` lists the tasks of these columns."""
        self._flush()
        self._order = order

    def add(self, number: int, record: Record) -> None:
        """Take the record of a line.

        Raises:
            LogFormatError: this record, or one shortly before it, is wrong; names line and field.
        """
        self._waiting.append((number, record))
        if len(self._waiting) >= BLOCK:
            self._flush()

    def finish(self) -> dict[str, Any]:
        """All columns by name, in the order of the lines; `measured` holds columns by name."""
        self._flush()
        width = len(self._tasks)
        probabilities = [_placed(block["p"], block["order"], width) for block in self._blocks]
        names = sorted({name for block in self._blocks for name in block["measured"]})
        joined = {
            key: np.concatenate([block[key] for block in self._blocks]) if self._blocks else np.zeros(0, dtype=kind)
            for key, kind in (
                ("step", np.int64),
                ("task", np.int64),
                ("reward", float),
                ("cost", float),
                ("examples", float),
            )
        }
        measured = {
            name: np.concatenate(
                [block["measured"].get(name, np.full(len(block["step"]), np.nan)) for block in self._blocks]
            )
            for name in names
        }
        status = [word for block in self._blocks for word in block["status"]]
        return {
            **joined,
            "p": np.concatenate([np.zeros((0, width)), *probabilities]),
            "status": status,
            "measured": measured,
        }

    def _flush(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        records = [record for _, record in waiting]
        try:
            self._blocks.append(self._block(records))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            for number, record in waiting:
                self._diagnose(number, record)
            first, last = waiting[0][0], waiting[-1][0]
            raise LogFormatError(
                f"'{self._path}' lines {first} to {last}: a field has the wrong type ({error})."
            ) from error

    def _block(self, records: Sequence[Record]) -> dict[str, Any]:
        p = _numbers([record["p"] for record in records])
        task = np.array([self._tasks[record["task"]] for record in records], dtype=np.int64)
        if p.shape != (len(records), len(self._order)):
            raise ValueError("`p` has the wrong length")
        total = p.sum(axis=1)
        place = np.full(len(self._tasks), -1)
        place[self._order] = np.arange(len(self._order))
        own = place[task]
        if not (np.abs(total - 1) < 1e-6).all() or (p < 0).any() or (own < 0).any():
            raise ValueError("`p` holds no probabilities")
        if not (p[np.arange(len(records)), own] > 0).all():
            raise ValueError("a task was drawn without probability")
        # JSON keeps every bit of a float; a foreign log may be rounded.
        rounded = np.abs(total - 1) > 1e-12
        p[rounded] /= total[rounded, None]
        status = [record["status"] for record in records]
        if not set(status) <= set(STATUSES):
            raise ValueError("unknown status")
        step = np.array([record["step"] for record in records])
        if step.dtype.kind not in "iu":
            raise TypeError("`step` must be a whole number")
        return {
            "p": p,
            "order": self._order,
            "task": task,
            "step": step.astype(np.int64),
            "status": status,
            "reward": _numbers([_nan(record["reward"]) for record in records]),
            "cost": _numbers([record["cost"] for record in records]),
            "examples": _numbers([record["examples"] for record in records]),
            "measured": _measured([record.get("measured") for record in records]),
        }

    def _diagnose(self, number: int, record: Record) -> None:
        """Find out what is wrong with one record, and say it."""
        where = f"'{self._path}' line {number}"
        for key in ("step", "task", "p", "status", "reward", "cost", "examples"):
            if key not in record:
                raise LogFormatError(f"{where}: field `{key}` is missing.")
        if not isinstance(record["task"], str) or record["task"] not in self._tasks:
            raise LogFormatError(f"{where}: field `task` names the unknown task {record['task']!r}.")
        p = record["p"]
        if not isinstance(p, list) or len(cast("list[Any]", p)) != len(self._order):
            raise LogFormatError(f"{where}: field `p` must list {len(self._order)} probabilities.")
        if not all(type(value) in (int, float) for value in cast("list[Any]", p)):
            raise LogFormatError(f"{where}: field `p` has the wrong type: it must list numbers.")
        values = cast("list[float]", p)
        if not abs(sum(values) - 1.0) < 1e-6 or min(values) < 0:
            raise LogFormatError(
                f"{where}: field `p` must be probabilities that sum to 1, got a sum of {sum(values)!r} and the "
                f"smallest entry {min(values)!r}."
            )
        if (
            self._tasks[record["task"]] not in self._order
            or not values[self._order.index(self._tasks[record["task"]])] > 0
        ):
            raise LogFormatError(f"{where}: field `p` gives the task drawn, {record['task']!r}, no probability.")
        if record["status"] not in STATUSES:
            raise LogFormatError(f"{where}: field `status` must be told, skipped or pending, got {record['status']!r}.")
        for key in ("step", "reward", "cost", "examples"):
            value = record[key]
            if not (type(value) in (int, float) or (key == "reward" and value is None)):
                raise LogFormatError(
                    f"{where}: field `{key}` has the wrong type: it must be a number, got {value!r:.40}."
                )
        try:
            self._block([record])
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise LogFormatError(f"{where}: a field has the wrong type ({error}).") from error


def _nan(value: Any) -> Any:
    return np.nan if value is None else value


def _numbers(values: Sequence[Any]) -> Floats:
    array = np.array(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"numbers are wanted, got {array.dtype}")
    return array.astype(np.float64)


def _measured(rows: Sequence[Any]) -> dict[str, Floats]:
    names = {name for row in rows if row for name in row.keys()}  # noqa: SIM118 (anything but a dict must fail)
    return {name: _numbers([_nan(row.get(name)) if row else np.nan for row in rows]) for name in names}


def _placed(p: Floats, order: Sequence[int], width: int) -> Floats:
    if list(order) == list(range(width)):
        return p
    placed: Floats = np.zeros((p.shape[0], width))
    placed[:, list(order)] = p
    return placed


def positions(steps: Ints, wanted: Sequence[int]) -> Ints:
    """Where each wanted step stands among `steps`, which are sorted; -1 where it is absent."""
    where = np.searchsorted(steps, np.array(wanted, dtype=np.int64))
    where = np.minimum(where, max(len(steps) - 1, 0))
    return np.where(steps[where] == wanted, where, -1) if len(steps) else np.full(len(wanted), -1)
