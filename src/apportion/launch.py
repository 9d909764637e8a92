"""From a configuration to a finished run directory."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ._files import write_file
from ._version import __version__
from .budget import Budget
from .component import Component
from .config import Config
from .forecast import MeanScore, WorstScore
from .policies import Policy, policies
from .records import ObjectiveName
from .run import RunDirectory
from .signals import signals

if TYPE_CHECKING:
    from .integrations import TrackerCallback
    from .training import Callback, Taskset, Trainer, TrainResult


C = TypeVar("C", bound=Component)


def launch(
    config: Config,
    place: Path,
    *,
    resume: bool = False,
    migrate: bool = False,
    callbacks: Sequence[Callback] = (),
    ready: Callable[[Trainer], None] | None = None,
    taskset: Taskset | None = None,
) -> dict[str, Any]:
    """Run, or go on with, the training run in a directory; gives its summary.

    Args:
        config: what to do.
        place: directory of the run.
        resume: continue exactly where the last checkpoint stood; a finished run is left as it is.
        migrate: with `resume`, accept that tasks, policy, constraints or budget changed.
        callbacks: who wants to hear how it goes.
        ready: called with the trainer before anything is spent.
        taskset: what the configuration's taskset makes, where it is loaded already.

    Raises:
        FileExistsError: the directory holds a run and `resume` is false.
        ValueError, OSError, ApportionError: see `Trainer`. A run that could not start leaves nothing behind.
    """
    trackers = _trackers(config, place)
    run = RunDirectory.open(place) if resume else RunDirectory.create(place, config=config.to_toml())
    if resume and run.summary_path.is_file() and not migrate:
        return run.summary()
    if resume and not run.checkpoints:
        # Killed before its first checkpoint: the little that was logged will be repeated exactly.
        run.log_path.unlink(missing_ok=True)
    try:
        trainer = make_trainer(config, run, [*callbacks, *trackers], taskset)
        if not run.checkpoints:
            trainer.loader.selector.shares()  # A policy that cannot decide leaves nothing behind.
            trainer.save()
    except BaseException:
        if not resume:
            run.discard()
        raise
    if resume:
        trainer.resume(migrate=migrate)
        if migrate:
            write_file(run.config_path, config.to_toml().encode())
    if ready is not None:
        ready(trainer)
    try:
        result = trainer.run()
    finally:
        for tracker in trackers:
            tracker.close()
    summary = summarise(config, trainer, result)
    run.write_summary(summary)
    return summary


def make_trainer(
    config: Config,
    run: RunDirectory | None = None,
    callbacks: Sequence[Callback] = (),
    taskset: Taskset | None = None,
) -> Trainer:
    """The trainer that a configuration describes; without a run directory it writes no file."""
    from .training import Trainer

    policy = aimed(policies.make(config.policy), config.objective)
    budget = config.make_budget()
    return Trainer(
        config.make_taskset() if taskset is None else taskset,
        policy=policy,
        signal=signal_of(config, policy),
        budget=budget,
        seed=config.seed,
        when_exhausted=config.when_exhausted,
        constraints=config.make_constraints(),
        execution=config.execution,
        settings=config.make_settings(),
        run=run,
        objective=config.objective,
        checkpoint_every=(config.checkpoint_every or _checkpoint_interval(budget)) if run is not None else None,
        callbacks=callbacks,
    )


def _trackers(config: Config, place: Path) -> list[TrackerCallback]:
    if not config.trackers:
        return []
    from .integrations import TrackerCallback, make_trackers

    return [TrackerCallback(make_trackers(config.trackers, place), name=place.name)]


def _checkpoint_interval(budget: Budget) -> int:
    """Decisions between two checkpoints: a tenth of a run in steps, 100 where the number of steps is not known."""
    return max(int(budget.amount / 10), 1) if budget.unit == "steps" else 100


def aimed(component: C, objective: ObjectiveName) -> C:
    """A policy or signal that goes for an objective, as far as it, or one inside it, has a parameter for that.

    >>> from apportion.policies import Planner
    >>> aimed(Planner(), "worst").objective
    WorstScore(softness=0.02)
    """
    changed: dict[str, Any] = {}
    for item in fields(cast("Any", component)) if objective != "mean" else ():
        value = getattr(component, item.name)
        if isinstance(value, Component):
            changed[item.name] = aimed(value, objective)
        elif isinstance(value, (list, tuple)):
            inner = [
                aimed(one, objective) if isinstance(one, Component) else one for one in cast("Sequence[Any]", value)
            ]
            changed[item.name] = inner if isinstance(value, list) else tuple(inner)
        elif item.name == "objective" and value in ("mean", MeanScore()):
            changed[item.name] = WorstScore() if value == MeanScore() else objective
    return replace(cast("Any", component), **changed)


def signal_of(config: Config, policy: Policy) -> Any:
    """The signal of the configuration, or the usual one of a policy that needs rewards, told the objective."""
    if config.signal is not None:
        return aimed(signals.make(config.signal), config.objective)
    if "reward" not in policy.requires:
        return None
    if not policy.usual_signal:
        raise ValueError(
            f"policy {policy.name!r} learns from rewards and has no usual signal: name one with `--signal`, see "
            f"`apportion list signals`."
        )
    return aimed(signals.make(policy.usual_signal), config.objective)


def summarise(config: Config, trainer: Trainer, result: TrainResult) -> dict[str, Any]:
    """What is written to summary.json: the result, and the signature of every figure in it."""
    import torch

    header = trainer.loader.selector.header
    return {
        **result.to_dict(),
        "policy": header["policy"],
        "signal": header["signal"],
        "signature": {
            "apportion": __version__,
            "log": header["fingerprint"],
            "data": trainer.taskset.checksum,
            "seed": config.seed,
            "config": config.model_dump(mode="json", exclude_none=True),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": str(torch.__version__),
            "device": str(trainer.processes.device),
            "threads": torch.get_num_threads(),
        },
    }
