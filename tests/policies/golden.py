"""Rows of the golden table of policies: what happened, the probabilities that must follow, and who says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apportion.policies import Policy
from apportion.records import Context, Evaluation, Task


@dataclass
class Update:
    """A reward for one decision; without `probabilities`, drawn from what the policy says at that moment."""

    chosen: int
    reward: float
    probabilities: Sequence[float] | None = None


@dataclass
class Observe:
    """A held-out evaluation: the scores of all tasks and whatever else was measured."""

    scores: Sequence[float]
    measured: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass
class At:
    """Go to a place in the run: fields of `Context`, per-task ones as lists."""

    step: int = 0
    spent: float = 0.0
    budget: float = 1000.0
    fields: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass
class Row:
    """Policy, tasks, events, expected probabilities (n_tasks,), the source of the numbers, and how closely."""

    policy: Policy
    tasks: Sequence[Task]
    events: Sequence[Update | Observe | At]
    expected: Sequence[float]
    source: str
    tolerance: float = 1e-12

    def outcome(self) -> Any:
        """The probabilities after the events, shape (n_tasks,)."""
        policy, n_tasks = self.policy.clone(), len(self.tasks)
        policy.reset(self.tasks, 1)
        context = Context.start(n_tasks)
        for event in self.events:
            if isinstance(event, At):
                context.step, context.spent, context.budget = event.step, np.array([event.spent]), event.budget
                for name, values in event.fields.items():
                    getattr(context, name)[0] = values
            elif isinstance(event, Observe):
                policy.observe(
                    Evaluation(
                        step=context.step,
                        scores=np.array([event.scores], dtype=np.float64),
                        counts=context.counts.copy(),
                        measured={name: np.array([item], dtype=np.float64) for name, item in event.measured.items()},
                        progress=context.progress,
                    )
                )
            else:
                drawn = policy.probabilities(context) if event.probabilities is None else [event.probabilities]
                policy.update(np.array([event.chosen]), np.array(drawn), np.array([float(event.reward)]))
                context.step += 1
                context.counts[0, event.chosen] += 1
        return policy.probabilities(context)[0]


def tasks(n_tasks: int) -> list[Task]:
    """So many tasks of 100 examples each: a, b, c, ..."""
    return [Task(name="abcdefghijklmnopqrstuvwxyz"[index], size=100) for index in range(n_tasks)]
