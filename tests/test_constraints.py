import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apportion import Constraints, Task
from apportion.constraints import project
from apportion.errors import ConstraintError

NAMES = ("a", "b", "c")
TASKS = [Task(name=name, size=10) for name in NAMES]


@st.composite
def problems(draw):
    """Random feasible bounds, probabilities with zeros and tiny entries, and masks with at least one task."""
    n_tasks = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    low = rng.random(n_tasks) * rng.random() / n_tasks
    high = np.minimum(low + rng.random(n_tasks), 1.0)
    if high.sum() < 1:
        high = np.ones(n_tasks)
    asked = rng.dirichlet(np.full(n_tasks, draw(st.sampled_from([0.003, 0.1, 1.0]))), size=5)
    asked[0] = np.eye(n_tasks)[0]
    mask = rng.random((5, n_tasks)) < 0.7
    mask[:, 0] = True
    return asked, low, high, mask


@settings(max_examples=300, deadline=None, derandomize=True)
@given(problems())
def test_projection_obeys_bounds_and_keeps_ratios(problem):
    asked, low, high, mask = problem
    shares = project(asked, low, high, np.ones_like(mask))
    assert np.abs(shares.sum(axis=1) - 1).max() < 1e-12
    assert (shares >= low - 1e-12).all()
    assert (shares <= high + 1e-12).all()
    for row, wanted in zip(shares, asked, strict=True):
        free = (row > low + 1e-9) & (row < high - 1e-9) & (wanted > 1e-200)
        if free.sum() > 1:
            factor = row[free] / wanted[free]
            np.testing.assert_allclose(factor, factor[0], rtol=1e-6)
    masked = project(asked, low, high, mask)
    assert np.abs(masked.sum(axis=1) - 1).max() < 1e-12
    assert (masked[~mask] == 0).all()
    assert (masked >= 0).all()


def test_projection_is_nearest_in_divergence():
    # Any other feasible point is farther in KL(q || p): compared with 20,000 random feasible points.
    rng = np.random.default_rng(0)
    asked, low, high = np.array([0.7, 0.2, 0.06, 0.04]), np.array([0.1, 0.1, 0.1, 0.0]), np.array([0.5, 1, 1, 1])
    best = project(asked[None], low, high, np.ones((1, 4), dtype=bool))[0]
    others = rng.dirichlet(np.ones(4), size=20_000)
    others = others[((others >= low) & (others <= high)).all(axis=1)]
    assert len(others) > 500

    def divergence(q):
        return (q * np.log(np.maximum(q, 1e-300) / asked)).sum(axis=-1)

    assert divergence(best) <= divergence(others).min() + 1e-12


def test_projection_by_hand():
    # Floors 0.1 for a; cap 0.5 for b: c takes the rest, 0.4.
    shares = project(np.array([[0.0, 0.8, 0.2]]), np.array([0.1, 0, 0]), np.array([1, 0.5, 1.0]), np.ones((1, 3), bool))
    np.testing.assert_allclose(shares, [[0.1, 0.5, 0.4]], atol=1e-15)


def test_tasks_that_nobody_asked_for_share_what_capped_ones_leave():
    shares = project(np.array([[0.0, 1.0, 0.0]]), np.zeros(3), np.array([1, 0.5, 1.0]), np.ones((1, 3), bool))
    np.testing.assert_allclose(shares, [[0.25, 0.5, 0.25]])


def test_caps_give_way_when_the_others_are_exhausted():
    shares = project(np.full((1, 3), 1 / 3), np.zeros(3), np.full(3, 0.4), np.array([[True, False, False]]))
    np.testing.assert_allclose(shares, [[1, 0, 0]])


def test_no_task_available_is_refused():
    with pytest.raises(ValueError, match="no task is available"):
        project(np.full((1, 3), 1 / 3), np.zeros(3), np.ones(3), np.zeros((1, 3), bool))


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        (Constraints(floor=0.4), r"floors and fixed shares sum to 1\.2, .* a 0\.4, b 0\.4, c 0\.4"),
        (Constraints(cap=0.3), r"caps and fixed shares sum to 0\.9"),
        (Constraints(floor={"a": 0.5}, cap={"a": 0.2}), r"task 'a' has the floor 0\.5 above its cap 0\.2"),
        (Constraints(fixed={"a": 0.7, "b": 0.6}), r"sum to 1\.3"),
        (Constraints(fixed={"a": 0.5}, exclude=("a",)), r"'a' is excluded, but its share is fixed to 0\.5"),
        (Constraints(floor={"a": 0.1}, exclude=("a",)), r"'a' is excluded, but its floor is 0\.1"),
    ],
)
def test_infeasible_constraints_are_refused_with_their_numbers(constraints, words):
    with pytest.raises(ConstraintError, match=words):
        constraints.bounds(TASKS)


def test_unknown_task_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="did you mean 'small'"):
        Constraints(floor={"smal": 0.1}).bounds([Task(name="small"), Task(name="large")])


@pytest.mark.parametrize(
    "bad", [{"floor": -0.1}, {"floor": 1.5}, {"cap": 0.0}, {"fixed": {"a": np.nan}}, {"max_epochs": 0}]
)
def test_numbers_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match="must be in"):
        Constraints(**bad)


def test_repetitions_need_sizes():
    with pytest.raises(ConstraintError, match="needs its size"):
        Constraints(max_epochs={"a": 2}).epochs([Task(name="a")])
