"""How much one update lowers the loss on a batch of the target tasks."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class TargetGain(Stateless):
    """Estimates what an update does for the objective: reward = loss before - loss after, on a batch of the targets.

    TPG = L(x', theta) - L(x', theta') for x' drawn from the target tasks by priority. Costs two forward passes per
    decision. It captures transfer, but the gain of one update is small against the noise of one batch's loss, and it
    gives tasks no credit for what they prepare.

    Units of the loss, usually nats; any sign.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = TargetGain()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([0]), {"target_before": np.array([0.75]), "target_after": np.array([0.5])})
    array([0.25])
    """

    name = "target_gain"
    needs = frozenset({"target_before", "target_after"})
    source = "Graves et al. 2017, arXiv 1704.03003, target prediction gain (from memory; text could not be checked)"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """Loss before minus loss after, shape (n_runs,)."""
        return measured["target_before"] - measured["target_after"]
