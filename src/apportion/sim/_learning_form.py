"""The concave form of a world of learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..records import Floats
from ._constants import Constants
from ._form import Form, Outcome, Reuse

if TYPE_CHECKING:
    from .learning import LearningWorld


def form_of(world: LearningWorld, constants: Constants, *, relaxed: bool) -> Form | None:
    """The objective as a concave function of the spending.

    Every task's u is concave and does not fall in its experience. Without forgetting, experience is a sum of concave
    functions of the counts wherever the factors are not negative, so the objective is concave in the counts; a task
    that harms others must therefore not be repeated. With forgetting or a plateau, which depends on the number of
    batches alone, experience at the end is linear in the choices as long as no batch loses worth by repetition.
    Prerequisites and interference break both. Where the learning rate falls there is no form: what a schedule loses by
    forgetting depends on it too.

    With `relaxed` all that breaks it is left out. Each such part only ever takes experience or score away, so what is
    left is nowhere below the objective.
    """
    if world.cooling > 0 or constants.heat is not None:
        return None
    ideal, ordered = constants.ideal, constants.decay is not None or world.plateau > 0
    repeats_harm = constants.repeats and bool((constants.harms & np.isfinite(constants.epoch)).any())
    clash = constants.repeats and ordered
    if not relaxed and (not ideal or repeats_harm or clash):
        return None
    columns = constants.columns
    if not ideal or repeats_harm:
        # Harm that comes later or in part because of the parts left out must not count in full here.
        columns = np.maximum(columns, 0.0)
    costs = np.ones(len(world.tasks))
    n_steps = int(world.budget + 1e-9)
    step = np.arange(n_steps)[:, None]
    worth = step**2 / (step**2 + world.plateau**2) if world.plateau > 0 else None
    return Form(
        costs=costs,
        budget=world.budget,
        columns=columns,
        outcome=_outcome(world, constants),
        reuse=_reuse(world, constants) if constants.repeats and not ordered else None,
        retention=None if constants.decay is None else constants.decay ** step[::-1],
        worth=None if worth is None else np.repeat(worth, len(world.tasks), axis=1),
    )


def _outcome(world: LearningWorld, constants: Constants) -> Outcome:
    weights = constants.weights * constants.span

    def outcome(experience: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
        learned = constants.curves.value(experience)
        by_counts = np.zeros_like(counts)
        if constants.overfit is not None:
            excess = np.maximum(counts / constants.epoch - world.overfit_after, 0.0)
            learned = learned - constants.overfit * excess**2
            by_counts = -weights * constants.overfit * 2.0 * excess / constants.epoch
        value = (constants.weights * (constants.low + constants.span * learned)).sum(axis=1)
        return value, weights * constants.curves.slope(experience), by_counts

    return outcome


def _reuse(world: LearningWorld, constants: Constants) -> Reuse:
    """A smooth, concave function nowhere below the worth of n batches, sum over k < n of exp(-max(0, k/N - 1) / reuse).

    It is the integral of exp(-max(0, (s - 1)/N - 1) / reuse) from 0 to n, which exceeds the sum by less than one batch.
    """
    ends = np.isfinite(constants.epoch)
    epoch = np.where(ends, constants.epoch, 1.0)
    length = epoch * world.reuse

    def reuse(counts: Floats) -> tuple[Floats, Floats]:
        repeated = np.where(ends, np.maximum(counts - 1.0 - epoch, 0.0), 0.0)
        slope = np.exp(-repeated / length)
        return counts - repeated + length * (1.0 - slope), slope

    return reuse
