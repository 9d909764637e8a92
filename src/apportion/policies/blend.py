"""A mixture of two policies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from .._check import check_number
from ..records import Bools, Context, Evaluation, Floats, Ints, Task
from ._base import Policy
from ._wrapper import Wrapper
from .proportional import Proportional
from .uniform import Uniform


@dataclass(kw_only=True)
class Blend(Wrapper):
    """Decides as one policy in a part of the decisions and as another in the rest, without saying which.

    q = (1 - share) p + share p_other. Both learn from every decision, through the probabilities q that it was drawn
    from. To learn which of two policies is better takes more than that: see the off-policy estimators.

    Args:
        policy: the policy inside.
        other: the second policy.
        share: of the second policy, in [0, 1].

    Raises:
        ValueError: the share is outside [0, 1].

    >>> from apportion.records import Context, Task
    >>> policy = Blend(Uniform(), Proportional(), share=0.5)
    >>> policy.reset([Task(name="qnli", size=300), Task(name="rte", size=100)])
    >>> policy.probabilities(Context.start(2))
    array([[0.625, 0.375]])
    """

    name = "blend"
    source = "by definition"

    other: Policy = field(kw_only=False)
    share: float = 0.5

    def __post_init__(self) -> None:
        check_number("share", self.share, low=0.0, high=1.0)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Reset both policies."""
        super().reset(tasks, n_runs)
        self.other.reset(tasks, n_runs)

    def probabilities(self, context: Context) -> Floats:
        """(1 - share) p + share p_other, shape (n_runs, n_tasks)."""
        inner, other = self.policy.probabilities(context), self.other.probabilities(context)
        return (1.0 - self.share) * inner + self.share * other

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Pass it on to both."""
        self.policy.update(chosen, probabilities, reward)
        self.other.update(chosen, probabilities, reward)

    def update_rows(self, rows: Bools, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Pass it on to both."""
        self.policy.update_rows(rows, chosen, probabilities, reward)
        self.other.update_rows(rows, chosen, probabilities, reward)

    def observe(self, evaluation: Evaluation) -> None:
        """Pass it on to both."""
        self.policy.observe(evaluation)
        self.other.observe(evaluation)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Two static policies."""
        yield cls(Uniform(), Proportional(), share=0.25)
