"""Bandits against independent calculations: slow, plain and without any of our code."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from apportion.policies import (
    UCB1,
    DiscountedUCB,
    EpsilonGreedy,
    Exp3,
    Exp3P,
    Exp3S,
    Exp3SGraves,
    SlidingWindowUCB,
    ThompsonBeta,
    ThompsonGaussian,
)
from apportion.policies._quadrature import beta_argmax, beta_nodes, normal_argmax, normal_nodes
from apportion.records import Context, Task
from policies.make_smpybandits_numbers import EVERY, N_TASKS, reward_of

SMPYBANDITS = json.loads(Path(__file__).with_name("smpybandits.json").read_text())


def some(n_tasks):
    return [Task(name=f"task {index}") for index in range(n_tasks)]


def told(policy, context, task, reward):
    """One decision of a single run, drawn from what the policy says; its probabilities."""
    probabilities = policy.probabilities(context)
    policy.update(np.array([task]), probabilities, np.array([float(reward)]))
    context.counts[0, task] += 1
    context.step += 1
    return probabilities[0]


@pytest.mark.parametrize(
    ("name", "policy"), [("exp3", Exp3(gamma=0.07)), ("exp3s", Exp3S(gamma=0.07, alpha=0.002))], ids=["exp3", "exp3s"]
)
def test_agrees_with_smpybandits_at_every_hundredth_of_3000_steps(name, policy):
    fixture = SMPYBANDITS[name]
    policy.reset(some(N_TASKS))
    context = Context.start(N_TASKS)
    for step, letter in enumerate(fixture["chosen"]):
        probabilities = told(policy, context, int(letter), reward_of(step, int(letter)))
        if step % EVERY == 0:
            np.testing.assert_allclose(probabilities, fixture["probabilities"][step // EVERY], rtol=0, atol=1e-12)
    assert step == 2_999
    np.testing.assert_allclose(policy.probabilities(context)[0], fixture["probabilities"][-1], rtol=0, atol=1e-12)


def test_exp3p_is_the_published_product_of_exponentials():
    generator = np.random.default_rng(0)
    n_tasks, horizon, delta, gamma = 4, 200, 0.1, 0.2
    alpha = 2 * np.sqrt(np.log(n_tasks * horizon / delta))
    policy = Exp3P(gamma=gamma, delta=delta, horizon=horizon)
    policy.reset(some(n_tasks))
    context = Context.start(n_tasks)
    weights = np.full(n_tasks, np.exp(alpha * gamma / 3 * np.sqrt(horizon / n_tasks)))
    for _ in range(horizon):
        wanted = (1 - gamma) * weights / weights.sum() + gamma / n_tasks
        task, reward = int(generator.integers(n_tasks)), generator.uniform()
        np.testing.assert_allclose(told(policy, context, task, reward), wanted, atol=1e-12)
        gain = np.zeros(n_tasks)
        gain[task] = reward / wanted[task]
        weights *= np.exp(gamma / (3 * n_tasks) * (gain + alpha / (wanted * np.sqrt(n_tasks * horizon))))


@pytest.mark.parametrize("share", [0.05, None])
def test_exp3s_graves_is_the_published_recursion(share):
    generator = np.random.default_rng(1)
    n_tasks, eta, beta, epsilon = 5, 0.05, 0.02, 0.1
    policy = Exp3SGraves(eta=eta, share=share, beta=beta, exploration=epsilon)
    policy.reset(some(n_tasks))
    context = Context.start(n_tasks)
    logs = np.zeros(n_tasks)
    for step in range(1, 201):
        wanted = (1 - epsilon) * np.exp(logs) / np.exp(logs).sum() + epsilon / n_tasks
        task, reward = int(generator.integers(n_tasks)), generator.uniform(-1, 1)
        np.testing.assert_allclose(told(policy, context, task, reward), wanted, atol=1e-12)
        raised = np.exp(logs + eta * (reward * (np.arange(n_tasks) == task) + beta) / wanted)
        alpha = 1 / step if share is None else share
        others = [sum(raised[j] for j in range(n_tasks) if j != i) for i in range(n_tasks)]
        logs = np.log((1 - alpha) * raised + alpha / (n_tasks - 1) * np.array(others))


@pytest.mark.parametrize("cls", [Exp3, Exp3P, Exp3S])
def test_without_a_horizon_the_learning_rate_falls_with_each_doubling(cls):
    policy = cls()
    policy.reset(some(3))
    context = Context.start(3)
    floors = []
    for step in range(4_096):
        probabilities = told(policy, context, 0, 1.0)
        if (step & (step - 1)) == 0:
            floors.append(probabilities.min())
    assert all(late <= early for early, late in itertools.pairwise(floors))
    assert floors[-1] < 0.2 * floors[0]


def test_exp3s_follows_a_change_that_exp3_misses():
    shares = {}
    for policy in (Exp3(gamma=0.1), Exp3S(gamma=0.1, alpha=0.001)):
        policy.reset(some(3))
        context = Context.start(3)
        generator = np.random.default_rng(2)
        for step in range(3_000):
            probabilities = policy.probabilities(context)
            task = int(generator.choice(3, p=probabilities[0]))
            best = 0 if step < 2_000 else 1
            policy.update(np.array([task]), probabilities, np.array([1.0 if task == best else 0.2]))
        shares[policy.name] = policy.probabilities(context)[0, 1]
    assert shares["exp3s"] > 0.7
    assert shares["exp3"] < 0.5


def test_published_rates_of_graves_stay_near_uniform_in_a_thousand_steps():
    shares = {}
    for key, policy in (("published", Exp3SGraves.graves2017()), ("default", Exp3SGraves())):
        policy.reset(some(4))
        context = Context.start(4)
        generator = np.random.default_rng(3)
        for _ in range(1_000):
            probabilities = policy.probabilities(context)
            task = int(generator.choice(4, p=probabilities[0]))
            policy.update(np.array([task]), probabilities, np.array([1.0 if task == 2 else -1.0]))
        shares[key] = policy.probabilities(context)[0, 2]
    assert shares["published"] < 0.5
    assert shares["default"] > 0.85


def integrals(laws):
    """P(the task's variable is the largest), by adaptive quadrature in x."""
    for task, law in enumerate(laws):
        others = laws[:task] + laws[task + 1 :]

        def density(x, law=law, others=others):
            return law.pdf(x) * np.prod([other.cdf(x) for other in others])

        yield integrate.quad(density, law.ppf(1e-12), law.ppf(1 - 1e-12), limit=200, epsabs=1e-10)[0]


def test_normal_argmax_is_the_integral():
    generator = np.random.default_rng(4)
    for _ in range(5):
        mean, deviation = generator.normal(size=(1, 4)), np.exp(generator.uniform(-2, 0, size=(1, 4)))
        ours = normal_argmax(mean, deviation, None, normal_nodes(np.exp(2.0)))[0]
        laws = [stats.norm(m, d) for m, d in zip(mean[0], deviation[0], strict=True)]
        for task, wins in enumerate(integrals(laws)):
            assert ours[task] == pytest.approx(wins, abs=1e-6)


def test_beta_argmax_is_the_integral():
    generator = np.random.default_rng(5)
    for _ in range(5):
        alpha, beta = generator.uniform(1, 4, size=(1, 3)), generator.uniform(1, 4, size=(1, 3))
        ours = beta_argmax(alpha, beta, None, beta_nodes(1.0, 8.0))[0]
        laws = [stats.beta(a, b) for a, b in zip(alpha[0], beta[0], strict=True)]
        for task, wins in enumerate(integrals(laws)):
            assert ours[task] == pytest.approx(wins, abs=1e-4)


@pytest.mark.parametrize("argmax", [normal_argmax, beta_argmax])
def test_who_may_not_be_drawn_takes_no_part(argmax):
    generator = np.random.default_rng(6)
    first, second = generator.uniform(1, 3, size=(1, 5)), generator.uniform(1, 3, size=(1, 5))
    mask = np.array([[True, False, True, True, False]])
    masked = argmax(first, second, mask, 200)
    alone = argmax(first[:, mask[0]], second[:, mask[0]], None, 200)
    np.testing.assert_allclose(masked[:, mask[0]], alone, atol=1e-9)
    assert (masked[~mask] == 0).all()


@pytest.mark.parametrize("argmax", [normal_argmax, beta_argmax])
def test_many_runs_are_cut_into_chunks_without_a_trace(argmax):
    generator = np.random.default_rng(7)
    first, second = generator.uniform(1, 3, size=(1_000, 4)), generator.uniform(1, 3, size=(1_000, 4))
    many = argmax(first, second, None, 100)
    for run in (0, 327, 328, 999):
        np.testing.assert_allclose(many[run], argmax(first[[run]], second[[run]], None, 100)[0], atol=1e-13)


def test_thompson_gaussian_keeps_the_discounted_moments_of_each_task():
    generator = np.random.default_rng(8)
    discount, rewards, drawn = 0.9, generator.normal(size=60), generator.integers(3, size=60)
    policy = ThompsonGaussian(discount=discount, prior_mean=0.3, prior_count=0.5, prior_deviation=0.8)
    policy.reset(some(3))
    for task, reward in zip(drawn, rewards, strict=True):
        policy.update(np.array([task]), np.full((1, 3), 1 / 3), np.array([reward]))
    age = discount ** np.arange(59, -1, -1)
    weights = [np.where(drawn == task, age, 0.0) for task in range(3)]
    means = [np.average(rewards, weights=weight) for weight in weights]
    squares = sum((w * (rewards - m) ** 2).sum() for w, m in zip(weights, means, strict=True))
    variance = (0.8**2 + squares) / (1 + sum(w.sum() for w in weights))
    mean, deviation = policy.posterior()
    for task in range(3):
        n = weights[task].sum()
        assert mean[0, task] == pytest.approx((0.5 * 0.3 + n * means[task]) / (0.5 + n), abs=1e-12)
        assert deviation[0, task] == pytest.approx(np.sqrt(variance / (0.5 + n)), abs=1e-12)


def test_sliding_window_forgets_huge_rewards_without_a_trace():
    policy = SlidingWindowUCB(window=10)
    policy.reset(some(2))
    for reward in [1e6] * 7 + [1e-6] * 20:
        policy.update(np.array([0]), np.array([[0.5, 0.5]]), np.array([reward]))
    assert policy.sums_[0, 0] == pytest.approx(1e-5, rel=1e-12)


def test_discounted_ucb_tries_again_what_it_has_forgotten():
    policy = DiscountedUCB(discount=0.5, exploration=0.0)
    policy.reset(some(2))
    policy.update(np.array([1]), np.array([[0.5, 0.5]]), np.array([0.0]))
    for _ in range(60):
        policy.update(np.array([0]), np.array([[0.5, 0.5]]), np.array([1.0]))
    assert policy.probabilities(Context.start(2)).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("policy", "values"),
    [(EpsilonGreedy(exploration=0.2), "values_"), (UCB1(exploration=0.2), "means_")],
    ids=["epsilon_greedy", "ucb1"],
)
def test_the_best_of_the_available_tasks_is_taken(policy, values):
    policy.reset(some(3))
    for task, reward in ((0, 0.9), (1, 0.5), (2, 0.1)):
        policy.update(np.array([task]), np.full((1, 3), 1 / 3), np.array([reward]))
    assert getattr(policy, values).tolist() == [[0.9, 0.5, 0.1]]
    context = Context.start(3)
    context.available = np.array([[False, True, True]])
    np.testing.assert_allclose(policy.probabilities(context), [[0.0, 0.9, 0.1]], atol=1e-15)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EpsilonGreedy(exploration=1.5), r"`exploration` must be in \[0, 1\], got `exploration = 1.5`"),
        (lambda: EpsilonGreedy(step_size=0.0), "`step_size`"),
        (lambda: EpsilonGreedy(initial=float("nan")), "`initial`"),
        (lambda: UCB1(scale=0.0), "`scale`"),
        (lambda: DiscountedUCB(discount=1.0), "`discount`"),
        (lambda: DiscountedUCB(xi=0.0), "`xi`"),
        (lambda: DiscountedUCB(scale=-1.0), "`scale`"),
        (lambda: SlidingWindowUCB(window=0), "`window`"),
        (lambda: SlidingWindowUCB(xi=-1.0), "`xi`"),
        (lambda: SlidingWindowUCB(scale=0.0), "`scale`"),
        (lambda: Exp3(gamma=0.0), "`gamma`"),
        (lambda: Exp3(horizon=0), "`horizon`"),
        (lambda: Exp3P(gamma=2.0), "`gamma`"),
        (lambda: Exp3P(delta=1.0), "`delta`"),
        (lambda: Exp3S(gamma=-0.1), "`gamma`"),
        (lambda: Exp3S(alpha=0.0), "`alpha`"),
        (lambda: Exp3S(switches=-1.0), "`switches`"),
        (lambda: Exp3SGraves(eta=0.0), "`eta`"),
        (lambda: Exp3SGraves(share=1.5), "`share`"),
        (lambda: Exp3SGraves(beta=-1.0), "`beta`"),
        (lambda: Exp3SGraves(exploration=0.0), "`exploration`"),
        (lambda: ThompsonBeta(forget=0.0), "`forget`"),
        (lambda: ThompsonBeta(threshold=float("inf")), "`threshold`"),
        (lambda: ThompsonBeta(prior_alpha=0.0), "`prior_alpha`"),
        (lambda: ThompsonBeta(prior_beta=0.0), "`prior_beta`"),
        (lambda: ThompsonGaussian(discount=1.0), "`discount`"),
        (lambda: ThompsonGaussian(prior_count=0.0), "`prior_count`"),
        (lambda: ThompsonGaussian(prior_deviation=0.0), "`prior_deviation`"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
