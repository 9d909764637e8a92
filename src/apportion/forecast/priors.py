"""What earlier runs of the same tasks teach about the next one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson

from .._files import write_file
from ..log import Log, read_log
from ..records import Floats, Ints
from ..run import RunDirectory
from ._fit import SPAN, SPEED, TRANSFER, Priors, first_and_scale
from .history import History
from .posterior import Posterior, fit

_SPREAD = 0.5  # of log speeds and spans between runs of the same tasks, in place of what too few runs cannot tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """How fast tasks learn, how far, and who helps whom, as earlier runs have shown; plain numbers that JSON can hold.

    Every parameter is the mean over runs of its posterior mode, shapes weighted by their evidence. Speeds are per
    batch and spans in units of score, so the next run may have another budget. They say nothing about a run with
    another model, learning rate or batch size: there a prior from earlier runs misleads until the new scores outweigh
    it.

    Attributes:
        tasks: names, sorted; rows and columns below are in this order.
        speed: log of the part of a curve's scale that one batch of the task covers.
        span: log of how far the score can rise.
        transfer: what a batch of task j teaches task i, in batches of its own, 0 on the diagonal.
        scale: of the Cauchy prior around it: its standard deviation over the runs, at least 0.05; 0.1 for one run.
        costs: part of a budget that a batch of each task took.
        runs: how many runs it was learned from.

    Raises:
        ValueError: the lists do not belong to the tasks, or a number is not finite.
    """

    tasks: list[str]
    speed: list[float]
    span: list[float]
    transfer: list[list[float]]
    scale: list[list[float]]
    costs: list[float]
    runs: int

    def __post_init__(self) -> None:
        n = len(self.tasks)
        for name, shape in (("speed", (n,)), ("span", (n,)), ("transfer", (n, n)), ("scale", (n, n)), ("costs", (n,))):
            table = np.array(getattr(self, name), dtype=np.float64)
            if table.shape != shape or not np.isfinite(table).all():
                raise ValueError(f"`{name}` of the lessons must be finite numbers of the shape {shape}.")

    @classmethod
    def of(cls, posteriors: Sequence[Posterior]) -> Self:
        """What these posteriors teach, each of one run or of runs side by side.

        Raises:
            ValueError: there is none, or their tasks differ.
        """
        if not posteriors:
            raise ValueError("priors need at least one earlier run, got none.")
        names = sorted(task.name for task in posteriors[0].tasks)
        found: list[Floats] = []
        costs: list[Floats] = []
        for posterior in posteriors:
            own = [task.name for task in posterior.tasks]
            _check_same(names, own)
            order = np.array([own.index(name) for name in names])
            total, scale = _units(posterior.history)
            modes = posterior.modes()[:, order]
            modes[..., TRANSFER:] = modes[..., TRANSFER:][..., order]
            modes[..., SPEED] -= total[:, None]
            modes[..., SPAN] += scale[:, None]
            found.append(modes)
            costs.append(posterior.history.costs[:, order] / posterior.history.budget)
        modes = np.concatenate(found)  # (n_runs, n_tasks, P)
        transfer = modes[..., TRANSFER:]
        spread = np.maximum(transfer.std(axis=0), 0.05) if len(modes) > 1 else np.full(transfer.shape[1:], 0.1)
        mean: Floats = transfer.mean(axis=0)
        np.fill_diagonal(mean, 0.0)
        return cls(
            tasks=names,
            speed=modes[..., SPEED].mean(axis=0).tolist(),
            span=modes[..., SPAN].mean(axis=0).tolist(),
            transfer=mean.tolist(),
            scale=spread.tolist(),
            costs=np.concatenate(costs).mean(axis=0).tolist(),
            runs=len(modes),
        )

    @classmethod
    def of_paths(cls, paths: str | Path | Sequence[str | Path], *, upper: float | None = None) -> Self:
        """What run directories teach; or, as the only path, a file that `save` wrote.

        Args:
            paths: one or several.
            upper: largest possible score; None for 1 where no score is above it, else no limit.

        Raises:
            FileNotFoundError: there is no such run or file.
            ValueError: a run has no evaluation, the runs have other tasks, or the file holds no lessons.
        """
        places = [Path(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths)]
        if len(places) == 1 and places[0].is_file():
            try:
                return cls.of_data(orjson.loads(places[0].read_bytes()))
            except orjson.JSONDecodeError as error:
                raise ValueError(f"'{places[0]}' holds no lessons: it is not JSON.") from error
        return cls.of([fit(_history(place, upper), look_back=False) for place in places])

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `data`.

        Raises:
            ValueError: an entry is missing or unknown, or see the class.
        """
        wanted = {item.name for item in fields(cls)}
        if not isinstance(data, Mapping) or set(data) != wanted:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"lessons must have the entries {', '.join(sorted(wanted))}.")
        return cls(**data)

    def data(self) -> dict[str, Any]:
        """Plain data that JSON can hold; `Planner(priors=...)` takes it."""
        return asdict(self)

    def save(self, path: Path) -> None:
        """Write them to a file, which `of_paths` and `Planner(priors=...)` read."""
        write_file(path, orjson.dumps(self.data(), option=orjson.OPT_INDENT_2))

    def order_of(self, names: Sequence[str]) -> Ints:
        """The place of each of these tasks in the lessons, (n_tasks,).

        Raises:
            ValueError: the lessons are about other tasks.
        """
        _check_same(self.tasks, names)
        return np.array([self.tasks.index(name) for name in names], dtype=np.int64)

    def priors(self, names: Sequence[str], *, costs: Floats, scores: Floats) -> Priors:
        """Priors in the units of new runs. Standard deviations are far narrower than without earlier runs.

        Args:
            names: of the tasks, in the order of the columns.
            costs: part of the budget that a batch takes, (n_runs, n_tasks).
            scores: so far, (n_runs, n_times, n_tasks); NaN where not measured.

        Raises:
            ValueError: see `order_of`.
        """
        order = self.order_of(names)
        _, scale = first_and_scale(scores, np.isfinite(scores))
        return Priors(
            speed=np.array(self.speed)[order] - np.log(costs.sum(axis=1))[:, None],
            speed_sd=_SPREAD,
            span=np.array(self.span)[order] - np.log(scale)[:, None],
            span_sd=_SPREAD,
            transfer=np.array(self.transfer)[np.ix_(order, order)],
            transfer_scale=np.array(self.scale)[np.ix_(order, order)],
        )


def learn_priors(posteriors: Sequence[Posterior], *, like: History) -> Priors:
    """Priors for the run `like`, as far as it has come, from the posteriors of earlier runs; see `Lessons`.

    Raises:
        ValueError: there is none, or their tasks differ.
    """
    names = [task.name for task in like.tasks]
    return Lessons.of(posteriors).priors(names, costs=like.costs / like.budget, scores=like.scores)


def open_log(path: Path) -> Log:
    """The log of a run directory, finished or still running.

    Raises:
        FileNotFoundError: the folder holds no run, or the run has made no decision yet.
        LogFormatError: the log is damaged.
    """
    folder = RunDirectory.open(path)
    if not folder.log_path.is_file():
        raise FileNotFoundError(f"the run in '{path}' has no decision yet: wait for its first one.")
    with warnings.catch_warnings():
        if not folder.summary_path.is_file():
            # A run that goes on may be in the middle of writing its last line.
            warnings.filterwarnings("ignore", message=".*torn line")
        return read_log(folder.log_path)


def _history(path: Path, upper: float | None) -> History:
    log = open_log(path)
    if not log.evaluations:
        raise ValueError(f"the run in '{path}' has no evaluation, and teaches nothing about the next one.")
    scores = np.stack([item.scores for item in log.evaluations])
    limit = upper if upper is not None else np.inf if np.nanmax(scores, initial=0.0) > 1.0 else 1.0
    return History.of_log(log, upper=limit)


def _units(history: History) -> tuple[Floats, Floats]:
    """Logs of the batches that equal shares give a task, and of the scale of the scores, (n_runs,) each."""
    _, scale = first_and_scale(history.scores, np.isfinite(history.scores))
    return np.log(history.budget / history.costs.sum(axis=1)), np.log(scale)


def _check_same(wanted: Sequence[str], names: Sequence[str]) -> None:
    if set(wanted) != set(names) or len(wanted) != len(names):
        odd = ", ".join(sorted(set(wanted) ^ set(names)))
        raise ValueError(f"earlier runs must have the tasks of the new one, they differ in {odd}.")
