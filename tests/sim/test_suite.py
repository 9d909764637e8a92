"""The suite: every world loads, splits differ, references hold."""

import numpy as np
import pytest

from apportion.sim import simulate, suite, worlds
from apportion.sim._play import play_tasks, to_tasks
from apportion.sim.references import fingerprint, references, shipped_references, suite_references
from apportion.sim.suite import FAMILIES

WANTED = {
    "bandit", "equal", "speeds", "useless", "harmful", "auxiliary", "transfer", "prerequisites", "sizes", "forgetting",
    "noisy_evaluation", "change", "hundred", "prices", "few_steps", "many_steps", "plateau", "interference", "delayed",
}  # fmt: skip


def test_all_families_are_there():
    assert set(FAMILIES) >= WANTED
    assert all(family.title.endswith(".") for family in FAMILIES.values())
    assert suite.ids(["transfer"])[3] == "transfer/3"
    assert len(suite.ids()) == len(set(suite.ids())) >= 60


@pytest.mark.parametrize("split", ["public", "reported"])
@pytest.mark.parametrize("name", suite.ids())
def test_every_world_loads_and_runs(name, split):
    world = suite.load(name, split=split)
    assert fingerprint(world) == fingerprint(suite.load(name, split=split))
    assert all(task.size is not None for task in world.tasks)
    assert 0.0 <= float(world.evaluation_cost) <= 0.2 * world.budget
    result = simulate(world, "uniform", n_runs=2, seed=0, budget=min(world.budget, 40))
    assert np.isfinite(result.objective).all()


@pytest.mark.parametrize("name", sorted(WANTED - {"equal"}))
def test_splits_and_settings_draw_other_parameters(name):
    prints = [fingerprint(suite.load(item, split=split)) for item in suite.ids([name]) for split in suite.SPLITS]
    # In few bandits the best task may sit at the same place in both splits.
    assert len(set(prints)) >= len(suite.ids([name])) + (name != "bandit")


def test_adaptive_policies_run_in_every_family():
    for name in FAMILIES:
        world = suite.load(name, 0).with_budget(30)
        result = simulate(world, "exp3s", "prediction_gain", n_runs=3, seed=0)
        assert np.isfinite(result.final).all(), name


@pytest.mark.parametrize("split", ["public", "reported"])
@pytest.mark.parametrize("name", suite.ids())
def test_shipped_references_are_of_these_worlds_and_make_sense(name, split):
    world, known = suite.load(name, split=split), suite_references(name, split)
    assert shipped_references()[f"{split}/{name}"]["fingerprint"] == fingerprint(world)
    assert known.best <= known.upper + 1e-9
    assert known.fixed <= known.best + 1e-9
    assert known.best_shares.shape == known.fixed_shares.shape == (world.n_tasks,)
    assert known.fixed_probabilities(world).sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ["bandit/1", "speeds/1", "transfer/2", "prices/2", "change/0", "plateau/1", "sizes/1"])
def test_shipped_references_are_what_the_solvers_find(name):
    known, found = suite_references(name), references(suite.load(name))
    assert found.best == pytest.approx(known.best, abs=1e-4)
    assert found.upper == pytest.approx(known.upper, abs=1e-3)
    assert found.verified == known.verified


@pytest.mark.parametrize("name", ["forgetting/2", "prerequisites/2", "interference/1"])
def test_fixed_mixtures_reach_what_is_shipped(name):
    world, known = suite.load(name), suite_references(name)
    schedule = to_tasks(world, known.fixed_shares[None, None, :])[0]
    assert float(play_tasks(world, schedule[None])[0]) == pytest.approx(known.fixed, abs=1e-3)


def test_there_is_something_to_gain_except_where_all_tasks_are_equal():
    for name in (
        "speeds/1",
        "useless/2",
        "transfer/2",
        "forgetting/1",
        "change/0",
        "interference/1",
        "prerequisites/1",
    ):
        uniform = simulate(suite.load(name), "uniform", n_runs=20, seed=0).final.mean()
        assert suite_references(name).best - uniform > 0.02, name
    for name in suite.ids(["equal"]):
        # What uniform draws lose by chance is all there is.
        uniform = simulate(suite.load(name), "uniform", n_runs=20, seed=0).final.mean()
        assert 0 <= suite_references(name).best - uniform < 0.004, name


def test_scores_of_families():
    family = suite.find("transfer")
    uniform = simulate(family.load(2), "uniform", n_runs=10, seed=0, label="transfer/2")
    best = suite_references("transfer/2").best
    assert family.score(uniform, uniform, best).mean() == pytest.approx(0)
    assert suite.find("equal").score(uniform, uniform, best) == pytest.approx(uniform.final - uniform.final.mean())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("transfr", 0), "there is no family of worlds named 'transfr'; did you mean 'transfer'"),
        (("transfer", 99), "`index of transfer` must be from 0 to 4"),
        (("transfer/1", 1), "is named like `transfer/3`"),
        (("transfer/x",), "is named like `transfer/3`"),
        (("transfer",), "say which world of the family: `transfer/0` to `transfer/4`"),
        (("transfer", 1, "secret"), "`split` must be one of public, reported"),
    ],
)
def test_unknown_worlds_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        suite.load(*arguments)


def test_a_world_of_ones_own_works_by_path(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        """
from dataclasses import dataclass
import numpy as np
from apportion import Task
from apportion.sim import World

@dataclass(kw_only=True)
class Ladder(World):
    name = "ladder"
    budget: float = 20
    tasks = (Task(name="low"), Task(name="high"))

    def reset(self, n_runs):
        self.height_ = np.zeros((n_runs, 2))

    def step(self, chosen, *, active=None, worth=None):
        going = 1.0 if active is None else active
        self.height_[np.arange(len(chosen)), chosen] += going

    def scores(self, rows=None):
        height = self.height_ if rows is None else self.height_[rows]
        return np.minimum(height / (5.0, 10.0), 1.0)
"""
    )
    world = worlds.make(f"{file}:Ladder(budget=15)")
    found = references(world, effort=30)
    assert found.best == pytest.approx(1.0)  # 5 and 10 steps
    uniform = simulate(world, "uniform", n_runs=50, seed=0)
    assert uniform.final.mean() < 0.98
    learned = simulate(world, "exp3s", "prediction_gain", n_runs=5, seed=0)
    assert np.isfinite(learned.final).all()
    with pytest.raises(ValueError, match="does not define 'Snake'"):
        worlds.make(f"{file}:Snake")


def test_worlds_are_known_by_name():
    assert worlds.names() == ["bandit", "change", "delayed", "drift", "learning", "noisy", "priced"]
    assert worlds.make("bandit(means=(0.1, 0.9), budget=5)").budget == 5
