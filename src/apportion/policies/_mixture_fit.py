"""Regression from mixtures to scores, and the mixture that it expects to score best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.special import gammaincinv

from .._check import check_choice, check_integer, check_number
from ..records import Floats
from .mixture import Mixture

Kind = Literal["linear", "quadratic"]
CANDIDATES = 4096  # mixtures that are tried, before bounds
BEST = 32  # candidates whose mean is the answer


class Regressor(Protocol):
    """Anything with the `fit` and `predict` of scikit-learn; it is fitted anew for every fold."""

    def fit(self, X: Floats, y: Floats, /) -> object:
        """Learn from mixtures (n_runs, n_tasks) and scores (n_runs,)."""
        ...

    def predict(self, X: Floats, /) -> Floats:
        """The scores of mixtures (n, n_tasks), shape (n,)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureFit:
    """A regression from mixtures to scores, with the mixture that it expects to score best.

    Attributes:
        shares: the recommended mixture, shape (n_tasks,).
        predicted: its predicted score.
        error: root mean squared error on runs left out of the fit, in the unit of the scores; NaN for a single run.
        baseline: the same error of the mean score; a fit that does not beat it says nothing about mixtures.
        rank_correlation: Spearman's, between predictions on runs left out and their scores; NaN where one of them never
            changes.
        n_runs: runs that it rests on.
    """

    shares: Floats
    predicted: float
    error: float
    baseline: float
    rank_correlation: float
    n_runs: int

    @property
    def is_useful(self) -> bool:
        """Whether the fit predicts runs that it has not seen better than their mean does.

        Necessary, not sufficient: of 200 quadratic fits to 60 runs with random scores, 16 passed by chance.
        """
        return self.error < self.baseline

    def policy(self, names: Sequence[str]) -> Mixture:
        """The recommended mixture as a policy for tasks with these names, in the order of the columns."""
        return Mixture(dict(zip(names, self.shares.tolist(), strict=True)))


class Ridge:
    """Linear or quadratic ridge regression on mixtures.

    Minimises |y - mean - Z b|^2 + penalty n |b|^2, where Z holds the shares and, if quadratic, their products, each
    brought to mean 0 and variance 1; entries that never change are left out.
    """

    def __init__(self, kind: Kind, penalty: float) -> None:
        self.kind = kind
        self.penalty = penalty

    def _features(self, mixtures: Floats) -> Floats:
        if self.kind == "linear":
            return mixtures
        left, right = np.triu_indices(mixtures.shape[1])
        return np.concatenate((mixtures, mixtures[:, left] * mixtures[:, right]), axis=1)

    def fit(self, X: Floats, y: Floats) -> None:
        """Solve the normal equations of the smaller side."""
        features = self._features(X)
        self.centre, spread = features.mean(axis=0), features.std(axis=0)
        self.scale = np.where(spread > 1e-9, spread, np.inf)
        self.level = float(y.mean())
        z = (features - self.centre) / self.scale
        u, s, vt = np.linalg.svd(z, full_matrices=False)
        damped = s / (s**2 + max(self.penalty, 1e-12) * len(y))
        self.slopes = vt.T @ (damped * (u.T @ (y - self.level)))

    def predict(self, X: Floats) -> Floats:
        """Predict mean + Z b, shape (n,)."""
        return self.level + (self._features(X) - self.centre) / self.scale @ self.slopes


def fit_mixture_regression(
    mixtures: Floats | Sequence[Sequence[float]],
    scores: Floats | Sequence[float],
    *,
    kind: Kind | Regressor = "linear",
    penalty: float = 1e-3,
    folds: int = 5,
    lower: float = 0.0,
    upper: float | Sequence[float] = 1.0,
) -> MixtureFit:
    """Estimates from finished runs which mixture would score best, and how far the estimate can be trusted.

    A regression from shares to scores is fitted to all runs; candidates are drawn from Dirichlet distributions around
    the mean of the mixtures, from sparse to even, and the mean of the best 32 of up to 4096 is the answer: the mean of
    many good ones is less at the mercy of the fit than the single best. Errors come from `folds` fits that each leave
    every `folds`-th run out. RegMix uses LightGBM (pass any regressor as `kind`), Hybrid Preferences linear and
    quadratic regression. Candidates come from a Halton sequence, so that the answer is the same every time.

    Source: Liu et al. 2024, arXiv 2407.01492, and from its released code: sail-sg/regmix
    mixture_config/synthesize_mixture.py; Miranda et al. 2024, arXiv 2410.19133, and from its released code:
    allenai/hybrid-preferences scripts/train_regressor.py. Ridge and folds are ours.

    It assumes that the best mixture of the runs, often small ones, is that of the next run, and it fails far from the
    mixtures that were tried. The linear kind always points to a corner; only the spread of the candidates holds it
    back.

    Args:
        mixtures: shares of each run, rows sum to 1, shape (n_runs, n_tasks).
        scores: what each run reached, bigger is better, shape (n_runs,).
        kind: `linear`, `quadratic`, or an object with `fit` and `predict`.
        penalty: of the ridge, not negative.
        folds: at least 2; with fewer runs, each run is left out once.
        lower: smallest share of every task.
        upper: largest share, one for all tasks or one for each; for example the share at which a task is repeated too
            often.

    Raises:
        ValueError: shapes disagree, there is no run, a row is no mixture, a value is not finite, a parameter is out of
            range, or no candidate lies within the bounds.

    >>> runs = np.array([[1.0, 0.0], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0.0, 1.0]])
    >>> fit = fit_mixture_regression(runs, -((runs[:, 0] - 0.5) ** 2), kind="quadratic", penalty=0.0)
    >>> fit.shares.round(2), fit.is_useful
    (array([0.5, 0.5]), True)
    """
    x, y = np.array(mixtures, dtype=np.float64), np.array(scores, dtype=np.float64)
    if x.ndim != 2 or y.shape != (len(x),) or len(x) == 0:
        raise ValueError(f"`mixtures` must be (n_runs, n_tasks) and `scores` (n_runs,), got {x.shape} and {y.shape}.")
    if not np.isfinite(y).all():
        raise ValueError(
            f"`scores` must be finite, got {y[~np.isfinite(y)][0]} for run {np.flatnonzero(~np.isfinite(y))[0]}."
        )
    if not (np.isfinite(x).all() and (x >= 0).all() and np.abs(x.sum(axis=1) - 1.0).max() < 1e-6):
        raise ValueError("every row of `mixtures` must be shares that are not negative and sum to 1.")
    check_number("penalty", penalty, low=0.0)
    check_integer("folds", folds, low=2)
    if isinstance(kind, str):
        check_choice("kind", kind, ("linear", "quadratic"))
    model: Regressor = Ridge(kind, penalty) if isinstance(kind, str) else kind
    left_out = np.full(len(y), np.nan)
    plain = np.full(len(y), np.nan)
    if len(y) > 1:
        for fold in range(min(folds, len(y))):
            out = np.arange(len(y)) % min(folds, len(y)) == fold
            model.fit(x[~out], y[~out])
            left_out[out] = model.predict(x[out])
            plain[out] = y[~out].mean()
    model.fit(x, y)
    tried = _candidates(x, lower, np.broadcast_to(np.asarray(upper, dtype=np.float64), x.shape[1:]))
    best = np.argsort(-np.asarray(model.predict(tried)), kind="stable")[:BEST]
    shares = tried[best].mean(axis=0)
    return MixtureFit(
        shares=shares / shares.sum(),
        predicted=float(np.asarray(model.predict(shares[None] / shares.sum()))[0]),
        error=float(np.sqrt(((left_out - y) ** 2).mean())),
        baseline=float(np.sqrt(((plain - y) ** 2).mean())),
        rank_correlation=_spearman(left_out, y),
        n_runs=len(y),
    )


def _candidates(mixtures: Floats, lower: float, upper: Floats) -> Floats:
    from scipy.stats import qmc  # here, as it takes long to import

    n = mixtures.shape[1]
    check_number("lower", lower, low=0.0, high=1.0 / n)
    centre = np.sqrt(mixtures.mean(axis=0))  # the code flattens its prior by the power 0.5 as well
    points = qmc.Halton(n, scramble=False).random(CANDIDATES + 1)[1:]
    strength = np.logspace(-1.0, np.log10(5.0), 15)[np.arange(CANDIDATES) % 15]
    alpha = np.maximum(strength[:, None] * centre / centre.sum(), 1e-3)
    gamma = gammaincinv(alpha, points)
    spread = gamma / np.maximum(gamma.sum(axis=1, keepdims=True), 1e-300)
    whole = np.concatenate((mixtures, spread[np.abs(spread.sum(axis=1) - 1.0) < 1e-9]))
    whole = lower + (1.0 - n * lower) * whole
    inside = whole[(whole <= upper + 1e-12).all(axis=1)]
    if len(inside) == 0:
        raise ValueError(f"no mixture lies within `lower = {lower}` and `upper = {upper.tolist()}`: widen them.")
    return inside


def _spearman(left: Floats, right: Floats) -> float:
    from scipy.stats import rankdata  # here, as it takes long to import

    if not np.isfinite(left).all() or np.ptp(left) == 0.0 or np.ptp(right) == 0.0:
        return float("nan")
    return float(np.corrcoef(rankdata(left), rankdata(right))[0, 1])
