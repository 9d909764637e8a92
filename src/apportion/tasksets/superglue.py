"""Five small tasks of SuperGLUE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._check import check_names
from ..training import Taskset
from .derived import with_validation_from_training
from .glue import columns, read_split
from .tables import Table
from .workload import TextOptions, TextTask, text_taskset

HUB = "aps/super_glue"


@dataclass(frozen=True, slots=True)
class _Spec:
    texts: Callable[[Table], Sequence[Sequence[str]]]
    classes: int
    primary: tuple[str, ...]


def _copa(table: Table) -> list[list[str]]:
    asked = {"cause": "What was the cause?", "effect": "What happened as a result?"}
    first = [
        f"{premise} {asked.get(question, question)}"
        for premise, question in zip(table.texts("premise"), table.texts("question"), strict=True)
    ]
    second = [f"{one} or {two}" for one, two in zip(table.texts("choice1"), table.texts("choice2"), strict=True)]
    return [first, second]


def _wic(table: Table) -> list[list[str]]:
    words = table.texts("word")
    return [
        [f"{word}: {text}" for word, text in zip(words, table.texts(side), strict=True)]
        for side in ("sentence1", "sentence2")
    ]


def _wsc(table: Table) -> list[list[str]]:
    spans = zip(table.texts("span2_text"), table.texts("span1_text"), strict=True)
    return [table.texts("text"), [f"{pronoun} refers to {noun}" for pronoun, noun in spans]]


SUPERGLUE: dict[str, _Spec] = {
    "boolq": _Spec(columns(("question", "passage")), 2, ("accuracy",)),
    "cb": _Spec(columns(("premise", "hypothesis")), 3, ("accuracy", "macro_f1")),
    "copa": _Spec(_copa, 2, ("accuracy",)),
    "wic": _Spec(_wic, 2, ("accuracy",)),
    "wsc": _Spec(_wsc, 2, ("accuracy",)),
}


def superglue(
    *,
    data_dir: str | Path | None = None,
    tasks: Sequence[str] | None = None,
    options: TextOptions | Mapping[str, Any] | None = None,
    validate_on_training: bool = False,
) -> Taskset:
    """Makes five tasks of SuperGLUE as classifications of text pairs, scored on their development sets.

    BoolQ, COPA, WiC and WSC by accuracy; CB by the mean of accuracy and F1 averaged over its three classes. COPA is the
    question with both choices, and which is right is the class; in WiC the word stands before each sentence; in WSC the
    second text is "PRONOUN refers to NOUN". Papers that score choices one by one, or mark spans, are not comparable.

    Source: Wang et al. 2019, arXiv 1905.00537; data set `aps/super_glue` on the Hugging Face hub.

    Args:
        data_dir: folder with `TASK/train.parquet` and `TASK/validation.parquet`, or one that has these in `superglue`;
            columns and labels as on the hub; None loads from the hub.
        tasks: names of the tasks to take, in their order; None takes all five.
        options: encoder, freezing and sizes; in a configuration the table `taskset.options`.
        validate_on_training: evaluate during a run on training examples set aside, and use the development sets for
            the final scores alone; see `with_validation_from_training`.

    Raises:
        ValueError: a task is unknown, or a table is not as it should be.
        FileNotFoundError: a file of `data_dir` is missing.
    """
    chosen = list(tasks) if tasks is not None else list(SUPERGLUE)
    check_names("tasks", chosen, list(SUPERGLUE))
    folder = None if data_dir is None else Path(data_dir)
    if folder is not None and (folder / "superglue").is_dir():
        folder = folder / "superglue"
    made = [
        TextTask(
            name=name,
            train=read_split(folder, HUB, name, "train"),
            validation={"": read_split(folder, HUB, name, "validation")},
            texts=SUPERGLUE[name].texts,
            label="label",
            classes=range(SUPERGLUE[name].classes),
            primary=SUPERGLUE[name].primary,
        )
        for name in chosen
    ]
    origin = f"hub {HUB}" if data_dir is None else "local Parquet"
    taskset = text_taskset("superglue", made, options, notes={"data": origin})
    return with_validation_from_training(taskset) if validate_on_training else taskset
