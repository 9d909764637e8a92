"""Draws from the posterior: every draw is a fit of its own to data and prior that were shaken by their noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..records import Bools, Floats, Ints
from ._evidence import INTERFERENCE, SPAN, SPEED, START, TRANSFER, Look
from ._fit import Fit, within
from ._variants import Variants

UNTRIED = 0.3
"""Probability that a task teaches another one where the data say nothing about it, in intervals of transfer."""

SLAB = 2.0
"""Standard deviation of transfer where there is any, in scales of its prior."""

SHOWN = 3.0
"""Log of the odds that data alone must give for a task to teach another one, to have shown it: strong evidence, as of
dozens of pairs one looks like it by chance (Kass and Raftery 1995, doi 10.1080/01621459.1995.10476572)."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """How draws decide which pairs of tasks touch each other.

    Attributes:
        untried: probability that they do where the data say nothing about it; at 0 they do only where data show it.
        uniforms: that decide in each draw, (n_members, n_tasks, n_tasks).
    """

    untried: float
    uniforms: Floats


@dataclass(slots=True)
class Members:
    """Draws from the posterior; arrays have the shape (n_runs, n_members, n_tasks) unless said otherwise.

    Attributes:
        start: score without any training.
        span: what can be learned.
        rate: what a batch of task a adds to the experience z of task i, (n_runs, n_members, n_tasks i, n_tasks a), in
            units of the batches of equal shares.
        interference: part that is lost while the task is hardly drawn.
        variant: number of the shape.
        at: experience z now.
    """

    start: Floats
    span: Floats
    rate: Floats
    interference: Floats
    variant: Ints
    at: Floats


def draw_members(
    fit: Fit,
    first: Floats,
    upper: Floats,
    uniforms: Floats,
    normals: Floats,
    noise: Floats,
    variants: Variants,
    iterations: int = 4,
    pairs: Pairs | None = None,
) -> Members:
    """Draw shapes by their evidence, and parameters by randomised maximum likelihood.

    A draw is the minimum of sum (prediction - score - e)^2 / variance + sum precision (theta - mean - d)^2 with e and d
    drawn from noise and prior; exact for linear models (Kitanidis 1995, doi 10.1029/94WR02740; Oliver et al. 1996;
    from memory, equations could not be checked). Unlike a Gaussian around the maximum every draw agrees with the data,
    also where curves are saturated and the data bound transfer only from one side.

    Args:
        fit: of the curves.
        first: what the starts are measured from, (n_runs, n_tasks).
        upper: largest possible score, (n_runs, n_tasks).
        uniforms: for the shapes, (n_members, n_tasks).
        normals: for the prior, (n_members, n_tasks, P).
        noise: for the rows of evidence, (n_members, n_tasks, at least n_rows).
        variants: the shapes that were fitted.
        iterations: of Levenberg-Marquardt from the maximum of the shape.
        pairs: how to decide which pairs touch each other; see `_opened`. None leaves the prior of the shape, which for
            most tasks is that no other one touches them.
    """
    ends = np.cumsum(fit.weight, axis=1)  # (R, H, I)
    variant = (uniforms[None, :, None, :] > ends[:, None, :-1]).sum(axis=2)  # (R, M, I)
    rows = np.arange(len(variant))[:, None, None]
    stream = variants.streams[variant]
    theta = _randomised(fit, variant, stream, normals, noise, variants, iterations, pairs)
    scale = fit.scale[:, None, None]
    start = first[:, None] + scale * theta[..., START]
    rate = np.exp(theta[..., SPEED, None]) * theta[..., TRANSFER:]
    feature = fit.experience[rows, stream]  # (R, M, I, A)
    return Members(
        start=start,
        span=np.clip(scale * np.exp(theta[..., SPAN]), 0.0, np.maximum(upper[:, None] - start, 0.0)),
        rate=rate,
        interference=np.clip(theta[..., INTERFERENCE], 0.0, 0.9),
        variant=variant,
        at=(rate * feature).sum(axis=-1),
    )


def _randomised(
    fit: Fit,
    variant: Ints,
    stream: Ints,
    normals: Floats,
    noise: Floats,
    variants: Variants,
    iterations: int,
    pairs: Pairs | None,
) -> Floats:
    """Parameters of the draws, (R, M, I, P)."""
    evidence = fit.evidence
    n_runs, _, n_tasks = variant.shape
    n_params, n_rows = fit.theta.shape[-1], evidence.y.shape[2]
    rows = np.arange(n_runs)[:, None, None]
    tasks = np.arange(n_tasks)[None, None]
    theta: Floats = fit.theta[rows, variant, tasks]
    wide = fit.wide[rows, variant, tasks]
    mean = fit.mean[rows, variant, tasks]
    deviation = np.sqrt(fit.variance)[:, None]
    # What counts less is noisier.
    y = evidence.y[:, None] + deviation * noise[:, :, :n_rows] / np.maximum(evidence.mask[:, None], 0.05)
    feature = evidence.streams[rows, stream]  # (R, M, I, A, T)
    tail = variants.tail[variant][..., None]
    diagonal = np.arange(n_params)
    jacobian = np.empty((*variant.shape, n_params, n_rows))

    def slopes(found: Look) -> Floats:
        jacobian[..., :TRANSFER, :] = found.own
        np.multiply(found.steep[..., None, :], feature, out=jacobian[..., TRANSFER:, :])
        jacobian[:, :, tasks[0, 0], TRANSFER + tasks[0, 0]] = 0.0  # what a task has from itself is not fitted
        return jacobian @ jacobian.swapaxes(-1, -2)

    def look(theta: Floats) -> tuple[Look, Floats]:
        found = evidence.look(theta, feature, tail, y, shared=False)
        found.residual /= deviation
        found.own /= deviation[..., None, :]
        found.steep /= deviation
        return found, (found.residual**2).sum(axis=-1) + ((theta - mean) ** 2 * wide).sum(axis=-1)

    if pairs is not None:
        ridge = fit.ridge[rows, variant, tasks]
        slab = SLAB * fit.spread
        is_open = _opened(slopes(look(theta)[0]), (theta - mean)[..., TRANSFER:], ridge, slab, pairs)
        wide[..., TRANSFER:] = np.where(is_open, slab**-2, wide[..., TRANSFER:])
    mean = mean + normals / np.sqrt(wide)
    found, value = look(theta)
    damping = np.full(variant.shape, 1e-3)
    for _ in range(iterations):
        curvature = slopes(found)
        gradient = (jacobian @ found.residual[..., None])[..., 0] + wide * (theta - mean)
        curvature[..., diagonal, diagonal] *= 1.0 + damping[..., None]
        curvature[..., diagonal, diagonal] += wide * (1.0 + damping[..., None])
        move = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        move[..., SPAN : SPEED + 1] = np.clip(move[..., SPAN : SPEED + 1], -1.5, 1.5)
        tried = within(theta - move, fit.headroom[:, None])
        new, reached = look(tried)
        worse = ~(reached <= value)
        tried[worse] = theta[worse]
        new.put(found, worse)
        theta, found, value = tried, new, np.where(worse, value, reached)
        damping = np.clip(np.where(worse, damping * 10.0, damping * 0.2), 1e-6, 1e6)
    return theta


def _opened(curvature: Floats, away: Floats, ridge: Floats, slab: Floats, pairs: Pairs) -> Bools:
    """Which pairs of tasks touch each other in each draw: spike and slab, pair by pair, (R, M, I, A).

    With t the transfer that the data alone prefer and c its precision, all other parameters left free, a pair is open
    with the odds untried / (1 - untried) * B, B = N(t; 0, 1/c + slab^2) / N(t; 0, 1/c + 1/ridge): hardly ever where the
    data show that there is nothing, and as often as before any data where they say nothing (George and McCulloch 1993,
    doi 10.1080/01621459.1993.10476353, in Laplace's approximation). With untried = 0 it is open where log B > SHOWN.

    Args:
        curvature: of the data at the maximum, (R, M, I, P, P).
        away: transfer at the maximum minus its prior mean, (R, M, I, A).
        ridge: precision of the prior at the maximum, (R, M, I, P).
        slab: standard deviation of transfer in an open pair, (I, A).
        pairs: how to decide.
    """
    place = np.arange(curvature.shape[-1])
    curvature[..., place, place] += ridge
    spike = ridge[..., TRANSFER:]
    told = np.maximum(1.0 / np.linalg.inv(curvature)[..., place[TRANSFER:], place[TRANSFER:]] - spike, 1e-9)
    preferred = away * (told + spike) / told
    open_, shut = 1.0 / told + slab**2, 1.0 / told + 1.0 / spike
    log_odds = 0.5 * (preferred**2 * (1.0 / shut - 1.0 / open_) + np.log(shut / open_))
    other = ~np.eye(spike.shape[-1], dtype=np.bool_)
    if pairs.untried == 0:
        return (log_odds > SHOWN) & other
    odds = pairs.untried / (1.0 - pairs.untried) * np.exp(np.clip(log_odds, -50.0, 50.0))
    return (pairs.uniforms < odds / (1.0 + odds)) & other
