"""Sources of batches: anything that can be iterated over again and again, and how it is resumed."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from .records import Task


@runtime_checkable
class Resumable(Protocol):
    """A source that can start anywhere: resumes are exact and immediate."""

    def batches(self, epoch: int, start: int) -> Iterator[Any]:
        """The batches of pass `epoch` (from 0) from batch `start` on; always the same for the same arguments."""
        ...


@runtime_checkable
class Stateful(Protocol):
    """A source that saves its own position, such as torchdata's StatefulDataLoader."""

    def state_dict(self) -> dict[str, Any]:
        """The position as data."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to a saved position at the next `iter`."""
        ...


def count_examples(batch: Any) -> int:
    """The number of examples in a batch: the length of its first tensor, array or list, looked for in dicts and tuples.

    Raises:
        TypeError: nothing in the batch has a length.

    >>> count_examples({"text": ["a", "b", "c"], "label": [0, 1, 0]})
    3
    """
    if isinstance(batch, Mapping):
        return count_examples(next(iter(cast("Mapping[Any, Any]", batch).values())))
    if isinstance(batch, tuple) and batch:
        return count_examples(cast("tuple[Any, ...]", batch)[0])
    shape = getattr(batch, "shape", None)
    if shape:
        return int(shape[0])
    if hasattr(batch, "__len__"):
        return len(batch)
    raise TypeError(f"cannot count the examples of a batch of type {type(batch).__name__}: give `examples=`.")


_NONE = object()  # where no batch is held; a batch may be anything, None too


@dataclass(slots=True)
class Stream:
    """The batches of one task over and over, and where it stands."""

    name: str
    source: Iterable[Any] | Resumable
    seed: int
    look_ahead: bool
    epoch: int = 0
    index: int = 0  # of the next batch in this pass
    finished: int = 0  # passes completed
    resume_state: dict[str, Any] | None = None
    _iterator: Iterator[Any] | None = None
    _next: Any = _NONE

    def take(self) -> tuple[Any, tuple[int, int]]:
        """The next batch and its position; starts a new pass where the last one ended."""
        if self._next is _NONE:
            self._fetch()
        if self._next is _NONE:
            self._new_pass()
            self._fetch()
            if self._next is _NONE:
                raise ValueError(
                    f"the source of task {self.name!r} gave no batch: it is empty, or cannot be iterated twice."
                )
        batch, position = self._next, (self.epoch, self.index)
        self._next = _NONE
        self.index += 1
        if self.look_ahead:
            self._fetch()
            if self._next is _NONE:
                self._new_pass()
        return batch, position

    def _new_pass(self) -> None:
        self._iterator = None
        if self.index:
            self.epoch, self.index, self.finished = self.epoch + 1, 0, self.finished + 1

    def _fetch(self) -> None:
        if self._iterator is None:
            self._iterator = self._open()
        if self.look_ahead and isinstance(self.source, Stateful):
            self.resume_state = self.source.state_dict()
        self._next = next(self._iterator, _NONE)

    def _open(self) -> Iterator[Any]:
        if isinstance(self.source, Resumable):
            return self.source.batches(self.epoch, self.index)
        # Loaders that shuffle by a generator of their own repeat their order exactly if it is seeded for every pass.
        generator = getattr(self.source, "generator", None)
        if generator is not None and hasattr(generator, "manual_seed"):
            entropy = np.random.SeedSequence([self.seed, zlib.crc32(self.name.encode()), self.epoch])
            generator.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        owners: tuple[Any, Any] = (self.source, getattr(self.source, "sampler", None))
        for owner in owners:
            if hasattr(owner, "set_epoch"):
                owner.set_epoch(self.epoch)
        iterator = iter(self.source)
        if not isinstance(self.source, Stateful):
            for _ in range(self.index):
                next(iterator, None)
        return iterator

    def state(self, pending: bool) -> dict[str, Any]:
        """Where the stream stands, for `restore`."""
        saved: dict[str, Any] = {"epoch": self.epoch, "index": self.index, "finished": self.finished}
        if isinstance(self.source, Stateful) and not isinstance(self.source, Resumable):
            if pending:
                raise RuntimeError(
                    f"the source of task {self.name!r} saves its own position, so it can only be saved while none of "
                    f"its batches is pending: tell or skip them first, and set `prefetch=0`."
                )
            if self._iterator is not None:
                saved["source"] = self.resume_state if self.look_ahead else self.source.state_dict()
        elif _shuffles_unseeded(self.source):
            warnings.warn(
                f"task {self.name!r} shuffles by the global random generator, so a resume cannot repeat its order: "
                f"give its DataLoader a `generator`.",
                stacklevel=4,
            )
        return saved

    def restore(self, saved: Mapping[str, Any], pending: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Any]:
        """Stand where `state` was taken; gives back the batches of the pending positions."""
        frontier = (int(saved["epoch"]), int(saved["index"]))
        self.finished = int(saved["finished"])
        self._iterator, self._next = None, _NONE
        if "source" in saved and saved["source"] is not None and isinstance(self.source, Stateful):
            self.source.load_state_dict(saved["source"])
        found: dict[tuple[int, int], Any] = {}
        for epoch in sorted({position[0] for position in pending}):
            wanted = sorted(position[1] for position in pending if position[0] == epoch)
            self.epoch, self.index = epoch, wanted[0]
            for index, batch in enumerate(self._open(), wanted[0]):
                if index in wanted:
                    found[epoch, index] = batch
                if index == wanted[-1]:
                    break
        self.epoch, self.index = frontier
        return found


def _shuffles_unseeded(source: Any) -> bool:
    sampler = getattr(source, "sampler", None)
    return type(sampler).__name__ == "RandomSampler" and getattr(sampler, "generator", None) is None


def describe(name: str, source: Any) -> Task:
    """A task with the size that its source knows: its `size`, the length of its `dataset`, or the examples of a list.

    Raises:
        ValueError: the source is empty.
    """
    size = getattr(source, "size", None)
    if size is None:
        dataset = getattr(source, "dataset", None)
        size = len(cast("Any", dataset)) if hasattr(dataset, "__len__") else None
    if size is None and isinstance(source, (list, tuple)):
        size = sum(count_examples(batch) for batch in cast("Sequence[Any]", source))
    if size == 0:
        raise ValueError(f"the source of task {name!r} is empty: leave the task out, or give it data.")
    return Task(name=name, size=None if size is None else int(size))
