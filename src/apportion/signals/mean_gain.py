"""How much one update lowers the loss on a batch of a task drawn at random."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class MeanGain(Stateless):
    """Estimates what an update does for all tasks alike: reward = loss before - loss after, on a task drawn uniformly.

    MPG = L(x', theta) - L(x', theta') for x' drawn from a task that is itself drawn uniformly. Costs two forward passes
    per decision. It captures transfer to all tasks, with a high variance, since the tasks measured differ in how much
    there is to gain.

    Units of the loss, usually nats; any sign.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = MeanGain()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([0]), {"mean_before": np.array([0.75]), "mean_after": np.array([0.5])})
    array([0.25])
    """

    name = "mean_gain"
    needs = frozenset({"mean_before", "mean_after"})
    source = "Graves et al. 2017, arXiv 1704.03003, mean prediction gain (from memory; text could not be checked)"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """Loss before minus loss after, shape (n_runs,)."""
        return measured["mean_before"] - measured["mean_after"]
