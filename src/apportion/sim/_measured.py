"""What a training loop measured at its steps, fitted: losses, their noise, and what updates learn by heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from ..log import Log
from ..records import Floats, Ints
from ._fitting import Table, walk
from ._streams import Streams
from .learning import LearningWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Losses of the batches of one run.

    Attributes:
        chosen: task of each decision, shape (n_rounds,).
        before: training loss of its batch, shape (n_rounds,); NaN where not measured.
        after: loss of the same batch after its update, shape (n_rounds,); NaN where not measured.
    """

    chosen: Ints
    before: Floats
    after: Floats

    @classmethod
    def of_log(cls, log: Log) -> Losses:
        """Those of a logged run."""
        nothing = np.full(log.logged.n_rounds, np.nan)
        measured = log.measured
        before = measured.get("loss", nothing)
        return cls(chosen=log.logged.chosen, before=before, after=measured.get("loss_after", nothing))


def fit_losses(world: LearningWorld, table: Table, losses: Sequence[Losses]) -> dict[str, list[float]]:
    """Parameters of losses and their noise for a world whose scores are fitted.

    Losses of the batches of a task are taken as irreducible + learnable (1 - l) with l of the world (non-negative
    least squares), and what is left as the noise of batches. How far the loss of a batch falls by its own update,
    beyond what the world teaches by one, is taken as memorised * learning rate * loss.

    Args:
        world: fitted to the scores of these runs.
        table: the runs.
        losses: of the same runs, in the same order.

    Returns:
        `irreducible`, `learnable`, `batch_noise`, `memorised` and `gain_noise` (in units of a loss), each with an
        entry per task; only those that were measured.

    Raises:
        ValueError: there is not one entry of `losses` for each run.
    """
    if len(losses) != table.n_runs:
        raise ValueError(f"`losses` must have an entry for each of the {table.n_runs} runs, got {len(losses)}.")
    n_tasks, times = len(table.tasks), table.times
    learned, slopes = _along(world, table)
    rows: list[list[Floats]] = [[] for _ in range(n_tasks)]
    for run, item in enumerate(losses):
        steps = np.arange(len(item.chosen)) + 0.5
        rate = 1.0 - world.cooling * np.minimum(steps / world.budget, 1.0)
        for task in range(n_tasks):
            own = (item.chosen == task) & np.isfinite(item.before)
            at = steps[own]
            left = 1.0 - np.interp(at, times[run], learned[run, :, task])
            slope = np.interp(at, times[run], slopes[run, :, task])
            rows[task].append(np.stack([left, slope, rate[own], item.before[own], (item.before - item.after)[own]]))
    found: dict[str, list[float]] = {name: [] for name in _NAMES}
    for parts in rows:
        left, slope, rate, loss, fall = np.concatenate(parts, axis=1)
        if not loss.size:
            return {}
        (irreducible, learnable), _ = nnls(np.stack([np.ones_like(left), left], axis=1), loss)
        missed = loss - irreducible - learnable * left
        found["irreducible"].append(float(irreducible))
        found["learnable"].append(float(learnable))
        found["batch_noise"].append(float(missed.std()))
        known = np.isfinite(fall)
        if not known.any():
            continue
        beyond, heart = (fall - learnable * slope)[known], (rate * loss)[known]
        memorised = float(np.clip((beyond * heart).sum() / max((heart * heart).sum(), 1e-12), 0.0, 0.9))
        found["memorised"].append(memorised)
        found["gain_noise"].append(float((beyond - memorised * heart).std()))
    return {name: values for name, values in found.items() if len(values) == n_tasks}


_NAMES = ("irreducible", "learnable", "batch_noise", "memorised", "gain_noise")


def _along(world: LearningWorld, table: Table) -> tuple[Floats, Floats]:
    """How much the tasks have learned at each evaluation, and how much one more batch of their own would add."""
    plain = replace(world, irreducible=0.0, learnable=1.0, overfit=0.0)
    learned, slopes = np.empty_like(table.scores), np.empty_like(table.scores)
    streams = Streams(0, table.n_runs)
    for evaluation in walk(plain, table):
        learned[:, evaluation] = 1.0 - plain.losses()
        measured = plain.evaluate(frozenset({"gradient_norm"}), streams, evaluation)[1]
        slopes[:, evaluation] = measured["gradient_norm"]
    return learned, slopes
