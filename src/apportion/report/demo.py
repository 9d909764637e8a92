"""The figures that a demonstration writes beside its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .._files import replacing
from . import figures, tables
from .settings import Setting, load_runs

_FIGURES: dict[str, Callable[[Setting], Any]] = {
    "shares": lambda setting: figures.shares(tables.shares(setting), setting),
    "scores": lambda setting: figures.scores(
        tables.curves(setting), setting, tables.forecasts(setting), tables.finals(setting)
    ),
    "objective": lambda setting: figures.objective(tables.curves(setting), setting, tables.finals(setting)),
}


def figures_for_demo(run_dirs: Sequence[str | Path], out_dir: str | Path) -> list[Path]:
    """Write figures of the shares, the scores and the objective over the budget as PNG, for each setting.

    Args:
        run_dirs: run directories, finished or going on.
        out_dir: folder for `shares.png`, `scores.png` and `objective.png`; further settings get a number.

    Returns:
        The files.

    Raises:
        ValueError: no run is given, or the same run twice.
        FileNotFoundError: a folder holds no run with a decision.
        MissingExtraError: altair or vl-convert is not installed.
    """
    written: list[Path] = []
    for number, setting in enumerate(load_runs(run_dirs), start=1):
        for name, draw in _FIGURES.items():
            path = Path(out_dir) / (f"{name}.png" if number == 1 else f"{name}-{number}.png")
            with replacing(path) as part:
                draw(setting).save(str(part), format="png", scale_factor=2)
            written.append(path)
    return written
