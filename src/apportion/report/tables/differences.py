"""Who is better than whom: differences between policies, paired by seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..settings import Setting
from .intervals import CONFIDENCE, mean_over_seeds
from .scores import OBJECTIVE, Compared, compared


class Difference(NamedTuple):
    """Mean over the common seeds of the score of `policy` minus that of `reference`; `task` may be `OBJECTIVE`.

    `wins` counts the seeds in which `policy` was above.
    """

    policy: str
    reference: str
    task: str
    mean: float
    lower: float
    upper: float
    n: int
    wins: int


def differences(
    setting: Setting, *, reference: str | None = None, confidence: float = CONFIDENCE, source: Compared | None = None
) -> list[Difference]:
    """Paired differences to the reference in the objective and in each task's score, for every other policy.

    Seeds that only one of the two ran are left out. A policy without a common seed has NaN and n = 0.

    Args:
        setting: the runs.
        reference: label of the policy to compare with; None takes that of the setting.
        confidence: of the intervals, in (0, 1).
        source: scores to compare; None takes `compared(setting)`.

    Raises:
        ValueError: no policy has the label `reference`.
    """
    against = setting.reference if reference is None else reference
    if against not in setting.policies:
        raise ValueError(f"`reference` must be one of {', '.join(setting.policies)}, got `reference = {against!r}`.")
    source = source or compared(setting)
    rows = {(run.policy, run.seed): row for row, run in enumerate(setting.runs)}
    found: list[Difference] = []
    for policy in setting.policies:
        if policy == against:
            continue
        common = [seed for seed in setting.seeds(policy) if (against, seed) in rows]
        own = [rows[policy, seed] for seed in common]
        other = [rows[against, seed] for seed in common]
        columns = [(OBJECTIVE, source.objective[own] - source.objective[other])]
        columns += [
            (task.name, source.scores[own, index] - source.scores[other, index])
            for index, task in enumerate(setting.tasks)
        ]
        for task, values in columns:
            interval = mean_over_seeds(values, confidence=confidence)
            found.append(Difference(policy, against, task, *interval, int(np.sum(values > 0))))
    return found
