"""Every estimator on one log that can be worked by hand.

Two tasks, four rounds. Target (.75, .25) in every round.

    round  probabilities  task  reward   importance weight
    0      (.50, .50)     a     1        .75 / .50 = 1.5
    1      (.50, .50)     b     3        .25 / .50 = .5
    2      (.25, .75)     a     2        .75 / .25 = 3
    3      (.25, .75)     b     4        .25 / .75 = 1/3

Reward model q = (1, 2) in every round: value under the target .75 + .5 = 1.25; residuals 0, 1, 1, 2.
"""

import numpy as np
import pytest

from apportion import estimators as est
from apportion.errors import LogFormatError

LOG = est.from_arrays(
    tasks=["a", "b"],
    chosen=[0, 1, 0, 1],
    probabilities=[[0.5, 0.5], [0.5, 0.5], [0.25, 0.75], [0.25, 0.75]],
    reward=[1.0, 3.0, 2.0, 4.0],
)
TARGET = np.array([0.75, 0.25])
Q = np.tile([1.0, 2.0], (4, 1))
W = 16 / 3  # sum of the importance weights

# (name, options, scores or None, value)
GOLDEN = [
    ("ips", {}, [1.5, 1.5, 6.0, 4 / 3], 31 / 12),
    ("clipped_ips", {"clip": 1.0}, [1.0, 1.5, 2.0, 4 / 3], 35 / 24),
    ("clipped_ips", {"clip": np.inf}, [1.5, 1.5, 6.0, 4 / 3], 31 / 12),
    # sum w r / sum w = (31/3) / (16/3); scores V + w (r - V) / (4/3)
    ("snips", {}, [1.9375 + 1.125 * (1 - 1.9375), 1.9375 + 0.375 * (3 - 1.9375), 1.9375 + 2.25 * (2 - 1.9375),
                   1.9375 + 0.25 * (4 - 1.9375)], 31 / 16),
    ("direct_method", {"predictions": Q}, [1.25] * 4, 1.25),
    ("dr", {"predictions": Q}, [1.25, 1.75, 4.25, 1.25 + 2 / 3], (1.25 * 3 + 0.5 + 3.0 + 1.25 + 2 / 3) / 4),
    ("dr", {"predictions": Q, "clip": 1.0}, [1.25, 1.75, 2.25, 1.25 + 2 / 3], (5.0 + 0.5 + 1.0 + 2 / 3) / 4),
    # sum w (r - q) / sum w = (.5 + 3 + 2/3) / (16/3) = 25/32
    ("sndr", {"predictions": Q}, None, 1.25 + 25 / 32),
    ("switch_dr", {"predictions": Q, "threshold": 1.5}, [1.25, 1.75, 1.25, 1.25 + 2 / 3], (5.0 + 0.5 + 2 / 3) / 4),
    ("switch_dr", {"predictions": Q, "threshold": np.inf}, [1.25, 1.75, 4.25, 1.25 + 2 / 3], 55 / 24),
    # lambda w / (w^2 + lambda) with lambda = 3: w = .5: 1.5/3.25; w = 3: 9/12; w = 1/3: 1/(1/9 + 3) = 9/28
    ("shrinkage_dr", {"predictions": Q, "threshold": 3.0}, [1.25, 1.25 + 6 / 13, 2.0, 1.25 + 18 / 28], None),
    ("shrinkage_dr", {"predictions": Q, "threshold": np.inf}, [1.25, 1.75, 4.25, 1.25 + 2 / 3], 55 / 24),
    # w / (.5 + .5 w): 1.5/1.25, .5/.75, 3/2, (1/3)/(2/3)
    ("sub_gaussian_ips", {"strength": 0.5}, [1.2, 2.0, 3.0, 2.0], 2.05),
    ("sub_gaussian_ips", {"strength": 1.0}, [1.0, 3.0, 2.0, 4.0], 2.5),
    ("sub_gaussian_dr", {"strength": 0.5, "predictions": Q}, [1.25, 1.25 + 2 / 3, 2.75, 2.25], None),
    # Weights w (1 - p) / p: task a: 1.5 and 9, task b: .5 and 1/9. Means: a (1.5 + 18)/10.5 = 13/7,
    # b (1.5 + 4/9)/(11/18) = 35/11. Value .75 * 13/7 + .25 * 35/11; residuals -6/7, -2/11, 1/7, 9/11.
    ("mrdr", {"folds": 1}, [.75 * 13 / 7 + .25 * 35 / 11 + 1.5 * -6 / 7, .75 * 13 / 7 + .25 * 35 / 11 + .5 * -2 / 11,
                            .75 * 13 / 7 + .25 * 35 / 11 + 3 / 7, .75 * 13 / 7 + .25 * 35 / 11 + 3 / 11], None),
    # v = .5625/.5 + .0625/.5 = 1.25 in rounds 0 and 1, .5625/.25 + .0625/.75 = 7/3 in 2 and 3.
    ("adaptive_dr", {"predictions": Q, "allocation": "minimum"}, None,
     (0.8 * (1.25 + 1.75) + 3 / 7 * (4.25 + 23 / 12)) / (1.6 + 6 / 7)),
    ("adaptive_dr", {"predictions": Q}, None,
     (0.8**0.5 * 3.0 + (3 / 7) ** 0.5 * (4.25 + 23 / 12)) / (2 * 0.8**0.5 + 2 * (3 / 7) ** 0.5)),
    # Windows of two: rewards 4 and 6, weights 1 + .5 - .5 = 1 and 1 + 2 - 2/3 = 7/3.
    ("windowed", {"window": 2, "normalise": False}, [2.0, 7.0], 4.5),
    ("windowed", {"window": 2}, None, (4.0 + 14.0) / (2.0 + 14 / 3)),
    ("windowed", {"window": np.array([5, 5, 5, 9]), "normalise": False}, None, (6 * 3 + 4 / 3) / 4),
    # Loggers (0, 0, 1, 1): variances of w r 0 (refused); with (0, 1, 0, 1): {1.5, 6} 81/16, {1.5, 4/3} 1/144.
    ("weighted_ips", {"logger": np.array([0, 1, 0, 1])}, None,
     (3.75 * 16 / 81 + 17 / 12 * 144) / (16 / 81 + 144)),
    # pbar with both loggers half: a (.5 + .25)/2 = .375, b .625 in every round.
    ("balanced_ips", {"logger": np.array([0, 0, 1, 1]),
                      "propensities": np.array([[.5, .25], [.5, .75], [.5, .25], [.5, .75]])},
     [2.0, 1.2, 4.0, 1.6], 2.2),
    ("balanced_dr", {"logger": np.array([0, 0, 1, 1]), "predictions": Q,
                     "propensities": np.array([[.5, .25], [.5, .75], [.5, .25], [.5, .75]])},
     [1.25, 1.65, 3.25, 2.05], 2.05),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "scores", "value"), GOLDEN)
def test_golden(name, options, scores, value):
    found = est.ESTIMATORS[name](LOG, TARGET, **options)
    if scores is not None:
        np.testing.assert_allclose(found, scores, rtol=1e-13)
    if value is not None:
        assert found.mean() == pytest.approx(value, rel=1e-13)


def test_every_estimator_is_worked_by_hand_or_checked_elsewhere():
    assert set(est.ESTIMATORS) - {name for name, *_ in GOLDEN} == {"weighted_dr"}  # see test_obp_agreement


def test_importance_weights():
    np.testing.assert_allclose(est.importance_weights(LOG, TARGET), [1.5, 0.5, 3.0, 1 / 3], rtol=1e-15)
    assert est.effective_sample_size(est.importance_weights(LOG, TARGET)) == pytest.approx(
        W**2 / (9 + 2.25 + 0.25 + 1 / 9)
    )


def test_thresholds_left_to_slope_are_among_those_offered():
    weights = est.importance_weights(LOG, TARGET)
    for name in ("clipped_ips", "switch_dr", "shrinkage_dr"):
        assert np.isfinite(est.ESTIMATORS[name](LOG, TARGET)).all()
    assert est.choose_threshold(est.clipped_ips, LOG, TARGET, option="clip") in {np.inf, *np.quantile(
        weights, [0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999]
    )}  # fmt: skip


def test_slope_keeps_the_least_biased_when_the_others_contradict_it():
    rng = np.random.default_rng(0)
    honest, biased = rng.normal(1.0, 1.0, 1000), rng.normal(0.0, 0.1, 1000)
    assert est.slope({1.0: biased, np.inf: honest}) == np.inf
    assert est.slope({1.0: biased + 1.0, np.inf: honest}) == 1.0
    with pytest.raises(ValueError, match="at least one threshold"):
        est.slope({})


def test_weighted_refuses_a_logger_without_variance():
    with pytest.raises(ValueError, match="do not vary"):
        est.weighted_ips(LOG, TARGET, logger=np.array([0, 0, 1, 1]))


def test_balanced_refuses_propensities_that_are_not_those_of_the_log():
    with pytest.raises(LogFormatError, match="round 2 differ"):
        est.balanced_ips(
            LOG, TARGET, logger=np.array([0, 0, 1, 1]), propensities=np.array([[0.5, 0.1]] * 2 + [[0.5, 0.5]] * 2)
        )
