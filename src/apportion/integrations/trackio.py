"""Runs in Trackio."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._optional import optional

PROJECT = "apportion"


class Trackio:
    """Makes a run in the project `apportion` of Trackio's own folder (TRACKIO_DIR): look at it with `trackio show`.

    Args:
        place: directory of the run; noted in the configuration.

    Raises:
        MissingExtraError: trackio is not installed.
    """

    def __init__(self, place: Path) -> None:
        self._trackio: Any = optional("trackio", extra="trackio")
        self._place = place
        self._run: Any = None

    def start(self, name: str, params: Mapping[str, str], step: int) -> None:
        """Open the run."""
        config = {**params, "directory": str(self._place), "first_step": step}
        self._run = self._trackio.init(project=PROJECT, name=name, config=config)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """All numbers of a step at once."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Finish the run."""
        if self._run is not None:
            self._run.finish()
            self._run = None
