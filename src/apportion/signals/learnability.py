"""How much there is to learn from a task that is neither mastered nor hopeless."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..records import Floats, Ints
from ._stateless import Stateless


@dataclass(kw_only=True)
class Learnability(Stateless):
    """Estimates what is within reach: reward = s (1 - s) for the fraction s of the batch that the model gets right.

    Zero where all or nothing succeeds, 1/4 at s = 1/2. It fails where chance alone gives a middling success: a task of
    coin-flip labels has the highest learnability of all, and never loses it.

    In [0, 1/4]; a success outside [0, 1] is clipped.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = Learnability()
    >>> signal.reset([Task(name="maths"), Task(name="code")])
    >>> signal.reward(np.array([0]), {"success": np.array([0.5])})
    array([0.25])
    """

    name = "learnability"
    needs = frozenset({"success"})
    source = "from its released code: RyanNavillus/Syllabus, its learnability curriculum"

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """S (1 - s), shape (n_runs,)."""
        success = np.clip(measured["success"], 0.0, 1.0)
        return success * (1.0 - success)
