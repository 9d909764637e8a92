"""Round-robin draws every task once a cycle, in all orders alike, and copes with tasks that come and go."""

from itertools import permutations

import numpy as np
from scipy.stats import chi2

from apportion.policies import RoundRobin
from apportion.records import Context, Task

TASKS = [Task(name=name) for name in "abc"]


def drawn(n_runs, n_steps, available=None, seed=0):
    generator = np.random.default_rng(seed)
    policy = RoundRobin()
    policy.reset(TASKS, n_runs)
    context = Context.start(3, n_runs=n_runs)
    chosen = np.zeros((n_steps, n_runs), dtype=np.int64)
    for step in range(n_steps):
        if available is not None:
            context.available = np.broadcast_to(np.array(available[step], dtype=bool), (n_runs, 3))
        answer = policy.probabilities(context)
        chosen[step] = (generator.uniform(size=(n_runs, 1)) > answer.cumsum(axis=1)).sum(axis=1)
        context.counts[np.arange(n_runs), chosen[step]] += 1
        context.step += 1
    return chosen


def test_every_cycle_is_a_permutation_and_all_are_alike():
    chosen = drawn(n_runs=2_000, n_steps=6)
    orders = list(permutations(range(3)))
    for cycle in (chosen[:3], chosen[3:]):
        counts = np.array([(order == cycle.T).all(axis=1).sum() for order in orders])
        assert counts.sum() == 2_000
        statistic = ((counts - 2_000 / 6) ** 2 / (2_000 / 6)).sum()
        assert statistic < chi2.isf(1e-6, df=5)  # false alarm one in a million, n = 2,000 cycles


def test_a_task_that_was_away_catches_up():
    away = [(0, 1, 1)] * 4 + [(1, 1, 1)] * 3
    chosen = drawn(n_runs=50, n_steps=7, available=away)
    assert (chosen[:4] > 0).all()
    assert (chosen[4:6] == 0).all()
    assert set(chosen[6]) == {0, 1, 2}
