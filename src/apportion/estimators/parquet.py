"""Logs in Parquet, read chunk by chunk."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from .._check import check_integer, nearest
from .._optional import optional
from ..errors import LogFormatError
from ..records import Floats, Ints, Logged
from .arrays import checked_names, from_arrays

_COLUMNS = ("step", "task", "probabilities", "reward", "cost")
_MOST_CELLS = 1 << 22
"""Most probabilities that are in memory at once: 32 MiB."""


def parquet_chunks(path: str | Path, *, chunk_rounds: int = 1 << 17) -> Iterator[Logged]:
    """Reads a log in Parquet, as `apportion.log.write_parquet` writes it, in chunks of constant memory.

    Columns: `step` (int64), `task` (names, as a dictionary or plain), `probabilities` (fixed-size list of doubles in
    the order of the header's tasks), `reward` (double, null where none came), `cost` (double); others are left
    unread. The file metadata `apportion` holds the header as JSON, of which `tasks` is used and `execution`, which
    must be "random".

    Args:
        path: the file.
        chunk_rounds: most decisions per chunk; fewer where there are many tasks.

    Yields:
        The decisions in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        LogFormatError: the file is no such log or is damaged; the message names the round and the field.
        MissingExtraError: pyarrow is not installed.
        ValueError: `chunk_rounds` is below 1.
    """
    check_integer("chunk_rounds", chunk_rounds, low=1)
    with _opened(Path(path)) as file:
        for logged, _ in _chunks(file, chunk_rounds, (), Path(path)):
            yield logged


def parquet_rows(
    path: str | Path, extra: Sequence[str], *, chunk_rounds: int = 1 << 17
) -> Iterator[tuple[Logged, dict[str, Floats]]]:
    """Like `parquet_chunks`, with further columns of numbers by name; those that the file does not have are left out.

    Raises:
        As `parquet_chunks`.
    """
    with _opened(Path(path)) as file:
        yield from _chunks(file, chunk_rounds, extra, Path(path))


def parquet_header(path: str | Path) -> tuple[dict[str, Any], int]:
    """The header of a log in Parquet, and how many decisions the file holds.

    Raises:
        As `parquet_chunks`.
    """
    with _opened(Path(path)) as file:
        _names(file.schema_arrow, Path(path))
        return json.loads(file.schema_arrow.metadata[b"apportion"]), int(file.metadata.num_rows)


@contextmanager
def _opened(path: Path) -> Generator[Any, None, None]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file '{path}'.")
    pa, pq = optional("pyarrow", extra="data"), optional("pyarrow.parquet", extra="data")
    try:
        # A buffered stream reads a column piece by piece, so that a huge row group does not fill the memory.
        with pq.ParquetFile(str(path), buffer_size=1 << 20, pre_buffer=False) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise LogFormatError(f"'{path}' cannot be read as Parquet: {_short(error)}.") from error


def _chunks(
    file: Any, chunk_rounds: int, extra: Sequence[str], path: Path
) -> Iterator[tuple[Logged, dict[str, Floats]]]:
    pa, schema = optional("pyarrow", extra="data"), file.schema_arrow
    names = _names(schema, path)
    _check_types(pa, schema, len(names), path)
    more = [name for name in extra if name in schema.names and _is_number(pa, schema, name)]
    rows = max(1, min(chunk_rounds, _MOST_CELLS // len(names)))
    columns: dict[str, int] = {name: index for index, name in enumerate(names)}
    first = 0
    for batch in file.iter_batches(batch_size=rows, columns=[*_COLUMNS, *more], use_threads=True):
        for name in ("step", "task", "probabilities", "cost"):
            if batch.column(name).null_count:
                row = int(np.argmax(batch.column(name).is_null().to_numpy(zero_copy_only=False)))
                raise LogFormatError(f"'{path}' round {first + row}: field `{name}` is missing.")
        flat = batch.column("probabilities").flatten()
        if flat.null_count:
            row = int(np.argmax(flat.is_null().to_numpy(zero_copy_only=False))) // len(names)
            raise LogFormatError(f"'{path}' round {first + row}: field `probabilities` has a gap.")
        try:
            logged = from_arrays(
                tasks=names,
                chosen=_task_indices(batch.column("task"), columns, first),
                probabilities=flat.to_numpy(zero_copy_only=False).reshape(-1, len(names)),
                reward=batch.column("reward").to_numpy(zero_copy_only=False),
                step=batch.column("step").to_numpy(zero_copy_only=False),
                cost=batch.column("cost").to_numpy(zero_copy_only=False),
                first_round=first,
            )
        except LogFormatError as error:
            raise LogFormatError(f"'{path}': {error}") from error
        first += batch.num_rows
        yield logged, {name: batch.column(name).to_numpy(zero_copy_only=False).astype(np.float64) for name in more}


def _is_number(pa: Any, schema: Any, name: str) -> bool:
    kind = schema.field(name).type
    return schema.names.count(name) == 1 and bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _names(schema: Any, path: Path) -> tuple[str, ...]:
    raw = cast("dict[bytes, bytes]", schema.metadata or {}).get(b"apportion")
    if raw is None:
        raise LogFormatError(f"'{path}' is not a decision log: its metadata has no `apportion`.")
    try:
        header: Any = json.loads(raw)
        tasks = [item["name"] if isinstance(item, dict) else item for item in cast("list[Any]", header["tasks"])]
        execution = cast("dict[str, Any]", header).get("execution", "random")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LogFormatError(f"'{path}': field `tasks` of the header is damaged ({_short(error)}).") from error
    if execution != "random":
        raise LogFormatError(
            f"'{path}' was written with the execution {execution!r}: its tasks were not drawn at random from the "
            "logged probabilities, so nothing can be estimated off policy."
        )
    return checked_names(tasks)


def _check_types(pa: Any, schema: Any, n_tasks: int, path: Path) -> None:
    for name in _COLUMNS:
        if schema.names.count(name) != 1:
            raise LogFormatError(f"'{path}' has {schema.names.count(name)} columns `{name}` instead of one.")
        kind = schema.field(name).type
        good = {
            "step": pa.types.is_integer(kind),
            "task": pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or (pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type)),
            "probabilities": pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type),
            "reward": pa.types.is_floating(kind),
            "cost": pa.types.is_floating(kind),
        }[name]
        if not good:
            raise LogFormatError(f"'{path}': column `{name}` has the type {str(kind)[:80]}.")
        if name == "probabilities" and kind.list_size != n_tasks:
            raise LogFormatError(
                f"'{path}': column `probabilities` lists {kind.list_size} tasks, the header {n_tasks}."
            )


def _task_indices(column: Any, columns: dict[str, int], first: int) -> Ints:
    coded = column if hasattr(column, "dictionary") else column.dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    known = np.array([columns.get(name, -1) for name in coded.dictionary.to_pylist()], dtype=np.int64)
    if codes.size and not 0 <= codes.min() <= codes.max() < known.size:
        raise LogFormatError(f"column `task` from round {first} on is damaged: it points beyond its dictionary.")
    indices = known[codes] if codes.size else np.zeros(0, dtype=np.int64)
    if indices.size and indices.min() < 0:
        row = int(np.argmin(indices))
        name = str(coded.dictionary[int(codes[row])])[:80]
        raise LogFormatError(
            f"round {first + row}: field `task` names the unknown task {name!r}{nearest(name, list(columns)[:1000])}."
        )
    return indices


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:200].rstrip(".")
