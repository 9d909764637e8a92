"""One job of a study of real training: a run, or earlier runs that teach another one; workers do them by name."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from ..config import Config, make_config
from ..forecast import Lessons
from ..launch import launch, make_trainer

if TYPE_CHECKING:
    from ..training import Taskset, Trainer


def spec_of(config: Config) -> dict[str, Any]:
    """A configuration as plain data without defaults, so that a study still resumes when another key is invented."""
    return config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


@lru_cache(maxsize=2)
def _taskset(section: str) -> Taskset:
    config = {"seed": 0, "when_exhausted": "cycle", "budget": {"amount": 1}, "taskset": orjson.loads(section)}
    return make_config(config).make_taskset()


def loaded(config: Config) -> Taskset:
    """The taskset of a configuration, kept for the next run in this process."""
    section = orjson.dumps(config.taskset.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS).decode()
    taskset = _taskset(section)
    return taskset.with_priorities(config.priorities) if config.priorities else taskset


def work(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Train once; a function of a module, so that other processes can find it."""
    config = make_config(spec["config"])
    clock = _Clock()
    taskset = loaded(config)
    try:
        if "place" in spec:
            place = Path(spec["place"])
            resume = (place / "config.toml").is_file()
            summary = launch(config, place, resume=resume, ready=clock.attach, taskset=taskset)
        else:
            trainer = make_trainer(config, taskset=taskset)
            clock.attach(trainer)
            summary = trainer.run().to_dict()
    except ValueError as error:
        # A policy that this training loop cannot serve is a row without figures, not the end of a study.
        return {"note": str(error)}
    total = max(sum(summary["costs"].values()), 1e-12)
    return {
        "scores": {name: item["score"] for name, item in summary["tasks"].items()},
        "metrics": {name: item["metrics"] for name, item in summary["tasks"].items()},
        "priorities": {task.name: task.priority for task in taskset.tasks},
        "sizes": {task.name: task.size for task in taskset.tasks},
        "shares": {name: cost / total for name, cost in summary["costs"].items()},
        "counts": summary["counts"],
        "spent": summary["spent"],
        "evaluation_cost": summary["evaluation_cost"],
        "seconds": summary["seconds"],
        "policy_seconds": clock.seconds,
        "curve": [
            [item["spent"], {name: found["score"] for name, found in item["tasks"].items()}]
            for item in summary["evaluations"]
        ],
        "checksums": summary["checksums"],
        "versions": _versions(),
    }


def teach(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Train as often as told, and give what the planner can learn from that; a function of a module, too."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / str(index) for index in range(len(spec["configs"]))]
        try:
            for place, data in zip(places, spec["configs"], strict=True):
                config = make_config(data)
                launch(config, place, taskset=loaded(config))
            return {"lessons": Lessons.of_paths(places).data()}
        except ValueError as error:
            return {"note": str(error)}


def _versions() -> dict[str, str]:
    import torch

    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": str(torch.__version__),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads of torch"
        + (f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"),
    }


class _Clock:
    """Adds up the time that a policy takes."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def attach(self, trainer: Trainer) -> None:
        """Time the methods of this run's policy."""
        policy: Any = trainer.loader.selector.policy
        for name in ("probabilities", "update", "observe"):
            setattr(policy, name, self._timed(getattr(policy, name)))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **options)
            finally:
                self.seconds += time.perf_counter() - start

        return timed
