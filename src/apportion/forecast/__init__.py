"""Forecasts: how every task learns from its own data and from every other task's, fitted to the run itself.

`fit(History)` gives a `Posterior`, which answers what any spending of the rest would lead to; `make_plan` recommends
one. The policy `planner` does the same at every evaluation.
"""

from ._fit import Priors
from .advice import Advice, Target, advise
from .check import Check, check_forecasts
from .history import History
from .objective import MeanScore, Objective, OwnObjective, Targets, WorstScore
from .planning import Plan, make_plan
from .posterior import Forecast, Interval, Posterior, fit
from .priors import Lessons, learn_priors
from .replay import FittedWorld, replay

__all__ = [
    "Advice",
    "Check",
    "FittedWorld",
    "Forecast",
    "History",
    "Interval",
    "Lessons",
    "MeanScore",
    "Objective",
    "OwnObjective",
    "Plan",
    "Posterior",
    "Priors",
    "Target",
    "Targets",
    "WorstScore",
    "advise",
    "check_forecasts",
    "fit",
    "learn_priors",
    "make_plan",
    "replay",
]
