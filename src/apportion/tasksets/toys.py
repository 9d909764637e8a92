"""Questions about small made-up stories, where some skills need others first."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .._check import check_integer
from ..records import Floats, Ints
from ..training import Classification, TaskData, Taskset, TensorExamples

_PEOPLE, _PLACES, _OBJECTS, _EVENTS = 3, 3, 2, 6
_VERBS = 3  # goes, takes, drops
_EVENT = _PEOPLE + _VERBS + _PLACES + _OBJECTS
_QUESTION = 2 * _PEOPLE + _OBJECTS
_HELD_OUT, _WIDTH = 400, 96
_SIZES = {
    "person": 2500,
    "holder": 2500,
    "object": 1500,
    "together": 1500,
    "carries": 1500,
    "first": 300,
    "guess": 1500,
}
_CLASSES = {
    "person": _PLACES,
    "holder": _PEOPLE + 1,
    "object": _PLACES + 1,
    "together": 2,
    "carries": _OBJECTS + 1,
    "first": _PLACES,
    "guess": 4,
}


def toys(*, seed: int = 0) -> Taskset:
    """Makes seven tasks on stories of six events ("Ann goes to the yard", "Bob takes the ball", "Ann drops the key").

    ========  =====  ==========================================================================================
    task       size  what is asked, scored by accuracy
    ========  =====  ==========================================================================================
    person     2500  where is this person? One fact, the last of several
    holder     2500  who holds this object?
    object     1500  where is this object? Needs both: who holds it, and where that person is, or where it was dropped
    together   1500  are these two people in one place? Needs `person` twice
    carries    1500  how many objects does this person carry? Needs `holder`
    first       300  where did this person go first? Like `person`, by the first fact
    guess      1500  a label that is random in every set: nothing can be learned
    ========  =====  ==========================================================================================

    So `object`, `together` and `carries` have prerequisites, as some of the bAbI tasks do (Weston et al. 2015, arXiv
    1502.05698, whose stories are in words; the text could not be checked). Everyone goes somewhere first. A story is a
    row of ones and zeros: for each event who, what, where and which; then whom or what is asked for. For objects
    "nowhere yet" and "nobody" are answers.

    Args:
        seed: of stories, questions and split.

    Raises:
        ValueError: `seed` is negative.

    >>> [task.size for task in toys().tasks]
    [2500, 2500, 1500, 1500, 1500, 300, 1500]
    """
    check_integer("seed", seed, low=0)
    return _made(seed)


@lru_cache(maxsize=4)
def _made(seed: int) -> Taskset:
    random = np.random.Generator(np.random.PCG64(seed))
    parts: list[TaskData] = []
    for name, size in _SIZES.items():
        inputs, labels = _examples(random, name, size + 2 * _HELD_OUT)
        ends = np.cumsum([size, _HELD_OUT, _HELD_OUT])
        train, validation, test = (
            TensorExamples(torch.from_numpy(inputs[first:last]), torch.from_numpy(labels[first:last]))
            for first, last in zip([0, *ends[:-1]], ends, strict=True)
        )
        parts.append(
            TaskData(
                name=name,
                train=train,
                validation={"": validation},
                test={"": test},
                head=Classification(_CLASSES[name]),
            )
        )
    return Taskset(
        name="toys",
        parts=tuple(parts),
        encoder=_encoder,
        width=_WIDTH,
        batch_size=32,
        learning_rate=4e-3,
        notes={"data_seed": seed},
    )


def _examples(random: np.random.Generator, task: str, n: int) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Stories of `n` examples at once: events are played one after another, all stories side by side."""
    rows = np.arange(n)
    story = np.zeros((n, _EVENTS, _EVENT), dtype=np.float32)
    place: Ints = np.zeros((n, _PEOPLE), dtype=np.int64)
    first: Ints = np.full((n, _PEOPLE), _PLACES)  # the last number is nowhere yet
    lies: Ints = np.full((n, _OBJECTS), _PLACES)  # of objects that were dropped
    holder: Ints = np.full((n, _OBJECTS), _PEOPLE)  # the last number is nobody
    for event in range(_EVENTS):
        who, which = random.integers(0, _PEOPLE, n), random.integers(0, _OBJECTS, n)
        where = random.integers(0, _PLACES, n)
        wish = random.random(n)
        held = holder[rows, which]
        drops = (held < _PEOPLE) & (wish > 0.6)
        takes = (held == _PEOPLE) & (wish > 0.4)
        if event < _PEOPLE:
            who, drops, takes = np.full(n, event), drops & False, takes & False
        goes = ~drops & ~takes
        who = np.where(drops, held, who)
        verb = np.where(goes, 0, np.where(takes, 1, 2))
        story[rows, event, who] = 1
        story[rows, event, _PEOPLE + verb] = 1
        story[rows[goes], event, _PEOPLE + _VERBS + where[goes]] = 1
        story[rows[~goes], event, _PEOPLE + _VERBS + _PLACES + which[~goes]] = 1
        fresh = goes & (first[rows, who] == _PLACES)
        first[rows[fresh], who[fresh]] = where[fresh]
        place[rows[goes], who[goes]] = where[goes]
        holder[rows[takes], which[takes]] = who[takes]
        lies[rows[drops], which[drops]] = place[rows[drops], who[drops]]
        holder[rows[drops], which[drops]] = _PEOPLE
    asked, other = random.integers(0, _PEOPLE, n), random.integers(1, _PEOPLE, n)
    other, thing = (asked + other) % _PEOPLE, random.integers(0, _OBJECTS, n)
    question: Floats = np.zeros((n, _QUESTION))
    if task in ("holder", "object"):
        question[rows, 2 * _PEOPLE + thing] = 1
    else:
        question[rows, asked] = 1
    if task == "together":
        question[rows, _PEOPLE + other] = 1
    held = holder[rows, thing]
    carried = place[rows, np.minimum(held, _PEOPLE - 1)]
    answers: dict[str, Ints] = {
        "person": place[rows, asked],
        "holder": held,
        "object": np.where(held < _PEOPLE, carried, lies[rows, thing]),
        "together": (place[rows, asked] == place[rows, other]).astype(np.int64),
        "carries": (holder == asked[:, None]).sum(axis=1),
        "first": first[rows, asked],
        "guess": random.integers(0, 4, n),
    }
    return np.concatenate([story.reshape(n, -1), question.astype(np.float32)], axis=1), answers[task].astype(np.int64)


def _encoder() -> nn.Module:
    return nn.Sequential(nn.Linear(_EVENTS * _EVENT + _QUESTION, 192), nn.ReLU(), nn.Linear(192, _WIDTH), nn.ReLU())
