"""What the estimators with a reward model share."""

from __future__ import annotations

import numpy as np

from ..records import Floats, Logged
from ._inputs import checked_target, of_drawn, weights_of
from .by_task import by_task


def predicted(logged: Logged, target: Floats, predictions: Floats | None) -> tuple[Floats, Floats]:
    """Predicted reward under the target, and of the task drawn: sum over a of pi_t(a) q(t, a), and q(t, a_t).

    Without `predictions` the model is `by_task(logged)`.

    Returns:
        Two arrays of shape (n_rounds,).

    Raises:
        ValueError: `predictions` have another shape than (n_rounds, n_tasks), or are not finite.
    """
    return _predicted(logged, checked_target(logged, target), predictions)


def weighed(logged: Logged, target: Floats, predictions: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Importance weights and what `predicted` gives, with one check of the target, three arrays of (n_rounds,)."""
    policy = checked_target(logged, target)
    return weights_of(logged, policy), *_predicted(logged, policy, predictions)


def _predicted(logged: Logged, policy: Floats, predictions: Floats | None) -> tuple[Floats, Floats]:
    shape = (logged.n_rounds, len(logged.tasks))
    if predictions is None:
        predictions = by_task(logged)
    elif predictions.shape != shape or predictions.dtype.kind != "f":
        raise ValueError(
            f"`predictions` must be floats of the shape {shape}, got {predictions.dtype} {predictions.shape}."
        )
    value = np.einsum("ij,ij->i", policy, predictions)
    if not np.isfinite(value).all():
        row = int(np.argmin(np.isfinite(value)))
        raise ValueError(f"`predictions` must be finite, got {predictions[row]} in round {row}.")
    return value, of_drawn(predictions, logged)
