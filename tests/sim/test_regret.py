"""Textbook regret in the stationary bandit: order in the horizon, and agreement with an independent implementation."""

import numpy as np
import pytest

from apportion.policies.exp3 import Exp3
from apportion.policies.exp3s import Exp3S
from apportion.policies.thompson_beta import ThompsonBeta
from apportion.policies.thompson_gaussian import ThompsonGaussian
from apportion.policies.ucb1 import UCB1
from apportion.sim import BanditWorld, simulate

MEANS = (0.8, 0.3, 0.3, 0.3)


def regret_on_the_way(policy, horizon, n_runs, n_points):
    result = simulate(BanditWorld(means=MEANS, budget=horizon), policy, n_runs=n_runs, seed=0, n_points=n_points)
    return ((max(MEANS) * result.progress - result.objective) * horizon).mean(axis=0)


def test_exp3_has_regret_of_the_order_of_the_root_of_the_horizon():
    # 60 runs of three horizons; standard errors of the mean are about 2 %, so the slope is known to 0.02.
    horizons = np.array([500, 2000, 8000])
    regrets = []
    for horizon in horizons:
        world = BanditWorld(means=MEANS, budget=int(horizon))
        result = simulate(world, Exp3(horizon=int(horizon)), n_runs=60, seed=0)
        regrets.append(result.regret(max(MEANS)).mean() * horizon)
        # The bound of the paper: 2 sqrt(e - 1) sqrt(T K ln K)
        assert regrets[-1] <= 2 * np.sqrt(np.e - 1) * np.sqrt(horizon * 4 * np.log(4))
    slope = np.polyfit(np.log(horizons), np.log(regrets), 1)[0]
    assert 0.35 < slope < 0.65


def test_ucb1_has_logarithmic_regret():
    # Slopes of log regret against log horizon: 1 for a fixed mixture, 0.5 for EXP3; a logarithm comes to 0.2 here.
    regret = regret_on_the_way(UCB1(exploration=0.0), 12_000, 40, 60)
    assert np.log(regret[60] / regret[5]) / np.log(12) < 0.35
    # The bound of the paper, theorem 1: sum of 8 ln T / gap + (1 + pi^2 / 3) gap
    assert regret[60] <= 3 * (8 * np.log(12_000) / 0.5 + (1 + np.pi**2 / 3) * 0.5)


def test_thompson_sampling_has_logarithmic_regret():
    policy = ThompsonGaussian(discount=0.999, exploration=0.0, prior_deviation=0.5)
    regret = regret_on_the_way(policy, 1200, 40, 24)
    assert np.log(regret[24] / regret[3]) / np.log(8) < 0.45


PEER_MEANS = (0.8, 0.5, 0.5, 0.4)
PEER = {"exp3": (162.98, 2.74), "exp3s": (235.99, 2.16), "ucb1": (84.72, 1.31), "thompson": (12.22, 0.59)}
"""Mean regret of SMPyBandits 0.9.7 after 2,000 steps (Thompson: 300) with its standard error, 100 runs (Thompson: 200),
as `python benchmarks/bench_sim.py regret --smpybandits PYTHON` plays them."""


@pytest.mark.parametrize(
    ("name", "policy", "horizon", "n_runs"),
    [
        ("exp3", Exp3(horizon=2000), 2000, 100),
        ("exp3s", Exp3S(gamma=0.1, alpha=0.001), 2000, 100),
        ("ucb1", UCB1(exploration=0.0), 2000, 100),
        # Forgets so little in so few steps that it is the plain rule.
        ("thompson", ThompsonBeta(forget=1e-3, threshold=0.5, exploration=0.0), 300, 40),
    ],
)
def test_regret_agrees_with_smpybandits(name, policy, horizon, n_runs):
    # A difference of five standard errors comes by chance once in 1.7e6.
    result = simulate(BanditWorld(means=PEER_MEANS, budget=horizon), policy, n_runs=n_runs, seed=0)
    mean, error = result.mean_and_error()
    assert abs((0.8 - mean) * horizon - PEER[name][0]) < 5 * np.hypot(error * horizon, PEER[name][1])
