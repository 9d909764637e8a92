"""From what a policy asks for to the task drawn: masks, constraints, and the one place where chance decides."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from .component import encode
from .constraints import Constraints, project
from .records import Bools, Floats, Ints, Task

Execution = Literal["random", "smooth"]
_AHEAD = 256  # between two training steps one call of the generator takes as long as all else in `draw`
EXECUTIONS: tuple[Execution, ...] = ("random", "smooth")


@dataclass(frozen=True, slots=True)
class Shares:
    """Final probabilities, ready to be drawn from.

    Attributes:
        probabilities: shape (n_tasks,), read-only.
        cumulative: their sums up to each task, as far as the last task that can be drawn.
    """

    probabilities: Floats
    cumulative: list[float]


class Drawing:
    """Turns the probabilities of a policy into draws.

    Args:
        tasks: of the run.
        constraints: on their shares.
        execution: `random` or `smooth`; see `Selector`.
        seed: of the random generator.
    """

    def __init__(self, tasks: Sequence[Task], constraints: Constraints, execution: Execution, seed: int) -> None:
        self._lower, self._upper = constraints.bounds(tasks)
        self._bounded = bool((self._lower > 0).any() or (self._upper < 1).any())
        self.allowed: Bools = self._upper > 0
        self.execution: Execution = execution
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._ahead: list[float] = []  # random numbers drawn ahead, the next one last
        self.credit: Floats = np.zeros(len(tasks))  # what the smooth execution owes each task, in decisions

    def shares(self, asked: Floats, mask: Bools) -> Shares:
        """Final probabilities: what the policy asked for, shape (n_tasks,), masked and constrained."""
        if self._bounded:
            final = project(asked[None, :], self._lower, self._upper, mask[None, :])[0]
        else:
            final = np.where(mask, asked, 0.0)
            total = final.sum()
            # A policy may give nothing to the tasks that are left: they are then drawn alike.
            final = final / total if total > 0 else mask / mask.sum()
        final.flags.writeable = False
        cumulative: list[float] = final.cumsum().tolist()
        last = int(np.flatnonzero(final)[-1])
        return Shares(final, cumulative[: last + 1])

    def draw(self, shares: Shares) -> int:
        """The index of the next task."""
        if self.execution == "random":
            cumulative = shares.cumulative
            if not self._ahead:
                self._ahead = self._generator.random(_AHEAD)[::-1].tolist()
            return min(bisect_right(cumulative, self._ahead.pop() * cumulative[-1]), len(cumulative) - 1)
        self.credit += shares.probabilities
        task = int(np.where(shares.probabilities > 0, self.credit, -np.inf).argmax())
        self.credit[task] -= 1.0
        return task

    def draw_many(self, shares: Shares, n: int) -> Ints:
        """The indices of `n` independent draws."""
        self._step_back()
        cumulative = np.array(shares.cumulative)
        drawn = np.searchsorted(cumulative, self._generator.random(n) * cumulative[-1], side="right")
        return np.minimum(drawn, len(cumulative) - 1)

    @property
    def random_state(self) -> Any:
        """State of the random generator after the numbers that were used, as data that JSON can hold."""
        self._step_back()
        return self._generator.bit_generator.state

    @random_state.setter
    def random_state(self, state: Any) -> None:
        self._generator.bit_generator.state = state
        self._ahead = []

    def _step_back(self) -> None:
        bits = cast("np.random.PCG64", self._generator.bit_generator)
        bits.advance(-len(self._ahead))  # one step of the generator for each number
        self._ahead = []

    def state_dict(self) -> dict[str, Any]:
        """Random generator and credit, as data that JSON can hold."""
        return {"random": self.random_state, "credit": encode(self.credit)}
