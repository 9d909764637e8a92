"""ADO: adaptive data optimisation by scaling laws fitted during the run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from .._check import check_choice, check_integer, check_number
from ..records import Bools, Context, Floats, Ints, Task
from ._base import Policy
from ._mixing import normalised
from ._scaling_law import fit_scaling_law
from ._shares import Shares, check_shares, shares_of

WINDOW, DEGREE, EVERY = 101, 3, 10  # of the Savitzky-Golay filter, and which points of its output are fitted
SMALLEST, LARGEST = 1e-12, 1e12  # losses are held between these, as the fit takes their logarithm


@dataclass(kw_only=True)
class Ado(Policy):
    """Decides by how fast each task still learns, read off scaling laws L_i(n) = exp(e_i) + exp(a_i) n^(-alpha_i).

    Every `refit` updates the law of each task is fitted to its smoothed training losses over n, the number of decisions
    for all tasks. With the prior m and h_i, a running mean of how often i was drawn (factor 0.9),

        rho_i  proportional to  m_i credit(h_i) alpha_i (L_i(n) - exp(e_i)) / n,   alpha_i at least 0.05
        credit(h) = sqrt(h)  ("paper", from memory)  or  sqrt(h (1 - h))  ("code")
        rho <- max(rho, 0.01), normalised;   p = 0.9 q + 0.1 rho;   q <- q + (rho - q) / (t + 1)

    where q starts as m and t counts updates; p = m before `start`. The reward must be the training loss (signal
    `loss`); tasks that are absent from a decision repeat their last loss, as in the code. Losses pass a
    Savitzky-Golay filter (101, 3) and every tenth point is fitted. Beyond `history` points, neighbours are merged to
    their means and fits become as much rarer, so that memory and the cost per update stay bounded.

    The released code starts and refits at 1000 updates and bounds e_i below by 0.5: losses of language models in nats.
    It fails where losses do not fall like a power law, and learns nothing in runs of a few hundred updates.

    Args:
        prior: m, by name or in task order; None is equal. The released code takes the sizes.
        credit: `paper` or `code`.
        start: updates before the first fit, at least 2.
        ignore: updates at the beginning that no fit sees, below `start`.
        refit: updates between two fits, at least 1.
        smallest_e: smallest e_i, the logarithm of the smallest loss that a task may end at.
        history: points kept per run, at least 202.

    Raises:
        ValueError: a parameter is out of range.

    >>> policy = Ado(prior={"cola": 1, "mnli": 3})
    >>> policy.reset([Task(name="cola"), Task(name="mnli")])
    >>> policy.probabilities(Context.start(2))
    array([[0.25, 0.75]])
    """

    name = "ado"
    family = "mixing"
    needs = frozenset({"reward"})
    usual_signal = "loss"
    source = (
        "Jiang et al. 2024, arXiv 2410.11820 (text could not be checked), and from its released code: yidingjiang/ado "
        "src/data_selectors/ado.py"
    )
    complexity = "O(K); a fit of all laws every `refit` updates: about 50 ms at K = 5, 80 ms at K = 9, per run"
    derived = frozenset({"tasks_", "prior_"})

    prior: Shares | None = None
    credit: Literal["paper", "code"] = "paper"
    start: int = 200
    ignore: int = 20
    refit: int = 200
    smallest_e: float = -4.0
    history: int = 2048

    def __post_init__(self) -> None:
        check_choice("credit", self.credit, ("paper", "code"))
        check_integer("start", self.start, low=2)
        check_integer("ignore", self.ignore, low=0, high=self.start - 1)
        check_integer("refit", self.refit, low=1)
        check_number("smallest_e", self.smallest_e)
        check_integer("history", self.history, low=2 * WINDOW)
        if self.prior is not None:
            check_shares("prior", self.prior)

    def reset(self, tasks: Sequence[Task], n_runs: int = 1) -> None:
        """Start from the prior.

        Raises:
            ValueError: the prior names an unknown task or leaves one out.
        """
        self.tasks_ = tuple(tasks)
        n = len(tasks)
        self.prior_ = np.full(n, 1.0 / n) if self.prior is None else shares_of("prior", self.prior, tasks)
        self.p_ = np.tile(self.prior_, (n_runs, 1))
        self.q_ = self.p_.copy()
        self.drawn_ = self.p_.copy()
        self.law_ = np.full((n_runs, n, 3), np.nan)
        self.last_ = np.full((n_runs, n), np.nan)
        self.losses_ = np.zeros((n_runs, self.history, n))
        self.points_ = np.zeros(n_runs, dtype=np.int64)
        self.stride_ = np.ones(n_runs, dtype=np.int64)  # updates per point
        self.sum_ = np.zeros((n_runs, n))  # of the losses of a point that is not complete
        self.pending_ = np.zeros(n_runs, dtype=np.int64)
        self.updates_ = np.zeros(n_runs, dtype=np.int64)

    def probabilities(self, context: Context) -> Floats:
        """0.9 q + 0.1 rho, or the prior before the first fit, shape (n_runs, n_tasks)."""
        return self.p_.copy()

    def update(self, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """Note the loss, refit when due, and follow the laws."""
        self._learn(np.arange(len(chosen)), chosen, reward)

    def update_rows(self, rows: Bools, chosen: Ints, probabilities: Floats, reward: Floats) -> None:
        """The same for some runs, without copying the histories of the others."""
        index = np.flatnonzero(rows)
        self._learn(index, chosen[index], reward[index])

    def _learn(self, rows: Ints, chosen: Ints, reward: Floats) -> None:
        if len(rows) == 0:
            return
        loss = np.clip(reward, SMALLEST, LARGEST)
        last = np.where(np.isfinite(self.last_[rows]), self.last_[rows], loss[:, None])
        last[np.arange(len(rows)), chosen] = loss
        self.last_[rows] = last
        self.updates_[rows] += 1
        self._remember(rows, last)
        drawn = 0.9 * self.drawn_[rows]
        drawn[np.arange(len(rows)), chosen] += 0.1
        self.drawn_[rows] = drawn
        since = self.updates_[rows] - self.start
        due = rows[(since >= 0) & (since % (self.refit * self.stride_[rows]) == 0)]
        if len(due):
            self._refit(due)
        fitted = rows[np.isfinite(self.law_[rows, 0, 0])]
        if len(fitted):
            self._follow(fitted)

    def _remember(self, rows: Ints, last: Floats) -> None:
        self.sum_[rows] += last
        self.pending_[rows] += 1
        full = rows[self.pending_[rows] == self.stride_[rows]]
        self.losses_[full, self.points_[full]] = self.sum_[full] / self.stride_[full][:, None]
        self.points_[full] += 1
        self.sum_[full] = 0.0
        self.pending_[full] = 0
        crowded = full[self.points_[full] == self.history]
        if len(crowded):
            half = self.history // 2
            merged = self.losses_[crowded, : 2 * half].reshape(len(crowded), half, 2, -1).mean(axis=2)
            self.losses_[crowded, :half] = merged
            if self.history % 2:
                # The odd point out becomes the first half of a point to come.
                self.sum_[crowded] = self.losses_[crowded, -1] * self.stride_[crowded][:, None]
                self.pending_[crowded] = self.stride_[crowded]
            self.points_[crowded] = half
            self.stride_[crowded] *= 2

    def _refit(self, rows: Ints) -> None:
        from scipy.signal import savgol_filter  # here, as it takes long to import

        # Runs that told equally often have the same points; they are filtered and fitted together.
        for points, stride in sorted(
            {(int(p), int(s)) for p, s in zip(self.points_[rows], self.stride_[rows], strict=True)}
        ):
            alike = rows[(self.points_[rows] == points) & (self.stride_[rows] == stride)]
            curves = self.losses_[alike, :points].transpose(0, 2, 1).reshape(-1, points)
            window = min(WINDOW, points - 1 + points % 2)
            if window > DEGREE:
                smooth: Floats = np.asarray(savgol_filter(curves, window, DEGREE, axis=-1), dtype=np.float64)
                curves = np.clip(smooth, SMALLEST, LARGEST)
            first = self.ignore // stride
            step = EVERY if points - first >= 3 * EVERY else 1
            counts = (stride * np.arange(first, points, step, dtype=np.float64)) + 0.5 * stride + 0.5
            curves = curves[:, first::step]
            law = fit_scaling_law(counts, curves, self.smallest_e)
            self.law_[alike] = law.reshape(len(alike), -1, 3)

    def _follow(self, rows: Ints) -> None:
        a, _, alpha = np.moveaxis(self.law_[rows], 2, 0)
        n = self.updates_[rows].astype(np.float64)[:, None]
        drawn = self.drawn_[rows]
        credit = np.sqrt(drawn if self.credit == "paper" else np.maximum(drawn * (1.0 - drawn), 0.0))
        slope = np.maximum(alpha, 0.05) * np.exp(a - alpha * np.log(n)) / n
        rho = normalised(np.maximum(normalised(self.prior_ * credit * slope), 0.01))
        self.p_[rows] = normalised(0.9 * self.q_[rows] + 0.1 * rho)
        self.q_[rows] += (rho - self.q_[rows]) / (n + 1.0)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Fits that start early, with the credit of the paper and of the code."""
        yield cls(start=20, ignore=2, refit=500)
        yield cls(credit="code", start=30, ignore=0, refit=700, history=210)
