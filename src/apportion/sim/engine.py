"""The engine: all runs advance together through the same policies and signals that train real models."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._check import check_integer, check_number, check_probabilities
from ..budget import FORWARD_COST
from ..component import put_rows
from ..constraints import Constraints, project
from ..policies import Policy, policies
from ..records import HEARD, Bools, Context, Evaluation, Floats, Ints, priorities
from ..signals import Signal, signals
from ._base import World
from ._checks import check_world
from ._streams import DRAW, Streams
from .result import Result

EXTRA_FORWARDS: dict[str, int] = {
    "loss_after": 1,
    "self_before": 1,
    "self_after": 1,
    "target_before": 1,
    "target_after": 1,
    "mean_before": 1,
    "mean_after": 1,
    "reference_loss": 1,
    "gradient_alignment": 3,
}
"""Forward passes that a measurement adds to a step; a gradient counts as three."""

_SLACK = 1e-9  # budgets in fractions add up with rounding
_FEW_TASKS = 32  # up to here a loop over tasks beats a cumulative sum along the rows


def simulate(
    world: World,
    policy: Policy | str,
    signal: Signal | str | None = None,
    *,
    n_runs: int,
    seed: int,
    budget: float | None = None,
    first_run: int = 0,
    constraints: Constraints | None = None,
    forward_cost: float = FORWARD_COST,
    n_points: int = 50,
    label: str = "",
    progress: Callable[[float], None] | None = None,
) -> Result:
    """Run a policy in a world, many runs side by side.

    Every step does for all runs what the selector does for one: ask for probabilities, mask, constrain, draw, train,
    turn measurements into a reward, update. Measurements are made only where something asks for them, and cost
    budget, as evaluations do: a forward pass a third of a step. A task whose step does not fit into what is left is
    not available, and a run ends when none fits. Where the world gives rewards itself the signal is not used.

    Rewards of a signal that waits for evaluations count for all decisions since the last one, whenever their own
    measurements arrive; those of lost ones are dropped.

    Args:
        world: left as it is; a copy is run.
        policy: an instance, which is left as it is, or a name with parameters.
        signal: the same; None takes the policy's usual one, and does where no reward is needed or the world gives it.
        n_runs: runs side by side.
        seed: of noise and draws. Run i sees the same noise under every policy.
        budget: in place of the world's own.
        first_run: number of the first run, so that runs can be dealt out: run i is the same wherever it is run.
        constraints: on the shares of tasks.
        forward_cost: of a forward pass, as a fraction of a step; 0 makes measurements and evaluations free.
        n_points: looks at the objective on the way.
        label: of the world in the result; its name by default.
        progress: called now and then with the fraction that is done.

    Raises:
        TypeError: the budget of the world is no number.
        ValueError: the world has settings that make no sense or reaches scores that are not finite, it cannot measure
            what policy or signal need, a signal is missing, or the policy's probabilities are none.

    >>> from apportion.sim import BanditWorld
    >>> result = simulate(BanditWorld(means=(0.2, 0.8), budget=100), "uniform", n_runs=1000, seed=0)
    >>> abs(result.final.mean() - 0.5) < 0.01
    True
    """
    start = time.perf_counter()
    world = (world if budget is None else world.with_budget(budget)).clone()
    check_world(world)
    check_integer("n_points", n_points, low=1)
    check_number("forward_cost", forward_cost, low=0.0)
    chosen_policy = policies.make(policy).clone()
    needs_reward = "reward" in chosen_policy.requires
    given = "reward" in world.measurements
    wanted = signal or chosen_policy.usual_signal or None
    chosen_signal = None if wanted is None or given or not needs_reward else signals.make(wanted).clone()
    if needs_reward and chosen_signal is None and not given:
        raise ValueError(f"policy {chosen_policy.name!r} learns from rewards: give a `signal`.")
    streams = Streams(seed, n_runs, first_run)
    runs = _Runs(world, chosen_policy, chosen_signal, streams, constraints or Constraints(), forward_cost)
    look = _Looks(world, n_runs, n_points)
    runs.play(look, progress)
    scores = world.scores()
    if not np.isfinite(scores).all():
        task = world.tasks[int(np.argwhere(~np.isfinite(scores))[0, 1])].name
        raise ValueError(f"the world {world.name!r} reached a score of task {task!r} that is not finite.")
    return Result(
        world=label or world.name,
        policy=chosen_policy.name,
        signal="" if chosen_signal is None else chosen_signal.name,
        seed=seed,
        budget=world.budget,
        tasks=tuple(task.name for task in world.tasks),
        weights=priorities(world.tasks),
        scores=scores,
        progress=look.marks,
        objective=look.objective,
        shares=look.shares(),
        counts=runs.context.counts,
        costs=runs.context.costs,
        evaluations=runs.evaluations,
        evaluation_cost=runs.evaluation_cost,
        seconds=time.perf_counter() - start,
    )


class _Looks:
    """Looks at the truth whenever a run has spent another part of its budget."""

    def __init__(self, world: World, n_runs: int, n_points: int) -> None:
        self.world = world
        self.marks: Floats = np.linspace(0.0, 1.0, n_points + 1)
        self.objective: Floats = np.full((n_runs, n_points + 1), np.nan)
        self.objective[:, 0] = world.objective()
        self._drawn: Floats = np.zeros((n_points + 1, world.n_tasks))
        self._next: Ints = np.ones(n_runs, dtype=np.int64)
        self._goal: Floats = np.full(n_runs, self.marks[1] * world.budget)
        self._soonest = float(self._goal[0])

    def at(self, spent: Floats, most: float, counts: Ints) -> None:
        """Look at the runs that reached their next mark; `most` is the largest of `spent`."""
        while most >= self._soonest - _SLACK:
            rows = np.flatnonzero(spent >= self._goal - _SLACK)
            if not rows.size:
                return
            self._note(rows, counts)

    def end(self, counts: Ints) -> None:
        """All marks that a run did not reach show its end."""
        while (rows := np.flatnonzero(self._next < len(self.marks))).size:
            self._note(rows, counts)

    def shares(self) -> Floats:
        drawn = np.diff(self._drawn, axis=0)
        return drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1.0)

    def _note(self, rows: Ints, counts: Ints) -> None:
        index = self._next[rows]
        self.objective[rows, index] = self.world.objective(rows)
        for mark in np.unique(index):
            self._drawn[mark] += counts[rows[index == mark]].sum(axis=0)
        self._next[rows] += 1
        following = np.minimum(self._next[rows], len(self.marks) - 1)
        done = self._next[rows] >= len(self.marks)
        self._goal[rows] = np.where(done, np.inf, self.marks[following] * self.world.budget)
        self._soonest = float(self._goal.min())


@dataclass(slots=True)
class _Late:
    """Decisions of one step whose measurements are under way."""

    arrival: Ints
    chosen: Ints
    probabilities: Floats
    measured: dict[str, Floats]


class _Runs:
    """The state of all runs, and the steps that they do together."""

    def __init__(
        self,
        world: World,
        policy: Policy,
        signal: Signal | None,
        streams: Streams,
        constraints: Constraints,
        forward_cost: float,
    ) -> None:
        n_runs, n_tasks = streams.n_runs, world.n_tasks
        self.world, self.policy, self.signal, self.streams = world, policy, signal, streams
        self._learns = "reward" in policy.requires
        requires = policy.requires | (signal.requires if signal is not None else frozenset[str]())
        self._needs = self._checked(requires)
        self._evaluated = frozenset(name.partition(".")[2] for name in requires if name.startswith("evaluation."))
        self._evaluates = bool(self._evaluated) or "evaluations" in requires
        self._deferred = signal is not None and signal.is_deferred
        # Training losses that come late are not collected.
        listens = policy.is_listening and not world.longest_delay
        self._hears = tuple(name for name in HEARD if listens and name in world.measurements)
        self._needs |= frozenset(self._hears)
        forwards = sum(EXTRA_FORWARDS.get(name, 0) for name in self._needs)
        self._prices: Floats = world.costs * (1.0 + forward_cost * forwards)
        self._price = float(self._prices[0]) if np.ptp(self._prices) == 0 else None
        self._evaluation_price = world.evaluation_cost * forward_cost / FORWARD_COST * self._passes()
        self._lower, self._upper = constraints.bounds(world.tasks)
        self._bounded = bool((self._lower > 0).any() or (self._upper < 1).any())
        sizes = np.array([np.inf if task.size is None else task.size for task in world.tasks], dtype=np.float64)
        self._most_examples = constraints.epochs(world.tasks) * sizes
        self._limited = bool(np.isfinite(self._most_examples).any())

        world.reset(n_runs)
        policy.reset(world.tasks, n_runs)
        if signal is not None:
            signal.reset(world.tasks, n_runs)
        self.context = Context.start(n_tasks, n_runs=n_runs, budget=world.budget)
        self.evaluations = 0
        self.evaluation_cost: Floats = np.zeros(n_runs)
        self._offsets = np.arange(n_runs) * n_tasks
        # Sums since the last evaluation of what training batches tell, and how many they were.
        self._heard: Floats = np.zeros((len(self._hears) + 1, n_runs, n_tasks))
        self._told = world.follows_budget
        self._rows: Bools = np.ones(n_runs, dtype=np.bool_)
        self._late: deque[_Late] = deque()
        self._waiting: list[tuple[Ints, Floats, Floats, Bools]] = []
        self._fixed: Floats | None = None
        self._most = 0.0  # the largest of what the runs spent

    def play(self, look: _Looks, progress: Callable[[float], None] | None) -> None:
        """Step until every run has used up its budget."""
        context, every = self.context, self.world.evaluate_every
        told = 0.0
        while True:
            if self._told:
                self.world.note_progress(context.progress)
            if self._evaluates and context.step % every == 0:
                self._evaluate()
            active = self._available()
            if active is not None and not active.any():
                break
            self._step(active)
            context.step += 1
            self._most = float(context.spent[0] if self._price is not None else context.spent.max())
            look.at(context.spent, self._most, context.counts)
            if progress is not None and self._most >= told + 0.01 * context.budget:
                told = self._most
                progress(min(told / context.budget, 1.0))
        look.end(context.counts)

    def _passes(self) -> float:
        """Forward passes that an evaluation is worth: a gradient or an update is worth three."""
        extra = self._evaluated - {"loss"}
        passes = 3.0 if extra - {"reference_loss", "trial_gain"} else 1.0
        if "reference_loss" in extra:
            passes += 1.0
        if "trial_gain" in extra:  # an update of every task, and the objective before and after each of them
            passes += 4.0 + self.world.n_tasks
        return passes

    def _checked(self, requires: frozenset[str]) -> frozenset[str]:
        world = self.world
        steps = {name for name in requires - {"reward", "evaluations", "cost"} if not name.startswith("evaluation.")}
        held_out = {name.partition(".")[2] for name in requires if name.startswith("evaluation.")}
        for kind, missing in (
            ("", steps - world.measurements),
            ("evaluation.", held_out - world.evaluation_measurements - {"loss"}),
        ):
            if missing:
                what = ", ".join(f"`{kind}{name}`" for name in sorted(missing))
                raise ValueError(
                    f"policy {self.policy.name!r} with its signal needs {what}, which has no meaning in the world "
                    f"{world.name!r}."
                )
        return frozenset(steps | ({"reward"} & world.measurements if self._learns else set[str]()))

    def _available(self) -> Bools | None:
        """Mask what does not fit any more; the runs that go on, None for all."""
        context = self.context
        if not self._limited and self._most + self._prices.max() <= context.budget + _SLACK:
            return None
        available = (context.spent[:, None] + self._prices) <= context.budget + _SLACK
        if self._limited:
            # As the selector does: a task rests once another batch would exceed its most examples.
            available &= context.examples + self.world.batch_size <= self._most_examples + _SLACK
        available &= self._upper > 0
        active: Bools = np.asarray(available.any(axis=1))
        # Runs that ended draw something that counts for nothing: policies need not know of rows without any task.
        context.available = available | ~active[:, None]
        return None if active.all() else active

    def _probabilities(self) -> Floats:
        context = self.context
        if self._fixed is not None and context.available.all():
            return self._fixed
        shares = self.policy.probabilities(context)
        if context.step == 0:
            if shares.shape != context.counts.shape:
                raise ValueError(f"probabilities must have the shape {context.counts.shape}, got {shares.shape}.")
            check_probabilities("probabilities", shares)
        available = context.available
        if not available.all():
            masked = np.where(available, shares, 0.0)
            total = masked.sum(axis=1, keepdims=True)
            alike = available / available.sum(axis=1, keepdims=True)
            shares = np.where(total > 0, masked / np.where(total > 0, total, 1.0), alike)
        if self._bounded:
            shares = project(shares, self._lower, self._upper, available)
        if self.policy.static and available.all():
            self._fixed = shares
        return shares

    def _step(self, active: Bools | None) -> None:
        context, step = self.context, self.context.step
        shares = self._probabilities()
        chosen = draw(shares, self.streams.uniform(DRAW, step))
        measured = self.world.train(chosen, self._needs, self.streams, step, active=active)
        cost = self._prices.take(chosen)
        if active is not None:
            cost *= active
        index = self._offsets + chosen
        context.counts.ravel()[index] += 1 if active is None else active
        context.examples.ravel()[index] += self.world.batch_size * (1.0 if active is None else active)
        context.costs.ravel()[index] += cost
        context.spent += cost
        if self._hears:
            for number, name in enumerate(self._hears):
                self._heard[number].ravel()[index] += measured[name]
            self._heard[-1].ravel()[index] += 1.0
        if not self._learns:
            return
        measured["cost"] = cost
        delays = self.world.delays(self.streams, step)
        if self._deferred:
            arrives = self._rows if delays is None else delays >= 0
            self._waiting.append((chosen, shares.copy(), cost, arrives))
        if delays is None:
            self._learn(self._rows, chosen, shares, measured)
            return
        arrival = np.where(delays >= 0, step + delays, -1)
        self._late.append(_Late(arrival, chosen, shares.copy(), measured))
        for late in self._late:
            rows = late.arrival == step
            if rows.any():
                self._learn(rows, late.chosen, late.probabilities, late.measured)
        while self._late and self._late[0].arrival.max() <= step:
            self._late.popleft()

    def _learn(self, rows: Bools, chosen: Ints, shares: Floats, measured: dict[str, Floats]) -> None:
        if self.signal is None:
            reward = measured["reward"]
        elif rows is self._rows:
            reward = self.signal.reward(chosen, measured)
        else:
            others = np.flatnonzero(~rows)
            saved = self.signal.take_rows(others)
            reward = self.signal.reward(chosen, measured)
            put_rows(saved, others)
        known = np.isfinite(reward)
        if rows is not self._rows:
            known &= rows
        self._update(known, chosen, shares, reward)

    def _update(self, known: Bools, chosen: Ints, shares: Floats, reward: Floats) -> None:
        if known.all():
            self.policy.update(chosen, shares, reward)
        elif known.any():
            self.policy.update_rows(known, chosen, shares, np.where(known, reward, 0.0))

    def _evaluate(self) -> None:
        context = self.context
        fits = context.spent + self._evaluation_price + self._prices.min() <= context.budget + _SLACK
        if not fits.any():
            return
        scores, measured = self.world.evaluate(self._evaluated, self.streams, self.evaluations)
        price = np.where(fits, self._evaluation_price, 0.0)
        free = self._evaluation_price == 0 or self._evaluated or self.signal is not None
        wanted = None if free else self.policy.evaluation_tasks(context)
        if wanted is not None:
            price = price * (wanted * self.world.costs).sum(axis=1) / self.world.costs.sum()
            scores = np.where(wanted, scores, np.nan)
            measured = {name: np.where(wanted, values, np.nan) for name, values in measured.items()}
        if self._hears and self._heard[-1].any():
            times = self._heard[-1]
            for name, sums in zip(self._hears, self._heard, strict=False):
                measured[f"training_{name}"] = np.where(times > 0, sums / np.maximum(times, 1.0), np.nan)
            self._heard = np.zeros_like(self._heard)
        context.spent += price
        self._most = float(context.spent.max())
        self.evaluation_cost += price
        self.evaluations += 1
        evaluation = Evaluation(
            step=context.step,
            scores=scores,
            counts=context.counts.copy(),
            measured=measured,
            progress=context.progress,
            examples=context.examples.copy(),
            costs=context.costs / context.budget,
        )
        waiting, self._waiting = self._waiting, []
        if self.signal is not None and self._deferred:
            shape = (len(context.spent), 0)
            chosen = np.stack([item[0] for item in waiting], axis=1) if waiting else np.zeros(shape, dtype=np.int64)
            costs = np.stack([item[2] for item in waiting], axis=1) if waiting else np.zeros(shape)
            rewards = self.signal.credit(evaluation, chosen, costs)
            for number, (task, shares, _, arrives) in enumerate(waiting):
                self._update(np.isfinite(rewards[:, number]) & arrives, task, shares, rewards[:, number])
        elif self.signal is not None:
            self.signal.observe(evaluation)
        self.policy.observe(evaluation)


def draw(shares: Floats, uniform: Floats) -> Ints:
    """One task per run by the inverse of the cumulative probabilities, shape (n_runs,).

    The sums run from the first task on, one by one, so that a run draws the same whichever others run with it.

    >>> draw(np.array([[0.5, 0.0, 0.5], [0.5, 0.0, 0.5]]), np.array([0.4, 0.5]))
    array([0, 2])
    """
    n_tasks = shares.shape[1]
    if n_tasks > _FEW_TASKS:
        chosen: Ints = (np.cumsum(shares, axis=1) <= uniform[:, None]).sum(axis=1)
    else:
        columns = np.ascontiguousarray(shares.T)
        total = columns[0].copy()
        passed = (total <= uniform).view(np.int8)
        for task in range(1, n_tasks):
            total += columns[task]
            passed += (total <= uniform).view(np.int8)
        chosen = passed.astype(np.int64)
    over = chosen == n_tasks
    if over.any():  # the sum fell short of 1 by rounding: the last task that has a probability
        last = n_tasks - 1 - (shares[over, ::-1] > 0).argmax(axis=1)
        chosen[over] = last
    return chosen
