"""Random numbers: the same for a run whichever others run with it."""

import numpy as np
import pytest
from scipy import stats

from apportion.sim._streams import BLOCK, DRAW, NOISE, REWARD, Streams

STEPS = (0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 5)


@pytest.mark.parametrize("first", [0, 1, 37, 999])
def test_a_run_sees_the_same_numbers_alone_as_among_a_thousand(first):
    many, one = Streams(5, 1000), Streams(5, 1, first)
    for step in STEPS:
        assert many.uniform(DRAW, step)[first] == one.uniform(DRAW, step)[0]
        assert many.normal(REWARD, step)[first] == one.normal(REWARD, step)[0]
        assert (many.normals(2, step, 5)[first] == one.normals(2, step, 5)[0]).all()
        assert (many.uniforms(3, step, 7)[first] == one.uniforms(3, step, 7)[0]).all()


def test_steps_may_be_asked_for_in_any_order():
    forth, back = Streams(1, 3), Streams(1, 3)
    there = {step: forth.uniform(DRAW, step).copy() for step in STEPS}
    for step in reversed(STEPS):
        assert (back.uniform(DRAW, step) == there[step]).all()


def test_purposes_seeds_and_steps_have_different_numbers():
    seen = [
        float(Streams(seed, 1).uniform(purpose, step)[0])
        for seed in range(3)
        for purpose in range(NOISE + 11)
        for step in STEPS
    ]
    assert len(set(seen)) == len(seen)


def test_uniform_and_normal_numbers_have_their_distributions():
    # n = 64,000 of each; false alarm 1e-7 by the Kolmogorov-Smirnov test.
    streams = Streams(11, 1000)
    uniform = np.concatenate([streams.uniform(DRAW, step) for step in range(BLOCK)])
    normal = np.concatenate([streams.normal(REWARD, step) for step in range(BLOCK)])
    wide = streams.normals(5, 0, 64).ravel()
    assert stats.kstest(uniform, "uniform").pvalue > 1e-7
    assert stats.kstest(normal, "norm").pvalue > 1e-7
    assert stats.kstest(wide, "norm").pvalue > 1e-7
    assert uniform.min() >= 0
    assert uniform.max() < 1


def test_neighbouring_runs_are_not_correlated():
    # n = 6,400 pairs; a correlation has the standard deviation 1/80, and 5.5 of them come by chance once in 2.6e7.
    streams = Streams(3, 101)
    numbers = np.stack([streams.normal(DRAW, step) for step in range(64)])
    left, right = numbers[:, :-1].ravel(), numbers[:, 1:].ravel()
    assert abs(np.corrcoef(left, right)[0, 1]) < 5.5 / np.sqrt(left.size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1, 1), "`seed` must be at least 0"), ((0, 0), "`n_runs` must be"), ((0, 1, -1), "`first_run` must be")],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Streams(*arguments)
