"""Priors for the next run from earlier ones of the same tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..records import Floats
from ._fit import SPAN, SPEED, TRANSFER, Priors
from .posterior import Posterior

_SPREAD = 0.5  # of log speeds and spans between runs of the same tasks, in place of what too few runs cannot tell


def learn_priors(posteriors: Sequence[Posterior]) -> Priors:
    """Learn how fast tasks learn, how far, and who helps whom, from the posteriors of earlier runs.

    Every parameter gets the mean of its posterior modes over runs, shapes weighted by their evidence. The prior's
    standard deviation of log speeds and log spans is 0.5, far narrower than without earlier runs; the scale of the
    transfer's Cauchy prior is the standard deviation over the runs, at least 0.05. Batches are in units of what equal
    shares give a task, so runs with other budgets must not be mixed.

    Args:
        posteriors: of at least one earlier run with the same tasks in the same order.

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
    modes = np.concatenate([posterior.modes() for posterior in posteriors])  # (n_runs, n_tasks, P)
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
