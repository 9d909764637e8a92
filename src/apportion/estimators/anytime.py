"""Confidence sequences: bounds that hold at all rounds at once, so that one may look at any time and stop."""

from __future__ import annotations

import numpy as np
from scipy import special

from .._check import check_number
from ..records import Floats, Ints, Logged
from ._bounds import UNKNOWN, check_confidence, usable
from ._inputs import checked_reward, importance_weights


def anytime(
    scores: Floats, *, confidence: float = 0.95, low: float, high: float = np.inf, scale: float | None = None
) -> tuple[float, float]:
    """An interval for the running mean of scores with a known bound on one side, valid at whatever round one stops.

    The target is the average so far of the conditional means, which may drift, and the log may be adaptive. The lower
    end needs scores of at least `low` and no bound above, which suits w r with r >= 0; the upper end is infinite
    unless `high` is finite. Take `off_policy_sequence` for both ends from w and r.

    With y_t the scores in units of `scale` above `low` and m_t a mean of the earlier ones clipped to [0, 1], the
    process exp(l S - psi(l) V), S = sum of (y - mean), V = sum of (y - m)^2, psi(l) = -ln(1 - l) - l is a
    supermartingale; it is mixed over l in (0, 1) with the gamma density of Howard et al., which gives a closed form,
    and inverted.

    Source: Howard, Ramdas, McAuliffe & Sekhon 2021 (arXiv:1810.08240), gamma-exponential mixture; Waudby-Smith, Wu,
    Ramdas, Karampatziakis & Mineiro 2022 (arXiv:2210.10768) for off-policy evaluation; released code
    `VowpalWabbit/estimators`, `src/estimators/bandits/cs.py`.

    Args:
        scores: one per round in the order of the run, shape (n_rounds,), at least `low`.
        confidence: in (0, 1).
        low: lower bound of all scores that could have been.
        high: upper bound of all scores that could have been.
        scale: typical size of the scores above `low`, above 0; `high - low` by default, needed if that is infinite.

    Returns:
        Lower and upper end; infinite without scores or with one that is not finite.

    Raises:
        ValueError: `confidence` is outside (0, 1), the bounds are not in order or a score lies outside them, or
            `scale` is missing.

    Example:
        >>> lower, upper = anytime(np.tile([0.0, 1.0], 500), low=0.0, high=1.0)
        >>> bool(0.42 < lower < 0.46 and 0.54 < upper < 0.58)
        True
    """
    check_confidence(confidence)
    check_number("low", low)
    if not high > low:
        raise ValueError(f"`high` must be above `low = {low:g}`, got `high = {high:g}`.")
    if not usable(scores, at_least=1):
        return UNKNOWN
    if scale is None:
        scale = high - low
    check_number("scale", scale, low=0.0, low_open=True)
    if scores.min() < low or scores.max() > high:
        raise ValueError(f"scores must lie in [{low:g}, {high:g}], got {scores.min():g} to {scores.max():g}.")
    tail = (1.0 - confidence) / 2.0
    below = SubExponential()
    below.add((scores - low) / scale)
    lower = low + scale * below.lower(tail)
    if high == np.inf:
        return lower, float("inf")
    above = SubExponential()
    above.add((high - scores) / scale)
    return lower, high - scale * above.lower(tail)


def off_policy_sequence(
    logged: Logged, target: Floats, *, confidence: float = 0.95, low: float, high: float, at: Ints | None = None
) -> tuple[Floats, Floats]:
    """A confidence sequence for the mean reward per step under a fixed target, from rewards with known bounds.

    The lower end is that of `anytime` for w (r - low), the upper end that for w (high - r), so no bound on the
    importance weights is needed. The target must not be made from the same rewards.

    Source: as `anytime`.

    Args:
        logged: decisions with rewards, in the order of their steps.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        confidence: that all ends hold together, in (0, 1).
        low: lower bound of all rewards that could have been.
        high: upper bound of all rewards that could have been.
        at: after how many rounds to give the ends, from 1; all rounds by default.

    Returns:
        Lower and upper ends, each of the shape of `at`.

    Raises:
        ValueError: `confidence` is outside (0, 1), the bounds are not in order, a reward is missing or lies outside
            them, or `at` is out of range.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(
        ...     tasks=["a", "b"], chosen=[0, 1] * 500, probabilities=[[0.5, 0.5]] * 1000, reward=[1.0, 0.0] * 500
        ... )
        >>> lower, upper = off_policy_sequence(log, np.array([0.8, 0.2]), low=0.0, high=1.0, at=np.array([10, 1000]))
        >>> bool(lower[0] < 0.8 < upper[0] and 0.7 < lower[1] < 0.8 < upper[1] < 0.9)
        True
    """
    check_confidence(confidence)
    check_number("low", low)
    check_number("high", high, low=low, low_open=True)
    weights, reward = importance_weights(logged, target), checked_reward(logged)
    if reward.size and (reward.min() < low or reward.max() > high):
        raise ValueError(f"rewards must lie in [{low:g}, {high:g}], got {reward.min():g} to {reward.max():g}.")
    rounds = np.arange(1, reward.size + 1) if at is None else at
    if rounds.size and not (rounds.min() >= 1 and rounds.max() <= reward.size):
        raise ValueError(f"`at` must be from 1 to {reward.size}, got {rounds.min()} to {rounds.max()}.")
    tail, unit = (1.0 - confidence) / 2.0, (reward - low) / (high - low)
    lower = _lower_ends(weights * unit, rounds, tail)
    upper = 1.0 - _lower_ends(weights * (1.0 - unit), rounds, tail)
    return low + np.maximum(lower, 0.0) * (high - low), low + np.minimum(upper, 1.0) * (high - low)


class SubExponential:
    """Sums from which the lower end of a confidence sequence follows; observations come chunk by chunk."""

    def __init__(self) -> None:
        self.n = 0
        self.total = 0.0
        self.variance = 0.0

    def add(self, observations: Floats) -> tuple[Floats, Floats]:
        """Take in the next observations, none below 0, and return running totals and variance processes."""
        totals = self.total + np.cumsum(observations)
        before = np.concatenate([[self.total], totals[:-1]])
        centre = np.minimum((0.5 + before) / (self.n + np.arange(1, observations.size + 1)), 1.0)
        variances = self.variance + np.cumsum((observations - centre) ** 2)
        if observations.size:
            self.n, self.total, self.variance = self.n + observations.size, float(totals[-1]), float(variances[-1])
        return totals, variances

    def lower(self, tail: float) -> float:
        """The lower end now, for an error probability of `tail`; at least 0."""
        if self.n == 0:
            return 0.0
        return max((self.total - float(boundary(np.array([self.variance]), tail)[0])) / self.n, 0.0)


def _lower_ends(observations: Floats, rounds: Ints, tail: float) -> Floats:
    totals, variances = SubExponential().add(observations)
    return (totals[rounds - 1] - boundary(variances[rounds - 1], tail)) / rounds


def boundary(variance: Floats, tail: float, *, rho: float = 10.0) -> Floats:
    """The sum that the mixture supermartingale lets pass with probability `tail` at most, for each variance process.

    Solves m(s, v) = 1 / tail for s, m(s, v) = e^(s+v) rho^rho gamma(v + rho, s + v + rho) / ((s + v + rho)^(v + rho)
    gamma(rho, rho)), with gamma(a, x) the lower incomplete gamma function. m increases in s.
    """
    constant = rho * np.log(rho) - special.gammaln(rho) - np.log(special.gammainc(rho, rho))
    depth, shape = -np.log(tail), variance + rho

    def wealth(s: Floats) -> tuple[Floats, Floats]:
        """Ln m and its derivative in s."""
        place = s + shape
        regular = special.gammainc(shape, place)
        density = np.exp((shape - 1.0) * np.log(place) - place - special.gammaln(shape))
        height = s + variance + constant - shape * np.log(place) + special.gammaln(shape) + np.log(regular)
        return height, 1.0 - shape / place + density / regular

    # ln m is convex in s, as the logarithm of a mixture of exponentials: from above, Newton's steps stay above.
    s = np.sqrt(2.0 * shape * depth) + depth + 1.0
    while (short := wealth(s)[0] < depth).any():
        s = np.where(short, 2.0 * s, s)
    for _ in range(50):
        height, rate = wealth(s)
        step = np.maximum((height - depth) / rate, 0.0)
        s = s - step
        if not (step > 1e-12 * s).any():
            break
    return s
