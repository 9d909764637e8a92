"""What training batches tell as evidence: it counts where it follows the scores, and harms nothing elsewhere."""

import numpy as np
import pytest

from apportion import Task
from apportion.budget import Steps
from apportion.forecast import History, fit, make_plan
from apportion.forecast._fit import Priors, fit_curves
from apportion.policies import Planner, Uniform
from apportion.records import Context, Evaluation
from apportion.selector import Selector
from apportion.sim import simulate
from apportion.sim.suite import load

TASKS = (Task(name="learns"), Task(name="stuck"))


def history(*, with_losses):
    """Twelve evaluations of which only the first two measured scores; one task learns, the other never does."""
    counts = np.outer(np.arange(12), [10.0, 10.0])
    truth = np.stack((0.1 + 0.8 * -np.expm1(-counts[:, 0] / 40), np.full(12, 0.1)), axis=1)
    scores = np.where(np.arange(12)[:, None] < 2, truth, np.nan)
    middle = np.concatenate((counts[:1], 0.5 * (counts[1:] + counts[:-1])))
    losses = np.stack((2.3 * (1 + 7 * np.exp(-middle[:, 0] / 40)) / 8, np.full(12, 2.3)), axis=1)
    generator = np.random.default_rng(0)
    losses[1:] += 0.02 * generator.normal(size=(11, 2))
    given = losses if with_losses else None
    return History.of_run(TASKS, counts=counts, scores=scores, budget=300, upper=1.0, losses=given), truth


def test_losses_tell_what_scores_were_not_measured():
    said = [fit(history(with_losses=given)[0], n_members=64).forecast().scores for given in (False, True)]
    true = [0.1 + 0.8 * -np.expm1(-150 / 40), 0.1]
    without, with_losses = (np.abs(item.value[0] - true) for item in said)
    assert with_losses[0] < 0.6 * without[0]
    assert with_losses.max() < 0.1
    assert (said[1].lower[0] < true).all()
    assert (true < said[1].upper[0]).all()
    # It is seen that the other task still learns nothing.
    assert said[1].upper[0, 1] < said[0].upper[0, 1]


def test_one_score_and_training_batches_are_enough_to_say_something():
    past, _ = history(with_losses=True)
    first = np.where(np.arange(12)[:, None] < 1, past.scores[0], np.nan)
    for losses, known in ((None, False), (past.losses[0], True)):
        given = History.of_run(TASKS, counts=past.counts[0], scores=first, budget=300, upper=1.0, losses=losses)
        posterior = fit(given, n_members=16)
        assert (posterior.known == known).all()
        assert (np.isfinite(posterior.forecast().scores.lower) == known).all()
        said = " ".join(make_plan(posterior).warnings)
        assert ("Nothing can be said about learns, stuck" in said) != known
        assert ("only training batches tell of learns, stuck" in said) == known


def test_losses_of_no_use_take_nothing_away():
    past, truth = history(with_losses=False)
    generator = np.random.default_rng(1)
    full = History.of_run(TASKS, counts=past.counts[0], scores=truth, budget=300, upper=1.0)
    noise = 1.0 + 0.5 * generator.random(size=(12, 2))
    noisy = History.of_run(TASKS, counts=past.counts[0], scores=truth, budget=300, upper=1.0, losses=noise)
    alone, beside = (fit(item, n_members=64).forecast().scores.value for item in (full, noisy))
    np.testing.assert_allclose(beside, alone, atol=0.05)


def test_fading_old_evaluations_does_not_make_a_right_model_look_wrong():
    # Where a bad fit makes the past fade, and a faded past a bad fit, no plan would ever be trusted again.
    counts = np.repeat(np.arange(0.0, 400.0, 10.0)[None, :, None], 2, axis=2)
    truth = 0.1 + 0.8 * -np.expm1(-counts / 60)
    generator = np.random.default_rng(2)
    scores = np.where(np.arange(40)[:, None] % 8 == 0, truth + 0.005 * generator.normal(size=truth.shape), np.nan)
    middle = np.concatenate((truth[:, :1], 0.5 * (truth[:, 1:] + truth[:, :-1])), axis=1)
    successes = middle + 0.03 / np.sqrt(10) * generator.normal(size=truth.shape)
    given = {"upper": np.ones((1, 2)), "memory": np.array([40.0]), "priors": Priors(), "successes": successes}
    for fade in (0.0, 6.0, 12.0):
        found = fit_curves(counts, np.zeros_like(counts), scores, np.array([800.0]), fade=np.array([fade]), **given)
        assert 0.5 < found.misfit[0] < 2.0


def test_tasks_that_are_always_wrong_do_not_make_the_others_look_badly_fitted():
    counts = np.repeat(np.arange(0.0, 400.0, 10.0)[None, :, None], 4, axis=2)
    middle = np.maximum(counts - 5.0, 0.0)
    generator = np.random.default_rng(3)
    successes = 0.8 * -np.expm1(-middle / 60) + 0.01 * generator.normal(size=counts.shape)
    successes[..., 1:] = 0.0
    scores = np.where(np.arange(40)[:, None] % 8 == 0, successes, np.nan)
    given = {"upper": np.ones((1, 4)), "memory": np.array([80.0]), "priors": Priors(), "successes": successes}
    found = fit_curves(counts, np.zeros_like(counts), scores, np.array([1600.0]), **given)
    assert found.misfit[0] < 2.0


def test_a_policy_hears_the_mean_loss_of_each_task_since_the_last_evaluation():
    class Listener(Uniform):
        listens = True

        def observe(self, evaluation):
            self.heard_ = evaluation.measured.get("training_loss")

    def selector():
        return Selector(TASKS, Listener(), budget=Steps(100), seed=0)

    one, losses = selector(), {"learns": [], "stuck": []}
    one.evaluate({"learns": 0.1})
    assert one.policy.heard_ is None
    for step in range(30):
        decision = one.ask()
        one.tell(decision, loss=float(step))
        losses[decision.name].append(step)
    other = selector()
    other.policy.heard_ = None
    other.load_state_dict(one.state_dict())
    for item in (one, other):
        item.evaluate({})
        np.testing.assert_allclose(item.policy.heard_, [[np.mean(losses["learns"]), np.mean(losses["stuck"])]])


def test_the_planner_leaves_out_evaluations_that_would_tell_little():
    world = load("speeds/1")
    all_, some = (simulate(world, Planner(thrift=thrift), n_runs=4, seed=3) for thrift in (0.0, 30.0))
    assert (some.evaluation_cost < 0.9 * all_.evaluation_cost).all()
    assert (some.evaluation_cost > 0).all()
    assert (some.counts.sum(axis=1) > all_.counts.sum(axis=1)).all()


def test_free_evaluations_measure_everything():
    policy = Planner(thrift=30.0)
    policy.reset(TASKS)
    for step in range(0, 50, 10):
        counts = np.array([[step // 2, step // 2]])
        policy.observe(
            Evaluation(step=step, scores=0.1 + 0.01 * counts, counts=counts, progress=np.array([step / 100]))
        )
    asked = policy.evaluation_tasks(Context.start(2, budget=100))
    assert asked is None or asked.all()


def test_losses_have_the_shape_of_scores():
    with pytest.raises(ValueError, match="`losses` must have the shape"):
        History.of_run(TASKS, counts=[[0, 0]], scores=[[0.1, 0.1]], budget=10, losses=[[1.0]])


def test_successes_tell_more_than_losses():
    past, _ = history(with_losses=True)
    middle = np.concatenate((past.counts[0][:1], 0.5 * (past.counts[0][1:] + past.counts[0][:-1])))
    truth = np.stack((0.1 + 0.8 * -np.expm1(-middle[:, 0] / 40), np.full(12, 0.1)), axis=1)
    right = truth + 0.03 * np.random.default_rng(2).normal(size=(12, 2))
    right[0] = np.nan
    told = {"losses": past.losses[0], "successes": right}
    both = History.of_run(TASKS, counts=past.counts[0], scores=past.scores[0], budget=300, upper=1.0, **told)
    by_loss, by_success = (fit(item, n_members=64).forecast().scores for item in (past, both))
    assert (by_success.upper - by_success.lower)[0, 0] < (by_loss.upper - by_loss.lower)[0, 0]
    np.testing.assert_allclose(by_success.value[0], [0.1 + 0.8 * -np.expm1(-150 / 40), 0.1], atol=0.05)


def test_successes_may_start_elsewhere_than_scores():
    # Of a regression, whose score is r2, 40 % are within the tolerance before any training.
    counts = np.outer(np.arange(12), [10.0, 10.0])
    learned = -np.expm1(-counts[:, 0] / 40)
    middle = np.concatenate((learned[:1], 0.5 * (learned[1:] + learned[:-1])))
    right = np.stack((0.4 + 0.5 * middle, 0.1 + 0.75 * middle), axis=1)
    right[1:] += 0.02 * np.random.default_rng(4).normal(size=(11, 2))
    scores = np.full((12, 2), np.nan)
    scores[0] = [-0.1, 0.1]
    told = {"successes": right, "losses": np.full((12, 2), np.nan)}
    past = History.of_run(TASKS, counts=counts, scores=scores, budget=300, upper=1.0, **told)
    said = fit(past, n_members=64).forecast().scores
    wanted = [1.1 * (0.5 / 0.6) - 0.1, 0.1 + 0.75]
    np.testing.assert_allclose(said.value[0], wanted, atol=0.08)
    assert (said.lower[0] < wanted).all()
    assert (wanted < said.upper[0]).all()


def test_means_over_many_batches_are_one_look_at_the_noise():
    # Of a task whose batches only make noise, nothing is learned by counting each of them.
    generator = np.random.default_rng(3)
    counts = np.outer(np.arange(20), [50.0, 50.0])
    right = 0.5 + 0.1 * generator.normal(size=(20, 2))  # far more than 50 batches of noise 0.1 explain
    right[0] = np.nan
    scores = np.full((20, 2), np.nan)
    scores[:2] = 0.5
    past = History.of_run(TASKS, counts=counts, scores=scores, budget=2000, upper=1.0, successes=right)
    said = fit(past, n_members=64).forecast().scores
    assert (said.lower <= 0.5).all()
    assert (said.upper >= 0.5).all()


def test_the_planner_pays_for_hardly_any_evaluation_where_batches_tell():
    result = simulate(load("equal/0"), Planner(), n_runs=4, seed=3)
    alike = simulate(load("equal/0"), "uniform", n_runs=64, seed=3).final.mean()
    assert (result.evaluation_cost < 0.02 * 1000).all()
    assert result.final.mean() > 0.99 * alike


@pytest.mark.parametrize("told", [(), ("loss",), ("success",)])
def test_the_planner_plans_whatever_a_loop_tells(told):
    selector = Selector(TASKS, Planner(), budget=Steps(200), seed=0)
    for step in range(100):
        if step % 10 == 0:
            asked = selector.policy.evaluation_tasks(selector.context())
            names = [name for index, name in enumerate(selector.names) if asked is None or asked[0, index]]
            held_out = dict.fromkeys(names, 0.1 + 0.004 * step)
            selector.evaluate(held_out, measured={"loss": dict.fromkeys(names, 2.0)}, cost=0.01)
        selector.tell(selector.ask(), **dict.fromkeys(told, 0.5))
    assert selector.policy.fitted_.all()


def test_a_task_that_starts_late_is_not_given_up():
    result = simulate(load("prerequisites/0"), Planner(), n_runs=4, seed=11)
    alike = simulate(load("prerequisites/0"), "uniform", n_runs=64, seed=11).final.mean()
    assert result.final.mean() > alike


def test_successes_have_the_shape_of_scores():
    with pytest.raises(ValueError, match="`successes` must have the shape"):
        History.of_run(TASKS, counts=[[0, 0]], scores=[[0.1, 0.1]], budget=10, successes=[[1.0]])
