"""Signals: what the loop measured at a decision, turned into a reward. One file each."""

from .._registry import Registry
from ._base import MEASUREMENTS, Signal

SIGNALS: list[type[Signal]] = []

signals = Registry("signal", Signal, "apportion.signals", SIGNALS)

__all__ = ["MEASUREMENTS", "SIGNALS", "Signal", "signals"]
