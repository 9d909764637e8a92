import numpy as np
import pytest

from apportion import Constraints, Examples, Selector, Steps, Task
from apportion.plan import make_plan


def plan_of(tasks, policy="uniform", *, budget=Steps(300), constraints=None, **options):  # noqa: B008
    selector = Selector(tasks, policy, budget=budget, seed=0, constraints=constraints)
    names = selector.names
    given = {"batch_sizes": dict.fromkeys(names, 2.0), "costs": dict.fromkeys(names, 1.0), **options}
    return make_plan(selector, **given)


def test_a_plan_agrees_with_the_run(tasks):
    for policy in ("temperature(temperature=2)", "power_schedule", "uniform"):
        plan = plan_of(tasks, policy, budget=Steps(3000))
        selector = Selector(tasks, policy, budget=Steps(3000), seed=0, execution="smooth")
        while not selector.done:
            selector.tell(selector.ask(), examples=2)
        # The plan follows the shares in 200 pieces, the run draw by draw.
        np.testing.assert_allclose([task.decisions for task in plan.tasks], selector.counts, atol=12)
        assert plan.decisions == pytest.approx(3000)


def test_repetitions_and_tiny_shares_are_noted(tasks):
    plan = plan_of(tasks, "mixture(shares=(0.5, 0.499, 0.001))")
    assert plan.tasks[0].epochs == pytest.approx(300 * 0.5 * 2 / 10)
    assert plan.tasks[0].note == "its data repeat 30.0 times"
    assert "may never be drawn" in plan.tasks[2].note
    assert plan_of(tasks, constraints=Constraints(exclude=("small",))).tasks[0].note == "never drawn"


def test_limits_on_repetitions_are_planned(tasks):
    plan = plan_of(tasks, constraints=Constraints(max_epochs=1))
    assert plan.tasks[0].epochs <= 1.0 + 0.3  # within one piece of the plan
    assert plan.tasks[2].decisions > 200
    exhaustible = plan_of(tasks, exhaustible=True)
    assert exhaustible.tasks[0].epochs == plan.tasks[0].epochs


def test_costs_and_evaluations_are_planned(tasks):
    plan = plan_of(tasks, budget=Examples(600), costs={"small": 1.0, "middle": 2.0, "large": 3.0})
    assert plan.decisions == pytest.approx(300)
    charged = plan_of(tasks, evaluation_cost=5.0, evaluate_every=30.0)
    assert charged.evaluation_cost == 45.0  # at 0, 35, ... 280
    assert charged.decisions == pytest.approx(255)


def test_a_budget_below_one_evaluation_is_refused(tasks):
    with pytest.raises(ValueError, match="one evaluation costs 400 steps, the whole budget is 300"):
        plan_of(tasks, evaluation_cost=400.0, evaluate_every=100.0)


def test_unknown_sizes_give_no_epochs():
    plan = plan_of([Task(name="stream"), Task(name="set", size=100)])
    assert np.isnan(plan.tasks[0].epochs)
    assert plan.tasks[0].note == ""


def test_a_plan_draws_nothing(tasks):
    selector = Selector(tasks, "uniform", budget=Steps(50), seed=0)
    names = selector.names
    make_plan(selector, batch_sizes=dict.fromkeys(names, 1), costs=dict.fromkeys(names, 1))
    assert selector.step == 0
    assert selector.ask().task == Selector(tasks, "uniform", budget=Steps(50), seed=0).ask().task
