"""Probabilities proportional to a root of the sizes, with a cap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_number
from ..records import Context, Floats, Task
from ._base import Policy, broadcast, sizes_of
from ._shares import power_shares


@dataclass(kw_only=True)
class Temperature(Policy):
    """Decides between proportional and uniform: p_i proportional to min(N_i * scale, cap)^(1 / T).

    The order is scale, cap, temperature, as in SeqIO's `mixing_rate_num_examples`; a cap after the temperature would be
    another rule. T = 1 without a cap is proportional, T = 2 takes square roots, and T to infinity nears uniform.
    It fails where size says little about what a task needs, and one T serves small and large gaps in size alike.

    Args:
        temperature: T, above 0.
        cap: sizes above it count as it, after scaling; None caps nothing.
        scale: multiplies every size before the cap, above 0. Without a cap it changes nothing.

    Raises:
        ValueError: a parameter is not above 0.

    >>> from apportion.records import Context, Task
    >>> policy = Temperature(temperature=2.0, cap=1600)
    >>> policy.reset([Task(name="mnli", size=393_000), Task(name="wnli", size=100)])
    >>> policy.probabilities(Context.start(2))
    array([[0.8, 0.2]])
    """

    name = "temperature"
    family = "static"
    source = "from its released code: google/seqio seqio/utils.py; Raffel et al. 2020, arXiv 1910.10683, section 3.5.2"
    static = True
    derived = frozenset({"tasks_", "shares_"})

    temperature: float = 2.0
    cap: float | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_number("temperature", self.temperature, low=0.0, low_open=True)
        check_number("scale", self.scale, low=0.0, low_open=True)
        if self.cap is not None:
            check_number("cap", self.cap, low=0.0, low_open=True)

    @classmethod
    def from_exponent(cls, exponent: float, *, cap: float | None = None, scale: float = 1.0) -> Self:
        """The same rule by its exponent 1 / T: p_i proportional to min(N_i * scale, cap)^exponent.

        Raises:
            ValueError: the exponent is not above 0; 0 is `Uniform`.
        """
        check_number("exponent", exponent, low=0.0, low_open=True)
        return cls(temperature=1.0 / exponent, cap=cap, scale=scale)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Take the sizes.

        Raises:
            ValueError: a task has no size.
        """
        self.tasks_ = tuple(tasks)
        sizes = sizes_of(tasks, "temperature") * self.scale
        capped = sizes if self.cap is None else np.minimum(sizes, self.cap)
        self.shares_ = power_shares(capped, 1.0 / self.temperature)

    def probabilities(self, context: Context) -> Floats:
        """min(N_i * scale, cap)^(1 / T) divided by its sum, shape (n_runs, n_tasks)."""
        return broadcast(self.shares_, context.n_runs)
