"""Features of tasks that a policy can see without measuring anything, and the window of decisions they came with."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .._check import check_choice, check_integer, check_number
from ..records import Bools, Context, Floats, Ints, Task, priorities
from ._base import Policy
from ._choice import normalised
from ._counterfactual_cross import cross_effects
from ._counterfactual_curves import GAIN, LEVEL, SCALES, gain_sums, level_sums, noise, slopes

FEATURES = ("gain", "progress", "fast", "recency", "share", "count", "epochs", "size")
Reward = Literal["worth", "own", "objective"]
LIMIT = 6.0
"""Features are clipped to this on either side."""
SLOW = 0.03
"""Weight of the newest reward in the mean of `reward="worth"`, once there are many."""


@dataclass(kw_only=True)
class FeaturePolicy(Policy, ABC):
    """Sees each task by these features, centred over the tasks and clipped to 6 on either side.

    - gain: ln(value + optimism * deviation), value being what the next decision for the task should earn
    - progress: value in units of its deviation, as a t-statistic: flat where rewards are noise
    - fast: a running mean of the last rewards, as a t-statistic
    - recency: ln(1 + decisions since the task was last seen)
    - share: part of all decisions
    - count: ln(1 + decisions for the task)
    - epochs: ln(1 + decisions / size), with sizes in units of the mean
    - size: ln(size), 0 where no sizes are known

    With `reward="worth"` a reward is an estimate of what the decision earned, such as the signal `worth` gives, and the
    value is a running mean, drawn towards the last reward where that is further away than noise between successive
    rewards explains. Otherwise the value comes from a learning curve fitted to the rewards of each task: with `"own"` a
    reward tells what the drawn task itself gained, and the value is its slope times its priority, plus what its
    decisions did to the others (see `cross`); with `"objective"` it tells what the objective gained, and the value is
    the slope.

    Args:
        reward: what a reward tells, `worth`, `own` or `objective`.
        window: last decisions that are kept, at least 8.
        every: decisions between two fits, at least 1.
        refresh: decisions between two looks at the curves, once every task was seen some four times; at least 1.
        optimism: deviations added to the value, above 0.
        cross: whether effects on other tasks are estimated; only for rewards of the tasks' own that are changes of a
            level, such as `loss_decrease`, and for at most 50 tasks.
        doubt: standard errors that such an effect has to be away from 0, above 0.
    """

    family = "bandit"
    needs = frozenset({"reward"})
    usual_signal = "loss_decrease"
    derived = frozenset({"tasks_", "priority_", "log_size_", "inverse_size_"})

    reward: Reward = "own"
    window: int = 256
    every: int = 25
    refresh: int = 4
    optimism: float = 1.0
    cross: bool = True
    doubt: float = 2.5

    def __post_init__(self) -> None:
        check_choice("reward", self.reward, ("worth", "own", "objective"))
        check_integer("window", self.window, low=8)
        check_integer("every", self.every, low=1)
        check_integer("refresh", self.refresh, low=1)
        check_number("optimism", self.optimism, low=0.0, low_open=True)
        check_number("doubt", self.doubt, low=0.0, low_open=True)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Nothing seen yet."""
        self.tasks_ = tuple(tasks)
        n_tasks = len(tasks)
        self.priority_ = priorities(tasks) * n_tasks if self.reward == "own" else np.ones(n_tasks)
        sizes = np.array([np.nan if task.size is None else task.size for task in tasks], dtype=np.float64)
        known = np.where(np.isnan(sizes), np.nanmean(sizes) if np.isfinite(sizes).any() else 1.0, sizes)
        self.log_size_ = np.log(known) - np.log(known).mean()
        self.inverse_size_ = known.mean() / known
        shape = (n_runs, n_tasks)
        self.counts_ = np.zeros(shape)
        self.total_ = np.zeros(shape)
        self.last_ = np.zeros(shape)
        self.fast_ = np.zeros(shape)
        self.seen_ = np.zeros(shape)  # decision at which the task was last seen
        self.drop_ = np.zeros(shape)
        self.slow_ = np.zeros(shape)
        self.jumps_ = np.zeros((n_runs, 2))  # squares of differences between successive rewards, and how many
        if self.reward != "worth":
            self.level_data_ = np.zeros((*shape, len(SCALES), LEVEL))
            self.gain_data_ = np.zeros((*shape, len(SCALES), GAIN))
        self.told_ = np.zeros(n_runs, dtype=np.int64)
        self.squares_ = np.zeros(n_runs)
        self.products_ = np.zeros(n_runs)
        self.pairs_ = np.zeros(n_runs)
        self.power_ = np.zeros(n_runs)
        self.value_ = np.ones(shape)
        self.deviation_ = np.ones(shape)
        self.cross_ = np.zeros(shape)
        self.chosen_ = np.zeros((n_runs, self.window), dtype=np.int64)
        self.rewards_ = np.zeros((n_runs, self.window))

    def features(self) -> Floats:
        """What is known about every task now, shape (n_runs, n_tasks, n_features)."""
        value, deviation = self.values()
        typical = np.sqrt(np.add.reduce(deviation * deviation, axis=1, keepdims=True) / value.shape[1])
        typical = np.where(typical > 0.0, typical, 1.0)
        optimistic = value + self.optimism * deviation
        most = np.maximum.reduce(np.abs(optimistic), axis=1, keepdims=True)
        gain = np.log(np.maximum(optimistic, np.where(most > 0.0, 1e-4 * most, 1.0)))
        told = np.maximum(self.told_, 1)[:, None]
        variance, _ = self._noise()
        fast = self.fast_ / np.sqrt(variance)[:, None] * np.sqrt(np.minimum(self.counts_, 9.0))
        columns = (
            gain,
            value / typical,
            fast,
            np.log1p(self.told_[:, None] - self.seen_),
            self.counts_ / told * value.shape[1],
            np.log1p(self.counts_),
            np.log1p(self.counts_ * self.inverse_size_),
            np.broadcast_to(self.log_size_, value.shape),
        )
        stacked = np.stack(columns, axis=2)
        stacked -= np.add.reduce(stacked, axis=1, keepdims=True) / value.shape[1]
        return np.clip(stacked, -LIMIT, LIMIT)

    def values(self) -> tuple[Floats, Floats]:
        """What the next decision for each task should earn, and its deviation, both of shape (n_runs, n_tasks)."""
        n_tasks = len(self.priority_)
        value = self.value_ * self.priority_ + self.cross_ * (n_tasks - self.priority_)
        return value, self.deviation_ * np.maximum(self.priority_, 0.1)

    def prices(self, context: Context) -> Floats:
        """What a decision for each task costs, in units of the mean; the mean where it is not known yet."""
        drawn = (context.counts > 0) & (context.costs > 0)
        price = np.where(drawn, context.costs / np.where(drawn, context.counts, 1), 0.0)
        known = np.add.reduce(drawn, axis=1, keepdims=True)
        mean = np.add.reduce(price, axis=1, keepdims=True) / np.maximum(known, 1)
        return np.where(drawn, price / np.where(mean > 0.0, mean, 1.0), 1.0)

    def first_visits(self, shares: Floats, mask: Bools | None, visits: float) -> Floats:
        """Nine tenths on tasks that were seen fewer than `visits` times, while there are such, and a tenth on all."""
        missing = self.counts_ < visits
        if mask is not None:
            missing &= mask
        some = np.logical_or.reduce(missing, axis=1, keepdims=True)
        if not some.any():
            return shares
        everyone = np.ones_like(shares) if mask is None else mask.astype(np.float64)
        fresh = missing / np.maximum(np.add.reduce(missing, axis=1, keepdims=True), 1)
        return np.where(some, 0.9 * fresh + 0.1 * normalised(everyone), shares)

    def note(self, chosen: Ints, reward: Floats) -> Ints:
        """Take in a reward of each run; where in the window it went, shape (n_runs,)."""
        rows = np.arange(len(chosen))
        at = (rows, chosen)
        count = self.counts_[at] + 1.0
        again = count > 1.0
        last = self.last_[at]
        self.squares_ += np.where(again, (reward - last) ** 2, 0.0)
        # Around the slope as fitted so far: progress itself would make the products positive.
        slope = self.value_[at]
        self.products_ += np.where(again, (reward - slope) * (last - slope), 0.0)
        self.pairs_ += again
        self.counts_[at], self.last_[at] = count, reward
        self.total_[at] += reward
        self.fast_[at] += np.where(again, 0.2, 1.0) * (reward - self.fast_[at])
        self.slow_[at] += np.maximum(SLOW, 1.0 / count) * (reward - self.slow_[at])
        jump = np.stack([np.where(again, (reward - last) ** 2, 0.0), again], axis=1)
        self.jumps_ = np.where(again[:, None], 1.0 - SLOW, 1.0) * self.jumps_ + jump
        if self.reward != "worth":
            self.level_data_[at] += level_sums(count, self.total_[at], self.told_ / len(self.priority_))
            self.gain_data_[at] += gain_sums(count, reward)
        place = self.told_ % self.window
        self.chosen_[rows, place], self.rewards_[rows, place] = chosen, reward
        self.told_ += 1
        self.power_ += (reward * reward - self.power_) / self.told_
        self.seen_[at] = self.told_
        return place

    def revalue(self) -> None:
        """Fit the curves anew where it is time, and now and then the effects on other tasks."""
        if self.reward == "worth":
            jump = self.jumps_[:, :1] / np.maximum(self.jumps_[:, 1:], 1.0)
            apart = (self.last_ - self.slow_) ** 2
            sure = apart > jump
            keep = np.where(sure, 1.0 - jump / np.where(sure, apart, 1.0), 0.0)
            self.value_ = np.where(self.counts_ > 0, self.slow_ + keep * (self.last_ - self.slow_), self.value_)
            self.deviation_ = np.sqrt(0.5 * jump / np.clip(self.counts_, 1.0, 2.0 / SLOW))
            return
        fresh = (self.told_ % self.refresh == 0) | (self.told_ < 4 * len(self.priority_))
        if not fresh.any():
            return
        variance, level = self._noise()
        size = np.abs(self.total_) + np.sqrt(variance)[:, None]
        pace = np.add.reduce(size / (self.counts_ + 1.0), axis=1) / len(self.priority_)
        data = (self.counts_, self.level_data_, self.gain_data_, variance, level, self.drop_, self.power_, pace)
        value, deviation, drop = slopes(*data)
        self.value_[fresh], self.deviation_[fresh], self.drop_[fresh] = value[fresh], deviation[fresh], drop[fresh]
        due = fresh & level & (self.told_ // self.refresh % max(self.every // self.refresh, 1) == 0)
        if self.cross and self.reward == "own" and 1 < len(self.priority_) <= 50 and due.any():
            place, used = self.in_order(due)
            rows = np.flatnonzero(due)[:, None]
            self.cross_[due] = cross_effects(
                self.chosen_[rows, place],
                self.rewards_[rows, place],
                used,
                self.priority_,
                0.3 * pace[due],
                variance[due],
                self.doubt,
            )

    def in_order(self, rows: Bools) -> tuple[Ints, Floats]:
        """Places in the window from the oldest decision on, and 1 where there is one, both (n_rows, window)."""
        told = self.told_[rows][:, None]
        held = np.minimum(told, self.window)
        steps = np.arange(self.window)
        return (told - held + steps) % self.window, (steps < held).astype(np.float64)

    def _noise(self) -> tuple[Floats, Bools]:
        return noise(self.squares_, self.products_, self.pairs_, self.power_)
