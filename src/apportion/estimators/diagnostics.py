"""What to look at before believing an estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from ..records import Floats, Logged
from ._inputs import checked_target, importance_weights
from ._moments import Moments
from ._pareto import MAX_TAIL, pareto_k, tail_size
from .overlap import Overlap

_MOST_STRETCHES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """How far an off-policy estimate can be trusted; NaN where a figure cannot be computed.

    Attributes:
        n_rounds: decisions with a reward.
        n_missing: decisions without one, which estimates leave out.
        effective_sample_size: (sum w)^2 / sum w^2 over the importance weights w.
        max_weight: the largest importance weight.
        mean_weight: mean of the importance weights; its expectation is 1.
        mean_weight_p: two-sided p-value of the mean being 1; small where logged probabilities are wrong.
        min_propensity: the smallest propensity of a decision.
        unsupported: mean probability that the target gives to tasks which the log could not have drawn.
        pareto_k: shape of the tail of the importance weights; see `pareto_k`.
        drift: weighted mean reward of the second half of the run minus that of the first, in units of reward.
        drift_p: two-sided p-value of no drift.
        autocorrelation: of w (r - V) at neighbouring rounds; far from 0, intervals need the block bootstrap.
        model_bias: mean of w (r - q) over the rounds: what the reward model misses under the target; NaN without a
            model.
        model_bias_p: two-sided p-value of no bias.
        model_slope: slope of the rewards on their predictions; 1 for a calibrated model, near 0 for a useless one.
    """

    n_rounds: int
    n_missing: int
    effective_sample_size: float
    max_weight: float
    mean_weight: float
    mean_weight_p: float
    min_propensity: float
    unsupported: float
    pareto_k: float
    drift: float
    drift_p: float
    autocorrelation: float
    model_bias: float
    model_bias_p: float
    model_slope: float

    def warnings(self, *, chance: float = 1e-3) -> list[str]:
        """What is wrong, one sentence each; `chance` is the false-alarm chance of each test."""
        return list(self.findings(chance=chance).values())

    def findings(self, *, chance: float = 1e-3) -> dict[str, str]:
        """What is wrong: a word or two, and the sentence that `warnings` gives."""
        found: dict[str, str] = {}
        if self.n_rounds and self.effective_sample_size < 30:
            found["few rounds"] = (
                f"The effective sample size is {self.effective_sample_size:.1f}, below 30: too little to tell."
            )
        # The fit also calls weights heavy-tailed that lie close together: up to 10 none of them can do harm.
        if self.pareto_k > 0.7 and self.max_weight > 10.0:
            found["heavy tail"] = (
                f"The importance weights have a heavy tail (Pareto k {self.pareto_k:.2f}, above 0.7): prefer DR."
            )
        if self.mean_weight_p < chance:
            found["mean weight"] = (
                f"The importance weights average {self.mean_weight:.3g} instead of 1 (p = {self.mean_weight_p:.1g}): "
                "the logged probabilities may not be what tasks were drawn from."
            )
        if self.drift_p < chance:
            found["drift"] = (
                f"The reward under the target changes along the run, by {self.drift:+.3g} from one half to the other "
                f"(p = {self.drift_p:.1g}): a ranking of whole runs may differ from this one."
            )
        if abs(self.autocorrelation) > max(0.05, 4.0 / max(self.n_rounds, 1) ** 0.5):
            found["correlated"] = (
                f"Neighbouring rounds are correlated ({self.autocorrelation:+.2f}): take the block bootstrap."
            )
        if self.n_missing > 0.05 * (self.n_rounds + self.n_missing):
            found["missing rewards"] = (
                f"{self.n_missing} decisions got no reward and are left out: the estimate is of those that did."
            )
        if self.model_bias_p < chance:
            found["model bias"] = (
                f"The reward model is off by {self.model_bias:+.3g} under the target: the direct method is biased."
            )
        return found


def diagnose(logged: Logged, target: Floats, *, predictions: Floats | None = None) -> Diagnostics:
    """Computes the diagnostics of an off-policy estimate; decisions without a reward count as missing.

    Args:
        logged: the log.
        target: probabilities, (n_rounds, n_tasks) or (n_tasks,).
        predictions: rewards predicted by a model, (n_rounds, n_tasks), to check its calibration.

    Raises:
        ValueError: shapes disagree, or the target is not a probability vector in every row.
        LogFormatError: a task was drawn with probability 0.

    Example:
        >>> from apportion.estimators import from_arrays
        >>> log = from_arrays(tasks=["a", "b"], chosen=[0, 1] * 9, probabilities=[[0.5, 0.5]] * 18, reward=[1, 2] * 9)
        >>> found = diagnose(log, np.array([0.9, 0.1]))
        >>> round(found.effective_sample_size, 1), found.max_weight
        (11.0, 1.8)
    """
    collector = DiagnosticsCollector()
    collector.add(logged, checked_target(logged, target), predictions)
    return collector.result()


class DiagnosticsCollector:
    """Collects `Diagnostics` from a log that arrives in chunks, in constant memory."""

    def __init__(self) -> None:
        self.overlap = Overlap()
        self._n_missing = 0
        self._min_propensity = np.inf
        self._weights = Moments(1)
        self._largest: Floats = np.zeros(0)
        self._calibration = Moments(3)
        self._stretches: Floats = np.zeros((0, 6))
        self._products = np.zeros(2)

    def add(self, logged: Logged, target: Floats, predictions: Floats | None = None) -> None:
        """Take in one chunk; `target` and `predictions` of shape (n_rounds, n_tasks)."""
        self.overlap.add(logged, target)
        weights, propensity, known = importance_weights(logged, target), logged.propensity, np.isfinite(logged.reward)
        self._n_missing += int((~known).sum())
        w, r = (weights, logged.reward) if known.all() else (weights[known], logged.reward[known])
        if not w.size:
            return
        self._min_propensity = min(self._min_propensity, float(propensity.min()))
        self._weights.add(w)
        self._keep_largest(w)
        middle = (w.size + 1) // 2
        for part in (slice(0, middle), slice(middle, None)):
            self._add_stretch(w[part], r[part])
        total = w.sum()
        deviation = w * (r - (w @ r / total if total > 0 else 0.0))
        deviation = deviation - deviation.mean()
        self._products += (deviation[1:] @ deviation[:-1], deviation @ deviation)
        if predictions is not None:
            q = predictions[np.arange(logged.n_rounds), logged.chosen][known]
            self._calibration.add(q, r, w * (r - q))

    @property
    def n_rounds(self) -> int:
        """Decisions with a reward so far."""
        return self._weights.n

    @property
    def max_weight(self) -> float:
        """The largest importance weight so far; NaN without any."""
        return float(self._largest.max()) if self._largest.size else float("nan")

    @property
    def effective_sample_size(self) -> float:
        """(sum w)^2 / sum w^2 so far; 0 where all are 0."""
        n, mean = self._weights.n, float(self._weights.mean[0])
        squares = float(self._weights.comoments[0, 0]) + n * mean**2
        return (n * mean) ** 2 / squares if squares > 0 else 0.0

    def result(self) -> Diagnostics:
        """The diagnostics of everything taken in so far."""
        n, nan = self._weights.n, float("nan")
        mean = float(self._weights.mean[0]) if n else nan
        bias, bias_p, slope = self._model()
        drift, drift_p = self._drift()
        return Diagnostics(
            n_rounds=n,
            n_missing=self._n_missing,
            effective_sample_size=self.effective_sample_size,
            max_weight=self.max_weight,
            mean_weight=mean,
            mean_weight_p=_p_value(mean - 1.0, self._weights.variance_of(np.ones(1)) / n) if n else nan,
            min_propensity=float(self._min_propensity) if n else nan,
            unsupported=self.overlap.unsupported,
            pareto_k=pareto_k(self._largest, n),
            drift=drift,
            drift_p=drift_p,
            autocorrelation=float(self._products[0] / self._products[1]) if self._products[1] > 0 else nan,
            model_bias=bias,
            model_bias_p=bias_p,
            model_slope=slope,
        )

    def _keep_largest(self, w: Floats) -> None:
        together = np.concatenate([self._largest, w])
        size = min(tail_size(self._weights.n) + 1, together.size)
        # A longer stream needs a longer tail: keep more than today's rule asks for.
        size = min(max(size * 4, 1), together.size, MAX_TAIL + 1)
        self._largest = np.partition(together, together.size - size)[together.size - size :]

    def _add_stretch(self, w: Floats, r: Floats) -> None:
        wr = w * r
        row = np.array([[w.size, w.sum(), wr.sum(), w @ w, w @ wr, wr @ wr]], dtype=np.float64)
        self._stretches = np.concatenate([self._stretches, row])
        if len(self._stretches) == _MOST_STRETCHES:
            self._stretches = self._stretches[0::2] + self._stretches[1::2]

    def _drift(self) -> tuple[float, float]:
        sizes = np.cumsum(self._stretches[:, 0])
        if sizes.size < 2:
            return float("nan"), float("nan")
        split = int(np.argmin(np.abs(sizes[:-1] - sizes[-1] / 2))) + 1
        means, variances = zip(
            *(_weighted_mean(part.sum(axis=0)) for part in (self._stretches[:split], self._stretches[split:])),
            strict=True,
        )
        return float(means[1] - means[0]), _p_value(means[1] - means[0], sum(variances))

    def _model(self) -> tuple[float, float, float]:
        moments, nan = self._calibration, float("nan")
        if moments.n < 2:
            return nan, nan, nan
        bias = float(moments.mean[2])
        spread = float(moments.comoments[0, 0])
        # Predictions that are equal up to rounding have no slope.
        flat = spread <= 1e-20 * moments.n * float(moments.mean[0]) ** 2
        slope = nan if flat else float(moments.comoments[0, 1]) / spread
        return bias, _p_value(bias, moments.variance_of(np.array([0.0, 0.0, 1.0])) / moments.n), slope


def _weighted_mean(sums: Floats) -> tuple[float, float]:
    """Value of SNIPS and its variance from n, sum w, sum wr, sum w^2, sum w^2 r, sum w^2 r^2."""
    n, w, wr, ww, wwr, wwrr = (float(value) for value in sums)
    if n < 2 or not w > 0:
        return float("nan"), float("nan")
    value = wr / w
    return value, max(wwrr - 2.0 * value * wwr + value**2 * ww, 0.0) / w**2


def _p_value(difference: float, variance: float) -> float:
    """Two-sided p-value of a normal test; NaN where the variance is unknown, 1 or 0 where it is 0."""
    if not np.isfinite(difference) or not variance >= 0:
        return float("nan")
    if variance == 0:
        return 1.0 if abs(difference) < 1e-12 else 0.0
    return float(special.erfc(abs(difference) / np.sqrt(2.0 * variance)))
