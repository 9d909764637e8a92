"""The protocol of signals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Self

from ..component import Component
from ..records import Evaluation, Floats, Ints, Task

MEASUREMENTS: Mapping[str, str] = {
    "loss": "training loss on the batch before its update",
    "loss_after": "loss on the same batch after its update",
    "self_before": "loss on another batch of the same task before the update",
    "self_after": "loss on that other batch after the update",
    "target_before": "loss on a batch of the target tasks, drawn by priority, before the update",
    "target_after": "loss on that batch of the target tasks after the update",
    "mean_before": "loss on a batch of a task drawn uniformly, before the update",
    "mean_after": "loss on that batch after the update",
    "gradient_norm": "squared norm of the gradient of the batch",
    "gradient_alignment": "cosine between the gradient of the batch and that of the held-out objective",
    "entropy": "mean entropy of the model's predictions on the batch, in nats",
    "success": "fraction of the batch that the model gets right, in [0, 1]",
    "advantage": "mean absolute advantage, for reinforcement learning loops",
    "reference_loss": "loss of a reference model on the batch",
    "cost": "budget that the decision used; always given",
}
"""What a signal may ask for in `needs`. A loop measures only what is asked for, and charges it to the budget."""


class Signal(Component, ABC):
    """Turns what the loop measured at a decision into a reward, bigger is better.

    Like a policy it is a dataclass, vectorised over runs: every measurement has the shape (n_runs,). `needs` names the
    measurements (see `MEASUREMENTS`).

    A signal whose reward is known only at the next evaluation sets `deferred`: drivers then keep the decisions since
    the last evaluation and ask `credit` for their rewards.
    """

    deferred: ClassVar[bool] = False

    @property
    def is_deferred(self) -> bool:
        """Whether rewards come from `credit`; wrappers take it over from the signal inside."""
        return self.deferred or any(part.is_deferred for part in self.parts() if isinstance(part, Signal))

    @abstractmethod
    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Make the state for a new run, or `n_runs` runs side by side."""

    @abstractmethod
    def reward(self, chosen: Ints, measured: Mapping[str, Floats]) -> Floats:
        """The reward of one decision per run, shape (n_runs,); NaN where none can be given (yet). May change state.

        Args:
            chosen: index of the task drawn, shape (n_runs,).
            measured: at least the measurements that `requires` names, each (n_runs,).
        """

    def observe(self, evaluation: Evaluation) -> None:
        """Take notice of a held-out evaluation; does nothing unless a subclass says otherwise."""

    def credit(self, evaluation: Evaluation, chosen: Ints, costs: Floats) -> Floats:
        """Rewards of all decisions since the last evaluation; only called when `is_deferred`, instead of `observe`.

        Args:
            evaluation: the one that just arrived.
            chosen: tasks drawn since the last one, shape (n_runs, n_decisions).
            costs: what they cost, shape (n_runs, n_decisions).

        Returns:
            Rewards, shape (n_runs, n_decisions); NaN where none can be given.
        """
        raise TypeError(
            f"{type(self).__name__} gives its rewards at once and has nothing to credit at step {evaluation.step}."
        )

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Instances that the shared checks, the documentation and the benchmarks use."""
        yield cls()
