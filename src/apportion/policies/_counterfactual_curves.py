"""How fast each task still learns, from the rewards of its own decisions: a mixture of exponential learning curves."""

import numpy as np

from ..records import Bools, Floats
from ._choice import normalised

SCALES: Floats = np.geomspace(1.5, 6000.0, 14)
"""Decisions over which a task may learn; the mixture weighs them by their evidence."""
LEVEL, GAIN = 9, 2
"""Sums kept for rewards that are changes of a level, and for rewards that are gains."""
DRIFTS = 0.05  # prior probability that a task changes while others are drawn
DOUBT = 20.0  # pairs of rewards that the presumption of a level is worth


def rises(n: Floats) -> Floats:
    """1 - exp(-n / scale) for each scale, shape (..., n_scales)."""
    return -np.expm1(-n[..., None] / SCALES)


def level_sums(n: Floats, total: Floats, time: Floats) -> Floats:
    """What one more point of the curve adds: total reward after n decisions, shape (n_runs, n_scales, LEVEL).

    `time` is the number of all decisions so far, divided by the number of tasks.
    """
    rise = rises(n)
    y, t = np.broadcast_to(total[:, None], rise.shape), np.broadcast_to(time[:, None], rise.shape)
    columns = [np.ones_like(rise), rise, rise * rise, y, rise * y, t, t * t, rise * t, t * y]
    return np.stack(columns, axis=-1)


def gain_sums(n: Floats, reward: Floats) -> Floats:
    """What the reward of decision n adds, shape (n_runs, n_scales, GAIN)."""
    gain = rises(n) - rises(n - 1.0)
    return np.stack([gain * gain, gain * reward[:, None]], axis=-1)


def noise(squares: Floats, products: Floats, pairs: Floats, power: Floats) -> tuple[Floats, Bools]:
    """Variance of the noise, and whether rewards are changes of a noisy level, both of shape (n_runs,).

    The rewards of a task that are changes of a level with independent noise of variance R have (r - r')^2 = 6 R and
    (r - slope)(r' - slope) = -R on average; independent gains of variance R have 2 R and 0. Which it is follows from
    the products, with the presumption of a level.

    Args:
        squares: sum of (r - r')^2 over successive rewards of the same task.
        products: sum of (r - slope)(r' - slope) over them.
        pairs: how many.
        power: mean of r^2.
    """
    mean = squares / np.maximum(pairs, 1.0)
    level = products - DOUBT / 6.0 * mean <= -0.08 * mean * (pairs + DOUBT)
    variance = np.where(level, mean / 6.0, mean / 2.0)
    variance = np.where(pairs < 3.0, power, np.maximum(variance, 1e-9 * power))
    return np.where(variance > 0.0, variance, 1.0), level


def slopes(
    n: Floats,
    level_data: Floats,
    gain_data: Floats,
    variance: Floats,
    level: Bools,
    drop: Floats,
    power: Floats,
    pace: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Posterior mean and deviation of what the next decision earns, and the mean of what all earned together.

    For rewards that are changes of a level: total reward after n decisions = start + b (1 - exp(-n / scale)) +
    d * time + noise, with b ~ N(0, mean square of `drop`); d, which stands for what happens to a task while others are
    drawn (transfer, harm, forgetting), is 0 or, with a prior probability of `DRIFTS`, N(0, (`pace` / 2)^2). For gains:
    reward = b (exp(-(n - 1) / scale) - exp(-n / scale)) + noise with b ~ N(0, power scale^2). The scales, with and
    without d, are weighed by their evidence. All of shape (n_runs, n_tasks).

    Scales lie 1.9 apart, so a slope late in a curve can be wrong by a factor of two, and where there is little noise
    its deviation is then too small.

    Args:
        n: rewards of each task, (n_runs, n_tasks).
        level_data: sums, (n_runs, n_tasks, n_scales, LEVEL).
        gain_data: sums, (n_runs, n_tasks, n_scales, GAIN).
        variance: of the noise, (n_runs,).
        level: which kind of reward, (n_runs,).
        drop: earlier estimates of what was earned, (n_runs, n_tasks).
        power: mean squared reward, (n_runs,).
        pace: typical change of a level by one decision, above 0, (n_runs,).
    """
    is_level, noisy = level[:, None, None], variance[:, None, None]
    points, rise, rise2, y, rise_y, t, t2, rise_t, t_y = np.moveaxis(level_data, -1, 0)
    points = points + 1.0  # the start, where nothing was earned
    spread = np.maximum(np.add.reduce(drop * drop, axis=1) / drop.shape[1], variance)[:, None, None]
    prior = np.where(is_level, spread, np.maximum(power, variance)[:, None, None] * SCALES**2)
    inner = np.where(is_level, np.maximum(rise2 - rise * rise / points, 0.0), gain_data[..., 0])
    cross = np.where(is_level, rise_y - rise * y / points, gain_data[..., 1]) / noisy
    time2 = np.maximum(t2 - t * t / points, 0.0) / noisy
    mixed = np.where(is_level, rise_t - rise * t / points, 0.0) / noisy
    along = (t_y - t * y / points) / noisy
    drift = 1.0 / (0.5 * pace[:, None, None]) ** 2
    precision = inner / noisy + 1.0 / prior
    # The prior keeps it positive; rounding must not take that away.
    moved = np.maximum(precision - mixed * mixed / (time2 + drift), 1.0 / prior)
    means = np.stack([cross / precision, (cross - mixed * along / (time2 + drift)) / moved])
    precisions = np.stack([precision, moved])
    moving = 0.5 * along * along / (time2 + drift) - 0.5 * np.log1p(time2 / drift)
    evidence = 0.5 * precisions * means * means - 0.5 * np.log(precisions * prior)
    evidence[0] += np.log(1.0 - DRIFTS)
    evidence[1] = np.where(is_level, evidence[1] + moving + np.log(DRIFTS), -np.inf)
    weight = np.exp(evidence - np.max(evidence, axis=(0, 3), keepdims=True))
    weight /= np.sum(weight, axis=(0, 3), keepdims=True)
    mean = np.add.reduce(weight * means, axis=0)
    second = np.add.reduce(weight * (means * means + 1.0 / precisions), axis=0)
    slope = np.exp(-n[..., None] / SCALES) / SCALES
    value = np.add.reduce(mean * slope, axis=2)
    square = np.add.reduce(second * slope * slope, axis=2)
    earned = np.add.reduce(mean * rises(n), axis=2)
    return value, np.sqrt(np.maximum(square - value * value, 0.0)), earned


def capped(shares: Floats, cap: float) -> Floats:
    """Shares drawn towards uniform until none is above `cap`, shape (n_runs, n_tasks)."""
    n_tasks = shares.shape[1]
    top = np.maximum.reduce(shares, axis=1, keepdims=True)
    least = max(cap, 1.0 / n_tasks)
    keep = np.where(top > least, (least - 1.0 / n_tasks) / np.maximum(top - 1.0 / n_tasks, 1e-12), 1.0)
    return normalised(keep * shares + (1.0 - keep) / n_tasks)
