"""Logs of any kind, as pieces that fit into memory: JSON lines, runs, Parquet, Open Bandit Pipeline arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._optional import optional
from ..errors import LogFormatError
from ..estimators.arrays import from_obp
from ..estimators.parquet import parquet_header, parquet_rows
from ..log import LoggedEvaluation, read_log
from ..log.header import task_from
from ..records import Floats, Ints, Logged, Task, check_tasks

WHOLE_CELLS = 1 << 24
"""A Parquet log with at most so many probabilities is read whole: then every estimator and interval can be used."""
MOST_BYTES = 1 << 34
"""Most bytes that the arrays of a `.npz` may take: they are read whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Consecutive decisions of a log.

    Attributes:
        logged: the decisions.
        examples: training examples of each, shape (n_rounds,).
        known: the first step at which a policy may have learned from each reward, shape (n_rounds,).
    """

    logged: Logged
    examples: Floats
    known: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """A log that was opened.

    Attributes:
        path: where it is.
        tasks: with what the log knows about them.
        header: what the log says about itself; empty for arrays of other programs.
        n_rounds: decisions, those without a reward too.
        whole: whether it is one piece, in memory.
        pieces: gives the decisions again each time it is called, in the order of the log.
        evaluations: gives the evaluations.
    """

    path: Path
    tasks: tuple[Task, ...]
    header: Mapping[str, Any]
    n_rounds: int
    whole: bool
    pieces: Callable[[], Iterator[Piece]]
    evaluations: Callable[[], list[LoggedEvaluation]]

    @property
    def fingerprint(self) -> str:
        """Of the run that wrote the log; the name of the file where it has none."""
        return str(self.header.get("fingerprint") or self.path.name)


def open_log(path: str | Path) -> LogSource:
    """Open a log to evaluate policies on: what it is follows from its name.

    Args:
        path: a decision log (JSON lines), the directory of a run, a Parquet export (`.parquet`; streamed where it is
            large), or arrays of Open Bandit Pipeline (`.npz`: `action`, `reward`, `n_actions`, and `pi_b` or `pscore`).

    Raises:
        FileNotFoundError: there is no such file, or no log in the folder.
        LogFormatError: the log is damaged.
        ValueError: its tasks were not drawn at random from the logged probabilities, or it holds no decision.
        MissingExtraError: pyarrow is not installed.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "decisions.jsonl").is_file():
            raise FileNotFoundError(
                f"'{path}' holds no log: it has no decisions.jsonl. Name one run, or the file of a log."
            )
        path = path / "decisions.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"there is no log '{path}'.")
    opener = {".parquet": _parquet, ".npz": _npz}.get(path.suffix, _lines)
    source = opener(path)
    if source.n_rounds == 0:
        raise ValueError(f"'{path}' holds no decision yet.")
    return source


def _lines(path: Path) -> LogSource:
    log = read_log(path)
    if not log.usable_off_policy:
        raise ValueError(
            f"'{path}' was drawn by a smooth execution, not at random from the logged probabilities: nothing can be "
            'estimated off policy from it. Train with `execution = "random"` (the default) to get a log that can.'
        )
    piece = Piece(logged=log.logged, examples=log.examples, known=log.known)
    return _whole(path, piece, log.tasks, log.header, log.evaluations)


def _whole(
    path: Path, piece: Piece, tasks: tuple[Task, ...], header: Mapping[str, Any], evaluations: list[LoggedEvaluation]
) -> LogSource:
    return LogSource(
        path=path,
        tasks=tasks,
        header=header,
        n_rounds=piece.logged.n_rounds,
        whole=True,
        pieces=lambda: iter([piece]),
        evaluations=lambda: evaluations,
    )


def _parquet(path: Path) -> LogSource:
    header, n_rounds = parquet_header(path)
    try:
        tasks = tuple(Task(name=item) if isinstance(item, str) else _task(item) for item in header["tasks"])
        check_tasks(tasks)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LogFormatError(f"'{path}': field `tasks` of the header is damaged ({error}).") from error

    def pieces() -> Iterator[Piece]:
        for logged, more in parquet_rows(path, ("examples", "known")):
            examples = more.get("examples", np.ones(logged.n_rounds))
            known = more.get("known", logged.step + 1.0)
            if not (np.isfinite(examples).all() and np.isfinite(known).all()):
                raise LogFormatError(f"'{path}': column `examples` or `known` has a gap.")
            # Whatever a file says, nothing is known before its own decision was made.
            known = np.clip(known, logged.step + 1.0, 2.0**62).astype(np.int64)
            yield Piece(logged=logged, examples=examples, known=known)

    def evaluations() -> list[LoggedEvaluation]:
        return _parquet_evaluations(path.with_suffix(".evaluations.parquet"), tasks)

    if n_rounds * len(tasks) <= WHOLE_CELLS:
        parts = list(pieces())
        if parts:
            piece = _joined(parts)
            return _whole(path, piece, tasks, header, evaluations())
    return LogSource(
        path=path,
        tasks=tasks,
        header=header,
        n_rounds=n_rounds,
        whole=False,
        pieces=pieces,
        evaluations=evaluations,
    )


def _joined(parts: list[Piece]) -> Piece:
    if len(parts) == 1:
        return parts[0]
    columns = {
        name: np.concatenate([getattr(part.logged, name) for part in parts])
        for name in ("chosen", "probabilities", "reward", "step", "cost")
    }
    return Piece(
        logged=Logged(tasks=parts[0].logged.tasks, **columns),
        examples=np.concatenate([part.examples for part in parts]),
        known=np.concatenate([part.known for part in parts]),
    )


def _task(item: Mapping[str, Any]) -> Task:
    return task_from({"size": None, "priority": 1.0, "features": (), **item})


def _parquet_evaluations(path: Path, tasks: tuple[Task, ...]) -> list[LoggedEvaluation]:
    if not path.is_file():
        return []
    pa, pq = optional("pyarrow", extra="data"), optional("pyarrow.parquet", extra="data")
    try:
        table = pq.read_table(str(path))
        columns = {name: table[name].to_numpy().astype(np.float64) for name in table.column_names}
        kinds = {name.split(".")[1] for name in columns if name.startswith("measured.")}
        step, spent, cost = columns["step"].astype(np.int64), columns["spent"], columns["cost"]
        scores = _by_task(columns, "score", tasks)
        measured = {kind: _by_task(columns, f"measured.{kind}", tasks) for kind in kinds}
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise LogFormatError(f"'{path}' holds no evaluations ({type(error).__name__}: {error}).") from error
    return [
        LoggedEvaluation(
            step=int(step[row]),
            spent=float(spent[row]),
            cost=float(cost[row]),
            scores=scores[row],
            measured={kind: values[row] for kind, values in measured.items()},
        )
        for row in range(len(step))
    ]


def _by_task(columns: Mapping[str, Floats], kind: str, tasks: tuple[Task, ...]) -> Floats:
    n_rows = len(columns["step"])
    return np.stack([columns.get(f"{kind}.{task.name}", np.full(n_rows, np.nan)) for task in tasks], axis=1)


def _npz(path: Path) -> LogSource:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > MOST_BYTES:
            raise LogFormatError(f"'{path}' unpacks to {size:,} bytes: export it as Parquet, which is streamed.")
        with np.load(path, allow_pickle=False) as arrays:
            feedback: dict[str, Any] = {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, KeyError, MemoryError) as error:
        if isinstance(error, LogFormatError):
            raise
        raise LogFormatError(f"'{path}' cannot be read as arrays ({type(error).__name__}: {error}).") from error
    plain = {name: value.item() if value.ndim == 0 else value for name, value in feedback.items()}
    try:
        logged = from_obp(plain)
    except LogFormatError as error:
        raise LogFormatError(f"'{path}': {error}") from error
    piece = Piece(logged=logged, examples=np.ones(logged.n_rounds), known=logged.step + 1)
    return _whole(path, piece, tuple(Task(name=name) for name in logged.tasks), {}, [])
