import numpy as np
import pytest
from scipy import stats

from apportion import estimators as est
from apportion.estimators.diagnostics import DiagnosticsCollector
from estimators.simulated_logs import TARGET, logs, simulate


@pytest.fixture(scope="module")
def log():
    return next(logs(*simulate("static", n_logs=1, n_rounds=5000, seed=401)))


def changed(log, **fields):
    arrays = {"chosen": log.chosen, "probabilities": log.probabilities, "reward": log.reward} | fields
    return est.from_arrays(tasks=log.tasks, **arrays)


def test_a_sound_log_gives_no_warning(log):
    found = est.diagnose(log, TARGET, predictions=est.by_task(log))
    assert found.warnings() == []
    assert (found.n_rounds, found.n_missing, found.unsupported) == (5000, 0, 0.0)
    assert found.min_propensity == 0.2
    assert found.mean_weight == pytest.approx(1.0, abs=0.05)
    assert 0.5 < found.model_slope < 1.5
    assert abs(found.drift) < 0.2


def test_false_alarms_are_as_rare_as_they_say():
    """500 sound logs: each p-value is below .05 in 25 of them on average; 5 standard errors are 24."""
    found = [est.diagnose(log, TARGET, predictions=est.by_task(log, folds="past"))
             for log in logs(*simulate("static", n_logs=500, n_rounds=300, seed=402))]  # fmt: skip
    for name in ("mean_weight_p", "drift_p", "model_bias_p"):
        assert sum(getattr(item, name) < 0.05 for item in found) < 50, name


def test_wrong_propensities_show_in_the_mean_weight(log):
    """Probabilities logged before a temperature was applied, say."""
    blunted = log.probabilities**0.3
    wrong = changed(log, probabilities=blunted / blunted.sum(axis=1, keepdims=True))
    found = est.diagnose(wrong, np.array([0.1, 0.1, 0.8]))
    assert found.mean_weight_p < 1e-6
    assert "may not be what tasks were drawn from" in found.warnings()[0]


def test_drift_and_dependence_show(log):
    drifting = changed(log, reward=log.reward + np.linspace(1, -1, 5000))
    found = est.diagnose(drifting, TARGET)
    assert found.drift == pytest.approx(-1.0, abs=0.2)
    assert "changes along the run" in " ".join(found.warnings())
    slow = changed(log, reward=np.convolve(np.random.default_rng(3).normal(size=5009), np.ones(10), mode="valid"))
    found = est.diagnose(slow, TARGET)
    assert found.autocorrelation > 0.5
    assert "block bootstrap" in " ".join(found.warnings())


def test_missing_rewards_are_counted(log):
    reward = np.where(np.arange(5000) % 5 == 0, np.nan, log.reward)
    found = est.diagnose(changed(log, reward=reward), TARGET)
    assert (found.n_rounds, found.n_missing) == (4000, 1000)
    assert "1000 decisions got no reward" in " ".join(found.warnings())


def test_calibration_of_the_reward_model(log):
    good, biased = est.by_task(log), est.by_task(log) + 0.5
    assert est.diagnose(log, TARGET, predictions=good).model_bias_p > 1e-6
    found = est.diagnose(log, TARGET, predictions=biased)
    assert found.model_bias == pytest.approx(-0.5, abs=0.1)
    assert "the direct method is biased" in found.warnings()[-1]
    assert np.isnan(est.diagnose(log, TARGET, predictions=np.ones((5000, 3))).model_slope)
    assert np.isnan(est.diagnose(log, TARGET).model_bias)


@pytest.mark.parametrize("shape", [-0.3, 0.2, 0.5, 0.9])
def test_pareto_k_finds_the_shape_of_a_pareto_tail(shape):
    weights = stats.genpareto.rvs(shape, size=50_000, random_state=4)
    assert est.pareto_k(weights, weights.size) == pytest.approx(shape, abs=0.15)


def test_pareto_k_without_a_tail():
    assert np.isnan(est.pareto_k(np.ones(1000), 1000))
    assert np.isnan(est.pareto_k(np.arange(10.0), 10))


def test_heavy_weights_are_named():
    rng = np.random.default_rng(5)
    small = 10.0 ** -rng.uniform(0.4, 5, 30_000)
    chances = np.stack([small, 1 - small], axis=1)
    chosen = (rng.random(30_000) > small).astype(int)
    log = est.from_arrays(tasks=["a", "b"], chosen=chosen, probabilities=chances, reward=rng.normal(size=30_000))
    found = est.diagnose(log, np.array([0.9, 0.1]))
    assert found.pareto_k > 0.7
    assert found.effective_sample_size < 3000
    assert "heavy tail" in " ".join(found.warnings())


def test_chunks_give_the_same_diagnostics(log):
    predictions = est.by_task(log)
    whole = est.diagnose(log, TARGET, predictions=predictions)
    collector = DiagnosticsCollector()
    for rows in np.array_split(np.arange(5000), 50):
        collector.add(log.rows(rows), np.tile(TARGET, (rows.size, 1)), predictions[rows])
    pieces = collector.result()
    for name in ("n_rounds", "max_weight", "min_propensity", "unsupported"):
        assert getattr(pieces, name) == getattr(whole, name)
    for name in ("effective_sample_size", "mean_weight", "mean_weight_p", "pareto_k", "drift", "drift_p", "model_bias",
                 "model_bias_p", "model_slope"):  # fmt: skip
        assert getattr(pieces, name) == pytest.approx(getattr(whole, name), rel=1e-9, nan_ok=True), name
    assert pieces.autocorrelation == pytest.approx(whole.autocorrelation, abs=0.03)


def test_thousands_of_chunks_keep_their_halves():
    collector = DiagnosticsCollector()
    log = est.from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[0.0, 1.0])
    late = est.from_arrays(tasks=["a", "b"], chosen=[0, 1], probabilities=[[0.5, 0.5]] * 2, reward=[4.0, 5.0])
    for number in range(3000):
        collector.add(log if number < 1500 else late, np.full((2, 2), 0.5))
    assert collector.result().n_rounds == 6000
    assert collector.result().drift == pytest.approx(4.0, abs=0.01)


def test_an_empty_log_has_no_figures():
    log = est.from_arrays(tasks=["a", "b"], chosen=[], probabilities=np.zeros((0, 2)), reward=[])
    found = est.diagnose(log, np.array([0.5, 0.5]))
    assert found.n_rounds == 0
    assert np.isnan([found.max_weight, found.mean_weight, found.min_propensity, found.drift, found.pareto_k]).all()
    assert found.warnings() == []
