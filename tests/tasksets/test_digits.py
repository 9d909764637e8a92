import numpy as np
import pytest
import torch

from apportion.tasksets import digits
from apportion.training import Classification, Regression

TASKSET = digits()


def test_eight_tasks_of_the_stated_sizes():
    sizes = {task.name: task.size for task in TASKSET.tasks}
    assert sizes == {
        "negative": 900,
        "digit": 600,
        "rotated": 900,
        "shuffled": 900,
        "few": 80,
        "noisy": 900,
        "random": 900,
        "angle": 900,
    }
    for part in TASKSET.parts:
        assert len(part.validation[""]) == 397
        assert len(part.final[""]) == 500
        assert isinstance(part.head, Regression if part.name == "angle" else Classification)


def test_no_image_is_in_two_parts():
    """The 1,797 images differ, so the plain ones tell the parts apart."""
    digit = TASKSET["digit"]
    full = TASKSET["noisy"].train
    seen = [
        row.numpy().tobytes() for examples in (full, digit.validation[""], digit.final[""]) for row in examples.inputs
    ]
    assert len(seen) == 900 + 397 + 500
    assert len(set(seen)) == len(seen)
    assert {row.numpy().tobytes() for row in digit.train.inputs} <= {row.numpy().tobytes() for row in full.inputs}


def test_noise_is_in_the_training_labels_of_noisy_only():
    digit, noisy = TASKSET["digit"], TASKSET["noisy"]
    agree = (noisy.train.targets[:600] == digit.train.targets).float().mean()
    # Half of the labels are drawn anew, a tenth of which hit: 0.55, give or take five standard errors of 0.02.
    assert 0.45 < agree < 0.65
    assert torch.equal(noisy.final[""].targets, digit.final[""].targets)


def test_random_labels_know_nothing_of_the_images():
    random, digit = TASKSET["random"], TASKSET["digit"]
    agree = (random.final[""].targets == digit.final[""].targets).float().mean()
    assert 0.03 < agree < 0.17  # 0.1, give or take five standard errors of 0.0134


def test_relations_between_the_inputs():
    digit, few, shuffled, negative = (TASKSET[name] for name in ("digit", "few", "shuffled", "negative"))
    assert torch.equal(few.train.inputs.flip(2), digit.train.inputs[:80])
    one, other = shuffled.train.inputs[:600].reshape(600, 64), digit.train.inputs.reshape(600, 64)
    assert not torch.equal(one, other)
    assert torch.allclose(one.sort(dim=1).values, other.sort(dim=1).values)
    swapped = negative.train.targets[:600] == 1
    assert torch.equal(negative.train.inputs[:600][~swapped], digit.train.inputs[~swapped])
    assert not torch.equal(negative.train.inputs[:600][swapped], digit.train.inputs[swapped])


def test_angles_are_what_the_images_were_turned_by():
    angle = TASKSET["angle"]
    assert float(angle.train.targets.abs().max()) <= 60
    assert angle.head.scale == pytest.approx(float(angle.train.targets.std(correction=0)), rel=1e-5)
    moved = (angle.train.inputs - TASKSET["noisy"].train.inputs).abs().mean(dim=(1, 2, 3))
    assert moved[angle.train.targets.abs() < 2].mean() < 0.2
    assert moved[angle.train.targets.abs() > 40].mean() > 0.4


def test_the_seed_decides_everything():
    assert digits().checksum == TASKSET.checksum
    other = digits(seed=1)
    assert all(other.checksums[name] != TASKSET.checksums[name] for name in TASKSET.names)
    with pytest.raises(ValueError, match="`seed` must be at least 0"):
        digits(seed=-1)


def test_the_encoder_is_small_and_fits():
    encoder = TASKSET.encoder()
    assert encoder(TASKSET["digit"].train.take(np.arange(3)).inputs).shape == (3, TASKSET.width)
    assert sum(parameter.numel() for parameter in encoder.parameters()) < 20_000
