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
from ._fit import Priors, first_and_scale
from .history import History
from .posterior import Posterior, fit

_LEAST = 0.3  # standard deviation of log speeds and spans between runs of the same tasks, at least
_LEAST_SCALE = 0.05  # of transfer's Cauchy prior
_TINY = 1e-6  # of a span, in units of the range of scores, and of a speed
_MOST = 10.0  # batches of its own that a batch of another task can teach


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """How fast tasks learn, how far, and who helps whom, as earlier runs have shown; plain numbers that JSON can hold.

    Posterior draws of all runs are pooled: their medians become the means of the next priors, and their interquartile
    ranges the widths, so that what the runs do not tell, or tell differently, stays open. Speeds are per batch and
    spans in units of score, so the next run may have another budget. They say nothing about a run with another model,
    learning rate or batch size: there a prior from earlier runs misleads until the new scores outweigh it.

    Attributes:
        tasks: names, sorted; rows and columns below are in this order.
        speed: log of the part of a curve's scale that one batch of the task covers.
        speed_sd: its standard deviation, at least 0.3.
        span: log of how far the score can rise.
        span_sd: likewise.
        transfer: what a batch of task j teaches task i, in batches of its own, 0 on the diagonal.
        scale: of the Cauchy prior around it, at least 0.05.
        costs: part of a budget that a batch of each task took.
        runs: how many runs it was learned from.

    Raises:
        ValueError: the lists do not belong to the tasks, or a number is not finite.
    """

    tasks: list[str]
    speed: list[float]
    speed_sd: list[float]
    span: list[float]
    span_sd: list[float]
    transfer: list[list[float]]
    scale: list[list[float]]
    costs: list[float]
    runs: int

    def __post_init__(self) -> None:
        n = len(self.tasks)
        lists = ("speed", "speed_sd", "span", "span_sd", "costs")
        for name, shape in (*((name, (n,)) for name in lists), ("transfer", (n, n)), ("scale", (n, n))):
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
        found: dict[str, list[Floats]] = {name: [] for name in ("speed", "span", "transfer", "costs")}
        for posterior in posteriors:
            own = [task.name for task in posterior.tasks]
            _check_same(names, own)
            order = np.array([own.index(name) for name in names])
            total, scale = _units(posterior.history)
            members = posterior.members
            rate = members.rate[:, :, order][:, :, :, order]
            speed = np.diagonal(rate, axis1=2, axis2=3)
            span = np.maximum(members.span[:, :, order], _TINY * np.exp(scale)[:, None, None])
            found["speed"].append(np.log(np.maximum(speed, _TINY)) - total[:, None, None])
            found["span"].append(np.log(span))
            found["transfer"].append(np.clip(rate / np.maximum(speed, _TINY)[..., None], -_MOST, _MOST))
            found["costs"].append(posterior.history.costs[:, order] / posterior.history.budget)
        middle: dict[str, Floats] = {}
        width: dict[str, Floats] = {}
        for name in ("speed", "span", "transfer"):
            draws = np.concatenate([values.reshape(-1, *values.shape[2:]) for values in found[name]])
            low, middle[name], high = np.quantile(draws, [0.25, 0.5, 0.75], axis=0)
            width[name] = 0.5 * (high - low)
        np.fill_diagonal(middle["transfer"], 0.0)
        return cls(
            tasks=names,
            speed=middle["speed"].tolist(),
            speed_sd=np.maximum(width["speed"] / 0.6745, _LEAST).tolist(),
            span=middle["span"].tolist(),
            span_sd=np.maximum(width["span"] / 0.6745, _LEAST).tolist(),
            transfer=middle["transfer"].tolist(),
            scale=np.maximum(width["transfer"], _LEAST_SCALE).tolist(),
            costs=np.concatenate(found["costs"]).mean(axis=0).tolist(),
            runs=sum(posterior.history.n_runs for posterior in posteriors),
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

    def priors(self, names: Sequence[str], *, costs: Floats, scores: Floats, upper: Floats) -> Priors:
        """Priors in the units of new runs.

        Args:
            names: of the tasks, in the order of the columns.
            costs: part of the budget that a batch takes, (n_runs, n_tasks).
            scores: so far, (n_runs, n_times, n_tasks); NaN where not measured.
            upper: largest possible score, inf where there is none, (n_tasks,) or (n_runs, n_tasks).

        Raises:
            ValueError: see `order_of`.
        """
        order = self.order_of(names)
        _, scale = first_and_scale(scores, np.isfinite(scores), upper)
        return Priors(
            speed=np.array(self.speed)[order] - np.log(costs.sum(axis=1))[:, None],
            speed_sd=np.array(self.speed_sd)[order],
            span=np.array(self.span)[order] - np.log(scale)[:, None],
            span_sd=np.array(self.span_sd)[order],
            transfer=np.array(self.transfer)[np.ix_(order, order)],
            transfer_scale=np.array(self.scale)[np.ix_(order, order)],
            runs=self.runs,
        )


def learn_priors(posteriors: Sequence[Posterior], *, like: History) -> Priors:
    """Priors for the run `like`, as far as it has come, from the posteriors of earlier runs; see `Lessons`.

    Raises:
        ValueError: there is none, or their tasks differ.
    """
    names = [task.name for task in like.tasks]
    return Lessons.of(posteriors).priors(names, costs=like.costs / like.budget, scores=like.scores, upper=like.upper)


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
    _, scale = first_and_scale(history.scores, np.isfinite(history.scores), history.upper)
    return np.log(history.budget / history.costs.sum(axis=1)), np.log(scale)


def _check_same(wanted: Sequence[str], names: Sequence[str]) -> None:
    if set(wanted) != set(names) or len(wanted) != len(names):
        odd = ", ".join(sorted(set(wanted) ^ set(names)))
        raise ValueError(f"earlier runs must have the tasks of the new one, they differ in {odd}.")
