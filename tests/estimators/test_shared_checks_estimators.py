"""Every estimator that the package ships keeps the promises of `check_estimator`; broken ones are found."""

import numpy as np
import pytest

from apportion.estimators import ESTIMATORS, by_task, dr, importance_weights, ips, snips
from apportion.testing import check_estimator


def whole(log):
    """Predictions that do not depend on the order of the rounds."""
    return {"predictions": by_task(log, folds=1)} if log.n_rounds else {}


def two(log):
    """Two logging policies that are the same one, in turn."""
    return {"logger": np.arange(log.n_rounds) % 2}


def two_known(log):
    own = log.probabilities[np.arange(log.n_rounds), log.chosen]
    return {**two(log), "propensities": np.stack([own, own], axis=1)}


HOW = {
    "ips": {},
    "clipped_ips": {"options": {"clip": 3.0}, "unbiased": False},
    "snips": {},
    "direct_method": {"options": whole, "unbiased": False},
    "dr": {"ordered": True},
    "sndr": {"ordered": True},
    "switch_dr": {"options": lambda log: {"threshold": 3.0, **whole(log)}, "unbiased": False},
    "shrinkage_dr": {"options": lambda log: {"threshold": 9.0, **whole(log)}, "unbiased": False},
    "mrdr": {"ordered": True},
    "sub_gaussian_ips": {"unbiased": False},
    "sub_gaussian_dr": {"options": whole, "unbiased": False},
    "adaptive_dr": {"ordered": True},
    "windowed": {"options": {"window": 3, "normalise": False}, "ordered": True, "per_round": False},
    "weighted_ips": {"options": two, "ordered": True, "unbiased": False},
    "weighted_dr": {"options": two, "ordered": True},
    "balanced_ips": {"options": two_known},
    "balanced_dr": {"options": lambda log: {**two_known(log), **whole(log)}},
}


def test_all_are_here():
    assert HOW.keys() == ESTIMATORS.keys()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator_keeps_its_promises(name):
    check_estimator(name, **HOW[name])


def test_normalised_windows_keep_them_too_but_are_biased_when_few():
    check_estimator("windowed", options={"window": 3}, unbiased=False, ordered=True, per_round=False)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no estimator 'snip'"):
        check_estimator("snip")


def plain(logged, target):
    """A sound estimator of one's own."""
    weights = importance_weights(logged, target)
    return weights * logged.reward + 0.0 * ips(logged, target)


def shifting(logged, target):
    return snips(logged, target) + 0.5


def mean_reward(logged, target):
    return 0.0 * ips(logged, target) + logged.reward


def in_place(logged, target):
    logged.reward[0] += 1.0
    return snips(logged, target)


def swallowing(logged, target):
    return np.nan_to_num(importance_weights(logged, target) * np.nan_to_num(logged.reward))


def first_task(logged, target):
    return snips(logged, target) + 0.1 * logged.reward.std() * (logged.chosen == 0).mean()


def trusting(logged, target):
    target = np.broadcast_to(target, logged.probabilities.shape)
    rows = np.arange(logged.n_rounds)
    return target[rows, logged.chosen] / logged.propensity * logged.reward


def late(logged, target):
    scores = snips(logged, target)
    scores[: scores.size // 2] *= 1.5
    return scores


def single(logged, target):
    return snips(logged, target).astype(np.float32)


def noisy(logged, target):
    return snips(logged, target) + np.random.default_rng().normal()


def capped(logged, target):
    return np.minimum(importance_weights(logged, target), 1.2) * logged.reward + 0.0 * ips(logged, target)


@pytest.mark.parametrize(
    ("estimator", "promise"),
    [
        (shifting, "gives the mean reward where the target is what was drawn from"),
        (mean_reward, "is right on average"),
        (in_place, "the same each time|changes"),
        (swallowing, "it accepts a reward that is missing"),
        (first_task, "does not depend on the order of the tasks|gives the mean reward|scales"),
        (trusting, "it accepts a"),
        (late, "the order of the rounds|mean reward"),
        (single, "float32 instead of float64"),
        (noisy, "other scores the second time"),
        (capped, "is right on average"),
    ],
)
def test_broken_estimators_are_found(estimator, promise):
    with pytest.raises(AssertionError, match=promise):
        check_estimator(estimator)


def test_sound_ones_of_ones_own_pass():
    check_estimator(plain)
    check_estimator(dr, ordered=True)
    check_estimator(capped, unbiased=False)
