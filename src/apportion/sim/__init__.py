"""Simulated worlds with a known best spending, and the engine that runs policies in them."""

from .._registry import Registry, exported
from ._base import World
from .bandit import BanditWorld as BanditWorld
from .changing import Change as Change
from .changing import Drift as Drift
from .delayed import Delayed as Delayed
from .engine import simulate
from .learning import LearningWorld as LearningWorld
from .noisy import Noisy as Noisy
from .priced import Priced as Priced
from .result import Result

WORLDS: list[type[World]] = exported(globals(), World)
"""Every world and wrapper that this package ships, sorted by name."""

worlds = Registry("world", World, "apportion.worlds", WORLDS)

__all__ = ["WORLDS", "Result", "World", "simulate", "worlds"]
