"""The base of policies that change what another policy says."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..records import Bools, Context, Evaluation, Floats, Ints, Task
from ._base import Policy


@dataclass(kw_only=True)
class Wrapper(Policy, ABC):
    """Passes everything that can be learned on to the policy inside; a subclass changes the probabilities.

    The policy inside learns from the probabilities that were drawn from, not from those that it would have liked.

    Args:
        policy: the policy inside.
    """

    family = "wrapper"

    policy: Policy = field(kw_only=False)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Reset the policy inside."""
        self.tasks_ = tuple(tasks)
        self.policy.reset(tasks, n_runs)

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Pass it on."""
        self.policy.update(chosen, probabilities, reward)

    def update_rows(self, rows: Bools, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Pass it on: the policy inside may know better than to save and restore the other runs."""
        self.policy.update_rows(rows, chosen, probabilities, reward)

    def evaluation_tasks(self, context: Context) -> Bools | None:
        """What the policy inside wants."""
        return self.policy.evaluation_tasks(context)

    def observe(self, evaluation: Evaluation) -> None:
        """Pass it on."""
        self.policy.observe(evaluation)
