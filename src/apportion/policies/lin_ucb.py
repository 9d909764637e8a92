"""The largest upper bound of a linear prediction from task features."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from .._check import check_number
from ..records import Context, Floats
from ._choice import explore, greedy
from ._linear import LinearPolicy


@dataclass(kw_only=True)
class LinUCB(LinearPolicy):
    """Decides for the task with the largest theta . x + alpha * sqrt(x' A^-1 x), and uniformly with a stated share.

    theta and A are those of a discounted ridge regression of rewards on the features that `counterfactual` sees, one
    theta for all tasks, as in the hybrid model without its part for each task. The formula is deterministic; the
    share of uniform exploration keeps propensities above 0. It fails where rewards are mostly noise, for it then
    commits to whatever looks best.

    Args:
        alpha: width of the bound, not negative.

    Raises:
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Task
    >>> policy = LinUCB(exploration=0.2, visits=0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0.5, 0.5]])
    """

    name = "lin_ucb"
    source = "Li et al. 2010, arXiv 1003.0146, algorithm 1 (from memory; text could not be checked)"
    complexity = "O(K d^2 + d^3) with d = 9"

    alpha: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("alpha", self.alpha, low=0.0)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, and a greedy one that forgets faster."""
        yield cls()
        yield cls(alpha=0.0, discount=0.98, cross=False, visits=0)

    def probabilities(self, context: Context) -> Floats:
        """Nearly all on the largest bound, ties split, shape (n_runs, n_tasks)."""
        mean, deviation, mask = self.predictions(context)
        shares = explore(greedy(mean + self.alpha * deviation, mask), self.exploration, mask)
        return self.first_visits(shares, mask, self.visits)
