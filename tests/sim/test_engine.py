"""The engine does for many runs what a plain loop does for one."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from apportion import Task
from apportion.constraints import Constraints
from apportion.policies import Policy, policies
from apportion.records import Context, Evaluation
from apportion.signals import signals
from apportion.sim import BanditWorld, Change, Delayed, LearningWorld, Noisy, Priced, simulate
from apportion.sim._streams import DRAW, Streams
from apportion.sim.engine import draw

TASKS = (Task(name="a", size=400), Task(name="b", size=4000, priority=2.0), Task(name="c", size=90))


def learning(budget=60, **parts):
    return LearningWorld(tasks=TASKS, budget=budget, scale=(5.0, 20.0, 60.0), batch=10, **parts)


def every_part(budget=60):
    parts = list(LearningWorld.examples())[1].params()
    parts = {key: value for key, value in parts.items() if key not in ("name", "tasks", "budget")}
    return LearningWorld(tasks=TASKS, budget=budget, **parts)


WORLDS = {
    "bandit": BanditWorld(means=(0.2, 0.5, 0.8), budget=60),
    "learning": Noisy(every_part()),
    "late": Delayed(Noisy(learning()), steps=5, missing=0.3, random=True),
    "priced": Priced(Noisy(learning()), prices=(0.7, 2.0, 1.1)),
    "changing": Change(Noisy(learning()), before=(1.0, 0.2, 1.0), after=(0.2, 1.0, 1.0), keep=0.7),
}


@dataclass(kw_only=True)
class Recorder(Policy):
    """Uniform; remembers what it was told."""

    name = "recorder"
    needs = frozenset({"reward"})

    def reset(self, tasks, n_runs=1):
        self.tasks_ = tuple(tasks)
        self.sum_ = np.zeros(n_runs)
        self.told_ = np.zeros(n_runs)
        self.last_ = np.zeros((n_runs, len(tasks)))

    def probabilities(self, context):
        # Depends on what was learned, so that wrong updates change the draws.
        lean = 1.0 + 1.0 / (1.0 + np.exp(-self.last_))
        return lean / lean.sum(axis=1, keepdims=True)

    def update(self, chosen, probabilities, reward):
        self.sum_ += reward
        self.told_ += 1
        self.last_[np.arange(len(chosen)), chosen] = reward


@dataclass(kw_only=True)
class Evaluated(Recorder):
    """The same, and learns from evaluations."""

    name = "evaluated"
    needs = frozenset({"reward", "evaluations", "evaluation.loss"})

    def observe(self, evaluation):
        self.last_ += evaluation.measured["loss"] + evaluation.scores


def plain_loop(world, policy, signal, *, run, seed):
    """One run step by step, written out as the documentation tells it."""
    world, policy, signal = world.clone(), policy.clone(), signal.clone()
    streams = Streams(seed, 1, run)
    for part in (policy, signal):
        part.reset(world.tasks, 1)
    world.reset(1)
    given = "reward" in world.measurements  # then there is no signal
    deferred = signal.is_deferred and not given
    requires = policy.requires if given else policy.requires | signal.requires
    needs = frozenset(name for name in requires if name in world.measurements)
    forwards = sum(1 for name in needs if name not in ("loss", "reward"))
    context = Context.start(world.n_tasks, budget=world.budget)
    spent, evaluations, due, waiting = 0.0, 0, [], []
    while True:
        price = world.costs * (1 + forwards / 3)
        world.note_progress(np.array([min(spent / world.budget, 1.0)]))
        due_now = "evaluations" in requires and context.step % world.evaluate_every == 0
        if due_now and spent + world.evaluation_cost + price.min() <= world.budget + 1e-9:
            scores, measured = world.evaluate(frozenset({"loss"}), streams, evaluations)
            spent += world.evaluation_cost
            evaluations += 1
            seen = Evaluation(
                step=context.step,
                scores=scores,
                counts=context.counts.copy(),
                measured=measured,
                progress=np.array([spent / world.budget]),
                examples=context.examples.copy(),
                costs=context.costs / world.budget,
            )
            if deferred:
                chosen = np.array([[item[0] for item in waiting]], dtype=np.int64).reshape(1, -1)
                costs = np.array([[item[2] for item in waiting]]).reshape(1, -1)
                for item, reward in zip(waiting, signal.credit(seen, chosen, costs)[0], strict=True):
                    if np.isfinite(reward) and item[3]:
                        policy.update(np.array([item[0]]), item[1], np.array([reward]))
                waiting = []
            elif not given:
                signal.observe(seen)
            policy.observe(seen)
        context.spent[:] = spent
        fits = spent + price <= world.budget + 1e-9
        if not fits.any():
            break
        context.available[:] = fits
        shares = policy.probabilities(context) * fits
        shares = shares / shares.sum()
        uniform = streams.uniform(DRAW, context.step)[0]
        task = int(np.flatnonzero(np.cumsum(shares[0]) > uniform)[0])
        chosen = np.array([task])
        measured = world.train(chosen, needs, streams, context.step)
        spent += price[task]
        measured["cost"] = np.array([price[task]])
        delay = world.delays(streams, context.step)
        late = 0 if delay is None else int(delay[0])
        if late >= 0:
            due.append((context.step + late, chosen, shares, measured))
        if deferred:
            waiting.append((task, shares, price[task], late >= 0))
        for item in [item for item in due if item[0] == context.step]:
            reward = item[3]["reward"] if "reward" in needs else signal.reward(item[1], item[3])
            if np.isfinite(reward[0]):
                policy.update(item[1], item[2], reward)
        due = [item for item in due if item[0] > context.step]
        context.counts[0, task] += 1
        context.examples[0, task] += world.batch_size
        context.costs[0, task] += price[task]
        context.step += 1
    return world.scores()[0], context.counts[0], spent


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("signal", ["loss_decrease", "prediction_gain", "held_out_gain"])
def test_many_runs_are_what_a_plain_loop_does_for_each(name, signal):
    world, policy = WORLDS[name], Evaluated()
    result = simulate(world, policy, signal, n_runs=6, seed=3)
    for run in (0, 4):
        scores, counts, spent = plain_loop(world, policy, signals.make(signal), run=run, seed=3)
        assert result.counts[run].tolist() == counts.tolist()
        assert result.scores[run] == pytest.approx(scores, abs=1e-12)
        assert result.spent[run] == pytest.approx(spent)


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("policy", ["exp3s", "epsilon_greedy", "thompson_gaussian", "uniform", "recorder"])
def test_one_run_at_a_time_gives_the_same_numbers_as_many_at_once(name, policy):
    made = Recorder() if policy == "recorder" else policies.make(policy)
    signal = "windowed_quantiles(signal=prediction_gain)"
    many = simulate(WORLDS[name], made, signal, n_runs=70, seed=9)
    for run in (0, 33, 69):
        one = simulate(WORLDS[name], made, signal, n_runs=1, seed=9, first_run=run)
        assert (one.counts[0] == many.counts[run]).all()
        assert (one.scores[0] == many.scores[run]).all()
        assert (one.objective[0] == many.objective[run]).all()
    shard = simulate(WORLDS[name], made, signal, n_runs=30, seed=9, first_run=40)
    assert (shard.scores == many.scores[40:]).all()


def test_every_policy_meets_the_same_noise():
    world = Noisy(learning(), evaluation_noise=0.1)
    streams = [Streams(4, 3), Streams(4, 3)]
    for chosen, stream in zip((0, 2), streams, strict=True):
        world.reset(3)
        world.train(np.full(3, chosen), frozenset({"loss"}), stream, 0)
    noise = [world.evaluate(frozenset(), stream, 0)[0] - world.scores() for stream in streams]
    assert noise[0] == pytest.approx(noise[1])


def test_draws_follow_the_probabilities():
    # chi-squared over 200,000 draws; false alarm 1e-7.
    shares = np.array([0.05, 0.0, 0.5, 0.15, 0.3])
    chosen = draw(np.repeat(shares[None], 200_000, axis=0), Streams(0, 200_000).uniform(DRAW, 0))
    counts = np.bincount(chosen, minlength=5)
    assert counts[1] == 0
    likely = shares > 0
    assert stats.chisquare(counts[likely], 200_000 * shares[likely]).pvalue > 1e-7


@pytest.mark.parametrize("n_tasks", [2, 8, 33, 100])
def test_draws_are_the_inverse_of_the_cumulative_probabilities(n_tasks):
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.full(n_tasks, 0.3), size=500)
    shares[:, -1] = 0.0
    shares /= shares.sum(axis=1, keepdims=True)
    uniform = generator.uniform(size=500)
    uniform[:50] = np.nextafter(1.0, 0.0)
    chosen = draw(shares, uniform)
    assert (shares[np.arange(500), chosen] > 0).all()
    cumulative = np.cumsum(shares, axis=1)
    expected = np.minimum((cumulative <= uniform[:, None]).sum(axis=1), n_tasks - 2)
    assert (chosen[50:] == expected[50:]).all()


@pytest.mark.parametrize("name", WORLDS)
def test_no_run_spends_more_than_its_budget_or_leaves_what_fits(name):
    world = WORLDS[name]
    result = simulate(world, Evaluated(), "prediction_gain", n_runs=20, seed=1)
    assert (result.spent <= world.budget + 1e-6).all()
    assert (result.spent > world.budget - 4 / 3 * world.costs.min() - 1e-6).all()
    assert result.counts.sum() == result.n_steps
    assert result.objective[:, 0] == pytest.approx(result.objective[0, 0])
    assert result.final == pytest.approx((result.scores * result.weights).sum(axis=1))
    assert result.shares.shape == (50, 3)
    assert np.isfinite(result.objective).all()


def test_measurements_and_evaluations_are_charged_only_where_they_are_asked_for():
    world = Noisy(learning(budget=120))
    steps = {
        name: simulate(world, *spec, n_runs=1, seed=0)
        for name, spec in {
            "uniform": ("uniform", "prediction_gain"),
            "loss": (Recorder(), "loss"),
            "one more": (Recorder(), "prediction_gain"),
            "two more": (Recorder(), "self_gain"),
            "evaluated": (Evaluated(), "loss"),
        }.items()
    }
    assert steps["uniform"].n_steps == steps["loss"].n_steps == 120
    assert steps["one more"].n_steps == 90
    assert steps["two more"].n_steps == 72
    # Every 20 steps three tasks are evaluated, a third of a step each: 114 steps and 6 evaluations spend 120.
    assert (steps["evaluated"].n_steps, steps["evaluated"].evaluations) == (114, 6)
    assert steps["evaluated"].evaluation_cost[0] == pytest.approx(6)
    free = simulate(world, Evaluated(), "self_gain", n_runs=1, seed=0, forward_cost=0.0)
    assert free.n_steps == 120


def test_prices_decide_how_many_steps_there_are():
    dear = simulate(Priced(learning(), prices=(6.0, 6.0, 6.0)), "uniform", n_runs=2, seed=0)
    assert dear.n_steps == 2 * 10
    mixed = simulate(Priced(learning(), prices=(1.0, 30.0, 1.0)), "uniform", n_runs=50, seed=0)
    assert (mixed.costs == mixed.counts * (1.0, 30.0, 1.0)).all()
    assert (mixed.counts[:, 1] <= 2).all()


def test_the_objective_on_the_way_is_the_one_at_the_stated_spending():
    world = learning(budget=50)
    whole = simulate(world, "round_robin", n_runs=1, seed=0)
    half = simulate(world, "round_robin", n_runs=1, seed=0, budget=25)
    assert whole.objective[0, 25] == half.final[0]
    assert whole.progress[25] == 0.5


def test_shares_on_the_way_are_fractions_of_decisions():
    result = simulate(learning(), "mixture(shares=(1, 0, 1))", n_runs=200, seed=0, n_points=4)
    assert result.shares.sum(axis=1) == pytest.approx(1)
    assert (result.shares[:, 1] == 0).all()


def test_constraints_hold():
    bound = simulate(learning(), Recorder(), "loss", n_runs=300, seed=0, constraints=Constraints(cap={"a": 0.1}))
    # 18,000 decisions; a share of 0.1 has the standard error 0.0022, six of them allowed.
    assert bound.counts[:, 0].sum() / bound.counts.sum() < 0.1 + 6 * 0.0022
    out = simulate(learning(), "uniform", n_runs=3, seed=0, constraints=Constraints(exclude=("b",)))
    assert (out.counts[:, 1] == 0).all()
    few = simulate(learning(), "uniform", n_runs=3, seed=0, constraints=Constraints(max_epochs={"c": 1}))
    assert (few.counts[:, 2] <= 9).all()
    assert (few.counts.sum(axis=1) == 60).all()
    # All tasks used up: runs end early.
    end = simulate(learning(budget=2000), "uniform", n_runs=3, seed=0, constraints=Constraints(max_epochs=1))
    assert end.counts.tolist() == [[40, 400, 9]] * 3


def test_lost_rewards_are_never_told_and_late_ones_once():
    told = {}

    @dataclass(kw_only=True)
    class Telling(Recorder):
        def update(self, chosen, probabilities, reward):
            super().update(chosen, probabilities, reward)
            told["n"] = self.told_.copy()

    simulate(Delayed(BanditWorld(means=(0.5, 0.5), budget=400), missing=0.25), Telling(), n_runs=50, seed=0)
    # 20,000 decisions of which a quarter is lost: standard error 0.0031, six of them allowed.
    assert told["n"].sum() / 20_000 == pytest.approx(0.75, abs=0.019)
    simulate(Delayed(BanditWorld(means=(0.5, 0.5), budget=400), steps=30), Telling(), n_runs=3, seed=0)
    assert (told["n"] == 370).all()


def test_a_static_policy_is_asked_once():
    asked = []

    @dataclass(kw_only=True)
    class Static(Policy):
        name = "static"
        static = True

        def reset(self, tasks, n_runs=1):
            self.shape_ = (n_runs, len(tasks))

        def probabilities(self, context):
            asked.append(context.step)
            return np.full(self.shape_, 1 / self.shape_[1])

    simulate(learning(), Static(), n_runs=2, seed=0)
    assert asked == [0]


def test_what_was_given_is_left_alone():
    world, policy, signal = Noisy(learning()), Recorder(), signals.make("prediction_gain")
    before = world.params()
    simulate(world, policy, signal, n_runs=2, seed=0)
    assert world.params() == before
    assert not hasattr(policy, "sum_")


def test_progress_is_told():
    seen = []
    simulate(learning(), "uniform", n_runs=1, seed=0, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    assert len(seen) > 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Recorder(), None), "policy 'recorder' learns from rewards: give a `signal`"),
        ((Recorder(), "advantage"), "needs `advantage`, which has no meaning in the world 'learning'"),
        (("no_such_policy", None), "there is no policy named 'no_such_policy'"),
        ((Recorder(), "no_such_signal"), "there is no signal named 'no_such_signal'"),
    ],
)
def test_what_cannot_run_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate(learning(), *arguments, n_runs=1, seed=0)


def test_probabilities_that_are_none_are_refused():
    @dataclass(kw_only=True)
    class Wrong(Recorder):
        def probabilities(self, context):
            return super().probabilities(context) * 2

    with pytest.raises(ValueError, match="`probabilities` must sum to 1, got a sum of 2"):
        simulate(learning(), Wrong(), "loss", n_runs=1, seed=0)


def test_a_world_gives_its_own_rewards_whatever_the_signal():
    world = BanditWorld(means=(0.1, 0.9), budget=50)
    first = simulate(world, "exp3", n_runs=5, seed=0)
    second = simulate(world, "exp3", "loss", n_runs=5, seed=0)
    assert (first.counts == second.counts).all()
    assert second.signal == ""
