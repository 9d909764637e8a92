"""The mean absolute advantage as the reward, for reinforcement learning."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class Advantage(Stateless):
    """Estimates how much a policy gradient can learn from a task: reward = mean absolute advantage of the batch.

    Zero where every attempt succeeds or every one fails; for a success rate s and advantages that are divided by their
    standard deviation it is largest near s = 1/2. Costs nothing beyond the rollouts. It fails where rewards are noisy:
    noise is advantage as well.

    Units of the advantage; not negative.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = Advantage()
    >>> signal.reset([Task(name="maths"), Task(name="code")])
    >>> signal.reward(np.array([0]), {"advantage": np.array([0.5])})
    array([0.5])
    """

    name = "advantage"
    needs = frozenset({"advantage"})
    source = "SEC, arXiv 2505.14970; released code: rsshyam/MT-GRPO verl/verl/utils/auto_curriculum/priority.py"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """The measured mean absolute advantage, shape (n_runs,)."""
        return measured["advantage"].copy()
