"""The fit of all curves at once: batched Levenberg-Marquardt over runs, shapes and tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..records import Floats
from ._evidence import (
    INTERFERENCE,
    LINK_SPAN,
    LINK_SPEED,
    LINK_START,
    SPAN,
    SPEED,
    START,
    TRANSFER,
    Evidence,
    Look,
    make_evidence,
    risen,
)
from ._noise import CONSISTENT, inlier_weights, misfit_of, noise_variance, rough_noise
from ._products import Products
from ._variants import VARIANTS, Variants, recent_shares

NOISE, TRIPLES = 0.04, 12.0
"""Noise of a score in units of the scale before anything is known, and how many second differences that counts for."""

BATCH_NOISE = 0.1
"""Standard deviation of a batch's success, or of its loss as a part of the first one, before anything is known."""

TOLD = 3.0
"""Second differences for each task that this counts for."""

OF_LOSS, OF_SUCCESS = (0.1, 1.0, 0.5), (0.1, 0.25, 0.25)
"""Standard deviation of where training batches start in comparison with the score, in their unit, and of the logs of
how far and how fast they rise: a success is nearly a score, the fall of a loss may look very different. The first
is the width of a heavy-tailed prior, as the success of a regression starts nowhere near its score."""

ALIKE = 10.0
"""Tasks for which the prior odds of the shapes count beside those of the run, whose tasks tend to have the same."""

LARGEST = 12.0  # of the log of a span or a speed, in either direction


@dataclass(slots=True)
class Priors:
    """What is believed before a run.

    Attributes:
        speed: mean of the log speed of each task (1 = learns within the batches of equal shares), (n_runs, n_tasks).
        speed_sd: its standard deviation, of each task or one number.
        span: mean of the log span in units of the score's scale, (n_runs, n_tasks).
        span_sd: its standard deviation, likewise.
        transfer: mean of the transfer, (n_tasks, n_tasks), row i from column j, 0 on the diagonal.
        transfer_scale: of the heavy-tailed prior around it, (n_tasks, n_tasks) or one number.
        interference_sd: of interference.
        slab: standard deviation of the transfers that draws consider before any data.
        runs: earlier ones that taught all this; 0 where none did.
    """

    speed: float | Floats = 0.0
    speed_sd: float | Floats = 1.7
    span: float | Floats = 0.0
    span_sd: float | Floats = 0.5
    transfer: float | Floats = 0.0
    transfer_scale: float | Floats = 0.3
    interference_sd: float = 0.15
    slab: float = 0.2
    runs: int = 0


@dataclass(slots=True)
class Fit:
    """Maximum a posteriori parameters of every shape, with their evidence.

    Attributes:
        theta: shape (n_runs, n_variants, n_tasks, TRANSFER + n_tasks); the own entry of transfer is always 1.
        weight: posterior probability of each shape, (n_runs, n_variants, n_tasks).
        noise: standard deviation of an evaluation's score, (n_runs, n_tasks).
        variance: of a row of the evidence that counts once, in its units, larger where a score is far off, (n_runs,
            n_tasks, n_rows).
        rough: model-free estimate of the same, from second differences, (n_runs,); NaN before the third evaluation.
        misfit: mean squared residual of the best shapes divided by what noise explains, (n_runs,).
        experience: at the last evaluation, (n_runs, n_streams, n_tasks).
        recent: recent shares at the last evaluation, (n_runs, n_tasks).
        scale: of the scores of a run, (n_runs,).
        ridge: precision of the prior at the maximum, (n_runs, n_variants, n_tasks, P).
        wide: precision of the prior that draws have, the same shape.
        spread: scale of the prior of transfer, (n_tasks, n_tasks).
        mean: of the prior, (n_runs, n_variants, n_tasks, P).
        headroom: log of the largest possible span in units of the scale, (n_runs, n_tasks).
        evidence: what it was fitted to.
        earlier: runs that taught the prior.
    """

    theta: Floats
    weight: Floats
    noise: Floats
    variance: Floats
    rough: Floats
    misfit: Floats
    experience: Floats
    recent: Floats
    scale: Floats
    ridge: Floats
    wide: Floats
    spread: Floats
    mean: Floats
    headroom: Floats
    evidence: Evidence
    earlier: int


def fit_curves(
    counts: Floats,
    epochs: Floats,
    scores: Floats,
    total: Floats,
    *,
    priors: Priors,
    upper: Floats,
    memory: Floats,
    warm: Floats | None = None,
    afresh: bool = False,
    iterations: int = 8,
    variants: Variants = VARIANTS,
    fade: Floats | None = None,
    width: int = 1,
    losses: Floats | None = None,
    successes: Floats | None = None,
) -> Fit:
    """Fit every shape to every task of every run.

    Args:
        counts: decisions for each task up to each evaluation, (n_runs, n_times, n_tasks).
        epochs: passes over each task's data by then, the same shape; 0 where sizes are unknown.
        scores: NaN where not measured, the same shape.
        total: steps of a whole budget, (n_runs,).
        priors: see `Priors`.
        upper: largest possible score, inf where there is none, (n_tasks,) or (n_runs, n_tasks).
        memory: steps over which recent shares count, (n_runs,).
        warm: `theta` of an earlier fit to begin with.
        afresh: whether to begin without it, too.
        iterations: of Levenberg-Marquardt.
        variants: the shapes.
        fade: how fast old evaluations lose weight, per budget, (n_runs,); None for not at all.
        width: evaluations that were averaged into each of them; the few single ones at the end count as much.
        losses: mean training loss of each task since the evaluation before, shaped as `scores`, NaN where none; None
            where the run told none.
        successes: mean training success, likewise; losses count where there is none.
    """
    n_runs, _, n_tasks = counts.shape
    n_params = TRANSFER + n_tasks
    # An earlier fit may sit in a pit: beside it another one starts afresh, and the better of both stays.
    starts = 2 if warm is not None and afresh else 1
    once, variants = variants, variants.times(starts)
    n_variants = len(variants.tail)
    measured = np.isfinite(scores)
    first, scale = first_and_scale(scores, measured, upper)
    y = np.where(measured, (scores - first[:, None]) / scale[:, None, None], 0.0).transpose(0, 2, 1)
    steps = counts.sum(axis=2)
    old = np.zeros_like(steps) if fade is None else fade[:, None] * (steps[:, -1:] - steps) / total[:, None]
    fresh = np.exp(-old)[:, None]
    count = width * fresh
    mask = measured.transpose(0, 2, 1) * np.sqrt(count)
    # Rows, not what they count for: a mean over many is one look at the noise.
    seen = (measured.transpose(0, 2, 1) * fresh).sum(axis=-1)
    headroom = np.log(np.maximum((upper - first) / scale[:, None], 1e-3))  # (R, I)
    told = risen(successes, losses, first, scale, headroom)
    data = make_evidence((y, mask), told, count, counts, epochs, total, memory, variants, np.exp(headroom))
    n, feature = data.n_scores, data.streams[:, variants.streams]  # (R, H, A, T)

    mean, sd = _prior_moments(priors, n_runs, n_tasks, OF_SUCCESS if successes is not None else OF_LOSS)
    sd = np.broadcast_to(sd, (n_runs, 1, n_tasks, sd.shape[-1])).copy()
    sd[..., LINK_START] *= data.unit[:, None]
    mean = np.repeat(mean[:, None], n_variants, axis=1)  # (R, H, I, P)
    mean[..., SPAN] = np.minimum(mean[..., SPAN] + variants.height[:, None], headroom[:, None])
    own = np.eye(n_tasks, dtype=np.bool_)
    theta = mean.copy()
    if warm is not None:
        theta[:, : warm.shape[1]] = warm
    rough, triples = rough_noise(y, (mask > 0) * float(width))
    guess = (np.where(np.isfinite(rough), rough, 0.02) ** 2)[:, None]
    if told is not None:
        # With training batches there may be few scores, and few differences tell more of bends than of noise.
        part = np.where(np.isfinite(rough), triples / (triples + TRIPLES), 0.0)
        guess = (NOISE ** (1.0 - part) * np.where(np.isfinite(rough), rough, 1.0) ** part)[:, None] ** 2
    variance = np.maximum(guess, 1e-6) * np.ones((1, n_tasks))
    # Fading says what to believe, not how noisy it was.
    batches = data.mask[..., n:] ** 2 / fresh[..., : data.mask.shape[2] - n]
    heard = ((batches > 0) * fresh[..., : data.mask.shape[2] - n]).sum(axis=-1)
    near, triples = rough_noise(data.y[..., n:] / data.unit[..., None], batches, bounded=True)
    part = np.where(np.isfinite(near), triples / (triples + TOLD * n_tasks), 0.0)
    guess_batch = (BATCH_NOISE ** (1.0 - part) * np.where(np.isfinite(near), near, 1.0) ** part)[:, None] ** 2
    of_batch = guess_batch * np.ones((1, n_tasks))
    each = data.rows(variance, of_batch * data.unit**2)
    spread = np.broadcast_to(np.asarray(priors.transfer_scale, dtype=np.float64), (n_tasks, n_tasks))
    tail = variants.tail[None, :, None, None]
    touch = variants.touch[:, None, None]

    def ridge(theta: Floats) -> Floats:
        """Precision of the prior; for transfer and starts that of a Cauchy around its mean, at the present value."""
        found = np.broadcast_to(sd**-2.0, theta.shape).copy()
        away_from = theta[..., TRANSFER:] - mean[..., TRANSFER:]
        # Where training batches start is known well for most tasks, and not at all for some.
        astray = (theta - mean)[..., LINK_START]
        found[..., LINK_START] = 2.0 / (2.0 * sd[..., LINK_START] ** 2 + astray**2)
        found[..., TRANSFER:] = np.where(own, 1e8, 2.0 / ((touch * spread) ** 2 + away_from**2))
        return found

    def look(theta: Floats) -> Look:
        return data.look(theta, feature, tail, data.y[:, None], shared=True)

    def objective(residual: Floats, theta: Floats, ridge_: Floats) -> Floats:
        pull = ((theta - mean) ** 2 * ridge_).sum(axis=-1)
        return (residual**2 / each[:, None]).sum(axis=-1) + pull

    products = Products.of(data.streams, variants.streams)
    found = look(theta)
    lighter = np.ones_like(each)[:, None]
    weights = ridge(theta)
    damping = np.full(theta.shape[:3], 1e-2)
    diagonal = np.arange(n_params)
    for _ in range(iterations):
        curvature, gradient = products.slopes(found, each)
        gradient += weights * (theta - mean)
        curvature[..., diagonal, diagonal] += weights * (1.0 + damping[..., None])
        curvature[..., diagonal[:TRANSFER], diagonal[:TRANSFER]] *= 1.0 + damping[..., None]
        move = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        move[..., SPAN : SPEED + 1] = np.clip(move[..., SPAN : SPEED + 1], -1.5, 1.5)
        tried = within(theta - move, headroom[:, None])
        new = look(tried)
        better = objective(new.residual, tried, weights) <= objective(found.residual, theta, weights)
        tried[~better] = theta[~better]
        new.put(found, ~better)
        theta, found = tried, new
        damping = np.clip(np.where(better, damping * 0.2, damping * 8.0), 1e-6, 1e6)
        weights = ridge(theta)
        residual = found.residual
        told_of = products.squares(found, slice(0, n))
        variance = noise_variance(residual[..., :n] * lighter[..., :n], told_of, weights, variance, seen, guess)
        if data.y.shape[2] > n:
            part = residual[..., n:] / data.unit[:, None, :, None]
            told_of = products.squares(found, slice(n, None)) / data.unit[:, None, :, None] ** 2
            of_batch = noise_variance(part, told_of, weights, of_batch, heard, guess_batch)
        each = data.rows(variance, of_batch * data.unit**2)
        inlying = inlier_weights(residual[..., :n], each[..., :n])
        each[..., :n] /= inlying
        lighter[:, 0, :, :n] = np.sqrt(inlying / CONSISTENT)

    if starts > 1:
        value = objective(found.residual, theta, weights).reshape(n_runs, starts, -1, n_tasks)
        best = value.argmin(axis=1) * len(once.tail) + np.arange(len(once.tail))[:, None]
        at = (np.arange(n_runs)[:, None, None], best, np.arange(n_tasks))
        theta, weights, mean, found = theta[at], weights[at], mean[at], found.at(at)
        variants, touch = once, once.touch[:, None, None]
        products = products.for_shapes(variants.streams)
    curvature, _ = products.slopes(found, each)
    residual = found.residual
    _, log_det = np.linalg.slogdet(curvature + weights[..., None] * np.eye(n_params))
    evidence = -0.5 * objective(residual, theta, weights) + 0.5 * np.log(weights).sum(axis=-1) - 0.5 * log_det
    # Near its mode a Cauchy prior says too little about what else is possible: draws get a wider one.
    wide = weights.copy()
    wide[..., TRANSFER:] = np.where(own, 1e8, np.minimum(weights[..., TRANSFER:], (touch * priors.slab) ** -2))
    weight = posterior_of_shapes(evidence, variants.prior)
    of_batches = (data.unit * np.sqrt(of_batch), heard, batches)
    misfit = misfit_of(data, residual * lighter, weight, (rough, seen), of_batches)
    return Fit(
        theta=theta,
        weight=weight,
        noise=np.sqrt(variance) * scale[:, None],
        variance=each,
        rough=rough * scale,
        misfit=misfit,
        experience=data.streams[..., n - 1],
        recent=recent_shares(counts, memory)[:, -1],
        scale=scale,
        ridge=weights,
        wide=wide,
        spread=spread,
        mean=mean,
        headroom=headroom,
        evidence=data,
        earlier=priors.runs,
    )


def posterior_of_shapes(evidence: Floats, prior: Floats) -> Floats:
    """Probabilities of the shapes of each task, (n_runs, n_variants, n_tasks).

    The odds of the shapes have a Dirichlet prior that counts as much as ALIKE tasks; for each task they are those that
    the other tasks of the run leave, found in eight rounds.

    Args:
        evidence: log marginal likelihood, (n_runs, n_variants, n_tasks).
        prior: log odds before any data, (n_variants,).
    """
    likely = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    before = np.exp(prior)[None, :, None]
    weight = before * likely
    for _ in range(8):
        weight /= weight.sum(axis=1, keepdims=True)
        others = weight.sum(axis=2, keepdims=True) - weight
        weight = (ALIKE * before + others) * likely
    return weight / weight.sum(axis=1, keepdims=True)


def first_and_scale(scores: Floats, measured: np.ndarray, upper: Floats) -> tuple[Floats, Floats]:
    """The first score of each task, 0 where there is none, and the unit of a run's scores.

    The unit is how far scores can rise; where there is no limit, it is the range of those seen within a task, although
    early ones do not tell how far they will range.
    """
    index = measured.argmax(axis=1)
    first = np.take_along_axis(np.where(measured, scores, 0.0), index[:, None], axis=1)[:, 0]
    high = np.where(measured, scores, -np.inf).max(axis=1)
    low = np.where(measured, scores, np.inf).min(axis=1)
    ranges = np.where(measured.any(axis=1), high - low, 0.0).max(axis=1)
    seen = np.where(ranges > 0, ranges, np.maximum(np.abs(first).max(axis=1), 1.0))
    room = (np.broadcast_to(upper, first.shape) - first).max(axis=1)
    return first, np.where(np.isfinite(room) & (room > 0), room, seen)


def _prior_moments(
    priors: Priors, n_runs: int, n_tasks: int, link: tuple[float, float, float]
) -> tuple[Floats, Floats]:
    mean = np.zeros((n_runs, n_tasks, TRANSFER + n_tasks))
    sd = np.ones((1, 1, n_tasks, TRANSFER + n_tasks))
    mean[..., SPEED] = priors.speed
    mean[..., SPAN] = priors.span
    mean[..., TRANSFER:] = np.where(np.eye(n_tasks, dtype=np.bool_), 1.0, priors.transfer)
    sd[..., START], sd[..., SPAN], sd[..., SPEED] = 0.3, priors.span_sd, priors.speed_sd
    sd[..., INTERFERENCE] = priors.interference_sd
    sd[..., LINK_START], sd[..., LINK_SPAN], sd[..., LINK_SPEED] = link
    return mean, sd


def within(theta: Floats, headroom: Floats) -> Floats:
    theta[..., SPAN] = np.minimum(np.clip(theta[..., SPAN], -LARGEST, LARGEST), headroom)
    theta[..., SPEED] = np.clip(theta[..., SPEED], -LARGEST, LARGEST)
    theta[..., LINK_SPAN : LINK_SPEED + 1] = np.clip(theta[..., LINK_SPAN : LINK_SPEED + 1], -3.0, 3.0)
    # What training batches tell ends at the same top.
    theta[..., LINK_SPAN] = np.minimum(theta[..., LINK_SPAN], headroom - theta[..., SPAN])
    theta[..., INTERFERENCE] = np.clip(theta[..., INTERFERENCE], 0.0, 0.9)
    theta[..., TRANSFER:] = np.clip(theta[..., TRANSFER:], -20.0, 20.0)
    return theta
