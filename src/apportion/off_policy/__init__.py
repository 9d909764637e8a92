"""Off-policy evaluation of policies on logs, by name: open a log, say what each policy would have done, rank them.

`apportion.estimators` does the arithmetic on arrays; this room brings logs and policies to it.
"""

from .ranking import MODELS, LogEvaluation, PolicyRow, evaluate_log
from .sources import LogSource, Piece, open_log
from .targets import ALONE, LOGGING, FixedTarget, LoggingTarget, ReplayedTarget, Target, default_targets, make_target

__all__ = [
    "ALONE",
    "LOGGING",
    "MODELS",
    "FixedTarget",
    "LogEvaluation",
    "LogSource",
    "LoggingTarget",
    "Piece",
    "PolicyRow",
    "ReplayedTarget",
    "Target",
    "default_targets",
    "evaluate_log",
    "make_target",
    "open_log",
]
