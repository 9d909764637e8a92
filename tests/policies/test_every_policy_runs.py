"""Every registered policy trains a real model and runs in a simulated world, by the name that commands know it by."""

import numpy as np
import pytest

from apportion.cli.train import default_config
from apportion.config import make_config
from apportion.launch import make_trainer
from apportion.policies import POLICIES, policies
from apportion.records import Task
from apportion.sim import LearningWorld, simulate
from apportion.tasksets import digits

DIGITS = ("negative", "digit", "rotated", "shuffled", "few", "noisy", "random", "angle")
SHARES = "shares=(4, 2, 1, 1, 1, 1, 1, 1)"
RUNS = "((1, 0, 0, 0, 0, 0, 0, 0), 0.3), ((0, 1, 1, 1, 1, 1, 1, 1), 0.5), ((1, 1, 1, 1, 1, 1, 1, 1), 0.6)"
SIGNAL = "windowed_quantiles(signal=prediction_gain, range='unit')"
WITH_PARAMETERS = {
    "achievability_band": "achievability_band(policy=uniform)",
    "admission_gate": "admission_gate(policy=exp3s)",
    "blend": "blend(policy=exp3s, other=uniform)",
    "cost_aware": "cost_aware(policy=exp3s)",
    "floor": "floor(policy=exp3s, floor=0.02)",
    "hold": "hold(policy=exp3s, steps=5)",
    "mixture": f"mixture({SHARES})",
    "mixture_regression": f"mixture_regression(runs=({RUNS}), kind='quadratic')",
    "prior": f"prior(policy=exp3s, {SHARES}, fraction=0.5)",
    "stage_gate": "stage_gate(policy=uniform, threshold=0.2)",
    "stages": f"stages(stages=((0, (1, 0, 0, 0, 0, 0, 0, 1)), (0.5, {SHARES.partition('=')[2]})))",
    "warm_up": "warm_up(policy=exp3s, fraction=0.3)",
}
VARIANTS = (
    "meta_rtl(feedback='evaluations')",
    "doremi(feedback='evaluations')",
    "group_dro(feedback='evaluations')",
)
# A function has no spelling as text: the test below gives it as a file.
SPECS = [WITH_PARAMETERS.get(cls.name, cls.name) for cls in POLICIES if cls.name != "function"] + list(VARIANTS)


def signal_for(spec):
    policy = policies.make(spec)
    return (policy.usual_signal or SIGNAL) if "reward" in policy.requires else None


@pytest.fixture(scope="module")
def taskset():
    return digits()


@pytest.mark.parametrize("spec", SPECS)
def test_trains_digits(spec, taskset):
    config = {
        **default_config("digits"),
        "taskset": {"name": "digits"},
        "policy": spec,
        "signal": signal_for(spec),
        "budget": {"amount": 60},
    }
    settings = {"training.evaluation_size": 8, "training.evaluate_every": 25}
    trainer = make_trainer(make_config(config, settings), taskset=taskset)
    result = trainer.run()
    assert result.steps >= 12
    assert result.spent <= 60 + 3  # the last decision may pass the end, with what it measures
    assert np.isfinite(result.objective)


@pytest.mark.parametrize("spec", SPECS)
def test_runs_in_a_world(spec):
    tasks = [Task(name=name, size=10 * index + 5) for index, name in enumerate(DIGITS)]
    world = LearningWorld(tasks=tasks, budget=60, scale=np.arange(3.0, 11.0), evaluations=8)
    result = simulate(world, spec, signal_for(spec), n_runs=3, seed=0)
    assert np.isfinite(result.final).all()
    assert np.isfinite(result.shares).all()


def test_a_user_s_file_gives_a_function_and_needs_no_package(tmp_path, taskset):
    """The policy `function` takes a Python function, so a file names it, for training and for worlds alike."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\n"
        "from typing import Any\n"
        "from apportion.policies.function import Function, large_first\n\n"
        "@dataclass(kw_only=True)\n"
        "class LargeFirst(Function):\n"
        "    function: Any = large_first\n"
    )
    config = {**default_config("digits"), "taskset": {"name": "digits"}, "policy": f"{file}:LargeFirst"}
    trainer = make_trainer(make_config(config, {"budget.amount": 20, "training.evaluation_size": 8}), taskset=taskset)
    assert trainer.run().steps == 20
    tasks = [Task(name="a", size=1), Task(name="b", size=1_000_000)]
    result = simulate(LearningWorld(tasks=tasks, budget=20, scale=5.0), f"{file}:LargeFirst", n_runs=5, seed=0)
    assert result.shares[0, 1] > 0.9


def test_a_policy_that_needs_parameters_says_which():
    for name in WITH_PARAMETERS:
        with pytest.raises(ValueError, match=rf"'{name}' does not work without parameters: write `{name}\("):
            policies.make(name)
    with pytest.raises(ValueError, match=r"write `blend\(other=\.\.\.\)`"):
        policies.make("blend(policy=uniform)")
