"""The posterior over how all tasks learn, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .._check import check_integer, check_names, check_number
from ..records import Bools, Floats, Ints, Task
from ._breaks import fit_last_part
from ._fit import Fit, Priors
from ._members import UNTRIED, Members
from ._noise import EXPECTED
from ._outlook import Outlook
from ._state import Seen
from .history import History
from .objective import MeanScore, Objective

MISFIT = 2.0
"""Mean squared residual, in units of what noise explains, from which on a fit counts as bad."""

Spending = Mapping[str, float] | Sequence[float] | Floats | None


@dataclass(frozen=True, slots=True)
class Interval:
    """Values with an interval; arrays of one shape.

    Attributes:
        value: median over the posterior.
        lower: lower end; -inf where too little is known.
        upper: upper end; inf where too little is known.
    """

    value: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a spending of the rest leads to.

    Attributes:
        shares: of the budget, (n_runs, n_segments, n_tasks).
        scores: of each task at the end, (n_runs, n_tasks).
        objective: at the end, (n_runs,).
        confidence: of the intervals.
    """

    shares: Floats
    scores: Interval
    objective: Interval
    confidence: float


class Posterior:
    """What is believed about how tasks learn after a history: `fit` makes it.

    The model, for task i after training that gave every task a the effective batches x_a:

        score_i = start_i + span_i u(speed_i (x_i + sum_{j != i} transfer_ij x_j)) (1 - interference_i (1 - m(r_i))) +
        noise

    u is a saturating exponential or a power law, and below 0 falls by half a span at most; x_a sums batches that fade
    (forgetting), count little before a plateau is over, nothing before a late start or after an early end, or less and
    less from the start, and lose worth by repetition; m falls from 1 as the recent share r_i falls below the equal one.
    Several shapes (tail, fading, plateau, late start or early end) are fitted by maximum a posteriori, and weighted by
    Laplace's approximation of their evidence and by odds that the tasks of a run share; draws are randomised fits: each
    is fitted to scores and prior that were shaken by their noise, and so agrees with the data also where curves are
    saturated, which Gaussians around the maxima do not.
    Transfer has a Cauchy prior around 0, so it is sparse and may be of either sign; the noise has heavy tails
    (Student t) and is estimated from the residuals, drawn towards an estimate by second differences. The model's
    own error, which its draws do not hold, is added: intervals are stretched by how far fits to 40, 60 and 80 % of
    the history missed its last evaluation (`stretch`), and a standard deviation of a tenth of the forecast change
    and half a percent of the scores' range is always expected.

    Where a run breaks (data that change, layers that are set anew), no curve through all scores fits. If the fit
    becomes bad from one evaluation to the next, and a fit to what came from there on is better, only that counts
    (`begun`). It fails where the curve of a task changes its nature more slowly (skills that appear); `misfit` then
    rises above `MISFIT`, and intervals widen with the noise.

    Attributes:
        history: what it was fitted to.
        misfit: mean squared residual in units of what noise explains, (n_runs,); NaN with few evaluations.
        noise: standard deviation of a measured score, (n_runs, n_tasks).
        members: draws from the posterior.
        stretch: by what intervals of forecasts are widened, at least 1, (n_runs,).
        variants: the shapes that were fitted.
        memory: part of the budget over which recent shares count.
        begun: evaluation at which a run broke and the curves begin anew, 0 where it did not, (n_runs,).
        earlier: runs that taught the prior.
    """

    def __init__(
        self,
        history: History,
        seen: Seen,
        fit: Fit,
        members: Members,
        stretch: Floats | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self.history = history
        self.stretch = np.ones(history.n_runs) if stretch is None else stretch
        self.misfit = fit.misfit
        self.noise = fit.noise
        self.members = members
        self.variants = seen.variants
        self.memory = seen.memory
        self.begun = seen.begun
        self.earlier = fit.earlier
        self._seen, self._fit, self._seed = seen, fit, seed
        nothing = np.full((history.n_runs, 1), 1e-12)
        shares = np.full((history.n_runs, 1, history.n_tasks), 1.0 / history.n_tasks)
        self._now = np.median(self.outlook(nothing).scores(shares), axis=1, keepdims=True)
        measured = np.isfinite(seen.scores)
        # What is bounded above is an accuracy or the like, from 0 on, or a correlation, from the negative bound on.
        upper = history.upper
        least = np.where(measured, seen.scores, np.inf).min(axis=1)
        self._lower = np.where(np.isfinite(upper) & (upper > 0), np.where(least >= 0, 0.0, -upper), -np.inf)
        # Two scores on different training are the least from which a slope can be seen; or one, and training batches.
        moved = (np.where(measured, history.counts.sum(axis=2)[..., None], -1.0).max(axis=1)) > 0
        slope = (measured.sum(axis=1) >= 2) & moved
        for told in (seen.successes, seen.losses):
            if told is not None:
                slope |= measured.any(axis=1) & (np.isfinite(told) & (history.counts > 0)).any(axis=1)
        self.known = slope
        """Tasks with two scores or more, one of them after training, or with a score and training batches that told of
        them, (n_runs, n_tasks); of others nothing is claimed."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks in the order of the columns."""
        return self.history.tasks

    @property
    def fits_well(self) -> Bools:
        """Whether residuals are as small as noise explains, (n_runs,); true where that cannot be told."""
        return ~(self.misfit > MISFIT)

    @property
    def waiting(self) -> Bools:
        """Whether batches of a task have taught nothing so far and will later on, (n_runs, n_members, n_tasks)."""
        late = self.variants.late[self.members.variant]
        return np.isfinite(late) & (late * self._seen.total[:, None, None] > self._seen.done[:, None, None])

    def outlook(self, pieces: Floats) -> Outlook:
        """The outlook on pieces of the budget, (n_runs, n_segments), as fractions of the whole."""
        return self._seen.outlook(self._fit, self.members, pieces)

    def shares(self, spending: Spending, n_segments: int = 1) -> Floats:
        """Shares of the budget (n_runs, n_segments, n_tasks) by name, from a list in task order, or equal steps.

        Raises:
            ValueError: a name is unknown, or a share is negative or all are zero.
        """
        n_tasks, n_runs = len(self.tasks), self.history.n_runs
        if spending is None:
            table = self.history.costs / self.history.costs.sum(axis=1, keepdims=True)
            return np.repeat(table[:, None], n_segments, axis=1)
        names = [task.name for task in self.tasks]
        if isinstance(spending, Mapping):
            check_names("shares", list(spending), names)
            table = np.array([float(spending.get(name, 0.0)) for name in names])
        else:
            table = np.asarray(spending, dtype=np.float64)
        if table.shape[-1] != n_tasks or not np.isfinite(table).all() or (table < 0).any():
            raise ValueError(f"`shares` must have {n_tasks} numbers that are not negative, got {table.tolist()}.")
        total = table.sum(axis=-1, keepdims=True)
        if (total <= 0).any():
            raise ValueError("`shares` must not all be zero.")
        table = table / total
        if table.ndim == 1:
            table = table[None]
        if table.ndim == 2:
            table = table[None]
        if table.shape[1] == 1:
            table = np.repeat(table, n_segments, axis=1)
        return np.broadcast_to(table, (n_runs, *table.shape[1:])).copy()

    def draws(self, spending: Spending = None, *, budget: float | None = None) -> Floats:
        """Scores at the end under every draw, (n_runs, n_members, n_tasks); see `forecast`."""
        return self._look(spending, budget)[1]

    def forecast(
        self,
        spending: Spending = None,
        *,
        budget: float | None = None,
        objective: Objective | None = None,
        confidence: float = 0.9,
        measured: bool = False,
    ) -> Forecast:
        """Forecast the scores after spending the rest of the budget.

        Args:
            spending: shares of the rest: by name, in task order, per piece of time (n_segments, n_tasks), or None for
                equal steps.
            budget: what is left to spend on steps; None for what the history leaves.
            objective: the mean score unless given.
            confidence: of the intervals, in (0, 1).
            measured: intervals for scores as a noisy evaluation will show them, not for the true ones.

        Raises:
            ValueError: a share is out of range, or the budget is negative.
        """
        check_number("confidence", confidence, low=0.0, high=1.0, low_open=True, high_open=True)
        shares, scores = self._look(spending, budget)
        goal = objective or MeanScore()
        if measured:
            # The same quantiles of noise for every member of a task, in an order of their own.
            n = scores.shape[1]
            levels = np.linspace(-1.6, 1.6, n)[(np.arange(n) * 7919) % n]
            scores = scores + levels[None, :, None] * self.noise[:, None]
        interval = _interval(scores, confidence)
        known = self.known
        return Forecast(
            shares=shares,
            scores=Interval(
                np.where(known, interval.value, np.nan),
                np.where(known, interval.lower, -np.inf),
                np.where(known, interval.upper, np.inf),
            ),
            objective=_interval(goal.value(scores, self.tasks)[..., None], confidence, squeeze=True),
            confidence=confidence,
        )

    def marginal(
        self, *, objective: Objective | None = None, amount: float | None = None, confidence: float = 0.9
    ) -> Interval:
        """The gain of the objective per unit of budget, if the next `amount` goes to one task alone, (n_runs, n_tasks).

        Args:
            objective: the mean score unless given.
            amount: how much of the budget; None for a hundredth of it.
            confidence: of the intervals.
        """
        goal, n_tasks = objective or MeanScore(), len(self.tasks)
        size = self.history.budget / 100.0 if amount is None else amount
        check_number("amount", size, low=0.0, low_open=True)
        outlook = self.outlook(np.full((self.history.n_runs, 1), size / self.history.budget))
        gains: list[Floats] = []
        # Without recent shares: a unit for one task alone is no proposal to neglect the others.
        outlook.recent_from[:] = 0.0
        outlook.recent_now[:] = 1.0
        before = goal.value(outlook.scores(np.full((self.history.n_runs, 1, n_tasks), 1e-12)), self.tasks)
        for task in range(n_tasks):
            shares = np.full((self.history.n_runs, 1, n_tasks), 1e-12)
            shares[:, :, task] = 1.0
            gains.append((goal.value(outlook.scores(shares), self.tasks) - before) / size)
        return _interval(np.stack(gains, axis=2), confidence)

    def transfer(self, *, confidence: float = 0.9) -> Interval:
        """What a batch of task j teaches task i, in batches of its own, (n_runs, i, j); 1 on the diagonal.

        Where task i is hardly taught by its own batches the fractions are large and uncertain. With up to 32 tasks the
        draws are those that hold transfer possible wherever the data do not rule it out: of a pair that was never tried
        it is not known that the one teaches the other nothing.
        """
        rate = self._seen.members(self._fit, self.members.rate.shape[1], self._seed, untried=UNTRIED).rate
        own = np.diagonal(rate, axis1=2, axis2=3)[..., None]
        fraction = rate / np.maximum(own, 1e-300)
        shape = fraction.shape
        flat = _interval(fraction.reshape(shape[0], shape[1], -1), confidence)
        return Interval(*(getattr(flat, name).reshape(shape[0], shape[2], shape[3]) for name in _ENDS))

    def budget_for(
        self, targets: Mapping[str, float], spending: Spending = None, *, probability: float = 0.5, most: float = 100.0
    ) -> Floats:
        """How much more budget reaches all targets with the given probability, (n_runs,); inf if `most` is too little.

        Args:
            targets: wanted score by task name.
            spending: shares of the rest, see `forecast`.
            probability: share of the posterior that must reach the targets, in (0, 1).
            most: largest multiple of the budget that is tried, above 0.

        Raises:
            ValueError: a name is unknown or a number is out of range.
        """
        check_number("probability", probability, low=0.0, high=1.0, low_open=True, high_open=True)
        check_number("most", most, low=0.0, low_open=True)
        names = [task.name for task in self.tasks]
        check_names("targets", list(targets), names)
        wanted = np.array([targets.get(name, -np.inf) for name in names])
        grid = np.concatenate(([0.0], np.geomspace(1e-3, most, 120))) * self.history.budget
        found = np.full(self.history.n_runs, np.inf)
        for amount in grid:
            scores = self._look(spending, float(amount))[1]
            reached = (scores >= wanted).all(axis=2).mean(axis=1) >= probability
            found = np.where(reached & np.isinf(found), amount, found)
            if np.isfinite(found).all():
                break
        return found

    def modes(self) -> Floats:
        """Modes of the parameters, shapes weighted by evidence, (n_runs, n_tasks, P); for priors of later runs."""
        return (self._fit.weight[..., None] * self._fit.theta).sum(axis=1)

    def _look(self, spending: Spending, budget: float | None) -> tuple[Floats, Floats]:
        if budget is not None:
            check_number("budget", budget, low=0.0)
        left = self.history.remaining if budget is None else np.full(self.history.n_runs, float(budget))
        shares = self.shares(spending)
        n_segments = shares.shape[1]
        pieces = np.repeat(np.maximum(left / self.history.budget, 1e-12)[:, None], n_segments, axis=1) / n_segments
        scores = self.outlook(pieces).scores(np.maximum(shares, 1e-12))
        middle = np.median(scores, axis=1, keepdims=True)
        expected = (_DRIFT * (middle - self._now)) ** 2 + (EXPECTED * self._fit.scale[:, None, None]) ** 2
        own = np.maximum(scores.var(axis=1, keepdims=True), 1e-18)
        wide = middle + np.sqrt(self.stretch[:, None, None] ** 2 + expected / own) * (scores - middle)
        return shares, np.clip(wide, self._lower[:, None], self.history.upper)


_ENDS = ("value", "lower", "upper")


def _interval(values: Floats, confidence: float, *, squeeze: bool = False) -> Interval:
    tails = np.array([(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    lower, upper = np.quantile(values, tails, axis=1)
    found = (np.median(values, axis=1), lower, upper)
    return Interval(*((item[..., 0] for item in found) if squeeze else found))


def fit(
    history: History,
    *,
    priors: Priors | None = None,
    n_members: int = 256,
    seed: int = 0,
    memory: float = 0.05,
    look_back: bool = True,
) -> Posterior:
    """Fit the learning curves of all tasks, and what they learn from each other, to a history.

    Args:
        history: one run, or runs side by side.
        priors: from earlier runs, see `learn_priors`; None for wide ones.
        n_members: draws from the posterior, at least 2.
        seed: of the fixed points that stand for random draws.
        memory: part of the budget over which recent shares count.
        look_back: whether to fit the first part of the history as well, to see by how much intervals must be stretched.

    >>> tasks = [Task(name="a"), Task(name="b")]
    >>> counts = np.outer(np.arange(20), [5.0, 5.0])
    >>> scores = np.stack((1 - np.exp(-counts[:, 0] / 50), 0.5 - 0.5 * np.exp(-counts[:, 1] / 20)), axis=1)
    >>> posterior = fit(History.of_run(tasks, counts=counts, scores=scores, budget=400))
    >>> posterior.forecast({"a": 1, "b": 1}).scores.value.round(1)
    array([[1. , 0.5]])
    """
    check_integer("n_members", n_members, low=2)
    sizes = np.array([np.inf if task.size is None else float(task.size) for task in history.tasks], dtype=np.float64)
    seen = Seen(
        counts=history.counts,
        examples=history.examples,
        scores=history.scores,
        progress=history.spent / history.budget,
        costs=history.costs / history.budget,
        sizes=sizes,
        upper=history.upper,
        memory=memory,
        losses=history.losses,
        successes=history.successes,
    )
    seen, found = fit_last_part(seen, priors or Priors(), iterations=25)
    stretch = _stretch(history, seen.begun, priors, seed, memory) if look_back else None
    return Posterior(history, seen, found, seen.members(found, n_members, seed), stretch, seed=seed)


_PAST, _FEWEST = (0.4, 0.6, 0.8), 6
_BELIEVED, _LARGEST = 4.0, 4.0  # tasks' worth of belief in the model before looking back; the widest stretch
_DRIFT = 0.1  # model error that is always expected, as a part of the forecast change, beside EXPECTED


def _stretch(history: History, begun: Ints, priors: Priors | None, seed: int, memory: float) -> Floats:
    """Root mean square of how far earlier parts of a history missed its last evaluation, at least 1, (n_runs,).

    Over tasks and three parts, in standard deviations of the draws and of noise, drawn towards 1; 1 where there are
    fewer than six evaluations. What a run was before it broke does not count.
    """
    times = np.flatnonzero(np.isfinite(history.scores).any(axis=(0, 2)))
    if len(times) < _FEWEST:
        return np.ones(history.n_runs)
    last = int(times[-1])
    total, number = np.full((2, history.n_runs), _BELIEVED)
    for past in _PAST:
        first = int(times[int(past * len(times)) - 1])
        early = fit(history.until(first + 1), priors=priors, n_members=64, seed=seed, memory=memory, look_back=False)
        spent = (history.counts[:, last] - history.counts[:, first]) * history.costs
        amount = np.maximum(spent.sum(axis=1, keepdims=True), 1e-12)
        scores = early.outlook(amount / history.budget).scores(np.maximum(spent / amount, 1e-12)[:, None])
        missed = (history.scores[:, last] - np.median(scores, axis=1)) ** 2 / (scores.var(axis=1) + early.noise**2)
        known = np.isfinite(missed) & early.known & (begun <= first)[:, None]
        total += np.where(known, np.minimum(missed, 25.0), 0.0).sum(axis=1) / len(_PAST)
        number += known.sum(axis=1) / len(_PAST)
    return np.clip(np.sqrt(total / number), 1.0, _LARGEST)
