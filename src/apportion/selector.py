"""The driver of a policy: draws tasks from its probabilities, writes the log, and hands back what was learned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ._check import check_choice, check_integer, check_names, check_number
from ._version import __version__
from .budget import Budget
from .component import decode, encode
from .constraints import Constraints
from .drawing import EXECUTIONS, Drawing, Execution, Shares
from .errors import CheckpointError, FingerprintError
from .ledger import Ledger
from .log import LogWriter, differences, header
from .policies import Policy, policies
from .records import HEARD, Bools, Context, Decision, Evaluation, Floats, Ints, Task, check_tasks
from .signals import Signal, signals


class Selector:
    """Asks a policy which task comes next, and tells it what came of it.

    The loop calls `ask`, trains on a batch of `decision.name`, and calls `tell` with what it measured, or `skip`.
    Several decisions may be pending at once (prefetch, workers, gradient accumulation), and they may be told late and
    in any order, each once. `evaluate` brings held-out scores of the tasks.

    The selector alone masks tasks, applies constraints, draws, counts the budget and logs; it owns the only random
    generator. What it logs as probabilities is what it drew from.

    Args:
        tasks: at least one, with different names.
        policy: an instance, or its name with parameters such as `"exp3s(gamma=0.1)"`.
        signal: an instance or a name; None for policies that need no reward, or if `tell(reward=...)` gives it.
        budget: how much may be spent, evaluations included.
        seed: of the random generator, required.
        constraints: on the shares of tasks.
        execution: `random` draws each task independently. `smooth` follows the probabilities with less variance (smooth
            weighted round-robin: credit_i += p_i, take the largest, subtract 1; each count stays within K - 1 of what
            was asked). It is deterministic, so its log says that it is not usable for off-policy estimates.
        log: file to append decisions to; None keeps none.

    Raises:
        ValueError: tasks, names or numbers are wrong.
        ConstraintError: the constraints contradict each other.
        FileExistsError: the log exists (raised at the first decision, so that a state may be loaded before).

    >>> from apportion.budget import Steps
    >>> selector = Selector([Task(name="a"), Task(name="b")], "uniform", budget=Steps(2), seed=0)
    >>> while not selector.done:
    ...     decision = selector.ask()
    ...     _ = selector.tell(decision, loss=1.0)
    >>> int(selector.counts.sum())
    2
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        policy: Policy | str,
        signal: Signal | str | None = None,
        *,
        budget: Budget,
        seed: int,
        constraints: Constraints | None = None,
        execution: Execution = "random",
        log: str | Path | None = None,
    ) -> None:
        check_tasks(tasks)
        check_integer("seed", seed, low=0)
        check_choice("execution", execution, EXECUTIONS)
        self.tasks = tuple(tasks)
        self.names = tuple(task.name for task in tasks)
        self.policy = policies.make(policy)
        self.signal = None if signal is None else signals.make(signal)
        self.budget = budget
        self.seed = seed
        self.constraints = constraints or Constraints()
        self.execution: Execution = execution
        self._drawing = Drawing(self.tasks, self.constraints, execution, seed)
        sizes = np.array([np.inf if task.size is None else task.size for task in tasks], dtype=np.float64)
        self._ledger = Ledger(budget, self.constraints.epochs(self.tasks) * sizes)
        self.policy.reset(self.tasks, 1)
        if self.signal is not None:
            self.signal.reset(self.tasks, 1)
        self._requires = self.policy.requires - {"reward"}
        if self.signal is not None:
            self._requires |= self.signal.requires - {"cost"}
        self._required = frozenset(name for name in self._requires if not name.startswith("evaluation"))
        self._learns = "reward" in self.policy.requires
        self._listens = self.policy.is_listening
        self._deferred = self.signal is not None and self.signal.is_deferred
        self._step = 0
        self._evaluations = 0
        # Sums and numbers of what training batches told since the last evaluation.
        self._heard = np.zeros((len(HEARD), 2, len(tasks)))
        self._pending: dict[int, Decision] = {}
        self._uncredited: list[tuple[Decision, float]] = []  # decisions that wait for the next evaluation, with costs
        self._kept: tuple[bytes, Shares] | None = None  # of a static policy, for one mask
        self._steady: Shares | None = None  # of a static policy where no mask can come up
        self._log_path = None if log is None else Path(log)
        self._writer: LogWriter | None = None
        if self._log_path is not None and not self._log_path.exists():
            self._open_log()

    # What a run can be asked about

    @property
    def header(self) -> dict[str, Any]:
        """Everything that the decisions depend on, as plain data; the first line of the log."""
        return header(
            self.tasks,
            policy=self.policy.params(),
            signal=None if self.signal is None else self.signal.params(),
            constraints=self.constraints.params(),
            budget={"amount": self.budget.amount, "unit": self.budget.unit},
            seed=self.seed,
            execution=self.execution,
            version=__version__,
        )

    @property
    def requires(self) -> frozenset[str]:
        """Measurements that `tell` needs, `evaluations` and `evaluation.NAME`."""
        return self._requires

    @property
    def step(self) -> int:
        """Number of decisions made so far."""
        return self._step

    @property
    def counts(self) -> Ints:
        """Decisions for each task so far, shape (n_tasks,)."""
        return self._ledger.counts(self._pending.values())[0]

    @property
    def examples(self) -> Floats:
        """Training examples consumed by each task so far, shape (n_tasks,)."""
        return self._ledger.examples[0]

    @property
    def costs(self) -> Floats:
        """Budget spent on each task so far, shape (n_tasks,)."""
        return self._ledger.costs[0]

    @property
    def spent(self) -> float:
        """Budget used so far, evaluations included."""
        return self._ledger.spent

    @property
    def evaluation_cost(self) -> float:
        """Budget used by evaluations so far."""
        return self._ledger.evaluation_cost

    @property
    def pending(self) -> tuple[Decision, ...]:
        """Decisions asked for and neither told nor skipped, oldest first."""
        return tuple(self._pending.values())

    @property
    def done(self) -> bool:
        """Whether the budget is used up, pending decisions counted, or every task has used up its repetitions."""
        if not self._ledger.fits(self._pending.values()):
            return True
        return self._ledger.limited and not self._mask(None).any()

    def context(self, available: Bools | None = None) -> Context:
        """What the policy sees now."""
        return Context(
            step=self._step,
            spent=np.array([self._ledger.spent]),
            budget=self.budget.amount,
            counts=self._ledger.counts(self._pending.values()),
            examples=self._ledger.examples,
            costs=self._ledger.costs,
            available=(self._mask(None) if available is None else available)[None, :],
        )

    @property
    def allowed(self) -> Bools:
        """Tasks that the constraints do not exclude, shape (n_tasks,)."""
        return self._drawing.allowed.copy()

    def shares(self, context: Context | None = None) -> Floats:
        """Probabilities of the tasks now, or in another context, after masking and constraints, shape (n_tasks,)."""
        if context is None:
            return self._shares(None).probabilities
        return self._drawing.shares(self.policy.probabilities(context)[0], context.available[0]).probabilities

    # The loop

    def ask(self, available: Sequence[bool] | Bools | None = None) -> Decision:
        """Draw the task of the next batch.

        Args:
            available: which tasks can give a batch now, shape (n_tasks,); None means all.

        Raises:
            RuntimeError: the budget is used up, or no task is available.
        """
        decision = self.ask_unless_done(available)
        if decision is None:
            raise RuntimeError(
                _NO_TASK
                if self._ledger.fits(self._pending.values())
                else f"the budget of {self.budget} is used up: stop when `done` is true."
            )
        return decision

    def ask_unless_done(self, available: Sequence[bool] | Bools | None = None) -> Decision | None:
        """Draw the task of the next batch; None where the run is `done`.

        Args:
            available: see `ask`.

        Raises:
            RuntimeError: no task is available.
        """
        ledger, pending = self._ledger, self._pending
        if not ledger.fits(pending.values()) or (ledger.limited and not self._mask(None).any()):
            return None
        if self._writer is None and self._log_path is not None:
            self._open_log()
        steady = self._steady
        shares = self._shares(available) if steady is None or available is not None else steady
        step, task = self._step, self._drawing.draw(shares)
        decision = pending[step] = Decision(step, task, self.names[task], shares.probabilities)
        self._step = step + 1
        return decision

    def tell(
        self,
        decision: Decision,
        *,
        cost: float = 1.0,
        examples: int = 1,
        reward: float | None = None,
        **measured: float,
    ) -> float:
        """Say what came of a decision; in any order, once.

        Args:
            decision: from `ask`.
            cost: budget that it used, in the unit of the budget.
            examples: training examples of its batch.
            reward: given directly where there is no signal.
            measured: what the loop measured, such as `loss`; at least what `requires` names.

        Returns:
            The reward, NaN where there is none (yet).

        Raises:
            ValueError: the decision is not pending, a measurement is missing, or a value is not finite. The decision
                stays pending and nothing was learned or logged.
        """
        if self._pending.get(decision.step) is not decision:
            self._refuse(decision)
        if not (math.isfinite(cost) and cost >= 0):
            raise ValueError(f"`cost` of {self._where(decision)} must be finite and not negative, got {cost!r}.")
        for name, value in measured.items():
            if not math.isfinite(value):
                raise ValueError(
                    f"`{name}` of {self._where(decision)} must be finite, got {value!r}: the decision stays pending, "
                    f"so lower the learning rate and resume from a checkpoint, or `skip` it."
                )
        if reward is not None and not math.isfinite(reward):
            raise ValueError(f"`reward` of {self._where(decision)} must be finite, got {reward!r}.")
        if self._required and not self._required <= measured.keys():
            missing = self._required - measured.keys()
            raise ValueError(
                f"the signal needs {', '.join(sorted(missing))} of {self._where(decision)}: give it as "
                f"`tell(decision, {min(missing)}=...)`."
            )
        learns = self._learns or self.signal is not None or reward is not None
        value = self._reward(decision, cost, reward, measured) if learns else math.nan
        self._settle(decision, "told", value, cost, examples, measured)
        if self._listens:
            for number, name in enumerate(HEARD):
                if name in measured:
                    self._heard[number, :, decision.task] += (measured[name], 1.0)
        if not math.isnan(value):
            self.policy.update(np.array([decision.task]), decision.probabilities[None, :], np.array([value]))
        elif self._deferred:
            self._uncredited.append((decision, cost))
        return value

    def skip(self, decision: Decision, *, cost: float = 0.0, examples: int = 0) -> None:
        """Say that no reward will come for a decision; logged as such.

        Raises:
            ValueError: the decision is not pending.
        """
        if self._pending.get(decision.step) is not decision:
            self._refuse(decision)
        self._settle(decision, "skipped", math.nan, cost, examples, {})

    def evaluate(
        self,
        scores: Mapping[str, float | None],
        *,
        measured: Mapping[str, Mapping[str, float]] | None = None,
        cost: float = 0.0,
    ) -> None:
        """Hand in a held-out evaluation.

        Args:
            scores: by task, bigger is better; None, or left out, where a metric is undefined or was not measured.
            measured: further values by name, then task, such as `{"loss": {"rte": 0.69}}`.
            cost: budget that the evaluation used.

        Raises:
            ValueError: a task is unknown, or a value is not finite; nothing was learned or logged.
        """
        extra = measured or {}
        for kind, values in (("scores", scores), *extra.items()):
            check_names(kind, list(values), self.names)
            for name, value in values.items():
                if value is not None and not math.isfinite(value):
                    raise ValueError(
                        f"the held-out {kind} of task {name!r} after step {self._step} must be finite, got {value!r}: "
                        f"give None where a metric is undefined."
                    )
        check_number("cost", cost, low=0.0)
        missing = {name for name in self._requires if name.startswith("evaluation.")} - {
            f"evaluation.{name}" for name in extra
        }
        if missing:
            raise ValueError(f"the policy or the signal needs {', '.join(sorted(missing))}: give it in `measured`.")
        self._ledger.evaluated(cost)
        heard: dict[str, Floats] = {}
        for name, (sums, times) in zip(HEARD, self._heard, strict=True):
            if times.any():
                heard[f"training_{name}"] = np.where(times > 0, sums / np.maximum(times, 1.0), np.nan)[None]
        self._heard = np.zeros_like(self._heard)
        evaluation = Evaluation(
            step=self._step,
            scores=self._row(scores),
            counts=self._ledger.counts(self._pending.values()),
            measured={name: self._row(values) for name, values in extra.items()} | heard,
            progress=np.array([min(self.spent / self.budget.amount, 1.0)]),
            examples=self._ledger.examples,
            costs=self._ledger.costs / self.budget.amount,
        )
        credits_: list[list[float]] = []
        waiting, self._uncredited = self._uncredited, []
        if self._deferred and self.signal is not None:
            chosen = np.array([[decision.task for decision, _ in waiting]], dtype=np.int64)
            costs = np.array([[cost for _, cost in waiting]], dtype=np.float64)
            rewards = self.signal.credit(evaluation, chosen.reshape(1, -1), costs.reshape(1, -1))[0]
            credits_ = [
                [decision.step, float(value)]
                for (decision, _), value in zip(waiting, rewards, strict=True)
                if math.isfinite(value)
            ]
        elif self.signal is not None:
            self.signal.observe(evaluation)
        if self._writer is not None:
            self._writer.write(
                {
                    "evaluation": self._evaluations,
                    "step": self._step,
                    "spent": self.spent,
                    "cost": cost,
                    "scores": dict(scores),
                    "measured": {name: dict(values) for name, values in extra.items()},
                    "credits": credits_,
                }
            )
        self._evaluations += 1
        by_step = {decision.step: decision for decision, _ in waiting}
        for step, value in credits_:
            decision = by_step[int(step)]
            self.policy.update(np.array([decision.task]), decision.probabilities[None, :], np.array([value]))
        self.policy.observe(evaluation)

    def draw(self, n: int) -> Ints:
        """Draw `n` tasks at once for a loop that gives no feedback: indices, shape (n,).

        All come from the probabilities of this moment; each counts as one settled decision of cost 1 and is logged as
        skipped. For policies that do not learn, this is `ask` and `skip`, some hundred times faster.

        Raises:
            ValueError: `n` is negative, or the execution is not random.
            RuntimeError: fewer than `n` units of budget are left.
        """
        check_integer("n", n, low=0)
        if self.execution != "random":
            raise ValueError("`draw` needs `execution='random'`: a smooth execution goes one decision at a time.")
        if not self._ledger.fits(self._pending.values(), more=n):
            raise RuntimeError(f"{n} decisions do not fit into what is left of the budget of {self.budget}.")
        if self._writer is None and self._log_path is not None:
            self._open_log()
        shares = self._shares(None)
        tasks = self._drawing.draw_many(shares, n)
        if self._writer is not None:
            for step, task in enumerate(tasks.tolist(), self._step):
                self._writer.write_decision(
                    step, self.names[task], shares.probabilities, "skipped", math.nan, 1.0, 1, {}
                )
        self._ledger.settle_many(np.bincount(tasks, minlength=len(self.tasks)))
        self._step += n
        return tasks

    def close(self) -> None:
        """Log what is still pending, and close the log. The selector keeps its state and can still be saved."""
        if self._writer is not None:
            for decision in self._pending.values():
                self._writer.write_decision(
                    decision.step, decision.name, decision.probabilities, "pending", math.nan, 0.0, 0, {}
                )
            self._writer.close()
            self._writer = None

    # Saving and loading

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resume needs, as data that JSON can hold."""
        return {
            "header": self.header,
            "drawing": self._drawing.state_dict(),
            "step": self._step,
            "evaluations": self._evaluations,
            "ledger": self._ledger.state_dict(),
            "pending": [_packed(decision) for decision in self._pending.values()],
            "uncredited": [[_packed(decision), cost] for decision, cost in self._uncredited],
            "heard": encode(self._heard),
            "policy": self.policy.state_dict(),
            "signal": None if self.signal is None else self.signal.state_dict(),
            "log": None if self._writer is None else self._writer.position,
        }

    def load_state_dict(self, state: Mapping[str, Any], *, migrate: bool = False) -> None:
        """Continue exactly where `state_dict` was taken; the log is cut back to that moment.

        Args:
            state: from `state_dict`.
            migrate: accept that tasks, policy, signal, constraints, budget or seed changed. Counts and costs go over by
                task name. A policy or signal starts anew unless it and the tasks are the same; so does the random
                generator unless the seed is the same. The log records the change.

        Raises:
            FingerprintError: something changed and `migrate` is false; the message lists what.
            CheckpointError: the state is damaged or does not fit its log. The selector is as it was.
        """
        try:
            old: dict[str, Any] = dict(state["header"])
            changed = differences(_identity(old), _identity(self.header))
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"the saved state has no usable header ({error!r}): it is damaged.") from error
        if changed and not migrate:
            raise FingerprintError(
                f"the saved state belongs to another run: {'; '.join(changed)}. Start a new run, or resume with a "
                f"migration (`migrate=True`, `--migrate`) to continue under the new settings."
            )
        before = self.state_dict()
        try:
            self._restore(state, changed)
        except FingerprintError:
            raise
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, CheckpointError):
                raise
            self._restore(before, [])
            raise CheckpointError(f"the saved state is damaged ({error!r}): take an older checkpoint.") from error
        if self._log_path is not None and state["log"] is not None:
            if self._writer is not None:
                self._writer.close()
            self._writer = LogWriter(self._log_path, position=int(state["log"]))
            if changed:
                self._writer.write({"event": "migrated", "step": self._step, "changes": changed, "header": self.header})

    def _restore(self, state: Mapping[str, Any], changed: Sequence[str]) -> None:
        same_tasks = not any(text.startswith("tasks") for text in changed)
        same = {key: same_tasks and not any(text.startswith(key) for text in changed) for key in ("policy", "signal")}
        names = [task["name"] for task in state["header"]["tasks"]]
        here = [index for index, name in enumerate(self.names) if name in names]
        there = [names.index(self.names[index]) for index in here]

        if same["policy"]:
            self.policy.load_state_dict(state["policy"])
        if self.signal is not None and same["signal"] and state["signal"] is not None:
            self.signal.load_state_dict(state["signal"])
        drawing = state["drawing"]
        credit = decode(drawing["credit"])
        if credit.shape != (len(names),):
            raise ValueError(f"`credit` has the shape {credit.shape}")
        if not any(text.startswith("seed") for text in changed):
            self._drawing.random_state = drawing["random"]
        pending = [self._unpacked(item) for item in state["pending"]] if same_tasks else []
        uncredited = [(self._unpacked(item), float(cost)) for item, cost in state["uncredited"]] if same_tasks else []
        self._heard = decode(state["heard"]) if same_tasks else np.zeros((len(HEARD), 2, len(self.tasks)))
        self._step, self._evaluations = int(state["step"]), int(state["evaluations"])
        self._ledger.load_state_dict(state["ledger"], here, there, len(names))
        self._drawing.credit = np.zeros(len(self.names))
        self._drawing.credit[here] = credit[there]
        self._pending = {decision.step: decision for decision in pending}
        self._uncredited = uncredited if self._deferred else []
        self._kept = self._steady = None

    # Inside

    def _open_log(self) -> None:
        assert self._log_path is not None  # noqa: S101 (for the type checker)
        self._writer = LogWriter(self._log_path, header=self.header)

    def _mask(self, available: Sequence[bool] | Bools | None) -> Bools:
        mask = self._drawing.allowed
        if available is not None:
            mask = mask & np.asarray(available, dtype=np.bool_)
        if self._ledger.limited:
            mask = mask & self._ledger.within_limits(self._pending.values())
        return mask

    def _shares(self, available: Sequence[bool] | Bools | None) -> Shares:
        mask = self._mask(available)
        key = mask.tobytes()
        if self._kept is not None and self._kept[0] == key:
            return self._kept[1]
        if not mask.any():
            raise RuntimeError(_NO_TASK)
        shares = self._drawing.shares(self.policy.probabilities(self.context(mask))[0], mask)
        if self.policy.static:
            self._kept = (key, shares)
            if available is None and not self._ledger.limited:
                self._steady = shares
        return shares

    def _reward(self, decision: Decision, cost: float, reward: float | None, measured: Mapping[str, float]) -> float:
        if self.signal is None:
            if reward is None and self._learns:
                raise ValueError(
                    f"policy {self.policy.name!r} learns from rewards: give a signal, or `tell(reward=...)`."
                )
            return math.nan if reward is None else float(reward)
        if reward is not None:
            raise ValueError("give `reward` only where the selector has no signal.")
        values = {name: np.array([value], dtype=np.float64) for name, value in measured.items()}
        values["cost"] = np.array([cost], dtype=np.float64)
        return float(self.signal.reward(np.array([decision.task]), values)[0])

    def _settle(
        self, decision: Decision, status: str, reward: float, cost: float, examples: int, measured: Mapping[str, float]
    ) -> None:
        step, task, name, probabilities = decision
        if self._writer is not None:
            self._writer.write_decision(step, name, probabilities, status, reward, cost, examples, measured)
        del self._pending[step]
        self._ledger.settle(task, cost, examples)

    def _refuse(self, decision: Decision) -> NoReturn:
        known = "was told or skipped before" if decision.step < self._step else "was not made by this selector"
        raise ValueError(f"{self._where(decision)} is not pending: it {known}.")

    def _where(self, decision: Decision) -> str:
        return f"the decision for task {decision.name!r} at step {decision.step}"

    def _row(self, values: Mapping[str, float | None]) -> Floats:
        row = [np.nan if values.get(name) is None else float(values[name] or 0.0) for name in self.names]
        return np.array([row], dtype=np.float64)

    def _unpacked(self, item: Sequence[Any]) -> Decision:
        step, task, probabilities = int(item[0]), int(item[1]), decode(item[2])
        probabilities.flags.writeable = False
        return Decision(step, task, self.names[task], probabilities)


_NO_TASK = "no task is available: all are excluded, exhausted or have used up their repetitions."


def _packed(decision: Decision) -> list[Any]:
    return [decision.step, decision.task, encode(decision.probabilities)]


def _identity(head: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a header that must not change under a run; the versions may."""
    return {key: value for key, value in head.items() if key not in ("format", "version", "apportion", "fingerprint")}
