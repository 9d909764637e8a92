"""How good the forecasts of a run were: what would have been said then, against what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._check import check_number
from ..records import Floats
from ._fit import Priors
from .history import History
from .posterior import fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Past forecasts of the last evaluation against its scores.

    Attributes:
        fractions: part of the budget that had been spent when each forecast was made.
        predicted: shape (n_fractions, n_runs, n_tasks).
        lower: lower ends of the intervals for a measured score.
        upper: upper ends.
        came: what was measured, (n_runs, n_tasks).
        coverage: part of the scores inside their interval, where one was claimed, (n_fractions,).
        error: mean absolute error of the forecasts, (n_fractions,).
        last_value: mean absolute error of taking the last score for the final one, (n_fractions,).
        own_curve: mean absolute error of forecasts without transfer, (n_fractions,).
        confidence: of the intervals.
    """

    fractions: tuple[float, ...]
    predicted: Floats
    lower: Floats
    upper: Floats
    came: Floats
    coverage: Floats
    error: Floats
    last_value: Floats
    own_curve: Floats
    confidence: float


def check_forecasts(
    history: History,
    *,
    fractions: Sequence[float] = (0.25, 0.5, 0.75),
    confidence: float = 0.9,
    priors: Priors | None = None,
) -> Check:
    """Forecast the last evaluation from earlier parts of the history, with the spending that really followed.

    Args:
        history: of finished runs.
        fractions: of what was spent until the last evaluation, each in (0, 1).
        confidence: of the intervals.
        priors: from earlier runs; None for wide ones.

    Raises:
        ValueError: a fraction is out of range, or there are fewer than four evaluations.
    """
    for fraction in fractions:
        check_number("fractions", fraction, low=0.0, high=1.0, low_open=True, high_open=True)
    if history.n_evaluations < 4:
        raise ValueError(f"checking forecasts needs at least four evaluations, got {history.n_evaluations}.")
    came = history.scores[:, -1]
    alone = Priors(transfer_scale=1e-4, slab=1e-4)
    kept: dict[str, list[Floats]] = {name: [] for name in ("predicted", "lower", "upper", "own", "last")}
    progress = history.spent.mean(axis=0) / history.spent[:, -1].mean()
    for fraction in fractions:
        n_first = int(np.clip(np.searchsorted(progress, fraction, side="right"), 2, history.n_evaluations - 1))
        early = history.until(n_first)
        counted = history.counts[:, -1] - early.counts[:, -1]
        spent = counted * history.costs
        shares = (spent / np.maximum(spent.sum(axis=1, keepdims=True), 1e-12))[:, None]
        budget = float(spent.sum(axis=1).mean())
        said = fit(early, priors=priors).forecast(shares, budget=budget, confidence=confidence, measured=True)
        own = fit(early, priors=alone, look_back=False).forecast(
            shares, budget=budget, confidence=confidence, measured=True
        )
        kept["predicted"].append(said.scores.value)
        kept["lower"].append(said.scores.lower)
        kept["upper"].append(said.scores.upper)
        kept["own"].append(own.scores.value)
        kept["last"].append(_last(early.scores))
    stacked = {name: np.stack(values) for name, values in kept.items()}
    inside = (stacked["lower"] <= came) & (came <= stacked["upper"])
    return Check(
        fractions=tuple(fractions),
        predicted=stacked["predicted"],
        lower=stacked["lower"],
        upper=stacked["upper"],
        came=came,
        coverage=_mean(np.where(np.isfinite(came + stacked["predicted"]), inside, np.nan)),
        error=_mean(np.abs(stacked["predicted"] - came)),
        last_value=_mean(np.abs(stacked["last"] - came)),
        own_curve=_mean(np.abs(stacked["own"] - came)),
        confidence=confidence,
    )


def _last(scores: Floats) -> Floats:
    """The last score of each task, NaN where there is none."""
    measured = np.isfinite(scores)
    index = scores.shape[1] - 1 - measured[:, ::-1].argmax(axis=1)
    return np.take_along_axis(scores, index[:, None], axis=1)[:, 0]


def _mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=(1, 2))
    number = known.sum(axis=(1, 2))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)
