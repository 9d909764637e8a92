"""Intervals on scores: by hand, against other formulas, and what must hold for all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import integrate, stats

from apportion import estimators as est
from apportion.estimators.anytime import SubExponential, boundary

UNBOUNDED = {"normal": est.normal, "bootstrap": est.bootstrap, "block_bootstrap": est.block_bootstrap}
BOUNDED = {
    "empirical_bernstein": est.empirical_bernstein,
    "clopper_pearson": est.clopper_pearson,
    "betting": est.betting,
    "anytime": est.anytime,
}
ALL = UNBOUNDED | BOUNDED


def ends(name, scores, **settings):
    if name in BOUNDED:
        settings = {"low": 0.0, "high": 1.0} | settings
    if name.endswith("bootstrap"):
        settings = {"n_resamples": 200} | settings
    return ALL[name](scores, **settings)


@pytest.mark.parametrize("name", ALL)
@given(
    scores=hnp.arrays(np.float64, st.integers(0, 40), elements=st.floats(0.0, 1.0)),
    confidence=st.floats(0.01, 0.999),
)
@settings(max_examples=25, deadline=None)
def test_lower_is_never_above_upper(name, scores, confidence):
    lower, upper = ends(name, scores, confidence=confidence)
    assert lower <= upper


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("scores", [np.zeros(0), np.array([0.5, np.nan] * 20), np.array([0.5, np.inf] * 20)])
def test_too_little_data_gives_an_infinite_interval(name, scores):
    assert ends(name, scores) == (-np.inf, np.inf)


@pytest.mark.parametrize("name", ["normal", "bootstrap", "block_bootstrap", "empirical_bernstein"])
def test_one_score_says_nothing(name):
    assert ends(name, np.array([0.5])) == (-np.inf, np.inf)


@pytest.mark.parametrize("name", ALL)
def test_more_data_tightens_and_more_confidence_widens(name):
    rng = np.random.default_rng(1)
    few, many = rng.random(100), rng.random(5000)
    width = {
        (n, confidence): np.diff(ends(name, scores, confidence=confidence))[0]
        for n, scores in (("few", few), ("many", many))
        for confidence in (0.5, 0.95, 0.999)
    }
    assert width["many", 0.95] < width["few", 0.95]
    assert width["many", 0.5] < width["many", 0.95] < width["many", 0.999]


@pytest.mark.parametrize("name", UNBOUNDED)
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_scale_and_shift_carry_over(name, scale):
    scores = np.random.default_rng(2).normal(size=500)
    lower, upper = ends(name, scores)
    np.testing.assert_allclose(ends(name, 3.0 * scores - 7.0), (3.0 * lower - 7.0, 3.0 * upper - 7.0), rtol=1e-9)
    np.testing.assert_allclose(ends(name, scale * scores), (scale * lower, scale * upper), rtol=1e-6)


@pytest.mark.parametrize("name", UNBOUNDED)
def test_constant_scores_have_no_width(name):
    np.testing.assert_allclose(ends(name, np.full(5000, 0.1)), (0.1, 0.1), rtol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_a_wrong_confidence_is_refused(name):
    for confidence in (0.0, 1.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="confidence"):
            ends(name, np.ones(10), confidence=confidence)


@pytest.mark.parametrize("name", BOUNDED)
def test_scores_outside_their_bounds_are_refused(name):
    with pytest.raises(ValueError, match="must lie in"):
        ends(name, np.array([0.5, 1.5]))
    with pytest.raises(ValueError, match="high"):
        ends(name, np.array([0.5, 0.5]), low=1.0, high=0.0)


def test_normal_against_scipy():
    scores = np.random.default_rng(3).exponential(size=50)
    expected = stats.t.interval(0.9, 49, scores.mean(), stats.sem(scores))
    np.testing.assert_allclose(est.normal(scores, confidence=0.9), expected, rtol=1e-12)


def test_clopper_pearson_against_scipy():
    scores = np.repeat([0.0, 1.0], [70, 30])
    expected = stats.binomtest(30, 100).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose(est.clopper_pearson(scores, low=0.0, high=1.0), expected, rtol=1e-9)


def test_the_bootstrap_in_cells_is_that_of_single_scores():
    """20,000 skewed scores with a heavy tail: cells and the plain bootstrap differ by Monte Carlo error.

    With 4,000 resamples an end has a standard error of about .042 deviations of the mean: 6 of them are allowed.
    """
    scores = np.random.default_rng(4).pareto(3.0, 20_000)
    rng = np.random.default_rng(5)
    plain = np.array([scores[rng.integers(0, scores.size, scores.size)].mean() for _ in range(4000)])
    found = est.bootstrap(scores, n_resamples=4000)
    allowed = 6 * 0.042 * np.sqrt(2) * plain.std()
    np.testing.assert_allclose(found, np.quantile(plain, [0.025, 0.975]), atol=allowed)


def test_the_bootstrap_needs_resamples():
    for interval in (est.bootstrap, est.block_bootstrap):
        with pytest.raises(ValueError, match="n_resamples"):
            interval(np.ones(10), n_resamples=10)


def test_blocks_grow_with_dependence():
    rng = np.random.default_rng(6)
    noise = rng.normal(size=5000)
    slow = np.convolve(noise, np.ones(30), mode="valid")
    assert est.automatic_block_length(noise) <= 5
    assert est.automatic_block_length(slow) > 20
    assert est.automatic_block_length(np.ones(100)) == 1
    assert np.diff(est.block_bootstrap(slow))[0] > 3 * np.diff(est.bootstrap(slow))[0]
    assert est.block_bootstrap(noise[:100], block_length=30) == (-np.inf, np.inf)


def test_the_boundary_of_the_confidence_sequence_solves_its_equation():
    """The mixture of exp(l s - psi(l) v) over l in (0, 1) is 1 / tail there, by quadrature."""
    rho = 10.0
    for variance in (0.0, 1.0, 100.0, 10_000.0):
        s = float(boundary(np.array([variance]), 0.025, rho=rho)[0])

        def density(x):
            return np.exp((rho - 1) * np.log1p(-x) - rho * (1 - x))

        def mixed(x, s=s, variance=variance):
            return density(x) * np.exp(x * s + variance * (np.log1p(-x) + x))

        peak = [s / (s + variance)]
        value = integrate.quad(mixed, 0, 1, limit=500, points=peak)[0] / integrate.quad(density, 0, 1)[0]
        assert value == pytest.approx(40.0, rel=1e-6)


def test_the_confidence_sequence_does_not_care_for_chunks():
    observations = np.random.default_rng(7).exponential(size=1000)
    whole, pieces = SubExponential(), SubExponential()
    whole.add(observations)
    for part in np.split(observations, [1, 17, 500]):
        pieces.add(part)
    assert pieces.lower(0.025) == pytest.approx(whole.lower(0.025), rel=1e-12)


def test_one_sided_scores_have_an_infinite_upper_end():
    scores = np.random.default_rng(8).exponential(size=1000)
    lower, upper = est.anytime(scores, low=0.0, scale=1.0)
    assert 0.5 < lower < 1.0
    assert upper == np.inf
    with pytest.raises(ValueError, match="scale"):
        est.anytime(scores, low=0.0)


def test_betting_knows_nothing_where_no_one_mean_fits():
    drifting = np.repeat([1.0, 0.0], 500)
    assert ends("betting", drifting) == (-np.inf, np.inf)


def test_betting_is_narrower_than_empirical_bernstein():
    scores = np.random.default_rng(9).beta(2, 8, 300)
    assert np.diff(ends("betting", scores))[0] < np.diff(ends("empirical_bernstein", scores))[0]
