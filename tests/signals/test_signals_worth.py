"""The signal `worth`: slopes of known curves, effects between tasks, and its guard."""

import numpy as np
import pytest

from apportion.records import Task
from apportion.signals import Worth
from apportion.signals._worth import effects

TASKS = [Task(name=name) for name in "abcd"]


def play(signal, levels, tasks=TASKS, loss=1.0):
    """Every task in turn; levels of shape (rounds, n_tasks, n_runs). The last reward of each task and run."""
    n_runs = levels.shape[2]
    signal.reset(tasks, n_runs)
    found = np.zeros(levels.shape[1:])
    for row in levels:
        for task, level in enumerate(row):
            measured = {"success": level, "loss": np.full(n_runs, loss)}
            found[task] = signal.reward(np.full(n_runs, task), measured)
    return found


def test_own_gain_is_the_slope_of_the_curve():
    # 40 runs, noise of 0.09 as of 32 examples; a task that learns with scale 60, one that is done, and two dead ones.
    generator = np.random.default_rng(0)
    n = np.arange(80)[:, None]
    truth = np.stack([1 - np.exp(-n / 60.0), 1 - np.exp(-n / 6.0), 0.1 + 0.0 * n, 0.1 + 0.0 * n], axis=1)
    levels = np.clip(truth + 0.09 * generator.normal(size=(80, 4, 40)), 0.0, 1.0)
    found = np.median(play(Worth(others=False, patience=0.0), levels), axis=1)
    assert found[0] == pytest.approx(np.exp(-80 / 60.0) / 60.0, rel=0.4)
    assert found[1:].max() < 0.25 * found[0]


def test_effects_are_found_where_counts_vary():
    # Levels rise by 0.004 for each own batch, and by half as much for each of task 0, in 64 runs.
    generator = np.random.default_rng(1)
    n_runs, n_tasks, slope = 64, 3, 0.004
    amounts, level = np.zeros((n_runs, n_tasks, n_tasks)), np.zeros((n_runs, n_tasks))
    matrix, vector = np.zeros((n_runs, n_tasks, n_tasks + 1, n_tasks + 1)), np.zeros((n_runs, n_tasks, n_tasks + 1))
    rows = np.arange(n_runs)
    for _ in range(20):
        shares = generator.dirichlet(np.ones(n_tasks))
        for _ in range(20):
            task = generator.choice(n_tasks, p=shares, size=n_runs)
            z = np.concatenate([amounts[rows, task], np.ones((n_runs, 1))], axis=1)
            y = level[rows, task] + 0.02 * generator.normal(size=n_runs)
            matrix[rows, task] += z[:, :, None] * z[:, None, :]
            vector[rows, task] += z * y[:, None]
            amounts[rows, :, task] += slope
            level[rows, task] += slope
            level += 0.5 * slope * (task == 0)[:, None] * (np.arange(n_tasks) != 0)
    theta, variance = effects(matrix, vector, np.full(n_runs, 0.02**2), 0.5, np.full(n_tasks, 0.5))
    mean = theta.mean(axis=0)
    assert mean[1, 0] == pytest.approx(0.5, abs=0.1)
    assert mean[2, 0] == pytest.approx(0.5, abs=0.1)
    assert np.abs(mean[[0, 0, 1, 2], [1, 2, 2, 1]]).max() < 0.1
    # 128 intervals of 95 %: fewer than 85 % cover with a chance below 1e-5.
    covered = np.abs(theta[:, 1:, 0] - 0.5) < 1.96 * np.sqrt(variance[:, 1:, 0])
    assert covered.mean() > 0.85


def test_an_auxiliary_task_earns_by_its_effects_alone():
    tasks = [Task(name="a"), Task(name="b", priority=0.0)]
    levels = np.tile(np.linspace(0.0, 0.8, 40)[:, None, None], (1, 2, 3))
    assert (play(Worth(others=False), levels, tasks)[1] == 0.0).all()
    assert (play(Worth(), levels, tasks)[1] > 0.0).all()


def test_all_tasks_earn_alike_while_the_objective_is_below_its_best():
    levels = (
        np.concatenate([np.linspace(0.0, 0.8, 40), np.full(20, 0.2)])[:, None, None]
        * np.array([1.0, 0.2, 0.9, 1.0])[:, None]
    )
    guarded, free = play(Worth(), levels), play(Worth(guard=1e9), levels)
    assert np.ptp(guarded) < 0.05 * guarded.mean()
    assert np.ptp(free) > 0.2 * free.mean()


def test_a_loss_above_its_start_lowers_the_level():
    signal = Worth()
    signal.reset(TASKS, 1)
    for loss in (2.0, 2.0, 2.0, 2.1, 3.0):
        signal.reward(np.array([0]), {"success": np.zeros(1), "loss": np.array([loss])})
    assert signal.last_[0, 0] == pytest.approx(-0.4)


def test_unknown_levels_change_nothing():
    signal, other = Worth(), Worth()
    signal.reset(TASKS, 2)
    other.reset(TASKS, 2)
    for step in range(50):
        chosen, level = np.full(2, step % 4), np.array([0.3, 0.5])
        measured = {"success": level, "loss": np.ones(2)}
        expected = other.reward(chosen, measured)
        gap = signal.reward(chosen, {"success": np.array([np.nan, 0.5]), "loss": np.ones(2)})
        assert np.isnan(gap[0])
        assert gap[1] == expected[1]
    assert signal.told_[0] == 0.0


@pytest.mark.parametrize("wrong", [{"keep": 0.0}, {"spread": 0.0}, {"guard": 0.0}, {"doubt": -1.0}, {"every": 0}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Worth(**wrong)
