"""What the trainer measures, against a loop written out by hand."""

import copy
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from apportion.budget import Examples, Seconds, Steps, Tokens
from apportion.log import read_log
from apportion.policies import Mixture, Policy
from apportion.signals import Signal
from apportion.signals._base import MEASUREMENTS
from apportion.training import Callback, Settings, TaskSource, make_model
from apportion.training.held_out import subsample
from apportion.training.probes import MEASURABLE
from training.workloads import dropping_encoder, part, small, trainer


def asks(*names):
    """A signal that asks for these measurements and keeps what it was told."""

    @dataclass(kw_only=True)
    class Asking(Signal):
        name = "asking"
        needs = frozenset(names)

        def reset(self, tasks, n_runs=1):
            self.told = []

        def reward(self, chosen, measured):
            self.told.append((int(chosen[0]), {key: float(value[0]) for key, value in measured.items()}))
            return np.zeros(1)

    return Asking()


def observes(*names):
    """A policy that asks for these held-out measurements and keeps what it was told."""

    @dataclass(kw_only=True)
    class Observing(Policy):
        name = "observing"
        needs = frozenset(names)

        def reset(self, tasks, n_runs=1):
            self.n, self.seen = len(tasks), []

        def probabilities(self, context):
            return np.full((1, self.n), 1 / self.n)

        def observe(self, evaluation):
            self.seen.append(evaluation)

    return Observing()


def run(names, *, taskset=None, **options):
    signal = asks(*names)
    made = trainer(taskset, signal=signal, **options)
    result = made.run()
    return made, result, signal.told


def vector(model, loss, weights):
    found = torch.autograd.grad(loss, weights, allow_unused=True, retain_graph=True)
    return torch.cat(
        [torch.zeros_like(w).reshape(-1) if g is None else g.reshape(-1) for w, g in zip(weights, found, strict=False)]
    )


def endless(part_):
    source = TaskSource(part_.name, part_.train, batch_size=8, seed=0)
    for epoch in range(100):
        yield from source.batches(epoch, 0)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_every_batch_gets_its_own_loss_norm_and_gain(accumulate):
    """Written out: the same batches, the same optimizer, measured one by one; the last group is not full."""
    taskset = small()
    _, result, told = run(
        ["loss", "loss_after", "gradient_norm", "success"],
        budget=Steps(7 * 4 / 3),
        settings=Settings(accumulate=accumulate, schedule="constant", evaluate_every=1e9),
    )
    assert len(told) == result.steps
    assert result.steps % accumulate == (result.steps == 8) * 2
    model = make_model(taskset, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01)
    flows = [endless(part_) for part_ in taskset.parts]
    expected = []
    groups = [told[start : start + accumulate] for start in range(0, len(told), accumulate)]
    for group in groups:
        batches = [(task, next(flows[task])) for task, _ in group]

        def loss_of(task, batch):
            return taskset.parts[task].head.losses(model(task, batch.inputs), batch.labels).mean()

        total, found = 0, []
        for task, batch in batches:
            loss = loss_of(task, batch)
            weights = [*model.encoder.parameters(), *model._heads[task].parameters()]
            total = total + loss / len(batches)
            outputs = model(task, batch.inputs)
            if task < 2:
                right = outputs.argmax(1) == batch.labels
            else:
                right = (outputs[:, 0] - (batch.labels - 1) / 3).abs() <= 0.5
            norm = vector(model, loss, weights).square().sum().item()
            found.append({"loss": loss.item(), "gradient_norm": norm, "success": right.float().mean().item()})
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        for values, (task, batch) in zip(found, batches, strict=True):
            values["loss_after"] = loss_of(task, batch).item()
        expected += found
    for (_, values), wanted in zip(told, expected, strict=True):
        for name, value in wanted.items():
            assert values[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
        assert values["cost"] == pytest.approx(4 / 3)


def test_losses_before_and_after_differ_by_the_update_alone():
    """Dropout draws the same numbers before and after: without an update the losses are equal to the last bit."""
    names = [
        "loss",
        "loss_after",
        "self_before",
        "self_after",
        "target_before",
        "target_after",
        "mean_before",
        "mean_after",
    ]
    taskset = small(encoder=dropping_encoder)
    _, _, told = run(names, taskset=taskset, settings=Settings(learning_rate=1e-30, weight_decay=0.0, accumulate=2))
    for _, values in told:
        assert values["loss"] == values["loss_after"]
        for kind in ("self", "target", "mean"):
            assert values[f"{kind}_before"] == values[f"{kind}_after"]
    # Fresh batches and fresh dropout: not one number comes twice.
    assert len({values["self_before"] for _, values in told}) == len(told)


def test_probing_does_not_change_the_training():
    """Asking for measurements must not move the dropout of the training passes."""
    taskset = small(encoder=dropping_encoder)
    plain, _, told_plain = run(["loss"], taskset=taskset, budget=Steps(12), settings=Settings(schedule="constant"))
    asked, _, told_asked = run(
        ["loss", "target_before", "target_after", "gradient_norm"],
        taskset=taskset,
        budget=Steps(12 * 5 / 3),
        settings=Settings(schedule="constant", evaluate_every=1e9),
    )
    assert [values["loss"] for _, values in told_plain] == [values["loss"] for _, values in told_asked]
    for first, second in zip(plain.model.parameters(), asked.model.parameters(), strict=True):
        assert torch.equal(first, second)


def test_other_batches_come_from_the_tasks_they_should():
    """With one task of priority 1 the target probes are its own; they do not depend on the decision's task."""
    taskset = small().with_priorities({"a": 0.0, "b": 1.0, "c.d": 0.0})
    made, _, told = run(["target_before", "self_before"], taskset=taskset, settings=Settings(learning_rate=1e-30))
    passes = made.passes
    for step, (task, values) in enumerate(told):
        assert values["target_before"] == pytest.approx(passes.measure(1, passes.probe("target", step, 1)), abs=1e-6)
        assert values["self_before"] == pytest.approx(passes.measure(task, passes.probe("self", step, task)), abs=1e-6)


def test_alignment_is_a_cosine_with_the_held_out_objective():
    made, _, told = run(["gradient_alignment"], settings=Settings(learning_rate=1e-30), budget=Steps(20))
    taskset, model = made.taskset, made.model
    passes = made.passes
    held_out = sum(
        vector(model, passes.loss(task, batch, model(task, batch.inputs)), model.shared())
        for task, part_ in enumerate(taskset.parts)
        for batch in [passes.probe("held out", 0, task, part_.validation[""])]
    )
    first = told[0][0]
    name = taskset.names[first]
    batch = next(TaskSource(name, taskset[name].train, batch_size=8, seed=0).batches(0, 0))
    own = vector(model, passes.loss(first, batch, model(first, batch.inputs)), model.shared())
    assert told[0][1]["gradient_alignment"] == pytest.approx(
        float(own @ held_out / own.norm() / held_out.norm()), abs=1e-5
    )
    assert all(-1 <= values["gradient_alignment"] <= 1 for _, values in told)
    # The held-out gradient costs one step per task at the first decision; the other decisions cost one each.
    assert [round(values["cost"], 6) for _, values in told] == [4.0] + [1.0] * (len(told) - 1)


def test_entropy_of_predictions():
    taskset = small().select(["a", "b"])
    _, _, told = run(["entropy"], taskset=taskset, settings=Settings(learning_rate=1e-30))
    assert all(0 < values["entropy"] <= math.log(3) + 1e-6 for _, values in told)


def test_reference_loss_is_that_of_the_reference():
    reference = make_model(small(), 0)
    _, _, told = run(["loss", "reference_loss"], reference=reference, settings=Settings(learning_rate=1e-30))
    for _, values in told:
        assert values["reference_loss"] == pytest.approx(values["loss"], abs=1e-6)
        assert values["cost"] == pytest.approx(4 / 3)


def test_only_what_is_asked_for_is_measured(tmp_path):
    trainer(log=tmp_path / "log.jsonl").run()
    assert read_log(tmp_path / "log.jsonl").measured.keys() == {"loss"}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["advantage"], {}, "'advantage', which this training loop cannot measure"),
        (["entropy"], {}, "the regression 'c.d' does not have"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_spent(names, options, message):
    with pytest.raises(ValueError, match=message):
        trainer(signal=asks(*names), **options)


def test_measurable_names_are_those_of_the_protocol():
    assert set(MEASURABLE) <= set(MEASUREMENTS)


def test_costs_add_up_in_every_unit():
    _, result, _ = run(["loss_after"], budget=Examples(100), settings=Settings(evaluate_every=1e9))
    assert sum(result.costs.values()) == pytest.approx(sum(result.examples.values()) * 4 / 3)
    assert result.spent == pytest.approx(sum(result.costs.values()))
    assert result.evaluation_cost == 0
    _, result, _ = run(["loss_after"], budget=Seconds(0.3))
    assert 0.3 <= result.spent < 3
    assert result.seconds >= result.spent


def test_evaluations_are_charged_where_they_are_used():
    """3 tasks x 16 held-out examples in batches of 8 are 6 batches forward: 2 steps."""
    settings = Settings(evaluation_size=16, evaluate_every=5)
    free = trainer(budget=Steps(20), settings=settings).run()
    assert (free.evaluation_cost, free.spent, free.steps) == (0, 20, 20)
    policy = observes("evaluations")
    asked = trainer(budget=Steps(20), policy=policy, settings=settings)
    assert asked.plan().evaluation_cost == 2 * 3
    result = asked.run()
    assert result.evaluation_cost == pytest.approx(2 * len(result.evaluations))
    assert result.steps == round(20 - result.evaluation_cost)
    assert [item.spent for item in result.evaluations] == pytest.approx([0, 7, 14])
    charged = trainer(budget=Steps(20), settings=Settings(evaluation_size=16, charge_evaluations=True)).run()
    assert charged.evaluation_cost > 0


def test_a_budget_below_one_evaluation_is_refused():
    with pytest.raises(
        ValueError, match="one evaluation costs 2 steps, the whole budget is 2: raise the budget, or set"
    ):
        trainer(budget=Steps(2), policy=observes("evaluation.loss"), settings=Settings(evaluation_size=16))


def test_tokens_need_a_taskset_that_has_them():
    with pytest.raises(ValueError, match="has no tokens: give the budget in steps or examples"):
        trainer(budget=Tokens(1000))


def test_policies_get_the_held_out_measurements_they_ask_for():
    """Against gradients written out, at the weights of the start."""
    names = ["gradient_norm", "gradient_variance", "gradient_alignment", "gradient_inner", "loss"]
    policy = observes(*(f"evaluation.{name}" for name in names))
    n = 4
    made = trainer(
        budget=Steps(60),
        policy=policy,
        settings=Settings(evaluation_size=16, gradient_batches=n, learning_rate=1e-30, evaluate_every=1e9),
    )
    result = made.run()
    seen = policy.seen[0].measured
    passes, model, parts = made.passes, made.model, made.taskset.parts

    def gradient(task, batch):
        return vector(model, passes.loss(task, batch, model(task, batch.inputs)), model.shared()).double()

    batches = [[gradient(task, passes.probe("evaluation", index, task)) for index in range(n)] for task in range(3)]
    means = [torch.stack(found).mean(0) for found in batches]
    numbers = [subsample(p.name, "", 30, 16) for p in parts]
    held_out = sum(
        gradient(task, passes.probe("held out", 0, task, p.validation[""])) / 3 for task, p in enumerate(parts)
    )
    for task, part_ in enumerate(parts):
        variance = torch.stack(batches[task]).var(0, correction=1).sum()
        expected = {
            "gradient_variance": variance * 8,
            "gradient_norm": max(means[task] @ means[task] - variance / n, 0),
            "gradient_alignment": means[task] @ held_out / means[task].norm() / held_out.norm(),
            "gradient_inner": means[task] @ (sum(means) - means[task]),
            "loss": passes.measure(task, part_.validation[""].take(numbers[task])),
        }
        for name, value in expected.items():
            assert seen[name][0, task] == pytest.approx(float(value), rel=1e-3, abs=1e-6), name
    # Forward passes over 48 examples in batches of 8; 4 gradients for each of 3 tasks; 3 held-out gradients.
    assert result.evaluations[0].cost == pytest.approx(2 + 12 + 3)


def test_unknown_held_out_measurements_are_refused():
    with pytest.raises(ValueError, match=r"needs `evaluation.magic`, which this training loop cannot measure"):
        trainer(policy=observes("evaluation.magic"))


def test_trial_updates_say_what_each_task_would_do_and_leave_no_trace():
    """Against updates written out on a copy, in the middle of a run, when the optimizer has a state."""
    policy = observes("evaluation.trial_gain")
    settings = Settings(evaluation_size=16, schedule="constant", evaluate_every=20)
    made = trainer(budget=Steps(75), policy=policy, settings=settings)
    result = made.run()
    # 2 forward; 3 trial updates; the objective on 3 batches before and after each of them.
    assert result.evaluations[0].cost == pytest.approx(2 + 3 + 3 * 4 / 3)
    assert len(policy.seen) == 3

    other = trainer(budget=Steps(75), policy=observes("evaluations"), settings=settings)
    seen = []

    class Repeat(Callback):
        def evaluated(self, trainer, result):
            number, model = len(seen), copy.deepcopy(trainer.model)
            parts, passes = trainer.taskset.parts, trainer.passes

            def objective(model):
                batches = [passes.probe("held out", number, task, p.validation[""]) for task, p in enumerate(parts)]
                return sum(passes.measure(task, batch, model) / 3 for task, batch in enumerate(batches))

            gains = []
            for task in range(3):
                trial = copy.deepcopy(model)
                optimizer = torch.optim.AdamW(trial.parameters(), lr=1e-2, weight_decay=0.01)
                if trainer.optimizer.state:
                    pairs = zip(trial.parameters(), trainer.model.parameters(), strict=True)
                    optimizer.state.update(
                        (own, copy.deepcopy(trainer.optimizer.state[theirs])) for own, theirs in pairs
                    )
                batch = passes.probe("trial", number, task)
                passes.loss(task, batch, trial(task, batch.inputs)).backward()
                optimizer.step()
                gains.append(objective(model) - objective(trial))
            seen.append(gains)

    other.callbacks = (Repeat(),)
    other.evaluations.cost = result.evaluations[0].cost  # so that both spend alike
    other.run()
    for evaluation, expected in zip(policy.seen, seen, strict=True):
        np.testing.assert_allclose(evaluation.measured["trial_gain"][0], expected, rtol=1e-3, atol=1e-6)
    for first, second in zip(made.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(first, second)


def test_undefined_metrics_are_reported_and_not_told():
    """A held-out set with one class says nothing about a correlation, so the policy gets no score for it."""
    taskset = small(parts=(part("a", primary=("matthews",)), part("b", seed=1)))
    taskset.parts[0].validation[""].targets[:] = 1
    policy = observes("evaluations")
    result = trainer(taskset, policy=policy, budget=Steps(30)).run()
    assert math.isnan(policy.seen[0].scores[0, 0])
    assert np.isfinite(policy.seen[0].scores[0, 1])
    assert result.undefined == {"a": {"matthews": "the labels of the sample hold one class only"}}
    assert math.isnan(result.objective)
    assert result.to_dict()["objective"] is None


def test_the_subsample_is_the_same_in_every_run():
    assert subsample("rte", "", 277, 64).tolist() == subsample("rte", "", 277, 64).tolist()
    assert subsample("rte", "", 277, 64).tolist() != subsample("cola", "", 277, 64).tolist()
    assert subsample("rte", "", 50, 64).tolist() == subsample("rte", "", 50, 0).tolist() == list(range(50))


def test_shares_follow_the_policy():
    result = trainer(policy=Mixture({"a": 1, "b": 0, "c.d": 1}), budget=Steps(40)).run()
    assert result.counts["b"] == 0
    assert result.counts["a"] + result.counts["c.d"] == 40
