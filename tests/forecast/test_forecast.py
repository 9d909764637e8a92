"""The forecaster: derivatives, recovery of known worlds, calibration, honesty on bad input."""

from dataclasses import replace

import numpy as np
import pytest

from apportion import Task
from apportion.constraints import Constraints
from apportion.forecast import (
    FittedWorld,
    History,
    Lessons,
    MeanScore,
    OwnObjective,
    Priors,
    Targets,
    WorstScore,
    check_forecasts,
    fit,
    learn_priors,
    make_plan,
    replay,
)
from apportion.forecast._evidence import TRANSFER
from apportion.forecast._fit import posterior_of_shapes
from apportion.forecast._members import Pairs, _opened
from apportion.forecast._noise import CONSISTENT, TAILS
from apportion.forecast._planning import SEGMENTS, cut, toll
from apportion.forecast._search import best_shares
from apportion.forecast._state import binned
from apportion.forecast._variants import experience, value_and_slope, variants_of_one
from apportion.policies import Exp3, Planner, Uniform
from apportion.records import Context, Evaluation
from apportion.sim import LearningWorld

N_TASKS = 4
TASKS = tuple(Task(name=name) for name in "abcd")


def world(transfer=None, scale=(20.0, 80.0, 200.0, 600.0), **parameters):
    return LearningWorld(tasks=TASKS, budget=800, scale=scale, transfer=transfer, **parameters)


def history(setting, *, n_runs=8, n_steps=400, every=20, noise=0.005, seed=0):
    """Runs with shares that change every 40 steps, evaluated with noise; and the world as it is then."""
    generator = np.random.default_rng(seed)
    setting = setting.clone()
    setting.reset(n_runs)
    counts, scores, drawn = [], [], np.zeros((n_runs, setting.n_tasks))
    shares = np.full((n_runs, setting.n_tasks), 1.0 / setting.n_tasks)
    for step in range(n_steps + 1):
        if step % every == 0:
            counts.append(drawn.copy())
            scores.append(setting.scores() + noise * generator.normal(size=drawn.shape))
        if step % 40 == 0:
            shares = generator.dirichlet(np.ones(setting.n_tasks), size=n_runs)
        if step < n_steps:
            chosen = (shares.cumsum(axis=1) <= generator.uniform(size=(n_runs, 1))).sum(axis=1)
            chosen = np.minimum(chosen, setting.n_tasks - 1)
            setting.step(chosen)
            drawn[np.arange(n_runs), chosen] += 1
    table = np.stack(counts, axis=1)
    return setting, History(
        tasks=tuple(setting.tasks),
        counts=table,
        scores=np.stack(scores, axis=1),
        budget=float(setting.budget),
        spent=table.sum(axis=2),
        costs=np.ones((n_runs, setting.n_tasks)),
        evaluation_cost=np.zeros(n_runs),
        upper=np.full(setting.n_tasks, np.inf),
        examples=np.zeros_like(table),
    )


def test_slope_of_every_tail_is_the_derivative():
    z = np.array([-2.0, 0.01, 0.5, 3.0, 40.0])
    for tail in (np.inf, 0.6, 2.0):
        value, slope = value_and_slope(z, np.array(tail))
        near = (value_and_slope(z + 1e-6, np.array(tail))[0] - value_and_slope(z - 1e-6, np.array(tail))[0]) / 2e-6
        np.testing.assert_allclose(slope, near, rtol=1e-5, atol=1e-9)
        assert (np.diff(value) > 0).all()


def test_harm_ends_somewhere():
    assert value_and_slope(np.array([-1e6, 0.0]), np.array(np.inf))[0].tolist() == [-0.5, 0.0]


def test_tasks_of_a_run_share_the_odds_of_their_shapes():
    odds = np.log([0.5, 0.5])
    unsure = np.zeros((1, 2, 1))
    sure = np.array([[[0.0], [6.0]]])
    alone = posterior_of_shapes(unsure, odds)
    np.testing.assert_allclose(alone, 0.5)
    together = posterior_of_shapes(np.concatenate((unsure, np.repeat(sure, 10, axis=2)), axis=2), odds)
    # Ten others are nearly certain, and the prior counts as much as ten tasks: 0.5 / 2 + 1 / 2.
    np.testing.assert_allclose(together[0, 1, 0], 0.75, atol=0.005)
    np.testing.assert_allclose(together.sum(axis=1), 1.0)


def test_weights_of_scores_leave_normal_noise_its_variance():
    z = np.linspace(-12.0, 12.0, 100_001)
    squares = z**2 * np.minimum((TAILS + 1.0) / (TAILS + z**2), 1.0)
    mean = np.sum(squares * np.exp(-(z**2) / 2)) * (z[1] - z[0]) / np.sqrt(2 * np.pi)
    assert pytest.approx(mean, abs=1e-4) == CONSISTENT


def test_a_score_that_is_far_off_is_not_taken_for_noise():
    past = replace(history(world())[1], upper=np.full(N_TASKS, 1.02))
    clean = fit(past, n_members=64, look_back=False).forecast().scores
    off = past.scores.copy()
    off[:, 5, 1] -= 2.5
    shaken = fit(replace(past, scores=off), n_members=64, look_back=False).forecast().scores
    # Had it been taken for noise, this task would be 0.3 away, in intervals seven times as wide.
    moved = np.abs(shaken.value - clean.value)
    assert moved[:, 1].mean() < 0.05
    assert np.delete(moved, 1, axis=1).max() < 0.05
    assert np.median((shaken.upper - shaken.lower) / (clean.upper - clean.lower)) < 1.5


def test_experience_agrees_with_a_batch_by_batch_sum():
    generator = np.random.default_rng(1)
    chosen = generator.integers(3, size=300)
    drawn = np.cumsum(np.eye(3)[chosen], axis=0)
    counts = np.concatenate((np.zeros((1, 3)), drawn[9::10]))[None]
    for fading, plateau in ((0.0, 0.0), (3.0, 0.0), (0.0, 0.2), (0.0, -0.2)):
        found = experience(counts, 0.0 * counts, np.array([300.0]), variants_of_one(np.inf, fading, plateau))[0, 0, -1]
        wanted = np.zeros(3)
        for step, task in enumerate(chosen):
            ready = (step + 0.5) ** 2 / ((step + 0.5) ** 2 + (plateau * 300) ** 2)
            ready = 1.0 - ready if plateau < 0 else ready
            wanted[task] += ready * np.exp(-fading * (300 - step - 0.5) / 300)
        np.testing.assert_allclose(found, wanted / 100, rtol=0.02)


@pytest.mark.parametrize("objective", [MeanScore(), WorstScore(), Targets({"a": 0.9, "c": 0.7})])
def test_gradient_of_the_objective_by_the_shares(objective):
    _, past = history(world(transfer=np.eye(4) + 0.3 * np.eye(4, k=1)), n_runs=2)
    posterior = fit(past, n_members=16)
    outlook = posterior.outlook(cut(past.remaining / past.budget))
    shares = np.random.default_rng(0).dirichlet(np.ones(4), size=(2, SEGMENTS))

    def value(table):
        return objective.value(outlook.scores(table), TASKS).mean(axis=1)

    gradient = outlook.gradient(shares, objective.gradient(outlook.scores(shares), TASKS))
    for segment in range(SEGMENTS):
        for task in range(4):
            high, low = shares.copy(), shares.copy()
            high[:, segment, task] += 1e-6
            low[:, segment, task] -= 1e-6
            np.testing.assert_allclose(
                gradient[:, segment, task], (value(high) - value(low)) / 2e-6, rtol=2e-3, atol=1e-7
            )


def test_a_users_objective_has_the_numeric_gradient_of_the_same_named_one():
    scores = np.random.default_rng(0).uniform(size=(2, 5, 4))
    own = OwnObjective(lambda table: table.mean(axis=-1))
    np.testing.assert_allclose(own.gradient(scores, TASKS), MeanScore().gradient(scores, TASKS), atol=1e-8)


def test_search_solves_a_concave_problem():
    wanted = np.array([[[0.5, 0.3, 0.2, 0.0]]])
    found = best_shares(
        lambda table: -((table - wanted) ** 2).sum(axis=(1, 2)),
        lambda table: -2 * (table - wanted),
        np.full((1, 1, 4), 0.25),
        clip=lambda table: 0.999 * table + 0.001 / 4,
        iterations=200,
    )
    np.testing.assert_allclose(found, wanted, atol=0.005)


def test_forecasts_of_the_right_model_are_near_and_cover():
    """8 runs x 4 tasks from half the budget; intervals of 90 % must hold at least 24 of 32 (by chance below 1e-6)."""
    setting, past = history(world(transfer=np.eye(4) + 0.4 * np.eye(4, k=2)))
    posterior = fit(past)
    setting.flow(np.full((8, 4), 0.25), 400.0)
    said = posterior.forecast()
    assert np.abs(said.scores.value - setting.scores()).mean() < 0.03
    inside = (said.scores.lower <= setting.scores()) & (setting.scores() <= said.scores.upper)
    assert inside.sum() >= 24
    assert (np.abs(posterior.noise.mean() - 0.005)) < 0.003


def test_transfer_is_found_where_it_is():
    _, past = history(world(transfer=np.eye(4) + 1.0 * (np.eye(4, k=2) > 0), scale=(150.0,) * 4), n_runs=6, n_steps=600)
    found = fit(past).transfer()
    true, off = found.value[:, [0, 1], [2, 3]], found.value[:, [0, 1, 2, 3], [1, 2, 1, 0]]
    assert true.mean() > 0.6
    assert np.abs(off).mean() < 0.25
    assert (found.lower <= found.value).all()
    assert (found.value <= found.upper).all()


def hardly_drawn(priority=1.0):
    """A run of four tasks that teach each other nothing, the last of which was never drawn."""
    tasks = tuple(Task(name=name, priority=1.0 if name == "a" else priority) for name in "abcd")
    setting = LearningWorld(tasks=tasks, budget=800, scale=(150.0,) * 4)
    setting.reset(1)
    counts, scores, generator = [], [], np.random.default_rng(0)
    for _ in range(21):
        counts.append(setting.counts_[0].copy())
        scores.append(setting.scores()[0] + 0.005 * generator.normal(size=4))
        setting.flow(np.array([[0.4, 0.4, 0.2, 0.0]]), 20.0)
    return History.of_run(tasks, counts=np.array(counts), scores=np.array(scores), budget=800)


def test_a_task_that_was_never_drawn_is_not_said_to_teach_nothing():
    past = hardly_drawn()
    found = fit(past).transfer()
    width = (found.upper - found.lower)[0]
    tried, untried = width[[0, 0, 1], [1, 2, 0]], width[:3, 3]
    assert untried.min() > 0.5
    assert tried.max() < untried.min()
    assert (np.abs(found.value[0, :3, 3]) < 0.1).all()
    # Unless it was known before.
    known = fit(past, priors=Priors(transfer_scale=1e-4, slab=1e-4)).transfer()
    assert (known.upper - known.lower)[0, :3, 3].max() < 0.01


def test_plan_finds_what_is_worth_it_and_obeys_constraints():
    transfer = np.eye(4)
    transfer[3, 3] = 0.0
    setting, past = history(world(transfer=transfer, scale=(10.0, 300.0, 300.0, 100.0)), n_runs=4, n_steps=300)
    plan = make_plan(fit(past))
    assert (plan.overall[:, 1:3].sum(axis=1) > 0.85).all()
    # That the tasks which are worth it may stop teaching anything keeps one run in four from being sure.
    assert (plan.gain.value > 0.05).all()
    assert (plan.gain.lower > 0).sum() >= 3
    assert plan.droppable[:, 3].all()
    assert not plan.droppable[:, 1:3].any()
    # The task that learns nothing may yet begin, which at less than half of the budget nothing has ruled out.
    assert (plan.waiting[:, 3] > 0.05).all()
    assert (plan.waiting[:, 3] < 0.3).all()
    assert (plan.waiting[:, :3] < 0.05).all()
    bound = make_plan(fit(past), constraints=Constraints(floor=0.1, cap={"b": 0.3}))
    assert (bound.shares.min(axis=(0, 1)) >= 0.1 - 1e-6).all()
    assert (bound.shares[..., 1] <= 0.3 + 1e-6).all()
    better, alike = setting.clone(), setting.clone()
    for copy, shares in ((better, plan.overall), (alike, np.full((4, 4), 0.25))):
        copy.reset(4)
        copy.flow(past.counts[:, -1] / 300.0, 300.0)
        copy.flow(shares, 500.0)
    assert (better.objective() > alike.objective()).all()


def test_pairs_are_open_where_the_data_show_it_and_by_chance_where_they_say_nothing():
    # From tasks "a" to "d" to "d": much told and a transfer of 1, much told and none, nothing told; the last is itself.
    told, transfer = np.array([100.0, 100.0, 1e-6, 100.0]), np.array([1.0, 0.0, 0.0, 1.0])
    ridge = np.full((1, 4000, 1, TRANSFER + 4), 1e4)
    curvature = np.zeros((1, 4000, 4, TRANSFER + 4, TRANSFER + 4))
    curvature[..., range(TRANSFER, TRANSFER + 4), range(TRANSFER, TRANSFER + 4)] = told
    away = np.broadcast_to(transfer * told / (told + 1e4), (1, 4000, 4, 4))
    uniforms = np.random.default_rng(0).uniform(size=(4000, 4, 4))
    for untried, none, nothing in ((0.0, 0.0, 0.0), (0.3, 0.066, 0.3), (0.6, 0.198, 0.6)):
        is_open = _opened(curvature.copy(), away, ridge, np.full((4, 4), 0.6), Pairs(untried, uniforms))
        np.testing.assert_allclose(is_open[0, :, 3].mean(axis=0), (1.0, none, nothing, 0.0), atol=0.03)


def test_noise_of_the_objective_is_held_against_a_plan():
    _, past = history(world(), n_runs=2)
    outlook = fit(past, n_members=8).outlook(cut(past.remaining / past.budget))
    shares, noise, left = np.full((2, SEGMENTS, 4), 0.25), np.full((2, 4), 0.03), np.array([1.0, 0.5])

    def held(tasks, evaluations, earlier=0):
        given = {"noise": noise, "left": left, "evaluations": evaluations, "earlier": earlier}
        return toll(1.5, outlook, tasks, MeanScore(), shares, **given)

    # The mean of four tasks has half the noise of one, a single target all of it; more evaluations hide less.
    np.testing.assert_allclose(held(TASKS, 10), 1.5 * 0.015 * left)
    single = [Task(name=task.name, priority=float(task.name == "b")) for task in TASKS]
    np.testing.assert_allclose(held(single, 10), 1.5 * 0.03 * left)
    np.testing.assert_allclose(held(single, 40), 0.5 * held(single, 10))
    # An earlier run tells as much as ten evaluations.
    np.testing.assert_allclose(held(single, 10, 3), held(single, 40))
    lessons = Lessons.of([fit(past, n_members=8)])
    told = fit(past, priors=learn_priors([fit(past, n_members=8)], like=past), n_members=8)
    assert told.earlier == lessons.runs == 2
    assert fit(past, n_members=8).earlier == 0


def test_marginal_worth_and_budget_for_targets():
    _, past = history(world(), n_runs=3)
    posterior = fit(past)
    worth = posterior.marginal()
    assert (worth.value.argmax(axis=1) >= 1).all()  # the fastest task has nothing left to learn
    none = posterior.budget_for({"a": 0.1})
    some = posterior.budget_for({"c": 0.97})
    assert (none == 0).all()
    assert (some > 0).all()
    assert np.isinf(posterior.budget_for({"a": 50.0})).all()


def test_forecasts_stay_below_the_largest_score():
    posterior = fit(history(world(), n_runs=1)[1], n_members=8)
    posterior.history.upper[:] = 1.0
    posterior.members.start[:] = 1.02  # as draws do where a task begins at its best
    posterior.members.span[:] = 0.0
    assert (posterior.forecast().scores.upper == 1.0).all()


def test_check_beats_the_last_value():
    _, past = history(world(), n_runs=6, n_steps=800)
    found = check_forecasts(past, fractions=(0.5,))
    assert found.error[0] < 0.5 * found.last_value[0]
    assert 0.7 <= found.coverage[0] <= 1.0


def test_priors_from_earlier_runs_help_early():
    setting, past = history(world(transfer=np.eye(4) + 0.5 * np.eye(4, k=1)), n_runs=8, n_steps=800)
    setting, early = history(setting, n_runs=8, n_steps=80, seed=5)
    priors = learn_priors([fit(past)], like=early)
    setting.flow(np.full((8, 4), 0.25), 720.0)
    errors = [
        np.abs(fit(early, priors=each).forecast().scores.value - setting.scores()).mean() for each in (None, priors)
    ]
    assert errors[1] < 0.7 * errors[0]


def test_lessons_make_the_first_plan_good_and_outlive_their_directory(tmp_path):
    setting, past = history(world(scale=(20.0, 80.0, 200.0, 20000.0)), n_runs=2, n_steps=800)
    lessons = Lessons.of([fit(past, look_back=False)])
    lessons.save(tmp_path / "lessons.json")
    assert Lessons.of_paths(tmp_path / "lessons.json") == lessons
    np.testing.assert_allclose(np.exp(lessons.speed[:2]), [1 / 20, 1 / 80], rtol=0.1)
    tasks = TASKS[::-1]
    start = Evaluation(step=0, scores=setting.scores()[:1, ::-1] * 0, counts=np.zeros((1, 4), dtype=np.int64))
    context = Context.start(4, budget=800.0)
    policy = Planner(priors=str(tmp_path / "lessons.json"))
    policy.reset(tasks)
    policy.observe(start)
    shares = policy.probabilities(context)
    assert shares[0, 0] == shares.min() < 0.15  # "d" learns too slowly to be worth much
    # They told what a tour of the tasks would tell.
    counts = np.full((1, 4), 10)
    for policy_, toured in ((policy.clone(), False), (Planner(), True)):
        policy_.reset(tasks)
        for step, scores in enumerate((0.0, 0.1)):
            policy_.observe(
                Evaluation(
                    step=40 * step, scores=start.scores + scores, counts=step * counts, progress=np.array([0.05 * step])
                )
            )
        assert (policy_.strength_[0] > 0) == toured
    (tmp_path / "lessons.json").unlink()
    again = policy.clone()
    again.reset(tasks)
    with pytest.raises(FileNotFoundError, match="must name run directories or a file of lessons"):
        again.probabilities(context)
    again.load_state_dict(policy.state_dict())
    np.testing.assert_array_equal(again.probabilities(context), shares)
    with pytest.raises(ValueError, match="they differ in d, e"):
        Planner(priors=lessons.data()).reset([*TASKS[:3], Task(name="e")])
    with pytest.raises(ValueError, match="must have the entries"):
        Planner(priors={"speed": [1.0]})
    with pytest.raises(TypeError, match="must be paths"):
        Planner(priors=3)


def test_replay_of_a_policy_is_near_what_it_reaches():
    setting, past = history(world(), n_runs=1, n_steps=800)
    posterior = fit(past)
    setting.reset(1)
    setting.flow(np.full((1, 4), 0.25), 800.0)
    said = replay(posterior, Uniform(), seed=0).estimate
    assert said.estimand == "run"
    assert said.lower <= setting.objective()[0] <= said.upper
    assert np.isfinite(replay(posterior, Exp3(), seed=0, n_runs=4).estimate.value)


@pytest.mark.parametrize("scores", [[[0.3]], [[0.3], [0.3], [0.3]], [[0.2], [np.nan], [0.5]]])
def test_one_task_one_evaluation_constant_scores_and_gaps(scores):
    counts = [[10.0 * index] for index in range(len(scores))]
    posterior = fit(History.of_run([Task(name="a")], counts=counts, scores=scores, budget=100))
    said = posterior.forecast()
    if len(scores) == 1:
        assert np.isnan(said.scores.value).all()
        assert np.isinf(said.scores.upper).all()
        assert "Nothing can be said about a" in make_plan(posterior).warnings[0]
    else:
        assert (said.scores.lower <= said.scores.value).all()
    np.testing.assert_allclose(make_plan(posterior).overall, 1.0)


@pytest.mark.parametrize(("upper", "least"), [(1.0, 0.0), (np.inf, -np.inf)])
def test_bounded_scores_are_not_forecast_below_zero(upper, least):
    counts = np.array([[0, 0], [10, 0], [20, 0], [20, 5], [20, 10], [20, 15], [20, 20]], dtype=float)
    scores = np.array([[0.5, 0.5, 0.5, 0.4, 0.3, 0.2, 0.1], [0.1, 0.1, 0.1, 0.3, 0.5, 0.6, 0.7]]).T
    posterior = fit(History.of_run(TASKS[:2], counts=counts, scores=scores, budget=200, upper=upper))
    lower = posterior.forecast({"b": 1.0}).scores.lower[0, 0]
    assert lower >= 0.0 if np.isfinite(least) else lower < 0.0


def test_a_task_without_scores_is_not_claimed_to_be_known():
    _, past = history(world(), n_runs=1)
    past.scores[:, :, 2] = np.nan
    said = fit(past).forecast().scores
    assert np.isnan(said.value[0, 2])
    assert np.isfinite(said.value[0, [0, 1, 3]]).all()


def test_bad_input_is_refused_in_a_sentence():
    good = {"counts": [[0.0], [5.0]], "scores": [[0.1], [0.2]], "budget": 10.0}
    one = [Task(name="a")]
    for wrong, words in (
        ({"scores": [[0.1], [1.2]], "upper": 1.0}, "must be at most 1"),
        ({"counts": [[5.0], [4.0]]}, "never fall"),
        ({"scores": [[0.1], [np.inf]]}, "infinite"),
        ({"counts": [], "scores": []}, "must have a row per evaluation"),
        ({"budget": 0.0}, "`budget` must be in"),
    ):
        with pytest.raises(ValueError, match=words):
            History.of_run(one, **{**good, **wrong})
    posterior = fit(History.of_run(one, **{**good, "budget": 4.0}))
    with pytest.raises(ValueError, match="nothing is left to plan: 5 of the budget of 4"):
        make_plan(posterior)
    with pytest.raises(ValueError, match="names the task 'b'"):
        posterior.forecast({"b": 1.0})
    with pytest.raises(ValueError, match="must not all be zero"):
        posterior.forecast({"a": 0.0})
    with pytest.raises(ValueError, match="needs loss"):
        replay(posterior, _Needy(), seed=0)


class _Needy(Uniform):
    needs = frozenset({"loss"})


def test_binning_keeps_the_last_evaluations():
    values = np.arange(7.0).reshape(1, 7, 1)
    assert binned(values, 3).ravel().tolist() == [1.0, 4.0, 6.0]


def test_a_state_of_a_version_with_other_shapes_goes_on_with_a_new_fit():
    def told(step):
        counts = np.full((1, N_TASKS), step)
        scores = 1.0 - np.exp(-counts / np.array([20.0, 40.0, 80.0, 160.0]))
        return Evaluation(step=step * N_TASKS, scores=scores, counts=counts, progress=np.array([step / 200]))

    planner, other = Planner(), Planner()
    for policy in (planner, other):
        policy.reset(TASKS)
    for step in range(0, 50, 10):
        planner.observe(told(step))
    state = planner.state_dict()
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.theta_, planner.theta_)
    planner.theta_ = planner.theta_[:, 1:]
    other.load_state_dict(planner.state_dict())
    assert not other.fitted_.any()
    np.testing.assert_array_equal(other.plan_, planner.plan_)
    other.observe(told(50))
    assert other.fitted_.all()
    assert np.isfinite(other.plan_).all()


def test_thompson_sampling_plans_for_a_few_draws_and_is_repeatable():
    from apportion.sim import simulate

    setting = world(evaluations=20)
    mean, first, again = (simulate(setting, Planner(thompson=number), n_runs=2, seed=0).counts for number in (0, 1, 1))
    assert (first == again).all()
    assert (first != mean).any()
    every, all_ = (simulate(setting, Planner(thompson=number), n_runs=2, seed=0).counts for number in (0, 16))
    assert (every == all_).all()
    for wrong in (-1, 17):
        with pytest.raises(ValueError, match="`thompson` must be from 0 to 16"):
            Planner(thompson=wrong)


def test_planner_beats_uniform_where_tasks_are_unequal_and_hardly_loses_where_equal():
    from apportion.sim import simulate

    for scale, low, high in (((10.0, 40.0, 400.0, 800.0), 0.01, 1.0), ((100.0,) * 4, -0.012, 1.0)):
        setting = world(scale=scale, evaluations=100)
        planned = simulate(setting, Planner(), n_runs=6, seed=0).final.mean()
        alike = simulate(setting, Uniform(), n_runs=6, seed=0).final.mean()
        assert low < planned - alike < high


def often(name):
    """A public world with 50 evaluations of noise 0.005."""
    from apportion.sim.suite import load

    noisy = load(name, split="public")
    inner = replace(noisy.world, evaluations=noisy.budget // 50)
    return replace(noisy, world=inner, evaluation_noise=0.005)


def test_a_tour_finds_a_helper_that_the_plan_drops_untried():
    from apportion.sim import simulate

    toured, not_toured = (
        simulate(often("auxiliary/1"), Planner(focus=part), n_runs=4, seed=11, forward_cost=0.0).final.mean()
        for part in (1.0, 0.0)
    )
    assert toured > not_toured + 0.02
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"`focus` must be in \[0, 1\]"):
            Planner(focus=wrong)


def toured(n_evaluations, n_tasks=4, **parameters):
    """Shares after each of so many evaluations, the first before training, of tasks that all score alike."""
    policy = Planner(floor=0.0, tether=1000.0, **parameters)
    policy.reset([Task(name=f"t{index}") for index in range(n_tasks)])
    found = []
    for number in range(n_evaluations):
        counts = np.full((1, n_tasks), 10 * number)
        policy.observe(
            Evaluation(
                step=int(counts.sum()),
                scores=np.full((1, n_tasks), 0.01 * number),
                counts=counts,
                progress=np.array([number / n_evaluations]),
            )
        )
        context = Context.start(n_tasks)
        context.spent, context.budget = np.array([number / n_evaluations]), 1.0
        found.append(policy.probabilities(context)[0])
    return np.array(found)


def test_a_tour_gives_every_task_a_block_of_its_own_and_ends_in_time():
    shares = toured(20)
    np.testing.assert_allclose(shares[0], 0.25)
    np.testing.assert_allclose(np.sort(shares[1:5].argmax(axis=1)), [0, 1, 2, 3])
    np.testing.assert_allclose(shares[1:5].max(axis=1), 1.0)
    np.testing.assert_allclose(shares[10:], 0.25, atol=1e-6)
    # Blocks go on, and are weaker.
    assert (np.diff(shares[5:9].max(axis=1)) <= 0.0).all()
    np.testing.assert_allclose(toured(20, focus=0.0), 0.25, atol=1e-6)
    # With four blocks for eight tasks each belongs to two of them or more, and by a part of at most (4/8)^2.
    few = toured(10, n_tasks=8)
    assert ((few > 0.125 + 1e-6).sum(axis=1)[1:5] >= 2).all()
    assert few.max() < 0.125 + 0.25 / 2
    # A block lasts `hold` at least.
    np.testing.assert_allclose(toured(40, hold=0.1)[2:5], toured(40, hold=0.1)[[2, 2, 2]])


def test_a_task_that_has_not_begun_is_not_given_up():
    from apportion.sim import simulate

    # "a" waits for "b", which takes its time, and learns nothing from its own block of the tour.
    waiting = world(scale=(60.0, 150.0, 100.0, 100.0), evaluations=40, prerequisites=((0, 1, 0.6),))
    final = simulate(waiting, Planner(), n_runs=4, seed=0).scores
    assert final[:, 0].min() > 0.6


def test_a_fitted_world_starts_late_where_its_draw_does():
    transfer = np.eye(4)
    transfer[3, 3] = 0.0
    _, past = history(world(transfer=transfer, scale=(10.0, 300.0, 300.0, 100.0)), n_runs=1, n_steps=300)
    posterior = fit(past, n_members=64)
    late, fitted = posterior.waiting[0, :, 3], FittedWorld(posterior)
    assert late.any()
    found = []
    for steps in (0, 300, 500):
        for _ in range(steps):
            fitted.step(np.full(64, 3), np.ones(64))
        found.append(fitted.scores()[late, 3])
    np.testing.assert_array_equal(found[1], found[0])
    assert (found[2] > found[0] + 0.01).mean() > 0.5
