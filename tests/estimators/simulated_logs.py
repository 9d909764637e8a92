"""Many logs at once from logging policies whose truth is known."""

import numpy as np

from apportion.records import Logged

MEANS = np.array([0.2, 0.5, 0.7])
"""Mean reward of each task."""
TARGET = np.array([0.3, 0.4, 0.3])
TRUTH = float(TARGET @ MEANS)
KINDS = ("static", "adaptive", "learned")


def simulate(kind, *, n_logs, n_rounds, seed, binary=False):
    """Probabilities (n_logs, n_rounds, 3), tasks drawn and rewards (n_logs, n_rounds).

    static: (.5, .3, .2) throughout. adaptive: epsilon-greedy on the running means, epsilon .2. learned: a softmax
    policy refitted every 25 rounds on the self-normalised importance-weighted rewards so far, a tenth uniform.
    """
    rng = np.random.default_rng(seed)
    n_tasks, rows = MEANS.size, np.arange(n_logs)
    probabilities = np.empty((n_logs, n_rounds, n_tasks))
    chosen = np.empty((n_logs, n_rounds), dtype=np.int64)
    reward = np.empty((n_logs, n_rounds))
    sums, counts, weighted, weights, logits = (np.zeros((n_logs, n_tasks)) for _ in range(5))
    for t in range(n_rounds):
        if kind == "static":
            p = np.broadcast_to([0.5, 0.3, 0.2], (n_logs, n_tasks))
        elif kind == "adaptive":
            means = np.where(counts > 0, sums / np.maximum(counts, 1), 10.0)
            p = np.full((n_logs, n_tasks), 0.2 / n_tasks)
            p[rows, means.argmax(axis=1)] += 0.8
        else:
            if t and t % 25 == 0:
                logits = 4.0 * weighted / np.maximum(weights, 1e-9)
            soft = np.exp(logits - logits.max(axis=1, keepdims=True))
            p = 0.9 * soft / soft.sum(axis=1, keepdims=True) + 0.1 / n_tasks
        a = np.minimum((p.cumsum(axis=1) < rng.random((n_logs, 1))).sum(axis=1), n_tasks - 1)
        r = (rng.random(n_logs) < MEANS[a]).astype(float) if binary else MEANS[a] + rng.normal(size=n_logs)
        probabilities[:, t], chosen[:, t], reward[:, t] = p, a, r
        sums[rows, a] += r
        counts[rows, a] += 1
        weighted[rows, a] += r / p[rows, a]
        weights[rows, a] += 1 / p[rows, a]
    return probabilities, chosen, reward


def logs(probabilities, chosen, reward):
    """The simulated logs one by one."""
    n_rounds = chosen.shape[1]
    steps, costs = np.arange(n_rounds), np.ones(n_rounds)
    for p, a, r in zip(probabilities, chosen, reward, strict=True):
        yield Logged(tasks=("a", "b", "c"), chosen=a, probabilities=p, reward=r, step=steps, cost=costs)


def correlated_noise(n_logs, n_rounds, *, correlation, seed):
    """Noise of variance 1 whose neighbours have this correlation, (n_logs, n_rounds)."""
    noise = np.random.default_rng(seed).normal(size=(n_logs, n_rounds))
    for t in range(1, n_rounds):
        noise[:, t] = correlation * noise[:, t - 1] + np.sqrt(1 - correlation**2) * noise[:, t]
    return noise


def coverage(ends, truth):
    """Fraction of the intervals that contain the truth."""
    return float(np.mean([lower <= truth <= upper for lower, upper in ends]))
