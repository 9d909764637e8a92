"""The view of a running training run in a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..loader import TaskBatch
from ..training.callbacks import Callback

if TYPE_CHECKING:
    from pathlib import Path

    from ..training import EvaluationResult, Trainer, TrainResult

_REFRESH = 0.1
"""Share of the loop's time that the view may cost is kept small by redrawing at most ten times a second."""
_BLOCKS = " ▁▂▃▄▅▆▇█"


def sparkline(values: list[float]) -> str:
    """A small chart of the last values, from their smallest to their largest; a gap where one is NaN.

    >>> sparkline([0.0, 0.5, 1.0])
    '▁▄█'
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
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
        self._losses: dict[str, float] = {}
        self._scores: dict[str, list[float]] = {}
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
        self._scores = {name: [] for name in selector.names}
        for result in trainer.evaluations.done:
            self._note(result)
        if self._console.is_terminal:
            self._task = self._bar.add_task(
                "run", total=selector.budget.amount, completed=int(selector.spent), unit=selector.budget.unit
            )
            self._live = Live(self._draw(trainer), console=self._console, refresh_per_second=1 / _REFRESH)
            self._live.start()

    def stepped(self, trainer: Trainer, item: TaskBatch, loss: float, reward: float) -> None:
        """Take notice of a decision; the view is redrawn by its own clock."""
        del reward
        before = self._losses.get(item.task, loss)
        self._losses[item.task] = 0.9 * before + 0.1 * loss
        if self._live is not None and item.decision.step % 16 == 0:
            self._live.update(self._draw(trainer))

    def evaluated(self, trainer: Trainer, result: EvaluationResult) -> None:
        """Show new scores."""
        self._note(result)
        if self._live is not None:
            self._live.update(self._draw(trainer))
            return
        scores = "  ".join(f"{name} {_score(value)}" for name, value in result.scores.items())
        spent = (
            f"{result.spent:,.6g}/{trainer.loader.selector.budget.amount:,.6g} {trainer.loader.selector.budget.unit}"
        )
        self._console.print(f"{spent}  {scores}", markup=False, soft_wrap=True)

    def saved(self, trainer: Trainer, folder: Path) -> None:
        """Nothing to show."""

    def finished(self, trainer: Trainer, result: TrainResult) -> None:
        """Leave the last view on the screen."""
        if self._live is not None:
            self._live.update(self._draw(trainer))
        self.stop()

    def stop(self) -> None:
        """Give the terminal back; also after an error."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _note(self, result: EvaluationResult) -> None:
        for name, value in result.scores.items():
            self._scores.setdefault(name, []).append(value)

    def _draw(self, trainer: Trainer) -> Group:
        selector = trainer.loader.selector
        if self._task is not None:
            self._bar.update(self._task, completed=int(min(selector.spent, selector.budget.amount)))
        counts = selector.counts
        total = max(int(counts.sum()), 1)
        table = Table(header_style="bold")
        for column in ("task", "share", "", "loss", "score", "scores so far"):
            table.add_column(column, justify="left" if column in ("task", "", "scores so far") else "right")
        for name, count in zip(selector.names, counts.tolist(), strict=True):
            scores = self._scores.get(name, [])
            table.add_row(
                escape(name),
                f"{count / total:.1%}",
                "█" * round(20 * count / total),
                f"{self._losses[name]:.3f}" if name in self._losses else "",
                _score(scores[-1]) if scores else "",
                sparkline(scores[-24:]),
            )
        return Group(self._bar, table)


def _score(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f}"
