"""Where a run breaks: what came before tells nothing of the rest, so the fit begins anew there."""

from __future__ import annotations

import numpy as np

from ..records import Bools, Floats, Ints
from ._fit import Fit, Priors
from ._noise import EXPECTED
from ._state import FEWEST, Seen

_BREAK, _JUMP = 4.0, 3.0
"""Misfit from which on a run may have broken, and by what factor it must have risen from one evaluation to the next."""

_COARSE = 0.02
"""Root mean squared residual from which on, as a part of the range of scores: where noise is hardly any, curves of
another shape than those fitted give a misfit, too."""

_MOST = 4  # breaks that are sought


def has_broken(fit: Fit, before: Floats) -> Bools:
    """Whether the last evaluation, before which the misfit was `before`, broke a run, (n_runs,)."""
    return _is_bad(fit) & (fit.misfit > _JUMP * before)


def _is_bad(fit: Fit) -> Bools:
    noise = np.maximum(np.where(np.isfinite(fit.rough), fit.rough / fit.scale, _COARSE), EXPECTED)
    return (fit.misfit > _BREAK) & (np.sqrt(fit.misfit) * noise > _COARSE)


def fit_last_part(seen: Seen, priors: Priors, *, iterations: int) -> tuple[Seen, Fit]:
    """Fit what is known; of a run that broke only what came from its last break on, where that is enough.

    A run broke at the first evaluation with which the fit to all until then is bad. That is found by bisection, as a
    fit that a break has spoilt stays so.

    Args:
        seen: what is known.
        priors: see `Priors`.
        iterations: of each fit.
    """
    whole = fit = seen.fit(priors, warm=None, iterations=iterations)
    part = seen
    for _ in range(_MOST):
        suspect = _is_bad(fit)
        begun = np.where(suspect, _first_bad(part, priors, iterations), part.begun) if suspect.any() else part.begun
        enough = np.isfinite(part.since(begun).scores).sum(axis=1).max(axis=1) >= FEWEST
        begun = np.where(enough, begun, part.begun)
        if (begun == part.begun).all():
            break
        part = part.since(begun)
        fit = part.fit(priors, warm=None, iterations=iterations)
    better = fit.misfit < whole.misfit
    if better[part.begun > 0].all():
        return part, fit
    part = seen.since(np.where(better, part.begun, 0))
    return part, part.fit(priors, warm=None, iterations=iterations)


def _first_bad(seen: Seen, priors: Priors, iterations: int) -> Ints:
    """The first evaluation with which the fit to all until then is bad; the last one where none is, (n_runs,)."""
    good, bad = seen.begun + FEWEST, np.full_like(seen.begun, seen.counts.shape[1])
    while (bad - good > 1).any():
        middle = (good + bad) // 2
        is_bad = _is_bad(seen.until(middle).fit(priors, warm=None, iterations=iterations))
        good, bad = np.where(is_bad, good, middle), np.where(is_bad, middle, bad)
    return bad - 1
