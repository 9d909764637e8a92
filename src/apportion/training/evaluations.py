"""When all tasks are evaluated during a run, what that costs, and who hears of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..loader import TaskLoader
from .costs import Meter
from .held_out import MEASURABLE, EvaluationResult, HeldOut, TaskScore
from .probes import check_finite
from .processes import Processes
from .result import evaluation_from_dict, evaluation_to_dict
from .settings import Settings


class Evaluations:
    """Evaluates all tasks at the start and after each `evaluate_every` of budget.

    Args:
        loader: of the run.
        held_out: what is measured.
        meter: of costs.
        processes: that train together.
        settings: of the training.

    Attributes:
        every: budget spent on training between two evaluations.
        are_charged: whether they use up budget.
        cost: of one, in the unit of the budget; 0 where not charged, or not known in advance (seconds).
        done: results so far, oldest first.
        seconds: time they took.

    Raises:
        ValueError: the policy asks for something that cannot be measured, or one evaluation costs the whole budget.
    """

    def __init__(
        self, loader: TaskLoader, held_out: HeldOut, meter: Meter, processes: Processes, settings: Settings
    ) -> None:
        selector = loader.selector
        self._loader, self._held_out, self._meter, self._processes = loader, held_out, meter, processes
        self._wanted = frozenset(
            name.removeprefix("evaluation.") for name in selector.requires if name.startswith("evaluation.")
        )
        for name in sorted(self._wanted - MEASURABLE):
            raise ValueError(
                f"the policy needs `evaluation.{name}`, which this training loop cannot measure: it measures "
                f"{', '.join(sorted(MEASURABLE))}."
            )
        deferred = selector.signal is not None and selector.signal.is_deferred
        asked = bool(self._wanted) or "evaluations" in selector.requires or deferred
        self.are_charged: bool = asked if settings.charge_evaluations is None else settings.charge_evaluations
        self.every: float = settings.evaluate_every or selector.budget.amount / 10
        self.cost: float = self._cost() if self.are_charged else 0.0
        if self.cost >= selector.budget.amount:
            raise ValueError(
                f"one evaluation costs {self.cost:g} {selector.budget.unit}, the whole budget is "
                f"{selector.budget.amount:g}: raise the budget, or set a smaller `evaluation_size` than "
                f"{settings.evaluation_size}."
            )
        self.done: list[EvaluationResult] = []
        self.seconds = 0.0
        self.next: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one, and the budget has something left to train on after it."""
        selector = self._loader.selector
        return self.next <= selector.spent < selector.budget.amount - self.cost

    def evaluate(self, extra: float = 0.0) -> EvaluationResult | None:
        """Evaluate the tasks and tell the selector; None where the policy wants to see none of them.

        A policy may choose the tasks where evaluations are charged and nothing but scores and losses is asked for.

        Args:
            extra: budget that was used before it and is charged with it.

        Raises:
            FloatingPointError: a held-out loss or score is NaN or infinite, apart from undefined metrics.
        """
        selector = self._loader.selector
        spent, names = selector.spent, self._chosen()
        found = self._held_out.scores(names)
        measured = {"loss": {name: item.loss for name, item in found.items()}}
        measured |= self._held_out.measure(self._wanted, len(self.done))
        for name, item in found.items():
            check_finite({f"held-out {key}": values[name] for key, values in measured.items()}, name, selector.step)
            if math.isinf(item.score):
                check_finite({"held-out score": item.score}, name, selector.step)
        elapsed = self._meter.elapsed()
        self.seconds += elapsed
        cost = self.cost if len(names) == len(selector.names) else self._meter.evaluation(self._held_out.work(names))
        if self.are_charged and self._meter.unit == "seconds":
            cost = self._processes.sum_values([elapsed])[0] / self._processes.world
        scores = {name: None if math.isnan(item.score) else item.score for name, item in found.items()}
        cost += extra
        self._loader.evaluate(scores, measured=measured, cost=cost)
        self.next = selector.spent + self.every
        if not found:
            return None
        absent = TaskScore(score=math.nan, loss=math.nan, metrics={}, undefined={})
        found = {name: found.get(name, absent) for name in selector.names}
        result = EvaluationResult(step=selector.step, spent=spent, cost=cost, tasks=found, measured=measured)
        self.done.append(result)
        return result

    def _chosen(self) -> tuple[str, ...]:
        """Names of the tasks that are to be measured."""
        selector = self._loader.selector
        free = not self.are_charged or self._wanted or selector.signal is not None
        wanted = None if free else selector.policy.evaluation_tasks(selector.context())
        if wanted is None:
            return selector.names
        return tuple(name for name, chosen in zip(selector.names, wanted[0], strict=True) if chosen)

    def state_dict(self) -> dict[str, Any]:
        """Results so far and when the next one is due, as data that JSON can hold."""
        return {"done": [evaluation_to_dict(item) for item in self.done], "next": self.next}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.done = [evaluation_from_dict(item) for item in state["done"]]
        self.next = float(state["next"])

    def _cost(self) -> float:
        trained = self._held_out.gradient_work(self._wanted)
        return self._meter.evaluation(self._held_out.forward_work(self._wanted)) + sum(
            self._meter.work(task, batch.size, batch.tokens) for task, batch in trained
        )
