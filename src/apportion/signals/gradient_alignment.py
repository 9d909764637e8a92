"""How well the gradient of a batch agrees with that of the held-out objective."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class GradientAlignment(Stateless):
    """Estimates whether an update helps the objective: reward = cosine of the batch's and the held-out gradient.

    1 where the step that lowers the loss of the batch is the one that lowers the held-out loss, 0 where it does nothing
    to it, -1 where it undoes it. Costs a held-out gradient now and then. It sees the next step only, and in many
    dimensions cosines of noisy gradients are all close to 0: rescale them.

    In [-1, 1].

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = GradientAlignment()
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.reward(np.array([0]), {"gradient_alignment": np.array([0.5])})
    array([0.5])
    """

    name = "gradient_alignment"
    needs = frozenset({"gradient_alignment"})
    source = "from its released code: cindyxinyiwang/multiDDS fairseq/trainer.py; Wang et al. 2020, arXiv 2004.06748"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """The measured cosine, shape (n_runs,)."""
        return measured["gradient_alignment"].copy()
