import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from apportion.budget import Seconds, Steps
from apportion.log import read_log
from apportion.run import RunDirectory
from apportion.tasksets import digits
from apportion.training import Callback, Settings, TaskSource, TrainResult, train
from apportion.training.updates import rate_factor
from training.workloads import dropping_encoder, part, small, trainer


def weights(made):
    return torch.cat([value.reshape(-1) for value in made.model.state_dict().values()])


@pytest.mark.parametrize("settings", [Settings(), Settings(accumulate=3, clip=0.1, warmup=0.2, prefetch=2)])
def test_the_same_arguments_give_the_same_run(settings):
    taskset = small(encoder=dropping_encoder)
    first, second = trainer(taskset, settings=settings), trainer(taskset, settings=settings)
    results = [first.run(), second.run()]
    assert torch.equal(weights(first), weights(second))
    assert results[0].scores == results[1].scores
    other = trainer(taskset, settings=settings, seed=1)
    other.run()
    assert not torch.equal(weights(first), weights(other))


def test_a_run_leaves_the_state_of_torch_alone():
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    trainer(small(encoder=dropping_encoder), settings=Settings(threads=threads + 1)).run()
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_num_threads() == threads


def test_it_learns():
    """The tasks can be solved: 400 batches of digits reach what chance reaches in one of 10^9 worlds."""
    taskset = digits()
    result = train(
        taskset,
        policy="uniform",
        budget=Steps(400),
        seed=0,
        when_exhausted="cycle",
        settings=Settings(threads=1, evaluate_every=200),
    )
    assert result.scores["negative"] > 0.95
    assert result.scores["digit"] > 0.8
    assert result.scores["angle"] > 0.7
    assert result.scores["random"] < 0.2
    assert result.objective == pytest.approx(np.mean(list(result.scores.values())))
    assert sum(result.counts.values()) == result.steps == result.updates == 400
    assert [item.step for item in result.evaluations] == [0, 200]


def test_accumulated_batches_make_one_update():
    result = trainer(budget=Steps(10), settings=Settings(accumulate=4)).run()
    assert (result.steps, result.updates) == (10, 3)


def test_every_setting_trains():
    for settings in (
        Settings(schedule="constant"),
        Settings(schedule="cosine", warmup=0.5),
        Settings(clip=1.0, batch_size=3),
        Settings(precision="bf16"),
        Settings(device="cpu", deterministic=False),
    ):
        result = trainer(settings=settings).run()
        assert math.isfinite(result.objective), settings


def test_an_optimizer_of_the_user():
    made = trainer(optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.5, momentum=0.9))
    made.run()
    assert isinstance(made.optimizer, torch.optim.SGD)
    assert made.optimizer.param_groups[0]["lr"] < 0.5


@pytest.mark.parametrize(
    ("options", "progress", "factor"),
    [
        ({"schedule": "constant"}, 0.7, 1.0),
        ({"schedule": "linear"}, 0.25, 0.75),
        ({"schedule": "linear"}, 1.5, 0.0),
        ({"schedule": "cosine"}, 0.5, 0.5),
        ({"schedule": "constant", "warmup": 0.5}, 0.249, 0.5),
        ({"schedule": "linear", "warmup": 0.5}, 0.75, 0.5),
    ],
)
def test_learning_rates(options, progress, factor):
    assert rate_factor(Settings(**options), progress) == pytest.approx(factor)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_and_harms_nothing(tmp_path, value):
    taskset = small()
    second_batch = TaskSource("b", taskset["b"].train, batch_size=8, seed=0).order(0)[8:]
    taskset["b"].train.inputs[second_batch[0]] = value
    run = RunDirectory.create(tmp_path / "run", config="")
    made = trainer(taskset, run=run, checkpoint_every=1, policy="round_robin")
    with pytest.raises(
        FloatingPointError, match=r"`loss` of task 'b' at step \d+ is (nan|inf): lower the learning rate"
    ):
        made.run()
    log = read_log(run.log_path)
    assert np.isfinite(log.measured["loss"][np.array(log.status) == "told"]).all()
    assert torch.isfinite(weights(made)).all()
    again = trainer(taskset, run=run, checkpoint_every=1, policy="round_robin")
    again.resume()
    with pytest.raises(FloatingPointError, match="'b'"):
        again.run()


def test_a_held_out_loss_that_is_not_finite_names_the_task():
    taskset = small()
    taskset["c.d"].validation[""].inputs[:] = math.nan
    with pytest.raises(FloatingPointError, match=r"held-out loss of task 'c.d' is nan"):
        trainer(taskset).run()


def test_callbacks_hear_everything(tmp_path):
    class Hearing(Callback):
        def __init__(self):
            self.heard = []

        def started(self, trainer):
            self.heard.append("started")

        def stepped(self, trainer, item, loss, reward):
            assert math.isfinite(loss)
            assert math.isnan(reward)
            self.heard.append(item.decision.step)

        def evaluated(self, trainer, result):
            self.heard.append("evaluated")

        def saved(self, trainer, folder):
            self.heard.append(folder.name)

        def finished(self, trainer, result):
            assert isinstance(result, TrainResult)
            self.heard.append("finished")

    hearing = Hearing()
    run = RunDirectory.create(tmp_path / "run", config="")
    trainer(
        budget=Steps(4), run=run, checkpoint_every=2, settings=Settings(evaluate_every=3), callbacks=[hearing]
    ).run()
    assert hearing.heard == ["started", "evaluated", 0, 1, "00000002", 2, "evaluated", 3, "00000004", "finished"]


def test_the_result_is_data(tmp_path):
    data = json.loads(json.dumps(trainer().run().to_dict(), allow_nan=False))
    assert set(data["tasks"]) == {"a", "b", "c.d"}
    assert data["checksums"] == small().checksums


def test_plan_says_what_will_happen():
    plan = trainer(budget=Steps(60)).plan()
    assert [task.decisions for task in plan.tasks] == pytest.approx([20, 20, 20])
    # 20 batches of 8 out of 13 examples.
    assert plan.tasks[1].epochs == pytest.approx(20 * 8 / 13)
    assert trainer(budget=Seconds(5)).plan().decisions == pytest.approx(5)


def test_exhaustion_rules_reach_the_loader():
    result = trainer(budget=Steps(1000), when_exhausted="first_exhausted").run()
    # The smallest task has 13 examples: two batches of 8.
    assert result.counts["b"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "steps"}, "must be one of constant, cosine, linear"),
        ({"warmup": 1.0}, r"`warmup` must be in \[0, 1\)"),
        ({"learning_rate": 0.0}, "`learning_rate` must be in"),
        ({"accumulate": 0}, "`accumulate` must be at least 1"),
        ({"gradient_batches": 1}, "must be at least 2"),
        ({"evaluation_size": -1}, "must be at least 0"),
        ({"threads": 0}, "must be at least 1"),
        ({"precision": "fp8"}, "must be one of auto, bf16, fp32"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)


def test_saving_needs_a_run_directory():
    with pytest.raises(ValueError, match="a checkpoint needs a run directory"):
        trainer().save()
    with pytest.raises(ValueError, match="resuming needs a run directory"):
        trainer().resume()


def test_several_held_out_sets_count_alike():
    """As for MNLI: the score is the mean over matched and mismatched sets, and both are reported."""
    base = part("a")
    taskset = small(parts=(part("a", validation={"matched": base.validation[""], "mismatched": base.train}),))
    result = trainer(taskset).run()
    found = result.tasks["a"]
    assert set(found.metrics) == {"matched/accuracy", "mismatched/accuracy"}
    assert found.score == pytest.approx(sum(found.metrics.values()) / 2)


def test_settings_and_callbacks_need_no_torch():
    """Commands read configurations without it."""
    code = (
        "import sys; import apportion.training; from apportion.training import Callback, Settings, metric; "
        "print('torch' in sys.modules, hasattr(apportion.training, 'nothing'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False False", done.stderr
