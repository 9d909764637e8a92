"""From given shares to another policy, in a straight line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from ..records import Context, Floats, Task
from ._shares import Shares, check_shares, shares_of
from ._span import check_span, elapsed
from ._wrapper import Wrapper
from .proportional import Proportional
from .uniform import Uniform


@dataclass(kw_only=True)
class Prior(Wrapper):
    """Decides by given shares at the start and moves in a straight line to what the policy inside says.

    q = (1 - t) shares + t p, where t rises from 0 to 1 over the first part of the run and then stays. Other than
    `WarmUp` it lets the policy act, and so find out about its own choices, from the first decisions on.

    Args:
        policy: the policy inside.
        shares: by task name, where those not named get 0, or in task order; they need not sum to 1.
        steps: length of the move in decisions, at least 1; or
        fraction: its length as a fraction of the budget, in (0, 1]. Exactly one of both is given.

    Raises:
        ValueError: not exactly one length is given, or it or the shares are outside their range.

    >>> from apportion.records import Context, Task
    >>> policy = Prior(Uniform(), shares={"qnli": 3, "rte": 1}, fraction=0.5)
    >>> policy.reset([Task(name="qnli"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0.75, 0.25]])
    """

    name = "prior"
    source = "by definition"
    derived = frozenset({"tasks_", "shares_"})

    shares: Shares
    steps: int | None = None
    fraction: float | None = None

    def __post_init__(self) -> None:
        check_span(self.steps, self.fraction)
        check_shares("shares", self.shares)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Bring the shares into the order of the tasks and reset the policy inside.

        Raises:
            ValueError: `shares` names an unknown task, or has another length than the tasks.
        """
        super().reset(tasks, n_runs)
        self.shares_ = shares_of("shares", self.shares, tasks, 0.0)

    def probabilities(self, context: Context) -> Floats:
        """(1 - t) shares + t p, shape (n_runs, n_tasks)."""
        moved = elapsed(context, self.steps, self.fraction)[:, None]
        return (1.0 - moved) * self.shares_ + moved * self.policy.probabilities(context)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """By steps and by a fraction of the budget, over the tasks of the shared checks."""
        yield cls(Proportional(), shares={"a": 1, "b": 1}, steps=20)
        yield cls(Uniform(), shares={"c": 1}, fraction=0.5)
