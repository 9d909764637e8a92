"""Event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._optional import optional


class TensorBoard:
    """Writes event files into `PLACE/tensorboard`: look at them with `tensorboard --logdir PLACE`.

    Args:
        place: directory of the run.

    Raises:
        MissingExtraError: torch or tensorboard is not installed.
    """

    def __init__(self, place: Path) -> None:
        optional("tensorboard", extra="tensorboard")
        self._make: Any = optional("torch.utils.tensorboard", extra="train").SummaryWriter
        self._folder = place / "tensorboard"
        self._writer: Any = None

    def start(self, name: str, params: Mapping[str, str], step: int) -> None:
        """Open a file; events from `step` on that an interrupted run left are hidden."""
        self._writer = self._make(str(self._folder), purge_step=step)
        lines = "\n".join(f"    {key}: {value}" for key, value in params.items())
        self._writer.add_text(name, lines, step)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """One scalar for each number."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
