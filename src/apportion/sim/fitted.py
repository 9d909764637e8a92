"""Worlds fitted to logged runs of real training, and what the fit is worth on runs that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from .._check import check_integer, check_number
from ..forecast.history import History
from ..log.header import task_dict, task_from
from ..records import Floats, Task
from ._base import World
from ._fitting import PARTS, Packing, Table, as_mapping, check_parts, errors, fit, predict
from ._measured import Losses, fit_losses
from ._shipped import folder, shipped
from .learning import LearningWorld
from .noisy import Noisy

FORMAT = "apportion fitted world 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A world of learning curves whose parameters were fitted to logged runs.

    Attributes:
        tasks: of the runs.
        budget: batches of the longest run.
        parts: parts of the world that were used, of `apportion.sim.fitted.PARTS`.
        parameters: of `LearningWorld`, as plain data.
        noise: standard deviation of what the fit leaves unexplained, for each task: luck of runs and of evaluations.
        measured: what fits to the losses of batches found: `batch_noise`, `memorised`, `gain_noise` (in losses).
        n_runs: runs that it rests on.
        n_scores: scores that it rests on.
        error: root mean square error of these scores.
        held_out_error: the same for runs that were left out of the fit, by folds over runs; NaN for a single run.
        baseline_error: the same for the mean score of the other runs at the same time, which knows no policy.
        source: where the runs came from.
    """

    tasks: tuple[Task, ...]
    budget: float
    parts: tuple[str, ...]
    parameters: Mapping[str, Any]
    noise: tuple[float, ...]
    n_runs: int
    n_scores: int
    error: float
    held_out_error: float
    baseline_error: float
    source: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def world(self, budget: float | None = None, **evaluations: int) -> World:
        """The world, with the noise that the fit found.

        An evaluation looks at fractions of examples: its noise is that of a fraction at the scores of the end, or what
        the fit leaves unexplained where the size of a batch is not known.

        Args:
            budget: in place of that of the longest run.
            **evaluations: `evaluations` and `evaluated_batches` of `LearningWorld`.
        """
        whole = self.budget if budget is None else budget
        settings: dict[str, Any] = {**self.parameters, **evaluations}
        inner = LearningWorld(tasks=self.tasks, budget=whole, **settings)
        noise: Any = self.noise
        if inner.batch > 1:
            reached = np.clip(np.asarray(self.parameters["high"], dtype=np.float64), 0.05, 0.95)
            noise = np.sqrt(reached * (1.0 - reached) / inner.batch).tolist()
        more = dict(self.measured)
        if "gain_noise" in more:
            more["gain_noise"] = [whole * value for value in more["gain_noise"]]
        return Noisy(inner, evaluation_noise=noise, **more)

    def save(self, path: str | Path) -> None:
        """Write the fit as JSON."""
        data = {"format": FORMAT, **asdict(self), "tasks": [task_dict(task) for task in self.tasks]}
        Path(path).write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")

    @classmethod
    def load(cls, path: str | Path) -> Fit:
        """Read a fit from a file, or by name from those that are shipped.

        Raises:
            ValueError: there is no such file, or it is no fit.
        """
        file = Path(path)
        if str(path) in shipped():
            data = orjson.loads(folder().joinpath(f"{path}.json").read_bytes())
        elif file.is_file():
            try:
                data = orjson.loads(file.read_bytes())
            except orjson.JSONDecodeError as error:
                raise ValueError(f"{str(path)!r} is no JSON file: {error}.") from error
        else:
            raise ValueError(f"there is no fitted world {str(path)!r}; shipped are {', '.join(shipped()) or 'none'}.")
        return cls._of(as_mapping(data, f"the fitted world {str(path)!r}"), str(path))

    @classmethod
    def _of(cls, data: Mapping[str, Any], path: str) -> Fit:
        if data.get("format") != FORMAT:
            raise ValueError(f"{path!r} is no fitted world: its format is {data.get('format')!r}, not {FORMAT!r}.")
        try:
            tasks = tuple(task_from(item) for item in data["tasks"])
            rest = {key: data[key] for key in cls.__dataclass_fields__ if key not in ("tasks", "parts", "noise")}
            rest |= {name: float("nan") for name in ("held_out_error", "baseline_error") if rest[name] is None}
            found = cls(tasks=tasks, parts=tuple(data["parts"]), noise=tuple(data["noise"]), **rest)
            found.world()  # refuses parameters that make no world
        except (KeyError, TypeError) as error:
            raise ValueError(f"the fitted world {path!r} is incomplete: {error}.") from error
        return found


def fit_world(
    histories: Sequence[History],
    *,
    batch: int = 1,
    cooling: float = 0.0,
    losses: Sequence[Losses] | None = None,
    parts: Sequence[str] = ("transfer", "interference", "forgetting"),
    n_folds: int = 4,
    most: int = 30,
    seed: int = 0,
    source: str = "",
) -> Fit:
    """Fit a world to logged runs: own curves of the tasks, and the parts that are asked for.

    The scores at each evaluation are compared with those of the world after the same batches, taken in equal parts
    between two evaluations. The fit is the most likely one under normal priors that pull transfer to none and the
    rest to broad guesses (nonlinear least squares, twice: the second time with each task's noise from the first).
    Curves are power laws above the score before training. What a run's policy did enters only through its counts, so
    runs of policies with different shares, at different times, are needed to tell transfer, forgetting and
    interference apart.

    Costs about (n_folds + 1) * 40 * n_parameters * 0.3 ms * evaluations of a run: a minute for five tasks and twenty
    evaluations.

    Args:
        histories: of the runs; their tasks must agree.
        batch: training examples in a batch, for the repetition of tasks with a size.
        cooling: how far the learning rate fell on a straight line until the end of these runs, in [0, 1].
        losses: of the batches of the same runs, so that policies which learn from losses meet the same ones.
        parts: of `PARTS`: `transfer`, `forgetting`, `interference`, `plateau`, `reuse`, `heat`.
        n_folds: parts into which the runs are dealt for the held-out error, at least 2; as many as runs if there are
            fewer.
        most: iterations of each fit.
        seed: of the dealing.
        source: where the runs came from.

    Raises:
        ValueError: there is no run, the tasks differ, a part is unknown, or a number out of range.
    """
    check_integer("batch", batch, low=1)
    check_integer("n_folds", n_folds, low=2)
    check_integer("most", most, low=1)
    check_parts(parts)
    table = Table.of(histories)
    check_number("cooling", cooling, low=0.0, high=1.0)
    make = partial(Packing, parts=parts, batch=batch, cooling=cooling)
    packing = make(table)
    free, noise = _twice(packing, table, most)
    world = packing.world(free, float(table.times.max()))
    missed = predict(world, table) - table.scores
    held_out, baseline = _held_out(table, make, min(n_folds, table.n_runs), most, seed)
    measured = {} if losses is None else fit_losses(world, table, losses)
    levels = {name: measured.pop(name) for name in ("irreducible", "learnable") if name in measured}
    return Fit(
        tasks=table.tasks,
        budget=float(table.times.max()),
        parts=tuple(part for part in PARTS if part in parts),
        parameters=packing.parameters(free) | levels,
        noise=tuple(float(value) for value in noise),
        n_runs=table.n_runs,
        n_scores=int(np.isfinite(table.scores).sum()),
        error=_rms(missed),
        held_out_error=held_out,
        baseline_error=baseline,
        source=source,
        measured=measured,
    )


def choose_parts(
    histories: Sequence[History],
    *,
    batch: int = 1,
    cooling: float = 0.0,
    least: float = 0.01,
    n_folds: int = 4,
    most: int = 30,
    seed: int = 0,
) -> Fit:
    """Fit with the parts that lower the held-out error: begin with none, add the best, stop when none helps.

    Args:
        histories: as in `fit_world`, at least two runs.
        batch: as in `fit_world`.
        cooling: as in `fit_world`.
        least: fraction by which a part has to lower the error.
        n_folds: as in `fit_world`.
        most: as in `fit_world`.
        seed: as in `fit_world`.

    Raises:
        ValueError: as in `fit_world`, or there is only one run.
    """
    check_number("least", least, low=0.0, high=1.0)
    if Table.of(histories).n_runs < 2:
        raise ValueError("choosing parts needs at least two runs: one to fit and one to judge by.")

    def fitted(parts: Sequence[str]) -> Fit:
        return fit_world(histories, batch=batch, cooling=cooling, parts=parts, n_folds=n_folds, most=most, seed=seed)

    best = fitted(())
    while len(best.parts) < len(PARTS):
        trials = [fitted((*best.parts, part)) for part in PARTS if part not in best.parts]
        trial = min(trials, key=lambda item: item.held_out_error)
        if trial.held_out_error > (1.0 - least) * best.held_out_error:
            break
        best = trial
    return best


def _twice(packing: Packing, table: Table, most: int) -> tuple[Floats, Floats]:
    spread = np.maximum(np.nanstd(table.scores, axis=(0, 1)), 1e-3)
    rough = fit(packing, table, 0.2 * spread, most=most)
    noise = np.maximum(errors(packing, rough, table), 0.01 * spread)
    free = fit(packing, table, noise, start=rough, most=most)
    return free, errors(packing, free, table)


def _held_out(
    table: Table, make: Callable[[Table], Packing], n_folds: int, most: int, seed: int
) -> tuple[float, float]:
    if n_folds < 2:
        return float("nan"), float("nan")
    fold = np.random.default_rng(seed).permutation(table.n_runs) % n_folds
    missed, plain = np.full_like(table.scores, np.nan), np.full_like(table.scores, np.nan)
    for number in range(n_folds):
        train, test = table.rows(fold != number), table.rows(fold == number)
        packing = make(train)
        free, _ = _twice(packing, train, most)
        missed[fold == number] = predict(packing.world(free, float(table.times.max())), test) - test.scores
        plain[fold == number] = _mean_curves(train, test.times) - test.scores
    return _rms(missed), _rms(plain)


def _mean_curves(train: Table, times: Floats) -> Floats:
    """Mean scores of the runs of `train` at the times asked for, shape (*times.shape, n_tasks)."""
    curves = np.empty((train.n_runs, *times.shape, len(train.tasks)))
    for run in range(train.n_runs):
        for task in range(len(train.tasks)):
            known = np.isfinite(train.scores[run, :, task])
            curves[run, ..., task] = (
                np.interp(times, train.times[run][known], train.scores[run, known, task]) if known.any() else np.nan
            )
    return np.nanmean(curves, axis=0)


def _rms(missed: Floats) -> float:
    return float(np.sqrt(np.nanmean(missed**2)))
