"""Powers of the sizes, with an exponent that moves over the budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Context, Floats, Task
from ._base import Policy, sizes_of
from ._shares import power_shares


@dataclass(kw_only=True)
class PowerSchedule(Policy):
    """Decides by p_i proportional to N_i^a, where the exponent a moves from `start` to `end` over the budget.

    a = 1 is proportional, a = 0.5 takes square roots, a = 0 is uniform; 1 / a is the temperature. Continuous:
    a = start + (end - start) * progress. In `levels` E: a = start + (end - start) * e / (E - 1) in the e-th of E equal
    parts of the budget, e = 0 .. E - 1.

    The two presets disagree about the direction. Fewer batches of small tasks late (`cooldown`) suits small tasks that
    overfit; more of them late (`annealed`) suits small tasks that are forgotten. Neither knows which is the case.

    Args:
        start: exponent at the beginning, in [-10, 10].
        end: exponent when the budget is used up, in [-10, 10].
        levels: number of equal parts of the budget with a constant exponent, at least 2; None moves it at every step.

    Raises:
        ValueError: a parameter is outside its range.

    >>> from apportion.records import Context, Task
    >>> policy = PowerSchedule.annealed()
    >>> policy.reset([Task(name="qnli", size=10_000), Task(name="rte", size=100)])
    >>> policy.probabilities(Context.start(2)).round(4)
    array([[0.9901, 0.0099]])
    """

    name = "power_schedule"
    family = "static"
    source = "from its released code: AsaCooperStickland/Bert-n-Pals run_multi_task.py (`--sample anneal`)"
    derived = frozenset({"tasks_", "sizes_"})

    start: float = 1.0
    end: float = 0.2
    levels: int | None = None

    def __post_init__(self) -> None:
        check_number("start", self.start, low=-10.0, high=10.0)
        check_number("end", self.end, low=-10.0, high=10.0)
        if self.levels is not None:
            check_integer("levels", self.levels, low=2)

    @classmethod
    def annealed(cls, *, levels: int | None = None) -> Self:
        """Stickland & Murray 2019 (arXiv 1902.02671): from proportional (a = 1) to nearly uniform (a = 0.2).

        Their code holds the exponent for an epoch: `levels` is their number of epochs. The paper's text could not be
        checked.
        """
        return cls(start=1.0, end=0.2, levels=levels)

    @classmethod
    def cooldown(cls, *, levels: int | None = None) -> Self:
        """The other way, from nearly uniform (a = 0.2, temperature 5) to proportional (a = 1).

        After the Cooldown of "Upsample or Upweight?" (arXiv 2410.04579), known from its abstract only: it "starts by
        heavily upsampling" small languages and lowers the temperature later. The exponents are ours.
        """
        return cls(start=0.2, end=1.0, levels=levels)

    def exponent(self, progress: Floats) -> Floats:
        """The exponent at a progress in [0, 1], same shape."""
        fraction = progress
        if self.levels is not None:
            fraction = np.minimum(np.floor(progress * self.levels), self.levels - 1) / (self.levels - 1)
        return self.start + (self.end - self.start) * fraction

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Take the sizes.

        Raises:
            ValueError: a task has no size.
        """
        self.tasks_ = tuple(tasks)
        self.sizes_ = sizes_of(tasks, "power_schedule")

    def probabilities(self, context: Context) -> Floats:
        """N_i^a divided by its sum, shape (n_runs, n_tasks)."""
        return power_shares(self.sizes_, self.exponent(context.progress)[:, None])

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Both presets, one of them in levels."""
        yield cls.annealed(levels=5)
        yield cls.cooldown()
