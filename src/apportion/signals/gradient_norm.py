"""The squared norm of the gradient as the reward."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class GradientNorm(Stateless):
    """Estimates what an update teaches from its gradient: reward = squared norm of the gradient of the batch.

    Gradient prediction gain: a plain gradient step of length lr lowers the batch's own loss by lr * |g|^2 to first
    order. Costs no pass of its own. It counts noise as well as signal: label noise and small batches make gradients
    large, and an optimizer such as Adam does not move along the gradient. Heavy-tailed: rescale it, by quantiles best.

    Units of the loss squared per parameter squared; not negative.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = GradientNorm()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([0]), {"gradient_norm": np.array([4.0])})
    array([4.])
    """

    name = "gradient_norm"
    needs = frozenset({"gradient_norm"})
    source = "Graves et al. 2017, arXiv 1704.03003, gradient prediction gain (from memory; text could not be checked)"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """The measured squared norm, shape (n_runs,)."""
        return measured["gradient_norm"].copy()
