"""What a whole run under another policy would have reached, by playing it inside the fitted world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .._check import check_integer, check_number
from ..records import Bools, Context, Estimate, Evaluation, Floats, Ints, Task
from ._variants import REUSE, kept, readiness, value_and_slope
from .objective import MeanScore, Objective
from .posterior import Posterior


class Player(Protocol):
    """What is needed of a policy; every `Policy` has it."""

    @property
    def requires(self) -> frozenset[str]:
        """What it asks for."""
        ...

    def clone(self) -> Any:
        """A copy without state."""
        ...

    def params(self) -> Mapping[str, Any]:
        """Its parameters as plain data."""
        ...

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Make the state for new runs."""
        ...

    def probabilities(self, context: Context) -> Floats:
        """How likely each task is, (n_runs, n_tasks)."""
        ...

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Learn from rewards."""
        ...

    def observe(self, evaluation: Evaluation) -> None:
        """Learn from an evaluation."""
        ...


class FittedWorld:
    """The fitted model as a world to train in: one draw from the posterior per run.

    Args:
        posterior: from `fit`.
        run: of the history.
        n_runs: draws to play, at most as many as the posterior has.

    Raises:
        ValueError: there are fewer draws.
    """

    def __init__(self, posterior: Posterior, *, run: int = 0, n_runs: int = 64) -> None:
        history, members = posterior.history, posterior.members
        check_integer("run", run, low=0, high=history.n_runs - 1)
        check_integer("n_runs", n_runs, low=1, high=members.at.shape[1])
        variants = posterior.variants
        shape = members.variant[run, :n_runs]
        self.tasks = history.tasks
        self.n_runs, self.n_tasks = n_runs, history.n_tasks
        self.costs = history.costs[run]
        self.total = history.budget / float(self.costs.mean())
        self.batch = float(history.examples[run, -1].sum() / max(history.counts[run, -1].sum(), 1.0))
        self._sizes = np.array([np.inf if task.size is None else float(task.size) for task in self.tasks])
        self._start, self._span = members.start[run, :n_runs], members.span[run, :n_runs]
        self._columns = members.rate[run, :n_runs] * (self.n_tasks / self.total)
        self._interference = members.interference[run, :n_runs]
        self._tail = variants.tail[shape]
        self._keep = np.exp(-variants.fading[shape] / self.total)
        self._half = variants.plateau[shape] * self.total
        self._late = variants.late[shape] * self.total
        self._pace = 1.0 - np.exp(-1.0 / (posterior.memory * self.total))
        self.noise = posterior.noise[run]
        self._z = np.zeros((n_runs, self.n_tasks))
        self._recent = np.full((n_runs, self.n_tasks), 1.0 / self.n_tasks)
        self._counts = np.zeros((n_runs, self.n_tasks))

    def scores(self) -> Floats:
        """True scores in the draws, (n_runs, n_tasks)."""
        u, _ = value_and_slope(self._z, self._tail)
        held = 1.0 - self._interference * (1.0 - kept(self._recent)[0])
        return self._start + self._span * u * held

    def step(self, chosen: Ints, active: Floats) -> None:
        """One batch of the task `chosen` in each run; `active` is 1 for runs that go on and 0 for others."""
        rows = np.arange(self.n_runs)
        n = self._counts.sum(axis=1, keepdims=True) + 0.5
        ready = readiness(n, self._half) * ((n >= np.abs(self._late)) != (self._late < 0.0))
        epochs = self._counts[rows, chosen] * self.batch / self._sizes[chosen]
        worth = np.exp(-np.maximum(epochs - 1.0, 0.0) / REUSE) * active
        keep = np.where(active[:, None] > 0, self._keep, 1.0)
        self._z = keep * self._z + self._columns[rows, :, chosen] * ready * worth[:, None]
        self._counts[rows, chosen] += active
        pace = self._pace * active
        self._recent *= 1.0 - pace[:, None]
        self._recent[rows, chosen] += pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Runs of a policy inside the fitted world.

    Attributes:
        scores: at the end, one row per draw from the posterior, (n_runs, n_tasks).
        counts: decisions for each task, the same shape.
        estimate: of the objective at the end, with an interval that holds the model's uncertainty and the draws' luck.
    """

    scores: Floats
    counts: Floats
    estimate: Estimate


def replay(
    posterior: Posterior,
    policy: Player,
    *,
    seed: int,
    n_runs: int = 64,
    run: int = 0,
    every: int | None = None,
    objective: Objective | None = None,
    confidence: float = 0.9,
) -> Replayed:
    """Estimate what a whole run under `policy` reaches (estimand `run`), by playing it in the fitted world.

    Every run has its own draw from the posterior, so the interval holds what the model does not know, but not that
    the model may be wrong. Evaluations cost and show noise as in the history. A reward is the rise of the chosen
    task's score by its batch, which stands for any progress signal.

    Args:
        posterior: from `fit`.
        policy: with any parameters; a copy is played.
        seed: of the draws of tasks and of the noise.
        n_runs: draws from the posterior.
        run: of the history.
        every: steps between evaluations; None for as many as in the history.
        objective: the mean score unless given.
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: the policy needs measurements that no fitted world has, or a number is out of range.
    """
    check_number("confidence", confidence, low=0.0, high=1.0, low_open=True, high_open=True)
    unknown = sorted(name for name in policy.requires if name not in {"reward", "evaluations", "evaluation.loss"})
    if unknown:
        raise ValueError(f"the policy needs {', '.join(unknown)}, which a fitted world does not have.")
    history = posterior.history
    world = FittedWorld(posterior, run=run, n_runs=n_runs)
    if every is None:
        every = max(1, round(float(history.counts[run, -1].sum()) / max(history.n_evaluations - 1, 1)))
    check_integer("every", every, low=1)
    player: Player = policy.clone()
    player.reset(history.tasks, n_runs)
    generator = np.random.default_rng(seed)
    context = Context.start(world.n_tasks, n_runs=n_runs, budget=history.budget)
    evaluates = any(name.startswith("evaluation") for name in player.requires)
    price = float(history.evaluation_cost[run]) if evaluates else 0.0
    rows = np.arange(n_runs)
    while True:
        if evaluates and context.step % every == 0:
            context.spent += np.where(context.spent + price < context.budget, price, 0.0)
            seen = world.scores() + world.noise * generator.normal(size=(n_runs, world.n_tasks))
            player.observe(
                Evaluation(
                    step=context.step,
                    scores=seen,
                    counts=context.counts.copy(),
                    measured={"loss": 1.0 - seen},
                    progress=context.progress,
                    examples=context.examples.copy(),
                    costs=context.costs / context.budget,
                )
            )
        context.available = context.spent[:, None] + world.costs <= context.budget + 1e-9
        active: Bools = context.available.any(axis=1).reshape(n_runs)
        if not active.any():
            break
        shares = np.where(context.available | ~active[:, None], player.probabilities(context), 0.0)
        total = shares.sum(axis=1, keepdims=True)
        alike = context.available / np.maximum(context.available.sum(axis=1, keepdims=True), 1)
        shares = np.where(total > 0, shares / np.where(total > 0, total, 1.0), alike)
        chosen = (shares.cumsum(axis=1) <= generator.uniform(size=(n_runs, 1))).sum(axis=1)
        chosen = np.minimum(chosen, world.n_tasks - 1)
        before = world.scores()[rows, chosen]
        world.step(chosen, np.where(active, 1.0, 0.0).reshape(n_runs))
        context.step += 1
        context.counts[rows, chosen] += active
        context.examples[rows, chosen] += world.batch * active
        context.costs[rows, chosen] += world.costs[chosen] * active
        context.spent += world.costs[chosen] * active
        if "reward" in player.requires:
            player.update(chosen, shares, world.scores()[rows, chosen] - before)
    scores = world.scores()
    values = (objective or MeanScore()).value(scores, history.tasks)
    lower, upper = np.quantile(values, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    mean = float(np.clip(values.mean(), lower, upper))
    return Replayed(
        scores=scores,
        counts=context.counts.astype(np.float64),
        estimate=Estimate(
            value=mean,
            lower=float(lower),
            upper=float(upper),
            confidence=confidence,
            n_rounds=int(history.counts[run, -1].sum()),
            effective_sample_size=float(n_runs),
            max_weight=1.0,
            estimand="run",
            signature=(
                f"replay of {policy.params()} in the world fitted to {history.n_evaluations} evaluations, seed {seed}"
            ),
        ),
    )
