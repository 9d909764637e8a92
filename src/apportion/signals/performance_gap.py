"""How far a task is from its reference score."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_names, check_number
from ..records import Evaluation, Floats, Ints, Task
from ._base import Signal


@dataclass(kw_only=True)
class PerformanceGap(Signal):
    """Estimates what a task lacks: reward = max(reference - held-out score of the task drawn, floor).

    The score is that of the last evaluation of the task; before the first one there is no reward (NaN). It costs no
    measurement per decision. It fails where the reference is out of reach: such a task keeps the largest gap for ever,
    as one of noise labels would.

    In units of the score, at least `floor`.

    Args:
        reference: score to reach, such as that of a model trained on the task alone: for all tasks, or by name, above
            0 if `relative`.
        floor: least reward, so that a task that reached its reference is not forgotten. Gottumukkala et al. keep about
            0.05 (from memory).
        relative: divide the gap by the reference, so that different metrics compare.

    Raises:
        TypeError: a reference or the floor is not a number.
        ValueError: a reference or the floor is not finite, or a relative reference is not above 0.

    >>> import numpy as np
    >>> from apportion.records import Task
    >>> signal = PerformanceGap(reference={"cola": 0.75, "rte": 1.0})
    >>> signal.reset([Task(name="cola"), Task(name="rte")])
    >>> signal.observe(Evaluation(step=0, scores=np.array([[0.5, 0.5]]), counts=np.zeros((1, 2), dtype=int)))
    >>> signal.reward(np.array([0]), {})
    array([0.25])
    """

    name = "performance_gap"
    needs = frozenset({"evaluations"})
    source = "Gottumukkala et al. 2020, DOI 10.18653/v1/2020.acl-main.86 (its abstract; text could not be checked)"
    derived = frozenset({"tasks_", "reference_"})

    reference: float | Mapping[str, float] = 1.0
    floor: float = 0.0
    relative: bool = False

    def __post_init__(self) -> None:
        check_number("floor", self.floor)
        given = self.reference.values() if isinstance(self.reference, Mapping) else (self.reference,)
        for value in given:
            check_number("reference", value, low=0.0 if self.relative else -np.inf, low_open=self.relative)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Bring the references into the order of the tasks; no score is known.

        Raises:
            ValueError: `reference` names an unknown task or leaves one out.
        """
        self.tasks_ = tuple(tasks)
        names = [task.name for task in tasks]
        given = self.reference
        if isinstance(given, Mapping):
            check_names("reference", list(given), names)
            for name in names:
                if name not in given:
                    raise ValueError(f"`reference` must name every task, but {name!r} is missing.")
            self.reference_ = np.array([given[name] for name in names], dtype=np.float64)
        else:
            self.reference_ = np.full(len(tasks), float(given))
        self.score_ = np.full((n_runs, len(tasks)), np.nan)

    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """The gap of the task drawn, shape (n_runs,)."""
        reference = self.reference_[chosen]
        gap = reference - self.score_[np.arange(len(chosen)), chosen]
        return np.maximum(gap / reference if self.relative else gap, self.floor)

    def observe(self, evaluation: Evaluation) -> None:
        """Remember the scores that were measured."""
        self.score_ = np.where(np.isfinite(evaluation.scores), evaluation.scores, self.score_)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """An absolute gap with a floor and a relative one."""
        yield cls(reference=1.0, floor=0.05)
        yield cls(reference=0.9, relative=True)
