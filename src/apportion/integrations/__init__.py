"""Sends what happens in a run to TensorBoard, MLflow, Weights & Biases or Trackio, through one small protocol.

A tracker takes numbers by name and step; `TrackerCallback` says which numbers. Another tracker is a class with `start`,
`log` and `close`, given to `TrackerCallback` and that to the `Trainer`.
"""

from ._base import TRACKERS, Tracker, TrackerCallback, make_trackers
from .mlflow import MLflow
from .tensorboard import TensorBoard
from .trackio import Trackio
from .wandb import WeightsAndBiases

__all__ = [
    "TRACKERS",
    "MLflow",
    "TensorBoard",
    "Tracker",
    "TrackerCallback",
    "Trackio",
    "WeightsAndBiases",
    "make_trackers",
]
