"""What the decisions for each task do to the other tasks, read off rewards that are changes of a level."""

import numpy as np

from ..records import Floats, Ints


def cross_effects(
    chosen: Ints, reward: Floats, used: Floats, weight: Floats, scale: Floats, variance: Floats, doubt: float
) -> Floats:
    """Mean effect of one decision for each task on the level of the others, shape (n_runs, n_tasks).

    A windowed additive model, whose windows are the stretches between two decisions for the same task: what the level
    of task i changed from one of its decisions to the next is the sum of the effects of all decisions in between. In
    levels, y_i = start_i + own_i * (decisions for i) + sum_a x_a * (decisions for a) + noise, with x ~ N(0, scale^2);
    start and own trend of each task are partialled out, and tasks count by their priority. An effect that is not
    `doubt` standard errors away from 0 is taken as 0, and others are shrunk towards it (Breiman 1995,
    DOI 10.2307/1269730, for the form of the shrinkage; could not be checked).

    Args:
        chosen: last decisions, oldest first, (n_runs, window).
        reward: their rewards, (n_runs, window).
        used: 1 for entries that hold a decision, else 0, (n_runs, window).
        weight: priority of each task, (n_tasks,).
        scale: expected size of an effect, above 0, (n_runs,).
        variance: of the noise of a level, above 0, (n_runs,).
        doubt: standard errors.
    """
    n_tasks = len(weight)
    drawn = (chosen[..., None] == np.arange(n_tasks)) * used[..., None]
    before = np.cumsum(drawn, axis=1)
    level = _own(np.cumsum(drawn * reward[..., None], axis=1), chosen)
    order = _own(before, chosen)
    counts = np.maximum(np.add.reduce(drawn, axis=1), 1.0)
    by_task = drawn.transpose(0, 2, 1)

    def centred(values: Floats) -> Floats:
        means = by_task @ values / counts[..., None]
        return (values - np.take_along_axis(means, chosen[..., None], axis=1)) * used[..., None]

    trend = centred(order[..., None])
    both = np.concatenate([centred(level[..., None]), centred(before)], axis=2)
    along = by_task @ (trend * both) / np.maximum(by_task @ (trend * trend), 1e-9)
    rest = both - trend * np.take_along_axis(along, np.repeat(chosen[..., None], n_tasks + 1, axis=2), axis=1)
    left, right = rest[..., 1:] * (1.0 - drawn), rest[..., 0]
    # In units of `scale`, so that rewards of any size keep the matrix well conditioned.
    worth = weight[chosen] * used * (scale**2 / variance)[:, None]
    matrix = left.transpose(0, 2, 1) @ (left * worth[..., None]) + np.eye(n_tasks)
    target = (left * (worth * right / scale[:, None])[..., None]).sum(axis=1)
    inverse = np.linalg.inv(matrix)
    effect = (inverse @ target[..., None])[..., 0]
    error = doubt * np.sqrt(np.einsum("raa->ra", inverse))
    sure = np.abs(effect) > error
    kept = np.where(sure, 1.0 - (error / np.where(sure, effect, 1.0)) ** 2, 0.0)
    return effect * kept * scale[:, None]


def _own(values: Floats, chosen: Ints) -> Floats:
    return np.take_along_axis(values, chosen[..., None], axis=2)[..., 0]
