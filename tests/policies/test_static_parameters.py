"""Policies without feedback and wrappers refuse bad parameters and tasks, and say which."""

import pytest

from apportion.policies import (
    Blend,
    CostAware,
    Curriculum,
    Floor,
    Function,
    Hold,
    Mixture,
    Phases,
    PowerSchedule,
    Prior,
    Proportional,
    Stages,
    Temperature,
    Uniform,
    UniMax,
    WarmUp,
)
from apportion.records import Context, Task

TASKS = [Task(name="cola", size=8_551), Task(name="rte", size=2_490)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Temperature(temperature=0.0), r"`temperature` must be in \(0, inf\), got `temperature = 0.0`"),
        (lambda: Temperature(cap=0), "`cap`"),
        (lambda: Temperature(scale=-1.0), "`scale`"),
        (lambda: Temperature(temperature=float("nan")), "`temperature`"),
        (lambda: Temperature.from_exponent(0.0), "`exponent`"),
        (lambda: Mixture({"cola": -1.0, "rte": 2.0}), r"`shares\['cola'\]`"),
        (lambda: Mixture([0.0, 0.0]), "at least one task a share above 0"),
        (lambda: Mixture({}), "at least one task a share above 0"),
        (lambda: Mixture({}, default=0.0), "at least one task a share above 0"),
        (lambda: Mixture([float("inf"), 1.0]), r"`shares\[0\]`"),
        (lambda: PowerSchedule(start=11.0), "`start`"),
        (lambda: PowerSchedule(end=float("inf")), "`end`"),
        (lambda: PowerSchedule(levels=1), "`levels` must be at least 2"),
        (lambda: UniMax(max_epochs=0.0), "`max_epochs`"),
        (lambda: UniMax(examples_per_step={"cola": 0.0}), "`examples_per_step`"),
        (lambda: UniMax(cost_per_step=-1.0), "`cost_per_step`"),
        (lambda: UniMax(infeasible="ignore"), "`infeasible` must be one of"),
        (lambda: Stages([]), "at least one pair"),
        (lambda: Stages([(0.1, [1, 1])]), "must start at 0"),
        (lambda: Stages([(0, [1, 1]), (0.5, [1, 1]), (0.5, [1, 1])]), "increasing order, got a start at 0.5 after 0.5"),
        (lambda: Stages([(0, [1, 1]), (1.0, [1, 1])]), r"`stages\[1\]\[0\]` must be in \[0, 1\)"),
        (lambda: Stages([(0, [0, 0])]), "at least one task"),
        (lambda: Stages([(0, [1, 1])], unit="epochs"), "`unit`"),
        (lambda: Curriculum(kind="mixd"), "did you mean 'mixed'"),
        (lambda: Curriculum(order=("cola", "cola")), "every task once"),
        (lambda: Phases(switch=1.5), "`switch`"),
        (lambda: Phases(large=()), "`large` must name at least one task"),
        (lambda: Floor(Uniform(), floor=0.0), "`floor`"),
        (lambda: WarmUp(Uniform()), "exactly one of `steps` and `fraction`"),
        (lambda: WarmUp(Uniform(), steps=5, fraction=0.1), "exactly one of `steps` and `fraction`"),
        (lambda: WarmUp(Uniform(), steps=0), "`steps` must be at least 1"),
        (lambda: WarmUp(Uniform(), fraction=1.5), "`fraction`"),
        (lambda: Prior(Uniform(), shares=[1, 1]), "exactly one of `steps` and `fraction`"),
        (lambda: Prior(Uniform(), shares=[0, 0], steps=3), "at least one task"),
        (lambda: Blend(Uniform(), Uniform(), share=1.1), "`share`"),
        (lambda: CostAware(Uniform(), strength=-1.0), "`strength`"),
        (lambda: Hold(Uniform(), steps=0), "`steps` must be at least 1"),
    ],
)
def test_bad_parameters_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture("cola"), "numbers by task name or in task order"),
        (lambda: Mixture({"cola": "much"}), r"`shares\['cola'\]` must be a number"),
        (lambda: Function("progress"), "`function` must take progress and tasks"),
        (lambda: Hold(Uniform(), steps=2.5), "`steps` must be a whole number"),
    ],
)
def test_wrong_types_are_refused(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Mixture({"cola": 1, "rtee": 1}), "names the task 'rtee', which is not one of cola, rte; did you mean 'rte'"),
        (Mixture({"cola": 1}), "no share for the task 'rte'"),
        (Mixture([1, 2, 3]), "one share for each of the 2 tasks, got 3"),
        (Stages([(0, {"colla": 1})]), r"`stages\[0\]\[1\]` names the task 'colla'"),
        (Curriculum(order=("rte", "colla")), "`order` names the task 'colla'"),
        (Curriculum(order=("rte",)), "'cola' is missing"),
        (Phases(large=("mnli",)), "`large` names the task 'mnli'"),
        (UniMax(examples_per_step={"cola": 8, "mnli": 8}), "`examples_per_step` names the task 'mnli'"),
        (UniMax(cost_per_step={"cola": 8}), "'rte' is missing"),
        (WarmUp(Uniform(), steps=5, shares={"mnli": 1}), "`shares` names the task 'mnli'"),
        (Prior(Uniform(), shares={"mnli": 1}, steps=5), "`shares` names the task 'mnli'"),
        (Floor(Uniform(), floor=0.6), "`floor` must be at most 1 / 2 with 2 tasks, got 0.6"),
    ],
)
def test_tasks_that_do_not_fit_are_refused(policy, message):
    with pytest.raises(ValueError, match=message):
        policy.reset(TASKS)


@pytest.mark.parametrize("policy", [Proportional(), Temperature(), PowerSchedule(), UniMax(), Phases(Uniform())])
def test_a_task_without_a_size_is_named(policy):
    with pytest.raises(ValueError, match="needs the size of every task, got none for 'endless'"):
        policy.reset([*TASKS, Task(name="endless")])


@pytest.mark.parametrize(
    "policy",
    [Uniform(), Mixture([1, 1, 2]), Curriculum(), Phases(Uniform(), large=("cola",)), Stages([(0, [1, 1, 1])])],
)
def test_policies_that_need_no_sizes_work_without(policy):
    policy.reset([*TASKS, Task(name="endless")])
    assert policy.probabilities(Context.start(3)).sum() == pytest.approx(1.0)


def test_a_function_that_returns_nonsense_is_refused_when_asked():
    policy = Function(lambda progress, tasks: {"cola": 1.0 - 2 * progress, "rte": 0.5})
    policy.reset(TASKS)
    context = Context.start(2, budget=100.0)
    policy.probabilities(context)
    context.spent[:] = 75.0
    with pytest.raises(ValueError, match=r"`function\(0.75\)\['cola'\]` must be in"):
        policy.probabilities(context)
