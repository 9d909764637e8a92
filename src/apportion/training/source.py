"""The batches of one task, in an order that anyone can compute again."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from .._check import check_integer
from ..records import Ints
from .examples import Batch, Examples


class TaskSource:
    """Gives the batches of a task from any place on: the order is a pure function of seed, task and epoch.

    Every epoch goes once over all examples, in an order of its own; its last batch may be smaller. With several
    processes each takes its part of every batch, so that the run is the same whatever their number; a last batch with
    fewer examples than processes is left out.

    Args:
        name: of the task.
        examples: to take batches of.
        batch_size: examples in a batch, over all processes; at least 1, and at least `world`.
        seed: of the order.
        workers: processes that fetch batches ahead; 0 fetches in the loop. They live as long as the source.
        rank: number of this process.
        world: number of processes.

    Raises:
        ValueError: a number is out of range.

    >>> from apportion.training import TensorExamples
    >>> examples = TensorExamples(torch.zeros(5, 1), torch.zeros(5))
    >>> source = TaskSource("rte", examples, batch_size=2, seed=0)
    >>> [batch.size for batch in source.batches(epoch=3, start=1)]
    [2, 1]
    """

    def __init__(
        self,
        name: str,
        examples: Examples,
        *,
        batch_size: int,
        seed: int,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        check_integer("workers", workers, low=0)
        check_integer(f"batch_size of task {name!r}", batch_size, low=max(1, world))
        if len(examples) < world:
            raise ValueError(
                f"task {name!r} has {len(examples)} examples, which is less than one for each of {world} processes."
            )
        self.name = name
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self.workers = workers
        self.rank = rank
        self.world = world
        full, rest = divmod(len(examples), batch_size)
        self.length = full + (rest >= world)
        self._flow: Iterator[Batch] | None = None
        self._place = (-1, -1)  # of the next batch of the workers

    @property
    def size(self) -> int:
        """Number of examples."""
        return len(self.examples)

    def order(self, epoch: int) -> Ints:
        """Numbers of all examples in the order of this epoch, shape (n,)."""
        entropy = [self.seed, zlib.crc32(self.name.encode()), epoch]
        return np.random.Generator(np.random.PCG64(entropy)).permutation(len(self.examples))

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """The batches of pass `epoch` from batch `start` on."""
        if self.workers == 0:
            order = self.order(epoch)
            for index in range(start, self.length):
                yield self._take(order[index * self.batch_size : (index + 1) * self.batch_size])
            return
        if self._flow is None or self._place != (epoch, start):
            self._flow = self._fetch_ahead(epoch, start)
        flow = self._flow
        for index in range(start, self.length):
            self._place = (epoch, index + 1) if index + 1 < self.length else (epoch + 1, 0)
            yield next(flow)

    def close(self) -> None:
        """End the workers."""
        self._flow = None
        self._place = (-1, -1)

    def _take(self, numbers: Ints) -> Batch:
        if self.world == 1:
            return self.examples.take(numbers)
        return self.examples.take(numbers[self.rank :: self.world])._replace(size=len(numbers))

    def _fetch_ahead(self, epoch: int, start: int) -> Iterator[Batch]:
        # A generator of its own, so that starting workers does not move the random state of the training process.
        loader: DataLoader[Batch] = DataLoader(
            cast("Dataset[Batch]", _Takes(self)),
            sampler=_Endless(self, epoch, start),
            batch_size=None,
            num_workers=self.workers,
            collate_fn=_as_it_is,
            generator=torch.Generator(),
        )
        return iter(loader)


class _Takes:
    def __init__(self, source: TaskSource) -> None:
        self._source = TaskSource(
            source.name,
            source.examples,
            batch_size=source.batch_size,
            seed=source.seed,
            rank=source.rank,
            world=source.world,
        )

    def __len__(self) -> int:
        return self._source.size

    def __getitem__(self, numbers: Ints) -> Batch:
        return self._source._take(numbers)  # pyright: ignore[reportPrivateUsage]


class _Endless:
    """The numbers of each batch, one epoch after another, without end."""

    def __init__(self, source: TaskSource, epoch: int, start: int) -> None:
        self._order = source.order
        self._size, self._length = source.batch_size, source.length
        self._epoch, self._start = epoch, start

    def __iter__(self) -> Iterator[Ints]:
        epoch, start = self._epoch, self._start
        while True:
            order = self._order(epoch)
            for index in range(start, self._length):
                yield order[index * self._size : (index + 1) * self._size]
            epoch, start = epoch + 1, 0


def _as_it_is(item: Any) -> Any:
    return item
