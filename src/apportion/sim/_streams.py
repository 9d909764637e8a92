"""Random numbers for many runs side by side, the same for a run whichever others run with it."""

from __future__ import annotations

import numpy as np

from .._check import check_integer
from ..records import Floats

BLOCK = 64
"""Steps whose numbers are made in one go; part of the definition of the streams, not a matter of speed alone."""

DRAW, REWARD, TARGET, PROBE, EVALUATION, DELAY = range(6)
NOISE = 16
"""Purposes, so that what one use draws never shifts the numbers of another; noises of measurements count on from
`NOISE`."""


class Streams:
    """Streams of random numbers, one per run and purpose, read step by step for all runs at once.

    A counter-based generator (Philox-4x64, Salmon et al. 2011, DOI 10.1145/2063384.2063405) is placed at the counter
    (run, block of steps, purpose) under a key made from the seed. So the numbers of run i at step t depend on the
    seed, i, t and the purpose alone: one run by itself sees what it sees among ten thousand, every policy of a
    comparison meets the same noise, and runs can be dealt out to other processes by `first_run`.

    Args:
        seed: any whole number from 0.
        n_runs: runs side by side.
        first_run: number of the first of them.

    Raises:
        ValueError: the seed or `first_run` is negative, or there is no run.
    """

    def __init__(self, seed: int, n_runs: int, first_run: int = 0) -> None:
        check_integer("seed", seed, low=0)
        check_integer("n_runs", n_runs, low=1)
        check_integer("first_run", first_run, low=0)
        self.n_runs = n_runs
        self.first_run = first_run
        self._key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        self._blocks: dict[tuple[int, bool], tuple[int, Floats]] = {}

    def uniform(self, purpose: int, step: int) -> Floats:
        """Uniform numbers in [0, 1) of one step, shape (n_runs,). Steps should be asked for in order."""
        return self._at(purpose, step, normal=False)

    def normal(self, purpose: int, step: int) -> Floats:
        """Standard normal numbers of one step, shape (n_runs,)."""
        return self._at(purpose, step, normal=True)

    def uniforms(self, purpose: int, step: int, width: int) -> Floats:
        """Uniform numbers in [0, 1), `width` for every run, shape (n_runs, width)."""
        return self._raw(purpose, step, width)

    def normals(self, purpose: int, step: int, width: int) -> Floats:
        """Standard normal numbers, `width` for every run, shape (n_runs, width)."""
        return _box_muller(self._raw(purpose, step, width + width % 2))[:, :width]

    def _at(self, purpose: int, step: int, *, normal: bool) -> Floats:
        block, offset = divmod(step, BLOCK)
        made, numbers = self._blocks.get((purpose, normal), (-1, None))
        if numbers is None or made != block:
            raw = self._raw(purpose, block, BLOCK)
            # Steps first in memory, so that a step is one contiguous row.
            numbers = np.ascontiguousarray((_box_muller(raw) if normal else raw).T)
            self._blocks[purpose, normal] = (block, numbers)
        return numbers[offset]

    def _raw(self, purpose: int, block: int, width: int) -> Floats:
        # One value of the counter gives four numbers, so every run starts at a multiple of four.
        padded = width + -width % 4
        counter = np.array([self.first_run * padded // 4, 0, block, purpose], dtype=np.uint64)
        generator = np.random.Generator(np.random.Philox(key=self._key, counter=counter))
        return generator.random((self.n_runs, padded))[:, :width]


def _box_muller(uniform: Floats) -> Floats:
    """Two normal numbers from two uniform ones (Box and Muller 1958, DOI 10.1214/aoms/1177706645).

    A rejection method would be faster but takes a varying count of numbers, which would tie runs together.
    """
    half = uniform.shape[1] // 2
    radius = np.sqrt(-2.0 * np.log1p(-uniform[:, :half]))
    angle = 2.0 * np.pi * uniform[:, half:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
