"""The report of one or many runs: tables compute, figures draw, the page arranges.

`write_report` makes one HTML file that needs no network. For a notebook, `load_runs` gives settings, `tables` turns a
setting into rows of numbers, and `figures` turns rows into charts.
"""

from . import figures, tables
from .demo import figures_for_demo
from .page import render, write_live, write_report
from .runs import Run, load_run, run_of
from .settings import Setting, gather, load_runs

__all__ = [
    "Run",
    "Setting",
    "figures",
    "figures_for_demo",
    "gather",
    "load_run",
    "load_runs",
    "render",
    "run_of",
    "tables",
    "write_live",
    "write_report",
]
