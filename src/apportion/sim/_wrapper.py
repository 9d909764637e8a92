"""What all wrappers around a world share: they pass everything on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from ..records import Bools, Floats, Ints, Task
from ._base import World
from ._form import Form
from ._streams import Streams


@dataclass
class Wrapper(World):
    """A world around another one, the same in everything that a subclass does not change.

    Args:
        world: the world inside.

    Raises:
        TypeError: `world` is none.
    """

    world: World

    def __post_init__(self) -> None:
        if not isinstance(self.world, World):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"`world` of {type(self).__name__} must be a world, got {self.world!r}.")

    @property
    def tasks(self) -> tuple[Task, ...]:  # type: ignore[override]
        """The tasks of the world inside."""
        return self.world.tasks

    @property
    def budget(self) -> float:  # type: ignore[override]
        """The budget of the world inside."""
        return self.world.budget

    def with_budget(self, budget: float) -> Self:
        """The same with another budget of the world inside."""
        return replace(self, world=self.world.with_budget(budget))

    @property
    def measurements(self) -> frozenset[str]:
        """Measurements of a step that the world inside can give."""
        return self.world.measurements

    @property
    def evaluation_measurements(self) -> frozenset[str]:
        """Measurements of an evaluation that the world inside can give."""
        return self.world.evaluation_measurements

    @property
    def costs(self) -> Floats:
        """Budget that a step on each task takes, shape (n_tasks,)."""
        return self.world.costs

    @property
    def batch_size(self) -> int:
        """Training examples of one step."""
        return self.world.batch_size

    @property
    def evaluation_batches(self) -> int:
        """Batches of every task that an evaluation looks at."""
        return self.world.evaluation_batches

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations."""
        return self.world.evaluate_every

    @property
    def follows_budget(self) -> bool:
        """Whether the world inside wants to know how much is spent."""
        return self.world.follows_budget

    def note_progress(self, progress: Floats) -> None:
        """Tell the world inside how much of the budget is spent."""
        self.world.note_progress(progress)

    def rate(self) -> float | Floats:
        """Learning rate of the world inside."""
        return self.world.rate()

    def reset(self, n_runs: int) -> None:
        """Begin anew."""
        self.world.reset(n_runs)

    def step(self, chosen: Ints, *, active: Bools | None = None, worth: Floats | None = None) -> None:
        """Train the world inside."""
        self.world.step(chosen, active=active, worth=worth)

    def scores(self, rows: Ints | None = None) -> Floats:
        """True scores of the world inside."""
        return self.world.scores(rows)

    def losses(self) -> Floats:
        """True held-out losses of the world inside."""
        return self.world.losses()

    def loss(self, which: Ints) -> Floats:
        """True training losses of the world inside."""
        return self.world.loss(which)

    def fade(self, keep: Floats, rows: Bools) -> None:
        """Let experience of the world inside lose its worth."""
        self.world.fade(keep, rows)

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
        """One step of the world inside, with what is measured there."""
        return self.world.train(chosen, needs, streams, step, active=active, worth=worth)

    def evaluate(self, needs: frozenset[str], streams: Streams, index: int) -> tuple[Floats, dict[str, Floats]]:
        """What an evaluation of the world inside shows."""
        return self.world.evaluate(needs, streams, index)

    def delays(self, streams: Streams, step: int) -> Ints | None:
        """Delays of the world inside."""
        return self.world.delays(streams, step)

    @property
    def longest_delay(self) -> int:
        """The longest delay of the world inside."""
        return self.world.longest_delay

    def flow(self, shares: Floats, steps: float | Floats, worth: Floats | None = None) -> None:
        """Train the world inside on divided batches."""
        self.world.flow(shares, steps, worth)

    def form(self, *, relaxed: bool = False) -> Form | None:
        """The concave form of the world inside."""
        return self.world.form(relaxed=relaxed)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        """Around a small world of learning curves."""
        from .learning import LearningWorld

        for world in LearningWorld.examples():
            yield cls(world)
