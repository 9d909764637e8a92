"""Training with PyTorch: many tasks, one model, one budget. Names, and torch with them, are imported when used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._optional import optional

if TYPE_CHECKING:
    from .callbacks import Callback
    from .checkpoint import load_model
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
    "load_model",
    "make_model",
    "metric",
    "objective",
    "train",
]

_LIGHT = {
    "Callback": "callbacks",
    "METRICS": "metrics",
    "Metric": "metrics",
    "metric": "metrics",
    "Settings": "settings",
}
_WITH_TORCH = {
    **dict.fromkeys(("Batch", "Examples", "Inputs", "MapExamples", "TensorExamples"), "examples"),
    **dict.fromkeys(("Classification", "Head", "Regression"), "heads"),
    **dict.fromkeys(("EvaluationResult", "TaskScore"), "held_out"),
    **dict.fromkeys(("MultitaskModel", "make_model"), "model"),
    **dict.fromkeys(("TaskData", "Taskset", "objective"), "taskset"),
    "Processes": "processes",
    "load_model": "checkpoint",
    "TaskSource": "source",
    "TrainResult": "result",
    "Trainer": "trainer",
    "train": "quick",
}


def __getattr__(name: str) -> Any:
    if name in _LIGHT:
        return getattr(import_module(f".{_LIGHT[name]}", __name__), name)
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in ("torch", "accelerate", "safetensors"):
        optional(module, extra="train")
    return getattr(import_module(f".{_WITH_TORCH[name]}", __name__), name)
