"""Replay for tasks that arrive one after another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_names, check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import newest

RULES = ("equal", "best", "previous", "absolute")


@dataclass(kw_only=True)
class Replay(Policy):
    """Decides between the task that has just arrived and earlier ones that are being forgotten.

    The budget is cut into K equal stages, one for each task in order. In stage s the current task gets 1 - `replay`,
    and `replay` goes in equal shares to those of the s earlier tasks that a rule selects by their held-out score now:

        equal     all of them
        best      score <= tau times the best score so far
        previous  score <= tau times the score of the evaluation before
        absolute  score <= tau

    Where none is selected, `if_none` decides: all earlier tasks share equally, or the current task gets everything.
    Scores should not be negative. An earlier task that was never measured counts as selected, one that was not measured
    again keeps its scores. Tasks that have not arrived yet have the probability 0: a driver that masks all others draws
    from what is left.

    The paper decides once per task, by the accuracies at the end of it, and fills a memory; here the rule follows every
    evaluation. It fails where the order is wrong or tasks need unequal stages; see `StageGate` for stages by score.

    Args:
        rule: one of the four above.
        tau: threshold, above 0.
        replay: share of replay from the second stage on, in [0, 1).
        if_none: `equal` or `current`.
        order: names of all tasks; empty takes the order of the tasks.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = Replay(rule="best", tau=0.9)
    >>> policy.reset([Task(name="nli"), Task(name="qa"), Task(name="cls")])
    >>> context = Context.start(3, budget=30)
    >>> context.spent[:] = 10
    >>> policy.probabilities(context)
    array([[0.5, 0.5, 0. ]])
    """

    name = "replay"
    family = "allocation"
    needs = frozenset({"evaluations"})
    ordered = True
    source = (
        "Klasson et al. 2023, arXiv 2209.08660, and from its released code: marcusklasson/replay_scheduling "
        "rl_policy_generalization/trainer/heuristic_scheduling.py"
    )
    derived = frozenset({"tasks_", "place_"})

    rule: Literal["equal", "best", "previous", "absolute"] = "best"
    tau: float = 0.9
    replay: float = 0.5
    if_none: Literal["equal", "current"] = "equal"
    order: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_choice("rule", self.rule, RULES)
        check_number("tau", self.tau, low=0.0, low_open=True)
        check_number("replay", self.replay, low=0.0, high=1.0, high_open=True)
        check_choice("if_none", self.if_none, ("equal", "current"))

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start without scores.

        Raises:
            ValueError: `order` does not name every task once.
        """
        self.tasks_ = tuple(tasks)
        self.place_ = places("order", self.order, tasks)
        shape = (n_runs, len(tasks))
        self.scores_ = np.full(shape, np.nan)
        self.previous_ = np.full(shape, np.nan)
        self.best_ = np.full(shape, np.nan)

    def probabilities(self, context: Context) -> Floats:
        """1 - replay for the current task, the rest for earlier ones, shape (n_runs, n_tasks)."""
        n = len(self.place_)
        stage = np.minimum((context.progress * n + 1e-9).astype(np.int64), n - 1)[:, None]
        earlier = self.place_ < stage
        selected = earlier & self._selected()
        none = ~selected.any(axis=1, keepdims=True)
        if self.if_none == "equal":
            selected = selected | (earlier & none)
        count = selected.sum(axis=1, keepdims=True)
        share = np.where(count > 0, self.replay, 0.0)
        return (1.0 - share) * (self.place_ == stage) + share * selected / np.maximum(count, 1)

    def _selected(self) -> np.ndarray:
        if self.rule == "equal":
            return np.ones(self.scores_.shape, dtype=np.bool_)
        known = np.isfinite(self.scores_)
        if self.rule == "absolute":
            limit = np.full(self.scores_.shape, self.tau)
        else:
            reference = self.best_ if self.rule == "best" else self.previous_
            # The code compares the first scores with zeros, so that nothing above zero is selected.
            limit = self.tau * np.where(np.isfinite(reference), reference, 0.0)
        return ~known | (np.where(known, self.scores_, 0.0) <= limit)

    def observe(self, evaluation: Evaluation) -> None:
        """Take the new scores over."""
        new = newest(self.scores_, evaluation.scores)
        best = np.where(np.isfinite(self.best_), self.best_, new)
        known = np.isfinite(new)
        self.best_ = np.where(known, np.maximum(np.where(known, best, 0.0), np.where(known, new, 0.0)), np.nan)
        self.previous_, self.scores_ = self.scores_, new

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Every rule."""
        for rule in RULES:
            yield cls(rule=rule)
        yield cls(rule="absolute", tau=0.6, if_none="current")


def places(name: str, order: Sequence[str], tasks: Sequence[Task]) -> np.ndarray:
    """The place of every task in an order by names, from 0, shape (n_tasks,); an empty order is that of the tasks.

    Raises:
        ValueError: the order does not name every task once.
    """
    names = [task.name for task in tasks]
    if not order:
        return np.arange(len(tasks))
    check_names(name, order, names)
    for task in names:
        if list(order).count(task) != 1:
            raise ValueError(f"`{name}` must name every task once, got {task!r} {list(order).count(task)} times.")
    return np.array([list(order).index(task) for task in names])
