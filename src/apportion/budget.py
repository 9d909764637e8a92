"""Budgets: how much training there is to spend, and in which unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._check import check_choice, check_number

Unit = Literal["steps", "examples", "tokens", "seconds"]
UNITS: tuple[Unit, ...] = ("steps", "examples", "tokens", "seconds")

FORWARD_COST = 1 / 3
"""Cost of evaluating a batch, as a fraction of training on it: a backward pass costs about two forward passes
(Kaplan et al. 2020, arXiv 2001.08361, section 2.1)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount of training, evaluations included.

    Args:
        amount: how much may be spent, above 0.
        unit: `steps` (batches), `examples`, `tokens` or `seconds`.

    Raises:
        ValueError: the amount is not above 0 and finite, or the unit is unknown.

    >>> Steps(1000)
    Budget(amount=1000, unit='steps')
    """

    amount: float
    unit: Unit = "steps"

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, UNITS)
        check_number("budget", self.amount, low=0.0, low_open=True)

    def __str__(self) -> str:
        return f"{self.amount:,.12g} {self.unit}"


def Steps(amount: float) -> Budget:  # noqa: N802
    """A budget in batches."""
    return Budget(amount, "steps")


def Examples(amount: float) -> Budget:  # noqa: N802
    """A budget in training examples."""
    return Budget(amount, "examples")


def Tokens(amount: float) -> Budget:  # noqa: N802
    """A budget in tokens."""
    return Budget(amount, "tokens")


def Seconds(amount: float) -> Budget:  # noqa: N802
    """A budget in seconds of training and evaluation; runs under it depend on the machine and do not repeat exactly."""
    return Budget(amount, "seconds")
