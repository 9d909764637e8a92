"""Tasksets that are generated, and those derived from others."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from apportion.tasksets import digits, tabular, toys, vision, with_decoys, with_validation_from_training
from apportion.training import Classification, TaskData, Taskset, TensorExamples

PEOPLE, PLACES, OBJECTS, EVENTS = 3, 3, 2, 6


@pytest.mark.parametrize("make", [tabular, toys, vision])
def test_the_seed_decides_everything(make):
    assert make().checksum == make(seed=0).checksum
    one, other = make(), make(seed=1)
    assert all(one.checksums[name] != other.checksums[name] for name in one.names)
    with pytest.raises(ValueError, match="`seed` must be at least 0"):
        make(seed=-1)


@pytest.mark.parametrize("make", [tabular, toys, vision])
def test_no_example_is_in_two_parts(make):
    for part in make().parts:
        rows = [
            row.numpy().tobytes()
            for examples in (part.train, part.validation[""], part.final[""])
            for row in examples.inputs
        ]
        if make is not toys:  # short stories can come twice by chance
            assert len(set(rows)) == len(rows)
        assert len(part.validation[""]) == len(part.final[""]) == 400


def answer(task, row):
    """The answer to a story, event by event, with dictionaries."""
    events = row[: EVENTS * (PEOPLE + 3 + PLACES + OBJECTS)].reshape(EVENTS, -1)
    asked = row[events.size :]
    place, first, lies, holder = {}, {}, {}, {}
    for event in events:
        who = int(event[:PEOPLE].argmax())
        verb = int(event[PEOPLE : PEOPLE + 3].argmax())
        where = int(event[PEOPLE + 3 : PEOPLE + 3 + PLACES].argmax())
        thing = int(event[PEOPLE + 3 + PLACES :].argmax())
        if verb == 0:
            place[who] = where
            first.setdefault(who, where)
        elif verb == 1:
            assert thing not in holder
            holder[thing] = who
        else:
            assert holder.pop(thing) == who
            lies[thing] = place[who]
    person, thing = int(asked[:PEOPLE].argmax()), int(asked[2 * PEOPLE :].argmax())
    if task == "person":
        return place[person]
    if task == "first":
        return first[person]
    if task == "holder":
        return holder.get(thing, PEOPLE)
    if task == "object":
        return place[holder[thing]] if thing in holder else lies.get(thing, PLACES)
    if task == "carries":
        return sum(who == person for who in holder.values())
    other = int(asked[PEOPLE : 2 * PEOPLE].argmax())
    assert other != person
    return int(place[person] == place[other])


@pytest.mark.parametrize("task", ["person", "holder", "object", "together", "carries", "first"])
def test_answers_follow_from_the_stories(task):
    examples = toys()[task].final[""]
    assert [answer(task, row) for row in examples.inputs.numpy()] == examples.targets.tolist()
    assert torch.bincount(examples.targets).max() < 0.7 * len(examples)  # guessing is not enough


def test_relatedness_is_what_it_says():
    """Linear fits of `value` and `easy` point the same way when the factors are shared, and less when they are not."""

    def alike(relatedness):
        made = tabular(relatedness=relatedness)
        weights = []
        for name in ("value", "easy"):
            train = made[name].train
            targets = train.targets.double() - train.targets.double().mean()
            weights.append(torch.linalg.lstsq(train.inputs.double(), targets[:, None]).solution[:, 0])
        return abs(float(torch.cosine_similarity(*weights, dim=0)))

    assert tabular(relatedness=0.3).notes["relatedness"] == 0.3
    assert torch.allclose(torch.bincount(tabular()["main"].train.targets) / 1200, torch.tensor(0.25), atol=0.03)
    assert alike(1.0) > alike(0.0)
    with pytest.raises(ValueError, match="`relatedness` must be"):
        tabular(relatedness=1.5)


def test_shapes_and_dots_are_drawn_as_labelled():
    made = vision()
    dots = made["dots"].train
    counted = ((dots.inputs + 0.3) > 0.5).sum(dim=(1, 2, 3))
    assert (counted == dots.targets).float().mean() > 0.95  # noise of 0.15 seldom crosses a half
    bright = made["brightness"].train
    assert torch.corrcoef(torch.stack([bright.inputs.mean(dim=(1, 2, 3)), bright.targets]))[0, 1] > 0.95
    assert sorted(torch.unique(made["shapes"].train.targets).tolist()) == [0, 1, 2, 3, 4]


def test_decoys_have_nothing_to_learn_but_look_alike():
    plain = digits()
    made = with_decoys(plain)
    assert made.names == (*plain.names, "useless_1", "useless_2", "corrupted")
    assert all(made.checksums[name] == plain.checksums[name] for name in plain.names)
    assert made["useless_2"].task.size == 80
    few, useless = plain["few"], made["useless_2"]
    assert sorted(useless.train.labels()) == sorted(few.train.labels())
    # Shuffled labels agree with the true ones as often as chance has it: 500 of ten classes, five standard errors.
    agree = np.mean(useless.final[""].labels() == few.final[""].labels())
    assert 0.03 < agree < 0.17
    corrupted = made["corrupted"]
    assert corrupted.final[""].checksum() == plain["digit"].final[""].checksum()
    wrong = np.mean(corrupted.train.labels() != plain["digit"].train.labels())
    assert 0.6 < wrong < 0.85
    batch = useless.train.take(np.array([3, 5]))
    assert batch.labels.tolist() == useless.train.labels()[[3, 5]].tolist()
    assert torch.equal(batch.inputs, few.train.take(np.array([3, 5])).inputs)
    assert with_decoys(plain, seed=1).checksums["useless_1"] != made.checksums["useless_1"]
    with pytest.raises(ValueError, match="twice"):
        with_decoys(made)


def test_evaluations_have_examples_of_their_own():
    def examples(n):
        return TensorExamples(torch.arange(n, dtype=torch.float32)[:, None], torch.arange(n) % 2)

    def seen(part):
        return part.take(np.arange(len(part))).inputs[:, 0].tolist()

    data = TaskData(name="a", train=examples(32), validation={"x": examples(7)}, head=Classification(2))
    taskset = Taskset(name="t", parts=(data,), encoder=torch.nn.Identity, width=1)
    made = with_validation_from_training(taskset)["a"]
    assert seen(made.validation[""]) == [9, 19, 29]
    assert seen(made.train) == [number for number in range(32) if number not in (9, 19, 29)]
    assert made.train.labels().tolist() == [number % 2 for number in seen(made.train)]
    assert seen(made.final["x"]) == list(range(7))
    assert made.train.checksum() != made.validation[""].checksum()
    long = replace(data, train=examples(8000))
    made = with_validation_from_training(replace(taskset, parts=(long,)))["a"]
    assert (len(made.train), len(made.validation[""])) == (7500, 500)
    plain = digits()
    assert with_validation_from_training(plain).checksum == plain.checksum
    few = replace(data, train=examples(9))
    with pytest.raises(ValueError, match="9 training examples"):
        with_validation_from_training(replace(taskset, parts=(few,)))


def test_digits_takes_batch_sizes():
    made = digits(batch_sizes={"angle": 64})
    assert made.batch_size_of("angle") == 64
    assert made.batch_size_of("few") == 16
    with pytest.raises(ValueError, match="did you mean 'angle'"):
        digits(batch_sizes={"angel": 64})
    assert digits(decoys=True).names[-1] == "corrupted"
