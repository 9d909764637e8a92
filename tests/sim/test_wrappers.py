"""Wrappers change what they say, and nothing else."""

import numpy as np
import pytest

from apportion import Task
from apportion.sim import BanditWorld, Change, Delayed, Drift, LearningWorld, Noisy, Priced, World
from apportion.sim._streams import Streams

TASKS = tuple(Task(name=name) for name in "abc")
EVERYTHING = frozenset(LearningWorld.provides)
GRADIENTS = frozenset({"gradient_norm", "gradient_alignment", "gradient_inner", "gradient_variance"})


def plain(**parts):
    return LearningWorld(tasks=TASKS, budget=100, scale=(5.0, 20.0, 60.0), **parts)


def trained(world, n_runs=2000, n_steps=3, needs=EVERYTHING, seed=0):
    """Measurements of the last step of runs that all did the same."""
    world.reset(n_runs)
    streams = Streams(seed, n_runs)
    for step in range(n_steps):
        measured = world.train(np.full(n_runs, step % 3), needs, streams, step)
    return measured, streams


@pytest.mark.parametrize("wrap", [Noisy, Delayed, Priced, Change, Drift])
def test_wrappers_leave_the_truth_alone_by_default(wrap):
    world = wrap(plain())
    truth = plain()
    trained(world, n_runs=3)
    trained(truth, n_runs=3)
    assert (world.scores() == truth.scores()).all()
    assert world.tasks == truth.tasks
    assert world.budget == truth.budget
    assert world.with_budget(7).budget == 7
    assert isinstance(world.clone(), wrap)


@pytest.mark.parametrize("wrap", [Noisy, Delayed, Priced, Change, Drift])
def test_only_worlds_can_be_wrapped(wrap):
    with pytest.raises(TypeError, match="must be a world"):
        wrap("world")


def test_noise_has_the_stated_size_and_the_same_batch_has_the_same_luck():
    # n = 20,000; a standard deviation has the relative error 0.005, and 6 of them are allowed (false alarm 2e-9 each).
    world = Noisy(plain(), batch_noise=(0.1, 0.2, 0.3), gain_noise=0.5, evaluation_noise=0.04)
    truth, _ = trained(plain(), n_runs=1)
    seen, streams = trained(world, n_runs=20_000)
    for name, sd in (("loss", 0.3), ("self_before", 0.3), ("loss_after", np.hypot(0.3, 0.005)), ("entropy", 0.3)):
        assert seen[name].std() == pytest.approx(sd, rel=0.03), name
        assert seen[name].mean() == pytest.approx(truth[name][0], abs=6 * sd / np.sqrt(20_000)), name
    fall = seen["loss"] - seen["loss_after"]
    assert fall.std() == pytest.approx(0.5 / 100, rel=0.03)
    assert fall.mean() == pytest.approx((truth["loss"] - truth["loss_after"])[0], abs=6 * 0.005 / np.sqrt(20_000))
    assert (seen["loss"] - seen["reference_loss"]).std() < 1e-12
    assert abs(np.corrcoef(seen["loss"], seen["self_before"])[0, 1]) < 0.05
    scores, measured = world.evaluate(GRADIENTS, streams, 0)
    assert scores.std(axis=0) == pytest.approx(0.04, rel=0.03)
    assert (scores + measured["loss"]).std(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert measured["gradient_variance"] == pytest.approx(0.005)
    assert (measured["gradient_norm"] >= 0.005).all()
    assert (np.abs(measured["gradient_alignment"]) <= 1).all()


def test_success_is_a_noisy_fraction():
    world = Noisy(plain(batch=16))
    seen, _ = trained(world, n_runs=20_000, needs=frozenset({"success"}))
    truth, _ = trained(plain(batch=16), n_runs=1, needs=frozenset({"success"}))
    assert set(seen) == {"success"}
    assert ((seen["success"] >= 0) & (seen["success"] <= 1)).all()
    assert abs(seen["success"].mean() - truth["success"][0]) < 0.02


def test_more_evaluation_batches_mean_less_noise_and_more_cost():
    world = Noisy(plain(evaluated_batches=4), evaluation_noise=0.1)
    _, streams = trained(world, n_runs=20_000, n_steps=1)
    scores, _ = world.evaluate(frozenset(), streams, 0)
    assert scores.std(axis=0) == pytest.approx(0.05, rel=0.03)
    assert world.evaluation_cost == pytest.approx(3 * 4 / 3)


def test_delays_are_constant_or_spread_evenly_and_some_never_come():
    # n = 20,000 per check; binomial errors below 0.004, six of them allowed.
    streams = Streams(1, 20_000)
    assert (Delayed(plain(), steps=7).delays(streams, 0) == 7).all()
    late = Delayed(plain(), steps=4, missing=0.25, random=True).delays(streams, 1)
    assert set(np.unique(late)) == {-1, 0, 1, 2, 3, 4}
    assert np.mean(late == -1) == pytest.approx(0.25, abs=0.02)
    for delay in range(5):
        assert np.mean(late == delay) == pytest.approx(0.15, abs=0.02)
    assert Delayed(plain()).delays(streams, 0) is None
    assert Delayed(Delayed(plain(), steps=2), steps=3).delays(streams, 0)[0] == 5


def test_change_comes_before_the_first_step_after_its_moment():
    world = Change(plain(), at=0.5, before=(1.0, 0.0, 1.0), after=(0.0, 1.0, 1.0), keep=(0.5, 1.0, 1.0))
    world.reset(1)
    inner = world.world
    for _ in range(50):
        world.step(np.array([0]))
    assert inner.experience_[0] * (5, 20, 60) == pytest.approx([50, 0, 0])
    world.step(np.array([1]))
    assert inner.experience_[0] * (5, 20, 60) == pytest.approx([25, 1, 0])
    world.step(np.array([0]))
    assert inner.experience_[0] * (5, 20, 60) == pytest.approx([25, 1, 0])


def test_change_goes_by_the_budget_of_each_run():
    world = Change(Priced(plain(), prices=(1.0, 10.0, 1.0)), at=0.5, after=0.0)
    world.reset(2)
    for _ in range(6):
        world.step(np.array([0, 1]))
    gained = world.world.world.experience_ * (5, 20, 60)
    # The second run spent 50 after five steps, so its sixth taught nothing.
    assert gained[0, 0] == pytest.approx(6)
    assert gained[1, 1] == pytest.approx(5)


def test_drift_moves_evenly():
    world = Drift(plain(), start=(0.0, 1.0, 1.0), end=(1.0, 1.0, 0.0))
    world.reset(1)
    for _ in range(100):
        world.step(np.array([0]))
    assert world.world.experience_[0, 0] * 5 == pytest.approx(sum(step / 100 for step in range(100)))


def test_wrappers_stack():
    world = Delayed(Noisy(Priced(plain(), prices=(1.0, 2.0, 3.0))), steps=2)
    measured, _ = trained(world, n_runs=4, needs=frozenset({"loss"}))
    assert set(measured) == {"loss"}
    assert world.costs.tolist() == [1.0, 2.0, 3.0]
    assert world.longest_delay == 2


def test_bandit_gives_its_rewards_and_counts_expected_ones():
    # n = 20,000 draws with probability 0.3: standard error 0.0033, six of them allowed.
    world = BanditWorld(means=(0.3, 0.9), budget=10)
    world.reset(20_000)
    measured = world.train(np.zeros(20_000, dtype=int), frozenset({"reward", "loss"}), Streams(0, 20_000), 0)
    assert measured["reward"].mean() == pytest.approx(0.3, abs=0.02)
    assert (measured["loss"] == 1 - measured["reward"]).all()
    assert world.objective() == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Noisy(plain(), batch_noise=-0.1), "`batch_noise` must be in"),
        (lambda: Noisy(plain(), batch_noise=(0.1, 0.2)), "`batch_noise` must have one entry for each of the 3 tasks"),
        (lambda: Noisy(plain(), evaluation_noise=np.nan), "`evaluation_noise` must be in"),
        (lambda: Noisy(plain(), gain_noise=-1.0), "`gain_noise` must be in"),
        (lambda: Delayed(plain(), steps=-1), "`steps` must be at least 0"),
        (lambda: Delayed(plain(), missing=1.0), r"`missing` must be in \[0, 1\)"),
        (lambda: Priced(plain(), prices=(1.0, -1.0, 1.0)), r"`prices\[1\]` must be in \(0, inf\)"),
        (lambda: Priced(plain(), prices=0.0), r"`prices` must be in \(0, inf\)"),
        (lambda: Change(plain(), at=1.0), r"`at` must be in \(0, 1\)"),
        (lambda: Change(plain(), keep=1.5), r"`keep` must be in \[0, 1\]"),
        (lambda: Change(plain(), after=-1.0), "`after` must be in"),
        (lambda: Drift(plain(), end=np.inf), "`end` must be in"),
        (lambda: BanditWorld(means=(0.5, 1.5), budget=10), r"`means\[1\]` must be in \[0, 1\]"),
        (lambda: BanditWorld(means=(), budget=10), "`means` must name at least one task"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_world_without_experience_cannot_change_it():
    world = Change(BanditWorld(means=(0.5, 0.5), budget=4), keep=0.5)
    world.reset(1)
    for _ in range(2):
        world.step(np.array([0]))
    with pytest.raises(ValueError, match="BanditWorld has no experience that could lose its worth"):
        world.step(np.array([0]))


def test_every_shipped_world_has_examples_with_parameters():
    for cls in (LearningWorld, BanditWorld, Noisy, Priced, Change, Drift, Delayed):
        for example in cls.examples():
            assert isinstance(example, World)
            assert example.params()["name"] == cls.name
            example.reset(2)
            assert example.scores().shape == (2, example.n_tasks)
