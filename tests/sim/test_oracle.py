"""The best spending, against exhaustive search, closed forms, grids, and everything that plays."""

import itertools
import math

import numpy as np
import pytest

from apportion import Task
from apportion.policies.mixture import Mixture
from apportion.sim import BanditWorld, Change, Drift, LearningWorld, Priced, simulate
from apportion.sim._play import flow_shares, play_tasks, to_tasks
from apportion.sim.oracle import TOLERANCE, best_fixed_mixture, oracle

TASKS = tuple(Task(name=name) for name in "abc")
SIZED = tuple(Task(name=name, size=size) for name, size in zip("abc", (2, 3, 20), strict=True))
HELP = ((1.0, 0.4, 0.1), (0.0, 1.0, 0.3), (0.2, 0.0, 1.0))
HARM = ((1.0, -0.3, 0.1), (0.2, 1.0, -0.1), (0.2, 0.0, 1.0))
SCALES = [(1.5, 8.0, 20.0), (10.0, 2.0, 3.0)]
STEPS = 8


def small(scale, **parts):
    return LearningWorld(**{"tasks": TASKS, "budget": STEPS, "scale": scale, **parts})


SOLVED = {
    "separate": lambda scale: small(scale),
    "power": lambda scale: small(scale, curve="power", exponent=(0.5, 1.0, 2.0)),
    "help": lambda scale: small(scale, transfer=HELP),
    "harm": lambda scale: small(scale, transfer=HARM),
    "forgetting": lambda scale: small(scale, transfer=HARM, forgetting=(0.05, 0.2, 0.1)),
    "plateau": lambda scale: small(scale, transfer=HELP, plateau=3.0),
    "repetition": lambda scale: small(scale, tasks=SIZED, transfer=HELP, reuse=2.0, overfit=0.02),
    "change": lambda scale: Change(
        small(scale, transfer=HELP), before=(1.0, 1.0, 0.2), after=(0.1, 1.0, 1.0), keep=(0.5, 1.0, 0.2)
    ),
    "drift": lambda scale: Drift(small(scale), start=(2.0, 0.0, 1.0), end=(0.0, 1.0, 1.0)),
    "prices": lambda scale: Priced(small(scale, transfer=HELP), prices=(1.0, 1.7, 2.3)),
}
SEARCHED = {
    "prerequisites": lambda scale: small(2.0, prerequisites=((1, 0, 0.5), (2, 1, 0.5))),
    "interference": lambda scale: small(scale, interference=0.5, memory=4.0),
    "everything": lambda scale: small(
        scale,
        tasks=SIZED,
        transfer=HARM,
        reuse=2.0,
        forgetting=(0.05, 0.2, 0.1),
        prerequisites=((1, 0, 0.3),),
        plateau=2.0,
        interference=0.3,
        memory=3.0,
    ),
}
ALL = {**SOLVED, **SEARCHED}


def exhaustive(world):
    return float(play_tasks(world.clone(), np.array(list(itertools.product(range(3), repeat=STEPS)))).max())


@pytest.mark.parametrize("name", SOLVED)
@pytest.mark.parametrize("scale", SCALES)
def test_solved_worlds_reach_the_best_of_all_schedules(name, scale):
    world = SOLVED[name](scale)
    best, found = exhaustive(world), oracle(world)
    # In eight steps whole batches cost something; the bound holds for divided ones.
    assert best - 1e-3 <= found.value <= best + 1e-12
    assert found.upper >= best - 1e-12
    assert found.upper - best < 0.02
    assert found.verified == (found.gap <= TOLERANCE)
    assert found.shares.sum() == pytest.approx(1)
    assert float(play_tasks(world.clone(), found.schedule[None])[0]) == found.value


@pytest.mark.parametrize("name", SEARCHED)
def test_searched_worlds_come_close_to_the_best_of_all_schedules(name):
    world = SEARCHED[name](SCALES[0])
    best, found = exhaustive(world), oracle(world, effort=25)
    assert best - 2e-3 <= found.value <= best + 1e-12
    assert found.upper >= best - 1e-12


def test_two_alike_tasks_share_the_budget():
    found = oracle(LearningWorld(tasks=TASKS[:2], budget=40, scale=10.0))
    assert found.shares.tolist() == [0.5, 0.5]
    assert found.value == pytest.approx(1 - math.exp(-2))
    assert found.upper == found.value


def test_two_exponential_curves_in_closed_form():
    # Maximise w exp(-n/s) over n + m = T: the slopes are equal where n/s - m/r = log(w r / (v s)).
    s, r, w, v, budget = 30.0, 90.0, 2 / 3, 1 / 3, 600
    n = (math.log(w * r / (v * s)) + budget / r) / (1 / s + 1 / r)
    best = 1 - w * math.exp(-n / s) - v * math.exp(-(budget - n) / r)
    tasks = (Task(name="a", priority=2.0), Task(name="b"))
    world = LearningWorld(tasks=tasks, budget=budget, scale=(s, r))
    assert oracle(world).value == pytest.approx(best, abs=1e-5)
    assert oracle(world).shares[0] == pytest.approx(n / budget, abs=2 / budget)
    assert best_fixed_mixture(world).shares[0] == pytest.approx(n / budget, abs=1e-3)


def test_the_best_arm_of_a_bandit():
    found = oracle(BanditWorld(means=(0.2, 0.7, 0.4), budget=100))
    assert found.value == pytest.approx(0.7)
    assert found.verified
    assert found.shares.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("name", ["help", "forgetting", "interference", "prerequisites", "drift"])
def test_the_best_fixed_mixture_is_the_best_of_a_grid(name):
    world = {
        "help": LearningWorld(tasks=TASKS, budget=200, scale=(10.0, 60.0, 150.0), transfer=HELP),
        "forgetting": LearningWorld(tasks=TASKS, budget=200, scale=(10.0, 60.0, 50.0), forgetting=(0.02, 0.001, 0.01)),
        "interference": LearningWorld(tasks=TASKS, budget=200, scale=(10.0, 60.0, 150.0), interference=0.4),
        "prerequisites": LearningWorld(tasks=TASKS, budget=200, scale=30.0, prerequisites=((1, 0, 0.5),)),
        "drift": Drift(LearningWorld(tasks=TASKS, budget=200, scale=(10.0, 60.0, 50.0)), start=(2.0, 0.0, 1.0)),
    }[name]
    parts = 24
    grid = np.array([(i, j, parts - i - j) for i in range(parts + 1) for j in range(parts + 1 - i)]) / parts
    values = flow_shares(world.clone(), grid[:, None, :], 150)
    found = best_fixed_mixture(world)
    reached = float(flow_shares(world.clone(), found.shares[None, None, :], 150)[0])
    assert reached >= values.max() - 1e-6
    assert found.value == pytest.approx(reached, abs=0.01)


@pytest.mark.parametrize("name", ALL)
def test_nothing_that_plays_beats_the_bound(name):
    """Random schedules of many kinds, in worlds of 60 steps."""
    world = ALL[name](tuple(5 * value for value in SCALES[0])).with_budget(60)
    found = oracle(world, effort=10)
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.full(3, 0.5), size=(300, 4))
    shares[100:200] = shares[100:200, :1]
    schedules = to_tasks(world, shares)
    longest = max(map(len, schedules))
    table = np.stack([np.pad(item, (0, longest - len(item)), mode="edge") for item in schedules])
    values = play_tasks(world.clone(), table)
    assert values.max() <= found.upper + 1e-9
    assert values.max() <= found.value + 2e-3


@pytest.mark.parametrize("name", ["help", "forgetting", "prerequisites", "change", "prices"])
def test_no_policy_beats_the_oracle_beyond_noise(name):
    """Means over 60 runs against the bound, with five standard errors."""
    world = ALL[name](tuple(5 * value for value in SCALES[0])).with_budget(60)
    found, fixed = oracle(world, effort=10), best_fixed_mixture(world)
    for policy in ("uniform", "exp3s", "epsilon_greedy", Mixture(tuple(fixed.shares / world.costs))):
        mean, error = simulate(world, policy, "prediction_gain", n_runs=60, seed=0).mean_and_error()
        assert mean <= found.upper + 5 * error


def test_greedy_is_below_the_oracle_under_forgetting_and_the_oracle_knows_the_order():
    world = LearningWorld(tasks=TASKS, budget=200, scale=(20.0, 30.0, 40.0), forgetting=(0.0, 0.003, 0.03))
    found, fixed = oracle(world), best_fixed_mixture(world)
    assert found.verified
    assert found.value > fixed.value + 0.03
    middle = [np.flatnonzero(found.schedule == task).mean() for task in range(3)]
    assert middle == sorted(middle)  # what is forgotten fast comes last


def test_a_world_without_divided_batches_is_searched_too():
    class Stubborn(LearningWorld):
        def flow(self, shares, steps, worth=None):
            raise NotImplementedError

        def form(self, *, relaxed=False):
            return None

    world = Stubborn(tasks=TASKS, budget=12, scale=SCALES[0])
    plain = oracle(LearningWorld(tasks=TASKS, budget=12, scale=SCALES[0]))
    found = oracle(world, effort=30)
    assert found.value == pytest.approx(plain.value, abs=1e-9)
    assert math.isinf(found.upper)
    assert not found.verified
    assert best_fixed_mixture(world, effort=30).value == pytest.approx(plain.value, abs=0.02)


def test_schedules_follow_shares_of_the_budget():
    world = Priced(LearningWorld(tasks=TASKS, budget=300, scale=1.0), prices=(1.0, 3.0, 0.5))
    shares = np.array([[[0.5, 0.5, 0.0], [0.1, 0.3, 0.6]]])
    schedule = to_tasks(world, shares)[0]
    spent = np.array((1.0, 3.0, 0.5))[schedule]
    assert spent.sum() == pytest.approx(300, abs=0.5)
    first = np.cumsum(spent) <= 150
    for part, wanted in ((first, shares[0, 0]), (~first, shares[0, 1])):
        for task in range(3):
            assert spent[part & (schedule == task)].sum() == pytest.approx(150 * wanted[task], abs=4)
