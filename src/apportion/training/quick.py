"""Training in one call, for studies that train many times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn

from ..budget import Budget
from ..constraints import Constraints
from ..drawing import Execution
from ..loader import WhenExhausted
from ..policies import Policy
from ..signals import Signal
from .result import TrainResult
from .settings import Settings
from .taskset import Taskset
from .trainer import Trainer


def train(
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
    log: str | Path | None = None,
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] | None = None,
) -> TrainResult:
    """One run in this process, without checkpoints: what studies of policies call many times.

    See `Trainer`. Give small models `Settings(threads=1)`: they gain nothing from more.

    >>> from apportion.budget import Steps
    >>> from apportion.tasksets import digits
    >>> result = train(digits(), policy="uniform", budget=Steps(20), seed=0, when_exhausted="cycle")
    >>> sum(result.counts.values())
    20
    """
    trainer = Trainer(
        taskset,
        policy=policy,
        signal=signal,
        budget=budget,
        seed=seed,
        when_exhausted=when_exhausted,
        constraints=constraints,
        execution=execution,
        settings=settings,
        log=log,
        optimizer=optimizer,
    )
    return trainer.run()
