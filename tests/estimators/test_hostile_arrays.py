"""Logs from others are data: whatever is wrong with them gives a clear error, quickly, and never a number."""

import time
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from apportion import estimators as est
from apportion.errors import ApportionError, LogFormatError
from apportion.records import Logged

GOOD = {
    "tasks": ["a", "b"],
    "chosen": np.array([0, 1, 0]),
    "probabilities": np.array([[0.5, 0.5]] * 3),
    "reward": np.array([1.0, 2.0, np.nan]),
    "step": np.array([4, 5, 6]),
    "cost": np.ones(3),
}
OBP = {
    "n_actions": 2,
    "action": np.array([0, 1]),
    "reward": np.array([1.0, 0.0]),
    "pscore": np.array([0.5, 0.5]),
    "pi_b": np.full((2, 2, 1), 0.5),
    "position": None,
}


def rows(*changes):
    chances = np.array([[0.5, 0.5]] * 3)
    for row, column, value in changes:
        chances[row, column] = value
    return chances


WRONG = [
    ("tasks", [], "1 to 100000 names, got 0"),
    ("tasks", "ab", "must be a list"),
    ("tasks", 7, "must be a list"),
    ("tasks", ["a", "a"], "'a' twice"),
    ("tasks", ["a", " "], "not empty"),
    ("tasks", ["a", None], "not empty, got None"),
    ("tasks", ["a", "b", "c"], r"`probabilities` must have the shape \(3, 3\)"),
    ("chosen", np.array([0, 2, 0]), "`chosen` in round 1 must be from 0 to 1, got 2"),
    ("chosen", np.array([0, -1, 0]), "`chosen` in round 1"),
    ("chosen", np.array([0.0, 1.0, 0.0]), "`chosen` must hold indices or names"),
    ("chosen", ["a", "bb", "a"], "`chosen` in round 1 names the unknown task 'bb'; did you mean 'b'"),
    ("chosen", [0, None, 1], "`chosen` must hold indices"),
    ("chosen", np.zeros((3, 1), dtype=int), "`chosen` must have one axis"),
    ("chosen", [[0], [1, 2]], "`chosen` is not an array"),
    ("chosen", [2**70, 0, 1], "`chosen` must hold indices"),
    ("chosen", np.array([0, 1]), "`probabilities` must have the shape"),
    (
        "probabilities",
        rows((1, 0, 0.4)),
        "`probabilities` in round 1 must be probabilities that sum to 1, got the sum 0.9",
    ),
    ("probabilities", rows((2, 0, np.nan)), "`probabilities` in round 2"),
    ("probabilities", rows((2, 0, np.inf)), "`probabilities` in round 2"),
    ("probabilities", rows((0, 0, -0.5), (0, 1, 1.5)), "`probabilities` in round 0 .* smallest entry -0.5"),
    (
        "probabilities",
        rows((1, 0, 1.0), (1, 1, 0.0)),
        "`probabilities` in round 1 give the task drawn, 'b', no probability",
    ),
    ("probabilities", [["x", "y"]] * 3, "`probabilities` must hold numbers"),
    ("probabilities", [[0.5, 0.5], [0.5], [0.5, 0.5]], "`probabilities` is not an array"),
    ("probabilities", rows() * 1j, "`probabilities` must hold numbers"),
    ("probabilities", np.ones(3), "`probabilities`"),
    ("probabilities", "half", "array of numbers, got 'half'"),
    ("reward", np.array([1.0, np.inf, 0.0]), "`reward` in round 1 must be finite, got inf"),
    ("reward", ["1", "2", "3"], "`reward` must hold numbers"),
    ("reward", np.ones(2), r"`reward` must have the shape \(3,\), got \(2,\)"),
    ("reward", [None, 1.0, 2.0], "`reward` must hold numbers"),
    ("step", np.array([0.5, 1.0, 2.0]), "`step` must hold whole numbers"),
    ("step", np.array([1, 2, 2**64 - 1], dtype=np.uint64), "too large"),
    ("step", np.arange(4), "`step` must have the shape"),
    ("cost", np.array([1.0, -1.0, 1.0]), "`cost` in round 1 must not be negative"),
    ("cost", np.array([1.0, np.nan, 1.0]), "`cost` in round 1 must be finite"),
]


@pytest.mark.parametrize(("field", "value", "message"), WRONG)
def test_damaged_fields_are_named(field, value, message):
    with pytest.raises(LogFormatError, match=message):
        est.from_arrays(**(GOOD | {field: value}))


def test_empty_arrays_have_no_type():
    for kind in (complex, object, str, np.uint64):
        log = est.from_arrays(
            tasks=["a", "b"], chosen=[], probabilities=np.zeros((0, 2), dtype=kind), reward=np.zeros(0, dtype=kind)
        )
        assert log.n_rounds == 0
        assert log.probabilities.dtype == log.reward.dtype == np.float64


def test_a_good_log_passes_and_small_rounding_is_repaired():
    log = est.from_arrays(**GOOD)
    assert log.n_rounds == 3
    rounded = est.from_arrays(**(GOOD | {"probabilities": np.array([[0.3333333, 0.6666666]] * 3)}))
    np.testing.assert_allclose(rounded.probabilities.sum(axis=1), 1.0, rtol=1e-15)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("n_actions", None, "no `n_actions`"),
        ("n_actions", 10**9, "1 to 100000, got 1000000000"),
        ("n_actions", 2.0, "whole number"),
        ("n_actions", 3, "`probabilities` must have the shape"),
        ("action", None, "no `action`"),
        ("action", np.array([0, 5]), "`chosen` in round 1"),
        ("reward", None, "no `reward`"),
        ("pi_b", np.full((2, 2, 1), 0.4), "sum to 1"),
        ("pi_b", np.full((5, 2, 1), 0.5), "`pi_b` must have the shape"),
        ("pi_b", np.full((2, 2, 0), 0.5), "`pi_b` must have the shape"),
        ("pi_b", "x", "`pi_b` must be an array"),
        ("position", np.array([0, 3]), "`position` must be 2 indices from 0 to 0"),
    ],
)
def test_damaged_feedback_is_named(entry, value, message):
    with pytest.raises(LogFormatError, match=message):
        est.from_obp(OBP | {entry: value})


def test_feedback_without_the_whole_policy():
    log = est.from_obp({key: value for key, value in OBP.items() if key != "pi_b"}, tasks=["x", "y"])
    assert log.tasks == ("x", "y")
    np.testing.assert_allclose(log.propensity, [0.5, 0.5])
    for wrong in (np.array([0.5, 0.0]), np.array([0.5, 1.5]), np.array([np.nan, 0.5])):
        with pytest.raises(LogFormatError, match="`pscore` in round"):
            est.from_obp(OBP | {"pi_b": None, "pscore": wrong})
    with pytest.raises(LogFormatError, match="neither"):
        est.from_obp(OBP | {"pi_b": None, "pscore": None})


def test_positions_choose_their_policy():
    policy = np.stack([np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([[0.9, 0.1], [0.9, 0.1]])], axis=2)
    log = est.from_obp(OBP | {"pi_b": policy, "position": np.array([0, 1])})
    np.testing.assert_allclose(log.propensity, [0.5, 0.1])


def raw(**fields):
    """A record that passed by `from_arrays`."""
    base = est.from_arrays(**(GOOD | {"reward": np.ones(3)}))
    arrays = {name: getattr(base, name) for name in ("tasks", "chosen", "probabilities", "reward", "step", "cost")}
    return Logged(**(arrays | fields))


@pytest.mark.parametrize("name", [name for name in est.ESTIMATORS if name not in ("direct_method",)])
def test_estimators_check_records_that_were_made_otherwise(name):
    options = {"window": 1} if name == "windowed" else {}
    options |= {"logger": np.zeros(3, dtype=int)} if name.startswith(("weighted", "balanced")) else {}
    options |= {"propensities": np.full((3, 1), 0.5)} if name.startswith("balanced") else {}
    target = np.array([0.5, 0.5])
    impossible = raw(probabilities=rows((1, 0, 1.0), (1, 1, 0.0)))
    with pytest.raises(LogFormatError, match="round 1 give the task drawn, 'b', the propensity 0"):
        est.ESTIMATORS[name](impossible, target, **options)
    with pytest.raises(LogFormatError, match="`reward` of the log has the type int64"):
        est.ESTIMATORS[name](raw(reward=np.array([1, 2, 3])), target, **options)
    with pytest.raises(LogFormatError, match="`chosen` of the log has the type bool"):
        est.ESTIMATORS[name](raw(chosen=np.array([True, False, True])), target, **options)
    if name != "windowed":
        with pytest.raises(ValueError, match=r"`reward` in round 2 is nan"):
            est.ESTIMATORS[name](raw(reward=np.array([1.0, 2.0, np.nan])), target, **options)


def test_a_propensity_too_small_to_divide_by_is_refused():
    tiny = raw(probabilities=rows((1, 0, 1.0), (1, 1, 5e-324)))
    with pytest.raises(LogFormatError, match="too small to divide by"):
        est.ips(tiny, np.array([0.5, 0.5]))


def test_a_billion_tasks_are_refused_without_eating_the_memory():
    class Endless(Sequence):
        def __len__(self):
            return 10**9

        def __getitem__(self, index):
            raise AssertionError("must not be read")

    start = time.perf_counter()
    tracemalloc.start()
    for call in (
        lambda: est.from_arrays(**(GOOD | {"tasks": Endless()})),
        lambda: est.from_obp({"n_actions": 10**9, "action": [0], "reward": [1.0], "pscore": [0.5]}),
    ):
        with pytest.raises(LogFormatError, match="100000"):
            call()
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert time.perf_counter() - start < 1.0


ANYTHING = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.text(max_size=3),
    st.lists(st.one_of(st.integers(-2, 3), st.floats(), st.text(max_size=2), st.none()), max_size=4),
    hnp.arrays(
        st.sampled_from(
            [np.float64, np.float32, np.int64, np.uint8, np.bool_, np.complex128, np.dtype("U2"), np.dtype("O")]
        ),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
)


@given(field=st.sampled_from(list(GOOD)), value=ANYTHING)
@settings(max_examples=150, deadline=None)
def test_fuzzed_fields_give_a_sound_log_or_a_named_error(field, value):
    try:
        log = est.from_arrays(**(GOOD | {field: value}))
    except LogFormatError:
        return
    found = est.evaluate(log, np.full(len(log.tasks), 1 / len(log.tasks)))
    assert np.isnan(found.value) or found.lower <= found.value <= found.upper


@given(
    probabilities=hnp.arrays(np.float64, (4, 2), elements=st.floats(allow_nan=True, allow_infinity=True)),
    reward=hnp.arrays(np.float64, 4, elements=st.floats(allow_nan=True, allow_infinity=True)),
    target=hnp.arrays(np.float64, st.sampled_from([(2,), (4, 2), (4, 3)]), elements=st.floats()),
    name=st.sampled_from(["ips", "snips", "dr", "sndr", "switch_dr", "mrdr", "adaptive_dr", "sub_gaussian_ips"]),
)
@settings(max_examples=80, deadline=None)
def test_fuzzed_numbers_give_an_estimate_or_a_named_error(probabilities, reward, target, name):
    """Half of the examples get rows that sum to 1, or none would come far."""
    with np.errstate(all="ignore"):
        shares = np.abs(np.nan_to_num(probabilities, nan=0.0, posinf=1.0, neginf=1.0)) % 1.0 + 1e-3
        shares /= shares.sum(axis=1, keepdims=True)
        aim = np.abs(np.nan_to_num(target, nan=0.0, posinf=1.0, neginf=1.0)) % 1.0 + 1e-3
        aim /= aim.sum(axis=-1, keepdims=True)
    small = np.clip(np.nan_to_num(reward, nan=np.nan, posinf=np.nan, neginf=np.nan), -1e100, 1e100)
    for chances, rewards, wanted in ((probabilities, reward, target), (shares, small, aim)):
        try:
            log = est.from_arrays(tasks=["a", "b"], chosen=[0, 1, 1, 0], probabilities=chances, reward=rewards)
            found = est.evaluate(log, wanted, estimator=name)
        except (ValueError, ApportionError):
            continue
        assert np.isnan(found.value) or found.lower <= found.value <= found.upper
