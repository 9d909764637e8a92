"""The training loss as the reward."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class Loss(Stateless):
    """Estimates how badly the model does on a task: reward = loss of the batch before its update.

    Prefers tasks with a high loss, as online data mixing does. It fails where a high loss cannot be learned away: a
    task of pure noise attracts the most, and losses of different kinds of task have different scales.

    Units of the loss, usually nats; any finite value.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = Loss()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([1]), {"loss": np.array([0.7])})
    array([0.7])
    """

    name = "loss"
    needs = frozenset({"loss"})
    source = "Albalak et al. 2023, arXiv 2312.02406 (its reward before importance weighting; text could not be checked)"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """The measured loss, shape (n_runs,)."""
        return measured["loss"].copy()
