"""Every policy that the package ships keeps the promises of `check_policy`."""

import doctest
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apportion.policies import POLICIES, Policy
from apportion.testing import check_policy
from apportion.testing._policy import check_valid
from apportion.testing._script import TASKS, play, script, start

INSTANCES = [instance for cls in POLICIES for instance in cls.examples()]
RESUME = Path(__file__).with_name("resume_in_another_process.py")


def label(policy):
    """The same in every process: where a function lies in memory is left out."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(policy))


@pytest.mark.parametrize("policy", INSTANCES, ids=label)
def test_policy_keeps_its_promises(policy):
    check_policy(policy)


@pytest.mark.parametrize("policy", INSTANCES, ids=label)
def test_a_run_without_a_task_to_draw_gets_probabilities_and_leaves_the_others_alone(policy):
    policy = policy.clone()
    policy.reset(TASKS, 2)
    events = script(policy, n_steps=30, n_runs=2, n_tasks=len(TASKS))
    context = start(events)
    play(policy, events, context)
    context.available = np.ones((2, len(TASKS)), dtype=bool)
    whole = policy.probabilities(context)
    context.available[0] = False
    check_valid(policy.probabilities(context), 2, len(TASKS))
    np.testing.assert_allclose(policy.probabilities(context)[1], whole[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("cls", POLICIES, ids=lambda cls: cls.name)
def test_examples_in_the_docstring_run(cls):
    assert doctest.testmod(sys.modules[cls.__module__]).failed == 0


@pytest.mark.parametrize("cls", POLICIES, ids=lambda cls: cls.name)
def test_policy_describes_itself(cls):
    assert cls.source, "the list of policies shows where the formula comes from"
    assert cls.complexity, "the list of policies shows the cost of a step"
    assert cls.__doc__
    assert list(cls.examples()), "without an example nothing is checked"


def test_every_file_of_a_policy_is_exported():
    folder = Path(sys.modules[Policy.__module__].__file__).parent
    modules = {path.stem for path in folder.glob("[a-z]*.py")}
    assert modules == {cls.__module__.rpartition(".")[2] for cls in POLICIES}


def test_every_policy_resumes_in_another_process(tmp_path):
    states, expected = [], []
    for policy in INSTANCES:
        policy.reset(TASKS, 2)
        events = script(policy, n_steps=40, n_runs=2, n_tasks=len(TASKS))
        context = start(events)
        play(policy, events, context, 25)
        states.append(policy.state_dict())
        expected.append([answer.tobytes().hex() for answer in play(policy, events, context)])
    saved = tmp_path / "states.json"
    saved.write_text(json.dumps(states))
    command = [sys.executable, str(RESUME), str(saved), "25"]
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    answers = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    for policy, wanted, got in zip(INSTANCES, expected, answers, strict=True):
        assert got == wanted, policy
