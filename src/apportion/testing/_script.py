"""A scripted run: what happens to a policy in the shared checks, fixed before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..policies import Policy
from ..records import Bools, Context, Evaluation, Floats, Ints, Task

TASKS: tuple[Task, ...] = (
    Task(name="a", size=100, features=(0.0, 1.0)),
    Task(name="b", size=1_000, features=(0.5, 0.5)),
    Task(name="c", size=5_000, priority=2.0, features=(1.0, 0.0)),
    Task(name="d", size=20_000, priority=0.5, features=(0.2, 0.9)),
    Task(name="e", size=300, priority=0.0, features=(0.7, 0.3)),
)
"""The tasks of the shared checks. A policy whose parameters name tasks may use these names in its `examples`."""

EVERY = 7  # decisions between two evaluations


@dataclass(slots=True)
class Script:
    """Everything that a run cannot decide itself, so that it can be replayed, cut into runs and permuted.

    Attributes:
        noise: exponential variates; the task drawn is the one with the smallest noise / probability,
            shape (n_steps, n_runs, n_tasks).
        rewards: shape (n_steps, n_runs).
        told: decisions that get a reward, shape (n_steps, n_runs).
        available: shape (n_steps, n_runs, n_tasks).
        scores: of the evaluations, NaN where not measured, shape (n_evaluations, n_runs, n_tasks).
        measured: further values of the evaluations by name, shaped as `scores`.
    """

    noise: Floats
    rewards: Floats
    told: Bools
    available: Bools
    scores: Floats
    measured: dict[str, Floats] = field(default_factory=dict[str, Floats])

    @property
    def n_steps(self) -> int:
        """Number of decisions."""
        return self.noise.shape[0]

    @property
    def n_runs(self) -> int:
        """Number of runs side by side."""
        return self.noise.shape[1]

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return self.noise.shape[2]

    def rows(self, keep: slice) -> Script:
        """Only some of the runs."""
        return Script(
            self.noise[:, keep],
            self.rewards[:, keep],
            self.told[:, keep],
            self.available[:, keep],
            self.scores[:, keep],
            {name: values[:, keep] for name, values in self.measured.items()},
        )

    def permuted(self, order: Ints) -> Script:
        """The tasks in another order."""
        return Script(
            self.noise[:, :, order],
            self.rewards,
            self.told,
            self.available[:, :, order],
            self.scores[:, :, order],
            {name: values[:, :, order] for name, values in self.measured.items()},
        )


def script(policy: Policy, *, n_steps: int, n_runs: int, n_tasks: int, seed: int = 0) -> Script:
    """An eventful script: rewards of both signs, some never told, tasks that come and go, gaps in evaluations."""
    generator = np.random.default_rng(seed)
    shape = (n_steps, n_runs, n_tasks)
    evaluated = (n_steps // EVERY + 1, n_runs, n_tasks)
    available = np.ones(shape, dtype=np.bool_)
    if n_tasks > 1:
        away = generator.integers(n_tasks, size=n_runs)
        available[n_steps // 3 : n_steps // 2, np.arange(n_runs), away] = False
    scores = generator.uniform(size=evaluated).cumsum(axis=0) / np.arange(1, evaluated[0] + 1)[:, None, None]
    missing = generator.uniform(size=evaluated) < 0.2
    values = {name: generator.uniform(0.1, 2.0, size=evaluated) for name in sorted(evaluation_names(policy.requires))}
    return Script(
        noise=generator.exponential(size=shape),
        rewards=generator.normal(0.3, 0.5, size=shape[:2]),
        told=generator.uniform(size=shape[:2]) < 0.8,
        available=available,
        scores=np.where(missing, np.nan, scores),
        measured={name: np.where(missing, np.nan, value) for name, value in values.items()},
    )


def constant_script(policy: Policy, levels: Sequence[float], *, n_steps: int, n_tasks: int, seed: int = 0) -> Script:
    """One run for each level: every reward and every evaluation has this value, with gaps in the evaluations."""
    shape = (n_steps, len(levels), n_tasks)
    evaluated = (n_steps // EVERY + 1, len(levels), n_tasks)
    level = np.array(levels)
    scores = np.broadcast_to(level[:, None], evaluated).copy()
    scores[np.arange(evaluated[0]), :, np.arange(evaluated[0]) % n_tasks] = np.nan
    return Script(
        noise=np.random.default_rng(seed).exponential(size=shape),
        rewards=np.broadcast_to(level, shape[:2]),
        told=np.ones(shape[:2], dtype=np.bool_),
        available=np.ones(shape, dtype=np.bool_),
        scores=scores,
        measured={name: np.abs(scores) for name in sorted(evaluation_names(policy.requires))},
    )


def evaluation_names(requires: frozenset[str]) -> set[str]:
    """The NAMEs among needs of the form `evaluation.NAME`."""
    return {need.removeprefix("evaluation.") for need in requires if need.startswith("evaluation.")}


def play(policy: Policy, script: Script, context: Context, last: int | None = None) -> list[Floats]:
    """Drive a policy that was reset from `context.step` to `last`, as a selector would; returns its probabilities.

    Draws from the masked probabilities with a twentieth of uniform mixed in, so that every task has a propensity above
    0 and the policy sees decisions that are not quite its own. `context` moves along.
    """
    answers: list[Floats] = []
    runs = np.arange(script.n_runs)
    for step in range(context.step, script.n_steps if last is None else last):
        available = script.available[step]
        context.available = available
        answer = policy.probabilities(context)
        answers.append(answer)
        drawn = drawn_from(answer, available)
        chosen = (script.noise[step] / np.maximum(drawn, 1e-300)).argmin(axis=1)
        for array in (drawn, chosen):
            array.flags.writeable = False
        policy.update_rows(script.told[step], chosen, drawn, script.rewards[step])
        context.step += 1
        context.counts[runs, chosen] += 1
        context.examples[runs, chosen] += 8.0
        context.costs[runs, chosen] += 1.0
        context.spent += 1.0
        if context.step % EVERY == 0:
            index = context.step // EVERY
            policy.observe(
                Evaluation(
                    step=context.step,
                    scores=script.scores[index].copy(),
                    counts=context.counts.copy(),
                    measured={name: values[index].copy() for name, values in script.measured.items()},
                    progress=context.progress,
                )
            )
    return answers


def drawn_from(answer: Floats, available: Bools) -> Floats:
    """What a selector draws from: masked, with a twentieth of uniform over the available tasks."""
    uniform = available / available.sum(axis=1, keepdims=True)
    masked = np.where(available, answer, 0.0)
    total = masked.sum(axis=1, keepdims=True)
    return 0.95 * np.where(total > 0, masked / np.where(total > 0, total, 1.0), uniform) + 0.05 * uniform


def start(script: Script) -> Context:
    """The context before the first decision of a script."""
    return Context.start(script.n_tasks, n_runs=script.n_runs, budget=float(script.n_steps))


def copied(context: Context) -> Context:
    """A context that moves on its own."""
    arrays: dict[str, Any] = {
        name: getattr(context, name).copy() for name in ("spent", "counts", "examples", "costs", "available")
    }
    return Context(step=context.step, budget=context.budget, **arrays)
