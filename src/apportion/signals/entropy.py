"""How unsure the model is about a task."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class Entropy(Stateless):
    """Estimates how unsure the model is: reward = mean entropy of its predictions on the batch.

    Needs no labels. It fails where the model is sure and wrong, on tasks that stay uncertain by nature, and between
    tasks with different numbers of classes: the most that c classes can have is log c. A regression has none.

    In nats, in [0, log c].

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = Entropy()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([0]), {"entropy": np.array([0.5])})
    array([0.5])
    """

    name = "entropy"
    needs = frozenset({"entropy"})
    source = "the uncertainty of MT-Uncertainty, from its released code: CAMTL/CA-MTL src/mtl_trainer.py, there scaled"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """The measured entropy, shape (n_runs,)."""
        return measured["entropy"].copy()
