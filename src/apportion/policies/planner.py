"""The planner: fits how all tasks learn and spends the rest of the budget where the forecast says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..forecast._draws import fixed_draws
from ..forecast._fit import TRANSFER, Priors, fit_curves
from ..forecast._outlook import Outlook, draw_members
from ..forecast._search import best_shares
from ..forecast._variants import VARIANTS
from ..forecast.objective import MeanScore, Objective
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._shares import Shares, check_shares, shares_of


@dataclass(kw_only=True)
class Planner(Policy):
    name = "planner"
    family = "planning"
    needs = frozenset({"evaluations"})
    source = "our own"
    complexity = "O(V K^2 (T + K)) per evaluation"
    derived = frozenset({"tasks_", "order_", "safe_"})

    safe: Shares | None = None
    floor: float = 0.04
    caution: float = 0.5
    variation: float = 0.7
    explore: float = 0.5
    members: int = 16
    memory: float = 0.05
    iterations: int = 4
    search: int = 30

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        self.order_ = np.argsort([task.name for task in tasks])
        self.safe_ = np.full(n, 1.0 / n) if self.safe is None else shares_of("safe", self.safe, tasks, 0.0)
        self.counts_ = np.zeros((n_runs, 0, n))
        self.scores_ = np.zeros((n_runs, 0, n))
        self.progress_ = np.zeros((n_runs, 0))
        self.examples_ = np.zeros((n_runs, 0, n))
        self.spent_ = np.full((n_runs, n), np.nan)
        self.theta_ = np.zeros((n_runs, len(VARIANTS.tail), n, TRANSFER + n))
        self.fitted_ = np.zeros(n_runs, dtype=np.bool_)
        self.plan_ = np.repeat(np.repeat(self.safe_[None, None], SEGMENTS, axis=1), n_runs, axis=0)
        self.switch_ = np.ones((n_runs, SEGMENTS - 1))
        self.confidence_ = np.zeros(n_runs)

    def probabilities(self, context: Context) -> Floats:
        n = context.n_tasks
        progress = context.progress
        piece = (progress[:, None] >= self.switch_).sum(axis=1)
        plan = self.plan_[np.arange(len(piece)), piece]
        strength = self.variation * np.maximum(1.0 - progress / self.explore, 0.0)
        code = 1 + (self.counts_.shape[1] * 5) % max(2 ** int(np.ceil(np.log2(n + 1))) - 1, 1)
        sign = np.array([1.0 - 2.0 * (int(code & (rank + 1)).bit_count() % 2) for rank in range(n)])
        pattern = np.empty(n)
        pattern[self.order_] = sign
        shares = plan * np.exp(strength[:, None] * pattern)
        shares /= shares.sum(axis=1, keepdims=True)
        shares = (1.0 - self.floor) * shares + self.floor / n
        return shares / shares.sum(axis=1, keepdims=True)

    def observe(self, evaluation: Evaluation) -> None:
        n_runs = len(self.counts_)
        progress = np.broadcast_to(evaluation.progress, (n_runs,))
        self.counts_ = np.concatenate((self.counts_, evaluation.counts[:, None].astype(np.float64)), axis=1)
        self.scores_ = np.concatenate((self.scores_, evaluation.scores[:, None]), axis=1)
        self.progress_ = np.concatenate((self.progress_, progress[:, None]), axis=1)
        examples = np.zeros_like(evaluation.scores) if evaluation.examples is None else evaluation.examples
        self.examples_ = np.concatenate((self.examples_, examples[:, None]), axis=1)
        if evaluation.costs is not None:
            self.spent_ = evaluation.costs.copy()
        ready = (np.isfinite(self.scores_).sum(axis=1).max(axis=1) >= 3) & (progress > 0) & (progress < 1)
        ready &= evaluation.counts.sum(axis=1) > 0
        if ready.any() and len(self.tasks_) > 1:
            self._replan(np.flatnonzero(ready))

    def _replan(self, rows) -> None:
        order = self.order_
        counts, scores = self.counts_[rows][:, :, order], self.scores_[rows][:, :, order]
        progress = self.progress_[rows]
        n_runs, n_times, n = counts.shape
        costs, per_evaluation = _costs(counts, progress, self.spent_[rows][:, order])
        total = 1.0 / costs.mean(axis=1)
        done = counts[:, -1].sum(axis=1)
        memory = self.memory * total
        sizes = np.array([np.inf if self.tasks_[index].size is None else self.tasks_[index].size for index in order])
        examples = self.examples_[rows][:, :, order]
        batch = examples[:, -1].sum(axis=1) / np.maximum(done, 1.0)
        epochs = examples / sizes
        warm = np.where(self.fitted_[rows, None, None, None], self.theta_[rows], np.nan)
        known = self.fitted_[rows].all()
        upper = np.full(n, np.inf)
        fit = fit_curves(
            counts, epochs, scores, total, priors=Priors(), upper=upper, memory=memory,
            warm=warm if known else None, iterations=self.iterations if known else 12,
        )
        back = np.empty_like(order)
        back[order] = np.arange(n)
        self.theta_[rows], self.fitted_[rows] = fit.theta, True
        measured = np.isfinite(scores)
        first = np.take_along_axis(np.where(measured, scores, 0.0), measured.argmax(axis=1)[:, None], axis=1)[:, 0]
        uniforms, normals = fixed_draws(self.members, n, TRANSFER + n, 0)
        members = draw_members(fit, first, upper, uniforms, normals)
        interval = done / max(n_times - 1, 1)
        net = 1.0 / (1.0 + per_evaluation / np.maximum(interval / total, 1e-12))
        left = (1.0 - progress[:, -1]) * net
        last = np.minimum(0.06, 0.3 * left)
        before = np.minimum(0.18, 0.3 * left)
        pieces = np.stack((left - last - before, before, last), axis=1)
        outlook = Outlook.of(
            members, pieces=pieces, costs=costs, done=done, total=total, recent=fit.recent, memory=memory,
            epochs=epochs[:, -1], per_batch=batch[:, None] / sizes,
        )
        tasks = [self.tasks_[index] for index in order]
        objective = MeanScore()
        safe = np.broadcast_to(self.safe_[order], (n_runs, SEGMENTS, n))
        by_cost = safe * costs[:, None]
        by_cost = by_cost / by_cost.sum(axis=2, keepdims=True)

        def value(shares):
            return objective.value(outlook.scores(shares), tasks).mean(axis=1)

        def gradient(shares):
            return outlook.gradient(shares, objective.gradient(outlook.scores(shares), tasks))

        def clip(shares):
            return (1 - self.floor) * shares + self.floor * by_cost if False else 0.999 * shares + 0.001 / n

        plan = best_shares(value, gradient, by_cost, clip=clip, iterations=self.search)
        base = objective.value(outlook.scores(by_cost), tasks)
        best = np.full(n_runs, 0.0)
        beta = np.zeros(n_runs)
        for part in (0.25, 0.5, 0.75, 1.0):
            gain = objective.value(outlook.scores((1 - part) * by_cost + part * plan), tasks) - base
            bound = gain.mean(axis=1) - self.caution * gain.std(axis=1)
            better = bound > best
            best, beta = np.where(better, bound, best), np.where(better, part, beta)
        mixed = (1 - beta)[:, None, None] * by_cost + beta[:, None, None] * plan
        shares = mixed / costs[:, None]
        shares /= shares.sum(axis=2, keepdims=True)
        self.plan_[rows] = shares[:, :, back]
        self.switch_[rows] = np.stack((1.0 - (before + last) / net, 1.0 - last / net), axis=1)
        self.confidence_[rows] = beta


SEGMENTS = 3


def _costs(counts: Floats, progress: Floats, spent: Floats) -> tuple[Floats, Floats]:
    """Part of the budget that a batch of each task and an evaluation takes."""
    n_times, steps = counts.shape[1], counts[:, -1].sum(axis=1)
    known = np.isfinite(spent).all(axis=1)
    used = np.where(known, np.where(known[:, None], spent, 0.0).sum(axis=1), progress[:, -1])
    mean = used / np.maximum(steps, 1.0)
    # A task that was never drawn is taken to cost as much as the mean of the others.
    each = (np.where(known[:, None], spent, 0.0) + 1e-3 * mean[:, None]) / (counts[:, -1] + 1e-3)
    costs = np.where(known[:, None] & (counts[:, -1] > 0), each, mean[:, None])
    return np.maximum(costs, 1e-12), np.maximum(progress[:, -1] - used, 0.0) / n_times
