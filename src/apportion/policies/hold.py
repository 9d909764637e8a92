"""Probabilities that change only every so often."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer
from ..records import Bools, Context, Evaluation, Floats, Ints, Task
from ._wrapper import Wrapper
from .proportional import Proportional


@dataclass(kw_only=True)
class Hold(Wrapper):
    """Decides as the policy inside, which learns in blocks: it sees rewards only when `steps` of them are there.

    In between its state, and so its probabilities, stay as they are; then it gets all of them in their order. An
    evaluation ends the block early, and a schedule over the budget inside goes on. Blocks make decisions easier to
    read and to estimate from, and cost what could have been learned within them.

    State: the rewards waiting, (n_runs, steps) numbers and as many probability vectors.

    Args:
        policy: the policy inside.
        steps: rewards in a block, at least 1.

    Raises:
        ValueError: `steps` is below 1.

    >>> Hold(Proportional(), steps=50).requires
    frozenset()
    """

    name = "hold"
    source = "by definition"
    complexity = "O(K), and that of `steps` updates every `steps` decisions"

    steps: int = 10

    def __post_init__(self) -> None:
        check_integer("steps", self.steps, low=1)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Reset the policy inside; nothing waits."""
        super().reset(tasks, n_runs)
        self.waiting_ = np.zeros(n_runs, dtype=np.int64)
        self.chosen_ = np.zeros((n_runs, self.steps), dtype=np.int64)
        # Rows of runs that have nothing waiting still go through the policy inside, masked: they must be probabilities.
        self.probabilities_ = np.full((n_runs, self.steps, len(tasks)), 1.0 / len(tasks))
        self.reward_ = np.zeros((n_runs, self.steps))

    def probabilities(self, context: Context) -> Floats:
        """Those of the policy inside, which has not seen what waits, shape (n_runs, n_tasks)."""
        return self.policy.probabilities(context)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Let it wait, or pass the whole block on."""
        self.update_rows(np.ones(len(chosen), dtype=np.bool_), chosen, probabilities, reward)

    def update_rows(self, rows: Bools, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Let it wait in these runs, or pass the whole block on in those where it is complete."""
        index = np.flatnonzero(rows)
        place = self.waiting_[index]
        self.chosen_[index, place] = chosen[index]
        self.probabilities_[index, place] = probabilities[index]
        self.reward_[index, place] = reward[index]
        self.waiting_[index] += 1
        self._release(self.waiting_ == self.steps)

    def observe(self, evaluation: Evaluation) -> None:
        """Pass on what waits, then the evaluation."""
        self._release(self.waiting_ > 0)
        self.policy.observe(evaluation)

    def _release(self, runs: Bools) -> None:
        if not runs.any():
            return
        for place in range(int(self.waiting_[runs].max())):
            rows = runs & (self.waiting_ > place)
            chosen, reward = self.chosen_[:, place].copy(), self.reward_[:, place].copy()
            self.policy.update_rows(rows, chosen, self.probabilities_[:, place].copy(), reward)
        self.waiting_[runs] = 0

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Blocks of five around a policy without state."""
        yield cls(Proportional(), steps=5)
