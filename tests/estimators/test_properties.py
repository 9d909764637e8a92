"""What holds for every estimator, whatever the log."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apportion import estimators as est

EXTRA = {
    "windowed": lambda n: {"window": 3},
    "weighted_ips": lambda n: {"logger": np.arange(n) % 2},
    "weighted_dr": lambda n: {"logger": np.arange(n) % 2},
}
NAMES = [name for name in est.ESTIMATORS if not name.startswith("balanced")]
# Not weighted_ips: precisions from the same 30 rounds bias it by 9 %, as its docstring warns.
UNBIASED = ["ips", "snips", "dr", "sndr", "mrdr", "weighted_dr"]
SHIFT_INVARIANT = ["snips", "direct_method", "dr", "sndr", "switch_dr", "shrinkage_dr", "mrdr", "windowed"]
FIXED = {"clipped_ips": {"clip": 2.0}, "switch_dr": {"threshold": 2.0}, "shrinkage_dr": {"threshold": 2.0}}


def random_log(seed, n_rounds=60, n_tasks=3):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(n_tasks), n_rounds) * 0.7 + 0.3 / n_tasks
    chosen = (probabilities.cumsum(axis=1) < rng.random((n_rounds, 1))).sum(axis=1).clip(max=n_tasks - 1)
    reward = rng.normal(chosen, 1.0)
    names = [f"task{index}" for index in range(n_tasks)]
    log = est.from_arrays(tasks=names, chosen=chosen, probabilities=probabilities, reward=reward)
    return log, rng.dirichlet(np.ones(n_tasks), n_rounds)


def scores(name, log, target, **options):
    chosen = {**FIXED.get(name, {}), **EXTRA.get(name, lambda n: {})(log.n_rounds), **options}
    return est.ESTIMATORS[name](log, target, **chosen)


def with_reward(log, reward):
    return est.from_arrays(tasks=log.tasks, chosen=log.chosen, probabilities=log.probabilities, reward=reward)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_scores_are_finite_pure_and_one_per_round(name, seed):
    log, target = random_log(seed)
    before = [log.probabilities.copy(), log.reward.copy(), target.copy()]
    found = scores(name, log, target)
    assert found.shape == ((20,) if name == "windowed" else (60,))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, scores(name, log, target))
    for array, kept in zip((log.probabilities, log.reward, target), before, strict=True):
        np.testing.assert_array_equal(array, kept)


@pytest.mark.parametrize(
    "name",
    ["ips", "clipped_ips", "snips", "windowed", "dr", "sndr", "switch_dr", "sub_gaussian_ips", "sub_gaussian_dr"],
)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_target_as_logged_gives_the_mean_reward(name, seed):
    """Exactly, with a reward model that does not tell tasks apart: another would enter by its chance differences."""
    log, _ = random_log(seed)
    model = {"predictions": np.full((60, 3), 1.5)} if name.endswith("dr") else {}
    assert scores(name, log, log.probabilities, **model).mean() == pytest.approx(log.reward.mean(), rel=1e-9)


@pytest.mark.parametrize("name", SHIFT_INVARIANT)
@given(seed=st.integers(0, 10**6), shift=st.floats(-1e3, 1e3))
@settings(max_examples=10, deadline=None)
def test_a_constant_added_to_all_rewards_is_added_to_the_estimate(name, seed, shift):
    log, target = random_log(seed)
    moved = scores(name, with_reward(log, log.reward + shift), target)
    np.testing.assert_allclose(moved, scores(name, log, target) + shift, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", SHIFT_INVARIANT)
def test_constant_rewards_are_recovered(name):
    log, target = random_log(1)
    found = scores(name, with_reward(log, np.full(60, 2.5)), target)
    np.testing.assert_allclose(found, 2.5, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-12, 1e6, -3.0]))
@settings(max_examples=10, deadline=None)
def test_scores_scale_with_the_rewards(name, seed, scale):
    log, target = random_log(seed)
    scaled = scores(name, with_reward(log, scale * log.reward), target)
    expected = scale * scores(name, log, target)
    np.testing.assert_allclose(scaled, expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(3)))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_tasks_does_not_matter(name, seed, order):
    log, target = random_log(seed)
    columns = list(order)
    places = np.argsort(columns)
    other = est.from_arrays(
        tasks=[log.tasks[column] for column in columns],
        chosen=places[log.chosen],
        probabilities=log.probabilities[:, columns],
        reward=log.reward,
    )
    np.testing.assert_allclose(scores(name, other, target[:, columns]), scores(name, log, target), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["ips", "clipped_ips", "sub_gaussian_ips"])
def test_halves_combine(name):
    log, target = random_log(2)
    parts = [scores(name, log.rows(part), target[part]) for part in (slice(0, 30), slice(30, 60))]
    np.testing.assert_array_equal(np.concatenate(parts), scores(name, log, target))


@pytest.mark.parametrize("name", UNBIASED)
def test_estimates_are_right_on_average(name):
    """Mean of 400 logs of 60 rounds against the truth: five standard errors, false alarm below 1e-6 each."""
    values = []
    for seed in range(400):
        log, target = random_log(seed)
        values.append(scores(name, log, target).mean() - (target @ np.arange(3.0)).mean())
    # SNIPS, SNDR and weighting by precision have a bias of the order of 1/n.
    assert abs(np.mean(values)) < 5 * np.std(values) / np.sqrt(400) + 1 / 60


@pytest.mark.parametrize("name", ["ips", "snips", "direct_method", "dr", "sndr", "mrdr", "adaptive_dr", "windowed"])
def test_one_task_gives_the_mean_reward(name):
    log = est.from_arrays(tasks=["only"], chosen=[0] * 40, probabilities=np.ones((40, 1)), reward=np.arange(40.0))
    allowed = 1e-3 if name == "direct_method" else 1e-12  # its folds are not quite of the same size
    assert scores(name, log, np.ones(1)).mean() == pytest.approx(19.5, rel=allowed)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_log_gives_no_scores(name):
    log = est.from_arrays(tasks=["a", "b"], chosen=[], probabilities=np.zeros((0, 2)), reward=[])
    assert scores(name, log, np.array([0.5, 0.5])).size == 0
