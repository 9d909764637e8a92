"""What a decision earns for the objective, read off the batches that are trained on anyway."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_choice, check_integer, check_number
from ..component import put_rows
from ..records import OBJECTIVES, Bools, Floats, Ints, ObjectiveName, Task, priorities
from ._base import Signal
from ._worth import SCALES, curve_slope, effects, lowest, rises

RECENT = 0.15  # weight of the newest level in a running mean
WINDOW = 3  # first batches of a task, whose mean is where it began
PROVISIONAL = 0.1  # of what is left to learn: slope by which effects are scaled, however flat a task is
OWN_SD = 0.5  # by which the own worth of a batch may differ from that of its curve
MARGIN = 0.1  # fraction by which a loss must be above where it began to count


@dataclass(kw_only=True)
class Worth(Signal):
    """Estimates what a decision for the task earns for the objective: its own gain and what it does to the others.

    The level of a task is the fraction of its batch that the model gets right before the update, minus the fraction by
    which the loss is more than a tenth above where it began: harm would not show in a success that cannot fall below 0.
    Until data repeat, that is a held-out score that costs nothing. From levels alone follow

    - own gain: the slope of a learning curve fitted to the levels with discount `keep`, but at least
      `upkeep` * k * (1 - level), k = -ln(1 - part of what could be learned) / n, which grows again when a level falls
      because its task is neglected, and at least `patience` * (1 - level) / (t / K + 10), as a flat start proves little
    - effects on others: an additive model in which a batch of task a is worth theta_ia batches of task i (see
      `effects`), so that the decisions for a earn sum over i of priority_i * slope_i * theta_ia. What is less than
      `doubt` standard errors from 0 is taken as 0, and the rest is shrunk (the garrote of Breiman 1995,
      DOI 10.2307/1269730; its text could not be checked); `optimism` standard errors are added, so that uncertain tasks
      get tried, and one for auxiliary tasks, which can only earn in this way.

    With `objective="worst"` the priority of a task is what the lowest level, smoothed, would gain if its level rose, so
    that it is near 0 for all but the tasks furthest behind. Whoever has wrong labels looks further behind than it is.

    The reward is priority * own gain + effects, in units of the objective per decision, with mean priority 1. While the
    mean level is more than `guard` to twice `guard` standard errors below its best, the reward moves to the mean of all
    tasks: a policy that did harm goes back to uniform, and stays the nearer to it the more of its decisions were made
    below the best (`sticky` times that fraction). All noise is that of successive levels of the same task.

    It needs no evaluation. It fails where training success means nothing for held-out data, as on small sets that are
    learned by heart: these look finished, so that little is spent on them, or where a task learns nothing for long and
    then a lot.

    Args:
        keep: discount of the levels of a task at each of its decisions, in (0, 1].
        upkeep: see above, not negative.
        patience: see above, not negative.
        others: whether effects on other tasks are estimated; never for more than 24 tasks.
        spread: deviation of theta_ia before any data, above 0; 1 for auxiliary tasks.
        memory: discount of the additive model at each decision for the task that is affected, in (0, 1].
        every: decisions between two fits of the additive model, at least 1.
        doubt: not negative.
        optimism: not negative.
        guard: standard errors, above 0.
        sticky: not negative.
        objective: what is to gain, `mean` (weighted by priority) or `worst` (the lowest of the tasks with a priority).

    Raises:
        ValueError: a parameter is out of its range.

    >>> signal = Worth()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> measured = {"success": np.array([0.0]), "loss": np.array([1.0])}
    >>> for _ in range(50):
    ...     stuck = signal.reward(np.array([0]), measured)
    >>> for right in np.linspace(0.0, 0.5, 50):
    ...     learning = signal.reward(np.array([1]), measured | {"success": np.array([right])})
    >>> bool(learning[0] > 2 * stuck[0] > 0)
    True
    """

    name = "worth"
    needs = frozenset({"loss", "success"})
    source = "our own"
    derived = frozenset({"tasks_", "priority_", "spread_", "optimism_"})

    keep: float = 0.97
    upkeep: float = 0.5
    patience: float = 0.03
    others: bool = True
    spread: float = 0.3
    memory: float = 0.985
    every: int = 8
    doubt: float = 1.0
    optimism: float = 0.6
    guard: float = 2.0
    sticky: float = 3.0
    objective: ObjectiveName = "mean"

    def __post_init__(self) -> None:
        for name in ("keep", "memory"):
            check_number(name, getattr(self, name), low=0.0, high=1.0, low_open=True)
        for name in ("spread", "guard"):
            check_number(name, getattr(self, name), low=0.0, low_open=True)
        for name in ("upkeep", "patience", "doubt", "optimism", "sticky"):
            check_number(name, getattr(self, name), low=0.0)
        check_integer("every", self.every, low=1)
        check_choice("objective", self.objective, OBJECTIVES)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, without effects on others, a bold one, and one for the worst task."""
        yield cls()
        yield cls(others=False, upkeep=0.0)
        yield cls(every=1, doubt=0.0, optimism=1.0, spread=1.0, keep=1.0, memory=1.0)
        yield cls(objective="worst")

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Nothing seen yet."""
        self.tasks_ = tuple(tasks)
        n_tasks = len(tasks)
        self.priority_ = priorities(tasks) * n_tasks
        self.spread_ = np.where(self.priority_ > 0, self.spread, 1.0)
        self.optimism_ = np.where(self.priority_ > 0, self.optimism, 1.0)
        shape = (n_runs, n_tasks)
        self.told_ = np.zeros(n_runs)
        self.counts_ = np.zeros(shape)
        self.first_ = np.zeros(shape)
        self.first_loss_ = np.zeros(shape)
        self.last_ = np.zeros(shape)
        self.level_ = np.zeros(shape)
        self.peak_ = np.zeros(n_runs)
        self.harmed_ = np.zeros(n_runs)
        self.squares_ = np.full(n_runs, 0.04)  # two pairs of levels with a noise of 0.1
        self.pairs_ = np.full(n_runs, 2.0)
        self.curve_ = np.zeros((*shape, len(SCALES), 3))
        self.sums_ = np.zeros((*shape, 2))
        self.own_ = np.zeros(shape)
        self.slope_ = np.full(shape, 0.02)
        self.others_ = np.zeros(shape)
        self.error_ = np.full(shape, 0.02)
        if self.models_others:
            self.amounts_ = np.zeros((*shape, n_tasks + 1))
            self.amounts_[:, :, -1] = 1.0
            self.matrix_ = np.zeros((*shape, n_tasks + 1, n_tasks + 1))
            self.vector_ = np.zeros((*shape, n_tasks + 1))

    @property
    def models_others(self) -> bool:
        """Whether effects on other tasks are estimated."""
        return self.others and 1 < len(self.priority_) <= 24

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """What the decision earned, as far as is known, shape (n_runs,); NaN where the level is not known."""
        known = np.isfinite(measured["success"]) & np.isfinite(measured["loss"])
        unknown = np.flatnonzero(~known)
        saved = self.take_rows(unknown) if unknown.size else []
        success, loss = (np.where(known, measured[name], 0.0) for name in ("success", "loss"))
        reward = self._reward(chosen, np.clip(success, 0.0, 1.0), loss)
        put_rows(saved, unknown)
        return np.where(known, reward, np.nan)

    def _reward(self, chosen: Ints, success: Floats, loss: Floats) -> Floats:
        rows = np.arange(len(chosen))
        at = (rows, chosen)
        n_tasks = len(self.priority_)
        level = success - self._excess(at, loss)
        if self.models_others:
            amounts = self.amounts_[at]
            self.matrix_[at] = self.memory * self.matrix_[at] + amounts[:, :, None] * amounts[:, None, :]
            self.vector_[at] = self.memory * self.vector_[at] + amounts * level[:, None]
        slope = self._slope(at, level)
        self.told_ += 1.0
        left = np.clip(1.0 - self.level_[at], 0.0, 2.0) / (self.told_ / n_tasks + 10.0)
        own = self._priority()[at] * np.maximum(slope, self.patience * left)
        self.own_[at] = own
        self.slope_[at] = np.maximum(slope, PROVISIONAL * left)
        if self.models_others:
            self.amounts_[rows, :, chosen] += self.slope_
            due = (self.told_ % self.every == 0) & (self.told_ >= 4 * n_tasks)
            if due.any():
                self._look_at_others(due)
        bonus = self.others_ + self.optimism_ * self.error_ if self.models_others else self.others_
        harmed = self._harmed()
        self.harmed_ += (harmed - self.harmed_) / self.told_
        harmed = np.maximum(harmed, np.minimum(self.sticky * self.harmed_, 1.0))
        mean = np.add.reduce(self.own_ + bonus, axis=1) / n_tasks
        return (1.0 - harmed) * (own + bonus[at]) + harmed * mean

    def _excess(self, at: tuple[Ints, Ints], loss: Floats) -> Floats:
        """Fraction by which the loss is above where it began, beyond the margin, up to 1."""
        count, first = self.counts_[at], self.first_loss_[at]
        first = np.where(count < WINDOW, first + (loss - first) / (count + 1.0), first)
        self.first_loss_[at] = first
        return np.clip(loss / np.where(first > 0.0, first, np.inf) - 1.0 - MARGIN, 0.0, 1.0)

    def _slope(self, at: tuple[Ints, Ints], level: Floats) -> Floats:
        """Take in a level; own gain of the next decision for the task, shape (n_runs,)."""
        count = self.counts_[at]
        again = count > 0
        self.squares_ += np.where(again, (level - self.last_[at]) ** 2, 0.0)
        self.pairs_ += again
        self.last_[at] = level
        f = rises(count)
        self.curve_[at] = self.keep * self.curve_[at] + np.stack([f, f * f, f * level[:, None]], axis=-1)
        self.sums_[at] = self.keep * self.sums_[at] + np.stack([np.ones_like(level), level], axis=-1)
        count = count + 1.0
        self.counts_[at] = count
        self.level_[at] += np.maximum(RECENT, 1.0 / count) * (level - self.level_[at])
        self.first_[at] += np.where(count <= WINDOW, (level - self.first_[at]) / count, 0.0)
        now, first = self.level_[at], self.first_[at]
        learned = np.clip((now - first) / np.maximum(1.0 - first, 0.05), 0.0, 0.99)
        upkeep = self.upkeep * -np.log1p(-learned) / count * np.clip(1.0 - now, 0.0, 1.0)
        return np.maximum(curve_slope(self.curve_[at], self.sums_[at], count, self._variance()), upkeep)

    def _variance(self) -> Floats:
        return np.maximum(0.5 * self.squares_ / self.pairs_, 1e-4)

    def _look_at_others(self, due: Bools) -> None:
        theta, variance = effects(self.matrix_[due], self.vector_[due], self._variance()[due], OWN_SD, self.spread_)
        weight = (self._priority()[due] * self.slope_[due])[:, :, None]
        effect = np.add.reduce(weight * theta, axis=1)
        error = np.sqrt(np.add.reduce(weight * weight * variance, axis=1))
        sure = np.abs(effect) > self.doubt * error
        doubt = self.doubt * error / np.where(sure, effect, 1.0)
        self.others_[due] = np.where(sure, effect * (1.0 - np.where(sure, doubt, 0.0) ** 2), 0.0)
        self.error_[due] = error

    def _harmed(self) -> Floats:
        """0 where the objective of the levels is near its best so far, 1 where it is clearly below, (n_runs,)."""
        n_tasks = len(self.priority_)
        if self.objective == "mean":
            now = np.add.reduce(self.level_ * self.priority_, axis=1) / n_tasks
        else:
            now = lowest(self.level_, self.priority_ > 0)[0]
        early = self.told_ < 4 * n_tasks
        self.peak_ = np.where(early, now, np.maximum(self.peak_, now))
        share = RECENT / (2.0 - RECENT) * np.add.reduce(self._priority() ** 2, axis=1) / n_tasks**2
        return np.clip((self.peak_ - now) / (self.guard * np.sqrt(self._variance() * share)) - 1.0, 0.0, 1.0)

    def _priority(self) -> Floats:
        """What the objective gains if the level of a task rises, times the number of tasks, (n_runs, n_tasks)."""
        if self.objective == "mean":
            return np.broadcast_to(self.priority_, self.level_.shape)
        return lowest(self.level_, self.priority_ > 0)[1] * len(self.priority_)
