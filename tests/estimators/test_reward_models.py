import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from apportion import estimators as est
from apportion.estimators._folds import fold_of


def made(chosen, reward, n_tasks=2):
    chances = np.full((len(chosen), n_tasks), 1 / n_tasks)
    return est.from_arrays(
        tasks=[f"t{index}" for index in range(n_tasks)], chosen=chosen, probabilities=chances, reward=reward
    )


def test_folds_are_even_over_the_run_and_out_of_step_with_periodic_policies():
    fold = fold_of(1000, 5)
    assert set(np.bincount(fold)) <= set(range(195, 206))
    for period in range(2, 12):
        for phase in range(period):
            assert set(np.unique(fold[phase::period])) == set(range(5)), (period, phase)
    with pytest.raises(ValueError, match="folds"):
        fold_of(10, 0)


def test_by_task_never_uses_the_round_itself():
    rng = np.random.default_rng(1)
    chosen, reward = rng.integers(0, 2, 40), rng.normal(size=40)
    for folds in (2, 5, "past"):
        before = est.by_task(made(chosen, reward), folds=folds)
        for row in range(40):
            changed = reward.copy()
            changed[row] += 1e6
            after = est.by_task(made(chosen, changed), folds=folds)
            np.testing.assert_allclose(after[row], before[row], atol=1e-6)
            if folds == "past":
                np.testing.assert_allclose(after[: row + 1], before[: row + 1], atol=1e-6)


def test_by_task_in_sample_is_the_mean_of_each_task_and_the_overall_mean_elsewhere():
    log = made([0, 0, 1, 1], [1.0, 3.0, 5.0, 9.0], n_tasks=3)
    np.testing.assert_allclose(est.by_task(log, folds=1), np.tile([2.0, 7.0, 4.5], (4, 1)))
    weighted = est.by_task(log, folds=1, weights=np.array([1.0, 3.0, 1.0, 0.0]))
    np.testing.assert_allclose(weighted[0], [2.5, 5.0, 3.0])


def test_by_task_of_the_past():
    log = made([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(est.by_task(log, folds="past"), [[0, 0], [1, 1], [1, 2], [2, 2]])
    with pytest.raises(ValueError, match="weights"):
        est.by_task(log, folds="past", weights=np.ones(4))
    with pytest.raises(ValueError, match="folds"):
        est.by_task(log, folds="future")


def test_by_context_learns_what_the_tasks_alone_cannot_tell():
    rng = np.random.default_rng(2)
    context, chosen = rng.normal(size=(500, 2)), rng.integers(0, 2, 500)
    reward = context @ [1.0, -2.0] + 3.0 * chosen + 0.1 * rng.normal(size=500)
    log = made(chosen, reward)
    model = LinearRegression()
    for folds in (1, 2, 5):
        predictions = est.by_context(log, context, regressor=model, folds=folds)
        truth = (context @ [1.0, -2.0])[:, None] + np.array([0.0, 3.0])
        assert np.abs(predictions - truth).max() < 0.1
    assert not hasattr(model, "coef_")  # the caller's regressor is left alone
    target = np.array([0.2, 0.8])
    with_model = est.evaluate(log, target, estimator="dr", options={"predictions": predictions})
    without = est.evaluate(log, target, estimator="ips")
    assert with_model.upper - with_model.lower < 0.7 * (without.upper - without.lower)
    assert abs(with_model.value - truth.dot(target).mean()) < 0.1


def test_by_context_with_features_of_each_task():
    rng = np.random.default_rng(3)
    features, chosen = rng.normal(size=(300, 2, 1)), rng.integers(0, 2, 300)
    reward = 2.0 * features[np.arange(300), chosen, 0]
    predictions = est.by_context(made(chosen, reward), features, regressor=Ridge(alpha=1e-6))
    np.testing.assert_allclose(predictions, 2.0 * features[:, :, 0], atol=1e-3)


def test_by_context_weights_are_those_of_the_fit():
    log = made([0, 0, 1, 1], [1.0, 3.0, 5.0, 9.0])
    weights = np.array([1.0, 3.0, 1.0, 1.0])
    model = LinearRegression(fit_intercept=False)
    found = est.by_context(log, np.zeros((4, 1)), regressor=model, folds=1, weights=weights)
    np.testing.assert_allclose(found[0], [2.5, 7.0])
    target = np.array([0.5, 0.5])
    np.testing.assert_allclose(
        est.mrdr(log, target, context=np.zeros((4, 1)), regressor=model, folds=1), est.mrdr(log, target, folds=1)
    )


def test_by_context_refuses_what_it_cannot_use():
    log = made([0, 1, 0], [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="`fit`"):
        est.by_context(log, np.zeros((3, 1)), regressor=object())
    for context in (np.zeros(3), np.zeros((2, 1)), np.zeros((3, 3, 1))):
        with pytest.raises(ValueError, match="context"):
            est.by_context(log, context, regressor=LinearRegression())
    with pytest.raises(ValueError, match="folds"):
        est.by_context(log, np.zeros((3, 1)), regressor=LinearRegression(), folds=4)

    class Wild(LinearRegression):
        def predict(self, X):
            return np.full(len(X), np.inf)

    with pytest.raises(ValueError, match="not finite: Wild"):
        est.by_context(log, np.zeros((3, 1)), regressor=Wild())


@pytest.mark.parametrize("clock", ["step", "count"])
def test_learning_curves_beat_means_where_rewards_decline(clock):
    rng = np.random.default_rng(4)
    chosen = rng.integers(0, 2, 2000)
    counts = np.stack([np.cumsum(chosen == task) - (chosen == task) for task in (0, 1)], axis=1)
    truth = np.stack([50 / (50 + counts[:, 0]), np.full(2000, 0.2)], axis=1)
    log = made(chosen, truth[np.arange(2000), chosen] + 0.05 * rng.normal(size=2000))
    curve, mean = est.learning_curve(log, clock=clock), est.by_task(log)
    assert np.abs(curve - truth).mean() < 0.25 * np.abs(mean - truth).mean()
    slope = est.diagnose(log, np.array([0.5, 0.5]), predictions=curve).model_slope
    assert 0.9 < slope < 1.1


def test_learning_curves_fall_back_where_there_is_little_to_fit():
    log = made([0, 0, 0, 1], [1.0, 2.0, 3.0, 9.0], n_tasks=3)
    found = est.learning_curve(log, folds=1)
    np.testing.assert_allclose(found[0], [2.0, 9.0, 3.75])
    with pytest.raises(ValueError, match="clock"):
        est.learning_curve(log, clock="time")
