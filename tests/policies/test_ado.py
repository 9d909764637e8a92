"""ADO: its scaling-law fit against the released objective, and what the policy makes of known curves."""

import numpy as np
import pytest
from scipy.optimize import minimize

from apportion.policies import Ado
from apportion.policies._scaling_law import fit_scaling_law
from apportion.records import Context, Task


def released_objective(theta, n, loss, smallest_e):
    """ADO's loss_fn by its formula: Huber with delta 1e-3 on log losses, and penalties of slope 1 for bounds."""
    a, e, alpha = theta
    gap = np.abs(np.log(loss) - np.logaddexp(a - alpha * np.log(n), e))
    huber = np.where(gap > 1e-3, 1e-3 * (gap - 0.5e-3), 0.5 * gap**2).sum()
    return huber + max(alpha - 0.8, 0) - min(alpha, 0.001) + max(a - 6.5, 0) - min(e - smallest_e, 0)


def released_fit(n, loss, smallest_e=0.5):
    """L-BFGS from every 64th point of the released grid; the best end wins."""
    grid = np.stack(np.meshgrid(np.arange(-2, 6), np.arange(-2, 2, 0.5), np.arange(8) / 10, indexing="ij"), axis=-1)
    ends = [
        minimize(released_objective, start, (n, loss, smallest_e), method="L-BFGS-B", options={"maxiter": 200})
        for start in grid.reshape(-1, 3)[27::64]
    ]
    return min(ends, key=lambda end: end.fun)


CURVES = {  # a, e, alpha, noise
    "steep": (2.0, 0.7, 0.5, 0.0),
    "shallow": (0.5, 0.9, 0.15, 0.0),
    "noisy": (1.5, 0.6, 0.3, 0.02),
    "noisier": (1.0, 1.2, 0.4, 0.05),
}


@pytest.mark.parametrize("name", CURVES)
def test_fit_is_as_good_as_lbfgs_on_the_released_objective(name):
    a, e, alpha, noise = CURVES[name]
    n = np.arange(1.0, 2000.0, 40.0)
    loss = (np.exp(e) + np.exp(a) * n**-alpha) * np.exp(np.random.default_rng(5).normal(scale=noise, size=len(n)))
    theta = fit_scaling_law(n, loss[None], 0.5)[0]
    reference = released_fit(n, loss)
    own = released_objective(theta, n, loss, 0.5)
    assert own <= reference.fun + 2e-3 * abs(reference.fun + 0.001) + 1e-7  # -0.001 is the constant of the alpha term
    if noise == 0.0:
        np.testing.assert_allclose(theta, (a, e, alpha), rtol=0.02)
        slopes = [p[2] * np.exp(p[0] - p[2] * np.log(2000.0)) for p in (theta, (a, e, alpha))]
        assert slopes[0] == pytest.approx(slopes[1], rel=0.01)


def test_fit_stays_within_its_bounds():
    n = np.arange(1.0, 400.0, 4.0)
    curves = np.stack([np.full(100, 1e-12), np.full(100, 1e12), 3.0 * n**-1.5, 1.0 + n / 100])
    theta = fit_scaling_law(n, curves, -4.0)
    assert np.isfinite(theta).all()
    assert (theta[:, 0] <= 6.5).all()
    assert (theta[:, 1] >= -4.0).all()
    assert ((theta[:, 2] >= 0.0) & (theta[:, 2] <= 0.8)).all()


def drive(policy, curves, n_updates, n_runs=1, seed=0):
    """Tell losses that follow the curves over the number of updates, drawing from the policy."""
    generator = np.random.default_rng(seed)
    policy.reset([Task(name=name) for name in "abc"[: len(curves)]], n_runs)
    context = Context.start(len(curves), n_runs=n_runs)
    for update in range(1, n_updates + 1):
        p = policy.probabilities(context)
        chosen = (generator.exponential(size=p.shape) / p).argmin(axis=1)
        loss = np.array([curves[task](update) for task in chosen])
        policy.update(chosen, p, loss)
    return policy.probabilities(context)


def test_a_task_that_still_learns_gets_more():
    curves = [lambda n: 0.5 + 2.0 * n**-0.5, lambda n: 1.0]
    p = drive(Ado(start=200, ignore=20, refit=100), curves, 3000)
    # rho is (0.99, 0.01) / 1 at best, and q has followed it since update 200.
    assert p[0, 0] > 0.9


def test_history_is_merged_and_keeps_its_meaning():
    policy = Ado(start=10**6, history=202)
    curves = [lambda n: float(n)]
    drive(policy, curves, 1000)
    points, stride = policy.points_[0], policy.stride_[0]
    assert stride == 8
    assert points * stride + policy.pending_[0] == 1000
    # The mean of the updates 1..8, 9..16, ... of a loss that equals the number of its update.
    np.testing.assert_allclose(policy.losses_[0, :points, 0], 8.0 * np.arange(points) + 4.5)


def test_an_odd_history_loses_no_update():
    policy = Ado(start=10**6, history=203)
    drive(policy, [lambda n: float(n)], 1000)
    points, stride = policy.points_[0], policy.stride_[0]
    assert points * stride + policy.pending_[0] == 1000
    np.testing.assert_allclose(policy.losses_[0, :points, 0], stride * (np.arange(points) + 0.5) + 0.5)


def test_before_its_start_it_keeps_the_prior():
    p = drive(Ado(prior=[1, 3], start=200), [lambda n: 1.0 / n, lambda n: 1.0], 199)
    np.testing.assert_allclose(p, [[0.25, 0.75]])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"start": 1}, "`start` must be at least 2"),
        ({"start": 10, "ignore": 10}, "`ignore` must be from 0 to 9"),
        ({"history": 100}, "`history` must be at least 202"),
        ({"credit": "none"}, "`credit` must be one of code, paper"),
        ({"prior": [-1, 2]}, "prior"),
    ],
)
def test_bad_parameters_are_refused(parameters, words):
    with pytest.raises(ValueError, match=words):
        Ado(**parameters)


def test_fits_become_rarer_as_the_history_is_merged():
    class Counting(Ado):
        def _refit(self, rows):
            fits.append(int(self.updates_[0]))
            super()._refit(rows)

    fits = []
    drive(Counting(start=2, ignore=0, refit=100, history=202), [lambda n: 1.0 + 1.0 / n], 2000)
    # Points are merged at the updates 202, 404, 808 and 1616, and each time the interval doubles.
    assert fits == [2, 102, 202, 402, 802, 1602]
