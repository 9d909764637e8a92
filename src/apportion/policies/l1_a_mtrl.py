"""L1-A-MTRL: explore all tasks, then spend by sparse relevance to the objective."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_number
from ..records import Context, Evaluation, Floats, Task, priorities
from ._base import Policy
from ._lasso import lasso
from ._mixing import completed, held_out, newest, normalised


@dataclass(kw_only=True)
class L1AMtrl(Policy):
    """Decides in two stages: equal exploration, then budget shares b_i proportional to max(|v_i| / |v|_1, floor).

    v is the sparse relevance of the tasks. For features X it is the Lasso

        v = argmin over v of 0.5 |X v - x_target|^2 + l |v|_1,     l = penalty * max_i |x_i . x_target|

    and a decision for task i has the probability p_i proportional to b_i / c_i, with its mean cost so far c_i. Where v
    comes from:

        gain        features are the decisions n_i of each task between two evaluations, and x_target the change of the
                    priority-weighted score: v_i is what a decision for i adds to the objective, not negative. During
                    exploration every stretch between evaluations gives the extra share `focus` to one task in turn (by
                    name), so that the stretches differ.
        features    features and target are `Task.features`, so v is known; the target gets `own` of the budget.
        evaluation  a loop of yours hands in `relevance` with its evaluations, for example from heads of one shape on a
                    shared representation: |v_i| for w_target = sum_i v_i w_i, as in the paper. The last value before
                    the end of exploration. `apportion train`, whose heads differ in shape, has none.

    The paper counts samples out; here they are drawn, so that every decision has a propensity. Its parameters are those
    of linear heads on a shared representation, and how it sets l and counts costs could not be checked: the fraction
    `penalty`, the division by costs and the form `gain` are ours. Relevance is frozen after exploration. `gain` needs
    several evaluations per task during exploration, and fails where their noise exceeds what a stretch adds.

    Args:
        relevance: `gain`, `features` or `evaluation`.
        explore: fraction of the budget, in [0, 1).
        penalty: l as a fraction of the penalty at which v becomes 0, in [0, 1).
        floor: smallest budget share before normalisation, above 0.
        focus: extra share of the task in turn, in [0, 1).
        target: name of the target task; only for `features`.
        own: budget share of the target, in [0, 1); only for `features`.

    Raises:
        ValueError: a parameter is out of range, or `target` is missing for `features` or given without it.

    >>> policy = L1AMtrl(relevance="features", target="t", explore=0.0, penalty=0.0, floor=1e-9, own=0.0)
    >>> described = {"a": (1, 0), "b": (0, 1), "t": (3, 1)}
    >>> policy.reset([Task(name=name, features=features) for name, features in described.items()])
    >>> policy.probabilities(Context.start(3)).round(6)
    array([[0.75, 0.25, 0.  ]])
    """

    name = "l1_a_mtrl"
    family = "allocation"
    needs = frozenset({"evaluations"})
    source = (
        "Wang et al. 2023, arXiv 2306.02556, algorithm 1 (abstract read; algorithm from memory, could not be checked)"
    )
    complexity = "O(K) per decision; a Lasso per run and evaluation during exploration, about 0.05 ms at K = 9"
    derived = frozenset({"tasks_", "known_", "priorities_", "order_"})

    relevance: Literal["gain", "features", "evaluation"] = "gain"
    explore: float = 0.3
    penalty: float = 0.05
    floor: float = 0.02
    focus: float = 0.5
    target: str | None = None
    own: float = 0.2

    def __post_init__(self) -> None:
        check_choice("relevance", self.relevance, ("gain", "features", "evaluation"))
        check_number("explore", self.explore, low=0.0, high=1.0, high_open=True)
        check_number("penalty", self.penalty, low=0.0, high=1.0, high_open=True)
        check_number("floor", self.floor, low=0.0, low_open=True)
        check_number("focus", self.focus, low=0.0, high=1.0, high_open=True)
        check_number("own", self.own, low=0.0, high=1.0, high_open=True)
        if (self.target is None) == (self.relevance == "features"):
            raise ValueError(
                f"`target` must be given for `relevance = 'features'` and only then, got `target = {self.target!r}`."
            )

    @property
    def requires(self) -> frozenset[str]:
        """Scores, or a relevance that the loop measures, or nothing."""
        if self.relevance == "evaluation":
            return frozenset({"evaluation.relevance"})
        return self.needs if self.relevance == "gain" else frozenset()

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start exploring.

        Raises:
            ValueError: `target` names no task, or the tasks have no features or features of different lengths.
        """
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        self.known_ = self._known(tasks) if self.relevance == "features" else np.full(n, np.nan)
        self.priorities_ = priorities(tasks)
        self.order_ = np.argsort([task.name for task in tasks])
        self.relevance_ = np.full((n_runs, n), np.nan)
        self.scores_ = np.full((n_runs, n), np.nan)
        self.counts_ = np.zeros((n_runs, n))
        self.square_ = np.zeros((n_runs, n, n))
        self.pull_ = np.zeros((n_runs, n))
        self.stretch_ = np.zeros(n_runs, dtype=np.int64)
        self.exploring_ = np.ones(n_runs, dtype=np.bool_)

    def _known(self, tasks: Sequence[Task]) -> Floats:
        names = [task.name for task in tasks]
        if self.target not in names:
            raise ValueError(f"`target` must be one of {', '.join(names)}, got `target = {self.target!r}`.")
        for task in tasks:
            if len(task.features) == 0 or len(task.features) != len(tasks[0].features):
                raise ValueError(
                    f"`features` of task {task.name!r} must be as long as those of the others, and not empty."
                )
        features = np.array([task.features for task in tasks], dtype=np.float64)
        place = names.index(self.target)
        sources = np.delete(features, place, axis=0)
        found = np.zeros(len(tasks))
        if len(sources):
            found[np.arange(len(tasks)) != place] = np.abs(
                lasso(sources @ sources.T, sources @ features[place], self.penalty, signed=True)
            )
        shares = np.maximum(normalised(found[None])[0], self.floor)
        shares[place] = 0.0
        rest = 1.0 - self.own if len(sources) else 0.0
        shares = rest * shares / max(shares.sum(), 1e-300)
        shares[place] = 1.0 - rest
        return shares

    def probabilities(self, context: Context) -> Floats:
        """Equal with a focus while exploring, then b_i / c_i divided by its sum, shape (n_runs, n_tasks)."""
        n_runs, n = self.relevance_.shape
        even = np.full((n_runs, n), 1.0 / n)
        if self.relevance == "gain" and n > 1:
            even = (1.0 - self.focus) * even
            even[np.arange(n_runs), self.order_[self.stretch_ % n]] += self.focus
        if self.relevance == "features":
            shares = np.broadcast_to(self.known_, (n_runs, n))
        else:
            relevance = np.abs(np.where(np.isfinite(self.relevance_), self.relevance_, 0.0))
            shares = np.maximum(normalised(relevance), self.floor)
        told = (context.counts > 0) & (context.costs > 0)
        cost = completed(np.where(told, context.costs / np.maximum(context.counts, 1), np.nan), default=1.0)
        exploring = (context.progress < self.explore)[:, None]
        return np.where(exploring, even, normalised(shares / cost))

    def observe(self, evaluation: Evaluation) -> None:
        """End a stretch of exploration: note what it added to the objective, and estimate the relevance."""
        if self.relevance == "features":
            return
        if self.relevance == "evaluation":
            measured = newest(self.relevance_, held_out(evaluation, "relevance", self.name))
            self.relevance_ = np.where(self.exploring_[:, None], measured, self.relevance_)
        else:
            self._regress(evaluation)
        self.exploring_ = self.exploring_ & (evaluation.progress < self.explore)

    def _regress(self, evaluation: Evaluation) -> None:
        after = newest(self.scores_, evaluation.scores)
        both = np.isfinite(self.scores_) & np.isfinite(after)
        counted = both | (self.priorities_ == 0.0)
        gain = (self.priorities_ * (np.where(both, after, 0.0) - np.where(both, self.scores_, 0.0))).sum(axis=1)
        drawn = evaluation.counts - self.counts_
        use = self.exploring_ & counted.all(axis=1)
        self.square_ += np.where(use[:, None, None], drawn[:, :, None] * drawn[:, None, :], 0.0)
        self.pull_ += np.where(use[:, None], drawn * gain[:, None], 0.0)
        self.scores_, self.counts_ = after, evaluation.counts.astype(np.float64)
        self.stretch_ += 1
        order = self.order_  # by name, so that rounding does not depend on the order of the tasks
        for run in np.flatnonzero(use):
            square, pull = self.square_[run][np.ix_(order, order)], self.pull_[run][order]
            self.relevance_[run, order] = lasso(square, pull, self.penalty, signed=False)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Relevance from scores, from the features of the tasks of the shared checks, and from the loop."""
        yield cls(explore=0.6)
        yield cls(relevance="features", target="c")
        yield cls(relevance="evaluation")
