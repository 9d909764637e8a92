"""The protocol of worlds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np

from ..budget import FORWARD_COST
from ..component import Component
from ..records import Bools, Floats, Ints, Task, priorities
from ._streams import PROBE, TARGET, Streams

if TYPE_CHECKING:
    from ._form import Form

EVALUATION_SHARE = 0.05
"""Part of the budget that evaluations take where a world does not say how often they come."""

BASIC: frozenset[str] = frozenset(
    {"loss", "loss_after", "self_before", "self_after", "target_before", "target_after", "mean_before", "mean_after"}
)
"""Measurements that follow from the losses alone, so that every world has them."""


class World(Component, ABC):
    """A simulated setting: tasks that learn from the batches drawn, and what a training loop would measure.

    Like a policy, a world is a dataclass and vectorised: `n_runs` runs advance together, arrays have the runs on their
    first axis, and run i depends on nothing but row i. A subclass gives `tasks` and `budget` (as fields or properties),
    `reset`, `step` and `scores`; the rest has defaults. Noise, delay, prices and change are wrappers around a world.

    The truth (`scores`, `losses`) never reaches a policy: policies and signals see what `train` and `evaluate` return.
    """

    tasks: tuple[Task, ...]
    budget: float
    provides: ClassVar[frozenset[str]] = BASIC
    """Measurements of a step that have a meaning in this world; `reward` where the world gives the reward itself."""
    evaluation_provides: ClassVar[frozenset[str]] = frozenset({"loss"})
    """Held-out measurements of every task that have a meaning in this world."""

    def with_budget(self, budget: float) -> Self:
        """The same world with another budget, without state."""
        return replace(cast("Any", self), budget=budget)

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return len(self.tasks)

    @property
    def measurements(self) -> frozenset[str]:
        """Measurements of a step that this world can give; wrappers take it over from the world inside."""
        return self.provides

    @property
    def evaluation_measurements(self) -> frozenset[str]:
        """Measurements of an evaluation that this world can give."""
        return self.evaluation_provides

    @property
    def costs(self) -> Floats:
        """Budget that a step on each task takes, shape (n_tasks,)."""
        return np.ones(self.n_tasks)

    @property
    def batch_size(self) -> int:
        """Training examples of one step."""
        return 1

    @property
    def evaluation_batches(self) -> int:
        """Batches of every task that an evaluation looks at."""
        return 1

    @property
    def evaluation_cost(self) -> float:
        """Budget that one evaluation of all tasks takes: a forward pass costs a third of a step."""
        return FORWARD_COST * self.evaluation_batches * float(self.costs.sum())

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations: as often as the share `EVALUATION_SHARE` of the budget allows."""
        return max(1, math.ceil(self.evaluation_cost / (EVALUATION_SHARE * float(self.costs.mean()))))

    @property
    def follows_budget(self) -> bool:
        """Whether `note_progress` has to be called before every step."""
        return False

    def note_progress(self, progress: Floats) -> None:
        """Take note of how much of the budget is spent, from 0 to 1, shape (n_runs,); most worlds need not know."""

    def rate(self) -> float | Floats:
        """Learning rate now, as a fraction of the full one, for all runs or shape (n_runs,)."""
        return 1.0

    @abstractmethod
    def reset(self, n_runs: int) -> None:
        """Begin anew with `n_runs` runs side by side."""

    @abstractmethod
    def step(self, chosen: Ints, *, active: Bools | None = None, worth: Floats | None = None) -> None:
        """Train on one batch in every run.

        Args:
            chosen: index of the task, shape (n_runs,).
            active: runs that still go on, shape (n_runs,); the others must stay as they are. None means all.
            worth: factor on what the batch teaches, shape (n_runs,). None means 1.
        """

    @abstractmethod
    def scores(self, rows: Ints | None = None) -> Floats:
        """True held-out scores, bigger is better, shape (n_runs, n_tasks) or those of the runs `rows`."""

    def losses(self) -> Floats:
        """True held-out losses, shape (n_runs, n_tasks); 1 - score unless a world says otherwise."""
        return 1.0 - self.scores()

    def loss(self, which: Ints) -> Floats:
        """True training loss of one task per run, shape (n_runs,); the held-out loss unless a world says otherwise."""
        return self.losses()[np.arange(which.shape[0]), which]

    def objective(self, rows: Ints | None = None) -> Floats:
        """Priority-weighted mean of the true scores, shape (n_runs,) or that of the runs `rows`."""
        # Not a matrix product: its rounding would depend on the number of runs.
        return (self.scores(rows) * priorities(self.tasks)).sum(axis=1)

    def fade(self, keep: Floats, rows: Bools) -> None:
        """Let the experience of each task fall to its part `keep`, shape (n_tasks,), in the runs `rows`."""
        raise ValueError(f"{type(self).__name__} has no experience that could lose its worth: give it a method `fade`.")

    def train(
        self,
        chosen: Ints,
        needs: frozenset[str],
        streams: Streams,
        step: int,
        *,
        active: Bools | None = None,
        worth: Floats | None = None,
    ) -> dict[str, Floats]:
        """Do one step and return what a loop would have measured, each (n_runs,)."""
        which = self._probes(chosen, needs, streams, step)
        found = {name: self.loss(which[name]) for name in _BEFORE if name in needs}
        self.step(chosen, active=active, worth=worth)
        # Nothing changes a training loss between two looks at it but the step.
        found.update({name: self.loss(which[name]) for name in _AFTER if name in needs})
        return found

    def evaluate(self, needs: frozenset[str], streams: Streams, index: int) -> tuple[Floats, dict[str, Floats]]:
        """What the held-out evaluation number `index` shows: scores, losses and the measurements that `needs` names."""
        return self.scores(), {"loss": self.losses()}

    def delays(self, streams: Streams, step: int) -> Ints | None:
        """Steps after which the measurements of this step arrive, shape (n_runs,), -1 for never; None means at once."""
        return None

    @property
    def longest_delay(self) -> int:
        """The largest number that `delays` returns."""
        return 0

    def flow(self, shares: Floats, steps: float | Floats, worth: Floats | None = None) -> None:
        """Train for `steps` steps at once with the given shares of each task, as if batches could be divided.

        The planners' smooth stand-in for many single steps.

        Args:
            shares: of each task, shape (n_runs, n_tasks).
            steps: how many, one number for all runs or shape (n_runs,).
            worth: factor on what the batches of each task teach, shape (n_tasks,) or (n_runs, n_tasks). None means 1.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot train on divided batches.")

    def form(self, *, relaxed: bool = False) -> Form | None:
        """The objective as a concave function of the spending, for exact solvers; None where it is none.

        With `relaxed`, a concave function that is nowhere below the objective, for upper bounds.
        """
        return None

    def _probes(self, chosen: Ints, needs: frozenset[str], streams: Streams, step: int) -> dict[str, Ints]:
        """The task that each measurement of a loss looks at."""
        which: dict[str, Ints] = dict.fromkeys(("loss", "loss_after", "self_before", "self_after"), chosen)
        if needs & {"target_before", "target_after"}:
            ends = np.cumsum(priorities(self.tasks))
            which["target_before"] = np.searchsorted(ends / ends[-1], streams.uniform(TARGET, step), side="right")
            which["target_after"] = which["target_before"]
        if needs & {"mean_before", "mean_after"}:
            which["mean_before"] = (streams.uniform(PROBE, step) * self.n_tasks).astype(np.int64)
            which["mean_after"] = which["mean_before"]
        return which

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Instances that the shared checks and the documentation use."""
        yield cls()


_BEFORE = ("loss", "self_before", "target_before", "mean_before")
_AFTER = ("loss_after", "self_after", "target_after", "mean_after")
