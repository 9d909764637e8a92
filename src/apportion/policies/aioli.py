"""Aioli: try each task in turn, then move the mixture by what was learned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .._check import check_integer, check_number
from ..records import Bools, Context, Evaluation, Floats, Task
from ._base import Policy
from ._mixing import anchored, held_out, newest, softmax


@dataclass(kw_only=True)
class Aioli(Policy):
    """Decides by a linear mixing law that it fits during the run: p_j <- p_j exp(eta sum_i A_ij), normalised.

    A decision stretch ends with each evaluation. In a sweep every stretch puts the share `one_hot` on one task and
    spreads the rest, `rounds` times for each of the K tasks; D_ij is the mean decrease of the held-out loss of task i
    over the stretches for task j. With the symmetric matrix W of these mixtures, A_i solves W A_i = D_i: what a stretch
    on task j alone would have taken off the loss of task i. Then the smallest entry, if negative, is subtracted from A
    and A is divided by its sum (`normalise`), and p moves and holds for `hold` stretches. With `smoothing` s, A is
    averaged, A <- (1 - s) A_new + s A_old, and p starts from equal shares each time, as in the code.

    Sweeps go through the tasks in the order of their names, one place further each round; the code shuffles. The
    released settings are 4 rounds with an evaluation every 4 steps, in every 250 steps. Losses `evaluation.loss` that
    were not measured count as unchanged. Sweeps are exploration, and their decisions are good data for estimates. It
    costs K rounds evaluations per cycle, and fails where a stretch is too short to tell signal from noise.

    Args:
        rounds: sweeps per cycle, at least 1.
        hold: stretches that the mixture holds after them, at least 1.
        one_hot: share of the task tried, above 1/K, at most 1.
        eta: step size, above 0.
        smoothing: s, in [0, 1); None moves on from the last mixture.
        normalise: bring A to entries that are not negative and sum to 1.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = Aioli(one_hot=0.75)
    >>> policy.reset([Task(name="cola"), Task(name="rte")])
    >>> policy.probabilities(Context.start(2))
    array([[0.75, 0.25]])
    """

    name = "aioli"
    family = "mixing"
    needs = frozenset({"evaluation.loss"})
    source = (
        "Chen et al. 2024, arXiv 2411.05735, algorithm 1 (text could not be checked), and from its released code: "
        "HazyResearch/aioli trainer/aioli_trainer.py"
    )
    complexity = "O(K^2) per evaluation, O(K) per decision"
    derived = frozenset({"tasks_", "order_"})

    rounds: int = 1
    hold: int = 10
    one_hot: float = 0.625
    eta: float = 0.2
    smoothing: float | None = None
    normalise: bool = True

    def __post_init__(self) -> None:
        check_integer("rounds", self.rounds, low=1)
        check_integer("hold", self.hold, low=1)
        check_number("one_hot", self.one_hot, low=0.0, high=1.0, low_open=True)
        check_number("eta", self.eta, low=0.0, low_open=True)
        if self.smoothing is not None:
            check_number("smoothing", self.smoothing, low=0.0, high=1.0, high_open=True)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start a sweep.

        Raises:
            ValueError: `one_hot` is not above 1/K, so that the mixtures of a sweep would not differ.
        """
        n = len(tasks)
        if n > 1 and self.one_hot * n <= 1.0:
            raise ValueError(f"`one_hot` must be above 1/{n} for {n} tasks, got `one_hot = {self.one_hot}`.")
        self.tasks_ = tuple(tasks)
        self.order_ = np.argsort([task.name for task in tasks])
        self.logits_ = np.zeros((n_runs, n))
        self.losses_ = np.full((n_runs, n), np.nan)
        self.decreases_ = np.zeros((n_runs, n, n))
        self.law_ = np.full((n_runs, n, n), np.nan)
        self.stretch_ = np.zeros(n_runs, dtype=np.int64)

    def _tried(self) -> np.ndarray:
        n = len(self.order_)
        return self.order_[(self.stretch_ % n + self.stretch_ // n) % n]

    def _rest(self) -> float:
        return (1.0 - self.one_hot) / (len(self.order_) - 1)

    def probabilities(self, context: Context) -> Floats:
        """The mixture of this stretch, shape (n_runs, n_tasks)."""
        n_runs, n = self.logits_.shape
        if n == 1:
            return np.ones((n_runs, 1))
        trial = np.full((n_runs, n), self._rest())
        trial[np.arange(n_runs), self._tried()] = self.one_hot
        return np.where((self.stretch_ < self.rounds * n)[:, None], trial, softmax(self.logits_))

    def observe(self, evaluation: Evaluation) -> None:
        """End a stretch: note what it did, and after a sweep solve for the law and move the mixture."""
        n_runs, n = self.logits_.shape
        before, after = self.losses_, newest(self.losses_, held_out(evaluation, "loss", self.name))
        measured = np.isfinite(before) & np.isfinite(after)
        decrease = np.where(measured, np.where(measured, before, 0.0) - np.where(measured, after, 0.0), 0.0)
        counts = np.isfinite(before).any(axis=1)  # a stretch without losses before it cannot count
        self.losses_ = after
        sweeping = counts & (self.stretch_ < self.rounds * n)
        rows = np.arange(n_runs)
        self.decreases_[rows, :, self._tried()] += np.where(sweeping[:, None], decrease, 0.0)
        self.stretch_ = self.stretch_ + counts
        done = sweeping & (self.stretch_ == self.rounds * n)
        if done.any():
            self._move(done)
        self.stretch_ = np.where(self.stretch_ == self.rounds * n + self.hold, 0, self.stretch_)

    def _move(self, done: Bools) -> None:
        n = self.logits_.shape[1]
        law = self.decreases_ / self.rounds
        if n > 1:
            # W = (one_hot - rest) I + rest 1 1', and each of its rows sums to 1, so its inverse is known.
            law = (law - self._rest() * law.sum(axis=2, keepdims=True)) / (self.one_hot - self._rest())
        if self.normalise:
            law = law - np.minimum(law.min(axis=(1, 2), keepdims=True), 0.0)
            total = law.sum(axis=(1, 2), keepdims=True)
            law = law / np.where(total > 0.0, total, 1.0)
        start = self.logits_
        if self.smoothing is not None:
            known = np.isfinite(self.law_)
            law = np.where(known, (1.0 - self.smoothing) * law + self.smoothing * np.where(known, self.law_, 0.0), law)
            start = np.zeros_like(start)
        logits = anchored(start + self.eta * law.sum(axis=1))
        self.logits_ = np.where(done[:, None], logits, self.logits_)
        self.law_ = np.where(done[:, None, None], law, self.law_)
        self.decreases_ = np.where(done[:, None, None], 0.0, self.decreases_)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """One sweep per cycle, and two with an averaged law."""
        yield cls(hold=2, eta=2.0)
        yield cls(rounds=2, hold=3, smoothing=0.1, normalise=False)
