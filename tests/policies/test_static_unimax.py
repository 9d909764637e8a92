"""UniMax keeps its limits, is uniform where it can be, and refuses budgets that it cannot spend."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apportion.errors import ConstraintError
from apportion.policies import UniMax
from apportion.policies.unimax import water_level
from apportion.records import Context, Task

SIZES = st.lists(st.integers(1, 10**6), min_size=1, max_size=8)


def asked(policy, sizes, budget):
    policy.reset([Task(name=f"task {index}", size=size) for index, size in enumerate(sizes)])
    return policy.probabilities(Context.start(len(sizes), budget=budget))[0]


def test_an_infeasible_budget_is_refused_with_the_numbers():
    policy = UniMax(max_epochs=2, examples_per_step=10, cost_per_step=1)
    with pytest.raises(ConstraintError) as caught:
        asked(policy, [100, 400], budget=250.0)
    # 2 epochs of 500 examples are 100 batches of 10; 250 batches are 5 epochs.
    text = str(caught.value)
    assert "at most 2 epochs of every task use up 100 of the budget of 250" in text
    assert "raise `max_epochs` to 5 " in text
    assert asked(UniMax(max_epochs=5, examples_per_step=10, cost_per_step=1), [100, 400], 250.0) == pytest.approx(
        [0.2, 0.8]
    )


def test_an_infeasible_budget_can_be_accepted():
    policy = UniMax(max_epochs=2, examples_per_step=10, cost_per_step=1, infeasible="proportional")
    assert asked(policy, [100, 400], budget=250.0) == pytest.approx([0.2, 0.8])


@settings(max_examples=200, deadline=None)
@given(sizes=SIZES, epochs=st.floats(0.1, 10.0), part=st.floats(0.01, 1.0))
def test_limits_hold_and_who_is_below_its_limit_gets_the_most(sizes, epochs, part):
    budget = part * epochs * sum(sizes)
    shares = asked(UniMax(max_epochs=epochs, examples_per_step=1, cost_per_step=1), sizes, budget)
    passes = shares * budget / np.array(sizes)
    assert shares.sum() == pytest.approx(1.0)
    assert (passes <= epochs * (1 + 1e-9)).all()
    below = passes < epochs * (1 - 1e-6)
    assert shares[below] == pytest.approx(np.full(below.sum(), shares.max()))


@settings(max_examples=200, deadline=None)
# Half of the smallest number there is cannot be given to anyone.
@given(limits=st.lists(st.floats(0.0, 1e9, allow_subnormal=False), min_size=1, max_size=8), part=st.floats(0.0, 1.0))
def test_water_level_agrees_with_the_loop_of_the_paper(limits, part):
    budget = part * sum(limits)
    expected, left = np.zeros(len(limits)), budget
    for place, index in enumerate(np.argsort(limits, kind="stable")):
        expected[index] = min(left / (len(limits) - place), limits[index])
        left -= expected[index]
    assert water_level(np.array([limits]), budget)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9 * sum(limits))


def test_usage_is_learned_from_the_run():
    """Batches of 32 in a budget of steps: what was not told is known after the first decision."""
    policy = UniMax(max_epochs=1)
    policy.reset([Task(name="small", size=320), Task(name="large", size=10**6)])
    context = Context.start(2, budget=100.0)
    assert policy.probabilities(context)[0] == pytest.approx([0.5, 0.5])  # 320 batches of 1 would be no limit
    context.counts[0, 0], context.examples[0, 0], context.costs[0, 0] = 1, 32.0, 1.0
    assert policy.probabilities(context)[0] == pytest.approx([0.1, 0.9])  # 10 batches of 32 are
