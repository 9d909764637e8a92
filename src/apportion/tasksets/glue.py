"""The nine tasks of GLUE with their official metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._check import check_names
from ..training import Taskset
from .derived import with_decoys, with_validation_from_training
from .tables import Table, read_hub, read_table
from .workload import TextOptions, TextTask, text_taskset

HUB = "nyu-mll/glue"


@dataclass(frozen=True, slots=True)
class _Spec:
    texts: tuple[str, ...]
    classes: int | None
    primary: tuple[str, ...]


_PAIR = ("sentence1", "sentence2")
GLUE: dict[str, _Spec] = {
    "cola": _Spec(("sentence",), 2, ("matthews",)),
    "sst2": _Spec(("sentence",), 2, ("accuracy",)),
    "mrpc": _Spec(_PAIR, 2, ("f1", "accuracy")),
    "stsb": _Spec(_PAIR, None, ("pearson", "spearman")),
    "qqp": _Spec(("question1", "question2"), 2, ("f1", "accuracy")),
    "mnli": _Spec(("premise", "hypothesis"), 3, ("accuracy",)),
    "qnli": _Spec(("question", "sentence"), 2, ("accuracy",)),
    "rte": _Spec(_PAIR, 2, ("accuracy",)),
    "wnli": _Spec(_PAIR, 2, ("accuracy",)),
}


def glue(
    *,
    data_dir: str | Path | None = None,
    tasks: Sequence[str] | None = None,
    options: TextOptions | Mapping[str, Any] | None = None,
    decoys: bool = False,
    validate_on_training: bool = False,
) -> Taskset:
    """Makes the tasks of GLUE, scored on their development sets with the official metrics.

    Matthews correlation for CoLA; accuracy for SST-2, QNLI, RTE and WNLI; the mean of F1 and accuracy for MRPC and QQP;
    the mean of Pearson's and Spearman's correlation for STS-B; the mean accuracy over the matched and mismatched sets
    for MNLI, both of which are reported. The test sets have no public labels and are not used.

    The development set of WNLI pairs sentences of its training set with opposite labels, so that a model which learns
    the task scores below chance there; papers often leave it out of averages: give `tasks`, or say both.

    Source: Wang et al. 2018, arXiv 1804.07461; data set `nyu-mll/glue` on the Hugging Face hub.

    Args:
        data_dir: folder with `TASK/train.parquet` and `TASK/validation.parquet` (`validation_matched`, and
            `validation_mismatched` with any ending, for MNLI), columns and labels as on the hub; None loads from there.
        tasks: names of the tasks to take, in their order; None takes all nine.
        options: encoder, freezing and sizes; in a configuration the table `taskset.options`.
        decoys: add two useless tasks and one with corrupted labels; see `with_decoys`.
        validate_on_training: evaluate during a run on training examples set aside, and use the development sets for
            the final scores alone; see `with_validation_from_training`.

    Raises:
        ValueError: a task is unknown, or a table is not as it should be.
        FileNotFoundError: a file of `data_dir` is missing.
    """
    chosen = list(tasks) if tasks is not None else list(GLUE)
    check_names("tasks", chosen, list(GLUE))
    made = [_task(name, None if data_dir is None else Path(data_dir)) for name in chosen]
    origin = f"hub {HUB}" if data_dir is None else "local Parquet"
    taskset = text_taskset("glue", made, options, notes={"data": origin})
    taskset = with_validation_from_training(taskset) if validate_on_training else taskset
    return with_decoys(taskset) if decoys else taskset


def _task(name: str, folder: Path | None) -> TextTask:
    spec = GLUE[name]
    sets = (
        {"matched": "validation_matched", "mismatched": "validation_mismatched"}
        if name == "mnli"
        else {"": "validation"}
    )
    return TextTask(
        name=name,
        train=read_split(folder, HUB, name, "train"),
        validation={key: read_split(folder, HUB, name, split) for key, split in sets.items()},
        texts=columns(spec.texts),
        label="label",
        classes=None if spec.classes is None else range(spec.classes),
        primary=spec.primary,
    )


def read_split(folder: Path | None, hub: str, task: str, split: str) -> Table:
    """A split of a task from `FOLDER/TASK/SPLIT*.parquet`, or from the hub.

    Raises:
        FileNotFoundError: the folder has no such file.
        ValueError: the table cannot be read, or is empty.
    """
    if folder is None:
        return read_hub(hub, task, split)
    exact = folder / task / f"{split}.parquet"
    others = sorted((folder / task).glob(f"{split}_*.parquet")) if split == "validation_mismatched" else []
    if not exact.is_file() and not others:
        raise FileNotFoundError(
            f"there is no file '{exact}': give the folder that holds {task}/{split}.parquet as `data_dir`, leave the "
            f"task out, or leave `data_dir` out to load from the Hugging Face hub."
        )
    return read_table(exact if exact.is_file() else others[0])


def columns(names: Sequence[str]) -> Any:
    """From a table to these columns of text."""

    def take(table: Table) -> list[list[str]]:
        return [table.texts(name) for name in names]

    return take
