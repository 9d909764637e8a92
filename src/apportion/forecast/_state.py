"""One step of learning shared by the policy and the posterior: from evaluations to an outlook."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..records import Bools, Floats, Ints
from ._draws import fixed_draws
from ._evidence import LINK_SPEED, LINK_START, TRANSFER
from ._fit import Fit, Priors, fit_curves
from ._members import Members, Pairs, draw_members
from ._outlook import Outlook
from ._variants import FEW, VARIANTS, Variants

FEWEST = 3
"""Scores of some task before anything is fitted."""

MANY_TASKS = 32
"""Beyond so many tasks only a few shapes are fitted."""


def variants_for(n_tasks: int) -> Variants:
    """The shapes that are fitted to so many tasks."""
    return VARIANTS if n_tasks <= MANY_TASKS else FEW


MOST_TIMES = 64
"""Evaluations that are fitted one by one; of more, neighbours are averaged."""


def binned(values: Floats, width: int) -> Floats:
    """Means over `width` neighbours on the second axis, NaN left out; the last ones, which fill no bin, stay single.

    >>> binned(np.array([[[1.0], [3.0], [np.nan], [4.0], [7.0]]]), 2).ravel()
    array([2., 4., 7.])
    """
    if width <= 1:
        return values
    n_bins = values.shape[1] // width
    head = values[:, : n_bins * width].reshape(values.shape[0], n_bins, width, values.shape[2])
    known = np.isfinite(head)
    number = known.sum(axis=2)
    mean = np.where(known, head, 0.0).sum(axis=2) / np.maximum(number, 1)
    return np.concatenate((np.where(number > 0, mean, np.nan), values[:, n_bins * width :]), axis=1)


@dataclass(slots=True)
class Seen:
    """What is known at an evaluation; arrays as in `History`, budgets as fractions of the whole.

    Attributes:
        counts: decisions for each task up to each evaluation, (n_runs, n_times, n_tasks).
        examples: training examples by then, the same shape; zeros where not known.
        scores: NaN where not measured, the same shape.
        progress: fraction of the budget used by then, (n_runs, n_times).
        costs: fraction of the budget that a batch of each task takes, (n_runs, n_tasks).
        sizes: training examples of each task, inf where not known, (n_tasks,).
        upper: largest possible score, inf where there is none, (n_tasks,) or (n_runs, n_tasks).
        memory: part of the budget over which recent shares count.
        losses: mean training loss of each task since the evaluation before, shaped as `scores`, NaN where none; None
            where the run told none. Before any training it is the held-out loss.
        successes: mean training success, likewise; losses count where there is none.
        begun: evaluation at which the curves begin, after a break; 0 where there was none, (n_runs,). Steps before it
            teach nothing here, and what was known by then is NaN.
    """

    counts: Floats
    examples: Floats
    scores: Floats
    progress: Floats
    costs: Floats
    sizes: Floats
    upper: Floats
    memory: float
    losses: Floats | None = None
    successes: Floats | None = None
    begun: Ints = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    def __post_init__(self) -> None:
        self.begun = np.broadcast_to(self.begun, len(self.counts))

    def since(self, begun: Ints) -> Seen:
        """Only what came from these evaluations on, of each run, (n_runs,)."""
        return replace(self._only(np.arange(self.counts.shape[1]) >= begun[:, None]), begun=begun)

    def until(self, end: Ints) -> Seen:
        """Only what was known before these evaluations, of each run, (n_runs,)."""
        return self._only(np.arange(self.counts.shape[1]) < end[:, None])

    def _only(self, rows: Bools) -> Seen:
        def kept(values: Floats | None) -> Floats | None:
            return None if values is None else np.where(rows[:, :, None], values, np.nan)

        scores = np.where(rows[:, :, None], self.scores, np.nan)
        return replace(self, scores=scores, losses=kept(self.losses), successes=kept(self.successes))

    @property
    def is_told(self) -> bool:
        """Whether training batches are evidence."""
        return self.losses is not None or self.successes is not None

    @property
    def total(self) -> Floats:
        """Steps of a whole budget, (n_runs,)."""
        return 1.0 / self.costs.mean(axis=1)

    @property
    def done(self) -> Floats:
        """Steps since the curves began, (n_runs,)."""
        return self._since_begun()[:, -1].sum(axis=1)

    def _since_begun(self) -> Floats:
        before = self.counts[np.arange(len(self.counts)), self.begun]
        return np.maximum(self.counts - before[:, None], 0.0)

    @property
    def variants(self) -> Variants:
        """The shapes that are fitted."""
        return variants_for(self.counts.shape[2])

    def fit(
        self, priors: Priors, *, warm: Floats | None, iterations: int, fade: Floats | None = None, afresh: bool = False
    ) -> Fit:
        """Fit the curves of all tasks; see `fit_curves`."""
        width = -(-self.counts.shape[1] // MOST_TIMES)
        return fit_curves(
            binned(self._since_begun(), width),
            binned(self.examples, width) / self.sizes,
            binned(self.scores, width),
            self.total,
            priors=priors,
            upper=self.upper,
            memory=self.memory * self.total,
            warm=warm,
            afresh=afresh,
            iterations=iterations,
            variants=self.variants,
            fade=fade,
            width=width,
            losses=None if self.losses is None else binned(self.losses, width),
            successes=None if self.successes is None else binned(self.successes, width),
        )

    def members(self, fit: Fit, n_members: int, seed: int, *, untried: float = 0.0) -> Members:
        """Draw from the posterior.

        Args:
            fit: of the curves.
            n_members: how many draws.
            seed: of the fixed points that stand for random ones.
            untried: probability that a task teaches another one where the data say nothing about it; at 0 it does only
                where the data show it. With more than 32 tasks the prior of the shapes stays.
        """
        n_tasks = self.counts.shape[2]
        n_links = LINK_SPEED + 1 - LINK_START
        uniforms, normals = fixed_draws(n_members, n_tasks, TRANSFER - n_links + n_tasks, seed)
        links = np.zeros((n_members, n_tasks, n_links))
        if self.is_told:
            _, links = fixed_draws(n_members, n_tasks, n_links, seed + 2)
        normals = np.concatenate((normals[..., :LINK_START], links, normals[..., LINK_START:]), axis=2)
        upper = np.broadcast_to(self.upper, self.first.shape)
        _, noise = fixed_draws(n_members, n_tasks, (4 if self.is_told else 2) * MOST_TIMES, seed + 1)
        iterations = 4 if n_tasks <= MANY_TASKS else 2
        pairs = None
        if n_tasks <= MANY_TASKS:
            pairs = Pairs(untried, np.random.default_rng(seed).uniform(size=(n_members, n_tasks, n_tasks)))
        return draw_members(fit, self.first, upper, uniforms, normals, noise, self.variants, iterations, pairs)

    @property
    def first(self) -> Floats:
        """The first score of each task, 0 where there is none, (n_runs, n_tasks)."""
        measured = np.isfinite(self.scores)
        index = measured.argmax(axis=1)[:, None]
        return np.take_along_axis(np.where(measured, self.scores, 0.0), index, axis=1)[:, 0]

    def outlook(self, fit: Fit, members: Members, pieces: Floats) -> Outlook:
        """The outlook on pieces of the budget, (n_runs, n_segments), as fractions of the whole."""
        batch = self.examples[:, -1].sum(axis=1) / np.maximum(self.counts[:, -1].sum(axis=1), 1.0)
        return Outlook.of(
            members,
            pieces=pieces,
            costs=self.costs,
            done=self.done,
            total=self.total,
            recent=fit.recent,
            memory=self.memory * self.total,
            epochs=self.examples[:, -1] / self.sizes,
            per_batch=batch[:, None] / self.sizes,
            variants=self.variants,
        )
