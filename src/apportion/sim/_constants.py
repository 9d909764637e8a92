"""The parameters of a world of learning curves as checked arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._check import check_choice, check_integer, check_number
from ..records import Bools, Floats, Ints, check_tasks, priorities
from ._curves import Curves

if TYPE_CHECKING:
    from .learning import LearningWorld

GATE_WIDTH = 0.02
"""How sharply a prerequisite opens, in units of what its task can learn."""

LARGEST_TRANSFER = 4.0
"""Spectral norm of the transfer matrix, per task, beyond which it is taken for a mistake."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What `LearningWorld` computes with; arrays are (n_tasks,) unless said otherwise."""

    curves: Curves
    weights: Floats  # priorities that sum to 1
    columns: Floats  # (n_tasks, n_tasks): row a is what a batch of task a adds to the experience, in scales
    low: Floats
    span: Floats
    irreducible: Floats
    learnable: Floats
    decay: Floats | None  # None where nothing is forgotten
    epoch: Floats  # batches in one pass over the data, inf where there is no end
    repeats: bool
    overfit: Floats | None
    interference: Floats | None
    heat: Floats | None
    learners: Ints  # of each prerequisite
    required: Ints
    levels: Floats
    gate_curves: Curves

    @property
    def harms(self) -> Bools:
        """Tasks whose batches take experience away from some task."""
        return np.asarray((self.columns < 0).any(axis=1))

    @property
    def ideal(self) -> bool:
        """Whether no part stands in the way of a concave form, but for reuse and forgetting."""
        return self.interference is None and not self.levels.size

    @classmethod
    def of(cls, world: LearningWorld) -> Constants:
        """Check the parameters of a world and bring them into arrays.

        Raises:
            TypeError: a number is none.
            ValueError: see `LearningWorld`.
        """
        check_tasks(world.tasks)
        n_tasks = len(world.tasks)
        check_number("budget", world.budget, low=0.0, low_open=True)
        check_integer("batch", world.batch, low=1)
        for name in ("overfit_after", "plateau"):
            check_number(name, getattr(world, name), low=0.0)
        if not world.reuse > 0:
            raise ValueError(f"`reuse` must be above 0, got `reuse = {world.reuse!r}`.")
        check_number("memory", world.memory, low=1.0)
        check_number("cooling", world.cooling, low=0.0, high=1.0)
        check_number("half_share", world.half_share, low=0.0, low_open=True)
        if world.evaluations is not None:
            check_integer("evaluations", world.evaluations, low=1)
        check_integer("evaluated_batches", world.evaluated_batches, low=1)

        scale = per_task("scale", world.scale, n_tasks, low=0.0, low_open=True)
        exponent = per_task("exponent", world.exponent, n_tasks, low=0.0, low_open=True)
        kinds = [world.curve] * n_tasks if isinstance(world.curve, str) else list(world.curve)
        if len(kinds) != n_tasks:
            raise ValueError(f"`curve` must have one entry for each of the {n_tasks} tasks, got {len(kinds)}.")
        for kind in kinds:
            check_choice("curve", kind, ("exponential", "power"))
        exponents = np.where([kind == "power" for kind in kinds], exponent, np.inf)
        low, high = per_task("low", world.low, n_tasks), per_task("high", world.high, n_tasks)
        if (high < low).any():
            raise ValueError(f"`high` must be at least `low` for every task, got {high.tolist()} and {low.tolist()}.")
        sizes = np.array([np.inf if task.size is None else task.size for task in world.tasks], dtype=np.float64)
        overfit = per_task("overfit", world.overfit, n_tasks, low=0.0)
        decay = 1.0 - per_task("forgetting", world.forgetting, n_tasks, low=0.0, high=1.0, high_open=True)
        interference = per_task("interference", world.interference, n_tasks, low=0.0, high=1.0, high_open=True)
        heat = per_task("heat", world.heat, n_tasks, low=0.0, high=1.0, high_open=True)
        learners, required, levels = _prerequisites(world.prerequisites, n_tasks)
        return cls(
            curves=Curves(exponents),
            weights=priorities(world.tasks),
            columns=np.ascontiguousarray((_transfer(world.transfer, n_tasks) / scale[:, None]).T),
            low=low,
            span=high - low,
            irreducible=per_task("irreducible", world.irreducible, n_tasks, low=0.0),
            learnable=per_task("learnable", world.learnable, n_tasks, low=0.0),
            decay=None if (decay == 1).all() else decay,
            epoch=sizes / world.batch,
            repeats=bool(np.isfinite(sizes).any() and np.isfinite(world.reuse)),
            overfit=overfit if (overfit > 0).any() else None,
            interference=interference if (interference > 0).any() else None,
            heat=heat if (heat > 0).any() else None,
            learners=learners,
            required=required,
            levels=levels,
            gate_curves=Curves(exponents[required]),
        )


def per_task(
    name: str,
    value: float | Sequence[float] | Floats,
    n_tasks: int,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    low_open: bool = False,
    high_open: bool = False,
) -> Floats:
    """One number for each task, from one for all or one for each.

    Raises:
        TypeError: an entry is not a number.
        ValueError: an entry is out of range or not finite, or there is not one for each task.
    """
    if isinstance(value, (Sequence, np.ndarray)):
        for index, entry in enumerate(value):
            check_number(f"{name}[{index}]", entry, low=low, high=high, low_open=low_open, high_open=high_open)
        if len(value) != n_tasks:
            raise ValueError(f"`{name}` must have one entry for each of the {n_tasks} tasks, got {len(value)}.")
    else:
        check_number(name, value, low=low, high=high, low_open=low_open, high_open=high_open)
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (n_tasks,)).copy()


def _transfer(value: Sequence[Sequence[float]] | Floats | None, n_tasks: int) -> Floats:
    if value is None:
        return np.eye(n_tasks)
    matrix = np.asarray(value, dtype=np.float64)
    if matrix.shape != (n_tasks, n_tasks):
        raise ValueError(f"`transfer` must have the shape ({n_tasks}, {n_tasks}), got {matrix.shape}.")
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(f"`transfer` must be finite, got `transfer[{row}][{column}] = {matrix[row, column]}`.")
    if (matrix.diagonal() < 0).any():
        task = int(matrix.diagonal().argmin())
        raise ValueError(
            f"the diagonal of `transfer` must not be negative, got `transfer[{task}][{task}] = "
            f"{matrix[task, task]:g}`: a batch of a task cannot make that task worse."
        )
    norm = float(np.linalg.norm(matrix, 2))
    if norm > LARGEST_TRANSFER * n_tasks:
        raise ValueError(
            f"`transfer` must have a spectral norm of at most {LARGEST_TRANSFER:g} per task, got {norm / n_tasks:g}: "
            f"entries are fractions of a batch of the task's own."
        )
    return matrix


def _prerequisites(triples: Sequence[tuple[int, int, float]], n_tasks: int) -> tuple[Ints, Ints, Floats]:
    for index, triple in enumerate(triples):
        if len(triple) != 3:
            raise ValueError(f"`prerequisites[{index}]` must be (task, prerequisite, level), got {triple!r}.")
        for task in triple[:2]:
            check_integer(f"prerequisites[{index}]", task, low=0, high=n_tasks - 1)
        if triple[0] == triple[1]:
            raise ValueError(f"task {triple[0]} must not be its own prerequisite: remove `prerequisites[{index}]`.")
        check_number(f"level of prerequisites[{index}]", triple[2], low=0.0, high=1.0, low_open=True, high_open=True)
    return (
        np.array([task for task, _, _ in triples], dtype=np.int64),
        np.array([needed for _, needed, _ in triples], dtype=np.int64),
        np.array([level for _, _, level in triples], dtype=np.float64),
    )
