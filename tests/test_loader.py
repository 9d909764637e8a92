import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from apportion import Constraints, Examples, Seconds, Steps, TaskLoader, Tokens
from apportion.errors import FingerprintError


class Shuffled:
    """A resumable source: batch numbers in an order that is a function of the pass."""

    def __init__(self, n_batches, seed):
        self.n_batches, self.seed, self.size = n_batches, seed, n_batches * 2

    def batches(self, epoch, start):
        order = np.random.default_rng([self.seed, epoch]).permutation(self.n_batches)
        for index in order[start:]:
            yield [f"{self.seed}.{epoch}.{index}"] * 2


def sources(kind):
    if kind == "resumable":
        return {"a": Shuffled(3, 1), "b": Shuffled(7, 2)}
    if kind == "lists":
        return {"a": [[1, 2], [3, 4], [5]], "b": [[index] for index in range(10, 17)]}
    return {
        name: DataLoader(
            TensorDataset(torch.arange(start, start + n)), batch_size=2, shuffle=True, generator=torch.Generator()
        )
        for name, start, n in (("a", 0, 5), ("b", 100, 14))
    }


def make(kind="resumable", *, budget=None, when_exhausted="cycle", **options):
    return TaskLoader(
        sources(kind),
        "exp3s",
        "loss_decrease",
        budget=budget or Steps(40),
        seed=0,
        when_exhausted=when_exhausted,
        **options,
    )


def text(item):
    batch = item.batch[0].tolist() if isinstance(item.batch, list) and hasattr(item.batch[0], "tolist") else item.batch
    return f"{item.decision.step} {item.task} {batch}"


def loss_of(item):
    return 1.0 / (1 + item.decision.step % 5)


def consume(loader, n=10**9):
    seen = []
    for item in loader:
        seen.append(text(item))
        loader.tell(item, loss=torch.tensor(loss_of(item)))
        if len(seen) == n:
            break
    return seen


@pytest.mark.parametrize("kind", ["resumable", "lists", "torch"])
@pytest.mark.parametrize("prefetch", [0, 3])
@pytest.mark.parametrize("when_exhausted", ["cycle", "renormalize", "all_exhausted"])
def test_resume_at_every_step_is_exact(kind, prefetch, when_exhausted):
    make_one = lambda: make(kind, prefetch=prefetch, when_exhausted=when_exhausted)  # noqa: E731
    whole = consume(make_one())
    assert len(whole) > 8
    for n in range(0, len(whole), 3):
        first = make_one()
        head = consume(first, n) if n else []
        second = make_one()
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
        assert head + consume(second) == whole


def test_batches_given_but_not_told_come_again():
    first = make(prefetch=2)
    head = consume(first, 5)
    lost = [next(first), next(first)]
    second = make(prefetch=2)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    rest = consume(second)
    assert rest[:2] == [text(item) for item in lost]
    assert len(head) + len(rest) == 40


def test_accumulated_batches_may_be_told_in_any_order():
    loader = make()
    items = [next(loader) for _ in range(4)]
    for item in reversed(items):
        loader.tell(item, loss=loss_of(item))
    assert loader.selector.spent == 4


def test_stateful_sources_save_their_own_position():
    class Counter:
        def __init__(self):
            self.position = 0

        def __iter__(self):
            while self.position < 5:
                self.position += 1
                yield [self.position]
            self.position = 0

        def state_dict(self):
            return {"position": self.position}

        def load_state_dict(self, state_dict):
            self.position = state_dict["position"]

    make_one = lambda: TaskLoader(  # noqa: E731
        {"a": Counter(), "b": Counter()}, "uniform", budget=Steps(30), seed=0, when_exhausted="cycle"
    )
    whole = consume(make_one())
    first = make_one()
    head = consume(first, 8)
    second = make_one()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert head + consume(second) == whole
    next(first)
    with pytest.raises(RuntimeError, match="only be saved while none of its batches is pending"):
        first.state_dict()


def test_a_loader_that_cannot_repeat_its_order_warns():
    data = DataLoader(TensorDataset(torch.arange(6)), shuffle=True)
    loader = TaskLoader({"a": data}, "uniform", budget=Steps(3), seed=0, when_exhausted="cycle")
    next(loader)
    with pytest.warns(UserWarning, match="give its DataLoader a `generator`"):
        loader.state_dict()


def test_when_exhausted():
    def run(when, **options):
        loader = TaskLoader(sources("lists"), "uniform", budget=Steps(1000), seed=1, when_exhausted=when, **options)
        return consume(loader), loader

    assert len(run("cycle")[0]) == 1000
    seen, loader = run("first_exhausted")
    assert sorted(loader.epochs.values()) == [0, 1] or len(seen) == 10
    assert seen[-1].endswith(("[5]", "[16]"))
    seen, loader = run("all_exhausted")
    assert min(loader.epochs.values()) == 1
    seen, loader = run("renormalize")
    assert len(seen) == 10
    assert len({line.split(" ", 1)[1] for line in seen}) == 10  # every batch once


def test_when_exhausted_has_no_default():
    with pytest.raises(TypeError, match="when_exhausted"):
        TaskLoader({"a": [[1]]}, "uniform", budget=Steps(1), seed=0)


def test_most_repetitions_stop_a_run():
    loader = make("lists", budget=Steps(1000), constraints=Constraints(max_epochs=2))
    consume(loader)
    assert (loader.selector.examples <= [10, 14]).all()
    assert loader.selector.examples.sum() >= 20


def test_budgets_in_other_units():
    loader = make(budget=Examples(21))
    assert len(consume(loader)) == 11
    assert loader.selector.spent == 22
    loader = TaskLoader(
        sources("lists"),
        "uniform",
        budget=Tokens(100),
        seed=0,
        when_exhausted="cycle",
        cost=lambda task, batch: 10.0 if task == "a" else 1.0,
    )
    consume(loader)
    assert 100 <= loader.selector.spent < 110
    loader = make(budget=Seconds(0.05))
    assert len(consume(loader)) > 3
    assert loader.selector.spent >= 0.05
    with pytest.raises(ValueError, match="needs `cost`"):
        make(budget=Tokens(5))


def test_sizes_come_from_the_sources():
    assert [task.size for task in make("resumable").selector.tasks] == [6, 14]
    assert [task.size for task in make("lists").selector.tasks] == [5, 7]
    assert [task.size for task in make("torch").selector.tasks] == [5, 14]


@pytest.mark.parametrize("source", [[], DataLoader(TensorDataset(torch.zeros(0)))])
def test_an_empty_source_is_named(source):
    with pytest.raises(ValueError, match="source of task 'void' is empty"):
        TaskLoader({"void": source}, "uniform", budget=Steps(1), seed=0, when_exhausted="cycle")


def test_a_source_that_gives_nothing_is_named():
    loader = TaskLoader({"once": iter([[1]])}, "uniform", budget=Steps(5), seed=0, when_exhausted="cycle")
    with pytest.raises(ValueError, match="task 'once' gave no batch"):
        consume(loader)


def test_sizes_belong_to_the_fingerprint():
    state = make("lists").state_dict()
    other = TaskLoader(
        {"a": [[1]], "b": [[1]]}, "exp3s", "loss_decrease", budget=Steps(40), seed=0, when_exhausted="cycle"
    )
    with pytest.raises(FingerprintError, match=r"tasks\.a\.size was 5, is 1"):
        other.load_state_dict(state)


def test_migration_keeps_places_by_name():
    first = make("resumable")
    consume(first, 10)
    later = TaskLoader(
        {"b": Shuffled(7, 2), "c": Shuffled(4, 3)}, "uniform", budget=Steps(40), seed=0, when_exhausted="cycle"
    )
    later.load_state_dict(first.state_dict(), migrate=True)
    b = first.state_dict()["streams"]["b"]
    assert later.state_dict()["streams"]["b"] == b
    assert later.selector.step == 10


_FRESH = """
import json, sys
sys.path.insert(0, {here!r})
import test_loader as t
loader = t.make(prefetch=2)
loader.load_state_dict(json.load(sys.stdin))
print(json.dumps(t.consume(loader)))
"""


def test_resume_in_another_process_with_other_string_hashes():
    from pathlib import Path

    whole = consume(make(prefetch=2))
    first = make(prefetch=2)
    head = consume(first, 13)
    code = _FRESH.format(here=str(Path(__file__).parent))
    result = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(first.state_dict()),
        capture_output=True,
        text=True,
        env={"PYTHONHASHSEED": "123", "PATH": ""},
        check=True,
    )
    assert head + json.loads(result.stdout) == whole
