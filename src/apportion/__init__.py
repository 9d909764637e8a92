"""Apportion decides, step by step, how much of the training budget each task of a multitask model gets."""

from ._version import __version__ as __version__
from .budget import Budget, Examples, Seconds, Steps, Tokens
from .constraints import Constraints
from .loader import TaskBatch, TaskLoader
from .log import read_log
from .records import Decision, Estimate, Evaluation, Task
from .selector import Selector

__all__ = [
    "Budget",
    "Constraints",
    "Decision",
    "Estimate",
    "Evaluation",
    "Examples",
    "Seconds",
    "Selector",
    "Steps",
    "Task",
    "TaskBatch",
    "TaskLoader",
    "Tokens",
    "read_log",
]
