"""Figures draw: functions from tables to Altair charts, each of which gives interactive pages, PNG and SVG.

A chart from here shows itself in a notebook; `chart.save("name.png")` and `chart.save("name.svg")` need no browser.
"""

from .decisions import effective_sizes, propensities, reach, rewards
from .given import transfer, worth
from .scores import forest, objective, scores, task_differences, training
from .shares import share_map, shares, totals

__all__ = [
    "effective_sizes",
    "forest",
    "objective",
    "propensities",
    "reach",
    "rewards",
    "scores",
    "share_map",
    "shares",
    "task_differences",
    "totals",
    "training",
    "transfer",
    "worth",
]
