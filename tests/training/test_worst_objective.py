"""The worst task as objective, by one word in a configuration."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from apportion.cli import app
from apportion.config import make_config
from apportion.forecast import MeanScore, WorstScore
from apportion.launch import aimed, signal_of
from apportion.policies import Planner, policies
from apportion.records import Evaluation, Task
from apportion.signals import HeldOutGain, Worth
from apportion.signals._worth import SOFTNESS, lowest


def test_everything_that_can_be_told_is_told():
    config = make_config(
        {"seed": 0, "when_exhausted": "cycle", "budget": {"amount": 1}, "taskset": {"name": "digits"}},
        {"objective": "worst", "policy": "counterfactual"},
    )
    assert signal_of(config, policies.make("counterfactual")) == Worth(objective="worst")
    wrapped = policies.make("floor(policy=planner)")
    assert next(aimed(wrapped, "worst").parts()) == Planner(objective=WorstScore())
    assert aimed(wrapped, "mean") == wrapped
    assert next(wrapped.parts()) == Planner(objective=MeanScore())
    own = Planner(objective=WorstScore(softness=0.1))
    assert aimed(own, "worst") == own
    with pytest.raises(ValueError, match="objective"):
        make_config(config.model_dump(exclude_none=True), {"objective": "median"})


def test_the_lowest_level_by_hand():
    levels = np.array([[0.2, 0.2 + SOFTNESS * np.log(3.0), 0.0]])
    value, slope = lowest(levels, np.array([True, True, False]))
    # weights 1 and 1/3: derivatives 3/4 and 1/4, and 0.2 - s ln((4/3) / 2)
    assert slope[0] == pytest.approx([0.75, 0.25, 0.0])
    assert value[0] == pytest.approx(0.2 - SOFTNESS * np.log(2.0 / 3.0))


def test_rewards_are_for_the_task_furthest_behind():
    tasks = [Task(name="ahead"), Task(name="behind"), Task(name="aside", priority=0.0)]
    signal = Worth(objective="worst", others=False)
    signal.reset(tasks, 1)
    for n in range(60):
        ahead, behind = (
            signal.reward(np.array([task]), {"success": np.array([level]), "loss": np.array([1.0])})[0]
            for task, level in ((0, 0.6 + 0.004 * n), (1, 0.1 + 0.004 * n))
        )
    assert behind > 100 * abs(ahead)
    gain = HeldOutGain(objective="worst")
    gain.reset(tasks, 1)
    counts = np.zeros((1, 3), dtype=int)
    for step, scores in ((0, [0.5, 0.3, 0.0]), (2, [0.9, 0.35, 0.1])):
        evaluation = Evaluation(step=step, scores=np.array([scores]), counts=counts)
        found = gain.credit(evaluation, np.zeros((1, step), dtype=int), np.ones((1, step)))
    assert found[0] == pytest.approx([0.025, 0.025])


def test_the_command_states_the_worst_score(tmp_path):
    words = ["train", "digits", "--budget", "20", "--objective", "worst", "--set", "training.evaluation_size=8"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "run"), "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["objective"] == min(item["score"] for item in summary["tasks"].values())
