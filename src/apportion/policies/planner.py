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
    floor: float = 0.1
    caution: float = 0.5
    variation: float = 0.7
    explore: float = 0.5
    members: int = 16
    memory: float = 0.05
    iterations: int = 4

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        self.order_ = np.argsort([task.name for task in tasks])
        self.safe_ = np.full(n, 1.0 / n) if self.safe is None else shares_of("safe", self.safe, tasks, 0.0)
        self.counts_ = np.zeros((n_runs, 0, n))
        self.scores_ = np.zeros((n_runs, 0, n))
        self.progress_ = np.zeros((n_runs, 0))
        self.theta_ = np.zeros((n_runs, len(VARIANTS.tail), n, TRANSFER + n))
        self.fitted_ = np.zeros(n_runs, dtype=np.bool_)
        self.plan_ = np.repeat(np.repeat(self.safe_[None, None], 2, axis=1), n_runs, axis=0)
        self.switch_ = np.ones(n_runs)
        self.confidence_ = np.zeros(n_runs)

    def probabilities(self, context: Context) -> Floats:
        n = context.n_tasks
        progress = context.progress
        late = progress >= self.switch_
        plan = np.where(late[:, None], self.plan_[:, 1], self.plan_[:, 0])
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
        ready = (np.isfinite(self.scores_).sum(axis=1).max(axis=1) >= 3) & (progress > 0) & (progress < 1)
        ready &= evaluation.counts.sum(axis=1) > 0
        if ready.any() and len(self.tasks_) > 1:
            self._replan(np.flatnonzero(ready))

    def _replan(self, rows) -> None:
        order = self.order_
        counts, scores = self.counts_[rows][:, :, order], self.scores_[rows][:, :, order]
        progress = self.progress_[rows]
        n_runs, n_times, n = counts.shape
        costs, per_evaluation = _costs(counts, progress)
        total = 1.0 / costs.mean(axis=1)
        done = counts[:, -1].sum(axis=1)
        memory = self.memory * total
        warm = np.where(self.fitted_[rows, None, None, None], self.theta_[rows], np.nan)
        known = self.fitted_[rows].all()
        upper = np.full(n, np.inf)
        fit = fit_curves(
            counts, scores, total, priors=Priors(), upper=upper, memory=memory,
            warm=warm if known else None, iterations=self.iterations if known else 12,
        )
        self.theta_[rows], self.fitted_[rows] = fit.theta, True
        measured = np.isfinite(scores)
        first = np.take_along_axis(np.where(measured, scores, 0.0), measured.argmax(axis=1)[:, None], axis=1)[:, 0]
        uniforms, normals = fixed_draws(self.members, n, TRANSFER + n, 0)
        members = draw_members(fit, first, upper, uniforms, normals)
        interval = done / max(n_times - 1, 1)
        net = 1.0 / (1.0 + per_evaluation / np.maximum(interval / total, 1e-12))
        left = (1.0 - progress[:, -1]) * net
        final = np.minimum(2.0 * self.memory, 0.5 * left)
        pieces = np.stack((left - final, final), axis=1)
        outlook = Outlook.of(
            members, pieces=pieces, costs=costs, done=done, total=total, recent=fit.recent, memory=memory
        )
        tasks = [self.tasks_[index] for index in order]
        objective = MeanScore()
        safe = np.broadcast_to(self.safe_[order], (n_runs, 2, n))
        by_cost = safe * costs[:, None]
        by_cost = by_cost / by_cost.sum(axis=2, keepdims=True)
        low = self.floor / n

        def value(shares):
            return objective.value(outlook.scores(shares), tasks).mean(axis=1)

        def gradient(shares):
            return outlook.gradient(shares, objective.gradient(outlook.scores(shares), tasks))

        def clip(shares):
            return 0.999 * shares + 0.001 / n

        plan = best_shares(value, gradient, by_cost, clip=clip, iterations=30)
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
        back = np.empty_like(order)
        back[order] = np.arange(n)
        self.plan_[rows] = shares[:, :, back]
        self.switch_[rows] = 1.0 - final / net
        self.confidence_[rows] = beta


def _costs(counts: Floats, progress: Floats) -> tuple[Floats, Floats]:
    """Part of the budget that a batch of each task and an evaluation takes."""
    n_runs, n_times, n = counts.shape
    fresh = np.diff(counts, axis=1, prepend=0.0)
    used = np.diff(progress, axis=1, prepend=0.0)
    mean = progress[:, -1] / np.maximum(counts[:, -1].sum(axis=1), 1.0)
    design = np.concatenate((fresh, np.ones((n_runs, n_times, 1))), axis=2)
    design[..., -1] *= np.maximum(fresh.sum(axis=(1, 2)) / n_times, 1.0)[:, None] * 0.1
    prior = np.concatenate((np.repeat(mean[:, None], n, axis=1), np.zeros((n_runs, 1))), axis=1)
    target = used - (design @ prior[..., None])[..., 0]
    gram = design.swapaxes(1, 2) @ design
    index = np.arange(n + 1)
    gram[:, index, index] += 1e-6 * np.maximum(gram[:, index, index].max(axis=1, keepdims=True), 1e-12)
    move = np.linalg.solve(gram, (design.swapaxes(1, 2) @ target[..., None]))[..., 0]
    found = prior + move
    scale = np.maximum(fresh.sum(axis=(1, 2)) / n_times, 1.0) * 0.1
    return np.clip(found[:, :n], 0.05 * mean[:, None], 20.0 * mean[:, None]), np.maximum(found[:, n] * scale, 0.0)
