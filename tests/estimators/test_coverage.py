"""Intervals cover the truth at their stated rate, over 2,000 simulated logs.

A 95 % interval covers 1,900 of 2,000 logs with a binomial standard error of 9.75. The bounds below are 4.9 standard
errors away, so that a test of a correct interval fails with a chance below 1e-6 (two-sided). Intervals that hold at
every n may cover more. Seeds are fixed; those used while the block bootstrap was designed are others.
"""

import numpy as np
import pytest

from apportion import estimators as est
from estimators.simulated_logs import KINDS, TARGET, TRUTH, correlated_noise, coverage, logs, simulate

N_LOGS = 2000
LEAST, MOST = 0.95 - 4.9 * 0.004873, 0.95 + 4.9 * 0.004873


def dr_of_the_past(log, target):
    return est.dr(log, target, predictions=est.by_task(log, folds="past"))


@pytest.mark.parametrize("kind", KINDS)
def test_normal_intervals_cover(kind):
    simulated = list(logs(*simulate(kind, n_logs=N_LOGS, n_rounds=500, seed=101)))
    for estimator in (est.ips, est.snips, est.dr, dr_of_the_past, est.adaptive_dr):
        found = coverage((est.normal(estimator(log, TARGET)) for log in simulated), TRUTH)
        assert LEAST <= found <= MOST, (kind, estimator.__name__, found)


def test_the_interval_of_the_direct_method_does_not_cover():
    simulated = logs(*simulate("static", n_logs=N_LOGS, n_rounds=200, seed=102))
    assert coverage((est.normal(est.direct_method(log, TARGET)) for log in simulated), TRUTH) < 0.2


@pytest.mark.parametrize("kind", ["static", "adaptive"])
def test_intervals_of_bounded_rewards_cover(kind):
    simulated = list(logs(*simulate(kind, n_logs=N_LOGS, n_rounds=250, seed=103, binary=True)))
    highest = 0.4 / (0.2 / 3) if kind == "adaptive" else 0.3 / 0.2
    scores = [est.ips(log, TARGET) for log in simulated]
    for interval in (est.empirical_bernstein, est.clopper_pearson, est.betting, est.anytime):
        assert coverage((interval(row, low=0.0, high=highest) for row in scores), TRUTH) >= LEAST, interval


def test_the_bootstrap_covers():
    simulated = logs(*simulate("learned", n_logs=N_LOGS, n_rounds=250, seed=110, binary=True))
    found = coverage((est.bootstrap(est.ips(log, TARGET), n_resamples=200) for log in simulated), TRUTH)
    assert LEAST <= found <= MOST, found


def test_clopper_pearson_covers_scores_of_0_and_1():
    rng = np.random.default_rng(104)
    for mean in (0.02, 0.5):
        rows = (rng.random((N_LOGS, 100)) < mean).astype(float)
        assert coverage((est.clopper_pearson(row, low=0.0, high=1.0) for row in rows), mean) >= LEAST


def test_the_confidence_sequence_holds_at_all_rounds_at_once():
    at = np.unique(np.geomspace(1, 300, 15).astype(int))
    missed = 0
    for log in logs(*simulate("adaptive", n_logs=N_LOGS, n_rounds=300, seed=105, binary=True)):
        lower, upper = est.off_policy_sequence(log, TARGET, low=0.0, high=1.0, at=at)
        missed += bool(((lower > TRUTH) | (upper < TRUTH)).any())
    assert missed <= N_LOGS * (1 - LEAST)


def test_dependence_needs_the_block_bootstrap():
    """Noise that lasts over some steps: the normal interval covers about half, as `docs/off_policy.md` says."""
    rng = np.random.default_rng(106)
    n_rounds, chances = 1000, np.array([0.5, 0.3, 0.2])
    chosen = rng.choice(3, p=chances, size=(N_LOGS, n_rounds))
    reward = np.array([0.2, 0.5, 0.7])[chosen] + correlated_noise(N_LOGS, n_rounds, correlation=0.8, seed=107)
    probabilities = np.broadcast_to(chances, (N_LOGS, n_rounds, 3))
    scores = [est.snips(log, TARGET) for log in logs(probabilities, chosen, reward)]
    assert coverage(map(est.normal, scores), TRUTH) < 0.65
    assert LEAST <= coverage((est.block_bootstrap(row, n_resamples=400) for row in scores), TRUTH) <= MOST


def test_drift_of_the_mean_widens_the_interval():
    """The estimand is the mean over the states visited; a normal interval counts drift as noise, and covers more."""
    n_rounds = 500
    drift = np.linspace(3.0, -3.0, n_rounds)
    probabilities, chosen, reward = simulate("static", n_logs=N_LOGS, n_rounds=n_rounds, seed=108)
    simulated = logs(probabilities, chosen, reward + drift)
    assert coverage((est.normal(est.snips(log, TARGET)) for log in simulated), TRUTH) > 0.97


def test_windowed_rewards_are_covered():
    n_rounds, window = 1000, 5
    probabilities, chosen, reward = simulate("static", n_logs=N_LOGS, n_rounds=n_rounds, seed=109)
    sums = reward.reshape(N_LOGS, -1, window).sum(axis=2)
    told = np.full_like(reward, np.nan)
    told[:, window - 1 :: window] = sums
    for normalise in (True, False):
        scores = (
            est.windowed(log, TARGET, window=window, normalise=normalise) for log in logs(probabilities, chosen, told)
        )
        assert LEAST <= coverage(map(est.normal, scores), TRUTH) <= MOST, normalise
