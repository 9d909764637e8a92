"""The world of learning curves: tasks that learn, help and harm each other, forget and repeat themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from ..records import Bools, Floats, Ints, Task
from ._base import BASIC, World
from ._constants import GATE_WIDTH, Constants
from ._form import Form
from ._learning_form import form_of
from ._streams import Streams

Curve = Literal["exponential", "power"]


@dataclass(kw_only=True)
class LearningWorld(World):
    """Decides what every batch teaches every task, by learning curves over effective experience.

    A step on task a changes the state of one run, n (batches drawn), x (experience, in batches) and r (recent shares):

        x_i <- (1 - rate * forgetting_i) x_i + transfer[i][a] * rate * reuse_a * ready * gate_i
        n_a <- n_a + 1,      r <- (1 - rate/memory) r,  r_a <- r_a + rate/memory

    with the factors

        rate    = 1 - cooling * progress                 progress = budget spent, from 0 to 1: the learning rate falls

        reuse_a = exp(-max(0, n_a/N_a - 1) / reuse)      N_a = size / batch: a repeated batch teaches less
        ready   = n^2 / (n^2 + plateau^2)                n = all batches so far: the shared representation must form
        gate_i  = product of logistic((u_p - level) / 0.02) over the prerequisites (i, p, level)

    From x follows how much of what it can learn a task has learned, by its curve in units of its scale:

        u_i = 1 - exp(-x_i/scale_i)   or   1 - (1 + x_i/scale_i)^-exponent_i
        l_i = u_i (1 - interference_i (1 - m(r_i))) (1 - heat_i rate) - overfit_i max(0, n_i/N_i - overfit_after)^2
        m(r) = r (1 + half_share) / (r + half_share)     shared layers move on while a task is rarely drawn

        score_i = low_i + (high_i - low_i) l_i,      held-out loss_i = irreducible_i + learnable_i (1 - l_i)

    Below x = 0 (harm from other tasks) u goes on as a straight line, and interference and heat leave it alone. Training
    loss is the held-out loss without the overfitting term. Repetition follows the decaying value of repeated data of
    Muennighoff et al. 2023 (arXiv 2305.16264, abstract; their exact formula could not be checked); the other parts
    are of our own making, and none is a model of any particular network.

    Further measurements are stand-ins, derived from the curves: `entropy` is the training loss (a calibrated model's
    mean entropy is its expected cross-entropy); `success` is the score that belongs to the training loss, clipped to
    [0, 1]; `reference_loss` is the irreducible loss, as of a model that has learned all it can, which nobody is charged
    for. For gradients, a step is taken as plain descent, where the fall of
    loss j by a step on task a is the inner product of their gradients: `gradient_norm` (squared) is the fall of a
    task's own loss by one more batch of it, and `gradient_alignment` = D_a / sqrt(own_a * sum_b w_b D_b) with D_a the
    fall of the priority-weighted loss by one more batch of a; at evaluations, `gradient_inner` is the fall of the other
    tasks' losses together, auxiliary tasks left out, and `trial_gain` that of the priority-weighted loss.
    `gradient_variance` is 0 without noise. There is no `advantage`.

    Args:
        tasks: with sizes in examples where repetition matters.
        budget: in units of a step's cost.
        scale: experience, in batches, over which each task learns; above 0.
        curve: `exponential` or `power`, for all or for each.
        exponent: of power curves, above 0; for all or for each.
        transfer: row i, column j is what a batch of task j teaches task i, as a fraction of a batch of its own;
            negative for harm. None means that tasks do not touch each other. 0 on the diagonal marks a task that
            cannot be learned.
        low: score of each task when nothing is learned.
        high: score when all is learned, at least `low`.
        irreducible: loss that is left when all is learned, not negative.
        learnable: loss that learning takes away, not negative.
        batch: training examples in one step.
        reuse: epochs over which the value of repeated examples decays, above 0; inf for none.
        overfit: growth of the held-out loss by repetition, as a fraction of what can be learned, not negative.
        overfit_after: epochs that do no harm.
        forgetting: fraction of its experience that each task loses at every step, in [0, 1).
        prerequisites: triples (task, prerequisite, level of u in (0, 1)).
        plateau: steps after which learning has reached half its speed; 0 for none.
        interference: largest fraction of what a task learned that is lost for now while it is not drawn, in [0, 1).
        memory: steps over which recent shares are averaged, at least 1.
        half_share: recent share at which about half of that is lost, above 0.
        cooling: fraction of the learning rate that is gone at the end of the budget, on a straight line, in [0, 1].
        heat: fraction of what a task learned that a full learning rate hides, since weights jump about, in [0, 1); for
            all or for each.
        evaluations: steps between evaluations; None takes 5 % of the budget for them.
        evaluated_batches: batches of every task that an evaluation looks at.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range or not finite, a list has not one entry for each task, or the transfer
            matrix is not square, or so large that a batch teaches the others more than four of their own would.

    >>> world = LearningWorld(tasks=[Task(name="a"), Task(name="b")], budget=100, scale=[10, 40])
    >>> world.reset(1)
    >>> for _ in range(10):
    ...     world.step(np.array([0]))
    >>> world.scores().round(3)
    array([[0.632, 0.   ]])
    """

    name = "learning"
    source = "our own; repetition after Muennighoff et al. 2023, arXiv 2305.16264"
    provides = BASIC | {"entropy", "success", "reference_loss", "gradient_norm", "gradient_alignment"}
    evaluation_provides = frozenset(
        {
            "loss",
            "gradient_norm",
            "gradient_inner",
            "gradient_alignment",
            "gradient_variance",
            "reference_loss",
            "trial_gain",
        }
    )

    tasks: Sequence[Task]  # type: ignore[assignment]
    budget: float  # type: ignore[assignment]
    scale: float | Sequence[float] | Floats
    curve: Curve | Sequence[Curve] = "exponential"
    exponent: float | Sequence[float] | Floats = 1.0
    transfer: Sequence[Sequence[float]] | Floats | None = None
    low: float | Sequence[float] | Floats = 0.0
    high: float | Sequence[float] | Floats = 1.0
    irreducible: float | Sequence[float] | Floats = 0.3
    learnable: float | Sequence[float] | Floats = 1.0
    batch: int = 1
    reuse: float = math.inf
    overfit: float | Sequence[float] | Floats = 0.0
    overfit_after: float = 3.0
    forgetting: float | Sequence[float] | Floats = 0.0
    prerequisites: Sequence[tuple[int, int, float]] = ()
    plateau: float = 0.0
    interference: float | Sequence[float] | Floats = 0.0
    memory: float = 50.0
    half_share: float = 0.03
    cooling: float = 0.0
    heat: float | Sequence[float] | Floats = 0.0
    evaluations: int | None = None
    evaluated_batches: int = 1

    def __post_init__(self) -> None:
        self._constants = Constants.of(self)

    @property
    def batch_size(self) -> int:
        """Training examples of one step."""
        return self.batch

    @property
    def evaluation_batches(self) -> int:
        """Batches of every task that an evaluation looks at."""
        return self.evaluated_batches

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations: as given, or as often as 5 % of the budget allows."""
        return super().evaluate_every if self.evaluations is None else self.evaluations

    def reset(self, n_runs: int) -> None:
        """Begin with no experience and equal recent shares."""
        n_tasks = self.n_tasks
        self.experience_ = np.zeros((n_runs, n_tasks))  # in scales
        self.counts_ = np.zeros((n_runs, n_tasks))
        self.recent_ = np.full((n_runs, n_tasks), 1.0 / n_tasks)
        self.progress_ = np.zeros(n_runs)
        self._offsets = np.arange(n_runs) * n_tasks

    @property
    def follows_budget(self) -> bool:
        """Whether the learning rate falls with the budget spent."""
        return self.cooling > 0

    def note_progress(self, progress: Floats) -> None:
        """Take over how much of the budget is spent; where nobody tells, every step takes 1."""
        self.progress_[:] = progress

    def step(self, chosen: Ints, *, active: Bools | None = None, worth: Floats | None = None) -> None:
        """Train on one batch in every run; see the formulas of the class."""
        constants, index = self._constants, self._offsets + chosen
        gain = constants.columns.take(chosen, axis=0)
        if constants.levels.size:
            self._gate(gain)
        factor = worth
        if constants.repeats:
            factor = _times(factor, self._reuse(self.counts_.ravel()[index] / constants.epoch[chosen]))
        if self.plateau > 0:
            factor = _times(factor, self._ready())
        rate = self.rate() if self.cooling > 0 else None
        if rate is not None:
            factor = _times(factor, rate)
        if factor is not None:
            gain *= factor[:, None]
        if active is not None:
            gain *= active[:, None]
        if constants.decay is not None:
            kept = constants.decay if rate is None else 1.0 - rate[:, None] * (1.0 - constants.decay)
            self.experience_ *= kept if active is None else np.where(active[:, None], kept, 1.0)
        self.experience_ += gain
        self.counts_.ravel()[index] += 1.0 if active is None else active
        if constants.interference is not None:
            pace = np.full(len(chosen), 1.0 / self.memory) if active is None else active / self.memory
            if rate is not None:
                pace *= rate
            self.recent_ *= 1.0 - pace[:, None]
            self.recent_.ravel()[index] += pace
        if rate is not None:
            self.progress_ += (1.0 if active is None else active) / self.budget

    def flow(self, shares: Floats, steps: float | Floats, worth: Floats | None = None) -> None:
        """Train for `steps` steps at once with the given shares of each task."""
        steps = np.reshape(steps, (-1, 1))
        constants, drawn = self._constants, shares * steps
        amount = drawn if worth is None else drawn * worth
        turned = steps  # steps at a full learning rate that change as much
        if self.cooling > 0:
            rate = self.rate(steps[:, 0] / (2 * self.budget))[:, None]
            amount, turned = amount * rate, steps * rate
            self.progress_ += steps[:, 0] / self.budget
        if constants.repeats:
            amount = amount * self._reuse((self.counts_ + drawn / 2) / constants.epoch)
        gain = amount @ constants.columns
        if constants.levels.size:
            self._gate(gain)
        if self.plateau > 0:
            gain *= self._ready(steps[:, 0] / 2)[:, None]
        if constants.decay is not None:
            self.experience_ *= constants.decay**turned
            forgotten = (1.0 - constants.decay) * turned
            kept = -np.expm1(turned * np.log(constants.decay)) / np.where(forgotten > 0, forgotten, 1.0)
            gain *= np.where(forgotten > 0, kept, 1.0)
        self.experience_ += gain
        self.counts_ += drawn
        left = (1.0 - 1.0 / self.memory) ** turned
        self.recent_ += (1.0 - left) * (shares - self.recent_)

    def fade(self, keep: Floats, rows: Bools) -> None:
        """Keep only a part of the experience of each task in the runs `rows`."""
        self.experience_[rows] *= keep

    def scores(self, rows: Ints | None = None) -> Floats:
        """True scores, low + (high - low) l, shape (n_runs, n_tasks)."""
        return self._constants.low + self._constants.span * self._learned(rows)

    def losses(self) -> Floats:
        """True held-out losses, irreducible + learnable (1 - l), shape (n_runs, n_tasks)."""
        return self._constants.irreducible + self._constants.learnable * (1.0 - self._learned(None))

    def loss(self, which: Ints) -> Floats:
        """Training loss of one task per run, without the overfitting term, shape (n_runs,)."""
        index = self._offsets + which
        learned = self._constants.curves.value(self.experience_.ravel()[index], which)
        if self._constants.interference is not None:
            lost = self._constants.interference[which] * (1.0 - self._kept(self.recent_.ravel()[index]))
            learned = learned - np.maximum(learned, 0.0) * lost
        if self._constants.heat is not None:
            learned = learned - np.maximum(learned, 0.0) * self._constants.heat[which] * self.rate()
        return self._constants.irreducible[which] + self._constants.learnable[which] * (1.0 - learned)

    def train(
        self,
        chosen: Ints,
        needs: frozenset[str],
        streams: Streams,
        step: int,
        *,
        active: Bools | None = None,
        worth: Floats | None = None,
    ) -> dict[str, Floats]:
        """Do one step and return what a loop would have measured, each (n_runs,)."""
        further = self._further(chosen, needs, streams, step) if needs & _FURTHER else {}
        return {**super().train(chosen, needs, streams, step, active=active, worth=worth), **further}

    def evaluate(self, needs: frozenset[str], streams: Streams, index: int) -> tuple[Floats, dict[str, Floats]]:
        """True scores and losses, and the stand-ins for gradients of every task."""
        scores, measured = super().evaluate(needs, streams, index)
        if "reference_loss" in needs:
            measured["reference_loss"] = np.repeat(self._constants.irreducible[None], len(scores), axis=0)
        if needs & self.evaluation_provides - {"loss", "reference_loss"}:
            own, inner, alignment, gain = self._descent()
            gradients = {"gradient_norm": own, "gradient_inner": inner, "gradient_alignment": alignment}
            gradients |= {"gradient_variance": np.zeros_like(own), "trial_gain": gain}
            measured.update((name, value) for name, value in gradients.items() if name in needs)
        return scores, measured

    def form(self, *, relaxed: bool = False) -> Form | None:
        """The objective as a concave function of the spending, where it is one."""
        return form_of(self, self._constants, relaxed=relaxed)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """A small world with every part, and a plain one."""
        tasks = (Task(name="a", size=50), Task(name="b", size=400), Task(name="c", priority=0.0))
        yield cls(tasks=tasks, budget=60, scale=(5.0, 20.0, 10.0))
        yield cls(
            tasks=tasks,
            budget=60,
            scale=(5.0, 20.0, 10.0),
            curve=("power", "exponential", "power"),
            transfer=((1.0, 0.2, 0.5), (0.0, 1.0, 0.3), (0.1, -0.1, 1.0)),
            batch=10,
            reuse=4.0,
            overfit=0.01,
            forgetting=(0.0, 0.01, 0.0),
            prerequisites=((1, 0, 0.3),),
            plateau=5.0,
            interference=0.3,
            memory=20.0,
            cooling=0.9,
            heat=0.1,
        )

    def _learned(self, rows: Ints | None) -> Floats:
        constants = self._constants
        experience = self.experience_ if rows is None else self.experience_[rows]
        learned = constants.curves.value(experience)
        if constants.interference is not None:
            recent = self.recent_ if rows is None else self.recent_[rows]
            learned = learned - np.maximum(learned, 0.0) * constants.interference * (1.0 - self._kept(recent))
        if constants.heat is not None:
            rate = self.rate() if rows is None else self.rate()[rows]
            learned = learned - np.maximum(learned, 0.0) * constants.heat * rate[:, None]
        if constants.overfit is not None:
            epochs = (self.counts_ if rows is None else self.counts_[rows]) / constants.epoch
            learned = learned - constants.overfit * np.maximum(epochs - self.overfit_after, 0.0) ** 2
        return learned

    def rate(self, ahead: float | Floats = 0.0) -> Floats:
        """Learning rate of each run once `ahead` more of the budget is spent, as a fraction of the full one."""
        return 1.0 - self.cooling * np.minimum(self.progress_ + ahead, 1.0)

    def _kept(self, recent: Floats) -> Floats:
        return recent * (1.0 + self.half_share) / (recent + self.half_share)

    def _reuse(self, epochs: Floats) -> Floats:
        return np.exp(-np.maximum(epochs - 1.0, 0.0) / self.reuse)

    def _ready(self, ahead: float | Floats = 0.0) -> Floats:
        total = (self.counts_.sum(axis=1) + ahead) ** 2
        return total / (total + self.plateau**2)

    def _gate(self, gain: Floats) -> None:
        constants = self._constants
        reached = constants.gate_curves.value(self.experience_[:, constants.required])
        gates = 1.0 / (1.0 + np.exp((constants.levels - reached) / GATE_WIDTH))
        for number, learner in enumerate(constants.learners):
            gain[:, learner] *= gates[:, number]

    def _further(self, chosen: Ints, needs: frozenset[str], streams: Streams, step: int) -> dict[str, Floats]:
        constants, rows = self._constants, np.arange(len(chosen))
        loss = self.loss(chosen)
        found = {"entropy": loss, "reference_loss": constants.irreducible[chosen]}
        if "success" in needs:
            share = np.divide(
                loss - constants.irreducible[chosen],
                constants.learnable[chosen],
                out=np.ones_like(loss),
                where=constants.learnable[chosen] > 0,
            )
            found["success"] = np.clip(constants.low[chosen] + constants.span[chosen] * (1.0 - share), 0.0, 1.0)
        if needs & {"gradient_norm", "gradient_alignment"}:
            own, _, alignment, _ = self._descent()
            found.update(gradient_norm=own[rows, chosen], gradient_alignment=alignment[rows, chosen])
        return {name: value for name, value in found.items() if name in needs}

    def _descent(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Falls of the loss of a task, of the others, of the objective's as a cosine and as is, by one more batch."""
        constants = self._constants
        slope = constants.learnable * constants.curves.slope(self.experience_)
        if constants.levels.size:
            self._gate(slope)
        if self.plateau > 0:
            slope *= self._ready()[:, None]
        if self.cooling > 0:
            slope *= self.rate()[:, None]
        own = slope * constants.columns.diagonal()
        total, weighted = -own * (constants.weights > 0), np.zeros_like(own)
        for task in np.flatnonzero(constants.weights):  # not a matrix product, whose rounding depends on the runs
            fall = slope[:, task, None] * constants.columns[:, task]
            total += fall
            weighted += constants.weights[task] * fall
        square = own * np.maximum((weighted * constants.weights).sum(axis=1, keepdims=True), 0.0)
        cosine = np.divide(weighted, np.sqrt(square), out=np.zeros_like(own), where=square > 0)
        return own, total, np.clip(cosine, -1.0, 1.0), weighted


_FURTHER = frozenset({"entropy", "success", "reference_loss", "gradient_norm", "gradient_alignment"})


def _times(factor: Floats | None, other: Floats) -> Floats:
    return other if factor is None else factor * other
