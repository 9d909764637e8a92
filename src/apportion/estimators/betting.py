"""The betting interval."""

from __future__ import annotations

import numpy as np

from ..records import Floats
from ._bounds import UNKNOWN, check_confidence, from_unit, to_unit, usable

_TRUNCATION = 0.5


def betting(scores: Floats, *, confidence: float = 0.95, low: float, high: float) -> tuple[float, float]:
    """An interval for the mean of bounded scores: the values against which no gambler would have become rich.

    For each m in [0, 1] (in units of the range), a gambler bets l_t(m) = min(l_t, 1 / (2 m)) on scores above m: K_t =
    product of (1 + l_i(m) (x_i - m)), a martingale if the mean is m. m is refused below the point where K_t ever
    reached 2 / alpha; a second gambler bets on scores below. The stake l_t = sqrt(2 ln(2 / alpha) / (n s^2_(t-1)))
    depends on earlier scores only. Holds at every n and for adaptive logs with a constant conditional mean; usually
    close to `normal` in width. Where the conditional mean drifts it does not hold: use `anytime`. Where the gamblers
    refuse the mean of the scores itself, no one mean fits them, and the interval is infinite. Cost: about 100 passes
    over the scores.

    Source: Waudby-Smith & Ramdas 2023 (arXiv:2010.09686), the hedged capital interval with the predictable plug-in
    stake; parameters from the released code `gostevehoward/confseq`, `src/confseq/betting.py`.

    Args:
        scores: one per round in the order of the run, shape (n_rounds,), in [low, high].
        confidence: in (0, 1).
        low: lower bound of all scores that could have been.
        high: upper bound of all scores that could have been.

    Returns:
        Lower and upper end inside [low, high]; infinite without scores, with one that is not finite, or where no one
        mean fits.

    Raises:
        ValueError: `confidence` is outside (0, 1), the bounds are not in order, or a score lies outside them.

    Example:
        >>> lower, upper = betting(np.tile([0.0, 1.0], 500), low=0.0, high=1.0)
        >>> bool(0.44 < lower < 0.47 and 0.53 < upper < 0.56)
        True
    """
    check_confidence(confidence)
    if not usable(scores, at_least=1):
        return UNKNOWN
    unit = to_unit(scores, low, high)
    n = unit.size
    rounds = np.arange(1, n + 1)
    means = (0.5 + np.cumsum(unit)) / (rounds + 1)
    variances = (0.25 + np.cumsum((unit - means) ** 2)) / (rounds + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    depth = np.log(2.0 / (1.0 - confidence))
    stakes = np.sqrt(2.0 * depth / (n * before))
    lower = _richest(unit, stakes, depth)
    upper = 1.0 - _richest(1.0 - unit, stakes, depth)
    if not lower <= unit.mean() <= upper:
        return UNKNOWN
    return from_unit(lower, upper, low, high)


def _richest(unit: Floats, stakes: Floats, depth: float) -> float:
    """The largest m against which a gambler on scores above it gets rich; wealth falls with m, so bisection works."""
    least, most = 0.0, 1.0
    for _ in range(32):
        middle = (least + most) / 2.0
        bets = np.minimum(stakes, _TRUNCATION / middle)
        wealth = np.cumsum(np.log1p(bets * (unit - middle)))
        if wealth.max() >= depth:
            least = middle
        else:
            most = middle
    return least
