"""The stationary bandit of the textbooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from .._check import check_number
from ..records import Bools, Floats, Ints, Task
from ._base import World
from ._constants import per_task
from ._form import Form
from ._streams import EVALUATION, REWARD, Streams


@dataclass(kw_only=True)
class BanditWorld(World):
    """Decides rewards of 0 or 1 with a fixed probability for each task; nothing is ever learned.

    The world gives the reward itself, so no signal is needed. Score of task k = n_tasks * budget-weighted sum of its
    expected rewards, so that with equal priorities the objective is the mean expected reward per unit of budget, and
    (largest mean - objective) * budget is the pseudo-regret of the textbooks (Bubeck and Cesa-Bianchi 2012, DOI
    10.1561/2200000024, section 1.1; could not be checked).

    Args:
        means: probability of a reward of 1, in [0, 1], for each task.
        budget: steps.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range, or there is no task.

    >>> world = BanditWorld(means=(0.2, 0.8), budget=10)
    >>> world.reset(1)
    >>> for _ in range(10):
    ...     world.step(np.array([1]))
    >>> float(world.objective()[0])
    0.8
    """

    name = "bandit"
    source = "the stochastic bandit with Bernoulli rewards"
    provides: ClassVar[frozenset[str]] = frozenset({"reward", "loss", "success"})

    means: Sequence[float]
    budget: float  # type: ignore[assignment]

    def __post_init__(self) -> None:
        check_number("budget", self.budget, low=0.0, low_open=True)
        if len(self.means) == 0:
            raise ValueError("`means` must name at least one task, got none.")
        self._means = per_task("means", self.means, len(self.means), low=0.0, high=1.0)
        self.tasks = tuple(Task(name=f"arm{index}", size=1000) for index in range(len(self.means)))

    def reset(self, n_runs: int) -> None:
        """Begin with nothing collected."""
        self.collected_ = np.zeros((n_runs, len(self.means)))
        self._offsets = np.arange(n_runs) * len(self.means)

    def step(self, chosen: Ints, *, active: Bools | None = None, worth: Floats | None = None) -> None:
        """Collect the expected reward of the tasks drawn."""
        self.collected_.ravel()[self._offsets + chosen] += self._now(chosen, worth, active)

    def train(
        self,
        chosen: Ints,
        needs: frozenset[str],
        streams: Streams,
        step: int,
        *,
        active: Bools | None = None,
        worth: Floats | None = None,
    ) -> dict[str, Floats]:
        """Draw the rewards; `success` is the same, and `loss` is 1 - reward."""
        expected = self._now(chosen, worth, None)
        self.collected_.ravel()[self._offsets + chosen] += expected if active is None else expected * active
        reward = (streams.uniform(REWARD, step) < expected).astype(np.float64)
        found = {"reward": reward, "success": reward}
        if "loss" in needs:
            found["loss"] = 1.0 - reward
        return found

    def scores(self, rows: Ints | None = None) -> Floats:
        """n_tasks * expected reward collected from each task / budget, shape (n_runs, n_tasks)."""
        collected = self.collected_ if rows is None else self.collected_[rows]
        return collected * (len(self.means) / self.budget)

    def evaluate(self, needs: frozenset[str], streams: Streams, index: int) -> tuple[Floats, dict[str, Floats]]:
        """The reward of trying every task once, which changes nothing but costs a third of a step each."""
        uniform = streams.uniforms(EVALUATION, index, len(self.means))
        scores = (uniform < self._means).astype(np.float64)
        return scores, {"loss": 1.0 - scores}

    def flow(self, shares: Floats, steps: float | Floats, worth: Floats | None = None) -> None:
        """Collect the expected reward of divided steps."""
        self.collected_ += shares * np.reshape(steps, (-1, 1)) * (self._means if worth is None else self._means * worth)

    def form(self, *, relaxed: bool = False) -> Form | None:
        """Linear in the counts."""
        weight = 1.0 / self.budget

        def outcome(experience: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
            return experience.sum(axis=1) * weight, np.full_like(experience, weight), np.zeros_like(counts)

        return Form(costs=self.costs, budget=self.budget, columns=np.diag(self._means), outcome=outcome)

    def _now(self, chosen: Ints, worth: Floats | None, active: Bools | None) -> Floats:
        expected = self._means.take(chosen)
        if worth is not None:
            expected = np.minimum(expected * worth, 1.0)
        return expected if active is None else expected * active

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Eight tasks, the first the best by 0.2."""
        yield cls(means=(0.7, *[0.5] * 7), budget=100)
