import math

import numpy as np
import pytest

from apportion.training import METRICS, metric

LABELS = np.array([0, 0, 1, 1, 1, 0])
GUESSES = np.array([0, 1, 1, 1, 0, 0])  # true positives 2, false positives 1, false negatives 1, true negatives 2
NUMBERS = np.array([1.0, 2.0, 3.0, 4.0])
OTHERS = np.array([2.0, 1.0, 4.0, 3.0])


@pytest.mark.parametrize(
    ("name", "labels", "predictions", "expected"),
    [
        ("accuracy", LABELS, GUESSES, 4 / 6),
        ("balanced_accuracy", LABELS, GUESSES, (2 / 3 + 2 / 3) / 2),
        ("f1", LABELS, GUESSES, 2 * 2 / (2 * 2 + 1 + 1)),
        ("macro_f1", LABELS, GUESSES, 2 / 3),
        ("matthews", LABELS, GUESSES, (2 * 2 - 1 * 1) / math.sqrt(3 * 3 * 3 * 3)),
        # Deviations from the mean 2.5: (-1.5, -.5, .5, 1.5) and (-.5, -1.5, 1.5, .5); products sum to 3, squares to 5.
        ("pearson", NUMBERS, OTHERS, 3 / 5),
        # 1 - 6 sum d^2 / (n (n^2 - 1)) with four differences of 1.
        ("spearman", NUMBERS, OTHERS, 1 - 6 * 4 / (4 * 15)),
        # 1 - sum of squared errors / sum of squared deviations = 1 - 4 / 5.
        ("r2", NUMBERS, OTHERS, 1 - 4 / 5),
        ("negative_rmse", NUMBERS, OTHERS, -1.0),
        # A model that never predicts the class gets 0: that is the metric, not a missing value.
        ("f1", LABELS, np.zeros(6, int), 0.0),
        ("matthews", LABELS, np.zeros(6, int), 0.0),
    ],
)
def test_values_by_hand(name, labels, predictions, expected):
    assert metric(name).score(labels, predictions) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "labels", "predictions"),
    [
        ("accuracy", np.array([], int), np.array([], int)),
        ("f1", np.zeros(5, int), np.array([0, 1, 0, 0, 0])),
        ("macro_f1", np.ones(5, int), np.ones(5, int)),
        ("balanced_accuracy", np.ones(5, int), np.ones(5, int)),
        ("matthews", np.ones(5, int), np.array([0, 1, 0, 0, 0])),
        ("pearson", NUMBERS, np.full(4, 0.3)),
        ("pearson", np.full(4, 0.3), NUMBERS),
        ("spearman", NUMBERS, np.full(4, 0.3)),
        ("spearman", np.array([1.0]), np.array([1.0])),
        ("r2", np.full(4, 2.0), NUMBERS),
    ],
)
def test_undefined_is_nan_and_never_a_number(name, labels, predictions):
    assert math.isnan(metric(name).score(labels, predictions))
    assert metric(name).undefined


@pytest.mark.parametrize("name", sorted(METRICS))
def test_perfect_predictions_reach_the_upper_end(name):
    perfect = LABELS if METRICS[name].kind == "classification" else NUMBERS
    assert METRICS[name].score(perfect, perfect) == pytest.approx(METRICS[name].high)


def test_unknown_metric_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'matthews'"):
        metric("mathews")


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="6 labels but 5 predictions"):
        metric("accuracy").score(LABELS, GUESSES[:5])
