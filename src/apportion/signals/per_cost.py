"""Reward per unit of budget."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from ..records import Evaluation, Floats, Ints, Task
from ._base import Signal
from .held_out_gain import HeldOutGain
from .loss import Loss


@dataclass(kw_only=True)
class PerCost(Signal):
    """Estimates what a unit of budget buys: reward = reward of the signal inside / cost of the decision.

    Graves et al. 2017 divide their gains by the time that the batch took in this way. It fails for rewards that are not
    gains, where half a batch earns as much as a whole one. A decision that cost nothing has no reward (NaN).

    Unit of the signal inside per unit of budget; any sign.

    Args:
        signal: the signal inside.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = PerCost(Loss())
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([0]), {"loss": np.array([1.0]), "cost": np.array([8.0])})
    array([0.125])
    """

    name = "per_cost"
    needs = frozenset({"cost"})
    source = "Graves et al. 2017, arXiv 1704.03003 (from memory; text could not be checked)"

    signal: Signal = field(kw_only=False)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Reset the signal inside."""
        self.tasks_ = tuple(tasks)
        self.signal.reset(tasks, n_runs)

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """Reward divided by cost, shape (n_runs,)."""
        return _divided(self.signal.reward(chosen, measured), measured["cost"])

    def observe(self, evaluation: Evaluation) -> None:
        """Pass it on."""
        self.signal.observe(evaluation)

    def credit(self, evaluation: Evaluation, chosen: Ints, costs: Floats) -> Floats:
        """Credits divided by costs, shape (n_runs, n_decisions)."""
        return _divided(self.signal.credit(evaluation, chosen, costs), costs)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Around a signal that rewards at once and one that rewards at evaluations."""
        yield cls(Loss())
        yield cls(HeldOutGain())


def _divided(reward: Floats, cost: Floats) -> Floats:
    return np.where(cost > 0, reward / np.where(cost > 0, cost, 1.0), np.nan)
