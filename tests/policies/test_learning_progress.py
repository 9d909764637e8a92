"""Learning-progress policies against plain calculations: enumeration, numpy's regression, loops over tasks."""

import itertools

import numpy as np
import pytest

from apportion.policies import (
    DUMP,
    SEC,
    BidirectionalProgress,
    Learnability,
    TSCLNaive,
    TSCLOnline,
    TSCLSampling,
    TSCLWindow,
)
from apportion.records import Context, Evaluation, Task


def some(n_tasks):
    return [Task(name=f"task {index}") for index in range(n_tasks)]


def history(seed, n_tasks, n_steps, ties=False):
    """Tasks and changes of score; with ties, changes from a handful of values."""
    generator = np.random.default_rng(seed)
    changes = generator.integers(-3, 4, size=n_steps) / 10 if ties else generator.normal(size=n_steps)
    return list(zip(generator.integers(n_tasks, size=n_steps).tolist(), changes.tolist(), strict=True))


def fed(policy, events, n_tasks):
    policy.reset(some(n_tasks))
    for task, change in events:
        policy.update(np.array([task]), np.full((1, n_tasks), 1 / n_tasks), np.array([change]))
    return policy


def evaluated(policy, rows):
    rows = np.array(rows)
    policy.reset(some(rows.shape[1]))
    for scores in rows:
        policy.observe(Evaluation(step=0, scores=scores[None], counts=np.zeros((1, len(scores)), dtype=np.int64)))
    return policy


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n_tasks", [1, 2, 3, 4])
def test_sampling_enumerates_every_combination_of_changes(n_tasks, ties):
    window, n_steps = 4, 11
    events = history(n_tasks, n_tasks, n_steps, ties)
    policy = fed(TSCLSampling(window=window, exploration=0.0), events, n_tasks)
    windows = [[abs(change) for task, change in events if task == a][-window:] or [1.0] for a in range(n_tasks)]
    wins = np.zeros(n_tasks)
    for draws in itertools.product(*windows):
        best = np.array(draws) == max(draws)
        wins += best / best.sum()
    wins /= np.prod([len(changes) for changes in windows])
    np.testing.assert_allclose(policy.probabilities(Context.start(n_tasks))[0], wins, atol=1e-13)


def test_sampling_is_exact_with_a_hundred_tasks():
    n_tasks = 100
    events = [(task % 90, round(change, 1)) for task, change in history(4, n_tasks, 900, ties=False)]
    policy = fed(TSCLSampling(exploration=0.0), events, n_tasks)
    windows = [[abs(change) for task, change in events if task == a][-10:] or [1.0] for a in range(n_tasks)]
    points, weights = np.polynomial.legendre.leggauss(n_tasks // 2)
    wins = np.zeros(n_tasks)
    for value in {change for window in windows for change in window}:
        below = np.array([np.mean(np.array(window) < value) for window in windows])
        equal = np.array([np.mean(np.array(window) == value) for window in windows])
        for point, weight in zip(points / 2 + 0.5, weights / 2, strict=True):
            chances = below + point * equal
            for a in np.flatnonzero(equal):
                wins[a] += weight * equal[a] * np.prod(np.delete(chances, a))
    np.testing.assert_allclose(wins.sum(), 1.0, atol=1e-12)
    np.testing.assert_allclose(policy.probabilities(Context.start(n_tasks))[0], wins, atol=1e-13)


def test_sampling_leaves_out_who_may_not_be_drawn():
    events = history(9, 4, 30, ties=True)
    policy = fed(TSCLSampling(exploration=0.0), events, 4)
    context = Context.start(4)
    context.available = np.array([[True, False, True, True]])
    order = [0, 2, 3]
    alone = fed(TSCLSampling(exploration=0.0), [(order.index(t), c) for t, c in events if t != 1], 3)
    masked = policy.probabilities(context)[0]
    assert masked[1] == 0.0
    np.testing.assert_allclose(masked[order], alone.probabilities(Context.start(3))[0], atol=1e-13)


def test_window_is_numpys_regression_over_the_last_scores():
    window, n_tasks = 5, 3
    events = history(10, n_tasks, 60)
    policy = fed(TSCLWindow(window=window), events, n_tasks)
    for task in range(n_tasks):
        times = [time for time, (drawn, _) in enumerate(events) if drawn == task]
        scores = np.cumsum([change for drawn, change in events if drawn == task])
        slope = np.polyfit(times[-window:], scores[-window:], 1)[0]
        assert policy.progress()[0, task] == pytest.approx(slope, abs=1e-10)


def test_naive_is_numpys_regression_in_each_block():
    window, n_tasks, step_size = 8, 3, 0.3
    events = history(11, n_tasks, 5 * window + 3)
    policy = fed(TSCLNaive(window=window, step_size=step_size), events, n_tasks)
    values = np.zeros(n_tasks)
    for block in range(5):
        inside = events[block * window : (block + 1) * window]
        for task in range(n_tasks):
            scores = np.cumsum([change for drawn, change in inside if drawn == task])
            slope = np.polyfit(range(len(scores)), scores, 1)[0] if len(scores) > 1 else 1.0
            values[task] += step_size * (slope - values[task])
    np.testing.assert_allclose(policy.progress()[0], values, atol=1e-10)


def test_evaluations_give_all_tasks_their_change_and_the_first_sets_the_mark():
    rows = [[0.5, 0.1], [0.6, np.nan], [0.6, 0.4]]
    policy = evaluated(TSCLOnline(feed="evaluations", step_size=0.5), rows)
    # cola: 0.05, then 0.025; rte: not measured in the middle, then the change since the first time, halved.
    np.testing.assert_allclose(policy.progress(), [[0.025, 0.15]], atol=1e-15)
    assert policy.requires == {"evaluations"}
    assert TSCLOnline().requires == {"reward"}


def test_a_forgotten_task_comes_back_only_under_absolute_progress():
    rows = [[0.5, 0.9], [0.6, 0.5]]
    for absolute, best in ((True, 1), (False, 0)):
        policy = evaluated(TSCLOnline(feed="evaluations", absolute=absolute), rows)
        assert policy.probabilities(Context.start(2))[0].argmax() == best


def plain_bidirectional(rows, *, step_size, theta, exploration):
    """Syllabus' rule again, as loops over tasks, with its baseline."""
    rows = np.array(rows)
    chance = np.minimum(rows[0], 0.75)
    fast = slow = np.maximum(rows[0] - chance, 0) / (1 - chance)
    true = rows[0]
    for scores in rows[1:]:
        above = np.maximum(scores - chance, 0) / (1 - chance)
        fast = fast + step_size * (above - fast)
        slow = slow + step_size * (fast - slow)
        true = true + step_size * (scores - true)
    stretched = [p * (1 - theta) / (p + theta * (1 - 2 * p)) for p in (fast, slow)]
    progress = np.abs(stretched[0] - stretched[1])
    moving = [i for i in range(len(true)) if progress[i] > 0 or true[i] > 0]
    z = (progress[moving] - progress[moving].mean()) / progress[moving].std()
    weights = np.zeros(len(true))
    weights[moving] = 1 / (1 + np.exp(-z))
    return (1 - exploration) * weights / weights.sum() + exploration / len(true)


def test_bidirectional_progress_is_the_released_rule():
    generator = np.random.default_rng(12)
    rows = np.clip(generator.uniform(size=5) + 0.05 * generator.normal(size=(20, 5)).cumsum(axis=0), 0, 1)
    rows[:, 4] = 0.0
    policy = evaluated(BidirectionalProgress(exploration=0.25), rows)
    wanted = plain_bidirectional(rows, step_size=0.1, theta=0.1, exploration=0.25)
    np.testing.assert_allclose(policy.probabilities(Context.start(5))[0], wanted, atol=1e-12)


def test_bidirectional_progress_sees_forgetting_as_much_as_learning():
    policy = evaluated(BidirectionalProgress(above_chance=False), [[0.4, 0.5, 0.6], [0.4, 0.1, 0.6]])
    assert policy.probabilities(Context.start(3))[0].argmax() == 1


def test_tasks_never_seen_are_tried():
    for policy in (BidirectionalProgress(feed="reward"), Learnability(feed="reward")):
        fed(policy, [(0, 0.9), (0, 0.9)], 3)
        probabilities = policy.probabilities(Context.start(3))[0]
        assert probabilities[1:].min() >= probabilities[0]


def test_learnability_splits_ties_at_the_edge():
    policy = evaluated(Learnability(top=2, exploration=0.0), [[0.5, 0.25, 0.25, 1.0]])
    np.testing.assert_allclose(policy.probabilities(Context.start(4)), [[0.5, 0.25, 0.25, 0.0]], atol=1e-15)


def test_learnability_of_solved_tasks_only_is_uniform():
    policy = evaluated(Learnability(), [[1.0, 0.0, 1.0]])
    np.testing.assert_allclose(policy.probabilities(Context.start(3)), [[1 / 3] * 3], atol=1e-15)


def test_dump_keeps_the_mean_of_the_window():
    events = history(13, 3, 100)
    policy = fed(DUMP(window=7, samples=4), events, 3)
    for task in range(3):
        seen = [reward for drawn, reward in events if drawn == task]
        bonus = np.sqrt(2 * np.log(401) / (4 * len(seen) + 1))
        assert policy.bounds()[0, task] == pytest.approx(np.mean(seen[-7:]) + bonus, abs=1e-12)


def test_released_sec_lets_absent_tasks_fade():
    kept, faded = (fed(SEC(absent=absent), [(0, 1.0)] + [(1, 0.5)] * 20, 2) for absent in ("keep", "decay"))
    assert kept.values_[0, 0] == 0.5
    assert faded.values_[0, 0] == pytest.approx(0.5**21)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TSCLOnline(feed="rewards"), "`feed`.*did you mean 'reward'"),
        (lambda: TSCLOnline(temperature=0.0), "`temperature`"),
        (lambda: TSCLOnline(exploration=-0.1), "`exploration`"),
        (lambda: TSCLOnline(step_size=0.0), "`step_size`"),
        (lambda: TSCLNaive(window=1), "`window`"),
        (lambda: TSCLNaive(step_size=2.0), "`step_size`"),
        (lambda: TSCLNaive(optimism=float("inf")), "`optimism`"),
        (lambda: TSCLWindow(window=1), "`window`"),
        (lambda: TSCLWindow(optimism=float("nan")), "`optimism`"),
        (lambda: TSCLSampling(window=0), "`window`"),
        (lambda: TSCLSampling(optimism=float("nan")), "`optimism`"),
        (lambda: BidirectionalProgress(theta=0.0), "`theta`"),
        (lambda: BidirectionalProgress(step_size=0.0), "`step_size`"),
        (lambda: BidirectionalProgress(center=float("nan")), "`center`"),
        (lambda: BidirectionalProgress(exploration=2.0), "`exploration`"),
        (lambda: Learnability(top=0), "`top`"),
        (lambda: Learnability(step_size=0.0), "`step_size`"),
        (lambda: SEC(temperature=0.0), "`temperature`"),
        (lambda: SEC(absent="fade"), "`absent`"),
        (lambda: SEC(step_size=0.0), "`step_size`"),
        (lambda: DUMP(window=0), "`window`"),
        (lambda: DUMP(samples=0), "`samples`"),
        (lambda: DUMP(temperature=0.0), "`temperature`"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
