"""The first part of a run, given in decisions or as a fraction of the budget."""

import numpy as np

from .._check import check_integer, check_number
from ..records import Context, Floats


def check_span(steps: int | None, fraction: float | None) -> None:
    """Refuse anything but exactly one of `steps` and `fraction`.

    Raises:
        ValueError: both or none are given, `steps` is below 1, or `fraction` is outside (0, 1].
    """
    if (steps is None) == (fraction is None):
        raise ValueError(
            f"exactly one of `steps` and `fraction` must be given, got `steps = {steps}` and `fraction = {fraction}`."
        )
    if steps is not None:
        check_integer("steps", steps, low=1)
    if fraction is not None:
        check_number("fraction", fraction, low=0.0, high=1.0, low_open=True)


def elapsed(context: Context, steps: int | None, fraction: float | None) -> Floats:
    """How much of the span has passed, clipped to [0, 1], shape (n_runs,)."""
    if steps is not None:
        return np.full(context.n_runs, min(context.step / steps, 1.0))
    return np.minimum(context.progress / (fraction or 1.0), 1.0)
