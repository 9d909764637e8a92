"""One call from a log and a target to an estimate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._check import check_choice
from .._version import __version__
from ..records import Estimate, Floats, Logged
from ._bounds import UNKNOWN, check_confidence
from ._choices import (
    ASYMPTOTIC,
    BOUNDED,
    INTERVALS,
    MIN_EFFECTIVE_SAMPLE_SIZE,
    WITHOUT_INTERVAL,
    Estimator,
    Interval,
    checked_range,
    estimator_of,
    name_of,
    with_threshold,
)
from ._inputs import checked_target, importance_weights
from .anytime import off_policy_sequence
from .overlap import check_overlap
from .windowed import windowed


def evaluate(
    logged: Logged,
    target: Floats,
    *,
    baseline: Floats | None = None,
    estimator: str | Estimator = "snips",
    interval: str | Interval = "normal",
    confidence: float = 0.95,
    reward_range: tuple[float, float] | None = None,
    options: Mapping[str, Any] | None = None,
    signature: str = "",
) -> Estimate:
    """Estimates what the reward per step would have been, had each choice been drawn from the target.

    The estimand is `per_step`: in the training states that the log passed through. It can rank whole runs wrongly;
    see `docs/off_policy.md`. Decisions without a reward are left out. With fewer than 30 effective rounds, and
    for the direct method, whose scores do not tell its error, the asymptotic intervals are infinite. With a baseline
    the estimate is how much more the target would have earned than the baseline, from the difference of their scores
    on the same rounds, so what they share cancels.

    Args:
        logged: the log.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        baseline: probabilities to compare with, likewise; none by default.
        estimator: a name from `ESTIMATORS`, or a function (logged, target, *, options) -> scores.
        interval: a name from `INTERVALS`, or a function (scores, *, confidence) -> (lower, upper). "anytime" is for
            `ips`; "empirical_bernstein", "clopper_pearson" and "betting" are for `ips`, `clipped_ips` and
            `sub_gaussian_ips`.
        confidence: of the interval, in (0, 1).
        reward_range: bounds of all rewards that could have been; the bounded intervals and "anytime" need them.
        options: further arguments of the estimator, by name; arrays with one row per round are cut with the log.
        signature: where the log and the target come from; estimator, interval and version are added.

    Returns:
        The estimate; NaN with an infinite interval where nothing can be said.

    Raises:
        OverlapError: the target or the baseline needs what the log never tried.
        ValueError: a name or an option is unknown, bounds are missing or do not hold, estimator and interval do not
            go together, shapes disagree, or the target is not a probability vector in every row.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> rng = np.random.default_rng(0)
        >>> chosen = rng.integers(0, 2, 1000)
        >>> log = from_arrays(
        ...     tasks=["a", "b"],
        ...     chosen=chosen,
        ...     probabilities=[[0.5, 0.5]] * 1000,
        ...     reward=chosen + rng.normal(size=1000),
        ... )
        >>> found = evaluate(log, np.array([0.2, 0.8]))
        >>> bool(found.lower < 0.8 < found.upper), found.estimand
        (True, 'per_step')
        >>> evaluate(log, np.array([0.2, 0.8]), baseline=np.array([0.5, 0.5])).lower > 0
        True
    """
    check_confidence(confidence)
    given = dict(options or {})
    function, label = estimator_of(estimator, given)
    if isinstance(interval, str):
        check_choice("interval", interval, INTERVALS)
    targets = [checked_target(logged, policy) for policy in (target, baseline) if policy is not None]
    for policy in targets:
        check_overlap(logged, policy)
    known = np.isfinite(logged.reward)
    if not known.all() and function is not windowed:
        given = {key: _cut(value, known) for key, value in given.items()}
        logged, targets = logged.rows(known), [policy[known] for policy in targets]
    if isinstance(estimator, str):
        given = with_threshold(estimator, logged, targets[0], given)
    parts = [function(logged, policy, **given) for policy in targets]
    scores = parts[0] if baseline is None else parts[0] - parts[1]
    weights = importance_weights(logged, targets[0])
    size = min(effective_sample_size(importance_weights(logged, policy)) for policy in targets)
    value = float(scores.mean()) if scores.size else float("nan")
    lower, upper = UNKNOWN
    if not isinstance(interval, str):
        lower, upper = interval(scores, confidence=confidence)
    elif interval not in ASYMPTOTIC:
        if baseline is not None:
            raise ValueError(
                f"the interval {interval!r} is not for differences: choose one of {', '.join(ASYMPTOTIC)}."
            )
        bounds = checked_range(reward_range, interval)
        lower, upper = _bounded(logged, targets[0], label, interval, scores, confidence, bounds)
    elif size >= MIN_EFFECTIVE_SAMPLE_SIZE and label not in WITHOUT_INTERVAL:
        lower, upper = ASYMPTOTIC[interval](scores, confidence=confidence)
    kind = interval if isinstance(interval, str) else name_of(interval)
    return Estimate(
        value=value,
        # The percentiles of very skewed scores may miss their mean: the interval is widened, never moved.
        lower=min(lower, value) if np.isfinite(value) else UNKNOWN[0],
        upper=max(upper, value) if np.isfinite(value) else UNKNOWN[1],
        confidence=confidence,
        n_rounds=logged.n_rounds,
        effective_sample_size=size,
        max_weight=float(weights.max()) if weights.size else float("nan"),
        estimand="per_step",
        signature=signed(signature, label, kind, given),
    )


def effective_sample_size(weights: Floats) -> float:
    """How many equally weighted rounds are worth as much: (sum w)^2 / sum w^2, 0 where all weights are 0.

    >>> effective_sample_size(np.array([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    largest = weights.max(initial=0.0)
    if not largest > 0:
        return 0.0
    scaled = weights / largest  # squares of huge weights would overflow
    return float(scaled.sum() ** 2 / (scaled @ scaled))


def signed(signature: str, estimator: str, interval: str, options: Mapping[str, Any]) -> str:
    """The signature of a figure: the caller's words, then estimator with its plain options, interval and version."""
    plain = ", ".join(f"{key}={value}" for key, value in options.items() if isinstance(value, (int, float, str)))
    words = f"estimator {estimator}({plain}); interval {interval}; estimand per_step; apportion {__version__}"
    return f"{signature}; {words}" if signature else words


def _cut(value: Any, known: np.ndarray[Any, Any]) -> Any:
    is_rows = isinstance(value, np.ndarray) and value.shape[:1] == known.shape
    return value[known] if is_rows else value


def _bounded(
    logged: Logged,
    target: Floats,
    estimator: str,
    interval: str,
    scores: Floats,
    confidence: float,
    bounds: tuple[float, float],
) -> tuple[float, float]:
    fitting = ("ips",) if interval == "anytime" else ("ips", "clipped_ips", "sub_gaussian_ips")
    if estimator not in fitting:
        raise ValueError(f"the interval {interval!r} is for {', '.join(fitting)}, not for the estimator {estimator!r}.")
    low, high = bounds
    if logged.reward.size and not (low <= logged.reward.min() and logged.reward.max() <= high):
        raise ValueError(f"rewards must lie in `reward_range`, got {logged.reward.min():g} to {logged.reward.max():g}.")
    if logged.n_rounds == 0:
        return UNKNOWN
    if interval == "anytime":
        end = np.array([logged.n_rounds])
        lower, upper = off_policy_sequence(logged, target, confidence=confidence, low=low, high=high, at=end)
        return float(lower[0]), float(upper[0])
    # What the weights could have been, had other tasks been drawn; clipping and taming only lower it.
    ratios = np.divide(target, logged.probabilities, out=np.zeros_like(target), where=logged.probabilities > 0)
    heaviest = float(ratios.max())
    return BOUNDED[interval](
        scores, confidence=confidence, low=min(low * heaviest, 0.0), high=max(high * heaviest, 0.0)
    )
