"""Counterfactual risk minimisation of a softmax policy, for many runs at once."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..records import Bools, Floats, Ints

Estimator = Literal["snips", "ips", "banditnet", "dr", "log_smoothing"]
ESTIMATORS: tuple[Estimator, ...] = ("snips", "ips", "banditnet", "dr", "log_smoothing")


@dataclass(frozen=True, slots=True)
class Log:
    """The decisions of a window: what was known, drawn and earned.

    Attributes:
        features: shape (n_runs, window, n_tasks, n_features).
        chosen: shape (n_runs, window).
        probabilities: drawn from; 0 marks a task that could not be drawn; shape (n_runs, window, n_tasks).
        reward: standardised, shape (n_runs, window).
        model: what each task was expected to earn, in the unit of `reward`, shape (n_runs, window, n_tasks).
        used: 1 for entries that count, else 0, shape (n_runs, window).
    """

    features: Floats
    chosen: Ints
    probabilities: Floats
    reward: Floats
    model: Floats
    used: Floats

    @property
    def mask(self) -> Bools:
        """Tasks that could be drawn; all of them in entries without a decision."""
        return (self.probabilities > 0.0) | ~np.any(self.probabilities > 0.0, axis=2, keepdims=True)

    def only(self, used: Floats) -> "Log":
        """The same entries, some of which do not count."""
        return Log(self.features, self.chosen, self.probabilities, self.reward, self.model, self.used * used)


@dataclass(frozen=True, slots=True)
class Risk:
    """What is maximised: estimate - penalty * sqrt(variance / n) - kl * KL(old, new) - l2 |theta - prior|^2.

    Attributes:
        estimator: of the value.
        clip: largest importance weight.
        penalty: standard errors subtracted.
        kl: price of moving away from the last policy.
        l2: price of moving away from the prior.
        exploration: share of uniform in the policy.
        steps: of the ascent.
        use_propensities: whether decisions count by importance weights, or alike.
    """

    estimator: Estimator
    clip: float
    penalty: float
    kl: float
    l2: float
    exploration: float
    steps: int
    use_propensities: bool


def policy(theta: Floats, features: Floats, mask: Bools) -> Floats:
    """softmax(features . theta) over the tasks in `mask`, shape (n_runs, window, n_tasks)."""
    logits = np.where(mask, (features @ theta[:, None, :, None])[..., 0], -np.inf)
    return np.exp(_log_softmax(logits))


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - np.max(logits, axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def scores(theta: Floats, log: Log, risk: Risk) -> tuple[Floats, Floats, Floats]:
    """Value, per-round scores and their derivatives by log pi(chosen), shapes (n_runs,), and twice (n_runs, window).

    With w = pi / p, clipped: snips V = sum w r / sum w (Swaminathan and Joachims 2015, NeurIPS 28); ips V = mean w r;
    banditnet mean w (r - lambda) + lambda, with the SNIPS value as lambda (Joachims, Swaminathan and de Rijke 2018
    sweep it); dr mean of model under pi + w (r - model); log_smoothing mean of -ln(1 - lambda w r) / lambda with r <= 0
    and lambda = 1 / sqrt(n) (Sakhi et al. 2024, arXiv 2405.14335). None of these texts could be checked.
    """
    mask = log.mask
    shares = policy(theta, log.features, mask)
    if risk.exploration > 0.0:
        shares = (1.0 - risk.exploration) * shares + risk.exploration * normalised_rows(mask)
    return _scores(shares, log, risk)


def normalised_rows(mask: Bools) -> Floats:
    """Equal shares of the tasks in `mask`."""
    return mask / np.maximum(np.sum(mask, axis=-1, keepdims=True), 1)


def _scores(shares: Floats, log: Log, risk: Risk) -> tuple[Floats, Floats, Floats]:
    n = np.maximum(np.sum(log.used, axis=1, keepdims=True), 1.0)
    at = log.chosen[..., None]
    share = np.take_along_axis(shares, at, axis=2)[..., 0]
    logged = np.take_along_axis(log.probabilities, at, axis=2)[..., 0] if risk.use_propensities else 1.0
    weight = share / np.maximum(logged, 1e-9)
    free = (weight < risk.clip) * log.used
    weight = np.minimum(weight, risk.clip) * log.used
    reward = log.reward

    def mean(values: Floats) -> Floats:
        return np.sum(values * log.used, axis=1, keepdims=True) / n

    size = np.maximum(mean(weight), 1e-9)
    ratio = mean(weight * reward) / size
    if risk.estimator == "snips":
        each = ratio + weight / size * (reward - ratio)
        slope = free * weight / size * (reward - ratio)
    elif risk.estimator == "ips":
        each, slope = weight * reward, free * weight * reward
    elif risk.estimator == "banditnet":
        each, slope = weight * (reward - ratio) + ratio, free * weight * (reward - ratio)
    elif risk.estimator == "dr":
        gap = reward - np.take_along_axis(log.model, at, axis=2)[..., 0]
        each, slope = np.sum(shares * log.model, axis=2) + weight * gap, free * weight * gap
    else:
        scale = 1.0 / np.sqrt(n)
        lowered = reward - np.max(np.where(log.used > 0, reward, -np.inf), axis=1, keepdims=True, initial=-1e3)
        each = -np.log1p(-scale * weight * lowered) / scale
        slope = free * weight * lowered / (1.0 - scale * weight * lowered)
    return mean(each)[:, 0], each, slope


def fit(theta: Floats, prior: Floats, log: Log, risk: Risk) -> Floats:
    """New parameters by natural gradient ascent from the last ones, shape (n_runs, n_features).

    Every step solves (kl F + l2 I) d = gradient, F being the covariance of the features under the policy, which is the
    curvature of the KL divergence; d is halved, and no step is longer than 1. The number of steps is fixed.
    """
    mask = log.mask
    n = np.maximum(np.sum(log.used, axis=1), 1.0)[:, None]
    first = policy(theta, log.features, mask)
    identity = np.eye(theta.shape[1])
    new = theta
    for _ in range(risk.steps):
        soft = policy(new, log.features, mask)
        shares = (1.0 - risk.exploration) * soft + risk.exploration * normalised_rows(mask)
        value, each, slope = _scores(shares, log, risk)
        centre = np.sum(soft[..., None] * log.features, axis=2)
        apart = log.features - centre[:, :, None, :]
        deviation = np.sqrt(np.sum(log.used * (each - value[:, None]) ** 2, axis=1)[:, None] / n)
        pull = slope * (1.0 - risk.penalty / np.sqrt(n) * (each - value[:, None]) / np.maximum(deviation, 1e-9))
        own = np.take_along_axis(soft, log.chosen[..., None], axis=2)[..., 0]
        drawn = np.take_along_axis(shares, log.chosen[..., None], axis=2)[..., 0]
        direct = (1.0 - risk.exploration) * own / np.maximum(drawn, 1e-12)
        chosen = np.take_along_axis(apart, log.chosen[..., None, None], axis=2)[:, :, 0]
        gradient = np.sum((pull * direct)[..., None] * chosen, axis=1) / n
        held = soft * log.used[..., None]
        if risk.estimator == "dr":
            gradient += (1.0 - risk.exploration) * np.sum((held * log.model)[..., None] * apart, axis=(1, 2)) / n
        gradient -= risk.kl * np.sum((held - first * log.used[..., None])[..., None] * log.features, axis=(1, 2)) / n
        gradient -= 2.0 * risk.l2 * (new - prior)
        flat = apart.reshape(len(theta), -1, theta.shape[1])
        curvature = (flat * held.reshape(len(theta), -1, 1)).transpose(0, 2, 1) @ flat / n[..., None]
        matrix = risk.kl * curvature + (2.0 * risk.l2 + 1e-6) * identity
        step = 0.5 * np.linalg.solve(matrix, gradient[..., None])[..., 0]
        length = np.sqrt(np.sum(step * step, axis=1, keepdims=True))
        new = new + step / np.maximum(length, 1.0)
    return new


def better(new: Floats, old: Floats, log: Log, risk: Risk, errors: float) -> Bools:
    """Whether the new parameters beat the old ones on this log by `errors` standard errors, shape (n_runs,).

    Of the difference of the per-round scores, which are paired. Less than 8 rounds never tell.
    """
    _, first, _ = scores(old, log, risk)
    _, second, _ = scores(new, log, risk)
    n = np.maximum(np.sum(log.used, axis=1), 1.0)
    difference = (second - first) * log.used
    mean = np.sum(difference, axis=1) / n
    spread = np.sqrt(np.sum(log.used * (difference - mean[:, None]) ** 2, axis=1) / n)
    return (n >= 8) & (mean > errors * spread / np.sqrt(n))


def effective_share(theta: Floats, log: Log, risk: Risk) -> Floats:
    """Effective sample size of the policy on this log, as a fraction of the rounds, shape (n_runs,)."""
    mask = log.mask
    at = log.chosen[..., None]
    weight = np.take_along_axis(policy(theta, log.features, mask), at, axis=2)[..., 0]
    weight = weight * log.used / np.maximum(np.take_along_axis(log.probabilities, at, axis=2)[..., 0], 1e-9)
    n = np.maximum(np.sum(log.used, axis=1), 1.0)
    return np.sum(weight, axis=1) ** 2 / np.maximum(n * np.sum(weight**2, axis=1), 1e-300)


def standardised(reward: Floats, used: Floats) -> tuple[Floats, Floats, Floats]:
    """Rewards minus their mean, in units of their deviation and clipped to 3, with that mean and deviation."""
    n = np.maximum(np.sum(used, axis=1, keepdims=True), 1.0)
    mean = np.sum(reward * used, axis=1, keepdims=True) / n
    deviation = np.sqrt(np.sum(used * (reward - mean) ** 2, axis=1, keepdims=True) / n)
    deviation = np.where(deviation > 1e-9 * np.abs(mean), deviation, 1.0)
    deviation = np.where(deviation > 0.0, deviation, 1.0)
    return np.clip((reward - mean) / deviation, -3.0, 3.0) * used, mean, deviation
