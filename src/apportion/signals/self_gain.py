"""How much one update lowers the loss on another batch of the same task."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class SelfGain(Stateless):
    """Estimates what an update teaches about its task: reward = loss before - loss after, on a fresh batch of the task.

    SPG = L(x', theta) - L(x', theta') for x' drawn from the task that was trained on. Costs two forward passes per
    decision. Unlike `PredictionGain` it is not biased to memorisation, but it sees no transfer to other tasks.

    Units of the loss, usually nats; any sign.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = SelfGain()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([0]), {"self_before": np.array([0.75]), "self_after": np.array([0.5])})
    array([0.25])
    """

    name = "self_gain"
    needs = frozenset({"self_before", "self_after"})
    source = "Graves et al. 2017, arXiv 1704.03003, self prediction gain (from memory; text could not be checked)"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """Loss before minus loss after, shape (n_runs,)."""
        return measured["self_before"] - measured["self_after"]
