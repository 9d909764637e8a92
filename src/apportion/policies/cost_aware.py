"""Shares of the budget instead of shares of the decisions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from .._check import check_number
from ..records import Context, Floats
from ._shares import mean_per_step
from ._wrapper import Wrapper
from .uniform import Uniform


@dataclass(kw_only=True)
class CostAware(Wrapper):
    """Decides so that what the policy inside says are shares of the budget: expensive tasks are drawn less often.

    q_i is proportional to p_i / c_i^strength, where c_i is what a decision for task i cost on average so far; the mean
    over the drawn tasks for one not drawn yet. Where p is proportional to an expected reward, q is proportional to
    reward per cost. A policy that ranks tasks by reward, such as a bandit, must see reward per cost in the first place:
    give it the signal `PerCost(...)`; both together divide twice.

    Mean costs rest on few decisions at first, and where costs vary within a task they lag behind.

    Args:
        policy: the policy inside.
        strength: exponent of the cost, in [0, 10]; 0 changes nothing.

    Raises:
        ValueError: the strength is outside [0, 10].

    >>> import numpy as np
    >>> from apportion.records import Context, Task
    >>> policy = CostAware(Uniform())
    >>> policy.reset([Task(name="mnli"), Task(name="rte")])
    >>> context = Context.start(2)
    >>> context.counts, context.costs = np.array([[2, 1]]), np.array([[6.0, 1.0]])
    >>> policy.probabilities(context)
    array([[0.25, 0.75]])
    """

    name = "cost_aware"
    source = "by definition"

    strength: float = 1.0

    def __post_init__(self) -> None:
        check_number("strength", self.strength, low=0.0, high=10.0)

    def probabilities(self, context: Context) -> Floats:
        """p_i / c_i^strength divided by its sum, shape (n_runs, n_tasks)."""
        cost = mean_per_step(context.costs, context.counts)
        # Relative to the mean and no cheaper than a thousandth of it, so that no power overflows.
        cost = cost / cost.mean(axis=1, keepdims=True)
        weighed = self.policy.probabilities(context) * cost.clip(min=1e-3) ** -self.strength
        return weighed / weighed.sum(axis=1, keepdims=True)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Equal shares of the budget."""
        yield cls(Uniform())
