import numpy as np
import pytest

from apportion.estimators import effective_sample_size, importance_weights
from apportion.report.condense import QUANTILES, condense
from report.made_runs import log_of


def test_shares_are_of_the_budget_by_hand():
    # Costs 1, 3, 1, 3 and a budget of 8 in two parts: decisions 0 and 1 (middles .5 and 2.5), then 2 and 3.
    log = log_of(chosen=[0, 1, 0, 1], cost=[1, 3, 1, 3], probabilities=[[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.9, 0.1]])
    found = condense(log, n_bins=2)
    np.testing.assert_allclose(found.realised, [[0.25, 0.75], [0.25, 0.75]])
    # A decision of task a costs 1, of b 3: (.5, .5) asks for (.5, 1.5)/2, (.9, .1) for (.9, .3)/1.2.
    np.testing.assert_allclose(found.asked, [[0.25, 0.75], [0.75, 0.25]])
    np.testing.assert_allclose(found.weight, [4, 4])
    np.testing.assert_array_equal(found.counts, [2, 2])
    np.testing.assert_allclose(found.costs, [2, 6])
    np.testing.assert_allclose(found.examples, [8, 8])
    assert found.spent == 8
    assert found.n_decisions == 4


def test_evaluations_take_their_part_of_the_budget():
    # Two decisions of cost 1 around an evaluation of cost 6: the second one falls into the last of four parts.
    log = log_of(chosen=[0, 1], budget=8.0, evaluations=[(1, 7.0, 6.0, (0.1, 0.2))])
    found = condense(log, n_bins=4)
    np.testing.assert_array_equal(np.isfinite(found.asked[:, 0]), [True, False, False, True])
    assert found.spent == 8.0
    assert found.evaluation_cost == 6.0
    np.testing.assert_allclose(found.evaluated_at, [7.0])
    np.testing.assert_allclose(found.scores, [[0.1, 0.2]])


def test_decisions_that_cost_nothing_count_one_each():
    found = condense(log_of(chosen=[0, 0, 1, 0], cost=[0, 0, 0, 0], budget=4.0), n_bins=1)
    np.testing.assert_allclose(found.realised, [[0.75, 0.25]])


def test_quantiles_agree_with_numpy_and_leave_out_missing_rewards():
    rng = np.random.default_rng(0)
    chosen, reward = rng.integers(0, 2, 500), rng.normal(size=500)
    reward[::7] = np.nan
    probabilities = rng.dirichlet([1, 1], 500) * 0.98 + 0.01
    found = condense(log_of(chosen=chosen, reward=reward, probabilities=probabilities), n_bins=3)
    place = ((np.arange(500) + 0.5) / 500 * 3).astype(int)
    propensity = probabilities[np.arange(500), chosen]
    for part in range(3):
        inside = propensity[place == part]
        np.testing.assert_allclose(found.propensity[part], [inside.min(), *np.quantile(inside, QUANTILES)])
        for task in range(2):
            own = reward[(place == part) & (chosen == task)]
            own = own[np.isfinite(own)]
            np.testing.assert_allclose(found.reward[part, task], np.quantile(own, QUANTILES))
            assert found.rewarded[part, task] == own.size
        np.testing.assert_allclose(found.asked[part], _asked(probabilities[place == part]), rtol=1e-12)


def _asked(probabilities):
    return probabilities.mean(axis=0)


def test_sums_of_inverse_propensities_give_the_effective_sample_size_of_the_estimators():
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet([2, 1], 300) * 0.9 + 0.05
    chosen = (rng.random(300) > probabilities[:, 0]).astype(int)
    log = log_of(chosen=chosen, probabilities=probabilities, reward=np.ones(300))
    found, target = condense(log), np.array([0.3, 0.7])
    ours = (target @ found.inverse) ** 2 / (target**2 @ found.inverse_squared)
    weights = importance_weights(log.logged, np.tile(target, (300, 1)))
    assert ours == pytest.approx(effective_sample_size(weights))
    assert (target * found.inverse_largest).max() == pytest.approx(weights.max())


def test_a_log_without_decisions_has_no_shares():
    found = condense(log_of(chosen=[], probabilities=np.zeros((0, 2)), budget=5.0))
    assert np.isnan(found.asked).all()
    assert found.n_decisions == 0
    assert found.spent == 0.0
