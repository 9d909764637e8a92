"""Runs that stop and go on must be the runs that never stopped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from apportion.budget import Steps
from apportion.errors import CheckpointError, FingerprintError
from apportion.log import read_log
from apportion.run import RunDirectory
from apportion.training import Callback, Settings, load_model
from training.workloads import dropping_encoder, part, small, trainer


class StoppedError(Exception):
    pass


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def stepped(self, trainer, item, loss, reward):
        if item.decision.step == self.step:
            raise StoppedError


def started(path):
    return RunDirectory.create(path, config="")


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (Settings(), {}),
        (Settings(workers=2, prefetch=3), {"when_exhausted": "renormalize", "budget": Steps(9)}),
        (Settings(accumulate=2, clip=0.5, prefetch=1), {"policy": "exp3s", "signal": "prediction_gain"}),
        (Settings(evaluate_every=3), {"policy": "exp3s", "signal": "gradient_alignment"}),
        (Settings(evaluate_every=3, evaluation_size=8), {"policy": "pike", "budget": Steps(90)}),
        (Settings(), {"optimizer": lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9)}),
        (Settings(), {"optimizer": lambda weights: torch.optim.AdamW(weights, lr=0.1)}),
    ],
    ids=["plain", "workers", "accumulate", "alignment", "pike", "sgd", "unfused"],
)
def test_a_stopped_run_goes_on_to_the_last_bit(tmp_path, settings, options):
    def make(run, **more):
        return trainer(
            small(encoder=dropping_encoder), settings=settings, run=run, checkpoint_every=3, seed=4, **options, **more
        )

    whole = started(tmp_path / "whole")
    first = make(whole)
    result = first.run()
    run = started(tmp_path / "run")
    with pytest.raises(StoppedError):
        make(run, callbacks=[StopAt(7)]).run()
    torch.manual_seed(99)  # whatever the process did meanwhile
    second = make(run)
    second.resume()
    resumed = second.run()
    assert run.log_path.read_bytes() == whole.log_path.read_bytes()
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other)
    expected, found = result.to_dict(), resumed.to_dict()
    assert {**found, "seconds": 0} == {**expected, "seconds": 0}


def test_killed_at_twenty_random_moments(tmp_path):
    """SIGKILL, resume, and so on: decisions, log, scores and weights are those of the run that was never killed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).with_name("killed.py")), str(tmp_path), "20"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kills"] == 20


def stopped(tmp_path, **options):
    run = started(tmp_path / "run")
    with pytest.raises(StoppedError):
        trainer(run=run, checkpoint_every=3, callbacks=[StopAt(7)], **options).run()
    return run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"taskset": small().select(["a", "b"])}, "tasks"),
        ({"taskset": small(parts=(part("a", n=41), *small().parts[1:]))}, r"data of a differ|tasks"),
        ({"policy": "proportional"}, "policy"),
        ({"signal": "loss"}, "signal"),
        ({"seed": 3}, "seed"),
        ({"budget": Steps(25)}, "budget"),
        ({"taskset": small(parts=(part("a", seed=77), *small().parts[1:]))}, "the data of a differ"),
    ],
)
def test_another_run_is_refused_and_says_what_changed(tmp_path, options, message):
    run = stopped(tmp_path)
    before = run.log_path.read_bytes()
    with pytest.raises(FingerprintError, match=message):
        trainer(run=run, **options).resume()
    assert run.log_path.read_bytes() == before


def test_a_migration_adds_and_removes_tasks(tmp_path):
    run = stopped(tmp_path)
    parts = small().parts
    new = trainer(small(parts=(part("new", seed=5), parts[2], parts[0])), run=run, policy="proportional")
    fresh = new.model.heads["task:new"].weight.clone()
    old = trainer(run=RunDirectory.open(run.path))
    old.resume()
    old.loader.close()
    new.resume(migrate=True)
    assert torch.equal(new.model.heads["task:new"].weight, fresh)
    for name, value in old.model.state_dict().items():
        if "task:b" not in name:
            assert torch.equal(new.model.state_dict()[name], value)
    weight = new.model.heads["task:a"].weight
    assert torch.equal(
        new.optimizer.state[weight]["exp_avg"], old.optimizer.state[old.model.heads["task:a"].weight]["exp_avg"]
    )
    result = new.run()
    assert set(result.counts) == {"new", "c.d", "a"}
    assert any(event["event"] == "migrated" for event in read_log(run.log_path).events)


@pytest.mark.parametrize("name", ["state.json", "tensors.safetensors"])
def test_a_damaged_checkpoint_is_refused(tmp_path, name):
    run = stopped(tmp_path)
    file = run.checkpoints[-1] / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    log = run.log_path.read_bytes()
    with pytest.raises(CheckpointError, match="damaged"):
        trainer(run=run).resume()
    assert run.log_path.read_bytes() == log
    # The one before is whole.
    made = trainer(run=run, checkpoint_every=3)
    made.resume(run.checkpoints[-2])
    assert made.run().steps == 24


def test_a_state_without_its_parts_is_refused():
    made = trainer()
    tensors, state = made.state()
    del state["optimizer"]
    with pytest.raises(CheckpointError, match="optimizer"):
        trainer().load_state(tensors, state)
    with pytest.raises(CheckpointError, match="another model"):
        trainer().load_state({}, made.state()[1])
    tensors["model/encoder.0.weight"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match=r"has the shape \(1,\), not \(8, 6\)"):
        trainer().load_state(tensors, made.state()[1])


def test_the_model_of_a_checkpoint_can_be_used(tmp_path):
    run = started(tmp_path / "run")
    made = trainer(run=run, checkpoint_every=24)
    made.run()
    model = load_model(small(), run.checkpoints[-1])
    inputs = small()["a"].train.inputs
    assert torch.equal(model(0, inputs), made.model.eval()(0, inputs))
    with pytest.raises(CheckpointError, match="another model"):
        load_model(small().select(["a", "b"]), run.checkpoints[-1])


def test_checkpoints_hold_no_code(tmp_path):
    run = stopped(tmp_path)
    names = {file.name for file in run.checkpoints[-1].iterdir()}
    assert names == {"state.json", "tensors.safetensors", "manifest.json"}
