"""The held-out gain is spread without loss, and its regression finds out which task earned it."""

import numpy as np
import pytest

from apportion.budget import Steps
from apportion.policies import Uniform
from apportion.records import Evaluation, Task
from apportion.selector import Selector
from apportion.signals import HeldOutGain, PerCost, PerformanceGap, WindowedQuantiles

TASKS = [Task(name="a", priority=3.0), Task(name="b", priority=1.0), Task(name="help", priority=0.0)]


def evaluation(scores, **measured):
    scores = np.atleast_2d(np.array(scores, dtype=np.float64))
    return Evaluation(
        step=0,
        scores=scores,
        counts=np.zeros(scores.shape, dtype=np.int64),
        measured={name: np.atleast_2d(np.array(value, dtype=np.float64)) for name, value in measured.items()},
    )


def credited(signal, evaluations, chosen, costs=None):
    """The credits at the last of the evaluations, for these decisions since the one before."""
    signal.reset(TASKS)
    for item in evaluations[:-1]:
        signal.credit(item, np.zeros((1, 0), dtype=np.int64), np.zeros((1, 0)))
    costs = np.ones(len(chosen)) if costs is None else costs
    return signal.credit(evaluations[-1], np.array([chosen], dtype=np.int64), np.array([costs], dtype=np.float64))[0]


BEFORE = evaluation([0.5, 0.5, 0.5])


def test_the_gain_is_weighted_by_priority_and_spread_equally():
    # (3 * 0.2 + 1 * -0.2) / 4 = 0.1 over four decisions; the auxiliary task does not count.
    rewards = credited(HeldOutGain(), [BEFORE, evaluation([0.7, 0.3, 0.0])], [0, 1, 2, 2])
    assert rewards == pytest.approx([0.025] * 4)


def test_the_gain_is_spread_by_cost():
    rewards = credited(HeldOutGain(by="cost"), [BEFORE, evaluation([0.7, 0.3, 0.0])], [0, 1], costs=[3.0, 1.0])
    assert rewards == pytest.approx([0.075, 0.025])


def test_per_cost_of_a_gain_spread_by_cost_is_the_gain_per_unit():
    signal = PerCost(HeldOutGain(by="cost"))
    assert signal.is_deferred
    rewards = credited(signal, [BEFORE, evaluation([0.7, 0.3, 0.0])], [0, 1], costs=[3.0, 1.0])
    assert rewards == pytest.approx([0.025, 0.025])


def test_gains_can_be_decreases_of_the_held_out_loss():
    signal = HeldOutGain(of="loss")
    assert signal.requires == {"evaluations", "evaluation.loss"}
    before, after = (evaluation([0.0] * 3, loss=loss) for loss in ([2.0, 1.0, 9.0], [1.6, 1.4, 0.0]))
    assert credited(signal, [before, after], [0, 0]) == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    ("evaluations", "expected"),
    [
        ([BEFORE], np.nan),  # nothing to compare with
        ([BEFORE, evaluation([0.7, np.nan, 0.5])], 0.1),  # only what was measured twice
        ([evaluation([0.5, np.nan, 0.5]), evaluation([np.nan, 0.7, 0.5])], np.nan),
        ([BEFORE, evaluation([np.nan, 0.5, 0.5]), evaluation([0.7, np.nan, 0.5])], 0.1),  # against the last known
        ([BEFORE, evaluation([np.nan, np.nan, 0.9])], np.nan),  # an auxiliary task alone says nothing
    ],
)
def test_gaps_in_evaluations(evaluations, expected):
    assert credited(HeldOutGain(), evaluations, [0, 1]) == pytest.approx([expected] * 2, nan_ok=True)


def test_no_decisions_no_credits():
    assert credited(HeldOutGain(), [BEFORE, BEFORE], []).shape == (0,)
    assert credited(HeldOutGain(ridge=1.0), [BEFORE, BEFORE], []).shape == (0,)


def windows(signal, rates, n_windows, noise=0.0, seed=0, costs=(1.0, 1.0, 1.0)):
    """Credits per task in the last window of a world where a decision for task i adds rates_i to the objective."""
    generator = np.random.default_rng(seed)
    signal.reset(TASKS)
    objective, chosen, rewards = 0.0, np.zeros((1, 0), dtype=np.int64), None
    for _ in range(n_windows):
        measured = objective + noise * generator.normal()
        paid = np.array(costs)[chosen]
        rewards = signal.credit(evaluation([measured, measured, 0.0]), chosen, paid)
        last = chosen
        chosen = generator.choice(3, p=generator.dirichlet(np.ones(3)), size=(1, 20))
        chosen[0, :3] = [0, 1, 2]
        objective += np.array(rates)[chosen].sum()
    return np.array([rewards[0, last[0] == task].mean() for task in range(3)])


def test_regression_recovers_what_tasks_earn():
    """Without noise and with almost no penalty the world is linear, and the regression exact."""
    rates = [0.01, -0.002, 0.005]
    assert windows(HeldOutGain(ridge=1e-6, decay=1.0), rates, 30) == pytest.approx(rates, rel=1e-3)


def test_regression_per_cost():
    rates, costs = [0.01, -0.002, 0.005], (4.0, 1.0, 2.0)
    signal = PerCost(HeldOutGain(by="cost", ridge=1e-6, decay=1.0))
    assert windows(signal, rates, 30, costs=costs) == pytest.approx(np.array(rates) / costs, rel=1e-3)


def test_regression_ranks_tasks_that_spreading_cannot():
    """Noise as large as a window's gain, 2,000 windows: the rates lie some 8 standard errors (0.0006) apart, so a false
    alarm has a chance below 1e-6. Spreading gives all tasks of a window the same by construction."""
    rates = [0.01, 0.0, 0.005]
    found = windows(HeldOutGain(ridge=0.01, decay=1.0), rates, 2_000, noise=0.1)
    assert found.argsort().tolist() == [1, 2, 0]
    spread = windows(HeldOutGain(), rates, 200, noise=0.1)
    assert spread == pytest.approx([spread[0]] * 3)


def test_a_strong_penalty_gives_all_tasks_the_average():
    rates = [0.01, 0.0, 0.005]
    found = windows(HeldOutGain(ridge=1e9, decay=1.0), rates, 50)
    assert found == pytest.approx([found.mean()] * 3)
    assert found.mean() == pytest.approx(np.mean(rates), rel=0.2)


def test_bad_parameters_are_refused():
    with pytest.raises(ValueError, match="`of`"):
        HeldOutGain(of="accuracy")
    with pytest.raises(ValueError, match="`ridge`"):
        HeldOutGain(ridge=0.0)
    with pytest.raises(ValueError, match="`decay`"):
        HeldOutGain(decay=1.5)


def test_the_selector_credits_at_evaluations():
    seen = []

    class Recording(Uniform):
        def update(self, chosen, probabilities, reward):
            seen.append((int(chosen[0]), float(reward[0])))

    signal = WindowedQuantiles(HeldOutGain(), low=0.0, high=1.0)
    selector = Selector(TASKS, Recording(), signal, budget=Steps(100), seed=0)
    tasks = []
    for score in (0.5, 0.6, 0.8):
        selector.evaluate({"a": score, "b": score})
        for _ in range(4):
            decision = selector.ask()
            assert np.isnan(selector.tell(decision))
            tasks.append(decision.task)
    assert [task for task, _ in seen] == tasks[:8]
    # The first gain meets no history, four equal ones follow; the second is larger than all before it at first.
    assert [reward for _, reward in seen] == [0.0] * 4 + [1.0] * 4


def test_the_selector_needs_no_measurement_for_a_gap():
    selector = Selector(TASKS, Uniform(), PerformanceGap(reference=0.9), budget=Steps(10), seed=0)
    assert selector.requires == {"evaluations"}
    assert np.isnan(selector.tell(selector.ask()))
    selector.evaluate({"a": 0.5, "b": 0.5, "help": 0.5})
    assert selector.tell(selector.ask()) == pytest.approx(0.4)
