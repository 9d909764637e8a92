"""Rescaled rewards stay in their range, agree with numpy's quantiles, and survive any history."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apportion.records import Task
from apportion.signals import DecayedQuantiles, Loss, ReservoirQuantiles, WindowedQuantiles, ZScore

TASKS = [Task(name="cola"), Task(name="rte")]
KINDS = [ReservoirQuantiles, WindowedQuantiles, DecayedQuantiles, ZScore]


def rescaled(signal, history):
    """Rewards of a history (n_steps,) or (n_steps, n_runs)."""
    history = np.asarray(history, dtype=np.float64)
    columns = history.reshape(len(history), -1)
    signal.reset(TASKS, columns.shape[1])
    chosen = np.zeros(columns.shape[1], dtype=np.int64)
    return np.array([signal.reward(chosen, {"loss": row.copy()}) for row in columns]).reshape(history.shape)


def graves(reward, history, low, high):
    """The formula of Graves et al. 2017, with numpy's quantiles."""
    if not len(history):
        return 0.0
    bottom, top = np.quantile(history, [low, high])
    if reward < bottom:
        return -1.0
    if reward > top:
        return 1.0
    return 2 * (reward - bottom) / (top - bottom) - 1 if top > bottom else 0.0


HISTORY = np.random.default_rng(0).normal(size=400)


def test_a_reservoir_that_holds_all_agrees_with_numpy():
    expected = [graves(reward, HISTORY[:step], 0.2, 0.8) for step, reward in enumerate(HISTORY)]
    np.testing.assert_allclose(rescaled(ReservoirQuantiles(Loss(), capacity=500), HISTORY), expected, atol=1e-12)


@pytest.mark.parametrize("capacity", [2, 5, 8, 64])
def test_a_full_reservoir_keeps_evenly_spaced_rewards_of_the_whole_history(capacity):
    signal = ReservoirQuantiles(Loss(), capacity=capacity)
    got = rescaled(signal, HISTORY)
    stride = 1
    while -(-len(HISTORY) // stride) > capacity:
        stride *= 2
    kept = HISTORY[::stride]
    np.testing.assert_array_equal(signal.kept_[0, : len(kept)], kept)
    assert signal.n_kept_[0] == len(kept) >= capacity / 2
    assert got[-1] == pytest.approx(graves(HISTORY[-1], HISTORY[:-1][::stride], 0.2, 0.8))


def test_a_window_agrees_with_numpy():
    expected = [graves(reward, HISTORY[max(step - 30, 0) : step], 0.1, 0.7) for step, reward in enumerate(HISTORY)]
    got = rescaled(WindowedQuantiles(Loss(), low=0.1, high=0.7, window=30), HISTORY)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_decayed_quantiles_agree_with_counting_weights():
    signal = DecayedQuantiles(Loss(), decay=0.9)
    assert signal.length == 44  # 0.9^44 < 0.01
    expected = []
    for step, reward in enumerate(HISTORY):
        past = HISTORY[max(step - signal.length, 0) : step]
        if not len(past):
            expected.append(0.0)
            continue
        order = np.argsort(past)
        below = (0.9 ** np.arange(len(past))[::-1])[order].cumsum()
        bottom, top = (past[order][np.searchsorted(below, level * below[-1])] for level in (0.2, 0.8))
        inside = 2 * (reward - bottom) / (top - bottom) - 1 if top > bottom else 0.0
        expected.append(-1.0 if reward < bottom else 1.0 if reward > top else inside)
    np.testing.assert_allclose(rescaled(signal, HISTORY), expected, atol=1e-12)


@pytest.mark.parametrize("decay", [1.0, 0.9])
def test_z_score_agrees_with_weighted_moments(decay):
    got = rescaled(ZScore(Loss(), decay=decay, limit=2.0), HISTORY)
    for step in (2, 3, 50, 399):
        weight = decay ** np.arange(step)[::-1]
        mean = np.average(HISTORY[:step], weights=weight)
        deviation = np.sqrt(np.average((HISTORY[:step] - mean) ** 2, weights=weight))
        assert got[step] == pytest.approx(np.clip((HISTORY[step] - mean) / deviation, -2, 2) / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_unit_is_signed_moved_to_the_unit_interval(kind):
    np.testing.assert_allclose(
        rescaled(kind(Loss(), range="unit"), HISTORY), (rescaled(kind(Loss()), HISTORY) + 1) / 2, atol=1e-15
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 1e6, 1e-12, 1e-300, 1 / 3])
def test_a_constant_history_gives_the_middle(kind, level):
    history = np.full(600, level)
    assert (rescaled(kind(Loss()), history) == 0.0).all()
    assert (rescaled(kind(Loss(), range="unit"), history) == 0.5).all()


@pytest.mark.parametrize("kind", KINDS)
def test_missing_rewards_stay_missing_and_change_nothing(kind):
    gaps = np.insert(HISTORY, [0, 10, 200], [np.nan, np.nan, np.inf])
    got = rescaled(kind(Loss()), gaps)
    missing = ~np.isfinite(gaps)
    assert np.isnan(got[missing]).all()
    np.testing.assert_array_equal(got[~missing], rescaled(kind(Loss()), HISTORY))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(history=arrays(np.float64, (30, 2), elements=st.floats(-1e100, 1e100)))
def test_the_range_is_never_left(kind, history):
    got = rescaled(kind(Loss()), history)
    assert (np.abs(got) <= 1.0).all()


@pytest.mark.parametrize("kind", [ReservoirQuantiles, WindowedQuantiles, DecayedQuantiles])
@settings(max_examples=40, deadline=None)
@given(
    history=arrays(np.float64, 40, elements=st.integers(-50, 50).map(float)),
    power=st.integers(-20, 20),
    move=st.integers(-100, 100),
)
def test_quantiles_do_not_depend_on_unit_and_origin(kind, history, power, move):
    np.testing.assert_allclose(
        rescaled(kind(Loss()), history), rescaled(kind(Loss()), 2.0**power * (history + move)), atol=1e-9
    )


def test_shrinking_rewards_pin_a_reservoir_but_not_a_window():
    """The documented failure: rewards that decay by a thousandfold, noise of a tenth of their level; the last 200."""
    level = np.exp(-np.linspace(0, 7, 2_000))
    history = level * (1 + 0.1 * np.random.default_rng(1).normal(size=2_000))
    late = {kind: rescaled(kind(Loss()), history)[-200:] for kind in KINDS[:3]}
    assert (late[ReservoirQuantiles] == -1.0).all()
    for kind in (WindowedQuantiles, DecayedQuantiles):
        assert (late[kind] > -1.0).mean() > 0.25


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReservoirQuantiles(Loss(), low=0.5, high=0.5), "`high`"),
        (lambda: WindowedQuantiles(Loss(), low=-0.1), "`low`"),
        (lambda: WindowedQuantiles(Loss(), window=1), "`window`"),
        (lambda: ReservoirQuantiles(Loss(), capacity=1), "`capacity`"),
        (lambda: DecayedQuantiles(Loss(), decay=1.0), "`decay`"),
        (lambda: ZScore(Loss(), decay=0.0), "`decay`"),
        (lambda: ZScore(Loss(), limit=0.0), "`limit`"),
        (lambda: ZScore(Loss(), range="sigmoid"), "`range` must be one of"),
    ],
)
def test_bad_parameters_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
