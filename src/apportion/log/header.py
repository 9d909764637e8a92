"""The header of a log, and the fingerprint that says whether two runs are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from ..records import Task

FORMAT = "apportion-log"
VERSION = 1


def task_dict(task: Task) -> dict[str, Any]:
    """A task as plain data."""
    return {"name": task.name, "size": task.size, "priority": task.priority, "features": list(task.features)}


def task_from(data: Mapping[str, Any]) -> Task:
    """The inverse of `task_dict`.

    Raises:
        KeyError, TypeError, ValueError: an entry is missing or wrong.
    """
    size = data["size"]
    return Task(
        name=str(data["name"]),
        size=None if size is None else int(size),
        priority=float(data["priority"]),
        features=tuple(float(value) for value in data["features"]),
    )


def header(
    tasks: Sequence[Task],
    *,
    policy: Any,
    signal: Any,
    constraints: Any,
    budget: Any,
    seed: int,
    execution: str,
    version: str,
) -> dict[str, Any]:
    """The first line of a log: everything that the decisions depend on, and its fingerprint."""
    parts = {
        "tasks": [task_dict(task) for task in tasks],
        "policy": policy,
        "signal": signal,
        "constraints": constraints,
        "budget": budget,
        "seed": seed,
        "execution": execution,
    }
    return {"format": FORMAT, "version": VERSION, "apportion": version, **parts, "fingerprint": fingerprint(parts)}


def fingerprint(parts: Mapping[str, Any]) -> str:
    """A short hash of plain data: equal data, equal fingerprint."""
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two pieces of plain data differ, one sentence part each, such as `policy.gamma was 0.1, is 0.2`."""
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        keys = [*before, *(key for key in after if key not in before)]
        return [
            text
            for key in keys
            for text in differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
        ]
    if isinstance(old, list) and isinstance(new, list) and path == "tasks":
        return differences({task["name"]: task for task in old}, {task["name"]: task for task in new}, path)
    return [] if old == new else [f"{path} was {_short(old)}, is {_short(new)}"]


def _short(value: Any) -> str:
    if value is None:
        return "absent"
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
