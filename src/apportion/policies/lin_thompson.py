"""Every task as likely as a linear prediction from its features is to be the best."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Context, Floats
from ._choice import explore
from ._linear import LinearPolicy
from ._quadrature import normal_argmax


@dataclass(kw_only=True)
class LinThompson(LinearPolicy):
    """Decides with the probability that a task has the largest of N(theta . x, v^2 x' A^-1 x).

    theta and A are those of a discounted ridge regression of rewards on the features that `counterfactual` sees.
    Draws of one theta would make the predictions of the tasks depend on each other; here each is taken on its own, so
    that the probabilities follow by quadrature, without draws.

    Args:
        deviation: v, of a standardised reward, above 0.
        nodes: of the quadrature, at least 16.

    Raises:
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Task
    >>> policy = LinThompson(visits=0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2)).round(6)
    array([[0.5, 0.5]])
    """

    name = "lin_thompson"
    source = (
        "Agrawal and Goyal 2013, arXiv 1209.3352, algorithm 1 (from memory; text could not be checked), with the "
        "marginal distributions in place of joint draws"
    )
    complexity = "O(K d^2 + d^3 + K nodes) with d = 9"

    deviation: float = 0.5
    nodes: int = 96

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("deviation", self.deviation, low=0.0, low_open=True)
        check_integer("nodes", self.nodes, low=16)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, and a bolder one that forgets faster."""
        yield cls()
        yield cls(deviation=0.2, discount=0.98, cross=False, visits=0)

    def probabilities(self, context: Context) -> Floats:
        """How likely each task is the best, mixed with uniform, shape (n_runs, n_tasks)."""
        mean, spread, mask = self.predictions(context)
        # A deviation far below the largest one would need more nodes than it is worth.
        least = 0.15 * np.maximum.reduce(spread, axis=1, keepdims=True)
        shares = normal_argmax(mean, self.deviation * np.maximum(spread, least), mask, self.nodes)
        return self.first_visits(explore(shares, self.exploration, mask), mask, self.visits)
