import math

import numpy as np
import pytest
import torch

from apportion.records import Task
from apportion.training import Classification, Regression, TaskData, TensorExamples, make_model, objective
from training.workloads import encoder, examples, part, small


def data(targets, **options):
    targets = torch.tensor(targets)
    sets = TensorExamples(torch.zeros(len(targets), 6), targets)
    settings = {"head": Classification(3), "name": "rte", "train": sets, "validation": {"": sets}, **options}
    return TaskData(**settings)


def test_tasks_carry_size_and_priority():
    taskset = small(parts=(part("a", priority=2.0), part("b", n=13, features=(1.0,))))
    assert taskset.tasks == (Task(name="a", size=40, priority=2.0), Task(name="b", size=13, features=(1.0,)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: data([0, 3]), r"labels of task 'rte' in train must be from 0 to 2, got 3 in example 1"),
        (lambda: data([0, -1]), r"from 0 to 2, got -1 in example 1: correct the label or drop the example"),
        (lambda: data([0.0, 1.0]), r"must be whole numbers, got float32: make it a regression"),
        (lambda: data([1.0, math.nan], head=Regression(), primary=("r2",), metrics=()), "must be finite, got nan"),
        (lambda: data([]), r"task 'rte' has no examples in train: give it some, or leave the task out"),
        (
            lambda: data([0, 1], test={"hard": examples(0, 0, "classification")}),
            r"has no examples in test 'hard'",
        ),
        (lambda: data([0, 1], metrics=("pearson",)), "'pearson' does not fit task 'rte', which is a classification"),
        (lambda: data([0, 1], primary=()), "at least one primary metric"),
        (lambda: data([0, 1], batch_size=0), "batch_size of task 'rte'` must be at least 1"),
        (lambda: small(parts=()), "at least one task is needed"),
        (lambda: small(parts=(part("a"), part("a"))), "got 'a' twice"),
        (lambda: small(parts=(part("a", priority=0.0),)), "must not sum to zero"),
        (lambda: small().select(["b", "e"]), "'e', which is not one of a, b, c.d"),
        (lambda: small()["aa"], "did you mean 'a'"),
        (lambda: Classification(1), "must be at least 2"),
        (lambda: Regression(scale=0.0), r"`scale` must be in \(0"),
    ],
)
def test_wrong_workloads_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_checksums_are_of_the_data():
    same = {name: small().checksums[name] for name in small().names}
    assert small().checksums == same
    other = small(parts=(part("a"), part("b", n=13, seed=9)))
    assert other.checksums["a"] == same["a"]
    assert other.checksums["b"] != same["b"]


def test_select_and_priorities():
    taskset = small().select(["c.d", "a"]).with_priorities({"a": 3.0})
    assert taskset.names == ("c.d", "a")
    assert taskset["a"].priority == 3.0


def test_scores_are_means_of_primary_metrics_in_a_known_range():
    assert part("a", primary=("matthews", "accuracy")).score_range == (-0.5, 1.0)


def test_objective_weighs_by_priority_and_ignores_auxiliary_tasks():
    tasks = [Task(name="a"), Task(name="b", priority=3.0), Task(name="c", priority=0.0)]
    assert objective({"a": 1.0, "b": 0.0, "c": math.nan}, tasks) == 0.25
    assert math.isnan(objective({"a": 1.0, "b": math.nan}, tasks))
    assert math.isnan(objective({"a": 1.0}, tasks))


def test_weights_depend_on_seed_and_name_alone():
    state = torch.get_rng_state()
    first, second = make_model(small(), 3), make_model(small().select(["c.d", "a"]), 3)
    assert torch.equal(torch.get_rng_state(), state)
    inputs = torch.ones(2, 6)
    assert torch.equal(first(0, inputs), second(1, inputs))
    assert not torch.equal(first(0, inputs), make_model(small(), 4)(0, inputs))
    assert not torch.equal(first(0, inputs), first(1, inputs))


def test_names_that_modules_cannot_have_are_fine():
    model = make_model(small(parts=(part("keys"), part("a.b"), part("a%2Eb"))), 0)
    assert len(model.heads) == 3


def test_heads_by_hand():
    outputs, labels = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]]), torch.tensor([0, 1])
    head = Classification(2)
    assert head.losses(outputs, labels).tolist() == pytest.approx([math.log(4 / 3), math.log(2)])
    assert float(head.mean_loss(outputs, labels)) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert head.entropies(outputs).tolist() == pytest.approx([entropy, math.log(2)])
    assert head.right(outputs, labels).tolist() == [True, False]

    number = Regression(mean=1.0, scale=2.0, tolerance=0.5)
    outputs, labels = torch.tensor([[0.0], [1.0]]), torch.tensor([2.5, 3.0])
    assert number.losses(outputs, labels).tolist() == pytest.approx([0.75**2, 0.0])
    assert float(number.mean_loss(outputs, labels)) == pytest.approx(0.75**2 / 2)
    assert number.predictions(outputs).tolist() == [1.0, 3.0]
    assert number.right(outputs, labels).tolist() == [False, True]
    with pytest.raises(ValueError, match="no entropy"):
        number.entropies(outputs)


def test_encoder_and_width_are_used():
    assert make_model(small(), 0)(2, torch.zeros(4, 6)).shape == (4, 1)
    assert np.prod(encoder()(torch.zeros(4, 6)).shape) == 32
