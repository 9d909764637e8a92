"""Trains one model on many tasks under one budget, as a policy decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..budget import Budget
from ..component import decode, encode
from ..constraints import Constraints
from ..drawing import Execution
from ..errors import CheckpointError, FingerprintError
from ..loader import TaskLoader, WhenExhausted
from ..plan import Plan, make_plan
from ..policies import Policy
from ..records import HEARD, ObjectiveName
from ..run import RunDirectory
from ..signals import Signal
from .callbacks import Callback
from .checkpoint import pack_model, pack_optimizer, read_tensors, unpack_model, unpack_optimizer, write_tensors
from .costs import Meter
from .evaluations import Evaluations
from .examples import Batch
from .held_out import HeldOut
from .model import MultitaskModel, make_model
from .passes import Passes, random_state, set_random_state
from .probes import Probes
from .processes import Processes, make_repeatable
from .reference import Reference
from .result import TrainResult
from .settings import Settings
from .source import TaskSource
from .taskset import Taskset, objective
from .updates import Trained, Updates


class Trainer:
    """Trains a shared encoder with one head per task; a policy decides which task gives each batch.

    One decision is one batch. `settings.accumulate` decisions make one update, and each of them is told what its own
    batch measured. Beside the loss the trainer measures only what signal and policy ask for, and charges it: a forward
    pass costs a third of training on the same batch, a gradient without an update as much as training. Evaluations
    during the run are charged where policy or signal use them; the final scores, on the whole held-out sets, are the
    report's measurement and never charged.

    The same arguments give the same run, bit for bit, on one machine with the same number of threads (but not under a
    budget in seconds), and so does a run that was stopped and resumed. Started by `accelerate launch` or `torchrun`,
    several processes share each batch and make the decisions of one; when they resume, dropout starts anew.

    Args:
        taskset: tasks, data and encoder.
        policy: an instance or a name; see `Selector`.
        signal: an instance or a name; None for policies that need no reward.
        budget: how much may be spent.
        seed: of weights, order of data, draws and dropout.
        when_exhausted: what happens when a task runs out of data; see `WHEN_EXHAUSTED`.
        constraints: on the shares of tasks.
        execution: see `Selector`.
        settings: how to train.
        run: directory for log and checkpoints; None writes no file.
        checkpoint_every: decisions between two checkpoints; None writes none.
        log: file for the decisions where there is no run directory.
        reference: model behind the measurement `reference_loss`; None takes what `settings.reference` says.
        optimizer: makes the optimizer of the parameters; None is AdamW.
        objective: what the result states; policy and signal have to be told themselves (`apportion.launch.aimed`).
        callbacks: who wants to hear how it goes.

    Raises:
        ValueError: a setting, a name or a measurement does not fit; an evaluation costs more than the budget.

    >>> from apportion.budget import Steps
    >>> from apportion.tasksets import digits
    >>> trainer = Trainer(digits(), policy="uniform", budget=Steps(20), seed=0, when_exhausted="cycle")
    >>> trainer.run().steps
    20
    """

    def __init__(
        self,
        taskset: Taskset,
        *,
        policy: Policy | str,
        signal: Signal | str | None = None,
        budget: Budget,
        seed: int,
        when_exhausted: WhenExhausted,
        constraints: Constraints | None = None,
        execution: Execution = "random",
        settings: Settings | None = None,
        run: RunDirectory | None = None,
        checkpoint_every: int | None = None,
        log: str | Path | None = None,
        reference: MultitaskModel | None = None,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] | None = None,
        objective: ObjectiveName = "mean",
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.taskset = taskset
        self.objective: ObjectiveName = objective
        self.settings = settings or Settings()
        self.seed = seed
        self.run_directory = run
        self.checkpoint_every = checkpoint_every
        self.processes = Processes(self.settings.device, self.settings.precision)
        self.callbacks = tuple(callbacks) if self.processes.is_main else ()
        if self.settings.deterministic:
            make_repeatable(self.processes.device)
        device, world = self.processes.device, self.processes.world
        self._sources = {
            part.name: TaskSource(
                part.name,
                part.train,
                batch_size=self.settings.batch_size or taskset.batch_size_of(part.name),
                seed=seed,
                workers=self.settings.workers,
                rank=self.processes.rank,
                world=world,
            )
            for part in taskset.parts
        }
        self._meter = Meter(budget.unit, taskset, self.settings.batch_size)
        path = run.log_path if run is not None else log
        self.loader = TaskLoader(
            self._sources,
            policy,
            signal,
            budget=budget,
            seed=seed,
            when_exhausted=when_exhausted,
            tasks=taskset.tasks,
            constraints=constraints,
            execution=execution,
            prefetch=self.settings.prefetch,
            examples=_size,
            cost=self._cost if budget.unit == "tokens" else None,
            log=path if self.processes.is_main else None,
        )
        if budget.unit == "tokens" and not any(batch.tokens for batch in self._first_batches()):
            raise ValueError(f"the taskset {taskset.name!r} has no tokens: give the budget in steps or examples.")
        self.model = make_model(taskset, seed).to(device)
        rate = self.settings.learning_rate or taskset.learning_rate
        self._make = optimizer or partial(
            torch.optim.AdamW, lr=rate, weight_decay=self.settings.weight_decay, fused=True
        )
        self.optimizer = self._make([parameter for parameter in self.model.parameters() if parameter.requires_grad])
        passes = Passes(taskset, self.model, self.processes, seed, self.settings.batch_size)
        requires = self.loader.selector.requires
        needs = frozenset(name for name in requires if not name.startswith("evaluation"))
        needs |= frozenset(HEARD) if self.loader.selector.policy.is_listening else frozenset[str]()
        wanted = bool(requires & {"reference_loss", "evaluation.reference_loss"})
        self.reference = Reference(taskset, seed, reference, self.settings.reference, is_wanted=wanted)
        if self.reference.model is not None:
            self.reference.model.to(device)
        self._probes = Probes(taskset, passes, self._meter, needs, self.reference.model)
        held_out = HeldOut(
            passes,
            self.settings.evaluation_size,
            self.settings.gradient_batches,
            self.reference.model,
            self.optimizer,
        )
        self._held_out = held_out
        self.passes = passes
        self.evaluations = Evaluations(self.loader, held_out, self._meter, self.processes, self.settings)
        self._updates = Updates(self.loader, passes, self._probes, self._meter, self.optimizer, self.settings)
        self._seconds = 0.0  # of finished parts and of the final evaluation
        self._next_checkpoint = checkpoint_every or math.inf
        self._threads = self.settings.threads
        self._random: list[Tensor] | None = None  # of torch, where the run goes on

    # What a run is going to do, and where it stands

    def plan(self) -> Plan:
        """The plan of the run: expected shares and repetitions, and what evaluations will cost."""
        first = zip(self.taskset.names, self._first_batches(), strict=True)
        costs = {name: self._meter.training(index, batch) for index, (name, batch) in enumerate(first)}
        if self._meter.unit == "seconds":  # what a step takes is not known yet: the plan takes a second
            costs = dict.fromkeys(costs, 1.0)
        return make_plan(
            self.loader.selector,
            batch_sizes={name: float(source.batch_size) for name, source in self._sources.items()},
            costs=costs,
            evaluation_cost=self.evaluations.cost,
            evaluate_every=self.evaluations.every,
            reference_cost=self.reference.planned(self.loader.selector.budget.amount),
            exhaustible=self.loader.when_exhausted == "renormalize",
        )

    def run(self) -> TrainResult:
        """Train until the budget is used up, and evaluate; goes on where a resumed run stood.

        Raises:
            FloatingPointError: a loss is NaN or infinite; names task and step. Nothing of that decision is logged.
            OSError: the log or a checkpoint cannot be written; both are whole.
        """
        with self.training():
            for callback in self.callbacks:
                callback.started(self)
            self._loop()
            tasks = self._held_out.final()
            self._seconds += self._meter.elapsed()
        result = self._result(tasks)
        for callback in self.callbacks:
            callback.finished(self, result)
        return result

    @property
    def seconds(self) -> float:
        """Wall time of training and evaluations so far."""
        return self._seconds + self._updates.seconds + self.evaluations.seconds

    def _loop(self) -> None:
        extra = 0.0 if self.reference.is_ready else self._train_reference()
        if extra or not self.evaluations.done:
            self._evaluate(extra)
        self._train()

    def _train(self) -> None:
        group: list[Trained] = []
        for item in self.loader:
            group.append(self._updates.train(item))
            if len(group) == self.settings.accumulate:
                self._update(group)
                group = []
                if self.evaluations.is_due:
                    self._evaluate()
                if self.loader.selector.step >= self._next_checkpoint:
                    self.save()
        if group:
            self._update(group)

    def _update(self, group: list[Trained]) -> None:
        for trained, reward in self._updates.update(group):
            for callback in self.callbacks:
                callback.stepped(self, trained.item, trained.loss, reward)

    def _train_reference(self) -> float:
        """Train the reference model by equal shares, on its part of the budget; gives what that cost."""
        selector = self.loader.selector
        inner = Trainer(
            self.taskset,
            policy="uniform",
            budget=Budget(self.reference.planned(selector.budget.amount - selector.spent), selector.budget.unit),
            seed=self.seed,
            when_exhausted="cycle",
            settings=replace(self.settings, charge_evaluations=False),
            optimizer=self._make,
        )
        inner.evaluations.next = math.inf
        with inner.training():
            inner._train()
        self._meter.restart()
        self.reference.take(inner.model, inner.loader.selector.spent)
        self._updates.reserved = selector.spent + self.reference.cost
        return self.reference.cost

    def _evaluate(self, extra: float = 0.0) -> None:
        result = self.evaluations.evaluate(extra)
        if result is None:
            return
        for callback in self.callbacks:
            callback.evaluated(self, result)

    def _result(self, tasks: Mapping[str, Any]) -> TrainResult:
        selector = self.loader.selector
        by_name = {name: index for index, name in enumerate(selector.names)}
        counts, examples, costs = selector.counts, selector.examples, selector.costs
        return TrainResult(
            taskset=self.taskset.name,
            tasks=dict(tasks),
            objective=objective({name: item.score for name, item in tasks.items()}, self.taskset.tasks, self.objective),
            counts={name: int(counts[index]) for name, index in by_name.items()},
            examples={name: float(examples[index]) for name, index in by_name.items()},
            costs={name: float(costs[index]) for name, index in by_name.items()},
            steps=selector.step,
            updates=self._updates.count,
            spent=selector.spent,
            evaluation_cost=selector.evaluation_cost - self.reference.cost,
            reference_cost=self.reference.cost,
            unit=selector.budget.unit,
            seconds=self.seconds,
            evaluations=tuple(self.evaluations.done),
            seed=self.seed,
            checksums=self.taskset.checksums,
        )

    # Saving and resuming

    def save(self) -> Path | None:
        """Write a checkpoint into the run directory; the folder, or None in other processes than the first.

        Raises:
            ValueError: the trainer has no run directory.
            OSError: the disk is full or the folder read-only; earlier checkpoints are untouched.
        """
        if self.run_directory is None:
            raise ValueError("a checkpoint needs a run directory: give the trainer `run=RunDirectory.create(...)`.")
        step = self.loader.selector.step
        if self.checkpoint_every is not None:
            self._next_checkpoint = (step // self.checkpoint_every + 1) * self.checkpoint_every
        folder = None
        if self.processes.is_main:
            tensors, state = self.state()
            folder = self.run_directory.save_checkpoint(step, state, lambda place: write_tensors(place, tensors))
        self.processes.wait()
        if folder is not None:
            for callback in self.callbacks:
                callback.saved(self, folder)
        return folder

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Where the run stands: tensors, and data that JSON can hold."""
        tensors, rest = pack_optimizer(self.optimizer, self.model)
        tensors |= pack_model(self.model) | self.reference.tensors()
        tensors |= {f"random/{index}": value for index, value in enumerate(random_state(self.processes.device))}
        if self._probes.held_out is not None:
            tensors["held_out"] = self._probes.held_out
        return tensors, {
            "loader": self.loader.state_dict(),
            "optimizer": rest,
            "evaluations": self.evaluations.state_dict(),
            "updates": self._updates.count,
            "reserved": self._updates.reserved,
            "reference_cost": self.reference.cost,
            "seconds": self.seconds,
            "next_checkpoint": encode(self._next_checkpoint),
            "threads": torch.get_num_threads(),
            "data": self.taskset.checksums,
        }

    def resume(self, checkpoint: Path | None = None, *, migrate: bool = False) -> None:
        """Stand where a checkpoint of the run directory was written; `run` then goes on.

        Args:
            checkpoint: its folder; None takes the newest.
            migrate: accept other tasks, data, policy, signal, constraints or sizes. Heads of tasks that are gone are
                dropped; those of new tasks start anew.

        Raises:
            ValueError: the trainer has no run directory.
            CheckpointError: there is no checkpoint, or it is damaged.
            FingerprintError: the run changed and `migrate` is false; says what changed.
        """
        if self.run_directory is None:
            raise ValueError("resuming needs a run directory: give the trainer `run=RunDirectory.open(...)`.")
        folder, state = self.run_directory.load_checkpoint(checkpoint)
        self.load_state(read_tensors(folder), state, migrate=migrate)

    def load_state(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any], *, migrate: bool = False) -> None:
        """Take over what `state` gave; see `resume`."""
        try:
            changed = [
                name
                for name, checksum in self.taskset.checksums.items()
                if state["data"].get(name, checksum) != checksum
            ]
            if changed and not migrate:
                raise FingerprintError(
                    f"the data of {', '.join(changed)} differ from those of the saved run: restore them, or resume "
                    f"with a migration (`migrate=True`, `--migrate`)."
                )
            self.loader.load_state_dict(state["loader"], migrate=migrate)
            unpack_model(self.model, tensors, partly=migrate)
            unpack_optimizer(self.optimizer, self.model, tensors, state["optimizer"])
            self.evaluations.load_state_dict(state["evaluations"])
            self._updates.reserved = float(state["reserved"])
            self.reference.load(tensors, float(state["reference_cost"]))
            self._updates.count, self._seconds = int(state["updates"]), float(state["seconds"])
            self._next_checkpoint = float(decode(state["next_checkpoint"]))
            self._probes.held_out = tensors.get("held_out")
            self._random = [tensors[f"random/{index}"] for index in range(len(random_state(self.processes.device)))]
            self._threads = int(state["threads"]) if self.settings.threads is None else self._threads
        except (FingerprintError, CheckpointError):
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"the checkpoint is damaged ({error!r}): take an older one.") from error

    # Inside

    @contextmanager
    def training(self) -> Generator[None]:
        """With the run's own random state, model and clock ready; closes log and data in the end."""
        with self._own_random_state():
            self._meter.restart()
            self.model.train()
            try:
                yield
            finally:
                self.loader.close()
                for source in self._sources.values():
                    source.close()

    @contextmanager
    def _own_random_state(self) -> Generator[None]:
        device, threads = self.processes.device, torch.get_num_threads()
        outside = random_state(device)
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        if self._random is None:
            torch.manual_seed(self.seed + 1_000_003 * self.processes.rank)
        elif self.processes.world == 1:
            set_random_state(device, self._random)
        else:  # a checkpoint holds the state of the first process only
            torch.manual_seed(self.seed + 1_000_003 * self.processes.rank + self.loader.selector.step)
        try:
            yield
        finally:
            set_random_state(device, outside)
            torch.set_num_threads(threads)

    def _cost(self, task: str, batch: Batch) -> float:
        return self._meter.training(self.taskset.names.index(task), batch)

    def _first_batches(self) -> list[Batch]:
        return [source.examples.take(source.order(0)[: source.batch_size]) for source in self._sources.values()]


def _size(batch: Batch) -> int:
    return batch.size
