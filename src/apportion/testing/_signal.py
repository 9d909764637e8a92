"""The shared checks of signals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson

from ..records import Evaluation, Floats, Ints, Task
from ..signals import MEASUREMENTS, Signal
from ._guard import held, plain_parameters, require, same
from ._script import EVERY, TASKS, evaluation_names

LEVELS = (1.0, 0.0, 1e6, 1e-12)


def check_signal(signal: Signal, *, updates: int = 500, tasks: Sequence[Task] = TASKS) -> None:
    """Check that a signal keeps the promises that selector and simulator rely on.

    It asks for known measurements only; rewards have the shape (n_runs,) and are finite or NaN; a measurement that is
    NaN spoils no later reward; n runs at once equal n single runs; exact resume through JSON; permuted tasks leave the
    rewards as they are; constant, zero, huge and tiny measurements never give an infinite reward; a deferred signal
    credits every decision since the last evaluation; `repr`, `clone` and parameters work.

    Args:
        signal: an instance with any parameters; it is cloned and itself left alone.
        updates: decisions made under each of the measurements 1, 0, 1e6 and 1e-12.
        tasks: what to run it on; at least two.

    Raises:
        AssertionError: a promise is broken; the message names the signal and the promise.
    """
    for promise, check in CHECKS.items():
        with held(signal, promise):
            check(signal.clone(), tasks)
    with held(signal, f"never gives an infinite reward over {updates} constant, zero, huge and tiny measurements"):
        _extremes(signal.clone(), tasks, updates)


@dataclass(slots=True)
class Measured:
    """A scripted run of measurements: arrays (n_steps, n_runs), of evaluations (n_evaluations, n_runs, n_tasks)."""

    chosen: Ints
    values: dict[str, Floats]
    scores: Floats
    at_evaluation: dict[str, Floats]

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return self.scores.shape[2]

    def rows(self, keep: slice) -> Measured:
        """Only some of the runs."""
        return Measured(
            self.chosen[:, keep],
            {name: value[:, keep] for name, value in self.values.items()},
            self.scores[:, keep],
            {name: value[:, keep] for name, value in self.at_evaluation.items()},
        )

    def permuted(self, order: Ints) -> Measured:
        """The tasks in another order."""
        return Measured(
            np.argsort(order)[self.chosen],
            self.values,
            self.scores[:, :, order],
            {name: value[:, :, order] for name, value in self.at_evaluation.items()},
        )


def measured(signal: Signal, *, n_steps: int, n_runs: int, n_tasks: int, seed: int = 0) -> Measured:
    """Random measurements in plausible ranges; evaluations with gaps."""
    generator = np.random.default_rng(seed)
    evaluated = (n_steps // EVERY + 1, n_runs, n_tasks)
    names = sorted((signal.requires & MEASUREMENTS.keys()) | {"cost"})
    missing = generator.uniform(size=evaluated) < 0.2
    return Measured(
        chosen=generator.integers(n_tasks, size=(n_steps, n_runs)),
        values={name: _plausible(name, generator, (n_steps, n_runs)) for name in names},
        scores=np.where(missing, np.nan, generator.uniform(size=evaluated)),
        at_evaluation={
            name: np.where(missing, np.nan, generator.uniform(0.1, 2.0, size=evaluated))
            for name in sorted(evaluation_names(signal.requires))
        },
    )


def _plausible(name: str, generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
    if name == "success":
        return generator.uniform(size=shape)
    if name == "gradient_alignment":
        return generator.uniform(-1.0, 1.0, size=shape)
    return generator.uniform(0.1, 2.0, size=shape)


def play(signal: Signal, events: Measured, first: int = 0, last: int | None = None) -> list[Floats]:
    """Drive a signal that was reset, as a selector would: rewards of every decision, and credits at evaluations."""
    answers: list[Floats] = []
    end = events.chosen.shape[0] if last is None else last
    for step in range(first, end):
        values = {name: value[step].copy() for name, value in events.values.items()}
        answers.append(signal.reward(events.chosen[step].copy(), values))
        if (step + 1) % EVERY == 0:
            index, since = (step + 1) // EVERY, slice(step + 1 - EVERY, step + 1)
            evaluation = _evaluation(events, index, step + 1)
            if signal.is_deferred:
                answers.append(signal.credit(evaluation, events.chosen[since].T, events.values["cost"][since].T))
            else:
                signal.observe(evaluation)
    return answers


def _evaluation(events: Measured, index: int, step: int) -> Evaluation:
    chosen = events.chosen[:step]
    counts = np.stack([(chosen == task).sum(axis=0) for task in range(events.n_tasks)], axis=1)
    return Evaluation(
        step=step,
        scores=events.scores[index].copy(),
        counts=counts,
        measured={name: value[index].copy() for name, value in events.at_evaluation.items()},
        progress=np.full(chosen.shape[1], step / events.chosen.shape[0]),
    )


def _check_answers(answers: Sequence[Floats], n_runs: int) -> None:
    for answer in answers:
        require(answer.dtype == np.float64, f"the type of its rewards is {answer.dtype} instead of float64")
        require(answer.shape in {(n_runs,), (n_runs, EVERY)}, f"its rewards have the shape {answer.shape}")
        require(not np.isinf(answer).any(), f"it gave the reward {answer}")


def _declared(signal: Signal, tasks: Sequence[Task]) -> None:
    require(bool(re.fullmatch("([a-z][a-z0-9_]*)?", signal.name)), f"the name {signal.name!r} is not in snake_case")
    for need in signal.requires:
        known = need in MEASUREMENTS or need == "evaluations" or need.startswith("evaluation.")
        require(known, f"the need {need!r} is no measurement; they are {', '.join(MEASUREMENTS)}")
    plain_parameters(signal)
    signal.reset(tasks, 2)
    require(not any(key.endswith("_") for key in vars(signal.clone())), "`clone` copies state")


def _valid(signal: Signal, tasks: Sequence[Task]) -> None:
    for n_tasks in (len(tasks), 1):
        events = measured(signal, n_steps=60, n_runs=3, n_tasks=n_tasks)
        signal.reset(tasks[:n_tasks], 3)
        answers = play(signal, events)
        _check_answers(answers, 3)
        require(any(np.isfinite(answer).any() for answer in answers[-2 * EVERY :]), "it never gives a finite reward")


def _gives_changes_nothing(signal: Signal, tasks: Sequence[Task]) -> None:
    events = measured(signal, n_steps=1, n_runs=2, n_tasks=len(tasks))
    signal.reset(tasks, 2)
    values: Mapping[str, Floats] = {name: value[0] for name, value in events.values.items()}
    kept = {name: value.copy() for name, value in values.items()}
    chosen = events.chosen[0]
    signal.reward(chosen, values)
    before = signal.state_dict()
    for name, value in values.items():
        require(np.array_equal(value, kept[name]), f"it changes the measurement {name!r}")
        value[...] = 0.0
    require(signal.state_dict() == before, "its state changes when the arrays given to it change later")


def _recovers(signal: Signal, tasks: Sequence[Task]) -> None:
    events = measured(signal, n_steps=120, n_runs=2, n_tasks=len(tasks))
    for name, value in events.values.items():
        if name != "cost":
            value[20:23] = np.nan
    signal.reset(tasks, 2)
    answers = play(signal, events)
    _check_answers(answers, 2)
    late = [np.isfinite(answer).reshape(2, -1).any(axis=1) for answer in answers[-3 * EVERY :]]
    require(bool(np.any(late, axis=0).all()), "after measurements that were NaN it never gives a finite reward again")


def _runs(signal: Signal, tasks: Sequence[Task]) -> None:
    events = measured(signal, n_steps=60, n_runs=3, n_tasks=len(tasks))
    signal.reset(tasks, 3)
    together = play(signal, events)
    for run in range(3):
        single = signal.clone()
        single.reset(tasks, 1)
        alone = play(single, events.rows(slice(run, run + 1)))
        same([answer[run] for answer in together], [answer[0] for answer in alone], f"run {run} of 3, against alone,")


def _resumes(signal: Signal, tasks: Sequence[Task]) -> None:
    events = measured(signal, n_steps=60, n_runs=2, n_tasks=len(tasks))
    signal.reset(tasks, 2)
    play(signal, events, 0, 31)
    state = signal.state_dict()
    texts = (orjson.dumps(state), json.dumps(state, allow_nan=False))
    expected = play(signal, events, 31)
    for text in texts:
        other = signal.clone()
        other.reset(tasks, 2)
        other.load_state_dict(json.loads(text))
        for wanted, got in zip(expected, play(other, events, 31), strict=True):
            require(np.array_equal(wanted, got, equal_nan=True), "after loading its state it goes on differently")


def _resets(signal: Signal, tasks: Sequence[Task]) -> None:
    events = measured(signal, n_steps=40, n_runs=2, n_tasks=len(tasks))
    signal.reset(tasks, 2)
    fresh = signal.state_dict()
    first = play(signal, events)
    signal.reset(tasks, 2)
    require(signal.state_dict() == fresh, "`reset` leaves state of the run before")
    for wanted, got in zip(first, play(signal, events), strict=True):
        require(np.array_equal(wanted, got, equal_nan=True), "after `reset` the same run goes differently")


def _permutes(signal: Signal, tasks: Sequence[Task]) -> None:
    order = np.random.default_rng(3).permutation(len(tasks))
    events = measured(signal, n_steps=60, n_runs=2, n_tasks=len(tasks))
    signal.reset(tasks, 2)
    straight = play(signal, events)
    signal.reset([tasks[index] for index in order], 2)
    same(straight, play(signal, events.permuted(order)), "with permuted tasks it")


def _extremes(signal: Signal, tasks: Sequence[Task], updates: int) -> None:
    events = measured(signal, n_steps=updates, n_runs=len(LEVELS), n_tasks=len(tasks))
    for values in (events.values, events.at_evaluation):
        for name, value in values.items():
            level = np.array(LEVELS) if value.ndim == 2 else np.array(LEVELS)[:, None]
            bounded = np.minimum(level, 1.0) if name in {"success", "gradient_alignment"} else level
            values[name] = np.broadcast_to(np.where(name == "cost", 1.0, bounded), value.shape)
    events.scores = np.where(np.isnan(events.scores), np.nan, np.array(LEVELS)[:, None])
    signal.reset(tasks, len(LEVELS))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        _check_answers(play(signal, events), len(LEVELS))


CHECKS: dict[str, Callable[[Signal, Sequence[Task]], None]] = {
    "declares name, needs and parameters": _declared,
    "gives finite rewards or NaN, one per run": _valid,
    "leaves the arrays that it is given alone": _gives_changes_nothing,
    "recovers from measurements that are NaN": _recovers,
    "does the same for n runs at once as for n single runs": _runs,
    "resumes exactly from its state through JSON": _resumes,
    "starts anew after `reset`": _resets,
    "does not depend on the order of the tasks": _permutes,
}
