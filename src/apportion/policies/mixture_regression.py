"""The mixture that a regression over finished runs expects to score best."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_choice, check_number
from ..records import Context, Floats, Task
from ._base import Policy, broadcast
from ._mixture_fit import Kind, MixtureFit, fit_mixture_regression
from ._shares import Shares, check_shares, shares_of


@dataclass(kw_only=True)
class MixtureRegression(Policy):
    """Decides by finished runs: fits score = f(mixture) to them and keeps the mixture that f expects to score best.

    See `fit_mixture_regression` for the fit, its held-out error and its source; `fit` holds the result. The mixture
    does not change during the run. It fails where the runs are few or noisy (see `fit.is_useful`), or unlike the next.

    Args:
        runs: pairs (shares, score); shares by task name or in task order, where a task that is not named had none.
        kind: `linear` (RegMix with a linear model, Hybrid Preferences) or `quadratic` (Hybrid Preferences).
        penalty: of the ridge, not negative.
        lower: smallest share of every task.
        upper: largest share of every task.

    Raises:
        ValueError: there is no run, or a parameter is out of range.

    >>> runs = [({"cola": 1}, 0.2), ({"rte": 1}, 0.3), ({"cola": 1, "rte": 1}, 0.9)]
    >>> policy = MixtureRegression(runs=runs, kind="quadratic")
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.fit.n_runs
    3
    """

    name = "mixture_regression"
    family = "mixing"
    source = (
        "RegMix: Liu et al. 2024, arXiv 2407.01492, sail-sg/regmix; Hybrid Preferences: Miranda et al. 2024, arXiv "
        "2410.19133, allenai/hybrid-preferences; ridge and folds are ours"
    )
    complexity = "O(K), after a fit of about 30 ms in `reset`"
    static = True
    derived = frozenset({"tasks_", "shares_", "fit_"})

    runs: Sequence[tuple[Shares, float]]
    kind: Kind = "linear"
    penalty: float = 1e-3
    lower: float = 0.0
    upper: float = 1.0

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("`runs` must have at least one pair (shares, score), got none.")
        for index, (shares, score) in enumerate(self.runs):
            check_shares(f"runs[{index}][0]", shares)
            check_number(f"runs[{index}][1]", score)
        check_choice("kind", self.kind, ("linear", "quadratic"))
        check_number("penalty", self.penalty, low=0.0)
        check_number("lower", self.lower, low=0.0, high=1.0)
        check_number("upper", self.upper, low=self.lower, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Fit the runs.

        Raises:
            ValueError: a run names an unknown task, or no mixture lies within the bounds.
        """
        self.tasks_ = tuple(tasks)
        # Candidates depend on the order of the columns; by name, the answer does not depend on the order of the tasks.
        order = np.argsort([task.name for task in tasks])
        table = np.stack([shares_of(f"runs[{i}][0]", shares, tasks, 0.0) for i, (shares, _) in enumerate(self.runs)])
        self.fit_ = fit_mixture_regression(
            table[:, order],
            np.array([score for _, score in self.runs]),
            kind=self.kind,
            penalty=self.penalty,
            lower=self.lower,
            upper=self.upper,
        )
        self.shares_ = np.empty(len(tasks))
        self.shares_[order] = self.fit_.shares

    @property
    def fit(self) -> MixtureFit:
        """The regression behind the shares, its columns in the order of the task names."""
        return self.fit_

    def probabilities(self, context: Context) -> Floats:
        """The recommended shares, shape (n_runs, n_tasks)."""
        return broadcast(self.shares_, context.n_runs)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Seven runs of the tasks of the shared checks."""
        runs = [({name: 1.0}, score) for name, score in zip("abcde", (0.3, 0.5, 0.6, 0.4, 0.2), strict=True)]
        runs.append(({"b": 1.0, "c": 1.0}, 0.8))
        runs.append((dict.fromkeys("abcde", 1.0), 0.7))
        yield cls(runs=tuple(runs))
        yield cls(runs=tuple(runs), kind="quadratic", lower=0.02, upper=0.6)
