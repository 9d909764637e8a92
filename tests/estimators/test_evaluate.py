import numpy as np
import pytest

from apportion import estimators as est
from apportion.errors import OverlapError
from estimators.simulated_logs import MEANS, TARGET, TRUTH, logs, simulate


@pytest.fixture(scope="module")
def log():
    return next(logs(*simulate("static", n_logs=1, n_rounds=2000, seed=301)))


@pytest.fixture(scope="module")
def binary():
    return next(logs(*simulate("static", n_logs=1, n_rounds=2000, seed=302, binary=True)))


def without(log, rows):
    reward = log.reward.copy()
    reward[rows] = np.nan
    return est.from_arrays(tasks=log.tasks, chosen=log.chosen, probabilities=log.probabilities, reward=reward)


def test_value_interval_and_words(log):
    found = est.evaluate(log, TARGET, signature="policy fixed; log abc")
    scores = est.snips(log, TARGET)
    assert found.value == scores.mean()
    assert (found.lower, found.upper) == est.normal(scores)
    assert (found.n_rounds, found.estimand, found.confidence) == (2000, "per_step", 0.95)
    weights = est.importance_weights(log, TARGET)
    assert found.max_weight == weights.max() == 0.3 / 0.2
    assert found.effective_sample_size == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    for word in ("policy fixed; log abc", "snips", "normal", "per_step", "apportion"):
        assert word in found.signature


@pytest.mark.parametrize("name", [name for name in est.ESTIMATORS if not name.startswith(("balanced", "weighted"))])
def test_every_estimator_finds_the_truth(log, name):
    """Within five standard errors; what has a bias by design is close at these mild weights."""
    options = {"window": 1} if name == "windowed" else {"clip": 10.0} if name == "clipped_ips" else {}
    found = est.evaluate(log, TARGET, estimator=name, options=options)
    assert abs(found.value - TRUTH) < 5 * 0.03


@pytest.mark.parametrize("interval", est.INTERVALS)
def test_every_interval_by_name(binary, interval):
    found = est.evaluate(binary, TARGET, estimator="ips", interval=interval, reward_range=(0.0, 1.0))
    assert found.lower <= TRUTH <= found.upper
    assert 0.0 < found.upper - found.lower < 0.25
    assert interval in found.signature


def test_functions_in_place_of_names(log):
    def half(scores, *, confidence):
        return float(scores.mean()) - confidence, float(scores.mean()) + confidence

    def constant(logged, target):
        return np.full(logged.n_rounds, 3.0)

    found = est.evaluate(log, TARGET, estimator=constant, interval=half, confidence=0.5)
    assert (found.value, found.lower, found.upper) == (3.0, 2.5, 3.5)
    assert "constant" in found.signature
    assert "half" in found.signature


def test_a_baseline_makes_it_a_difference(log):
    other = np.array([0.5, 0.3, 0.2])
    found = est.evaluate(log, TARGET, baseline=other)
    assert found.value == pytest.approx(est.evaluate(log, TARGET).value - est.evaluate(log, other).value)
    assert found.lower <= (TARGET - other) @ MEANS <= found.upper
    alone = est.evaluate(log, TARGET)
    assert found.upper - found.lower < alone.upper - alone.lower
    assert est.evaluate(log, TARGET, baseline=TARGET).value == 0.0
    with pytest.raises(ValueError, match="not for differences"):
        est.evaluate(log, TARGET, baseline=other, estimator="ips", interval="betting", reward_range=(-9.0, 9.0))


def test_decisions_without_reward_are_left_out(log):
    part = without(log, slice(0, 2000, 4))
    kept = log.rows(np.arange(2000) % 4 > 0)
    assert est.evaluate(part, TARGET).value == est.evaluate(kept, TARGET).value
    assert est.evaluate(part, TARGET).n_rounds == 1500
    model = est.by_task(log)
    cut = est.evaluate(part, TARGET, estimator="dr", options={"predictions": model})
    assert cut.value == est.evaluate(
        kept, TARGET, estimator="dr", options={"predictions": model[np.arange(2000) % 4 > 0]}
    ).value  # fmt: skip


def test_windows_keep_their_unrewarded_decisions(log):
    reward = np.full(2000, np.nan)
    reward[9::10] = log.reward.reshape(-1, 10).sum(axis=1)
    windows = est.from_arrays(tasks=log.tasks, chosen=log.chosen, probabilities=log.probabilities, reward=reward)
    found = est.evaluate(windows, TARGET, estimator="windowed", options={"window": 10})
    assert found.n_rounds == 2000
    assert found.lower <= TRUTH <= found.upper


def test_too_little_data_gives_an_infinite_interval_and_none_gives_nan(log):
    for interval in est.ASYMPTOTIC:
        few = est.evaluate(log.rows(slice(0, 20)), TARGET, interval=interval)
        assert np.isfinite(few.value)
        assert (few.lower, few.upper) == (-np.inf, np.inf)
    for name in ("ips", "snips", "dr"):
        none = est.evaluate(without(log, slice(None)), TARGET, estimator=name)
        assert np.isnan(none.value)
        assert (none.lower, none.upper, none.n_rounds) == (-np.inf, np.inf, 0)


@pytest.mark.parametrize("name", ["clipped_ips", "switch_dr", "shrinkage_dr"])
def test_a_threshold_left_to_slope_is_in_the_signature(log, name):
    found = est.evaluate(log, TARGET, estimator=name)
    assert "clip=" in found.signature or "threshold=" in found.signature
    assert found.value == est.ESTIMATORS[name](log, TARGET).mean()


def test_the_direct_method_gets_no_interval(log):
    found = est.evaluate(log, TARGET, estimator="direct_method")
    assert np.isfinite(found.value)
    assert (found.lower, found.upper) == (-np.inf, np.inf)


def test_a_target_that_no_drawn_task_serves_gives_nan_not_a_number():
    log = est.from_arrays(tasks=["a", "b"], chosen=[0] * 3, probabilities=[[0.5, 0.5]] * 3, reward=[1.0] * 3)
    found = est.evaluate(log, np.array([0.0, 1.0]))
    assert np.isnan(found.value)
    assert found.effective_sample_size == 0.0


def test_overlap_is_demanded():
    chances = np.tile([0.7, 0.3, 0.0], (100, 1))
    log = est.from_arrays(tasks=["a", "b", "c"], chosen=[0, 1] * 50, probabilities=chances, reward=[1.0, 2.0] * 50)
    with pytest.raises(OverlapError, match="could not draw them, most to 'c'"):
        est.evaluate(log, np.array([0.3, 0.3, 0.4]))
    with pytest.raises(OverlapError, match="'c'"):
        est.evaluate(log, np.array([0.5, 0.5, 0.0]), baseline=np.array([0.3, 0.3, 0.4]))
    assert est.evaluate(log, np.array([0.3, 0.7, 0.0])).value > 1.0
    # A rounding error outside the support is no reason to refuse.
    assert np.isfinite(est.evaluate(log, np.array([0.3, 0.7 - 1e-10, 1e-10])).value)
    restricted = est.restrict_to_overlap(log, np.array([0.3, 0.3, 0.4]))
    np.testing.assert_allclose(restricted, np.tile([0.5, 0.5, 0.0], (100, 1)))
    with pytest.raises(OverlapError, match="none of the tasks"):
        est.restrict_to_overlap(log, np.array([0.0, 0.0, 1.0]))


def test_a_task_that_was_possible_but_never_drawn_is_refused_too():
    chances = np.tile([1.0 - 1e-6, 1e-6], (100, 1))
    log = est.from_arrays(tasks=["a", "b"], chosen=[0] * 100, probabilities=chances, reward=[1.0] * 100)
    with pytest.raises(OverlapError, match="never drew it"):
        est.evaluate(log, np.array([0.5, 0.5]))
    # A short log of a policy that is itself the target never is.
    short = est.from_arrays(
        tasks=["a", "b", "c"], chosen=[0, 0], probabilities=np.full((2, 3), 1 / 3), reward=[1.0, 1.0]
    )
    assert est.evaluate(short, np.full(3, 1 / 3)).value == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimator": "snip"}, "did you mean 'snips'"),
        ({"interval": "norml"}, "did you mean 'normal'"),
        ({"confidence": 1.5}, "confidence"),
        ({"options": {"clipp": 2.0}, "estimator": "clipped_ips"}, "did you mean 'clip'"),
        ({"options": {"clip": -1.0}, "estimator": "clipped_ips"}, "clip"),
        ({"options": {"clip": 2.0}}, "has no option 'clip'; it has none"),
        ({"estimator": "windowed"}, "needs the option `window`"),
        ({"interval": "betting", "estimator": "ips"}, "needs `reward_range`"),
        ({"interval": "betting", "estimator": "dr", "reward_range": (0, 1)}, "not for the estimator 'dr'"),
        ({"interval": "anytime", "estimator": "clipped_ips", "reward_range": (0, 1)}, "not for the estimator"),
        ({"interval": "betting", "estimator": "ips", "reward_range": (0, 1)}, "must lie in `reward_range`"),
        ({"options": {"strength": 2.0}, "estimator": "sub_gaussian_ips"}, "strength"),
        ({"options": {"allocation": "most"}, "estimator": "adaptive_dr"}, "allocation"),
        ({"options": {"folds": 0}, "estimator": "mrdr"}, "folds"),
        ({"options": {"context": np.zeros((2000, 1))}, "estimator": "mrdr"}, "belong together"),
        ({"options": {"window": 0}, "estimator": "windowed"}, "window"),
        ({"options": {"window": np.arange(5)}, "estimator": "windowed"}, "window"),
        ({"options": {"predictions": np.zeros((3, 3))}, "estimator": "dr"}, "predictions"),
        ({"options": {"predictions": np.full((2000, 3), np.nan)}, "estimator": "dr"}, "must be finite"),
    ],
)
def test_wrong_arguments_are_named(log, arguments, message):
    with pytest.raises(ValueError, match=message):
        est.evaluate(log, TARGET, **arguments)


@pytest.mark.parametrize(
    "target",
    [
        np.array([0.5, 0.5]),
        np.array([0.5, 0.6, 0.1]),
        np.array([1.5, -0.5, 0.0]),
        np.array([np.nan, 0.5, 0.5]),
        np.eye(3),
    ],
)
def test_a_target_must_be_probabilities(log, target):
    with pytest.raises(ValueError, match="target"):
        est.evaluate(log, target)


def test_a_target_must_be_numbers(log):
    with pytest.raises(TypeError, match="array of numbers"):
        est.evaluate(log, np.array(["a", "b", "c"]))
