"""A world of a user's own: it runs from its file, and one that makes no sense is refused with a sentence."""

import numpy as np
import pytest

from apportion.sim import simulate, worlds
from apportion.sim.references import references
from apportion.study.worlds import study_worlds

FILE = """
from dataclasses import dataclass

import numpy as np

from apportion import Task
from apportion.sim import World


@dataclass(kw_only=True)
class Ladder(World):
    name = "ladder"
    budget: float = 12
    price: float = 1.0
    start: float = 0.0
    tasks = (Task(name="low"), Task(name="high"))

    @property
    def costs(self):
        return np.array([1.0, self.price])

    def reset(self, n_runs):
        self.height_ = np.full((n_runs, 2), self.start)

    def step(self, chosen, *, active=None, worth=None):
        self.height_[np.arange(len(chosen)), chosen] += 1.0 if active is None else active

    def scores(self, rows=None):
        height = self.height_ if rows is None else self.height_[rows]
        return np.minimum(height / (5.0, 10.0), 1.0)


@dataclass(kw_only=True)
class Wide(Ladder):
    name = "wide"

    def scores(self, rows=None):
        return np.zeros((len(self.height_), 3))


@dataclass(kw_only=True)
class Doubled(Ladder):
    name = "doubled"
    tasks = (Task(name="low"), Task(name="low"))


@dataclass(kw_only=True)
class Bursting(Ladder):
    name = "bursting"

    def scores(self, rows=None):
        return np.where(super().scores(rows) > 0.5, np.nan, 0.0)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(FILE)
    return path


def test_it_runs_by_path_and_parameters_with_its_references(file):
    study = study_worlds([f"{file}:Ladder(budget=10)"], ["mixture(shares=(1, 2))"], runs=20, seed=0, workers=1)
    rows = {row.policy: row for row in study.rows}
    assert rows["oracle"].mean == pytest.approx(0.75)
    assert rows["uniform"].mean < rows["oracle"].mean
    assert rows["uniform"].budget_saved == 0.0
    assert np.isfinite(rows["mixture(shares=(1, 2))"].gap_closed)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("Ladder(price=-1.0)", "a step on task 'high' of the world 'ladder' must cost more than 0, got -1"),
        ("Ladder(price=0)", "must cost more than 0, got 0"),
        ("Ladder(budget=-5)", "`budget` must be in"),
        ("Wide", r"`scores` of the world 'wide' must have the shape \(2, 2\), got \(2, 3\)"),
        ("Doubled", "task names must differ, got 'low' twice"),
    ],
)
def test_settings_that_make_no_sense_are_refused(file, spec, message):
    with pytest.raises(ValueError, match=message):
        study_worlds([f"{file}:{spec}"], ["uniform"], runs=2, seed=0, workers=1)


def test_scores_that_are_no_numbers_are_refused_before_a_search_and_at_the_end(file):
    world = worlds.make(f"{file}:Ladder")
    world.start = np.nan
    with pytest.raises(ValueError, match="`scores` of the world 'ladder' must be finite, got nan for task 'low'"):
        references(world)
    with pytest.raises(ValueError, match=r"'bursting' reached a score of task .* that is not finite"):
        simulate(worlds.make(f"{file}:Bursting"), "uniform", n_runs=2, seed=0)
