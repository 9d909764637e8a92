"""A softmax policy over task features, refitted on the logged decisions by counterfactual risk minimisation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_choice, check_integer, check_number
from ..records import Bools, Context, Floats, Ints, Task
from ._choice import explore, normalised, softmax
from ._counterfactual_curves import capped
from ._counterfactual_fit import ESTIMATORS, Estimator, Log, Risk, better, effective_share, fit, standardised
from ._features import FEATURES, FeaturePolicy, Reward

PRIOR = (6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Weight of each feature before any fit: the policy then follows the gain that learning curves promise."""
FIRST = 10
"""Decisions for each task before the first fit."""
MEMORY = 0.98
"""Discount of how far each task is behind its probabilities."""


@dataclass(kw_only=True)
class Counterfactual(FeaturePolicy):
    """Decides by p proportional to exp(theta . features), theta being what the log says would have earned most.

    Every `every` rewards theta is fitted anew on the last `window` decisions, each with the probabilities that it was
    drawn from, by maximising

        V(theta) - penalty * sqrt(Var / n) - kl * KL(last policy, policy) - l2 |theta - prior|^2

    with V the SNIPS estimate of the reward per decision, or another, with importance weights clipped at `clip`. The fit
    sees the older 70 % of the window; the new theta is adopted only if it beats the last one on the newest 30 % by
    `gate` standard errors of the paired difference, and never if its effective sample size is below a tenth. The
    features (see `FeaturePolicy`) hold what changes with time, so that theta need not. The prior draws tasks by the
    sixth power of what their next decision should earn; until every task was drawn `warm_up` times on average, the
    features count by less than a half. Higher powers gain more in most worlds, but seemed to lose in real training.
    `exploration` is a floor for every task: what the estimates cannot see (harm that begins late, tasks that learn
    nothing at first) costs less.

    What V estimates is reward per step in the states that the log visited: it says nothing about where another policy
    would have led. Where tasks differ in the price of a decision, their probabilities fall with its power
    `price_power`: the sixth, which gain per price would have, starves dear tasks that begin late.

    The usual reward is `worth`, which costs nothing; any estimate of what a decision earned does, also rewards that a
    world gives itself. Changes of a level, such as `loss_decrease`, need `reward="own"`. Rewards of the whole
    objective, as `held_out_gain(ridge=0.1)` spreads them over the decisions of a window, or `gradient_alignment`, need
    `reward="objective"`; evaluations and gradients are charged to the budget.

    Args:
        estimator: `snips`, `ips`, `banditnet`, `dr` or `log_smoothing`.
        clip: largest importance weight, above 1.
        penalty: standard errors subtracted, not negative.
        kl: price of leaving the last policy, not negative.
        l2: price of leaving the prior, above 0.
        prior: theta before any fit, one number for each of the eight features.
        gate: standard errors by which a new theta must win, not negative; None adopts every one, fitted on all rounds.
        exploration: share of uniform exploration, in [0, 1].
        warm_up: decisions for each task after which features count half, not negative.
        even: how strongly a task that was drawn less often than its probabilities say is preferred, not negative: draws
            then vary less than independent ones. The logged probabilities contain it.
        cap: largest probability of a task before exploration, in (0, 1].
        visits: how often each task is drawn at first, from 0.
        price_power: power of the price by which probabilities fall, not negative; at most the weight of the first
            feature.
        context_free: a number for each task in place of the features; its prior is 0.
        use_propensities: False counts all decisions alike, to show what the importance weights are worth.

    Raises:
        ValueError: a parameter is out of its range.

    >>> policy = Counterfactual(visits=0)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0.5, 0.5]])
    """

    name = "counterfactual"
    source = "our own, of Swaminathan and Joachims 2015 (arXiv 1502.02362 and NeurIPS 28, texts could not be checked)"
    complexity = "O(8 K) per decision; O(window K d^2) for each of 8 steps of a fit every `every` rewards"

    usual_signal = "worth"

    reward: Reward = "worth"
    optimism: float = 0.3
    estimator: Estimator = "snips"
    clip: float = 3.0
    penalty: float = 0.3
    kl: float = 2.0
    l2: float = 0.5
    prior: tuple[float, ...] = PRIOR
    gate: float | None = 0.84
    exploration: float = 0.3
    warm_up: float = 4.0
    even: float = 0.3
    cap: float = 1.0
    visits: int = 2
    price_power: float = 2.0
    context_free: bool = False
    use_propensities: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("estimator", self.estimator, ESTIMATORS)
        check_number("clip", self.clip, low=1.0, low_open=True)
        for name in ("penalty", "kl"):
            check_number(name, getattr(self, name), low=0.0)
        check_number("l2", self.l2, low=0.0, low_open=True)
        if len(self.prior) != len(FEATURES):
            raise ValueError(f"`prior` must have {len(FEATURES)} numbers, one for each feature, got {len(self.prior)}.")
        for value in self.prior:
            check_number("prior", value)
        if self.gate is not None:
            check_number("gate", self.gate, low=0.0)
        check_number("exploration", self.exploration, low=0.0, high=1.0)
        for name in ("warm_up", "even", "price_power"):
            check_number(name, getattr(self, name), low=0.0)
        check_number("cap", self.cap, low=0.0, high=1.0, low_open=True)
        check_integer("visits", self.visits, low=0)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The default, and small windows that adopt every fit, with other estimators."""
        yield cls()
        yield cls(every=5, window=20, gate=None, estimator="dr", visits=1, cross=False)
        yield cls(every=8, window=24, gate=0.0, estimator="log_smoothing", cap=0.6)
        yield cls(every=6, window=30, gate=None, estimator="banditnet", context_free=True, reward="objective")

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """The prior, and an empty window."""
        super().reset(tasks, n_runs)
        n_tasks = len(tasks)
        start = self._prior()
        self.theta_ = np.tile(start, (n_runs, 1))
        self.behind_ = np.zeros((n_runs, n_tasks))
        self.adopted_ = np.zeros(n_runs, dtype=np.int64)
        shape = (n_runs, self.window, n_tasks)
        self.logged_ = np.zeros(shape)
        self.model_ = np.zeros(shape)
        self.context_ = np.zeros((*shape, len(start)))

    def probabilities(self, context: Context) -> Floats:
        """softmax(features . theta) mixed with uniform, shape (n_runs, n_tasks)."""
        available = context.available
        available = available | ~np.logical_or.reduce(available, axis=1, keepdims=True)
        mask = None if available.all() else available
        logits = (self._seen() @ self.theta_[:, :, None])[:, :, 0]
        if not self.context_free:
            logits = logits - np.clip(self.theta_[:, :1], 0.0, self.price_power) * np.log(self.prices(context))
        shares = softmax(logits, mask)
        if self.cap < 1.0 and mask is None:
            shares = capped(shares, self.cap)
        shares = self.first_visits(explore(shares, self.exploration, mask), mask, self.visits)
        if self.even > 0.0:
            shares = normalised(shares * np.exp(self.even * np.clip(self.behind_, -6.0, 6.0)))
        return shares

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Log the decision with what was known before it, and refit where due."""
        seen = self._seen()
        model, _ = self.values()
        rows = np.arange(len(chosen))
        self.behind_ += probabilities
        self.behind_[rows, chosen] -= 1.0
        self.behind_ *= MEMORY
        place = self.note(chosen, reward)
        self.logged_[rows, place], self.model_[rows, place], self.context_[rows, place] = probabilities, model, seen
        self.revalue()
        due = (self.told_ % self.every == 0) & (self.told_ >= max(FIRST * seen.shape[1], 40))
        if due.any():
            self._refit(due)

    def _prior(self) -> Floats:
        return np.zeros(len(self.tasks_)) if self.context_free else np.array(self.prior, dtype=np.float64)

    def _seen(self) -> Floats:
        if not self.context_free:
            told = self.told_[:, None, None] / len(self.tasks_)
            return self.features() * (told / (told + self.warm_up) if self.warm_up > 0.0 else 1.0)
        n_runs, n_tasks = self.counts_.shape
        return np.broadcast_to(np.eye(n_tasks), (n_runs, n_tasks, n_tasks))

    def _refit(self, due: Bools) -> None:
        place, used = self.in_order(due)
        rows = np.flatnonzero(due)[:, None]
        chosen = self.chosen_[rows, place]
        reward, mean, deviation = standardised(self.rewards_[rows, place] * self.priority_[chosen], used)
        model = np.clip((self.model_[rows, place] - mean[..., None]) / deviation[..., None], -3.0, 3.0)
        log = Log(self.context_[rows, place], chosen, self.logged_[rows, place], reward, model, used)
        risk = Risk(
            self.estimator, self.clip, self.penalty, self.kl, self.l2, self.exploration, 8, self.use_propensities
        )
        old = self.theta_[due]
        prior = np.broadcast_to(self._prior(), old.shape)
        order = np.cumsum(used, axis=1)
        late = (order > 0.7 * order[:, -1:]).astype(np.float64)
        new = fit(old, prior, log if self.gate is None else log.only(1.0 - late), risk)
        wins = np.isfinite(new).all(axis=1) & (effective_share(new, log, risk) >= 0.1)
        if self.gate is not None:
            wins &= better(new, old, log.only(late), risk, self.gate)
        self.theta_[due] = np.where(wins[:, None], new, old)
        self.adopted_[due] += wins
