import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from apportion import estimators as est
from apportion.errors import OverlapError
from estimators.simulated_logs import TARGET, TRUTH, coverage, logs, simulate

OPTIONS = {"clipped_ips": {"clip": 1.2}, "switch_dr": {"threshold": 1.2}, "shrinkage_dr": {"threshold": 3.0}}


@pytest.fixture(scope="module")
def log():
    return next(logs(*simulate("adaptive", n_logs=1, n_rounds=4000, seed=501, binary=True)))


def pieces(log, count):
    return [log.rows(rows) for rows in np.array_split(np.arange(log.n_rounds), count)]


def predictions_of(chunks):
    """The reward model of a stream: the first chunk cross-fitted, every other by the means of those before it."""
    found, rewards, chosen = [est.by_task(chunks[0])], [], []
    for before, chunk in pairwise(chunks):
        rewards.append(before.reward)
        chosen.append(before.chosen)
        totals = np.bincount(np.concatenate(chosen), np.concatenate(rewards), minlength=3)
        means = totals / np.bincount(np.concatenate(chosen), minlength=3)
        found.append(np.tile(means, (chunk.n_rounds, 1)))
    return np.concatenate(found)


@pytest.mark.parametrize("count", [1, 7, 400])
@pytest.mark.parametrize("name", est.STREAMED)
def test_a_stream_gives_what_the_whole_log_gives(log, name, count):
    options = OPTIONS.get(name, {})
    streamed = est.evaluate_stream(pieces(log, count), TARGET, estimator=name, options=options)
    if name.endswith("dr") or name == "direct_method":
        options = options | {"predictions": predictions_of(pieces(log, count))}
    whole = est.evaluate(log, TARGET, estimator=name, options=options)
    for field in ("value", "lower", "upper", "effective_sample_size", "max_weight"):
        assert getattr(streamed, field) == pytest.approx(getattr(whole, field), rel=1e-10), field
    assert (streamed.n_rounds, streamed.estimand) == (4000, "per_step")
    assert "streamed" in streamed.signature


def test_diagnostics_come_along(log):
    streamed = est.StreamedEvaluation(estimator="dr")
    for chunk in pieces(log, 20):
        streamed.add(chunk, TARGET)
    found, whole = streamed.diagnostics(), est.diagnose(log, TARGET)
    assert found.mean_weight == pytest.approx(whole.mean_weight)
    assert found.drift == pytest.approx(whole.drift)
    assert np.isfinite([found.model_bias, found.model_slope]).all()


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr"])
def test_the_streamed_bootstrap_is_about_as_wide_as_the_normal_interval(log, name):
    normal = est.evaluate_stream(pieces(log, 5), TARGET, estimator=name)
    found = est.evaluate_stream(pieces(log, 5), TARGET, estimator=name, interval="bootstrap")
    assert found.value == normal.value
    assert found.upper - found.lower == pytest.approx(normal.upper - normal.lower, rel=0.2)
    again = est.evaluate_stream(pieces(log, 5), TARGET, estimator=name, interval="bootstrap")
    assert (again.lower, again.upper) == (found.lower, found.upper)


def test_the_streamed_bootstrap_covers():
    """300 logs in four chunks of 100 rounds; the bounds are 4.9 standard errors of a binomial share from 95 %."""
    simulated = logs(*simulate("adaptive", n_logs=300, n_rounds=400, seed=502))
    ends = []
    for one in simulated:
        found = est.evaluate_stream(pieces(one, 4), TARGET, interval="bootstrap", n_resamples=200)
        ends.append((found.lower, found.upper))
    assert coverage(ends, TRUTH) >= 0.95 - 4.9 * 0.0126


def test_the_streamed_confidence_sequence_is_that_of_the_whole_log(log):
    settings = {"estimator": "ips", "interval": "anytime", "reward_range": (0.0, 1.0)}
    streamed, whole = est.evaluate_stream(pieces(log, 9), TARGET, **settings), est.evaluate(log, TARGET, **settings)
    assert (streamed.lower, streamed.upper) == (pytest.approx(whole.lower), pytest.approx(whole.upper))


def test_a_target_may_be_computed_from_each_chunk(log):
    def cautious(chunk):
        return 0.5 * chunk.probabilities + 0.5 * TARGET

    found = est.evaluate_stream(pieces(log, 6), cautious)
    assert found.value == pytest.approx(est.evaluate(log, 0.5 * log.probabilities + 0.5 * TARGET).value)


@pytest.mark.parametrize("name", ["snips", "dr"])
def test_decisions_without_reward_are_left_out(log, name):
    reward = np.where(np.arange(4000) % 3 == 0, np.nan, log.reward)
    part = est.from_arrays(tasks=log.tasks, chosen=log.chosen, probabilities=log.probabilities, reward=reward)
    streamed = est.StreamedEvaluation(estimator=name)
    for chunk in pieces(part, 4):
        streamed.add(chunk, TARGET)
    kept = part.rewarded()
    assert streamed.estimate().n_rounds == kept.n_rounds
    assert streamed.diagnostics().n_missing == 4000 - kept.n_rounds
    if name == "snips":
        assert streamed.estimate().value == pytest.approx(est.evaluate(part, TARGET).value)


def test_a_threshold_left_to_slope_is_chosen_once(log):
    for name in ("clipped_ips", "switch_dr", "shrinkage_dr"):
        streamed = est.StreamedEvaluation(estimator=name)
        for chunk in pieces(log, 4):
            streamed.add(chunk, TARGET)
        assert np.isfinite(streamed.estimate().value)
        assert "clip=" in streamed.estimate().signature or "threshold=" in streamed.estimate().signature


def test_little_or_no_data():
    assert np.isnan(est.evaluate_stream([], TARGET).value)
    few = next(logs(*simulate("static", n_logs=1, n_rounds=20, seed=503)))
    for interval in ("normal", "bootstrap"):
        found = est.evaluate_stream([few], TARGET, interval=interval)
        assert np.isfinite(found.value)
        assert (found.lower, found.upper) == (-np.inf, np.inf)
    nothing = est.from_arrays(tasks=few.tasks, chosen=few.chosen, probabilities=few.probabilities, reward=[np.nan] * 20)
    assert np.isnan(est.evaluate_stream([nothing], TARGET, estimator="dr").value)


def test_overlap_is_demanded_over_the_whole_stream():
    chances = np.tile([1.0, 0.0], (50, 1))
    log = est.from_arrays(tasks=["a", "b"], chosen=[0] * 50, probabilities=chances, reward=[1.0] * 50)
    with pytest.raises(OverlapError, match="'b'"):
        est.evaluate_stream([log, log], np.array([0.5, 0.5]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"estimator": "adaptive_dr"}, "estimator"),
        ({"interval": "betting"}, "interval"),
        ({"interval": "anytime"}, "reward_range"),
        ({"interval": "anytime", "reward_range": (0, 1)}, "for ips"),
        ({"estimator": "dr", "options": {"predictions": np.ones((3, 3))}}, "predictions"),
        ({"options": {"clip": 3}}, "has no option"),
        ({"n_resamples": 3}, "n_resamples"),
        ({"confidence": 0.0}, "confidence"),
    ],
)
def test_what_cannot_be_streamed_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        est.StreamedEvaluation(**settings)


def test_rewards_outside_their_range_are_refused(log):
    with pytest.raises(ValueError, match="must lie in `reward_range`"):
        est.evaluate_stream([log], TARGET, estimator="ips", interval="anytime", reward_range=(0.0, 0.5))


def test_memory_does_not_grow_with_the_stream(log):
    def peak(count):
        tracemalloc.start()
        est.evaluate_stream((log for _ in range(count)), TARGET, estimator="dr", interval="bootstrap")
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(40) < 1.2 * peak(4)
