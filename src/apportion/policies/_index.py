"""The base of policies that give every task an index and take the largest."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .._check import check_number
from ..records import Context, Floats
from ._base import Policy
from ._choice import explore, greedy, mask_of


@dataclass(kw_only=True)
class IndexPolicy(Policy, ABC):
    """Takes the available task with the largest index, ties split, mixed with uniform exploration.

    The choice alone would give propensities of 0 and 1, from which nothing can be estimated; so a share of uniform
    exploration is part of the policy: p = (1 - exploration) * argmax + exploration / K.

    Args:
        exploration: share of uniform exploration, in [0, 1].
    """

    family = "bandit"
    needs = frozenset({"reward"})

    exploration: float = 0.1

    def __post_init__(self) -> None:
        check_number("exploration", self.exploration, low=0.0, high=1.0)

    @abstractmethod
    def index(self) -> Floats:
        """How much each task promises, shape (n_runs, n_tasks); infinite for one that was never tried."""

    def probabilities(self, context: Context) -> Floats:
        """(1 - exploration) on the largest index, the rest uniform, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        return explore(greedy(self.index(), mask), self.exploration, mask)
