"""Who wants to hear how a run of training goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..loader import TaskBatch

if TYPE_CHECKING:
    from .held_out import EvaluationResult
    from .result import TrainResult
    from .trainer import Trainer


class Callback:
    """Hears how a run goes; override what matters. With several processes only the first one calls.

    `trainer.loader.selector` says what was spent on what.
    """

    def started(self, trainer: Trainer) -> None:
        """Training begins or goes on."""

    def stepped(self, trainer: Trainer, item: TaskBatch, loss: float, reward: float) -> None:
        """A decision was trained on and told; `reward` is NaN where there is none."""

    def evaluated(self, trainer: Trainer, result: EvaluationResult) -> None:
        """All tasks were evaluated."""

    def saved(self, trainer: Trainer, folder: Path) -> None:
        """A checkpoint was written."""

    def finished(self, trainer: Trainer, result: TrainResult) -> None:
        """Training is over."""
