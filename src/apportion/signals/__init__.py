"""Signals: what the loop measured at a decision, turned into a reward. One file each.

Adding a signal is one line here: its import. Every imported signal that has a name is known by that name.
"""

from .._registry import Registry, exported
from ._base import MEASUREMENTS, Signal
from .loss import Loss as Loss
from .loss_decrease import LossDecrease as LossDecrease
from .prediction_gain import PredictionGain as PredictionGain

SIGNALS: list[type[Signal]] = exported(globals(), Signal)
"""Every signal that this package ships, sorted by name."""

signals = Registry("signal", Signal, "apportion.signals", SIGNALS)

__all__ = ["MEASUREMENTS", "SIGNALS", "Signal", "signals"]
