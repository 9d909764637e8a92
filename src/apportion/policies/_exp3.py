"""What the policies of the EXP3 family share."""

import numpy as np

from .._check import check_integer
from ..records import Floats, Ints
from ._choice import largest

TINY = 1e-12
"""The smallest propensity that rewards are divided by."""


def check_horizon(horizon: int | None) -> None:
    """Refuse a horizon that is not a number of decisions.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is below 1.
    """
    if horizon is not None:
        check_integer("horizon", horizon, low=1)


def doubled(steps: Ints) -> bool:
    """Whether the number of rewards of some run is a power of two: only then do rates without a horizon change."""
    return not np.logical_and.reduce(steps & (steps - 1))


def horizons(horizon: int | None, steps: Ints) -> float | Floats:
    """The horizon T that learning rates are made for: the one given, or one for each run, shape (n_runs, 1).

    Without a given one, the doubling trick: the first power of two above the number of rewards so far.
    """
    if horizon is not None:
        return float(horizon)
    return np.ldexp(1.0, np.frexp(steps.astype(np.float64))[1])[:, None]


def rate(value: float | Floats) -> float | Floats:
    """A rate as state: a number where one serves all runs, which is also faster, else an array."""
    return value if isinstance(value, np.ndarray) else float(value)


def weighted(chosen: Ints, probabilities: Floats, reward: Floats, low: float, high: float) -> Floats:
    """Rewards clipped to [low, high] and divided by their propensities, 0 for tasks not drawn, (n_runs, n_tasks)."""
    at = (np.arange(len(chosen)), chosen)
    gains = np.zeros(probabilities.shape)
    gains[at] = np.minimum(np.maximum(reward, low), high) / np.maximum(probabilities[at], TINY)
    return gains


def centred(log_weights: Floats) -> Floats:
    """The same weights with 1 as the largest: only ratios matter, and so they never overflow."""
    return log_weights - largest(log_weights)
