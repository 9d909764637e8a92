"""Runs that break, and tasks whose batches stop teaching."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from apportion import Task
from apportion.forecast import FittedWorld, History, fit
from apportion.forecast._breaks import has_broken
from apportion.forecast._planning import toll
from apportion.forecast._variants import experience, mean_open, variants_of_one
from apportion.forecast.doubts import doubts
from apportion.policies import Planner, planner
from apportion.records import Evaluation
from apportion.sim import simulate
from apportion.sim.suite import load

TASKS = tuple(Task(name=name) for name in "abcd")
SCALE = np.array([40.0, 60.0, 90.0, 150.0])


def broken(at, n_evaluations=30, seed=0, keep=0.2, noise=0.005):
    """Runs with varied shares; at evaluation `at` all tasks lose most of what they had learned."""
    generator = np.random.default_rng(seed)
    counts = np.cumsum(generator.integers(0, 10, size=(1, n_evaluations, 4)), axis=1).astype(float)
    learned = counts.copy()
    learned[:, at:] -= (1.0 - keep) * counts[:, at - 1 : at]
    scores = 0.9 * (1.0 - np.exp(-learned / SCALE)) + noise * generator.normal(size=counts.shape)
    return History(
        tasks=TASKS,
        counts=counts,
        scores=scores,
        budget=1.5 * counts[0, -1].sum(),
        spent=counts.sum(axis=2),
        costs=np.ones((1, 4)),
        evaluation_cost=np.zeros(1),
        upper=np.ones(4),
        examples=np.zeros_like(counts),
    ), 0.9 * (1.0 - np.exp(-(learned[:, -1] + 30.0) / SCALE))


def test_only_what_came_after_a_break_counts():
    history, truth = broken(14)
    found = fit(history)
    assert found.begun.tolist() == [14]
    assert found.fits_well.all()
    assert found.stretch[0] < 1.5
    assert "The run broke at 3" in doubts(found)[0]
    said = found.forecast(budget=120.0)
    assert np.abs(said.scores.value - truth).max() < 0.05
    # As good as if what came before had never been there.
    blank = replace(history, scores=np.where(np.arange(30)[:, None] < 14, np.nan, history.scores))
    np.testing.assert_allclose(said.scores.value, fit(blank).forecast(budget=120.0).scores.value, atol=0.05)


def test_a_run_may_break_twice_and_others_beside_it_never():
    first, _ = broken(10)
    again = first.scores.copy()
    again[:, 20:] *= 0.3
    smooth, _ = broken(10, keep=1.0, seed=1)
    both = {
        name: np.concatenate((getattr(first, name), getattr(smooth, name)))
        for name in ("counts", "spent", "costs", "evaluation_cost", "examples")
    }
    found = fit(replace(first, scores=np.concatenate((again, smooth.scores)), **both))
    assert found.begun.tolist() == [20, 0]


def test_too_little_after_a_break_leaves_a_bad_fit_and_says_so():
    found = fit(broken(28)[0])
    assert found.begun.tolist() == [0]
    assert not found.fits_well.any()
    assert "fit badly" in doubts(found)[0]


def test_noise_drift_and_one_evaluation_that_is_far_off_do_not_break_a_run():
    assert fit(broken(14, keep=1.0)[0]).begun.tolist() == [0]
    assert fit(broken(14, keep=1.0, noise=0.03)[0]).begun.tolist() == [0]
    history, _ = broken(14, keep=1.0)
    history.scores[0, 12, 1] -= 0.5
    assert fit(history).begun.tolist() == [0]


def test_a_break_is_a_misfit_that_is_large_and_came_at_once():
    found = SimpleNamespace(
        misfit=np.array([3.9, 4.1, 4.1, 100.0, np.nan, 4.1, 4.1]),
        rough=np.array([0.02, 0.02, 0.02, 0.02, 0.02, np.nan, 0.001]),
        scale=np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.05]),
    )
    before = np.array([1.0, 1.0, 2.0, 40.0, 1.0, 1.0, 1.0])
    assert has_broken(found, before).tolist() == [False, True, False, False, False, True, True]
    # So small a residual is the model's, where there is hardly any noise.
    found.rough = np.full(7, 1e-6)
    assert not has_broken(found, before)[:3].any()


def observed(policy, history):
    """The policy after each evaluation of a history."""
    policy.reset(list(history.tasks))
    for index in range(history.n_evaluations):
        policy.observe(
            Evaluation(
                step=int(history.spent[0, index]),
                scores=history.scores[:, index],
                counts=history.counts[:, index].astype(int),
                progress=history.spent[:, index] / history.budget,
            )
        )
        yield policy


def test_a_planner_begins_anew_at_the_break_with_another_tour_and_resumes():
    history, _ = broken(14)
    policies = observed(Planner(), history)
    for _ in range(15):
        policy = next(policies)
    assert policy.begun_.tolist() == [14]
    np.testing.assert_array_equal(policy.plan_[0], 0.25)
    assert policy.until_[0] == pytest.approx((1.0 + history.spent[0, 14] / history.budget) / 2.0)
    assert policy.visited_.sum() == 1
    np.testing.assert_allclose(policy.due_, 0.25 - policy.focus_)
    assert not policy.fitted_.any()
    assert (policy.misfit_[0], policy.confidence_[0]) == (1.0, 0.0)
    assert np.isinf(policy.worth_).all()
    other = Planner()
    other.reset(list(TASKS))
    other.load_state_dict(policy.state_dict())
    for index, policy in zip(range(15, 22), policies, strict=False):
        next_ = Evaluation(
            step=int(history.spent[0, index]),
            scores=history.scores[:, index],
            counts=history.counts[:, index].astype(int),
            progress=history.spent[:, index] / history.budget,
        )
        other.observe(next_)
        np.testing.assert_array_equal(other.plan_, policy.plan_)
    assert policy.begun_.tolist() == [14]
    assert policy.fitted_.all()
    assert policy.misfit_[0] < 2.0
    # By then the slowest task is known to need most.
    assert policy.plan_[0, 0].argmax() in (2, 3)


def test_evaluations_before_a_break_do_not_loosen_the_tether(monkeypatch):
    numbers = []

    def spy(*args, **options):
        numbers.append(options["evaluations"].tolist())
        return toll(*args, **options)

    monkeypatch.setattr(planner, "toll", spy)
    history, _ = broken(14)
    policy = [*observed(Planner(), history)][-1]
    assert policy.begun_.tolist() == [14]
    assert numbers[-1] == [history.n_evaluations - 14]


def test_beginning_anew_gains_where_experience_is_lost(monkeypatch):
    change = load("change/2", split="public")
    inner = replace(change.world.world, evaluations=change.budget // 50)
    world = replace(change, world=replace(change.world, world=inner, evaluation_noise=0.005))
    anew = simulate(world, Planner(), n_runs=4, seed=11, forward_cost=0.0).final.mean()
    monkeypatch.setattr(planner, "has_broken", lambda fit, before: np.zeros(len(before), dtype=np.bool_))
    assert anew > simulate(world, Planner(), n_runs=4, seed=11, forward_cost=0.0).final.mean() + 0.003


def test_batches_after_an_early_end_teach_nothing():
    start, end = np.array([0.0, 2.0, 4.0]), np.array([2.0, 4.0, 6.0])
    np.testing.assert_allclose(mean_open(start, end, np.array(3.0)), [0.0, 0.5, 1.0])
    np.testing.assert_allclose(mean_open(start, end, np.array(-3.0)), [1.0, 0.5, 0.0])
    shape = variants_of_one(np.inf, 0.0, 0.0)
    shape.rows[0, 2] = -0.5
    counts = np.arange(0.0, 101.0, 10.0).reshape(1, -1, 1)
    found = experience(counts, np.zeros_like(counts), np.array([100.0]), shape)[0, 0, :, 0]
    np.testing.assert_allclose(found, np.minimum(counts[0, :, 0], 50.0) / 100.0)


def test_forecasts_of_a_task_that_has_ended_do_not_rise():
    posterior = fit(broken(14, keep=1.0)[0], n_members=16)
    shares = np.full((1, 1, 4), 0.25)
    posterior.members.interference[:] = 0.0
    for late, low, high in ((-0.5, 0.0, 0.0), (0.0, 0.01, 1.0)):
        # All draws take this shape, with the parameters that they have.
        posterior.members.variant[:] = np.flatnonzero(posterior.variants.late == late)[0]
        now, later = (posterior.outlook(np.array([[part]])).scores(shares) for part in (1e-9, 0.3))
        assert low - 1e-6 < np.abs(later - now).max() <= high + 1e-6


def test_a_fitted_world_ends_early_where_its_draw_does():
    posterior = fit(broken(14, keep=1.0)[0], n_members=64)
    ends = -posterior.variants.late[posterior.members.variant[0]]  # (members, tasks)
    task = int((ends > 0).sum(axis=0).argmax())
    world, ended = FittedWorld(posterior), ends[:, task] > 0
    assert ended.any()
    most = int(np.ceil(world.total * ends[ended, task].max()))
    found = []
    for steps in (0, most, most):
        for _ in range(steps):
            world.step(np.full(64, task), np.ones(64))
        found.append(world.scores()[:, task])
    assert (found[1] > found[0])[ended].all()
    np.testing.assert_allclose(found[2][ended], found[1][ended], atol=0.02)
