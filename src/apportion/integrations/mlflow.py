"""Runs in MLflow."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._optional import optional

EXPERIMENT = "apportion"
_LONGEST = 500
_AT_ONCE = 1000  # metrics in one request, MLflow's limit


class MLflow:
    """Makes a run in the experiment `apportion` of the server that MLFLOW_TRACKING_URI names, or of the default one.

    MLflow allows letters, digits, spaces and `_-./` in names; other characters of task names become `_`. A resumed run
    is a new one there, whose steps go on.

    Args:
        place: directory of the run; noted as a parameter.

    Raises:
        MissingExtraError: mlflow is not installed.
    """

    def __init__(self, place: Path) -> None:
        self._mlflow: Any = optional("mlflow", extra="mlflow")
        self._entities: Any = optional("mlflow.entities", extra="mlflow")
        self._place = place
        self._client: Any = None
        self._run = ""

    def start(self, name: str, params: Mapping[str, str], step: int) -> None:
        """Make the experiment where it is missing, and a run in it."""
        client = self._client = self._mlflow.MlflowClient()
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = client.create_experiment(EXPERIMENT) if found is None else found.experiment_id
        self._run = client.create_run(experiment, run_name=name).info.run_id
        told = {**params, "directory": str(self._place), "first_step": str(step)}
        client.log_batch(self._run, params=[self._entities.Param(key, value[:_LONGEST]) for key, value in told.items()])

    def log(self, values: Mapping[str, float], step: int) -> None:
        """One metric for each number, in as few requests as MLflow allows."""
        now = int(1000 * time.time())
        metrics = [
            self._entities.Metric(re.sub(r"[^\w\-./ ]", "_", name), value, now, step) for name, value in values.items()
        ]
        for first in range(0, len(metrics), _AT_ONCE):
            self._client.log_batch(self._run, metrics=metrics[first : first + _AT_ONCE])

    def close(self) -> None:
        """Mark the run as finished."""
        if self._run:
            self._client.set_terminated(self._run)
            self._run = ""
