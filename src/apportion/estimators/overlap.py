"""Whether the log ever tried what the target needs."""

from __future__ import annotations

import numpy as np

from ..errors import OverlapError
from ..records import Floats, Logged
from ._inputs import checked_target

TOLERANCE = 1e-6
"""Mean probability on tasks that could not be drawn up to which a target is not refused."""


class Overlap:
    """Collects, chunk by chunk, where a target leaves the support of the log; `check` refuses it."""

    def __init__(self) -> None:
        self.n_rounds = 0
        self._tasks: tuple[str, ...] = ()
        self._wanted: Floats = np.zeros(0)
        self._offered: Floats = np.zeros(0)
        self._drawn: Floats = np.zeros(0)
        self._impossible: Floats = np.zeros(0)

    def add(self, logged: Logged, target: Floats) -> None:
        """Take in one chunk; `target` of shape (n_rounds, n_tasks)."""
        n_tasks = len(logged.tasks)
        if not self._tasks:
            self._tasks = logged.tasks
            self._wanted, self._offered, self._drawn, self._impossible = np.zeros((4, n_tasks))
        self.n_rounds += logged.n_rounds
        self._wanted += target.sum(axis=0)
        self._offered += logged.probabilities.sum(axis=0)
        self._drawn += np.bincount(logged.chosen, minlength=n_tasks)
        if logged.probabilities.size and not logged.probabilities.min() > 0:
            self._impossible += np.where(logged.probabilities > 0, 0.0, target).sum(axis=0)

    @property
    def unsupported(self) -> float:
        """Mean probability that the target gives to tasks which the log could not have drawn."""
        return float(self._impossible.sum()) / self.n_rounds if self.n_rounds else float("nan")

    def check(self) -> None:
        """Refuse a target that needs what the log never tried.

        Raises:
            OverlapError: the target gives more than 10^-6 on average to tasks that could not be drawn, or leans on a
                task that was never drawn, at least five times and one percentage point more than the log did.
        """
        if not self.n_rounds:
            return
        if self.unsupported > TOLERANCE:
            worst = int(np.argmax(self._impossible))
            raise OverlapError(
                f"the target gives {self.unsupported:.3g} of its probability to tasks in rounds where the log could "
                f"not draw them, most to {self._tasks[worst]!r}: evaluate another target, or "
                "`restrict_to_overlap(logged, target)`, which is another question."
            )
        wanted, offered = self._wanted / self.n_rounds, self._offered / self.n_rounds
        leaning = (self._drawn == 0) & (wanted > 5.0 * offered) & (wanted > offered + 0.01)
        if leaning.any():
            worst = int(np.argmax(np.where(leaning, wanted, 0.0)))
            raise OverlapError(
                f"the target gives {self._tasks[worst]!r} the probability {wanted[worst]:.3g}, and the log, which gave "
                f"it {offered[worst]:.3g}, never drew it: nothing is known about it."
            )


def check_overlap(logged: Logged, target: Floats) -> None:
    """Refuse a target that needs what the log never tried.

    Args:
        logged: the log.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).

    Raises:
        OverlapError: see `Overlap.check`.
        ValueError: shapes disagree, or the target is not a probability vector in every row.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 0], probabilities=[[1.0, 0.0]] * 2, reward=[1.0, 2.0])
        >>> check_overlap(log, np.array([1.0, 0.0]))
        >>> check_overlap(log, np.array([0.5, 0.5]))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        apportion.errors.OverlapError: ...
    """
    overlap = Overlap()
    overlap.add(logged, checked_target(logged, target))
    overlap.check()


def restrict_to_overlap(logged: Logged, target: Floats) -> Floats:
    """The target with the tasks left out that the log could not draw in each round, and the rest scaled up to 1.

    What is then estimated is the target among the tasks that were available, not the target itself.

    Args:
        logged: the log.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).

    Returns:
        Target probabilities, shape (n_rounds, n_tasks).

    Raises:
        OverlapError: in some round nothing is left of the target.
        ValueError: shapes disagree, or the target is not a probability vector in every row.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0], probabilities=[[1.0, 0.0]], reward=[1.0])
        >>> restrict_to_overlap(log, np.array([0.5, 0.5]))
        array([[1., 0.]])
    """
    kept = np.where(logged.probabilities > 0, checked_target(logged, target), 0.0)
    total = kept.sum(axis=1, keepdims=True)
    if total.size and not total.min() > 0:
        row = int(np.argmin(total))
        raise OverlapError(f"in round {row} the log could draw none of the tasks that the target wants.")
    return kept / total
