"""A user's own tasks, from files or from the Hugging Face hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .._check import check_choice, check_number
from ..training import Taskset, metric
from .glue import columns
from .tables import SUFFIXES, Table, read_hub, read_table
from .workload import TextOptions, TextTask, from_table, text_taskset


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTask:
    """A task whose data are files, or a data set on the Hugging Face hub.

    Args:
        name: unique in the workload.
        train: a CSV, TSV, JSONL or Parquet file with a header or named fields, or the id of a data set on the hub.
        validation: a held-out file, or the split of the data set; None holds out a part of the training data.
        text: column of the text, or two columns for pairs.
        label: column of the labels.
        kind: `classification` or `regression`.
        classes: the labels in the order of the classes; None takes those in the training data, sorted.
        metrics: reported at the end; None takes `primary`.
        primary: their mean is the score; None is accuracy, or Pearson's correlation for a regression.
        priority: importance in the objective; 0 for an auxiliary task.
        batch_size: examples in a batch; None takes that of the options.
        config: configuration of the data set on the hub.
        train_split: training split of the data set on the hub.
        held_out: fraction of the training data that is held out where there is no `validation`, in (0, 1).

    Raises:
        ValueError: a word or number is outside its range, or there are not one or two text columns.
    """

    name: str
    train: str | Path
    validation: str | Path | None = None
    text: str | Sequence[str]
    label: str
    kind: Literal["classification", "regression"] = "classification"
    classes: Sequence[Any] | None = None
    metrics: Sequence[str] | None = None
    primary: Sequence[str] | None = None
    priority: float = 1.0
    batch_size: int | None = None
    config: str | None = None
    train_split: str = "train"
    held_out: float = 0.1

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("classification", "regression"))
        check_number("held_out", self.held_out, low=0.0, high=1.0, low_open=True, high_open=True)
        if len(self.columns) not in (1, 2):
            raise ValueError(f"`text` of task {self.name!r} must name one or two columns, got {self.columns}.")
        for name in (*(self.metrics or ()), *(self.primary or ())):
            metric(name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of text."""
        return (self.text,) if isinstance(self.text, str) else tuple(self.text)


def files(
    tasks: Sequence[FileTask | Mapping[str, Any]],
    *,
    workload: str = "files",
    options: TextOptions | Mapping[str, Any] | None = None,
) -> Taskset:
    """Makes a workload of a user's own tasks on text.

    Args:
        tasks: at least one, with different names; in a configuration tables, each headed `[[taskset.tasks]]`.
        workload: its name, for reports.
        options: encoder, freezing and sizes; in a configuration the table `taskset.options`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a column is missing, a label is outside its range, a text is missing, a file is empty or unreadable,
            or a task comes twice. The message names file, column, row and value.
    """
    described = [from_table(FileTask, task, f"task {place} of `tasks`") for place, task in enumerate(tasks)]
    return text_taskset(workload, [_task(task) for task in described], options)


def _task(task: FileTask) -> TextTask:
    train, validation = _tables(task)
    for table in (train, validation):
        for column in (*task.columns, task.label):
            table.column(column)
    regression = task.kind == "regression"
    default = ("pearson",) if regression else ("accuracy",)
    return TextTask(
        name=task.name,
        train=train,
        validation={"": validation},
        texts=columns(task.columns),
        label=task.label,
        classes=None if regression else _classes(task, train),
        primary=tuple(task.primary or default),
        metrics=None if task.metrics is None else tuple(task.metrics),
        priority=task.priority,
        batch_size=task.batch_size,
    )


def _tables(task: FileTask) -> tuple[Table, Table]:
    if Path(task.train).suffix in SUFFIXES:
        train = read_table(task.train, text=task.columns)
        given = None if task.validation is None else read_table(task.validation, text=task.columns)
    else:
        name = str(task.train)
        train = read_hub(name, task.config, task.train_split)
        given = None if task.validation is None else read_hub(name, task.config, str(task.validation))
    if given is not None:
        return train, given
    n = max(1, round(task.held_out * len(train)))
    if n >= len(train):
        raise ValueError(
            f"{train.origin} has {len(train)} rows, too few to hold out a part of them for task {task.name!r}: give it "
            f"more, or a `validation` file."
        )
    seed = int.from_bytes(hashlib.sha256(task.name.encode()).digest()[:8], "big")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(train))
    return train.take(np.sort(order[n:])), train.take(np.sort(order[:n]))


def _classes(task: FileTask, train: Table) -> Sequence[Any]:
    values = train.column(task.label)
    for row, value in enumerate(values):
        if value is None or isinstance(value, float):
            raise ValueError(
                f"{train.origin} has {value!r} in row {row} of the label column {task.label!r}, which is no class: "
                f"correct it, drop the row, or make task {task.name!r} a regression (`kind`)."
            )
    found = (
        list(task.classes)
        if task.classes is not None
        else sorted(set(values), key=lambda value: (str(type(value)), value))
    )
    if len(found) < 2:
        raise ValueError(
            f"task {task.name!r} needs at least two classes, got {found}: check the label column {task.label!r} of "
            f"{train.origin}, or give `classes`."
        )
    return found
