"""Worlds in which the worth of the tasks' batches changes during the run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .._check import check_number
from ..records import Bools, Floats, Ints
from ._constants import per_task
from ._form import Form
from ._streams import Streams
from ._wrapper import Wrapper


@dataclass
class _Changing(Wrapper):
    """A wrapper that knows how much of the budget went into steps."""

    def reset(self, n_runs: int) -> None:
        """Begin anew with nothing spent."""
        super().reset(n_runs)
        self.spent_ = np.zeros(n_runs)

    @abstractmethod
    def worth_at(self, progress: Floats) -> Floats:
        """Factor on what a batch of each task teaches, shape (n, n_tasks), at the fractions of the budget (n,)."""

    def step(self, chosen: Ints, *, active: Bools | None = None, worth: Floats | None = None) -> None:
        """One step of the world inside with the worth of this moment."""
        self.world.step(chosen, active=active, worth=self._pass(chosen, active, worth))

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
        """One step of the world inside with the worth of this moment, with what is measured there."""
        now = self._pass(chosen, active, worth)
        return self.world.train(chosen, needs, streams, step, active=active, worth=now)

    def flow(self, shares: Floats, steps: float | Floats, worth: Floats | None = None) -> None:
        """Train the world inside on divided batches with the worth at the middle of the time."""
        self._begin(None)
        cost = steps * (shares * self.costs).sum(axis=1)
        now = self.worth_at((self.spent_ + cost / 2) / self.budget)
        self.spent_ += cost
        self.world.flow(shares, steps, now if worth is None else now * worth)

    def form(self, *, relaxed: bool = False) -> Form | None:
        """The form of the world inside with the worth at every step; None where batches repeat or prices differ."""
        form = self.world.form(relaxed=relaxed)
        if form is None:
            return None
        if form.reuse is not None or np.ptp(form.costs) > 0:
            if not relaxed:
                return None
            form = replace(form, reuse=None, costs=np.full_like(form.costs, form.costs.min()))
        progress = np.arange(form.n_steps) * form.costs[0] / form.budget
        worth = form.every_worth * self.worth_at(progress)
        return replace(form, worth=worth, retention=self._retention(form, progress))

    def _retention(self, form: Form, progress: Floats) -> Floats | None:
        """Part of the experience gained at each step that is left at the end."""
        return form.retention

    def _begin(self, active: Bools | None) -> None:
        """What happens at the start of a step; `active` as in `step`."""

    def _pass(self, chosen: Ints, active: Bools | None, worth: Floats | None) -> Floats:
        self._begin(active)
        cost = self.costs[chosen]
        now = self.worth_at(self.spent_ / self.budget)[np.arange(len(chosen)), chosen]
        self.spent_ += cost if active is None else cost * active
        return now if worth is None else now * worth


@dataclass
class Change(_Changing):
    """Decides that all is different after one moment of the run.

    Before it, a batch of task j teaches `before[j]` of what it teaches in the world inside, after it `after[j]`; at
    that moment the experience of task i falls to `keep[i]` of what it was, as when the data of the task change.

    Args:
        world: the world inside.
        at: fraction of the budget spent on steps, in (0, 1).
        before: factors, not negative; for all tasks or for each.
        after: factors, not negative; for all tasks or for each.
        keep: fractions in [0, 1]; for all tasks or for each.

    Raises:
        TypeError: `world` is none, or a number is none.
        ValueError: a number is out of range, or there is not one for each task.
    """

    name = "change"
    source = "our own"

    at: float = 0.5
    before: float | Sequence[float] | Floats = 1.0
    after: float | Sequence[float] | Floats = 1.0
    keep: float | Sequence[float] | Floats = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("at", self.at, low=0.0, high=1.0, low_open=True, high_open=True)
        self._before = per_task("before", self.before, self.n_tasks, low=0.0)
        self._after = per_task("after", self.after, self.n_tasks, low=0.0)
        self._keep = per_task("keep", self.keep, self.n_tasks, low=0.0, high=1.0)

    def worth_at(self, progress: Floats) -> Floats:
        """`before` up to the moment, `after` from it on."""
        return np.where((progress >= self.at - _SLACK)[:, None], self._after, self._before)

    def reset(self, n_runs: int) -> None:
        """Begin anew, before the change."""
        super().reset(n_runs)
        self.changed_ = np.zeros(n_runs, dtype=np.bool_)

    def _begin(self, active: Bools | None) -> None:
        due = (self.spent_ / self.budget >= self.at - _SLACK) & ~self.changed_
        if active is not None:
            due &= active
        if due.any():
            self.changed_ |= due
            if (self._keep < 1).any():
                self.fade(self._keep, due)

    def _retention(self, form: Form, progress: Floats) -> Floats | None:
        early = progress < self.at - _SLACK
        return form.every_retention * np.where(early[:, None], self._keep, 1.0)


@dataclass
class Drift(_Changing):
    """Decides that the worth of the tasks' batches moves evenly from the start to the end of the run.

    At progress p a batch of task j teaches (1 - p) `start[j]` + p `end[j]` of what it teaches in the world inside.

    Args:
        world: the world inside.
        start: factors, not negative; for all tasks or for each.
        end: factors, not negative; for all tasks or for each.

    Raises:
        TypeError: `world` is none, or a number is none.
        ValueError: a number is negative or not finite, or there is not one for each task.
    """

    name = "drift"
    source = "our own"

    start: float | Sequence[float] | Floats = 1.0
    end: float | Sequence[float] | Floats = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._start = per_task("start", self.start, self.n_tasks, low=0.0)
        self._end = per_task("end", self.end, self.n_tasks, low=0.0)

    def worth_at(self, progress: Floats) -> Floats:
        """From `start` to `end` in a straight line."""
        return self._start + np.minimum(progress, 1.0)[:, None] * (self._end - self._start)


_SLACK = 1e-9  # progress is a quotient of sums
