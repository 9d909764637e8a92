"""What a training loop sees: batches of many tasks, one after another, in the order that a policy decides."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from ._check import check_choice, check_integer
from .budget import Budget
from .constraints import Constraints
from .drawing import Execution
from .errors import CheckpointError
from .policies import Policy
from .records import Bools, Decision, Task
from .selector import Selector
from .signals import Signal
from .sources import Resumable, Stream, count_examples, describe

WhenExhausted = Literal["cycle", "first_exhausted", "all_exhausted", "renormalize"]

WHEN_EXHAUSTED: Mapping[WhenExhausted, str] = {
    "cycle": "a task that runs out of data starts again from its beginning",
    "first_exhausted": "the run stops as soon as one task has run out of data",
    "all_exhausted": "a task that runs out starts again; the run stops once every task has run out at least once",
    "renormalize": "a task that runs out is drawn no more, the others share its part; the run stops after the last",
}
"""What happens when a task has no more data; there is no default, since every one of these surprises somebody."""


@dataclass(slots=True)
class TaskBatch:
    """One batch and the decision that chose its task.

    Attributes:
        task: name of the task.
        batch: what the source gave.
        decision: with the probabilities that it was drawn from.
        examples: number of examples in the batch.
        position: (pass over the task's data, batch within the pass), from 0.
        started: clock reading when the loop received it, under a budget in seconds.
    """

    task: str
    batch: Any
    decision: Decision
    examples: int
    position: tuple[int, int]
    started: float = 0.0


class TaskLoader:
    """Iterates over the batches of many tasks; a policy decides step by step which task comes next.

    Args:
        sources: by task name, anything that can be iterated over batches again and again: a DataLoader, a list, or a
            `Resumable`. Only one that repeats its order resumes exactly; see `Resumable` and `Stateful`.
        policy: an instance or a name; see `Selector`.
        signal: an instance or a name; None for policies that need no reward.
        budget: how much may be spent, evaluations included.
        seed: of all random choices, required.
        when_exhausted: what happens when a task runs out of data; see `WHEN_EXHAUSTED`.
        tasks: descriptions in the order of the sources; None takes names, and sizes where sources know them (`size`,
            or the length of `dataset`).
        constraints: on the shares of tasks.
        execution: see `Selector`.
        prefetch: decisions made, and batches fetched, ahead of the one in training, at least 0. A policy that learns
            then decides on what it knew that many decisions earlier.
        examples: counts the examples of a batch; None takes `count_examples`.
        cost: of a (task name, batch), in the unit of the budget; None is 1 for steps, the number of examples for
            examples, the time from receiving the batch to telling for seconds, and required for tokens.
        log: file for the decisions.

    Raises:
        ValueError: there is no source, a number or word is wrong, or tokens have no `cost`.

    >>> from apportion.budget import Steps
    >>> sources = {"a": [[1, 2], [3]], "b": [[4]]}
    >>> loader = TaskLoader(sources, "uniform", budget=Steps(3), seed=0, when_exhausted="cycle")
    >>> for item in loader:
    ...     _ = loader.tell(item, loss=1.0)
    >>> int(loader.selector.counts.sum())
    3
    """

    def __init__(
        self,
        sources: Mapping[str, Iterable[Any] | Resumable],
        policy: Policy | str,
        signal: Signal | str | None = None,
        *,
        budget: Budget,
        seed: int,
        when_exhausted: WhenExhausted,
        tasks: Sequence[Task] | None = None,
        constraints: Constraints | None = None,
        execution: Execution = "random",
        prefetch: int = 0,
        examples: Callable[[Any], int] | None = None,
        cost: Callable[[str, Any], float] | None = None,
        log: str | Path | None = None,
    ) -> None:
        check_choice("when_exhausted", when_exhausted, WHEN_EXHAUSTED)
        check_integer("prefetch", prefetch, low=0)
        if budget.unit == "tokens" and cost is None:
            raise ValueError("a budget in tokens needs `cost`, a function of (task name, batch) that counts tokens.")
        described = tuple(tasks) if tasks is not None else tuple(describe(name, sources[name]) for name in sources)
        if [task.name for task in described] != list(sources):
            raise ValueError(
                f"`tasks` must describe the sources {list(sources)} in their order, got "
                f"{[task.name for task in described]}."
            )
        self.selector = Selector(
            described, policy, signal, budget=budget, seed=seed, constraints=constraints, execution=execution, log=log
        )
        self.when_exhausted: WhenExhausted = when_exhausted
        self.prefetch = prefetch
        self._count = examples or count_examples
        self._cost = cost
        self._streams = {
            name: Stream(name, source, seed, look_ahead=when_exhausted != "cycle") for name, source in sources.items()
        }
        self._queue: deque[TaskBatch] = deque()  # fetched, not yet given to the loop
        self._given: dict[int, TaskBatch] = {}  # given to the loop, not yet told

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return self.selector.names

    @property
    def epochs(self) -> dict[str, int]:
        """Passes over its data that each task has completed, batches fetched ahead included."""
        return {name: stream.finished for name, stream in self._streams.items()}

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> TaskBatch:
        queue, cycles = self._queue, self.when_exhausted == "cycle"
        while len(queue) <= self.prefetch and (cycles or not self._exhausted()):
            decision = self.selector.ask_unless_done(None if cycles else self._available())
            if decision is None:
                break
            batch, position = self._streams[decision.name].take()
            queue.append(TaskBatch(decision.name, batch, decision, self._count(batch), position))
        if not queue:
            raise StopIteration
        item = queue.popleft()
        if self.selector.budget.unit == "seconds":
            item.started = time.perf_counter()
        self._given[item.decision.step] = item
        return item

    def tell(self, item: TaskBatch, *, cost: float | None = None, **measured: Any) -> float:
        """Say what training on a batch measured; gives the reward, NaN where there is none (yet).

        Args:
            item: from the iteration; once, in any order.
            cost: of the decision; None takes the rule of the loader.
            measured: numbers or tensors of one element, such as `loss`.

        Raises:
            ValueError: see `Selector.tell`; the item is still pending then.
        """
        for name, value in measured.items():
            measured[name] = float(value)
        used = self.cost_of(item) if cost is None else cost
        reward = self.selector.tell(item.decision, cost=used, examples=item.examples, **measured)
        del self._given[item.decision.step]
        return reward

    def skip(self, item: TaskBatch, *, cost: float | None = None) -> None:
        """Say that a batch gave no reward; its cost and examples count all the same."""
        used = self.cost_of(item) if cost is None else cost
        self.selector.skip(item.decision, cost=used, examples=item.examples)
        del self._given[item.decision.step]

    def evaluate(
        self,
        scores: Mapping[str, float | None],
        *,
        measured: Mapping[str, Mapping[str, float]] | None = None,
        cost: float = 0.0,
    ) -> None:
        """Hand in a held-out evaluation; see `Selector.evaluate`."""
        self.selector.evaluate(scores, measured=measured, cost=cost)

    def cost_of(self, item: TaskBatch) -> float:
        """What training on a batch costs, in the unit of the budget."""
        if self._cost is not None:
            return float(self._cost(item.task, item.batch))
        if self.selector.budget.unit == "seconds":
            return time.perf_counter() - item.started
        return float(item.examples) if self.selector.budget.unit == "examples" else 1.0

    def close(self) -> None:
        """Log what is pending and close the log."""
        self.selector.close()

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resume needs, as data that JSON can hold.

        Batches that were fetched ahead, or given to the loop and not told, do not count as consumed: a resume gives
        them to the loop again, with the decisions that chose them.
        """
        waiting = [*self._given.values(), *self._queue]
        held = {item.task for item in waiting}
        return {
            "selector": self.selector.state_dict(),
            "streams": {name: stream.state(name in held) for name, stream in self._streams.items()},
            "waiting": [[item.decision.step, *item.position] for item in waiting],
            "when_exhausted": self.when_exhausted,
        }

    def load_state_dict(self, state: Mapping[str, Any], *, migrate: bool = False) -> None:
        """Continue exactly where `state_dict` was taken.

        Args:
            state: from `state_dict`.
            migrate: see `Selector.load_state_dict`. Tasks keep their places in their data by name.

        Raises:
            FingerprintError: the run has other tasks, another policy or other constraints, and `migrate` is false.
            CheckpointError: the state is damaged.
        """
        try:
            selector, streams, waiting = state["selector"], state["streams"], state["waiting"]
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"the saved state of the loader is damaged ({error!r}).") from error
        self.selector.load_state_dict(selector, migrate=migrate)
        pending = {decision.step: decision for decision in self.selector.pending}
        self._given.clear()
        self._queue.clear()
        try:
            positions = {int(step): (int(epoch), int(index)) for step, epoch, index in waiting if int(step) in pending}
            batches: dict[str, dict[tuple[int, int], Any]] = {}
            for name, stream in self._streams.items():
                if name in streams:
                    mine = [place for step, place in positions.items() if pending[step].name == name]
                    batches[name] = stream.restore(streams[name], mine)
            for step in sorted(positions):
                decision, position = pending[step], positions[step]
                batch = batches[decision.name][position]
                self._queue.append(TaskBatch(decision.name, batch, decision, self._count(batch), position))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the saved state of the loader is damaged ({error!r}).") from error

    def _available(self) -> Bools | None:
        if self.when_exhausted != "renormalize":
            return None
        return np.array([stream.finished == 0 for stream in self._streams.values()])

    def _exhausted(self) -> bool:
        finished = [stream.finished > 0 for stream in self._streams.values()]
        return any(finished) if self.when_exhausted == "first_exhausted" else all(finished)
