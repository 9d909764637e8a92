"""Estimators and intervals by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from .._check import check_choice, nearest
from ..records import Floats, Logged
from ._inputs import importance_weights
from .adaptive_dr import adaptive_dr
from .betting import betting
from .block_bootstrap import block_bootstrap
from .bootstrap import bootstrap
from .by_task import by_task
from .clipped_ips import clipped_ips
from .clopper_pearson import clopper_pearson
from .direct_method import direct_method
from .dr import dr
from .empirical_bernstein import empirical_bernstein
from .ips import ips
from .loggers import balanced_dr, balanced_ips, weighted_dr, weighted_ips
from .mrdr import mrdr
from .normal import normal
from .shrinkage_dr import shrinkage_dr
from .slope import choose_threshold, thresholds
from .sndr import sndr
from .snips import snips
from .sub_gaussian import sub_gaussian_dr, sub_gaussian_ips
from .switch_dr import switch_dr
from .windowed import windowed

Estimator = Callable[..., Floats]
"""(logged, target, *, options) -> scores (n_rounds,), whose mean is the estimate."""
Interval = Callable[..., tuple[float, float]]
"""(scores, *, confidence) -> (lower, upper)."""

ESTIMATORS: Mapping[str, Estimator] = {
    function.__name__: function
    for function in (
        ips,
        clipped_ips,
        snips,
        direct_method,
        dr,
        sndr,
        switch_dr,
        shrinkage_dr,
        mrdr,
        sub_gaussian_ips,
        sub_gaussian_dr,
        adaptive_dr,
        windowed,
        weighted_ips,
        weighted_dr,
        balanced_ips,
        balanced_dr,
    )
}
"""Estimators by name."""

ASYMPTOTIC: Mapping[str, Interval] = {"normal": normal, "bootstrap": bootstrap, "block_bootstrap": block_bootstrap}
"""Intervals that rest on the central limit theorem."""
BOUNDED: Mapping[str, Interval] = {
    "empirical_bernstein": empirical_bernstein,
    "clopper_pearson": clopper_pearson,
    "betting": betting,
}
"""Intervals that hold at every n and need bounds."""
INTERVALS = (*ASYMPTOTIC, *BOUNDED, "anytime")
"""Names of all intervals."""

MIN_EFFECTIVE_SAMPLE_SIZE = 30.0
"""Below it the central limit theorem says nothing, and asymptotic intervals are infinite."""

_THRESHOLDS = {"clipped_ips": "clip", "switch_dr": "threshold", "shrinkage_dr": "threshold"}
WITHOUT_INTERVAL = ("direct_method",)
"""Estimators whose scores do not vary with their error, so that an interval from them would be made up."""


def estimator_of(estimator: str | Estimator, options: Mapping[str, Any]) -> tuple[Estimator, str]:
    """The function behind a name, and its name; checks that it takes these options.

    Raises:
        ValueError: the name is unknown, an option is not one of the estimator's, or one that it needs is missing.
    """
    if isinstance(estimator, str):
        check_choice("estimator", estimator, ESTIMATORS)
        function, label = ESTIMATORS[estimator], estimator
    else:
        function, label = estimator, name_of(estimator)
    parameters = [item for item in inspect.signature(function).parameters.values() if item.kind is item.KEYWORD_ONLY]
    known = [item.name for item in parameters]
    for name in options:
        if name not in known:
            raise ValueError(
                f"the estimator {label!r} has no option {name!r}{nearest(name, known)}; it has "
                f"{', '.join(known) or 'none'}."
            )
    for item in parameters:
        if item.default is item.empty and item.name not in options:
            raise ValueError(f"the estimator {label!r} needs the option `{item.name}`.")
    return function, label


def with_threshold(label: str, logged: Logged, target: Floats, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an estimator; a threshold that was left open is chosen by SLOPE, so that it can be signed."""
    name = _THRESHOLDS.get(label)
    if name is None or options.get(name) is not None or logged.n_rounds == 0:
        return dict(options)
    rest = {key: value for key, value in options.items() if key != name}
    if label != "clipped_ips" and rest.get("predictions") is None:
        rest["predictions"] = by_task(logged)
    values = thresholds(importance_weights(logged, target))
    if label == "shrinkage_dr":  # there the threshold is in units of squared weights
        values = [value**2 for value in values]
    chosen = choose_threshold(ESTIMATORS[label], logged, target, option=name, values=values, **rest)
    return {**options, name: chosen}


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function, or of the one inside a partial."""
    while isinstance(function, partial):
        function = cast("Callable[..., Any]", function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def checked_range(reward_range: tuple[float, float] | None, interval: str) -> tuple[float, float]:
    """The bounds of the rewards.

    Raises:
        ValueError: there are none.
    """
    if reward_range is None:
        raise ValueError(
            f"the interval {interval!r} needs `reward_range`, the bounds of all rewards that could have been."
        )
    return reward_range
