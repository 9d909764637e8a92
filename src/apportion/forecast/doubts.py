"""What the reader of a forecast must know before believing it."""

from __future__ import annotations

import numpy as np

from .posterior import Posterior

_WIDE = 1.5
"""Stretch of intervals from which on it is told."""


def doubts(posterior: Posterior) -> tuple[str, ...]:
    """Sentences about a bad fit, past forecasts that missed, and tasks of which nothing is known; of the worst run."""
    found: list[str] = []
    run = int(posterior.begun.argmax())
    if posterior.begun[run] > 0:
        part = posterior.history.spent[run, posterior.begun[run]] / posterior.history.budget
        found.append(
            f"The run broke at {part:.0%} of the budget: no curves fit the scores from before and from after. Only "
            "what came from there on counts."
        )
    if not posterior.fits_well.all():
        worst = float(np.nanmax(posterior.misfit))
        found.append(
            f"The curves fit badly (squared residuals are {worst:.1f} times what noise explains): intervals are wide "
            "and the plan is cautious."
        )
    if posterior.stretch.max() >= _WIDE:
        found.append(
            "Forecasts from earlier parts of this run missed what came by more than they admitted: intervals are "
            f"{posterior.stretch.max():.1f} times as wide as the model alone would have them."
        )
    unknown = [task.name for task, known in zip(posterior.tasks, posterior.known.all(axis=0), strict=True) if not known]
    if unknown:
        found.append(f"Nothing can be said about {', '.join(unknown)}: too few scores, and nothing told in training.")
    few = np.isfinite(posterior.history.scores).sum(axis=1).min(axis=0) < 2
    told = [task.name for task, is_few in zip(posterior.tasks, few, strict=True) if is_few and task.name not in unknown]
    if told:
        found.append(
            f"After the first score only training batches tell of {', '.join(told)}: where their labels are wrong, or "
            "they are learned by heart, held-out scores will differ."
        )
    return tuple(found)
