"""The task whose score changes fastest: teacher-student curriculum learning, online."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Bools, Floats, Task
from ._progress import ProgressPolicy


@dataclass(kw_only=True)
class TSCLOnline(ProgressPolicy):
    """Decides for the task whose score changed most lately, by an exponential average of the changes.

    Q_a <- Q_a + step_size * (change_a - Q_a); p by epsilon-greedy in |Q|, or softmax(|Q| / temperature).

    A reward counts as the change of the drawn task's score since it was last seen (`loss_decrease`,
    `prediction_gain`); evaluations give the changes of all tasks. Following |Q| brings back tasks that are being
    forgotten, but chases noise when noise is larger than progress. The paper follows |Q|; its released code follows Q
    unless told otherwise (`absolute=False`), and takes each task's first score as a change from 0, where here it only
    sets the mark.

    Args:
        feed: `reward` or `evaluations`.
        absolute: follow |Q|; False follows Q.
        exploration: share of uniform exploration, in [0, 1].
        temperature: of the Boltzmann choice, above 0; None is epsilon-greedy. The released command uses 0.0004.
        step_size: weight of the newest change, in (0, 1].

    Raises:
        ValueError: a parameter is out of its range.

    >>> from apportion.records import Context
    >>> policy = TSCLOnline(exploration=0.2)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([0]), np.array([[0.5, 0.5]]), np.array([0.1]))
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([-0.3]))  # forgotten: it comes back
    >>> policy.probabilities(Context.start(2))
    array([[0.1, 0.9]])
    """

    name = "tscl_online"
    usual_signal = "loss_decrease"
    source = (
        "Matiisen et al. 2017, arXiv 1707.00183; from its released code: tambetm/TSCL addition/addition_rnn_teacher.py"
    )

    step_size: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("step_size", self.step_size, low=0.0, high=1.0, low_open=True)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The paper's form, the released command's form fed by evaluations, and a Boltzmann choice."""
        yield cls()
        yield cls(feed="evaluations", absolute=False)
        yield cls(temperature=0.05, exploration=0.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """No progress: Q = 0."""
        super().reset(tasks, n_runs)
        self.values_ = np.zeros((n_runs, len(tasks)))

    def progress(self) -> Floats:
        """The exponential averages of the changes."""
        return self.values_

    def learn(self, change: Floats, seen: Bools) -> None:
        """Move Q of the tasks seen towards their changes."""
        self.values_ = self.values_ + self.step_size * np.where(seen, change - self.values_, 0.0)
