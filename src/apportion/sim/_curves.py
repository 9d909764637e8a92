"""Learning curves: the fraction of what can be learned that a task has learned from its experience."""

from __future__ import annotations

import numpy as np

from ..records import Bools, Floats, Ints


class Curves:
    """One curve per task, a function u(z) of the experience z in units of the task's scale.

    Saturating exponential: u = 1 - exp(-z). Power law: u = 1 - (1 + z)^-a with the exponent a > 0, the form in which
    losses are found to fall with data (Kaplan et al. 2020, arXiv 2001.08361, equation 1.2, with an offset so that
    u(0) = 0). Below zero, where harm from other tasks leads, both go on as the straight line with the slope at zero,
    so that they stay concave and finite.

    Args:
        exponents: a of each task, shape (n_tasks,); inf for the saturating exponential.
    """

    def __init__(self, exponents: Floats) -> None:
        power = np.isfinite(exponents)
        self._any: bool = bool(power.any())
        self._all: bool = bool(power.all())
        self._power: Bools = power
        self._exponents: Floats = np.where(power, exponents, 1.0)

    def value(self, z: Floats, which: Ints | None = None) -> Floats:
        """u(z) of all tasks, shape (..., n_tasks); or of the task `which` of every run, shape (n_runs,)."""
        above = np.maximum(z, 0.0)
        learned = -np.expm1(-self._depth(above, which))
        below = np.minimum(z, 0.0)
        if self._any:
            below = below * self._slope_at_zero(which)
        return learned + below

    def slope(self, z: Floats) -> Floats:
        """du/dz of all tasks, shape (..., n_tasks)."""
        above = np.maximum(z, 0.0)
        falling = np.exp(-self._depth(above, None))
        if self._any:
            falling = falling * np.where(self._power, self._exponents / (1.0 + above), 1.0)
        return falling

    def _depth(self, above: Floats, which: Ints | None) -> Floats:
        """-log(1 - u)."""
        if not self._any:
            return above
        exponents = self._exponents if which is None else self._exponents[which]
        if self._all:
            return exponents * np.log1p(above)
        power = self._power if which is None else self._power[which]
        return np.where(power, exponents * np.log1p(above), above)

    def _slope_at_zero(self, which: Ints | None) -> Floats:
        return self._exponents if which is None else self._exponents[which]
