"""What a tracker is, and what is sent to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from .._check import check_integer, nearest
from ..loader import TaskBatch
from ..training.callbacks import Callback

if TYPE_CHECKING:
    from ..records import Floats
    from ..training import EvaluationResult, Trainer, TrainResult

TRACKERS: Mapping[str, str] = {
    "tensorboard": "TensorBoard",
    "mlflow": "MLflow",
    "wandb": "WeightsAndBiases",
    "trackio": "Trackio",
}
"""Names of the trackers as configurations know them, and their classes."""


class Tracker(Protocol):
    """Takes numbers by name and step."""

    def start(self, name: str, params: Mapping[str, str], step: int) -> None:
        """A run begins, or goes on at `step`, with these settings."""
        ...

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Finite numbers by name; steps never go down."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


def make_trackers(names: Sequence[str], place: Path) -> list[Tracker]:
    """The trackers of these names; what they keep in files goes below `place` where they let one say so.

    Raises:
        ValueError: a name is unknown or comes twice.
        MissingExtraError: the library is not installed.
    """
    for name in names:
        if name not in TRACKERS or names.count(name) > 1:
            raise ValueError(
                f"`trackers` must be different ones of {', '.join(TRACKERS)}, got {name!r}{nearest(name, TRACKERS)}."
            )
    classes = (getattr(import_module(f".{name}", __package__), TRACKERS[name]) for name in names)
    return [cast("Callable[[Path], Tracker]", cls)(place) for cls in classes]


class TrackerCallback(Callback):
    """Sends decisions, shares, rewards and scores of a run to trackers.

    Numbers of single decisions are gathered over `every` decisions and sent with the step of the last one:

    ====================  ==================================================================================
    `decisions/TASK`      how many of them were for the task
    `asked/TASK`          mean probability that they were drawn from
    `share/TASK`          the task's share of all decisions so far
    `loss/TASK`           mean training loss of its batches
    `reward/TASK`         mean reward of its batches, where there are rewards
    `spent`               budget used
    ====================  ==================================================================================

    An evaluation sends `score/TASK`, `held_out_loss/TASK` and `objective`, the end of the run `final/TASK` and
    `final_objective`. What is NaN or infinite is left out.

    Args:
        trackers: where to send it.
        name: of the run.
        every: decisions that are gathered, at least 1.

    Raises:
        ValueError: `every` is below 1.
    """

    def __init__(self, trackers: Sequence[Tracker], *, name: str, every: int = 10) -> None:
        check_integer("every", every, low=1)
        self._trackers, self._name, self._every = tuple(trackers), name, every
        self._forget(0)

    def started(self, trainer: Trainer) -> None:
        """Open the run in every tracker."""
        selector = trainer.loader.selector
        self._forget(len(selector.names))
        params = {
            "policy": repr(selector.policy),
            "signal": "" if selector.signal is None else repr(selector.signal),
            "budget": str(selector.budget),
            "seed": str(trainer.seed),
            "taskset": trainer.taskset.name,
            "tasks": ", ".join(selector.names),
            "log": str(selector.header["fingerprint"]),
        }
        for tracker in self._trackers:
            tracker.start(self._name, params, selector.step)

    def stepped(self, trainer: Trainer, item: TaskBatch, loss: float, reward: float) -> None:
        """Gather a decision, and send when there are enough."""
        task = item.decision.task
        self._asked += item.decision.probabilities
        self._counts[task] += 1
        self._losses[task] += loss
        if not math.isnan(reward):
            self._rewards[task] += reward
            self._rewarded[task] += 1
        if self._counts.sum() >= self._every:
            self._send_decisions(trainer)

    def evaluated(self, trainer: Trainer, result: EvaluationResult) -> None:
        """Send the scores of all tasks."""
        self._send_decisions(trainer)
        values = {f"score/{name}": score for name, score in result.scores.items()}
        values |= {f"held_out_loss/{name}": item.loss for name, item in result.tasks.items()}
        values["objective"] = result.objective(trainer.taskset.tasks, trainer.objective)
        self._send(values, result.step)

    def finished(self, trainer: Trainer, result: TrainResult) -> None:
        """Send the final scores, and close."""
        self._send_decisions(trainer)
        values = {f"final/{name}": score for name, score in result.scores.items()}
        self._send({**values, "final_objective": result.objective}, result.steps)
        self.close()

    def close(self) -> None:
        """Close every tracker; also after an error."""
        for tracker in self._trackers:
            tracker.close()

    def _forget(self, n_tasks: int) -> None:
        self._asked: Floats = np.zeros(n_tasks)
        self._losses: Floats = np.zeros(n_tasks)
        self._rewards: Floats = np.zeros(n_tasks)
        self._counts = np.zeros(n_tasks, dtype=np.int64)
        self._rewarded = np.zeros(n_tasks, dtype=np.int64)

    def _send_decisions(self, trainer: Trainer) -> None:
        selector = trainer.loader.selector
        number = int(self._counts.sum())
        if number == 0:
            return
        totals = selector.counts / max(int(selector.counts.sum()), 1)
        values: dict[str, float] = {"spent": selector.spent}
        for index, name in enumerate(selector.names):
            values[f"decisions/{name}"] = float(self._counts[index])
            values[f"asked/{name}"] = float(self._asked[index]) / number
            values[f"share/{name}"] = float(totals[index])
            if self._counts[index]:
                values[f"loss/{name}"] = float(self._losses[index] / self._counts[index])
            if self._rewarded[index]:
                values[f"reward/{name}"] = float(self._rewards[index] / self._rewarded[index])
        self._send(values, selector.step)
        self._forget(len(selector.names))

    def _send(self, values: Mapping[str, float], step: int) -> None:
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        for tracker in self._trackers:
            tracker.log(finite, step)
