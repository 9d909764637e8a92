"""Apportion decides, step by step, how much of the training budget each task of a multitask model gets."""

__version__ = "0.1.0"

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
