"""Gap closed, differences and budget saved, by hand and on paired runs."""

import numpy as np
import pytest

from apportion import Task
from apportion.sim import LearningWorld, simulate
from apportion.sim.gap import budget_saved, difference, gap_closed, mean
from apportion.sim.oracle import oracle
from apportion.sim.result import Result


def result(final, *, curve=None, seed=0, policy="p", world="w"):
    final = np.asarray(final, dtype=float)
    n = len(final)
    progress = np.linspace(0, 1, 5)
    objective = np.linspace(0, 1, 5)[None] * final[:, None] if curve is None else np.asarray(curve, dtype=float)
    return Result(
        world=world,
        policy=policy,
        signal="",
        seed=seed,
        budget=10.0,
        tasks=("a",),
        weights=np.ones(1),
        scores=final[:, None],
        progress=progress,
        objective=objective,
        shares=np.ones((4, 1)),
        counts=np.full((n, 1), 10),
        costs=np.full((n, 1), 10.0),
        evaluations=0,
        evaluation_cost=np.zeros(n),
        seconds=0.0,
    )


def test_gap_closed_by_hand():
    # (0.6 - 0.4) / (0.8 - 0.4)
    found = gap_closed(result([0.5, 0.7]), result([0.3, 0.5]), 0.8)
    assert found.value == pytest.approx(0.5)
    assert found.lower <= found.value <= found.upper
    assert found.n_runs == 2


def test_uniform_closes_nothing_and_the_best_everything():
    uniform = result([0.3, 0.5, 0.4])
    assert gap_closed(uniform, uniform, 0.8).value == 0
    assert gap_closed(uniform, uniform, 0.8).upper == 0
    assert gap_closed(result([0.8, 0.8, 0.8]), uniform, 0.8).value == pytest.approx(1)


def test_over_worlds_it_is_the_ratio_of_sums():
    # (0.1 + 0.0) / (0.1 + 0.4), not the mean of 1 and 0
    policies = [result([0.5, 0.5]), result([0.4, 0.4], world="v")]
    uniforms = [result([0.4, 0.4]), result([0.4, 0.4], world="v")]
    assert gap_closed(policies, uniforms, [0.5, 0.8]).value == pytest.approx(0.2)


def test_nothing_to_gain_gives_no_number():
    uniform = result([0.4, 0.5])
    found = gap_closed(result([0.5, 0.5]), uniform, 0.4501)
    assert np.isnan([found.value, found.lower, found.upper]).all()
    assert difference(result([0.5, 0.5]), uniform).value == pytest.approx(0.05)


def test_one_run_tells_nothing_about_the_others():
    found = difference(result([0.5]), result([0.4]))
    assert (found.lower, found.upper) == (-np.inf, np.inf)


def test_pairing_narrows_the_interval():
    # Runs share luck of the size 0.1; the policy adds 0.01.
    luck = np.random.default_rng(0).normal(size=200) * 0.1
    gain = difference(result(0.5 + luck + 0.01), result(0.5 + luck))
    assert gain.value == pytest.approx(0.01)
    assert gain.upper - gain.lower < 1e-12
    assert mean(result(0.5 + luck)).upper - mean(result(0.5 + luck)).lower > 0.02


def test_intervals_cover_the_truth():
    """95 % intervals of 400 samples of 60 paired runs: below 88 % comes by chance once in 1e8."""
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        uniform = 0.5 + 0.1 * generator.normal(size=60)
        policy = uniform + 0.02 + 0.05 * generator.normal(size=60)
        found = gap_closed(result(policy), result(uniform), 0.6, n_resamples=400, seed=int(generator.integers(1 << 30)))
        covered += found.lower <= 0.2 <= found.upper
    assert covered / 400 > 0.88


def test_more_confidence_means_a_wider_interval():
    policy, uniform = result([0.4, 0.6, 0.5, 0.8]), result([0.4, 0.3, 0.5, 0.4])
    narrow, wide = (difference(policy, uniform, confidence=level) for level in (0.5, 0.99))
    assert wide.lower <= narrow.lower <= narrow.upper <= wide.upper


def test_budget_saved_is_read_off_the_mean_curve():
    uniform = result([0.4, 0.4])
    # 0.4 lies half way between the looks at 0.25 (0.3) and 0.5 (0.5)
    fast = result([0.7, 0.7], curve=[[0.0, 0.3, 0.5, 0.6, 0.7]] * 2)
    assert budget_saved(fast, uniform) == pytest.approx(1 - 0.375)
    assert budget_saved(uniform, uniform) == pytest.approx(0)
    assert np.isnan(budget_saved(result([0.3, 0.3]), uniform))
    assert budget_saved(result([0.5, 0.5], curve=[[0.45] * 5] * 2), uniform) == 1


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (result([0.1, 0.2], seed=1), "`seed` is 0 for 'p' and 1 for 'p'"),
        (result([0.1]), "`n_runs` is 2"),
        (result([0.1, 0.2], world="v"), "`world` is 'w'"),
    ],
)
def test_results_that_are_not_paired_are_refused(other, message):
    for function in (difference, budget_saved):
        with pytest.raises(ValueError, match=message):
            function(result([0.1, 0.2]), other)


def test_bad_numbers_are_refused():
    one = result([0.1, 0.2])
    with pytest.raises(ValueError, match="`confidence` must be in"):
        difference(one, one, confidence=1.0)
    with pytest.raises(ValueError, match="`n_resamples` must be at least 1"):
        gap_closed(one, one, 0.9, n_resamples=0)
    with pytest.raises(ValueError, match="got 1 results, 2 of uniform"):
        gap_closed(one, [one, one], [0.9])


def test_regret_and_error_of_a_result():
    made = result([0.2, 0.4])
    assert made.regret(0.5) == pytest.approx([0.3, 0.1])
    assert made.mean_and_error() == pytest.approx((0.3, 0.1))
    assert np.isnan(result([0.2]).mean_and_error()[1])


def test_results_of_the_engine_are_paired():
    world = LearningWorld(tasks=[Task(name="a"), Task(name="b")], budget=40, scale=(3.0, 60.0))
    policy = simulate(world, "mixture(shares=(1, 3))", n_runs=50, seed=0)
    uniform = simulate(world, "uniform", n_runs=50, seed=0)
    assert gap_closed(policy, uniform, oracle(world).value).lower > 0.3
