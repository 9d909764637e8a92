"""What a log could answer: effective sample sizes for other choices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...records import Floats
from ..runs import Run
from ..settings import Setting

UNIFORM, PROPORTIONAL = "uniform", "proportional to size"


class EffectiveSize(NamedTuple):
    """How much a policy's log says about other, constant shares; means over its seeds.

    Attributes:
        policy: that wrote the log.
        target: shares asked about; `only NAME` is a single task.
        size: effective sample size.
        share: size as a fraction of the decisions.
        max_weight: largest importance weight of any seed.
        n: seeds whose log can be used.
    """

    policy: str
    target: str
    size: float
    share: float
    max_weight: float
    n: int


def effective_sizes(setting: Setting) -> list[EffectiveSize]:
    """Effective sample size, (sum w)^2 / sum w^2 over the importance weights w = target/propensity (Kish 1965).

    Targets are uniform shares, shares proportional to size where all sizes are known, and each task alone. All
    decisions count, whether or not they were rewarded; estimates use the rewarded ones. Logs of a deterministic
    execution cannot answer such questions and are left out.
    """
    n_tasks = len(setting.tasks)
    targets: list[tuple[str, Floats]] = [(UNIFORM, np.full(n_tasks, 1.0 / n_tasks))]
    sizes = [task.size for task in setting.tasks]
    if all(size is not None for size in sizes) and len(set(sizes)) > 1:
        known = np.array(sizes, dtype=np.float64)
        targets.append((PROPORTIONAL, known / known.sum()))
    targets += [(f"only {task.name}", row) for task, row in zip(setting.tasks, np.eye(n_tasks), strict=True)]
    found: list[EffectiveSize] = []
    for policy in setting.policies:
        runs = [run for run in setting.of(policy) if run.usable_off_policy and run.log.n_decisions]
        for name, target in targets if runs else ():
            values = np.array([_effective(run, target) for run in runs])
            size, share = values[:, :2].mean(axis=0)
            found.append(EffectiveSize(policy, name, float(size), float(share), float(values[:, 2].max()), len(runs)))
    return found


def _effective(run: Run, target: Floats) -> tuple[float, float, float]:
    log = run.log
    squares = float(target**2 @ log.inverse_squared)
    size = float(target @ log.inverse) ** 2 / squares if squares > 0 else 0.0
    return size, size / log.n_decisions, float((target * log.inverse_largest).max())
