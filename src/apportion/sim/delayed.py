"""Measurements that come late or never."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._check import check_integer, check_number
from ..records import Ints
from ._streams import DELAY, Streams
from ._wrapper import Wrapper


@dataclass
class Delayed(Wrapper):
    """Decides when the measurements of a step arrive, if they do.

    With `random` the delay of every step is drawn from 0, ..., `steps`, so rewards overtake each other; otherwise it is
    always `steps`. Evaluations come in time.

    Args:
        world: the world inside.
        steps: the longest delay, from 0.
        missing: probability that the measurements of a step are lost, in [0, 1).
        random: whether delays differ.

    Raises:
        TypeError: `world` is none, or a number is none.
        ValueError: a number is out of range.
    """

    name = "delayed"
    source = "our own"

    steps: int = 0
    missing: float = 0.0
    random: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("steps", self.steps, low=0)
        check_number("missing", self.missing, low=0.0, high=1.0, high_open=True)

    @property
    def longest_delay(self) -> int:
        """`steps`, on top of the longest delay inside."""
        return self.steps + self.world.longest_delay

    def delays(self, streams: Streams, step: int) -> Ints | None:
        """Steps until the measurements of this step arrive, -1 for never."""
        inner = self.world.delays(streams, step)
        if self.steps == 0 and self.missing == 0:
            return inner
        # One uniform number decides both: below `missing` nothing comes, above it spreads evenly over the delays.
        uniform = streams.uniform(DELAY, step)
        rest = np.maximum(uniform - self.missing, 0.0) / (1.0 - self.missing)
        late: Ints = np.minimum(rest * (self.steps + 1), self.steps).astype(np.int64)
        delay = late if self.random else np.full_like(late, self.steps)
        if inner is not None:
            delay = np.where(inner < 0, -1, delay + inner)
        return np.where(uniform < self.missing, -1, delay)
