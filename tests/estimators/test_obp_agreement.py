"""The estimators of the same name give what Open Bandit Pipeline gives, to 1e-12, on its synthetic data.

The numbers were written by `make_obp_reference.py`, which names the versions.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from apportion import estimators as est

DATA = Path(__file__).parent / "data"
ARRAYS = np.load(DATA / "obp.npz")
VALUES = json.loads((DATA / "obp.json").read_text())

OPTIONS = {
    "ips": (est.ips, {}),
    "clipped_ips": (est.clipped_ips, {"clip": 2.0}),
    "snips": (est.snips, {}),
    "direct_method": (est.direct_method, {}),
    "dr": (est.dr, {}),
    "clipped_dr": (est.dr, {"clip": 2.0}),
    "sndr": (est.sndr, {}),
    "switch_dr": (est.switch_dr, {"threshold": 2.0}),
    "shrinkage_dr": (est.shrinkage_dr, {"threshold": 3.0}),
    "sub_gaussian_ips": (est.sub_gaussian_ips, {"strength": 0.1}),
    "sub_gaussian_dr": (est.sub_gaussian_dr, {"strength": 0.1}),
    "mrdr": (est.mrdr, {"folds": 1}),
}
WITHOUT_MODEL = {"ips", "clipped_ips", "snips", "sub_gaussian_ips", "mrdr"}
SELF_NORMALISED = {"snips", "sndr"}


def log_of(name):
    feedback = {"n_actions": VALUES[name]["n_actions"]}
    feedback |= {key: ARRAYS[f"{name}_{key}"] for key in ("action", "reward", "pi_b")}
    return est.from_obp(feedback), ARRAYS[f"{name}_target"], ARRAYS[f"{name}_predictions"]


@pytest.mark.parametrize("data", ["binary", "continuous"])
@pytest.mark.parametrize("name", OPTIONS)
def test_scores_agree(data, name):
    log, target, predictions = log_of(data)
    function, options = OPTIONS[name]
    model = {} if name in WITHOUT_MODEL else {"predictions": predictions}
    scores = function(log, target, **model, **options)
    assert abs(scores.mean() - VALUES[data]["values"][name]) < 1e-12
    if name not in SELF_NORMALISED:  # there our scores are those of the delta method
        np.testing.assert_allclose(scores, ARRAYS[f"{data}_scores_{name}"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["ips", "weighted_ips", "balanced_ips", "dr", "weighted_dr", "balanced_dr"])
def test_several_loggers_agree(name):
    log, target, predictions = log_of("loggers")
    logger, propensities = ARRAYS["loggers_logger"], ARRAYS["loggers_propensities"]
    options = {"weighted": {"logger": logger}, "balanced": {"logger": logger, "propensities": propensities}}
    chosen = dict(options.get(name.partition("_")[0], {}))
    if name.endswith("dr"):
        chosen["predictions"] = predictions
    scores = getattr(est, name)(log, target, **chosen)
    assert abs(scores.mean() - VALUES["loggers"]["values"][name]) < 1e-12


@pytest.mark.parametrize("data", ["binary", "continuous"])
@pytest.mark.parametrize(
    ("name", "option"), [("clipped_ips", "clip"), ("switch_dr", "threshold"), ("shrinkage_dr", "threshold")]
)
def test_slope_chooses_the_same_threshold(data, name, option):
    log, target, predictions = log_of(data)
    model = {} if name in WITHOUT_MODEL else {"predictions": predictions}
    found = est.choose_threshold(
        getattr(est, name), log, target, option=option, values=VALUES[data]["slope_lambdas"], **model
    )
    assert found == VALUES[data]["slope"][name]


@pytest.mark.parametrize("data", ["binary", "continuous"])
def test_intervals_agree(data):
    log, target, _ = log_of(data)
    scores, values = est.ips(log, target), VALUES[data]
    assert abs(est.normal(scores)[0] - values["student_t_lower"]) < 1e-12
    # Theirs is for scores from 0 to x_max, but goes below 0; ours stops at the bound, so keep away from it.
    ours = est.empirical_bernstein(scores + 500.0, low=0.0, high=1000.0)[0] - 500.0
    assert abs(ours - values["bernstein_lower_x_max_1000"]) < 1e-10
    lower, upper = est.bootstrap(scores, n_resamples=10_000)
    _, theirs_lower, theirs_upper = values["bootstrap_10000"]
    # Two bootstraps of 10,000 resamples: their ends differ by Monte Carlo error only, of about 0.027 deviations each.
    error = 0.2 * scores.std() / np.sqrt(scores.size)
    assert abs(lower - theirs_lower) < error
    assert abs(upper - theirs_upper) < error
