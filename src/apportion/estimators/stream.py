"""Estimates from logs that are larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from scipy import special

from .._check import check_choice, check_integer
from ..records import Estimate, Floats, Logged
from ._bounds import UNKNOWN, check_confidence
from ._choices import (
    ESTIMATORS,
    MIN_EFFECTIVE_SAMPLE_SIZE,
    WITHOUT_INTERVAL,
    checked_range,
    estimator_of,
    with_threshold,
)
from ._inputs import checked_target, importance_weights
from ._models import predicted
from ._moments import Moments
from .anytime import SubExponential
from .bootstrap import percentiles
from .by_task import by_task, filled_means
from .diagnostics import Diagnostics, DiagnosticsCollector
from .evaluate import signed

_WITH_MODEL = ("direct_method", "dr", "sndr", "switch_dr", "shrinkage_dr", "sub_gaussian_dr")
STREAMED = ("ips", "clipped_ips", "snips", "sub_gaussian_ips", *_WITH_MODEL)
"""Estimators that a stream can compute."""
STREAMED_INTERVALS = ("normal", "bootstrap", "anytime")
"""Intervals that a stream can compute."""

Target = Floats | Callable[[Logged], Floats]
"""Probabilities (n_tasks,), or a function from a chunk of the log to probabilities (n_rounds, n_tasks)."""

_LONGEST_BLOCK = 1024
_FEWEST_BLOCKS = 128


class StreamedEvaluation:
    """Estimates what the reward per step would have been under a target, from a log that arrives in chunks.

    Like `evaluate`, in constant memory: means and co-moments give the value and the normal interval. The bootstrap
    gives blocks of up to 1,024 consecutive rounds (1/128 of a chunk if that is less) Poisson(1) counts, so it also
    respects dependence over shorter distances (Poisson bootstrap, Hanley & MacGibbon 2006). Estimators with a reward
    model predict each chunk by the mean rewards of the tasks in the chunks before it, the first one by cross-fitting;
    so they remain unbiased for adaptive logs. A threshold that is left to SLOPE is chosen on the first chunk.

    Args:
        estimator: one of `STREAMED`.
        interval: one of `STREAMED_INTERVALS`; "anytime" is for `ips`.
        confidence: of the interval, in (0, 1).
        reward_range: bounds of all rewards that could have been; "anytime" needs them.
        options: further arguments of the estimator: `clip`, `threshold` or `strength`.
        n_resamples: of the bootstrap, at least 100.
        seed: of the bootstrap.
        signature: where the log and the target come from; estimator, interval and version are added.

    Raises:
        ValueError: a name or an option is unknown or cannot be streamed, or bounds are missing.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> streamed = StreamedEvaluation()
        >>> for _ in range(10):
        ...     log = from_arrays(
        ...         tasks=["a", "b"], chosen=[0, 1] * 50, probabilities=[[0.5, 0.5]] * 100, reward=[1.0, 3.0] * 50
        ...     )
        ...     streamed.add(log, np.array([0.75, 0.25]))
        >>> round(streamed.estimate().value, 12)
        1.5
    """

    def __init__(
        self,
        *,
        estimator: str = "snips",
        interval: str = "normal",
        confidence: float = 0.95,
        reward_range: tuple[float, float] | None = None,
        options: Mapping[str, Any] | None = None,
        n_resamples: int = 1000,
        seed: int = 0,
        signature: str = "",
    ) -> None:
        check_choice("estimator", estimator, STREAMED)
        check_choice("interval", interval, STREAMED_INTERVALS)
        check_confidence(confidence)
        check_integer("n_resamples", n_resamples, low=100)
        estimator_of(estimator, options or {})
        for name in options or {}:
            check_choice("options", name, ("clip", "threshold", "strength"))
        if interval == "anytime":
            checked_range(reward_range, interval)
            if estimator != "ips":
                raise ValueError(f"the interval 'anytime' is for ips, not for the estimator {estimator!r}.")
        self.estimator, self.interval, self.confidence = estimator, interval, confidence
        self._range, self._options, self._signature = reward_range or (0.0, 1.0), dict(options or {}), signature
        self._diagnostics = DiagnosticsCollector()
        self._moments = Moments(3)
        self._sums: Floats = np.zeros(0)
        self._counts: Floats = np.zeros(0)
        self._rng = np.random.default_rng(seed)
        self._resampled: Floats = np.zeros((n_resamples, 4))
        self._n_blocks = 0
        self._below, self._above = SubExponential(), SubExponential()

    def add(self, logged: Logged, target: Target) -> None:
        """Take in the next chunk of the log.

        Args:
            logged: the chunk; decisions without a reward are left out.
            target: probabilities (n_rounds, n_tasks) or (n_tasks,), or a function that computes them from the chunk.

        Raises:
            ValueError: shapes disagree, or the target is not a probability vector in every row.
            LogFormatError: a task was drawn with probability 0.
        """
        policy = checked_target(logged, target(logged) if callable(target) else target)
        known = np.isfinite(logged.reward)
        whole, whole_policy = logged, policy
        if not known.all():
            logged, policy = logged.rows(known), policy[known]
        predictions = self._predictions(logged) if self.estimator in _WITH_MODEL else None
        wide = None
        if predictions is not None:
            wide = np.zeros((whole.n_rounds, len(whole.tasks)))
            wide[known] = predictions
        self._diagnostics.add(whole, whole_policy, wide)
        if logged.n_rounds == 0:
            return
        columns = self._columns(logged, policy, predictions)
        self._moments.add(*columns)
        if self.interval == "bootstrap":
            self._resample(columns)
        elif self.interval == "anytime":
            self._bet(logged, policy)

    def estimate(self) -> Estimate:
        """The estimate from everything taken in so far.

        Raises:
            OverlapError: the target needs what the log never tried.
        """
        self._diagnostics.overlap.check()
        value = self._value(self._moments.mean) if self._moments.n else float("nan")
        lower, upper = self._interval(value) if np.isfinite(value) else UNKNOWN
        return Estimate(
            value=value,
            lower=min(lower, value) if np.isfinite(value) else UNKNOWN[0],
            upper=max(upper, value) if np.isfinite(value) else UNKNOWN[1],
            confidence=self.confidence,
            n_rounds=self._moments.n,
            effective_sample_size=self._diagnostics.effective_sample_size,
            max_weight=self._diagnostics.max_weight,
            estimand="per_step",
            signature=signed(self._signature, self.estimator, f"{self.interval} (streamed)", self._options),
        )

    def diagnostics(self) -> Diagnostics:
        """The diagnostics of everything taken in so far."""
        return self._diagnostics.result()

    def _columns(self, logged: Logged, target: Floats, predictions: Floats | None) -> tuple[Floats, Floats, Floats]:
        """Base b, numerator c and denominator d, each (n_rounds,): the value is mean(b) + mean(c) / mean(d)."""
        if self.estimator == "snips":
            weights = importance_weights(logged, target)
            return np.zeros_like(weights), weights * logged.reward, weights
        if self.estimator == "sndr":
            weights = importance_weights(logged, target)
            base, own = predicted(logged, target, predictions)
            return base, weights * (logged.reward - own), weights
        extra = {} if predictions is None else {"predictions": predictions}
        chosen = with_threshold(self.estimator, logged, target, {**self._options, **extra})
        self._options = {key: value for key, value in chosen.items() if key != "predictions"}
        scores = ESTIMATORS[self.estimator](logged, target, **extra, **self._options)
        return scores, np.zeros_like(scores), np.ones_like(scores)

    def _predictions(self, logged: Logged) -> Floats:
        n_tasks = len(logged.tasks)
        if not self._counts.sum() > 0:
            predictions = by_task(logged)
            self._sums, self._counts = np.zeros(n_tasks), np.zeros(n_tasks)
        else:
            means = filled_means(self._sums, self._counts)
            predictions = np.broadcast_to(means, (logged.n_rounds, n_tasks))
        self._sums += np.bincount(logged.chosen, logged.reward, minlength=n_tasks)
        self._counts += np.bincount(logged.chosen, minlength=n_tasks)
        return predictions

    def _resample(self, columns: tuple[Floats, Floats, Floats]) -> None:
        n_rounds = columns[0].size
        length = max(1, min(_LONGEST_BLOCK, n_rounds // _FEWEST_BLOCKS))
        starts = np.arange(0, n_rounds, length)
        sizes = np.diff(np.append(starts, n_rounds))
        sums = np.stack([*(np.add.reduceat(column, starts) for column in columns), sizes], axis=1)
        counts = self._rng.poisson(1.0, (self._resampled.shape[0], starts.size))
        self._resampled += counts.astype(np.float64) @ sums
        self._n_blocks += starts.size

    def _bet(self, logged: Logged, target: Floats) -> None:
        low, high = self._range
        if logged.reward.min() < low or logged.reward.max() > high:
            raise ValueError(
                f"rewards must lie in `reward_range`, got {logged.reward.min():g} to {logged.reward.max():g}."
            )
        weights, unit = importance_weights(logged, target), (logged.reward - low) / (high - low)
        self._below.add(weights * unit)
        self._above.add(weights * (1.0 - unit))

    def _value(self, means: Floats) -> float:
        base, numerator, denominator = (float(mean) for mean in means)
        return base + numerator / denominator if denominator > 0 else float("nan")

    def _interval(self, value: float) -> tuple[float, float]:
        n = self._moments.n
        if self.interval == "anytime":
            tail, (low, high) = (1.0 - self.confidence) / 2.0, self._range
            lower, upper = self._below.lower(tail), 1.0 - self._above.lower(tail)
            return low + lower * (high - low), low + upper * (high - low)
        if self.estimator in WITHOUT_INTERVAL or n < 2:
            return UNKNOWN
        if self._diagnostics.effective_sample_size < MIN_EFFECTIVE_SAMPLE_SIZE:
            return UNKNOWN
        if self.interval == "normal":
            _, numerator, denominator = (float(mean) for mean in self._moments.mean)
            gradient = np.array([1.0, 1.0 / denominator, -numerator / denominator**2])
            half = float(special.stdtrit(n - 1, 0.5 + self.confidence / 2.0))
            half *= np.sqrt(self._moments.variance_of(gradient) / n)
            return value - half, value + half
        base, numerator, denominator, sizes = self._resampled.T
        if self._n_blocks < 30 or not (sizes.min() > 0 and denominator.min() > 0):
            return UNKNOWN
        return percentiles(base / sizes + numerator / denominator, self.confidence)


def evaluate_stream(chunks: Iterable[Logged], target: Target, **settings: Any) -> Estimate:
    """Estimates what the reward per step would have been under a target, from a log in chunks, in constant memory.

    Args:
        chunks: the log in pieces, in the order of the run, such as from `parquet_chunks`.
        target: probabilities (n_tasks,), or a function from a chunk to probabilities (n_rounds, n_tasks).
        **settings: those of `StreamedEvaluation`.

    Returns:
        The estimate (`per_step`); NaN with an infinite interval where nothing can be said.

    Raises:
        OverlapError: the target needs what the log never tried.
        ValueError: a setting is unknown or wrong, or the target is not a probability vector.
        LogFormatError: the log is damaged.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1] * 9, probabilities=[[0.5, 0.5]] * 18, reward=[1, 3] * 9)
        >>> round(evaluate_stream([log] * 3, np.array([0.75, 0.25]), estimator="dr").value, 12)
        1.5
    """
    streamed = StreamedEvaluation(**settings)
    for chunk in chunks:
        streamed.add(chunk, target)
    return streamed.estimate()
