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
from ..records import Floats, Ints, Logged, Task, check_tasks
from .columns import Columns, positions
from .header import FORMAT, VERSION, task_from

MAX_LINE = 64 * 2**20
"""Longest line that a reader accepts, in bytes: a hostile file must not eat the memory."""
MAX_TASKS = 100_000
"""Most tasks of a log."""


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
        known: the first step at which a policy may have learned from the decision's reward, shape (n_rounds,): the next
            decision that was settled after it, or the evaluation that brought its reward.
        measured: measurements by name, each (n_rounds,), NaN where absent.
        evaluations: in their order.
        events: in their order, as plain data.
    """

    header: dict[str, Any]
    tasks: tuple[Task, ...]
    logged: Logged
    status: list[str]
    examples: Floats
    known: Ints
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
    """Takes the lines of a log one by one and makes a `Log` of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: dict[str, Any] = {}
        self._tasks: dict[str, Task] = {}
        self._index: dict[str, int] = {}
        self._columns = Columns(str(path), self._index)
        self._evaluations: list[LoggedEvaluation] = []
        self._credits: list[tuple[int, float, int]] = []  # step, reward, step of the evaluation
        self._events: list[dict[str, Any]] = []

    def _fail(self, number: int, text: str) -> LogFormatError:
        return LogFormatError(f"'{self._path}' line {number}: {text}.")

    def start(self, header: Any, number: int) -> None:
        """Take the first line, or the header that a migration brought."""
        if not isinstance(header, dict) or cast("dict[str, Any]", header).get("format") != FORMAT:
            raise self._fail(number, "this is not a decision log: its first line has no `format` of 'apportion-log'")
        head = cast("dict[str, Any]", header)
        version = head.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise self._fail(
                number,
                f"the log has the format version {version!r}, this program reads up to {VERSION}: update apportion",
            )
        try:
            if len(head["tasks"]) > MAX_TASKS:
                raise ValueError(f"{len(head['tasks']):,} tasks, more than {MAX_TASKS:,}")
            tasks = [task_from(item) for item in head["tasks"]]
            check_tasks(tasks)
            if head["execution"] not in ("random", "smooth"):
                raise ValueError(f"unknown execution {head['execution']!r}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._fail(number, f"field `tasks` or `execution` of the header is wrong ({error})") from error
        for task in tasks:
            self._index.setdefault(task.name, len(self._index))
            self._tasks[task.name] = task
        self._columns.header([self._index[task.name] for task in tasks])
        self._header = head

    def line(self, data: Any, number: int) -> None:
        """Take any other line."""
        if not isinstance(data, dict):
            raise self._fail(number, "a record must be a JSON object")
        record = cast("dict[str, Any]", data)
        try:
            if "task" in record:
                self._columns.add(number, record)
            elif "evaluation" in record:
                self._evaluation(record)
            elif "event" in record:
                self._events.append(record)
                if record["event"] == "migrated":
                    self.start(record["header"], number)
            else:
                raise self._fail(number, "a record must have `task`, `evaluation` or `event`")
        except KeyError as error:
            raise self._fail(number, f"field {error} is missing or names an unknown task") from error
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            if isinstance(error, LogFormatError):
                raise
            raise self._fail(number, f"a field has the wrong type ({error})") from error

    def _evaluation(self, record: dict[str, Any]) -> None:
        measured = cast("dict[str, Any]", record.get("measured") or {})
        self._evaluations.append(
            LoggedEvaluation(
                step=int(record["step"]),
                spent=float(record["spent"]),
                cost=float(record["cost"]),
                scores=self._by_task(record["scores"]),
                measured={str(key): self._by_task(value) for key, value in measured.items()},
            )
        )
        at = int(record["step"])
        self._credits.extend((int(step), float(reward), at) for step, reward in record.get("credits") or ())

    def _by_task(self, values: Mapping[str, float | None]) -> Floats:
        row = np.full(len(self._index), np.nan)
        for name, value in values.items():
            row[self._index[name]] = np.nan if value is None else value
        return row

    def finish(self) -> Log:
        """The whole log.

        Raises:
            LogFormatError: there was no header, or a record is wrong.
        """
        if not self._header:
            raise self._fail(1, "the log is empty")
        columns = self._columns.finish()
        n_tasks = len(self._index)
        order = np.argsort(columns["step"], kind="stable")
        steps, rewards = columns["step"][order], columns["reward"][order]
        known = _known(steps, order)
        where = positions(steps, [step for step, _, _ in self._credits])
        for row, (_, reward, at) in zip(where.tolist(), self._credits, strict=True):
            if row >= 0:
                rewards[row] = reward
                known[row] = max(at, known[row])
        for evaluation in self._evaluations:
            evaluation.scores = _widen(evaluation.scores, n_tasks)
            evaluation.measured = {key: _widen(value, n_tasks) for key, value in evaluation.measured.items()}
        return Log(
            header=self._header,
            tasks=tuple(self._tasks[name] for name in self._index),
            logged=Logged(
                tasks=tuple(self._index),
                chosen=columns["task"][order],
                probabilities=columns["p"][order],
                reward=rewards,
                step=steps,
                cost=columns["cost"][order],
            ),
            status=[columns["status"][row] for row in order.tolist()],
            examples=columns["examples"][order],
            known=known,
            measured={name: values[order] for name, values in columns["measured"].items()},
            evaluations=self._evaluations,
            events=self._events,
        )


def _known(steps: Ints, lines: Ints) -> Ints:
    """For each decision the step of the next one that was settled after it; all in the order of steps."""
    known: Ints = steps + 1
    if (np.diff(lines) > 0).all():
        return known
    waiting: list[int] = []
    for row, line in enumerate(lines.tolist()):
        while waiting and lines[waiting[-1]] < line:
            known[waiting.pop()] = steps[row]
        waiting.append(row)
    known[waiting] = steps[-1] + 1
    return known


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
    return reader.finish()
