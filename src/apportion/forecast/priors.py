"""Priors for the next run from earlier ones of the same tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..records import Floats
from ._fit import SPAN, SPEED, TRANSFER, Priors, first_and_scale
from .history import History
from .posterior import Posterior

_SPREAD = 0.5  # of log speeds and spans between runs of the same tasks, in place of what too few runs cannot tell


def learn_priors(posteriors: Sequence[Posterior], *, like: History | None = None) -> Priors:
    """Learn how fast tasks learn, how far, and who helps whom, from the posteriors of earlier runs.

    Every parameter gets the mean of its posterior modes over runs, shapes weighted by their evidence. The prior's
    standard deviation of log speeds and log spans is 0.5, far narrower than without earlier runs; the scale of the
    transfer's Cauchy prior is the standard deviation over the runs, at least 0.05. Speeds are per batch of the budget
    and spans are in units of score, so earlier runs may have had other budgets.

    Args:
        posteriors: of at least one earlier run with the same tasks in the same order.
        like: the new run, whose budget and scores so far set the units; None for those of the first earlier run.

    Raises:
        ValueError: there is none, or their tasks differ.
    """
    if not posteriors:
        raise ValueError("priors need at least one earlier run, got none.")
    names = [task.name for task in posteriors[0].tasks]
    for posterior in posteriors:
        if [task.name for task in posterior.tasks] != names:
            raise ValueError(
                f"earlier runs must have the same tasks, got {names} and {[task.name for task in posterior.tasks]}."
            )
    if like is not None and [task.name for task in like.tasks] != names:
        raise ValueError(f"earlier runs must have the tasks of the new one, got {names}.")
    units = _units(posteriors[0].history if like is None else like)
    modes = np.concatenate([_in_units(posterior, units) for posterior in posteriors])  # (n_runs, n_tasks, P)
    transfer = modes[..., TRANSFER:]
    scale = np.maximum(transfer.std(axis=0), 0.05) if len(modes) > 1 else np.full(transfer.shape[1:], 0.1)
    mean: Floats = transfer.mean(axis=0)
    np.fill_diagonal(mean, 0.0)
    return Priors(
        speed=modes[..., SPEED].mean(axis=0),
        speed_sd=_SPREAD,
        span=modes[..., SPAN].mean(axis=0),
        span_sd=_SPREAD,
        transfer=mean,
        transfer_scale=scale,
    )


def _units(history: History) -> tuple[float, float]:
    """Batches of a whole budget, and the scale of the scores; means over runs of the logarithms."""
    _, scale = first_and_scale(history.scores, np.isfinite(history.scores))
    total = history.budget / history.costs.mean(axis=1)
    return float(np.log(total).mean()), float(np.log(scale).mean())


def _in_units(posterior: Posterior, units: tuple[float, float]) -> Floats:
    modes = posterior.modes()
    total, scale = _units(posterior.history)
    modes[..., SPEED] += units[0] - total
    modes[..., SPAN] += scale - units[1]
    return modes
