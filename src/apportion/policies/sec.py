"""Softmax of a running reward: the self-evolving curriculum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_number
from ..records import Context, Floats, Ints, Task
from ._base import Policy
from ._choice import explore, mask_of, softmax


@dataclass(kw_only=True)
class SEC(Policy):
    """Decides by softmax(Q / temperature), where Q_a averages the rewards of a: the self-evolving curriculum.

    Q_a <- Q_a + step_size * (r - Q_a), Q = 0 at first, p = (1 - exploration) * softmax(Q / temperature)
    + exploration / K. In the paper r is the mean absolute advantage of the batch (signal `advantage`), for which the
    temperature is made: scale other rewards to about [0, 1]. It fails when rewards are small beside the temperature
    (it stays uniform) or large (it takes one task only and sees the others no more, unless there is exploration).

    Args:
        step_size: weight of the newest reward, in (0, 1].
        temperature: above 0.
        exploration: share of uniform exploration, in [0, 1]; the published rule has 0.
        absent: what happens to Q of tasks not drawn: `keep` as in the paper, or `decay`, towards 0 with the same
            step_size, as in its released code.

    Raises:
        ValueError: a parameter is out of its range.

    >>> policy = SEC()
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([0.4]))
    >>> policy.probabilities(Context.start(2)).round(4)  # Q = 0, 0.2
    array([[0.2689, 0.7311]])
    """

    name = "sec"
    usual_signal = "learnability"
    family = "learning-progress"
    needs = frozenset({"reward"})
    source = (
        "Chen et al. 2025, arXiv 2505.14970; from its released code as used in rsshyam/MT-GRPO "
        "verl/verl/utils/auto_curriculum/priority.py"
    )

    step_size: float = 0.5
    temperature: float = 0.2
    exploration: float = 0.0
    absent: Literal["keep", "decay"] = "keep"

    def __post_init__(self) -> None:
        check_number("step_size", self.step_size, low=0.0, high=1.0, low_open=True)
        check_number("temperature", self.temperature, low=0.0, low_open=True)
        check_number("exploration", self.exploration, low=0.0, high=1.0)
        check_choice("absent", self.absent, ("keep", "decay"))

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The paper's form, and the released one."""
        yield cls()
        yield cls(absent="decay", exploration=0.05)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Q = 0."""
        self.tasks_ = tuple(tasks)
        self.values_ = np.zeros((n_runs, len(tasks)))

    def probabilities(self, context: Context) -> Floats:
        """Softmax of Q, shape (n_runs, n_tasks)."""
        mask = mask_of(context)
        return explore(softmax(self.values_ / self.temperature, mask), self.exploration, mask)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Move Q of the task drawn towards its reward."""
        at = (np.arange(len(chosen)), chosen)
        moved = self.values_[at] + self.step_size * (reward - self.values_[at])
        if self.absent == "decay":
            self.values_ *= 1.0 - self.step_size
        self.values_[at] = moved
