"""Mixing and allocation policies beyond the shared checks: what they recommend, refuse and recover."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.linear_model import Lasso

from apportion.policies import (
    AchievabilityBand,
    AdmissionGate,
    Aioli,
    CoBa,
    DoGE,
    DoReMi,
    Famo,
    GroupDro,
    L1AMtrl,
    MetaRtl,
    MtGrpo,
    MultiDds,
    Odm,
    Pdts,
    PerformanceGap,
    Pike,
    Replay,
    SkillIt,
    StageGate,
    Uniform,
    WorstTask,
)
from apportion.policies._lasso import lasso
from apportion.records import Context, Evaluation, Task

THREE = [Task(name=name, size=100) for name in "abc"]


def evaluation(scores, counts=None, progress=0.0, **measured):
    scores = np.atleast_2d(np.array(scores, dtype=np.float64))
    counts = np.zeros(scores.shape) if counts is None else np.atleast_2d(counts)
    values = {name: np.atleast_2d(np.array(value, dtype=np.float64)) for name, value in measured.items()}
    return Evaluation(
        step=0, scores=scores, counts=counts.astype(np.int64), measured=values, progress=np.full(len(scores), progress)
    )


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("penalty", [0.01, 0.1, 0.5])
def test_lasso_agrees_with_sklearn(signed, penalty):
    generator = np.random.default_rng(3)
    x = generator.normal(size=(40, 6))
    x /= np.sqrt((x**2).sum(axis=0))
    y = x @ [1.0, -0.7, 0.4, 0.0, 0.0, 0.0] + generator.normal(scale=0.05, size=40)
    pull = x.T @ y
    top = np.abs(pull).max() if signed else pull.max()
    reference = Lasso(alpha=penalty * top / 40, positive=not signed, fit_intercept=False, tol=1e-12, max_iter=10**6)
    np.testing.assert_allclose(lasso(x.T @ x, pull, penalty, signed=signed), reference.fit(x, y).coef_, atol=1e-5)


def test_lasso_without_anything_to_explain_is_zero():
    assert not lasso(np.eye(3), np.zeros(3), 0.1, signed=True).any()
    assert not lasso(np.eye(3), -np.ones(3), 0.1, signed=False).any()
    assert lasso(np.diag([1.0, 0.0]), np.array([1.0, 0.0]), 0.0, signed=True) == pytest.approx([1.0, 0.0], abs=1e-5)


def test_l1_a_mtrl_finds_the_tasks_that_help():
    # Every decision for b adds 0.02 to the objective, one for c 0.01, one for a nothing; 9 stretches of 20 decisions.
    policy = L1AMtrl(explore=0.5, floor=0.01)
    policy.reset(THREE)
    context = Context.start(3, budget=360)
    generator = np.random.default_rng(4)
    score = 0.0
    policy.observe(evaluation([score] * 3))
    for _ in range(9):
        p = policy.probabilities(context)[0]
        drawn = generator.multinomial(20, p)
        context.counts[0] += drawn
        context.costs[0] += drawn
        context.spent += 20
        score += drawn @ [0.0, 0.02, 0.01]
        policy.observe(evaluation([score] * 3, context.counts, progress=float(context.progress[0])))
    p = policy.probabilities(context)[0]
    assert p[0] < 0.05
    assert p[1] / p[2] == pytest.approx(2.0, rel=0.15)
    frozen = p.copy()
    context.spent += 20
    policy.observe(evaluation([5.0, 5.0, 5.0], context.counts + 20, progress=0.6))
    np.testing.assert_array_equal(policy.probabilities(context)[0], frozen)


def test_pdts_learns_from_similar_tasks():
    tasks = [Task(name="a", features=(0.0,)), Task(name="b", features=(0.1,)), Task(name="c", features=(1.0,))]
    policy = Pdts(warmup=0.0, batch=1)
    policy.reset(tasks)
    for _ in range(10):
        policy.update(np.array([0]), np.full((1, 3), 1 / 3), np.array([1.0]))
        policy.update(np.array([2]), np.full((1, 3), 1 / 3), np.array([0.0]))
    p = policy.probabilities(Context.start(3))[0]
    assert p[1] > 5 * p[2]  # b was never drawn, but lies next to a


def test_pdts_posterior_is_that_of_a_gaussian_process():
    generator = np.random.default_rng(8)
    tasks = [Task(name=name, features=tuple(generator.uniform(size=2))) for name in "abcd"]
    policy = Pdts(warmup=0.0, batch=1, discount=1.0, exploration=0.0, noise=0.5)
    policy.reset(tasks)
    chosen, rewards = generator.integers(4, size=12), generator.normal(size=12)
    for task, reward in zip(chosen, rewards, strict=True):
        policy.update(np.array([task]), np.full((1, 4), 0.25), np.array([reward]))
    y = (rewards - rewards.mean()) / rewards.std()
    kernel = policy.kernel_
    seen = kernel[np.ix_(chosen, chosen)] + 0.5 * np.eye(12)
    mean = kernel[:, chosen] @ np.linalg.solve(seen, y)
    covariance = kernel - kernel[:, chosen] @ np.linalg.solve(seen, kernel[chosen])
    draws = multivariate_normal(mean, np.diag(np.diag(covariance))).rvs(400_000, random_state=1)
    shares = np.bincount(draws.argmax(axis=1), minlength=4) / 400_000
    # Standard error at most 0.0008: six of them, so that four shares miss by chance with less than 1e-8.
    np.testing.assert_allclose(policy.probabilities(Context.start(4))[0], shares, atol=0.005)


def test_coba_gives_loss_weights():
    policy = CoBa(warmup=2, history=4)
    policy.reset(THREE)
    for loss in ([2.0, 1.0, 1.0], [1.5, 0.9, 1.0], [1.2, 0.9, 1.0], [1.0, 0.8, 1.1]):
        policy.observe(evaluation([0] * 3, loss=loss))
    np.testing.assert_allclose(policy.loss_weights, 3 * policy.probabilities(Context.start(3)))
    assert policy.loss_weights.mean() == pytest.approx(1.0)


def test_doremi_and_doge_average_over_the_run():
    doremi = DoReMi(smoothing=0.0)
    doremi.reset(THREE)
    seen = [doremi.probabilities(Context.start(3))]
    for task, reward in ((0, 0.4), (1, 0.1), (2, 0.9)):
        doremi.update(np.array([task]), seen[-1], np.array([reward]))
        seen.append(doremi.probabilities(Context.start(3)))
    np.testing.assert_allclose(doremi.average, np.mean(seen, axis=0))
    doge = DoGE(learning_rate=1.0)
    doge.reset(THREE)
    seen = []
    for inner in ([1.0, 0.0, 2.0], [0.5, 0.2, 0.1]):
        doge.observe(evaluation([0] * 3, gradient_inner=inner, gradient_norm=[1.0, 1.0, 1.0]))
        seen.append(doge.probabilities(Context.start(3)))
    np.testing.assert_allclose(doge.average, np.mean(seen, axis=0), atol=1e-15)


def test_aioli_goes_through_its_cycle():
    policy = Aioli(rounds=2, hold=2, one_hot=0.7)
    policy.reset(THREE)
    tried = []
    for step in range(20):
        p = policy.probabilities(Context.start(3))[0]
        tried.append(int(p.argmax()) if np.isclose(p.max(), 0.7) else None)
        policy.observe(evaluation([0] * 3, loss=[1.0 / (step + 1), 1.0, 1.0]))
    # The evaluation of the first stretch has nothing to compare with, so that the stretch is repeated.
    sweep = [0, 1, 2, 1, 2, 0, None, None]
    assert tried == [0, *sweep, *sweep, *sweep[:3]]


def test_aioli_recovers_a_linear_law():
    # Losses fall by A p each stretch; sweeps must find A and favour the column with the largest sum.
    law = np.array([[0.02, 0.05, 0.0], [0.0, 0.06, 0.01], [0.01, 0.0, 0.03]])
    policy = Aioli(one_hot=0.625, normalise=False, eta=1.0)
    policy.reset(THREE)
    loss = np.full(3, 5.0)
    policy.observe(evaluation([0] * 3, loss=loss))
    for _ in range(3):
        loss = loss - law @ policy.probabilities(Context.start(3))[0]
        policy.observe(evaluation([0] * 3, loss=loss))
    np.testing.assert_allclose(policy.law_[0], law, atol=1e-12)


def test_meta_rtl_leaves_tasks_alone_that_were_not_tried():
    policy = MetaRtl(exploration=0.0, feedback="evaluations")
    policy.reset(THREE)
    policy.observe(evaluation([0] * 3, trial_gain=[0.3, 0.1, np.nan]))
    p = policy.probabilities(Context.start(3))[0]
    assert p[0] > 1 / 3 > p[1]
    assert p[2] == pytest.approx(np.sqrt(p[0] * p[1]))


def test_evaluations_without_the_measurement_are_refused():
    for policy, name in (
        (SkillIt(), "loss"),
        (Aioli(), "loss"),
        (CoBa(), "loss"),
        (Famo(), "loss"),
        (GroupDro(feedback="evaluations"), "loss"),
        (Odm(variant="code_validation"), "loss"),
        (DoReMi(feedback="evaluations"), "loss"),
        (DoGE(), "gradient_inner"),
        (Pike(), "gradient_norm"),
        (MultiDds(), "gradient_alignment"),
        (MetaRtl(feedback="evaluations"), "trial_gain"),
        (L1AMtrl(relevance="evaluation"), "relevance"),
    ):
        policy.reset(THREE)
        with pytest.raises(ValueError, match=f"{policy.name} needs `evaluation.{name}`"):
            policy.observe(evaluation([0.1, 0.2, 0.3]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Odm(variant="best"), "`variant` must be one of"),
        (lambda: Odm(smoothing=1.0), "`smoothing` must be in"),
        (lambda: SkillIt(graph=[[1, 0]]), "`graph` must be square"),
        (lambda: SkillIt(graph=[[-1.0]]), "graph"),
        (lambda: SkillIt(window=0), "`window` must be at least 1"),
        (lambda: Aioli(one_hot=0.0), "`one_hot` must be in"),
        (lambda: GroupDro(absent="none"), "`absent` must be one of"),
        (lambda: DoGE(low=1.0, high=0.0), "`low` must be in"),
        (lambda: CoBa(warmup=5, history=4), "`history` must be at least 5"),
        (lambda: PerformanceGap(targets={"a": np.inf}), "targets"),
        (lambda: PerformanceGap(floor=0.0), "`floor` must be in"),
        (lambda: MtGrpo(rate=0.0), "`rate` must be in"),
        (lambda: WorstTask(exploration=1.5), "`exploration` must be in"),
        (lambda: Replay(rule="some"), "`rule` must be one of"),
        (lambda: L1AMtrl(relevance="features"), "`target` must be given"),
        (lambda: L1AMtrl(target="a"), "`target` must be given"),
        (lambda: MetaRtl(memory=0.0), "`memory` must be in"),
        (lambda: Pdts(batch=0), "`batch` must be at least 1"),
        (lambda: AchievabilityBand(Uniform(), low=0.5, high=0.4), "`high` must be in"),
        (lambda: AdmissionGate(Uniform(), ceiling=np.nan), "`ceiling` must be in"),
        (lambda: StageGate(Uniform(), review=1.0), "`review` must be in"),
    ],
)
def test_bad_parameters_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (SkillIt(graph=[[1, 0], [0, 1]]), "a row for each of the 3 tasks"),
        (SkillIt(targets=["x"]), "'x'"),
        (Aioli(one_hot=0.2), "`one_hot` must be above 1/3"),
        (DoReMi(prior={"a": 1}), "no share for the task 'b'"),
        (MultiDds(prior=[1, 0, 1]), "a share above 0, got 0 for 'b'"),
        (PerformanceGap(targets={"a": 1.0, "b": 0.5}), "no value for the task 'c'"),
        (Replay(order=["a", "b"]), "every task once, got 'c' 0 times"),
        (StageGate(Uniform(), order=["a", "b", "c", "a"]), "every task once, got 'a' 2 times"),
        (L1AMtrl(relevance="features", target="x"), "`target` must be one of a, b, c"),
        (L1AMtrl(relevance="features", target="a"), "`features` of task 'a'"),
    ],
)
def test_parameters_that_do_not_fit_the_tasks_are_refused(policy, words):
    with pytest.raises(ValueError, match=words):
        policy.reset(THREE)


def test_group_dro_needs_sizes_for_its_adjustment():
    with pytest.raises(ValueError, match="needs the size of every task"):
        GroupDro(adjustment=1.0).reset([Task(name="a")])


def test_pdts_needs_features_of_one_length():
    with pytest.raises(ValueError, match="equally many `features`"):
        Pdts().reset([Task(name="a", features=(1.0,)), Task(name="b")])
