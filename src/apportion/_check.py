"""Checks of arguments: one place that fixes the sentence in which bad input is refused."""

import math
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_number(
    name: str,
    value: float,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    """Refuse a number that is not finite or lies outside the interval from `low` to `high`.

    Raises:
        TypeError: `value` is not a number.
        ValueError: `value` is not finite or outside the interval.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"`{name}` must be a number, got `{name} = {value!r}`.")
    inside = (value > low if low_open else value >= low) and (value < high if high_open else value <= high)
    if inside and math.isfinite(value):
        return
    left, right = "(" if low_open or low == -math.inf else "[", ")" if high_open or high == math.inf else "]"
    raise ValueError(f"`{name}` must be in {left}{low:g}, {high:g}{right}, got `{name} = {value!r}`.")


def check_integer(name: str, value: int, *, low: int | None = None, high: int | None = None) -> None:
    """Refuse anything but a whole number from `low` to `high`.

    Raises:
        TypeError: `value` is not an integer.
        ValueError: `value` is outside the range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"`{name}` must be a whole number, got `{name} = {value!r}`.")
    if (low is not None and value < low) or (high is not None and value > high):
        wanted = f"at least {low}" if high is None else f"at most {high}" if low is None else f"from {low} to {high}"
        raise ValueError(f"`{name}` must be {wanted}, got `{name} = {value!r}`.")


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Refuse a word that is none of `choices`, and name the nearest one.

    Raises:
        ValueError: `value` is not among `choices`.
    """
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(sorted(choices))}, got `{name} = {value!r}`{nearest(value, choices)}."
        )


def check_probabilities(name: str, values: NDArray[np.float64]) -> None:
    """Refuse arrays whose last axis is not a probability vector.

    Raises:
        ValueError: an entry is negative or not finite, or a vector does not sum to 1 within 1e-9.
    """
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"`{name}` must be finite and not negative, got `{name} = {values!r}`.")
    total = values.sum(axis=-1)
    if np.abs(total - 1).max(initial=0.0) > 1e-9:
        raise ValueError(f"`{name}` must sum to 1, got a sum of {np.ravel(total)[np.abs(total - 1).argmax()]:.12g}.")


def check_names(name: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse task names that are not among `known`, and name the nearest one.

    Raises:
        ValueError: one of `names` is unknown.
    """
    for wanted in names:
        if wanted not in known:
            raise ValueError(
                f"`{name}` names the task {wanted!r}, which is not one of {', '.join(known)}{nearest(wanted, known)}."
            )


def nearest(word: str, known: Collection[str]) -> str:
    """The words "; did you mean ...?" for the nearest of `known`, or nothing."""
    close: list[Any] = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
