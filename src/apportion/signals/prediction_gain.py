"""How much one update lowers the loss on its own batch."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class PredictionGain(Stateless):
    """Estimates what an update teaches: reward = loss before it - loss after it, both on the batch trained on.

    PG = L(x, theta) - L(x, theta') for the batch x and the parameters theta before and theta' after. Costs one more
    forward pass per decision. It is biased to memorisation: a batch of noise labels can be learned by heart as well.
    Graves et al. divide it by the time that the batch took: `PerCost(PredictionGain())`.

    Units of the loss, usually nats; any sign.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = PredictionGain()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([0]), {"loss": np.array([0.75]), "loss_after": np.array([0.5])})
    array([0.25])
    """

    name = "prediction_gain"
    needs = frozenset({"loss", "loss_after"})
    source = "Graves et al. 2017, arXiv 1704.03003, section 4.1 (from memory; text could not be checked)"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """Loss before minus loss after, shape (n_runs,)."""
        return measured["loss"] - measured["loss_after"]
