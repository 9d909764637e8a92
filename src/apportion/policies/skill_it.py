"""Skill-It: follow the held-out losses of what a task teaches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_names, check_number
from ..records import Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import completed, held_out, newest, softmax
from ._shares import Shares, check_shares, shares_of


@dataclass(kw_only=True)
class SkillIt(Policy):
    """Decides by the held-out losses of the tasks that a task teaches: p_i proportional to w_i exp(eta sum_j A_ij S_j).

    S is the sum of the held-out losses over the last `window` evaluations, A the skill graph (A_ij: how much training
    on i teaches j) and w the prior. Before the first evaluation S = 1, as in the code. With `targets`, only their
    columns of A count and S is the mean over the window, as in the code.

    The graph has to be learned with extra runs; without one A is the identity, and the policy merely follows high
    losses, whether or not they can be lowered. It fails with a wrong graph, or where eta does not fit the scale of the
    losses.

    Args:
        graph: A, rows and columns in the order of the tasks, not negative; None is the identity.
        eta: inverse temperature, above 0; the released experiments use 0.2 to 0.8.
        window: evaluations that count, at least 1.
        targets: names of the tasks whose losses count; none means all.
        relative: divide the losses by those of the first evaluation.
        prior: w, shares by name or in task order; None is equal.

    Raises:
        ValueError: a parameter is out of range, or the graph is not square or has negative entries.

    >>> policy = SkillIt(graph=[[1, 0.5], [0, 1]], eta=1.0)
    >>> policy.reset([Task(name="nli"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2)).round(3)
    array([[0.622, 0.378]])
    """

    name = "skill_it"
    family = "mixing"
    needs = frozenset({"evaluation.loss"})
    source = (
        "Chen et al. 2023, arXiv 2307.14430, algorithm 1, and from its released code: HazyResearch/skill-it "
        "trainer/mw_trainer.py"
    )
    complexity = "O(K^2) per evaluation, O(K) per decision"
    derived = frozenset({"tasks_", "graph_", "prior_"})

    graph: Sequence[Sequence[float]] | None = None
    eta: float = 0.2
    window: int = 3
    targets: Sequence[str] = ()
    relative: bool = False
    prior: Shares | None = None

    def __post_init__(self) -> None:
        check_number("eta", self.eta, low=0.0, low_open=True)
        check_integer("window", self.window, low=1)
        if self.prior is not None:
            check_shares("prior", self.prior)
        for i, row in enumerate(self.graph or ()):
            if len(row) != len(self.graph or ()):
                raise ValueError(
                    f"`graph` must be square, got {len(row)} entries in row {i} of {len(self.graph or ())}."
                )
            for j, value in enumerate(row):
                check_number(f"graph[{i}][{j}]", value, low=0.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start without losses.

        Raises:
            ValueError: the graph has another size than the tasks, or a target or share names an unknown task.
        """
        self.tasks_ = tuple(tasks)
        n, names = len(tasks), [task.name for task in tasks]
        if self.graph is not None and len(self.graph) != n:
            raise ValueError(f"`graph` must have a row for each of the {n} tasks, got {len(self.graph)} rows.")
        check_names("targets", self.targets, names)
        graph = np.eye(n) if self.graph is None else np.array(self.graph, dtype=np.float64)
        counted = np.array([not self.targets or name in self.targets for name in names])
        self.graph_ = np.where(counted, graph, 0.0)
        shares = np.full(n, 1.0 / n) if self.prior is None else shares_of("prior", self.prior, tasks)
        self.prior_ = np.where(shares > 0.0, np.log(np.maximum(shares, 1e-300)), -np.inf)
        self.losses_ = np.full((n_runs, self.window, n), np.nan)
        self.first_ = np.full((n_runs, n), np.nan)

    def probabilities(self, context: Context) -> Floats:
        """Softmax of log w + eta A S, shape (n_runs, n_tasks)."""
        known = np.isfinite(self.losses_)
        total = np.where(known, self.losses_, 0.0).sum(axis=1)
        count = known.sum(axis=1)
        if self.relative:
            total = total / np.where(np.isfinite(self.first_), np.maximum(np.abs(self.first_), 1e-12), 1.0)
        if self.targets:
            total = total / np.maximum(count, 1)
        total = np.where(count > 0, total, 1.0)
        return softmax(self.prior_ + self.eta * np.einsum("ij,rj->ri", self.graph_, total))

    def observe(self, evaluation: Evaluation) -> None:
        """Move the window on; a task that was not measured keeps its last loss, or gets the mean of the others."""
        losses = completed(newest(self.losses_[:, -1], held_out(evaluation, "loss", self.name)), default=1.0)
        self.first_ = np.where(np.isfinite(self.first_), self.first_, losses)
        self.losses_ = np.concatenate((self.losses_[:, 1:], losses[:, None]), axis=1)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The defaults, and relative losses."""
        yield cls()
        yield cls(relative=True, eta=1.0, window=1)
