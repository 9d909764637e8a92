"""Least-squares fits of a world's parameters to logged runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from ..forecast.history import History
from ..records import Bools, Floats, Task
from .learning import LearningWorld

PARTS = ("transfer", "forgetting", "interference", "plateau", "reuse", "heat")
"""Parts of a world that a fit may use beside the tasks' own curves."""

_SUBSTEPS = 4  # between two evaluations
_STEP = 1e-5


@dataclass(frozen=True, slots=True)
class Table:
    """Logged runs as arrays that belong together; runs with fewer evaluations repeat their last one, without scores.

    Attributes:
        tasks: of all runs.
        shares: of each task between two evaluations, shape (n_runs, n_evaluations, n_tasks).
        steps: batches between two evaluations, shape (n_runs, n_evaluations).
        scores: shape (n_runs, n_evaluations, n_tasks); NaN where not measured.
        upper: largest possible scores, shape (n_tasks,).
    """

    tasks: tuple[Task, ...]
    shares: Floats
    steps: Floats
    scores: Floats
    upper: Floats

    @classmethod
    def of(cls, histories: Sequence[History]) -> Table:
        """Bring the runs of all histories together.

        Raises:
            ValueError: there is no run, the tasks differ, or no score was measured.
        """
        if not histories:
            raise ValueError("a fit needs at least one logged run, got none.")
        tasks = histories[0].tasks
        for history in histories:
            if [task.name for task in history.tasks] != [task.name for task in tasks]:
                raise ValueError(
                    f"all runs must have the same tasks in the same order, got {', '.join(t.name for t in tasks)} and "
                    f"{', '.join(t.name for t in history.tasks)}."
                )
        longest = max(history.n_evaluations for history in histories)
        counts, scores = [], []
        for history in histories:
            pad = ((0, 0), (0, longest - history.n_evaluations), (0, 0))
            counts.append(np.pad(history.counts, pad, mode="edge"))
            scores.append(np.pad(history.scores, pad, constant_values=np.nan))
        drawn = np.diff(np.concatenate(counts), axis=1, prepend=0.0)
        steps = drawn.sum(axis=2)
        table = cls(
            tasks=tasks,
            shares=np.where(steps[..., None] > 0, drawn / np.maximum(steps, 1e-12)[..., None], 1.0 / len(tasks)),
            steps=steps,
            scores=np.concatenate(scores),
            upper=np.min([history.upper for history in histories], axis=0),
        )
        if not np.isfinite(table.scores).any(axis=(0, 1)).all():
            missing = tasks[int(np.isfinite(table.scores).any(axis=(0, 1)).argmin())].name
            raise ValueError(f"no run ever measured the score of task {missing!r}, so it cannot be fitted.")
        return table

    @property
    def n_runs(self) -> int:
        """Number of runs."""
        return self.steps.shape[0]

    @property
    def times(self) -> Floats:
        """Batches of all tasks up to each evaluation, shape (n_runs, n_evaluations)."""
        return np.cumsum(self.steps, axis=1)

    def rows(self, keep: Bools) -> Table:
        """Only some of the runs."""
        return Table(self.tasks, self.shares[keep], self.steps[keep], self.scores[keep], self.upper)


def walk(world: LearningWorld, table: Table) -> Iterator[int]:
    """Train a world on the batches of all runs; gives the number of each evaluation when it is reached."""
    world.reset(table.n_runs)
    for evaluation in range(table.steps.shape[1]):
        steps = table.steps[:, evaluation] / _SUBSTEPS
        if steps.any():
            for _ in range(_SUBSTEPS):
                world.flow(table.shares[:, evaluation], steps)
        yield evaluation


def predict(world: LearningWorld, table: Table) -> Floats:
    """Scores of a world after the batches of each run, shape (n_runs, n_evaluations, n_tasks)."""
    found = np.empty_like(table.scores)
    for evaluation in walk(world, table):
        found[:, evaluation] = world.scores()
    return found


@dataclass(frozen=True, slots=True)
class _Block:
    """Some parameters: their prior in the space in which they are free, and how they enter the world."""

    name: str
    centre: Floats
    width: float


class Packing:
    """Between the parameters of a world and a vector of free numbers with a normal prior.

    Args:
        table: the runs, from which the priors take their scale.
        parts: of `PARTS`.
        batch: examples in a batch.
        cooling: of the learning rate in these runs; see `LearningWorld`.
    """

    def __init__(self, table: Table, parts: Sequence[str], batch: int, cooling: float = 0.0) -> None:
        n = len(table.tasks)
        self.cooling = cooling
        self.tasks, self.parts, self.batch, self.n_tasks = table.tasks, frozenset(parts), batch, n
        self.low, self.ceiling = _range(table)
        total = float(table.times.max())
        best = np.nanmax(table.scores, axis=(0, 1))
        reached = np.clip((best - self.low) / (self.ceiling - self.low), 0.05, 0.95)
        blocks = [
            _Block("scale", np.full(n, np.log(max(total / (4.0 * n), 1.0))), 2.0),
            _Block("exponent", np.zeros(n), 0.5),
            _Block("high", np.log(reached / (1.0 - reached)), 1.5),
        ]
        optional = {
            "transfer": [_Block("transfer", np.zeros(n * (n - 1)), 0.3)],
            "forgetting": [_Block("forgetting", np.full(n, np.log(1.0 / total)), 1.5)],
            "interference": [
                _Block("interference", np.full(n, -2.0), 1.0),
                _Block("memory", np.array([np.log(50.0)]), 1.0),
                _Block("half_share", np.array([np.log(0.05)]), 1.0),
            ],
            "plateau": [_Block("plateau", np.array([np.log(0.03 * total)]), 1.5)],
            "reuse": [_Block("reuse", np.array([np.log(8.0)]), 1.0)],
            "heat": [_Block("heat", np.full(n, -2.0), 1.0)],
        }
        for part in PARTS:
            if part in self.parts:
                blocks += optional[part]
        self.blocks = blocks
        self.centre = np.concatenate([block.centre for block in blocks])
        self.width = np.concatenate([np.full(len(block.centre), block.width) for block in blocks])

    def parameters(self, free: Floats) -> dict[str, Any]:
        """Keyword arguments of `LearningWorld`, as plain data but for the tasks and the budget."""
        values: dict[str, Floats] = {}
        start = 0
        for block in self.blocks:
            values[block.name] = free[start : start + len(block.centre)]
            start += len(block.centre)
        found: dict[str, Any] = {
            "curve": "power",
            "scale": np.exp(np.clip(values["scale"], -5.0, 20.0)).tolist(),
            "exponent": np.exp(np.clip(values["exponent"], -3.0, 3.0)).tolist(),
            "low": self.low.tolist(),
            "high": (self.low + (self.ceiling - self.low) * _logistic(values["high"])).tolist(),
            "batch": self.batch,
        }
        if self.cooling > 0:
            found["cooling"] = self.cooling
        if "transfer" in values:
            matrix = np.eye(self.n_tasks)
            matrix[~np.eye(self.n_tasks, dtype=np.bool_)] = np.clip(values["transfer"], -1.0, 2.0)
            found["transfer"] = matrix.tolist()
        if "forgetting" in values:
            found["forgetting"] = np.minimum(np.exp(values["forgetting"]), 0.5).tolist()
        if "interference" in values:
            found["interference"] = (0.95 * _logistic(values["interference"])).tolist()
            found["memory"] = float(1.0 + np.exp(np.clip(values["memory"][0], -3.0, 9.0)))
            found["half_share"] = float(np.exp(np.clip(values["half_share"][0], -9.0, 2.0)))
        if "plateau" in values:
            found["plateau"] = float(np.exp(np.clip(values["plateau"][0], -5.0, 12.0)))
        if "reuse" in values:
            found["reuse"] = float(np.exp(np.clip(values["reuse"][0], -2.0, 6.0)))
        if "heat" in values:
            found["heat"] = (0.95 * _logistic(values["heat"])).tolist()
        return found

    def world(self, free: Floats, budget: float) -> LearningWorld:
        """The world of a vector."""
        return LearningWorld(tasks=self.tasks, budget=budget, **self.parameters(free))


def fit(packing: Packing, table: Table, noise: Floats, *, start: Floats | None = None, most: int = 30) -> Floats:
    """The most likely vector under normal noise of the scores and the normal prior.

    Args:
        packing: of the parameters.
        table: the runs.
        noise: standard deviation of the scores of each task, shape (n_tasks,).
        start: vector to start from.
        most: iterations.
    """
    budget = float(table.times.max())
    known = np.isfinite(table.scores)

    def misses(free: Floats) -> Floats:
        found = (predict(packing.world(free, budget), table) - table.scores) / noise
        return np.concatenate([found[known], (free - packing.centre) / packing.width])

    def slopes(free: Floats) -> Floats:
        here = misses(free)
        columns = [(misses(free + _STEP * unit) - here) / _STEP for unit in np.eye(len(free))]
        return np.stack(columns, axis=1)

    begin = packing.centre if start is None else start
    # The logarithmic loss in the tails keeps a few runs that went astray from bending all curves.
    solver: Any = least_squares  # its stubs know no function for `jac`
    return solver(misses, begin, jac=slopes, max_nfev=most, loss="soft_l1", f_scale=3.0).x


def errors(packing: Packing, free: Floats, table: Table) -> Floats:
    """Root mean square errors of the scores of each task, shape (n_tasks,)."""
    missed = predict(packing.world(free, float(table.times.max())), table) - table.scores
    return np.sqrt(np.nanmean(missed**2, axis=(0, 1)))


def _range(table: Table) -> tuple[Floats, Floats]:
    """Scores before training, and the largest possible ones."""
    start = np.where((table.times == 0)[..., None], table.scores, np.nan)
    smallest = np.nanmin(table.scores, axis=(0, 1))
    known = np.isfinite(start).any(axis=(0, 1))
    low = np.where(known, np.nansum(start, axis=(0, 1)) / np.maximum(np.isfinite(start).sum(axis=(0, 1)), 1), smallest)
    best = np.nanmax(table.scores, axis=(0, 1))
    room = np.maximum(best - low, 1e-3)
    return low, np.where(np.isfinite(table.upper), np.maximum(table.upper, low + room), low + 1.5 * room)


def _logistic(values: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(values, -30.0, 30.0)))


def check_parts(parts: Sequence[str]) -> None:
    """Refuse parts that a fit does not know.

    Raises:
        ValueError: one of them is unknown.
    """
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"`parts` must be among {', '.join(PARTS)}, got {part!r}.")


def as_mapping(data: Any, what: str) -> Mapping[str, Any]:
    """Refuse anything but a mapping.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{what} must be a mapping, got {type(data).__name__}.")
    return data  # pyright: ignore[reportUnknownVariableType]
