"""What wrappers that let only some tasks pass have in common."""

import numpy as np

from ..records import Bools, Floats


def gated(probabilities: Floats, admitted: Bools, exploration: float) -> Floats:
    """(1 - exploration) of the probabilities restricted to admitted tasks, plus exploration of them unrestricted.

    Admitted tasks share equally where the probabilities give all of them nothing. Where no task is admitted, all are.
    """
    admitted = admitted | ~admitted.any(axis=1, keepdims=True)
    kept = np.where(admitted, probabilities, 0.0)
    kept = np.where(kept.sum(axis=1, keepdims=True) > 0.0, kept, admitted.astype(np.float64))
    return (1.0 - exploration) * kept / kept.sum(axis=1, keepdims=True) + exploration * probabilities
