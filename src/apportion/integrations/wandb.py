"""Runs in Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._optional import optional

PROJECT = "apportion"


class WeightsAndBiases:
    """Makes a run in the project `apportion`, or in WANDB_PROJECT; with WANDB_MODE=offline nothing is sent away.

    Args:
        place: directory of the run, which gets a folder `wandb`.

    Raises:
        MissingExtraError: wandb is not installed.
    """

    def __init__(self, place: Path) -> None:
        self._wandb: Any = optional("wandb", extra="wandb")
        self._place = place
        self._run: Any = None

    def start(self, name: str, params: Mapping[str, str], step: int) -> None:
        """Open the run."""
        project = self._wandb.Settings().project or PROJECT
        self._place.mkdir(parents=True, exist_ok=True)
        self._run = self._wandb.init(
            project=project, name=name, dir=str(self._place), config={**params, "first_step": step}
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        """All numbers of a step at once."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Finish the run."""
        if self._run is not None:
            self._run.finish()
            self._run = None
