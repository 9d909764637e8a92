"""Given shares at first, then another policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..records import Context, Floats, Task
from ._shares import Shares, check_shares, shares_of
from ._span import check_span, elapsed
from ._wrapper import Wrapper
from .proportional import Proportional


@dataclass(kw_only=True)
class WarmUp(Wrapper):
    """Decides by given shares for the first part of the run, and then as the policy inside.

    The policy inside learns from the warm-up as well, so that it starts with an estimate for every task. It spends that
    part of the budget blindly, and rewards at the start of training can mislead about later ones.

    Args:
        policy: the policy inside.
        steps: length of the warm-up in decisions, at least 1; or
        fraction: its length as a fraction of the budget, in (0, 1]. Exactly one of both is given.
        shares: by task name, where those not named get 0, or in task order; None is uniform.

    Raises:
        ValueError: not exactly one length is given, or it or the shares are outside their range.

    >>> from apportion.records import Context, Task
    >>> policy = WarmUp(Proportional(), steps=100)
    >>> policy.reset([Task(name="qnli", size=300), Task(name="rte", size=100)])
    >>> policy.probabilities(Context.start(2))
    array([[0.5, 0.5]])
    """

    name = "warm_up"
    source = "by definition"
    derived = frozenset({"tasks_", "shares_"})

    steps: int | None = None
    fraction: float | None = None
    shares: Shares | None = None

    def __post_init__(self) -> None:
        check_span(self.steps, self.fraction)
        if self.shares is not None:
            check_shares("shares", self.shares)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Bring the shares into the order of the tasks and reset the policy inside.

        Raises:
            ValueError: `shares` names an unknown task, or has another length than the tasks.
        """
        super().reset(tasks, n_runs)
        given: Shares = [1.0] * len(tasks) if self.shares is None else self.shares
        self.shares_ = shares_of("shares", given, tasks, 0.0)

    def probabilities(self, context: Context) -> Floats:
        """The shares, or what the policy inside says, shape (n_runs, n_tasks)."""
        warming = elapsed(context, self.steps, self.fraction) < 1.0
        return np.where(warming[:, None], self.shares_, self.policy.probabilities(context))

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Uniform by steps, and given shares by a fraction of the budget."""
        yield cls(Proportional(), steps=10)
        yield cls(Proportional(), fraction=0.2, shares={"a": 1, "b": 1})
