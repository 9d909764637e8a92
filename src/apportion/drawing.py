"""From what a policy asks for to the task drawn: masks, constraints, and the one place where chance decides."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .component import encode
from .constraints import Constraints, project
from .records import Bools, Floats, Ints, Task

Execution = Literal["random", "smooth"]
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
        self.generator = np.random.Generator(np.random.PCG64(seed))
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
            return min(bisect_right(cumulative, self.generator.random() * cumulative[-1]), len(cumulative) - 1)
        self.credit += shares.probabilities
        task = int(np.where(shares.probabilities > 0, self.credit, -np.inf).argmax())
        self.credit[task] -= 1.0
        return task

    def draw_many(self, shares: Shares, n: int) -> Ints:
        """The indices of `n` independent draws."""
        cumulative = np.array(shares.cumulative)
        drawn = np.searchsorted(cumulative, self.generator.random(n) * cumulative[-1], side="right")
        return np.minimum(drawn, len(cumulative) - 1)

    def state_dict(self) -> dict[str, Any]:
        """Random generator and credit, as data that JSON can hold."""
        return {"random": self.generator.bit_generator.state, "credit": encode(self.credit)}
