"""The loss above that of a reference model."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class ExcessLoss(Stateless):
    """Estimates what is left to learn: reward = loss - loss of a reference model on the same batch.

    The reference stands for what can be learned, so noise that no model can predict cancels. Costs a forward pass of
    the reference model. It is as good as the reference: a task that it has not learned seems finished.

    Units of the loss, usually nats; not negative when clipped, otherwise of any sign.

    Args:
        clip: give 0 where the loss is below the reference. DoReMi clips every token; here it is the batch's mean.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = ExcessLoss()
    >>> signal.reset([Task(name="wiki"), Task(name="code")])
    >>> signal.reward(np.array([0]), {"loss": np.array([0.75]), "reference_loss": np.array([0.5])})
    array([0.25])
    """

    name = "excess_loss"
    needs = frozenset({"loss", "reference_loss"})
    source = "from its released code: sangmichaelxie/doremi doremi/trainer.py; Xie et al. 2023, arXiv 2305.10429"

    clip: bool = True

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """Loss minus reference loss, shape (n_runs,)."""
        excess = measured["loss"] - measured["reference_loss"]
        return np.maximum(excess, 0.0) if self.clip else excess
