"""Checks that intervals share."""

from __future__ import annotations

import numpy as np

from .._check import check_number
from ..records import Floats

UNKNOWN = (float("-inf"), float("inf"))
"""The interval of those who know too little."""


def check_confidence(confidence: float) -> None:
    """Refuse a confidence outside (0, 1).

    Raises:
        ValueError: `confidence` is outside (0, 1).
    """
    check_number("confidence", confidence, low=0.0, high=1.0, low_open=True, high_open=True)


def usable(scores: Floats, *, at_least: int = 2) -> bool:
    """Whether scores are enough, and finite, for an interval."""
    return scores.size >= at_least and bool(np.isfinite(scores).all())


def to_unit(scores: Floats, low: float, high: float) -> Floats:
    """Scores mapped from [low, high] to [0, 1].

    Raises:
        ValueError: the bounds are not finite or not in order, or a score lies outside them.
    """
    check_number("low", low)
    check_number("high", high, low=low, low_open=True)
    slack = 1e-9 * (high - low)
    if scores.size and not (scores.min() >= low - slack and scores.max() <= high + slack):
        raise ValueError(f"scores must lie in [{low:g}, {high:g}], got {scores.min():g} to {scores.max():g}.")
    return np.clip((scores - low) / (high - low), 0.0, 1.0)


def from_unit(lower: float, upper: float, low: float, high: float) -> tuple[float, float]:
    """An interval on [0, 1] mapped to [low, high]."""
    return low + lower * (high - low), low + upper * (high - low)


def standardised(scores: Floats) -> tuple[Floats, float, float]:
    """Scores as deviations in [-1, 1], with the mean and the scale to undo that: squares then never overflow."""
    mean = float(scores.mean())
    deviations = scores - mean
    scale = float(np.abs(deviations).max())
    return (deviations / scale if scale > 0 else deviations), mean, scale
