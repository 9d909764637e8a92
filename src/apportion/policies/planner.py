"""The planner: fits how all tasks learn and spends the rest of the budget where the forecast says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from .._check import check_integer, check_number
from ..component import decode
from ..forecast._breaks import has_broken
from ..forecast._evidence import TRANSFER
from ..forecast._fit import Fit, Priors
from ..forecast._planning import SEGMENTS, Found, Limits, cut, find_plan, toll, worth_of_knowing
from ..forecast._state import FEWEST, MANY_TASKS, Seen, variants_for
from ..forecast.objective import MeanScore, Objective
from ..forecast.priors import Lessons
from ..records import HEARD, Bools, Context, Evaluation, Floats, Ints, Task
from ._base import Policy
from ._shares import Shares, check_shares, shares_of


@dataclass(kw_only=True)
class Planner(Policy):
    """Decides by a plan for the rest of the budget, made anew at every evaluation from a forecast of all tasks' scores.

    At an evaluation the learning curves of all tasks, and what they learn from each other's batches, are fitted to all
    evaluations so far (`forecast.Posterior` describes the model). Over draws from the posterior the shares of the rest
    are sought that make the mean objective largest, in five pieces of time, so that tasks which forget come last. With
    G the gain over the safe shares, the plan goes towards them as far as mean(G) - caution * sd(G) - tether * noise *
    divergence rises, and stays safe where that is nowhere above 0. Where residuals are larger than noise explains, old
    evaluations fade, and caution grows with the misfit; `confidence_` and `misfit_` say so. Where they grow at once, as
    when data change or layers are set anew, the run has broken: all that came before is left out, and it begins anew
    from the safe shares; `begun_` is the evaluation from which on evidence counts.

    Who helps whom is mostly unknown when the first plan is made. Constant shares cannot tell it, and a plan that gives
    a task next to nothing never learns it. So once training has begun the run makes a tour: blocks from one evaluation
    to the next that belong to one task after the other, the one with the largest planned share first: shares are a
    mixture, and its corners, which the lattices of Scheffe 1958 hold (Journal of the Royal Statistical Society B
    20:344; summary read), tell the parts apart. After that they belong to a task as often as the plan says, so that on
    average the plan is followed. Of a block's batches the part

        focus * min(1, (blocks to come / n_tasks)^2)

    belongs to its task, and the rest follows the plan; blocks end at the fraction `explore` of the budget, and after a
    break at that of what was left then. Where fewer of them than tasks are to come, they belong to several tasks at
    once. In a world without forgetting the order of batches matters little, so a tour costs little as long as the plan
    still has to draw what was drawn. Where earlier runs told who helps whom (`priors`), there is none.

    Training batches, which are free, tell of the tasks between evaluations, and an evaluation that is charged measures
    only the tasks whose score is worth its price (`evaluation_tasks`).

    It fails where the past says nothing of the rest: change again and again, or so few or noisy evaluations that
    nothing can be told; then it stays near the safe shares. Evaluations are charged to the budget, and it cannot win
    back more than there is to gain.

    Args:
        safe: shares to start from and to fall back to, by name or in task order; None is equal.
        floor: part of every decision that is spread evenly, so that the log remains usable off policy, in [0, 1].
        caution: standard deviations of the gain that are held against a plan, not negative.
        tether: what is held against a plan for each nat of its divergence from the safe shares when the whole budget is
            left, in standard deviations of the noise of the objective, on a mean over a tenth of the evaluations so
            far, each earlier run of `priors` counting as ten, not negative: what noise hides cannot be planned on.
        focus: see above, in [0, 1]; 0 makes no tour, and with `priors` there is none.
        explore: fraction of the budget at which it ends, in (0, 1].
        hold: fraction of the budget that a block lasts at least, in [0, 1].
        members: draws from the posterior, at least 2.
        thompson: so many draws, taken at random at every evaluation, for which the best shares are sought in place of
            all of them, from 0 (all) to `members`; with 1 this is Thompson sampling (Thompson 1933, doi
            10.1093/biomet/25.3-4.285). How far the plan goes towards them is decided with all. It explores more, and in
            the worlds of the suite that costs more than it brings.
        memory: fraction of the budget over which recent shares count, in (0, 1].
        objective: what to make large, a function of the final scores.
        upper: largest possible score of all tasks; None for 1 as long as no score was above it, and then no limit.
        training: whether training batches count as evidence, too: the part of each that is right before its update,
            where the loop tells `success`, else its loss. They cost nothing, and until data repeat a success is nearly
            a held-out score.
        thrift: how many times as much as by training on it the budget of a task's evaluation must seem to be worth, not
            negative; the task is left out otherwise. 0 measures all tasks whenever an evaluation is due.
        seed: of the fixed points that stand for random draws.
        priors: what earlier runs of the same tasks teach (`forecast.Lessons`): a run directory, several, a file that
            `Lessons.save` wrote, or its data. Then the first plan is made at the first evaluation, before any training.
            What was learned is part of the state: a run that goes on from a checkpoint does not need the directories.

    Raises:
        TypeError: `objective` is none.
        ValueError: a parameter is out of range.

    >>> policy = Planner()
    >>> policy.reset([Task(name="a"), Task(name="b")])
    >>> policy.probabilities(Context.start(2)).round(2)
    array([[0.5, 0.5]])
    """

    name = "planner"
    family = "planning"
    needs = frozenset({"evaluations"})
    source = "our own"
    complexity = "O(V K^2 (T + K)) per evaluation with V shapes and T evaluations, O(K) per decision"
    derived = frozenset({"tasks_", "order_", "safe_"})

    safe: Shares | None = None
    floor: float = 0.04
    caution: float = 0.5
    tether: float = 1.5
    focus: float = 1.0
    explore: float = 0.5
    hold: float = 0.02
    members: int = 16
    thompson: int = 0
    memory: float = 0.05
    objective: Objective = field(default_factory=MeanScore)
    upper: float | None = None
    training: bool = True
    thrift: float = 100.0
    seed: int = 0
    priors: str | Sequence[str] | Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.safe is not None:
            check_shares("safe", self.safe)
        check_number("floor", self.floor, low=0.0, high=1.0)
        check_number("caution", self.caution, low=0.0)
        check_number("tether", self.tether, low=0.0)
        check_number("focus", self.focus, low=0.0, high=1.0)
        check_number("explore", self.explore, low=0.0, high=1.0, low_open=True)
        check_number("hold", self.hold, low=0.0, high=1.0)
        check_number("thrift", self.thrift, low=0.0)
        check_integer("members", self.members, low=2)
        check_integer("thompson", self.thompson, low=0, high=self.members)
        check_number("memory", self.memory, low=0.0, high=1.0, low_open=True)
        check_integer("seed", self.seed, low=0)
        if self.upper is not None:
            check_number("upper", self.upper)
        if isinstance(self.priors, Mapping):
            Lessons.of_data(self.priors)
        elif self.priors is not None and not isinstance(self.priors, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"`priors` must be paths of earlier runs or their lessons, got {self.priors!r}.")
        if not isinstance(self.objective, Objective):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"`objective` must be an Objective, got {type(self.objective).__name__}.")

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start without evaluations, at the safe shares, with what earlier runs teach.

        Raises:
            ValueError: `safe` names an unknown task, or earlier runs had other tasks or no evaluation.
        """
        n = len(tasks)
        self.lessons_ = self._read_lessons()
        if self.lessons_ is not None:
            Lessons.of_data(self.lessons_).order_of([task.name for task in tasks])
        self.tasks_ = tuple(tasks)
        # All work is done in the order of the names, so that it does not depend on the order of the tasks.
        self.order_ = np.argsort([task.name for task in tasks])
        self.safe_ = np.full(n, 1.0 / n) if self.safe is None else shares_of("safe", self.safe, tasks, 0.0)
        self.counts_ = np.zeros((n_runs, 0, n))
        self.examples_ = np.zeros((n_runs, 0, n))
        self.scores_ = np.zeros((n_runs, 0, n))
        self.losses_ = np.zeros((n_runs, 0, n))
        self.successes_ = np.zeros((n_runs, 0, n))
        self.progress_ = np.zeros((n_runs, 0))
        self.price_ = np.zeros(n_runs)
        self.worth_ = np.full((n_runs, n), np.inf)
        self.begun_ = np.zeros(n_runs, dtype=np.int64)
        self.theta_ = np.zeros((n_runs, len(variants_for(n).tail), n, TRANSFER + n))
        self.fitted_ = np.zeros(n_runs, dtype=np.bool_)
        self.misfit_ = np.ones(n_runs)
        self.confidence_ = np.zeros(n_runs)
        self.plan_ = np.broadcast_to(self.safe_, (n_runs, SEGMENTS, n)).copy()
        self.switch_ = np.ones((n_runs, SEGMENTS - 1))
        self.focus_ = np.zeros((n_runs, n))
        self.strength_ = np.zeros(n_runs)
        self.due_ = np.zeros((n_runs, n))
        self.visited_ = np.zeros((n_runs, n), dtype=np.bool_)
        self.turned_ = np.full(n_runs, -1.0)
        self.until_ = np.full(n_runs, self.explore)

    def probabilities(self, context: Context) -> Floats:
        """The plan of this moment, early with some tasks in focus, with a part spread evenly, (n_runs, n_tasks).

        Raises:
            FileNotFoundError: the runs that `priors` names are not there, and no saved state brought what they teach.
        """
        if self.priors is not None and self.lessons_ is None:
            raise FileNotFoundError(f"`priors` must name run directories or a file of lessons, got {self.priors!r}.")
        n, progress = context.n_tasks, context.progress
        if n == 1:
            return np.ones((context.n_runs, 1))
        strength = np.where(progress < self.until_, self.strength_, 0.0)[:, None]
        shares = (1.0 - strength) * self._planned(progress) + strength * self.focus_
        shares = (1.0 - self.floor) * shares / shares.sum(axis=1, keepdims=True) + self.floor / n
        return shares / shares.sum(axis=1, keepdims=True)

    def observe(self, evaluation: Evaluation) -> None:
        """Take in an evaluation, and plan anew in the runs that have at least three scores of some task."""
        n_runs, n = len(self.counts_), len(self.tasks_)
        progress = np.broadcast_to(evaluation.progress, (n_runs,)).astype(np.float64)
        examples = np.zeros((n_runs, n)) if evaluation.examples is None else evaluation.examples
        self.counts_ = np.concatenate((self.counts_, evaluation.counts[:, None].astype(np.float64)), axis=1)
        self.examples_ = np.concatenate((self.examples_, examples[:, None]), axis=1)
        self.scores_ = np.concatenate((self.scores_, evaluation.scores[:, None]), axis=1)
        self.progress_ = np.concatenate((self.progress_, progress[:, None]), axis=1)
        steps = evaluation.counts.sum(axis=1)
        nothing = np.full((n_runs, n), np.nan)
        loss, success = (
            np.broadcast_to(evaluation.measured.get(f"training_{name}", nothing), (n_runs, n)) for name in HEARD
        )
        untrained = np.broadcast_to(evaluation.measured.get("loss", nothing), (n_runs, n))
        losses = np.where(steps[:, None] > 0, loss, untrained)
        self.losses_ = np.concatenate((self.losses_, losses[:, None]), axis=1)
        self.successes_ = np.concatenate((self.successes_, success[:, None]), axis=1)
        # Until there is a plan, training batches say enough; where the loop turns out not to tell of them, scores must.
        told = (steps == 0) | np.isfinite(loss).any(axis=1) | np.isfinite(success).any(axis=1)
        unplanned = self.training & ~self.fitted_
        self.worth_ = np.where(unplanned[:, None], np.where(told, 0.0, np.inf)[:, None], self.worth_)
        # Before any training all that was spent went into this evaluation.
        self.price_ = np.where(steps > 0, self.price_, progress)
        # Who knows earlier runs can plan before anything is trained.
        fewest, least = (FEWEST, 0) if self.lessons_ is None else (1, -1)
        counts = np.arange(self.scores_.shape[1]) >= self.begun_[:, None]
        seen = (np.isfinite(self.scores_) & counts[:, :, None]).sum(axis=1).max(axis=1)
        known = (np.isfinite(self.losses_) | np.isfinite(self.successes_)) & counts[:, :, None]
        heard = known[:, 1:].sum(axis=1).max(axis=1) if self.training else 0
        enough = (seen > 0) & (seen + heard >= fewest)
        ready = enough & (steps > least) & (progress > least) & (progress < 1)
        if n == 1:
            return
        # Without prices a batch of any task is taken to cost the same.
        alike = progress[:, None] * evaluation.counts / np.maximum(steps, 1)[:, None]
        spent = alike if evaluation.costs is None else evaluation.costs
        planned = self.fitted_.copy()
        for warm in (False, True):
            rows = np.flatnonzero(ready & (planned == warm))
            # What belongs to a few runs fits into the cache.
            for start in range(0, rows.size, _TOGETHER):
                some = rows[start : start + _TOGETHER]
                self._plan(some, spent[some], warm=warm)
        self._turn(progress, steps)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a saved state, and with it what earlier runs taught; their directories may be gone.

        The fit in a state that a version with other shapes wrote is left: the next one begins anew.
        """
        if "lessons_" in state:
            self.lessons_ = decode(state["lessons_"])
        fresh = self.theta_
        super().load_state_dict(state)
        if self.theta_.shape[1:] != fresh.shape[1:]:
            self.theta_ = np.zeros((len(self.theta_), *fresh.shape[1:]))
            self.fitted_ = np.zeros_like(self.fitted_)

    def _read_lessons(self) -> dict[str, Any] | None:
        """None, too, where there is nothing to read: then a saved state must bring it."""
        if self.priors is None:
            return None
        if isinstance(self.priors, Mapping):
            return Lessons.of_data(self.priors).data()
        try:
            return Lessons.of_paths(self.priors, upper=self.upper).data()
        except FileNotFoundError:
            return None

    @property
    def is_listening(self) -> bool:
        """Whether training batches count."""
        return self.training

    def evaluation_tasks(self, context: Context) -> Bools | None:
        """The tasks of which an evaluation promises more than its budget would bring as training."""
        if self.thrift == 0 or self.scores_.shape[1] == 0:
            return None
        return self.worth_ >= self.thrift * (self.price_ / context.n_tasks)[:, None]

    def _planned(self, progress: Floats) -> Floats:
        """The shares that the plan gives at this progress, (n_runs, n_tasks)."""
        piece = (progress[:, None] >= self.switch_).sum(axis=1)
        return self.plan_[np.arange(len(piece)), piece]

    def _turn(self, progress: Floats, steps: Ints) -> None:
        """Where a block is over, choose the tasks in focus of the next one, and how strongly they are."""
        n_runs, n = self.focus_.shape
        turn = (steps > 0) & (progress >= self.turned_ + self.hold - 1e-9)
        # Blocks to come: as many as evaluations, of the pace so far, and each as long as `hold` at least.
        pace = progress / max(self.scores_.shape[1] - 1, 1)
        blocks = np.maximum(self.until_ - progress, 0.0) / np.maximum(np.maximum(pace, self.hold), 1e-12)
        together = np.clip(np.ceil(n / np.maximum(blocks, 1e-9)), 1, max(n // 2, 1))
        due = self.due_ + self._planned(progress)
        # Who was never in focus comes first; among them and among the others who is due most.
        order = np.lexsort((-due[:, self.order_], self.visited_[:, self.order_]), axis=1)
        rank = np.empty((n_runs, n))
        rank[:, self.order_] = np.argsort(order, axis=1)
        focus = (rank < together[:, None]) / together[:, None]
        self.focus_ = np.where(turn[:, None], focus, self.focus_)
        self.due_ = np.where(turn[:, None], due - focus, self.due_)
        self.visited_ |= turn[:, None] & (focus > 0)
        most = self.focus if self.lessons_ is None else 0.0  # earlier runs told what a tour would tell
        self.strength_ = np.where(turn, most * np.minimum((blocks / n) ** 2, 1.0), self.strength_)
        self.turned_ = np.where(turn, progress, self.turned_)

    def _plan(self, rows: Ints, spent: Floats, *, warm: bool) -> None:
        order, n = self.order_, len(self.tasks_)
        seen = self._seen(rows, spent)
        misfit = self.misfit_[rows]
        fade = np.where(misfit > _SUSPECT, np.minimum(4.0 * np.log(misfit / _SUSPECT), 12.0), 0.0)
        # Where a fit is dear, its first one is completed by those that follow.
        afresh = n <= MANY_TASKS and self.scores_.shape[1] % _AFRESH == 0
        iterations = (8 if afresh else 4) if warm else 12 if n <= MANY_TASKS else 5
        priors = Priors()
        if self.lessons_ is not None:
            names = [self.tasks_[index].name for index in order]
            lessons = Lessons.of_data(self.lessons_)
            priors = lessons.priors(names, costs=seen.costs, scores=seen.scores, upper=seen.upper)
        before = self.theta_[rows] if warm else None
        fit = seen.fit(priors, warm=before, iterations=iterations, fade=fade, afresh=afresh)
        broken = has_broken(fit, misfit)
        found, switch, worth = self._search(seen, fit, rows)
        shares = found.shares / seen.costs[:, None]
        back = np.empty(n, dtype=np.int64)
        back[order] = np.arange(n)
        self.theta_[rows] = fit.theta
        # Without a limit the unit of the fit is the range of scores, which is not known before the third one.
        enough = np.isfinite(seen.scores).sum(axis=1).max(axis=1) >= FEWEST
        self.fitted_[rows] = enough | np.isfinite(seen.upper).all(axis=1)
        self.misfit_[rows] = np.where(np.isfinite(fit.misfit), np.maximum(fit.misfit, 0.9 * misfit), 1.0)
        self.confidence_[rows] = found.confidence
        self.plan_[rows] = (shares / shares.sum(axis=2, keepdims=True))[:, :, back]
        self.switch_[rows] = switch
        self.worth_[rows] = worth[:, back]
        if broken.any():
            self._begin_anew(rows[broken])

    def _begin_anew(self, rows: Ints) -> None:
        """Leave all that is known of these runs, and the plans that rest on it."""
        progress = self.progress_[rows, -1]
        self.begun_[rows] = self.scores_.shape[1] - 1
        self.fitted_[rows] = False
        self.misfit_[rows], self.confidence_[rows] = 1.0, 0.0
        self.plan_[rows] = self.safe_
        self.worth_[rows] = np.inf
        self.due_[rows], self.visited_[rows] = 0.0, False
        self.until_[rows] = progress + self.explore * (1.0 - progress)

    def _seen(self, rows: Ints, spent: Floats) -> Seen:
        order = self.order_
        counts = self.counts_[rows][:, :, order]
        drawn = counts[:, -1]
        mean = spent.sum(axis=1, keepdims=True) / np.maximum(drawn.sum(axis=1, keepdims=True), 1.0)
        mean = np.maximum(mean, 1e-12)
        costs = np.where(drawn > 0, spent[:, order] / np.maximum(drawn, 1.0), mean)
        if self.lessons_ is not None:
            before = np.array(self.lessons_["costs"])  # in the order of the names, too
            costs = np.where(drawn.sum(axis=1, keepdims=True) > 0, costs, before)
            mean = costs.mean(axis=1, keepdims=True)
        sizes = [self.tasks_[index].size for index in order]
        is_right = bool(np.isfinite(self.successes_[rows]).any())
        return Seen(
            counts=counts,
            examples=self.examples_[rows][:, :, order],
            scores=self.scores_[rows][:, :, order],
            progress=self.progress_[rows],
            costs=np.maximum(costs, 1e-3 * mean),
            sizes=np.array([np.inf if size is None else float(size) for size in sizes]),
            upper=self._upper(rows),
            memory=self.memory,
            losses=self.losses_[rows][:, :, order] if self.training else None,
            successes=self.successes_[rows][:, :, order] if self.training and is_right else None,
        ).since(self.begun_[rows])

    def _upper(self, rows: Ints) -> Floats:
        """The largest possible score: 1 unless said otherwise or seen otherwise, as in all metrics of this package."""
        scores = self.scores_[rows]
        if self.upper is not None:
            return np.full((len(rows), scores.shape[2]), self.upper)
        above = np.where(np.isfinite(scores), scores, -np.inf).max(axis=(1, 2)) > 1.0
        return np.repeat(np.where(above, np.inf, 1.0)[:, None], scores.shape[2], axis=1)

    def _search(self, seen: Seen, fit: Fit, rows: Ints) -> tuple[Found, Floats, Floats]:
        """A plan, the progress at which its pieces end, and the budget that knowing each task's score is worth."""
        n_runs, _, n = seen.counts.shape
        progress = seen.progress[:, -1]
        on_steps = (seen.counts[:, -1] * seen.costs).sum(axis=1)
        # Evaluations take the part of the rest that they took so far.
        net = np.clip(np.where(progress > 0, on_steps / np.maximum(progress, 1e-12), 1.0), 0.1, 1.0)
        pieces = cut((1.0 - progress) * net)
        outlook = seen.outlook(fit, seen.members(fit, self.members, self.seed), pieces)
        safe = np.broadcast_to(self.safe_[self.order_], (n_runs, SEGMENTS, n)) * seen.costs[:, None]
        safe /= safe.sum(axis=2, keepdims=True)
        tasks = [self.tasks_[index] for index in self.order_]
        found = find_plan(
            outlook,
            tasks,
            self.objective,
            safe,
            seen.costs,
            limits=Limits(np.zeros(n), np.ones(n)),
            members=self._drawn(seen.scores.shape[1]),
            caution=self.caution * np.sqrt(np.maximum(self.misfit_[rows], 1.0)),
            toll=toll(
                self.tether,
                outlook,
                tasks,
                self.objective,
                safe,
                noise=fit.noise,
                left=1.0 - progress,
                evaluations=seen.scores.shape[1] - seen.begun,
                earlier=fit.earlier,
            ),
        )
        # When each piece but the last ends.
        ends = progress[:, None] + np.cumsum(pieces / net[:, None], axis=1)[:, :-1]
        worth = np.zeros((n_runs, n))
        if self.thrift > 0:
            worth = worth_of_knowing(outlook, tasks, self.objective, found.shares, fit.noise)
            worth *= (1.0 - progress)[:, None]
        return found, ends, worth

    def _drawn(self, evaluations: int) -> Ints | None:
        """The draws that a plan is made for; as they follow from the number of evaluations, nothing is to be saved."""
        if self.thompson == 0:
            return None
        return np.random.default_rng((self.seed, evaluations)).choice(self.members, self.thompson, replace=False)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """The defaults."""
        yield cls()


_TOGETHER = 8
"""Runs that are planned at once."""

_AFRESH = 4
"""Every so many evaluations a fit also begins anew."""

_SUSPECT = 2.0
"""Mean squared residual, in units of what noise explains, from which on the model is suspected to be wrong."""
