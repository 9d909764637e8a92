"""Small workloads that the tests of the training room share."""

import numpy as np
import torch
from torch import nn

from apportion.budget import Steps
from apportion.training import Classification, Regression, Settings, TaskData, Taskset, TensorExamples, Trainer


def examples(seed, n, kind, width=6):
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(n, width)).astype(np.float32)
    if kind == "regression":
        targets = (inputs[:, 0] * 3 + 1).astype(np.float32)
    else:
        targets = (inputs[:, :3].argmax(axis=1)).astype(np.int64)
    return TensorExamples(torch.from_numpy(inputs), torch.from_numpy(targets))


def part(name, n=40, kind="classification", seed=0, **options):
    head = Classification(3) if kind == "classification" else Regression(mean=1.0, scale=3.0)
    metrics = ("accuracy",) if kind == "classification" else ("r2",)
    validation = {"": examples(seed + 1000, 30, kind)}
    settings = {"metrics": metrics, "primary": metrics, "validation": validation, **options}
    return TaskData(
        name=name,
        train=examples(seed, n, kind),
        head=head,
        **settings,
    )


def encoder():
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh())


def dropping_encoder():
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.5))


def small(**options):
    settings = {
        "name": "small",
        "parts": (part("a"), part("b", n=13, seed=1), part("c.d", kind="regression", seed=2)),
        "encoder": encoder,
        "width": 8,
        "batch_size": 8,
        "learning_rate": 1e-2,
        **options,
    }
    return Taskset(**settings)


def trainer(taskset=None, *, budget=None, policy="uniform", seed=0, settings=None, **options):
    return Trainer(
        taskset or small(),
        policy=policy,
        budget=budget or Steps(24),
        seed=seed,
        when_exhausted=options.pop("when_exhausted", "cycle"),
        settings=settings or Settings(evaluation_size=16),
        **options,
    )
