"""Logs for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from .._files import replacing
from .._optional import optional
from ..records import Floats
from .header import task_dict
from .reader import Log


def write_parquet(log: Log, path: str | Path) -> Path:
    """Write the decisions as Parquet, and the evaluations beside them as `NAME.evaluations.parquet`.

    Columns of decisions: `step`, `task` (dictionary), `probabilities` (fixed-size list), `reward` (null where none
    came), `cost`, `examples`, `known` (the step from which on its reward could be learned from), `status`, and
    `measured.NAME` for each measurement. Columns of evaluations: `step`, `spent`, `cost`, `score.TASK`, and
    `measured.NAME.TASK`. The file metadata `apportion` holds the header.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    path = Path(path)
    pa, pq = optional("pyarrow", extra="data"), optional("pyarrow.parquet", extra="data")
    data = log.logged
    names = pa.array(list(data.tasks))
    columns: dict[str, Any] = {
        "step": pa.array(data.step),
        "task": pa.DictionaryArray.from_arrays(pa.array(data.chosen.astype(np.int32)), names),
        "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(data.probabilities.ravel()), len(data.tasks)),
        "reward": _nullable(pa, data.reward),
        "cost": pa.array(data.cost),
        "examples": pa.array(log.examples),
        "known": pa.array(log.known),
        "status": pa.array(log.status).dictionary_encode(),
        **{f"measured.{name}": _nullable(pa, values) for name, values in log.measured.items()},
    }
    metadata = {"apportion": orjson.dumps({**log.header, "tasks": [task_dict(task) for task in log.tasks]})}
    with replacing(path) as part:
        pq.write_table(pa.table(columns, metadata=metadata), str(part), row_group_size=1 << 17)
    evaluations: dict[str, Any] = {
        "step": pa.array([item.step for item in log.evaluations], type=pa.int64()),
        "spent": pa.array([item.spent for item in log.evaluations], type=pa.float64()),
        "cost": pa.array([item.cost for item in log.evaluations], type=pa.float64()),
    }
    for column, name in enumerate(data.tasks):
        scores = np.array([item.scores[column] for item in log.evaluations], dtype=np.float64)
        evaluations[f"score.{name}"] = _nullable(pa, scores)
        for kind in sorted({kind for item in log.evaluations for kind in item.measured}):
            absent = np.full(len(data.tasks), np.nan)
            values = np.array([item.measured.get(kind, absent)[column] for item in log.evaluations], dtype=np.float64)
            evaluations[f"measured.{kind}.{name}"] = _nullable(pa, values)
    beside = path.with_suffix(".evaluations.parquet")
    with replacing(beside) as part:
        pq.write_table(pa.table(evaluations, metadata=metadata), str(part))
    return path


def write_npz(arrays: Mapping[str, Any], path: str | Path) -> Path:
    """Write arrays by name as a compressed `.npz`, without pickled objects; entries that are None are left out."""
    path = Path(path)
    kept = {name: np.asarray(value) for name, value in arrays.items() if value is not None}
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **kept)  # pyright: ignore[reportArgumentType] (numpy's stub mixes names and options)
    return path


def _nullable(pa: Any, values: Floats) -> Any:
    return pa.array(values, mask=np.isnan(values))
