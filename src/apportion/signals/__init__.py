"""Signals: what the loop measured at a decision, turned into a reward. One file each.

Adding a signal is one line here: its import. Every imported signal that has a name is known by that name.
"""

from .._registry import Registry, exported
from ._base import MEASUREMENTS, Signal
from .advantage import Advantage as Advantage
from .decayed_quantiles import DecayedQuantiles as DecayedQuantiles
from .entropy import Entropy as Entropy
from .excess_loss import ExcessLoss as ExcessLoss
from .gradient_alignment import GradientAlignment as GradientAlignment
from .gradient_norm import GradientNorm as GradientNorm
from .held_out_gain import HeldOutGain as HeldOutGain
from .learnability import Learnability as Learnability
from .loss import Loss as Loss
from .loss_decrease import LossDecrease as LossDecrease
from .mean_gain import MeanGain as MeanGain
from .per_cost import PerCost as PerCost
from .performance_gap import PerformanceGap as PerformanceGap
from .prediction_gain import PredictionGain as PredictionGain
from .reservoir_quantiles import ReservoirQuantiles as ReservoirQuantiles
from .self_gain import SelfGain as SelfGain
from .target_gain import TargetGain as TargetGain
from .windowed_quantiles import WindowedQuantiles as WindowedQuantiles
from .worth import Worth as Worth
from .z_score import ZScore as ZScore

SIGNALS: list[type[Signal]] = exported(globals(), Signal)
"""Every signal that this package ships, sorted by name."""

signals = Registry("signal", Signal, "apportion.signals", SIGNALS)

__all__ = ["MEASUREMENTS", "SIGNALS", "Signal", "signals"]
