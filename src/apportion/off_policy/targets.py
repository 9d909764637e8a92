"""What other policies would have drawn from in every round of a log."""

from __future__ import annotations

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from .._check import check_names
from ..budget import Budget
from ..constraints import Constraints
from ..drawing import Drawing
from ..errors import LogFormatError
from ..log import LoggedEvaluation
from ..policies import Policy, policies
from ..records import Bools, Context, Evaluation, Floats, Ints
from .sources import LogSource, Piece

LOGGING = "logging policy"
"""Label of the policy that wrote the log."""
ALONE = "task:"
"""`task:NAME` is the policy that always draws this task."""
MOST_ALONE = 24
"""With more tasks, none is evaluated alone unless it is asked for."""

Kind = Literal["logging", "fixed", "replayed"]


class Target(ABC):
    """Says, piece by piece and in the order of the log, with which probabilities a policy would have drawn.

    Attributes:
        label: for tables.
        kind: `logging`, `fixed` (the same in every round) or `replayed`.
    """

    kind: ClassVar[Kind]

    def __init__(self, label: str) -> None:
        self.label = label

    @abstractmethod
    def probabilities(self, piece: Piece) -> Floats:
        """The probabilities in each round of the next piece, shape (n_rounds, n_tasks)."""


class LoggingTarget(Target):
    """The policy that wrote the log: its estimate is the mean reward, whatever the estimator."""

    kind = "logging"

    def __init__(self) -> None:
        super().__init__(LOGGING)

    def probabilities(self, piece: Piece) -> Floats:
        """What was drawn from."""
        return piece.logged.probabilities


class FixedTarget(Target):
    """The same probabilities in every round.

    Args:
        label: for tables.
        shares: shape (n_tasks,).
    """

    kind = "fixed"

    def __init__(self, label: str, shares: Floats) -> None:
        super().__init__(label)
        self.shares = shares

    def probabilities(self, piece: Piece) -> Floats:
        """The same row for every round."""
        return np.broadcast_to(self.shares, (piece.logged.n_rounds, self.shares.shape[0]))


class ReplayedTarget(Target):
    """What a policy would have drawn from at each step, had it watched this log from its beginning.

    The policy is driven as a selector drives it, but the draws are those of the log. Before it is asked at step t it
    has learned from the logged decisions before t whose rewards were known by then, each with the probabilities that it
    was logged with, and has seen the logged evaluations up to t; it is told the counts, examples and costs of the log.
    Its probabilities at t so depend on the logged past alone, never on the decision of round t or on what came after,
    which is what estimators of `per_step` need. The estimate is of this one choice at each step. It is not of what the
    policy would have learned from choices of its own, and not of where these would have led: the rewards that it
    learned from are those of the logged choices, in the log's own signal.

    A policy that is replayed on a log of its own gives the logged probabilities back. Costs one step of the policy in
    each round (some 50 to 200 microseconds).

    Args:
        label: for tables.
        policy: without state; it is cloned.
        source: the log.

    Raises:
        ValueError: the policy needs something that the log does not have.
        LogFormatError: an evaluation in the log has no usable cost.
    """

    kind = "replayed"

    def __init__(self, label: str, policy: Policy, source: LogSource) -> None:
        super().__init__(label)
        self._policy = policy.clone()
        self._path, self._names = source.path, tuple(task.name for task in source.tasks)
        constraints, self._budget = constraints_of(source), _budget_of(source)
        self._drawing = Drawing(source.tasks, constraints, "random", 0)
        sizes = np.array([math.inf if task.size is None else task.size for task in source.tasks])
        self._books = _Books(constraints.epochs(source.tasks) * sizes)
        wanted = {need for need in policy.requires if need.startswith("evaluation")}
        self._evaluations = source.evaluations()
        self._check(wanted)
        self._evaluated = 0
        # Decisions whose rewards are not known yet: known, order, task, probabilities, reward.
        self._waiting: list[tuple[int, int, int, Floats, float]] = []
        self._seen = 0
        self._last = -1
        self._policy.reset(source.tasks, 1)

    def probabilities(self, piece: Piece) -> Floats:
        """What the policy would have drawn from in each round.

        Raises:
            LogFormatError: the rounds are not in the order of their steps.
        """
        logged = piece.logged
        found = np.empty(logged.probabilities.shape)
        columns = (logged.step, logged.chosen, logged.reward, logged.cost, piece.examples, piece.known)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for row, (step, task, reward, cost, examples, known) in enumerate(rows):
            if step < self._last:
                raise LogFormatError(
                    f"'{self._path}': field `step` goes back from {self._last} to {step}: sort the log to replay "
                    f"{self.label!r} on it."
                )
            self._last = step
            self._catch_up(step)
            found[row] = self._ask(step)
            self._books.settle(task, cost, examples)
            if not math.isnan(reward):
                heapq.heappush(self._waiting, (known, self._seen, task, logged.probabilities[row], reward))
            self._seen += 1
        return found

    def _ask(self, step: int) -> Floats:
        mask, books = self._drawing.allowed, self._books
        limited = mask & books.within_limits()
        mask = limited if limited.any() else mask
        context = Context(
            step=step,
            spent=np.array([books.spent]),
            budget=self._budget.amount,
            counts=books.counts.copy(),
            examples=books.examples.copy(),
            costs=books.costs.copy(),
            available=mask[None, :],
        )
        return self._drawing.shares(self._policy.probabilities(context)[0], mask).probabilities

    def _catch_up(self, step: int) -> None:
        while self._evaluated < len(self._evaluations) and self._evaluations[self._evaluated].step <= step:
            evaluation = self._evaluations[self._evaluated]
            self._learn(evaluation.step)
            self._observe(evaluation)
            self._evaluated += 1
        self._learn(step)

    def _learn(self, step: int) -> None:
        while self._waiting and self._waiting[0][0] <= step:
            _, _, task, probabilities, reward = heapq.heappop(self._waiting)
            self._policy.update(np.array([task]), probabilities[None, :], np.array([reward]))

    def _observe(self, logged: LoggedEvaluation) -> None:
        books = self._books
        books.spent += logged.cost
        self._policy.observe(
            Evaluation(
                step=logged.step,
                scores=logged.scores[None, :],
                counts=books.counts.copy(),
                measured={name: values[None, :] for name, values in logged.measured.items()},
                progress=np.array([min(books.spent / self._budget.amount, 1.0)]),
                examples=books.examples.copy(),
                costs=books.costs / self._budget.amount,
            )
        )

    def _check(self, wanted: set[str]) -> None:
        for number, evaluation in enumerate(self._evaluations):
            if not (math.isfinite(evaluation.cost) and evaluation.cost >= 0):
                raise LogFormatError(
                    f"'{self._path}': field `cost` of evaluation {number} must be finite and not negative, got "
                    f"{evaluation.cost}."
                )
        if wanted and not self._evaluations:
            raise ValueError(
                f"the policy {self.label!r} learns from held-out evaluations, and '{self._path}' holds none: leave it "
                "out, or evaluate while training."
            )
        for need in sorted(wanted - {"evaluations"}):
            name = need.partition(".")[2]
            if not all(name in evaluation.measured for evaluation in self._evaluations):
                raise ValueError(
                    f"the policy {self.label!r} needs `{need}`, which the evaluations in '{self._path}' do not have."
                )


class _Books:
    """What a log has spent so far; arrays of shape (1, n_tasks).

    Args:
        most_examples: most examples that each task may consume, shape (n_tasks,).
    """

    def __init__(self, most_examples: Floats) -> None:
        shape = (1, most_examples.shape[0])
        self._most_examples = most_examples
        self.spent = 0.0
        self.counts: Ints = np.zeros(shape, dtype=np.int64)
        self.examples: Floats = np.zeros(shape)
        self.costs: Floats = np.zeros(shape)
        self._batch: Floats = np.zeros(shape[1])  # examples of the last batch of each task

    def settle(self, task: int, cost: float, examples: float) -> None:
        """Book a decision."""
        self.spent += cost
        self.counts[0, task] += 1
        self.costs[0, task] += cost
        self.examples[0, task] += examples
        if examples:
            self._batch[task] = examples

    def within_limits(self) -> Bools:
        """Tasks that may consume another batch, as the selector decides it, shape (n_tasks,)."""
        used = self.examples[0]
        return (used + self._batch <= self._most_examples + 1e-9) & (used < self._most_examples)


def default_targets(source: LogSource) -> list[Target]:
    """What is evaluated where nothing is named: uniform, proportional where sizes are known, each task alone."""
    specs = ["uniform"]
    if all(task.size is not None for task in source.tasks):
        specs.append("proportional")
    if 1 < len(source.tasks) <= MOST_ALONE:
        specs += [f"{ALONE}{task.name}" for task in source.tasks]
    return [make_target(spec, source) for spec in specs]


def make_target(spec: str, source: LogSource) -> Target:
    """A policy by name, with parameters, from a file as `FILE.py:CLASS`, or one task alone as `task:NAME`.

    It obeys the constraints of the log (floors, caps, fixed shares, excluded tasks, most repetitions).

    Raises:
        ValueError: the policy or the task is unknown, or the policy needs what the log does not have.
    """
    names = [task.name for task in source.tasks]
    if spec.startswith(ALONE):
        name = spec[len(ALONE) :]
        check_names("policy", [name], names)
        asked = np.array([1.0 if own == name else 0.0 for own in names])
        return FixedTarget(spec, _constrained(asked, source))
    policy = policies.make(spec)
    if policy.static and constraints_of(source).max_epochs is None:
        policy = policy.clone()
        policy.reset(source.tasks, 1)
        context = Context.start(len(names), budget=_budget_of(source).amount)
        return FixedTarget(spec, _constrained(policy.probabilities(context)[0], source))
    return ReplayedTarget(spec, policy, source)


def _constrained(asked: Floats, source: LogSource) -> Floats:
    drawing = Drawing(source.tasks, constraints_of(source), "random", 0)
    return drawing.shares(asked, drawing.allowed).probabilities


def constraints_of(source: LogSource) -> Constraints:
    """The constraints under which the log was drawn; none where it does not say.

    Raises:
        LogFormatError: the header is damaged.
    """
    data: Any = source.header.get("constraints")
    if data is None:
        return Constraints()
    try:
        constraints = Constraints(**data)
        constraints.bounds(source.tasks)
    except (TypeError, ValueError, AttributeError) as error:
        raise LogFormatError(f"'{source.path}': field `constraints` of the header is wrong ({error}).") from error
    return constraints


def _budget_of(source: LogSource) -> Budget:
    data: Any = source.header.get("budget")
    if data is None:
        return Budget(source.n_rounds)
    try:
        given: Mapping[str, Any] = data
        return Budget(float(given["amount"]), given["unit"])
    except (KeyError, TypeError, ValueError) as error:
        raise LogFormatError(f"'{source.path}': field `budget` of the header is wrong ({error}).") from error
