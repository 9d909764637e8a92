"""The view of a running training run in a terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..loader import TaskBatch
from ..records import Floats
from ..report.wording import short_names
from ..training.callbacks import Callback

if TYPE_CHECKING:
    from pathlib import Path

    from ..training import EvaluationResult, Trainer, TrainResult

_PAUSE = 0.1
"""Seconds between two drawings, so that the view takes little of the loop's time."""
_BLOCKS = " ▁▂▃▄▅▆▇█"
_LONGEST_NAME = 24


def sparkline(values: Sequence[float], low: float | None = None, high: float | None = None) -> str:
    """A small chart of values, from `low` to `high`, or from their smallest to their largest; a gap where one is NaN.

    >>> sparkline([0.0, 0.5, 1.0])
    '▁▄█'
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    low = min(known) if low is None else low
    high = max(known) if high is None else high
    scale = (len(_BLOCKS) - 2) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[1 + int((value - low) * scale)] if math.isfinite(value) else " " for value in values)


class LiveView(Callback):
    """Shows shares, scores and the time left while a run goes on.

    Args:
        console: to draw on; where it is no terminal, one line for each evaluation is printed instead.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._drawn_at = -math.inf
        self._names: list[str] = []
        self._losses: dict[str, float] = {}
        self._scores: dict[str, list[float]] = {}
        self._asked: Floats = np.zeros((1, 0))  # sums of the probabilities in each part of the budget
        self._decisions = np.zeros(1)  # in each part of the budget
        self._bar = Progress(
            TextColumn("{task.fields[unit]}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("time left"),
            TimeRemainingColumn(),
            console=console,
            expand=True,
        )
        self._task = None

    def started(self, trainer: Trainer) -> None:
        """Draw the empty view."""
        selector = trainer.loader.selector
        self._names = short_names(selector.names, _LONGEST_NAME)
        self._scores = {name: [] for name in selector.names}
        # What the charts leave of a line: names, three numbers, and the frame of six columns.
        rest = max(map(len, self._names)) + 3 * 6 + 19
        cells = min(max((self._console.width - rest) // 2, 6), 30)
        self._asked, self._decisions = np.zeros((cells, len(selector.names))), np.zeros(cells)
        for result in trainer.evaluations.done:
            self._note(result)
        if self._console.is_terminal:
            self._task = self._bar.add_task(
                "run", total=selector.budget.amount, completed=int(selector.spent), unit=selector.budget.unit
            )
            self._live = Live(self._draw(trainer), console=self._console, auto_refresh=False)
            self._live.start(refresh=True)

    def stepped(self, trainer: Trainer, item: TaskBatch, loss: float, reward: float) -> None:
        """Take notice of a decision."""
        del reward
        before = self._losses.get(item.task, loss)
        self._losses[item.task] = 0.9 * before + 0.1 * loss
        selector = trainer.loader.selector
        cells = self._decisions.size
        part = min(int(cells * selector.spent / selector.budget.amount), cells - 1)
        self._asked[part] += item.decision.probabilities
        self._decisions[part] += 1
        self._show(trainer)

    def evaluated(self, trainer: Trainer, result: EvaluationResult) -> None:
        """Show new scores."""
        self._note(result)
        if self._live is not None:
            self._show(trainer)
            return
        scores = "  ".join(f"{name} {_score(item.score)}" for name, item in result.tasks.items() if item.is_measured)
        spent = (
            f"{result.spent:,.6g}/{trainer.loader.selector.budget.amount:,.6g} {trainer.loader.selector.budget.unit}"
        )
        self._console.print(f"{spent}  {scores}", markup=False, soft_wrap=True)

    def saved(self, trainer: Trainer, folder: Path) -> None:
        """Nothing to show."""

    def finished(self, trainer: Trainer, result: TrainResult) -> None:
        """Leave the last view on the screen."""
        self._drawn_at = -math.inf
        self._show(trainer)
        self.stop()

    def stop(self) -> None:
        """Give the terminal back; also after an error."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _note(self, result: EvaluationResult) -> None:
        for name, item in result.tasks.items():
            if item.is_measured:
                self._scores.setdefault(name, []).append(item.score)

    def _show(self, trainer: Trainer) -> None:
        now = time.monotonic()
        if self._live is not None and now - self._drawn_at >= _PAUSE:
            self._drawn_at = now
            self._live.update(self._draw(trainer), refresh=True)

    def _draw(self, trainer: Trainer) -> Group:
        selector = trainer.loader.selector
        if self._task is not None:
            self._bar.update(self._task, completed=int(min(selector.spent, selector.budget.amount)))
        counts = selector.counts
        total = max(int(counts.sum()), 1)
        known = np.maximum(self._decisions, 1)[:, None]
        asked = np.where(self._decisions[:, None] > 0, self._asked / known, np.nan)
        highest = float(np.nanmax(asked)) if self._decisions.any() else 1.0
        cells = self._decisions.size
        table = Table(header_style="bold")
        for column in ("task", "share", "asked for", "loss", "score", "scores so far"):
            wide = column in ("asked for", "scores so far")
            side = "left" if wide or column == "task" else "right"
            table.add_column(column, justify=side, min_width=min(cells, 6) if wide else None, no_wrap=True)
        fit = max(self._console.height - 7, 1)
        for index, (shown, name) in enumerate(zip(self._names[:fit], selector.names, strict=False)):
            scores = self._scores.get(name, [])
            table.add_row(
                escape(shown),
                f"{counts[index] / total:.1%}",
                sparkline(asked[:, index].tolist(), 0.0, highest),
                f"{self._losses[name]:.3f}" if name in self._losses else "",
                _score(scores[-1]) if scores else "",
                sparkline(scores[-cells:]),
            )
        more = len(self._names) - fit
        return Group(self._bar, table, f"and {more} more tasks" if more > 0 else "")


def _score(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f}"
