"""Wrappers let the policy inside learn from everything, once, and only from the runs that were told."""

import numpy as np
import pytest

from apportion.policies import Blend, CostAware, Floor, Hold, Phases, Prior, Uniform, WarmUp
from apportion.records import Context, Evaluation, Task
from apportion.testing import check_policy
from policies.golden_wrappers import Follow

TASKS = [Task(name=name, size=100) for name in "abc"]


def wrapped(policy):
    """Every wrapper around a policy that learns."""
    return [
        Floor(policy, floor=0.05),
        WarmUp(policy, steps=3),
        Prior(policy, shares={"a": 1}, fraction=0.2),
        Blend(policy, Uniform()),
        Blend(Uniform(), policy),
        CostAware(policy),
        Hold(policy, steps=1),
        Phases(policy),
        Floor(WarmUp(Hold(policy, steps=1), steps=2), floor=0.01),
    ]


@pytest.mark.parametrize("policy", [*wrapped(Follow()), Hold(Follow(), steps=4)], ids=repr)
def test_promises_hold_around_a_policy_that_learns(policy):
    check_policy(policy, updates=200)


def inner(policy):
    while not isinstance(policy, Follow):
        policy = next(part for part in policy.parts() if not isinstance(part, Uniform))
    return policy


@pytest.mark.parametrize("policy", wrapped(Follow()), ids=repr)
def test_the_policy_inside_learns_what_was_told_and_nothing_else(policy):
    policy.reset(TASKS, 2)
    chosen, probabilities = np.array([0, 1]), np.full((2, 3), 1 / 3)
    policy.update(chosen, probabilities, np.array([1.0, 2.0]))
    policy.update_rows(np.array([False, True]), chosen, probabilities, np.array([np.nan, 4.0]))
    np.testing.assert_array_equal(inner(policy).sums_, [[1.0, 0.0, 0.0], [0.0, 6.0, 0.0]])


def test_requirements_come_from_inside():
    assert Floor(Hold(Follow(), steps=2)).requires == {"reward"}
    assert Floor(Uniform()).requires == set()


def test_hold_releases_blocks_per_run_and_in_order():
    seen = []

    class Recording(Follow):
        def update_rows(self, rows, chosen, probabilities, reward):
            seen.append((rows.tolist(), chosen[rows].tolist(), reward[rows].tolist(), probabilities[rows, 0].tolist()))

    policy = Hold(Recording(), steps=2)
    policy.reset(TASKS, 2)
    for step, rows in enumerate([(True, True), (False, True), (True, False)]):
        given = np.array([[0.1 * (step + 1), 0.5, 0.4 - 0.1 * step], [0.2, 0.4, 0.4]])
        policy.update_rows(np.array(rows), np.array([step, 2 - step]), given, np.array([step, 10.0 + step]))
    assert seen == [
        ([False, True], [2], [10.0], [0.2]),
        ([False, True], [1], [11.0], [0.2]),
        ([True, False], [0], [0.0], [0.1]),
        ([True, False], [2], [2.0], [pytest.approx(0.3)]),
    ]


def test_an_evaluation_ends_the_block():
    order = []

    class Recording(Follow):
        def update(self, chosen, probabilities, reward):
            order.append(float(reward[0]))

        def observe(self, evaluation):
            order.append("evaluation")

    policy = Hold(Recording(), steps=3)
    policy.reset(TASKS, 1)
    policy.update(np.array([0]), np.full((1, 3), 1 / 3), np.array([1.0]))
    policy.observe(Evaluation(step=1, scores=np.zeros((1, 3)), counts=np.zeros((1, 3), dtype=np.int64)))
    for reward in (2.0, 3.0, 4.0):
        policy.update(np.array([0]), np.full((1, 3), 1 / 3), np.array([reward]))
    assert order == [1.0, "evaluation", 2.0, 3.0, 4.0]


def test_cost_aware_equalises_what_is_spent():
    """Uniform shares of the budget under costs of 1 and 9: 0.9 of the decisions go to the cheap task."""
    policy = CostAware(Uniform())
    policy.reset(TASKS[:2])
    context = Context.start(2)
    generator = np.random.default_rng(0)
    for _ in range(4_000):
        task = int(generator.uniform() > policy.probabilities(context)[0, 0])
        context.counts[0, task] += 1
        context.costs[0, task] += (1.0, 9.0)[task]
    share = context.costs[0, 1] / context.costs.sum()
    # The number of expensive draws is about binomial(4000, 0.1), 5 deviations are 95 of 400: false alarm below 1e-6.
    assert abs(share - 0.5) < 0.08
