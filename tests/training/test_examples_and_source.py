import functools
import operator

import numpy as np
import pytest
import torch

from apportion.sources import Resumable
from apportion.training import MapExamples, TaskSource, TensorExamples

EXAMPLES = TensorExamples(torch.arange(23.0)[:, None], torch.arange(23))


def make(workers=0, rank=0, world=1, batch_size=4, seed=5):
    return TaskSource("rte", EXAMPLES, batch_size=batch_size, seed=seed, workers=workers, rank=rank, world=world)


def labels(source, epoch, start=0):
    return [batch.labels.tolist() for batch in source.batches(epoch, start)]


def test_an_epoch_holds_every_example_once_and_ends_with_a_smaller_batch():
    batches = labels(make(), 0)
    assert [len(batch) for batch in batches] == [4, 4, 4, 4, 4, 3]
    assert sorted(functools.reduce(operator.iadd, batches, [])) == list(range(23))


def test_the_order_is_a_function_of_seed_task_and_epoch():
    assert labels(make(), 2) == labels(make(), 2)
    assert labels(make(), 2) != labels(make(), 3)
    assert labels(make(seed=6), 2) != labels(make(), 2)
    other = TaskSource("cola", EXAMPLES, batch_size=4, seed=5)
    assert labels(other, 2) != labels(make(), 2)


def test_it_starts_anywhere():
    source = make()
    assert isinstance(source, Resumable)
    assert labels(source, 1, start=4) == labels(source, 1)[4:]


def test_workers_give_the_same_batches_over_epochs_and_after_jumps():
    plain, workers = make(), make(workers=2)
    state = torch.get_rng_state()
    for epoch, start in ((0, 0), (1, 0), (1, 3), (2, 0), (0, 5)):
        assert labels(workers, epoch, start) == labels(plain, epoch, start)
    # Starting workers must not move the random state of the training process.
    assert torch.equal(torch.get_rng_state(), state)
    workers.close()


def test_an_unfinished_pass_is_taken_up_again():
    plain, workers = make(), make(workers=1)
    first = workers.batches(0, 0)
    assert next(first).labels.tolist() == labels(plain, 0)[0]
    assert labels(workers, 0, 1) == labels(plain, 0)[1:]
    workers.close()


def test_processes_share_each_batch():
    parts = [list(make(rank=rank, world=3, batch_size=6).batches(0, 0)) for rank in range(3)]
    whole = labels(make(batch_size=6), 0)
    for index, batches in enumerate(zip(*parts, strict=True)):
        assert sorted(functools.reduce(operator.iadd, (batch.labels.tolist() for batch in batches), [])) == sorted(
            whole[index]
        )
        assert {batch.size for batch in batches} == {len(whole[index])}


def test_a_last_batch_that_does_not_reach_every_process_is_left_out():
    assert make(world=4, batch_size=4).length == 5
    assert make(world=3, batch_size=4).length == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size of task 'rte'` must be at least 1"),
        ({"batch_size": 2, "world": 3}, "must be at least 3"),
        ({"workers": -1}, "`workers` must be at least 0"),
    ],
)
def test_wrong_numbers_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_map_style_data_give_the_batches_of_the_same_tensors():
    pairs = [({"x": np.full(2, float(number))}, number % 3) for number in range(10)]
    mapped = MapExamples(pairs)
    tensors = TensorExamples({"x": torch.arange(10.0, dtype=torch.float64)[:, None].repeat(1, 2)}, torch.arange(10) % 3)
    numbers = np.array([7, 1, 1])
    assert torch.equal(mapped.take(numbers).inputs["x"], tensors.take(numbers).inputs["x"])
    assert torch.equal(mapped.take(numbers).labels, tensors.take(numbers).labels)
    assert mapped.labels().tolist() == tensors.labels().tolist()
    assert mapped.checksum() == MapExamples(list(pairs)).checksum()
    assert mapped.checksum() != MapExamples(pairs[:9]).checksum()


def test_collate_makes_the_batch():
    def collate(items):
        return torch.nn.utils.rnn.pad_sequence([item for item, _ in items], batch_first=True), torch.tensor([1, 0])

    mapped = MapExamples([(torch.ones(2), 1), (torch.ones(3), 0)], collate)
    assert mapped.take(np.array([0, 1])).inputs.tolist() == [[1, 1, 0], [1, 1, 1]]


def test_data_that_cannot_be_indexed_are_refused():
    with pytest.raises(TypeError, match="needs `len"):
        MapExamples(iter([1, 2]))
    with pytest.raises(ValueError, match="2 inputs but 3 labels"):
        TensorExamples(torch.zeros(2, 1), torch.zeros(3))


def test_checksums_see_every_change():
    first = TensorExamples(torch.zeros(3, 2), torch.zeros(3))
    assert first.checksum() == TensorExamples(torch.zeros(3, 2), torch.zeros(3)).checksum()
    assert first.checksum() != TensorExamples(torch.zeros(3, 2), torch.tensor([0.0, 0.0, 1.0])).checksum()
    assert first.checksum() != TensorExamples(torch.zeros(3, 2, 1), torch.zeros(3)).checksum()
