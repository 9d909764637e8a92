"""The shared checks of policies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
import orjson

from ..policies import Family, Policy
from ..records import Context, Evaluation, Floats, Task
from ._guard import held, plain_parameters, require, same
from ._script import TASKS, Script, constant_script, copied, evaluation_names, play, script, start

LEVELS = (1.0, 0.0, 1e6, 1e-12, -1e6)
"""Rewards that never change and that a policy has to survive: constant, zero, huge, tiny, huge and negative."""


def check_policy(policy: Policy, *, updates: int = 2_000, tasks: Sequence[Task] = TASKS) -> None:
    """Check that a policy keeps the promises that selector, simulator and estimators rely on.

    Valid probabilities on fresh, trained, masked and one-task contexts; purity; foreign and late updates; n runs at
    once equal n single runs; exact resume through JSON; permuted tasks permute the probabilities (unless `ordered`);
    constant, zero, huge and tiny rewards stay finite; `needs` and `static` are true; `repr`, `clone` and parameters
    work.

    Args:
        policy: an instance with any parameters; it is cloned and itself left alone.
        updates: decisions made under each of the rewards 1, 0, 1e6, 1e-12 and -1e6.
        tasks: what to run it on; at least two. Needed for policies whose parameters name other tasks than `TASKS`.

    Raises:
        AssertionError: a promise is broken; the message names the policy and the promise.
    """
    for promise, check in CHECKS.items():
        with held(policy, promise):
            check(policy.clone(), tasks)
    with held(policy, f"stays valid over {updates} updates at constant, zero, huge and tiny rewards"):
        _extremes(policy.clone(), tasks, updates)


def check_valid(answer: Floats, n_runs: int, n_tasks: int) -> None:
    """Refuse anything but probabilities of shape (n_runs, n_tasks) whose rows sum to 1 within 1e-12."""
    require(isinstance(answer, np.ndarray), f"it returned {type(answer).__name__} instead of an array")
    require(answer.shape == (n_runs, n_tasks), f"its shape is {answer.shape} instead of {(n_runs, n_tasks)}")
    require(answer.dtype == np.float64, f"its type is {answer.dtype} instead of float64")
    require(answer.min() >= 0.0, f"the smallest of its probabilities is {answer.min()}")
    worst = np.abs(answer.sum(axis=1) - 1.0).max()
    require(worst <= 1e-12, f"a row misses the sum of 1 by {worst:.3g}")


def _declared(policy: Policy, tasks: Sequence[Task]) -> None:
    require(bool(re.fullmatch("([a-z][a-z0-9_]*)?", policy.name)), f"the name {policy.name!r} is not in snake_case")
    require(policy.family in get_args(Family), f"the family {policy.family!r} is unknown")
    for need in policy.requires:
        known = need in {"reward", "evaluations"} or need.startswith("evaluation.")
        require(known, f"the need {need!r} is none of reward, evaluations and evaluation.NAME")
    plain_parameters(policy)
    policy.reset(tasks, 2)
    require(not any(key.endswith("_") for key in vars(policy.clone())), "`clone` copies state")


def _valid(policy: Policy, tasks: Sequence[Task]) -> None:
    events = script(policy, n_steps=60, n_runs=3, n_tasks=len(tasks))
    policy.reset(tasks, 3)
    context = start(events)
    for answer in play(policy, events, context):
        check_valid(answer, 3, len(tasks))
    for index in range(len(tasks)):
        context.available = np.zeros((3, len(tasks)), dtype=np.bool_)
        context.available[:, index] = True
        check_valid(policy.probabilities(context), 3, len(tasks))


def _one_task(policy: Policy, tasks: Sequence[Task]) -> None:
    try:
        policy.reset(tasks[:1], 2)
    except ValueError as error:
        # A policy whose parameters name tasks may refuse a list without them, if it says which one is missing.
        if any(repr(task.name) in str(error) for task in tasks[1:]):
            return
        raise
    for answer in play(policy, one := script(policy, n_steps=20, n_runs=2, n_tasks=1), start(one)):
        check_valid(answer, 2, 1)


def _pure(policy: Policy, tasks: Sequence[Task]) -> None:
    events = script(policy, n_steps=40, n_runs=2, n_tasks=len(tasks))
    policy.reset(tasks, 2)
    context = start(events)
    for last in (0, 20, 40):
        play(policy, events, context, last)
        before, seen = policy.state_dict(), copied(context)
        first = policy.probabilities(context)
        kept = first.copy()
        require(policy.state_dict() == before, "`probabilities` changes the state")
        for name in ("spent", "counts", "examples", "costs", "available"):
            require(np.array_equal(getattr(seen, name), getattr(context, name)), f"it changes `context.{name}`")
        first[...] = np.nan
        require(np.array_equal(policy.probabilities(context), kept), "asked twice, it answers differently")


def _keeps_nothing(policy: Policy, tasks: Sequence[Task]) -> None:
    n = len(tasks)
    events = script(policy, n_steps=EVERY_STEPS, n_runs=2, n_tasks=n)
    policy.reset(tasks, 2)
    context = start(events)
    play(policy, events, context)
    chosen, probabilities, reward = np.array([0, n - 1]), np.full((2, n), 1.0 / n), np.array([0.5, 0.2])
    policy.update(chosen, probabilities, reward)
    evaluation = Evaluation(
        step=context.step,
        scores=events.scores[0].copy(),
        counts=context.counts.copy(),
        measured={name: values[0].copy() for name, values in events.measured.items()},
        progress=context.progress,
    )
    policy.observe(evaluation)
    before = policy.state_dict()
    for array in (chosen, probabilities, reward, evaluation.scores, evaluation.counts, *evaluation.measured.values()):
        array[...] = 0
    require(policy.state_dict() == before, "its state changes when the arrays given to it change later")


def _foreign(policy: Policy, tasks: Sequence[Task]) -> None:
    n = len(tasks)
    generator = np.random.default_rng(1)
    policy.reset(tasks, 2)
    for step in range(40):
        probabilities = generator.dirichlet(np.ones(n), size=2)
        chosen = generator.integers(n, size=2)
        if step % 10 == 0:
            probabilities = np.zeros((2, n))
            probabilities[[0, 1], chosen] = 1.0
        if step % 10 == 5:
            probabilities = np.full((2, n), (1.0 - 1e-9) / max(n - 1, 1))
            probabilities[[0, 1], chosen] = 1e-9
        policy.update(chosen, probabilities, generator.normal(size=2))
        check_valid(policy.probabilities(Context.start(n, n_runs=2)), 2, n)


def _late(policy: Policy, tasks: Sequence[Task]) -> None:
    n = len(tasks)
    events = script(policy, n_steps=30, n_runs=2, n_tasks=n)
    policy.reset(tasks, 2)
    context = start(events)
    pending: list[tuple[np.ndarray, Floats, Floats]] = []
    for step in range(30):
        answer = policy.probabilities(context)
        pending.append((events.noise[step].argmin(axis=1), 0.5 * answer + 0.5 / n, events.rewards[step]))
        context.counts[[0, 1], pending[-1][0]] += 1
        context.step += 1
    for chosen, drawn, reward in reversed(pending[5:]):  # the first five are never told
        policy.update(chosen, drawn, reward)
        check_valid(policy.probabilities(context), 2, n)


def _runs(policy: Policy, tasks: Sequence[Task]) -> None:
    events = script(policy, n_steps=45, n_runs=3, n_tasks=len(tasks))
    policy.reset(tasks, 3)
    together = play(policy, events, start(events))
    for run in range(3):
        single = policy.clone()
        single.reset(tasks, 1)
        part = events.rows(slice(run, run + 1))
        alone = play(single, part, start(part))
        same([answer[run] for answer in together], [answer[0] for answer in alone], f"run {run} of 3, against alone,")


def _resumes(policy: Policy, tasks: Sequence[Task]) -> None:
    events = script(policy, n_steps=50, n_runs=2, n_tasks=len(tasks))
    policy.reset(tasks, 2)
    context = start(events)
    play(policy, events, context, 31)
    state = policy.state_dict()
    dumps: tuple[Callable[[], bytes | str], ...] = (
        lambda: orjson.dumps(state),
        lambda: json.dumps(state, allow_nan=False),
    )
    texts = [dump() for dump in dumps]
    later = copied(context)
    expected = play(policy, events, context)
    for text in texts:
        other = policy.clone()
        other.reset(tasks, 2)
        other.load_state_dict(json.loads(text))
        for wanted, got in zip(expected, play(other, events, copied(later)), strict=True):
            require(np.array_equal(wanted, got), "after loading its state it goes on differently")


def _resets(policy: Policy, tasks: Sequence[Task]) -> None:
    events = script(policy, n_steps=30, n_runs=2, n_tasks=len(tasks))
    policy.reset(tasks, 2)
    fresh = policy.state_dict()
    first = play(policy, events, start(events))
    policy.reset(tasks, 2)
    require(policy.state_dict() == fresh, "`reset` leaves state of the run before")
    for wanted, got in zip(first, play(policy, events, start(events)), strict=True):
        require(np.array_equal(wanted, got), "after `reset` the same run goes differently")


def _permutes(policy: Policy, tasks: Sequence[Task]) -> None:
    if policy.is_ordered:
        return
    order = np.random.default_rng(3).permutation(len(tasks))
    events = script(policy, n_steps=45, n_runs=2, n_tasks=len(tasks))
    policy.reset(tasks, 2)
    straight = play(policy, events, start(events))
    policy.reset([tasks[index] for index in order], 2)
    other = events.permuted(order)
    permuted = play(policy, other, start(other))
    same([answer[:, order] for answer in straight], permuted, "with permuted tasks it")


def _honest(policy: Policy, tasks: Sequence[Task]) -> None:
    """What a policy does not ask for must not change its probabilities."""
    events = script(policy, n_steps=45, n_runs=2, n_tasks=len(tasks))
    evaluates = "evaluations" in policy.requires or bool(evaluation_names(policy.requires))
    changed = Script(
        events.noise,
        events.rewards if "reward" in policy.requires else events.rewards[::-1] + 1.0,
        events.told,
        events.available,
        events.scores if evaluates else events.scores[::-1] + 1.0,
        events.measured,
    )
    policy.reset(tasks, 2)
    wanted = play(policy, events, start(events))
    policy.reset(tasks, 2)
    same(wanted, play(policy, changed, start(changed)), "under other values of what `needs` does not name it")


def _static(policy: Policy, tasks: Sequence[Task]) -> None:
    if not policy.static:
        return
    events = script(policy, n_steps=45, n_runs=2, n_tasks=len(tasks))
    policy.reset(tasks, 2)
    answers = play(policy, events, start(events))
    for answer in answers:
        require(np.array_equal(answer, answers[0]), "it is declared `static`, but its probabilities change")


def _extremes(policy: Policy, tasks: Sequence[Task], updates: int) -> None:
    events = constant_script(policy, LEVELS, n_steps=updates, n_tasks=len(tasks))
    policy.reset(tasks, len(LEVELS))
    context = start(events)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for step, answer in enumerate(play(policy, events, context)):
            worst = np.abs(answer.sum(axis=1) - 1.0)
            bad = ~((answer.min(axis=1) >= 0.0) & (worst <= 1e-12))
            if bad.any():
                run = int(np.flatnonzero(bad)[0])
                raise AssertionError(f"at a constant reward of {LEVELS[run]:g}, step {step}, it says {answer[run]}")


EVERY_STEPS = 12

CHECKS: dict[str, Callable[[Policy, Sequence[Task]], None]] = {
    "declares name, family, needs and parameters": _declared,
    "gives valid probabilities when fresh, trained and masked": _valid,
    "gives valid probabilities for a single task": _one_task,
    "has pure `probabilities`": _pure,
    "accepts updates for decisions that it did not make": _foreign,
    "accepts late updates in another order, or none": _late,
    "keeps no reference to arrays that it is given": _keeps_nothing,
    "does the same for n runs at once as for n single runs": _runs,
    "resumes exactly from its state through JSON": _resumes,
    "starts anew after `reset`": _resets,
    "permutes with the tasks": _permutes,
    "uses only what `needs` names": _honest,
    "is `static` only if it never changes": _static,
}
