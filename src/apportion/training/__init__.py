"""Training with PyTorch: many tasks, one model, one budget."""

from ._extra import torch as _torch  # noqa: F401  # pyright: ignore[reportUnusedImport]
from .callbacks import Callback
from .examples import Batch, Examples, Inputs, MapExamples, TensorExamples
from .heads import Classification, Head, Regression
from .held_out import EvaluationResult, TaskScore
from .metrics import METRICS, Metric, metric
from .model import MultitaskModel, make_model
from .processes import Processes
from .quick import train
from .result import TrainResult
from .settings import Settings
from .source import TaskSource
from .taskset import TaskData, Taskset, objective
from .trainer import Trainer

__all__ = [
    "METRICS",
    "Batch",
    "Callback",
    "Classification",
    "EvaluationResult",
    "Examples",
    "Head",
    "Inputs",
    "MapExamples",
    "Metric",
    "MultitaskModel",
    "Processes",
    "Regression",
    "Settings",
    "TaskData",
    "TaskScore",
    "TaskSource",
    "Taskset",
    "TensorExamples",
    "TrainResult",
    "Trainer",
    "make_model",
    "metric",
    "objective",
    "train",
]
