"""Reading logs from anywhere: every line is checked before it is believed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson

from ..errors import LogFormatError
from ..records import Floats, Logged, Task
from .header import FORMAT, VERSION, task_from

MAX_LINE = 64 * 2**20
"""Longest line that a reader accepts, in bytes: a hostile file must not eat the memory."""


@dataclass(slots=True)
class LoggedEvaluation:
    """One evaluation as logged; scores in the order of the log's tasks, NaN where undefined."""

    step: int
    spent: float
    cost: float
    scores: Floats
    measured: dict[str, Floats] = field(default_factory=dict[str, Floats])


@dataclass(slots=True)
class Log:
    """A whole log in memory.

    Attributes:
        header: the first line, or after migrations the newest header.
        tasks: all tasks that ever took part, in the order of their appearance.
        logged: the decisions as arrays, sorted by step.
        status: `told`, `skipped` or `pending` per decision.
        examples: training examples per decision, shape (n_rounds,).
        measured: measurements by name, each (n_rounds,), NaN where absent.
        evaluations: in their order.
        events: in their order, as plain data.
    """

    header: dict[str, Any]
    tasks: tuple[Task, ...]
    logged: Logged
    status: list[str]
    examples: Floats
    measured: dict[str, Floats]
    evaluations: list[LoggedEvaluation]
    events: list[dict[str, Any]]

    @property
    def usable_off_policy(self) -> bool:
        """Whether tasks were drawn at random from the logged probabilities, as estimates from the log require."""
        return self.header["execution"] == "random"

    def to_obp(self) -> dict[str, Any]:
        """The rewarded decisions as the `bandit_feedback` dictionary of Open Bandit Pipeline (0.5)."""
        data = self.logged.rewarded()
        return {
            "n_rounds": data.n_rounds,
            "n_actions": len(data.tasks),
            "context": data.step[:, None].astype(np.float64),
            "action_context": np.eye(len(data.tasks)),
            "action": data.chosen,
            "position": None,
            "reward": data.reward,
            "expected_reward": None,
            "pi_b": data.probabilities[:, :, None],
            "pscore": data.propensity,
        }


class _Reader:
    """Turns lines into columns, checking each; knows the tasks of the current header."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: dict[str, Any] = {}
        self.tasks: dict[str, Task] = {}
        self._order: list[int] = []  # column of each entry of `p` under the current header
        self.steps: list[int] = []
        self.chosen: list[int] = []
        self.rows: list[list[float]] = []
        self.blocks: list[tuple[int, list[int]]] = []  # (first row, columns), one per header
        self.rewards: list[float] = []
        self.costs: list[float] = []
        self.examples: list[float] = []
        self.status: list[str] = []
        self.measured: list[dict[str, float] | None] = []
        self.evaluations: list[LoggedEvaluation] = []
        self.credits: list[tuple[int, float]] = []
        self.events: list[dict[str, Any]] = []
        self._index: dict[str, int] = {}

    def fail(self, number: int, text: str) -> LogFormatError:
        return LogFormatError(f"'{self.path}' line {number}: {text}.")

    def start(self, header: Any, number: int) -> None:
        if not isinstance(header, dict) or cast("dict[str, Any]", header).get("format") != FORMAT:
            raise self.fail(number, "this is not a decision log: its first line has no `format` of 'apportion-log'")
        head = cast("dict[str, Any]", header)
        version = head.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise self.fail(
                number,
                f"the log has the format version {version!r}, this program reads up to {VERSION}: update apportion",
            )
        try:
            tasks = [task_from(item) for item in head["tasks"]]
            if head["execution"] not in ("random", "smooth"):
                raise ValueError(f"unknown execution {head['execution']!r}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self.fail(number, f"field `tasks` or `execution` of the header is wrong ({error})") from error
        for task in tasks:
            self._index.setdefault(task.name, len(self._index))
            self.tasks[task.name] = task
        self._order = [self._index[task.name] for task in tasks]
        self.blocks.append((len(self.rows), self._order))
        self.header = head

    def line(self, data: Any, number: int) -> None:
        if not isinstance(data, dict):
            raise self.fail(number, "a record must be a JSON object")
        record = cast("dict[str, Any]", data)
        try:
            if "task" in record:
                self._decision(record, number)
            elif "evaluation" in record:
                self._evaluation(record)
            elif "event" in record:
                self.events.append(record)
                if record["event"] == "migrated":
                    self.start(record["header"], number)
            else:
                raise self.fail(number, "a record must have `task`, `evaluation` or `event`")
        except KeyError as error:
            raise self.fail(number, f"field {error} is missing or names an unknown task") from error
        except (TypeError, ValueError, OverflowError) as error:
            if isinstance(error, LogFormatError):
                raise
            raise self.fail(number, f"a field has the wrong type ({error})") from error

    def _decision(self, record: dict[str, Any], number: int) -> None:
        row: Any = record["p"]
        column = self._index[record["task"]]
        if type(row) is not list or len(cast("list[Any]", row)) != len(self._order):
            raise self.fail(number, f"field `p` must list {len(self._order)} probabilities")
        row = cast("list[float]", row)
        if not abs(sum(row) - 1.0) < 1e-6 or min(row) < 0:
            raise self.fail(number, f"field `p` must be probabilities that sum to 1, got a sum of {sum(row)!r}")
        if not row[self._order.index(column)] > 0:
            raise self.fail(number, f"field `p` gives the task drawn, {record['task']!r}, no probability")
        status = record["status"]
        if status not in ("told", "skipped", "pending"):
            raise self.fail(number, f"field `status` must be told, skipped or pending, got {status!r}")
        reward, cost, examples = record["reward"], record["cost"], record["examples"]
        self.rewards.append(np.nan if reward is None else float(reward))
        self.costs.append(float(cost))
        self.examples.append(float(examples))
        self.steps.append(int(record["step"]))
        self.chosen.append(column)
        self.rows.append(row)
        self.status.append(status)
        self.measured.append(record.get("measured") or None)

    def _evaluation(self, record: dict[str, Any]) -> None:
        self.evaluations.append(
            LoggedEvaluation(
                step=int(record["step"]),
                spent=float(record["spent"]),
                cost=float(record["cost"]),
                scores=self._by_task(record["scores"]),
                measured={str(key): self._by_task(value) for key, value in record.get("measured", {}).items()},
            )
        )
        self.credits.extend((int(step), float(reward)) for step, reward in record.get("credits", ()))

    def _by_task(self, values: Mapping[str, float | None]) -> Floats:
        row = np.full(len(self._index), np.nan)
        for name, value in values.items():
            row[self._index[name]] = np.nan if value is None else value
        return row

    def finish(self) -> Log:
        n_rounds, n_tasks = len(self.rows), len(self._index)
        probabilities = np.zeros((n_rounds, n_tasks))
        ends = [start for start, _ in self.blocks[1:]] + [n_rounds]
        for (start, columns), end in zip(self.blocks, ends, strict=True):
            if end > start:
                probabilities[start:end, columns] = np.array(self.rows[start:end], dtype=np.float64)
        # JSON keeps every bit of a float, but a foreign log may be rounded: divide by the sums, checked above.
        probabilities /= probabilities.sum(axis=1, keepdims=True) if n_rounds else 1.0
        steps = np.array(self.steps, dtype=np.int64)
        order = np.argsort(steps, kind="stable")
        rewards = np.array(self.rewards, dtype=np.float64)
        if self.credits:
            where = {step: row for row, step in enumerate(self.steps)}
            for step, reward in self.credits:
                if step in where:
                    rewards[where[step]] = reward
        names = sorted({key for row in self.measured if row for key in row})
        measured = {
            name: np.array([np.nan if not row else row.get(name, np.nan) for row in self.measured], dtype=np.float64)[
                order
            ]
            for name in names
        }
        for evaluation in self.evaluations:
            evaluation.scores = _widen(evaluation.scores, n_tasks)
            evaluation.measured = {key: _widen(value, n_tasks) for key, value in evaluation.measured.items()}
        return Log(
            header=self.header,
            tasks=tuple(self.tasks[name] for name in self._index),
            logged=Logged(
                tasks=tuple(self._index),
                chosen=np.array(self.chosen, dtype=np.int64)[order],
                probabilities=probabilities[order],
                reward=rewards[order],
                step=steps[order],
                cost=np.array(self.costs, dtype=np.float64)[order],
            ),
            status=[self.status[row] for row in order],
            examples=np.array(self.examples, dtype=np.float64)[order],
            measured=measured,
            evaluations=self.evaluations,
            events=self.events,
        )


def _widen(row: Floats, n_tasks: int) -> Floats:
    return np.concatenate([row, np.full(n_tasks - row.shape[0], np.nan)])


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise LogFormatError(f"'{path}' line {number}: it is longer than {MAX_LINE} bytes.")
            yield number, line


def read_log(path: str | Path) -> Log:
    """Read and check a whole log. A last line that a crash tore off is left out, with a warning.

    Raises:
        FileNotFoundError: there is no such file.
        LogFormatError: the file is not a log, is of a newer version, or a line is damaged; names line and field.
    """
    path = Path(path)
    reader = _Reader(path)
    for number, line in _lines(path):
        try:
            data = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if number > 1 and not line.endswith(b"\n"):
                warnings.warn(f"'{path}' ends in a torn line ({number}), which is left out.", stacklevel=2)
                break
            raise LogFormatError(f"'{path}' line {number}: this is not JSON ({error}).") from error
        if number == 1:
            reader.start(data, number)
        else:
            reader.line(data, number)
    if not reader.header:
        raise LogFormatError(f"'{path}' line 1: the log is empty.")
    return reader.finish()
