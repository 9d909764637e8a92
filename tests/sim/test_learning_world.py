"""The world of learning curves, against hand calculations."""

import math

import numpy as np
import pytest

from apportion import Task
from apportion.sim import LearningWorld
from apportion.sim._curves import Curves

TASKS = (Task(name="a"), Task(name="b"), Task(name="c"))


def world(n_tasks=2, **parts):
    parts = {"budget": 100, "scale": 10.0, **parts}
    tasks = parts.pop("tasks", TASKS[:n_tasks])
    made = LearningWorld(tasks=tasks, **parts)
    made.reset(1)
    return made


def draw(made, *chosen):
    for task in chosen:
        made.step(np.array([task]))
    return made.scores()[0]


def test_exponential_curve():
    # u = 1 - exp(-3/10) and 1 - exp(-1/10)
    assert draw(world(), 0, 1, 0, 0) == pytest.approx([0.2591817793182821, 0.09516258196404048])


def test_power_curve():
    # u = 1 - (1 + 3/10)^-2 and 1 - (1 + 1/10)^-0.5
    made = world(curve="power", exponent=(2.0, 0.5))
    assert draw(made, 0, 1, 0, 0) == pytest.approx([0.40828402366863903, 0.04653741075440776])


def test_curves_may_differ_by_task():
    made = world(curve=("power", "exponential"), exponent=2.0)
    assert draw(made, 0, 1, 0, 0) == pytest.approx([0.40828402366863903, 0.09516258196404048])


def test_scores_and_losses_follow_from_what_was_learned():
    made = world(low=0.5, high=(0.9, 0.7), irreducible=0.2, learnable=(2.0, 0.0))
    u = 1 - math.exp(-0.2)
    assert draw(made, 0, 0) == pytest.approx([0.5 + 0.4 * u, 0.5])
    assert made.losses()[0] == pytest.approx([0.2 + 2.0 * (1 - u), 0.2])
    assert made.loss(np.array([0])) == pytest.approx([0.2 + 2.0 * (1 - u)])


def test_transfer_is_by_row_what_a_column_teaches():
    made = world(transfer=((1.0, 0.5), (0.0, 1.0)))
    assert draw(made, 1, 1) == pytest.approx([1 - math.exp(-0.1), 1 - math.exp(-0.2)])
    assert draw(made, 0) == pytest.approx([1 - math.exp(-0.2), 1 - math.exp(-0.2)])


def test_harm_goes_on_below_zero_as_a_straight_line():
    # Exponential: slope 1/scale; power: exponent/scale.
    assert draw(world(transfer=((1.0, -0.5), (0.0, 1.0))), 1, 1)[0] == pytest.approx(-0.1)
    assert draw(world(transfer=((1.0, -0.5), (0.0, 1.0)), curve="power", exponent=3.0), 1, 1)[0] == pytest.approx(-0.3)


def test_forgetting_takes_a_part_of_the_experience_at_every_step():
    # x_a = 1 * 0.9^2, x_b = 1 * 0.8 + 1
    made = world(forgetting=(0.1, 0.2))
    assert draw(made, 0, 1, 1) == pytest.approx([1 - math.exp(-0.081), 1 - math.exp(-0.18)])


def test_repeated_batches_teach_less():
    # Size 4 in batches of 2: N = 2. Worth of draws 0..4: 1, 1, 1, exp(-0.5/3), exp(-1/3)
    made = world(1, tasks=[Task(name="a", size=4)], batch=2, reuse=3.0)
    assert draw(made, 0, 0, 0, 0, 0) == pytest.approx([1 - math.exp(-(3 + math.exp(-0.5 / 3) + math.exp(-1 / 3)) / 10)])


def test_overfitting_lowers_the_held_out_score_but_not_the_training_loss():
    # 5 draws of a task of 2 batches: 2.5 epochs, 0.5 of them harmful
    made = world(1, tasks=[Task(name="a", size=2)], overfit=0.4, overfit_after=2.0, irreducible=0.0)
    u = 1 - math.exp(-0.5)
    assert draw(made, 0, 0, 0, 0, 0) == pytest.approx([u - 0.4 * 0.25])
    assert made.losses()[0] == pytest.approx([1 - u + 0.4 * 0.25])
    assert made.loss(np.array([0])) == pytest.approx([1 - u])


def test_a_prerequisite_opens_a_task():
    made = world(scale=1.0, prerequisites=((1, 0, 0.5),))
    closed = draw(made, 1)[1]
    # u_0 = 0: the gate lets exp(-25) through
    assert closed == pytest.approx(1 / (1 + math.exp(25)), rel=1e-6)
    draw(made, 0, 0, 0)
    u = 1 - math.exp(-3.0)
    gate = 1 / (1 + math.exp((0.5 - u) / 0.02))
    assert draw(made, 1)[1] == pytest.approx(1 - math.exp(-gate), rel=1e-6)


def test_a_plateau_comes_before_learning():
    # ready before steps 0, 1, 2: 0, 1/(1+4), 4/(4+4)
    assert draw(world(1, plateau=2.0), 0, 0, 0) == pytest.approx([1 - math.exp(-0.07)])


def test_interference_loses_what_is_not_drawn():
    made = world(interference=(0.5, 0.0), memory=2.0, half_share=0.1)
    draw(made, 0, 1)
    # r_a: 0.5 -> 0.75 -> 0.375
    kept = 0.375 * 1.1 / 0.475
    assert made.scores()[0, 0] == pytest.approx((1 - math.exp(-0.1)) * (1 - 0.5 * (1 - kept)))
    assert made.loss(np.array([0])) == pytest.approx(0.3 + 1 - made.scores()[0, 0])
    before = made.scores()[0, 0]
    assert draw(made, 1, 1, 1)[0] < before


def test_worth_scales_what_a_batch_teaches():
    made = world()
    made.step(np.array([0]), worth=np.array([0.3]))
    assert made.scores()[0, 0] == pytest.approx(1 - math.exp(-0.03))


@pytest.mark.parametrize("made", list(LearningWorld.examples()))
def test_runs_that_ended_stay_as_they_are(made):
    made.reset(4)
    generator = np.random.default_rng(0)
    for _ in range(10):
        made.step(generator.integers(3, size=4))
    before = [value.copy() for value in (made.experience_, made.counts_, made.recent_)]
    active = np.array([True, False, True, False])
    for _ in range(5):
        made.step(generator.integers(3, size=4), active=active)
    for value, was in zip((made.experience_, made.counts_, made.recent_), before, strict=True):
        assert (value[~active] == was[~active]).all()
    assert (made.counts_[active] != before[1][active]).any()


@pytest.mark.parametrize("made", list(LearningWorld.examples()))
def test_divided_batches_are_the_limit_of_many_small_ones(made):
    made = made.clone()
    made.reset(1)
    order = np.tile([0, 1, 2, 1], 15)
    for task in order:
        made.step(np.array([task]))
    stepped = made.scores()[0]
    made.reset(1)
    for _ in range(60):
        made.flow(np.array([[0.25, 0.5, 0.25]]), 1.0)
    assert made.scores()[0] == pytest.approx(stepped, abs=0.02)


def test_flow_takes_a_number_of_steps_for_each_run():
    made = world(forgetting=0.1, plateau=3.0)
    made.reset(2)
    made.flow(np.full((2, 2), 0.5), np.array([4.0, 7.0]))
    both = made.scores()
    for row, steps in enumerate((4.0, 7.0)):
        made.reset(1)
        made.flow(np.full((1, 2), 0.5), steps)
        assert made.scores()[0] == pytest.approx(both[row])


@pytest.mark.parametrize("exponents", [(np.inf, np.inf), (1.0, 0.3), (np.inf, 2.0)])
def test_curves_are_concave_and_their_slopes_are_their_derivatives(exponents):
    curves = Curves(np.array(exponents))
    z = np.linspace(-2.0, 8.0, 400)[:, None] * np.ones(2)
    numeric = np.gradient(curves.value(z), z[:, 0], axis=0)
    away = np.abs(z[:, 0]) > 0.05
    assert curves.slope(z)[away] == pytest.approx(numeric[away], abs=2e-3)
    assert (np.diff(curves.slope(z), axis=0) <= 1e-12).all()
    one = curves.value(z[:, 1], np.ones(len(z), dtype=np.int64))
    assert one == pytest.approx(curves.value(z)[:, 1])


def test_stand_ins_for_gradients_are_falls_of_losses_by_one_more_batch():
    # Scales so long that a batch hardly bends the curves.
    matrix = ((1.0, 0.4, 0.0), (-0.3, 1.0, 0.2), (0.1, 0.0, 1.0))
    tasks = (Task(name="a", priority=2.0), Task(name="b"), Task(name="c", priority=0.0))
    made = LearningWorld(tasks=tasks, budget=100, scale=(3e4, 1e4, 2e4), transfer=matrix, learnable=(1.0, 2.0, 0.5))
    made.reset(1)
    draw(made, 0, 1, 2, 2)
    names = made.evaluation_provides
    _, measured = made.evaluate(names, None, 0)
    before = made.losses()[0]
    falls = np.empty((3, 3))
    for task in range(3):
        other = made.clone()
        other.reset(1)
        draw(other, 0, 1, 2, 2, task)
        falls[task] = before - other.losses()[0]
    weights = np.array([2, 1, 0]) / 3
    assert measured["gradient_norm"][0] == pytest.approx(falls.diagonal(), rel=1e-3)
    assert measured["gradient_inner"][0] == pytest.approx([falls[0, 1], falls[1, 0], falls[2, :2].sum()], rel=1e-3)
    whole = falls @ weights
    cosine = whole / np.sqrt(falls.diagonal() * (whole @ weights))
    assert measured["gradient_alignment"][0] == pytest.approx(np.clip(cosine, -1, 1), rel=1e-3)
    assert (measured["gradient_variance"] == 0).all()
    assert measured["trial_gain"][0] == pytest.approx(whole, rel=1e-3)
    assert (measured["reference_loss"] == 0.3).all()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"budget": 0}, r"`budget` must be in \(0, inf\)"),
        ({"budget": math.nan}, "`budget` must be in"),
        ({"scale": (1.0,)}, "`scale` must have one entry for each of the 2 tasks, got 1"),
        ({"scale": (1.0, 0.0)}, r"`scale\[1\]` must be in \(0, inf\)"),
        ({"scale": (1.0, math.nan)}, r"`scale\[1\]` must be in"),
        ({"curve": "linear"}, "`curve` must be one of exponential, power"),
        ({"curve": ("power",)}, "`curve` must have one entry for each of the 2 tasks"),
        ({"transfer": ((1.0, 0.0),)}, r"`transfer` must have the shape \(2, 2\), got \(1, 2\)"),
        ({"transfer": ((1.0, math.nan), (0.0, 1.0))}, r"`transfer` must be finite, got `transfer\[0\]\[1\] = nan`"),
        ({"transfer": ((1.0, 0.0), (0.0, -1.0))}, "the diagonal of `transfer` must not be negative"),
        ({"transfer": ((1.0, 90.0), (0.0, 1.0))}, "spectral norm of at most 4 per task"),
        ({"high": 0.2, "low": 0.5}, "`high` must be at least `low`"),
        ({"learnable": -1.0}, "`learnable` must be in"),
        ({"irreducible": (0.1, -0.1)}, r"`irreducible\[1\]` must be in"),
        ({"batch": 0}, "`batch` must be at least 1"),
        ({"reuse": 0.0}, "`reuse` must be above 0"),
        ({"reuse": math.nan}, "`reuse` must be above 0"),
        ({"overfit": -0.1}, "`overfit` must be in"),
        ({"forgetting": 1.0}, r"`forgetting` must be in \[0, 1\)"),
        ({"prerequisites": ((0, 2, 0.5),)}, r"`prerequisites\[0\]` must be from 0 to 1"),
        ({"prerequisites": ((0, 0, 0.5),)}, "task 0 must not be its own prerequisite"),
        ({"prerequisites": ((0, 1, 1.0),)}, r"`level of prerequisites\[0\]` must be in \(0, 1\)"),
        ({"prerequisites": ((0, 1),)}, r"`prerequisites\[0\]` must be \(task, prerequisite, level\)"),
        ({"plateau": -1.0}, "`plateau` must be in"),
        ({"interference": 1.0}, r"`interference` must be in \[0, 1\)"),
        ({"memory": 0.5}, "`memory` must be in"),
        ({"half_share": 0.0}, "`half_share` must be in"),
        ({"evaluations": 0}, "`evaluations` must be at least 1"),
        ({"evaluated_batches": 0}, "`evaluated_batches` must be at least 1"),
        ({"tasks": ()}, "at least one task is needed"),
    ],
)
def test_bad_settings_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        world(**parts)


def test_text_in_place_of_a_number_is_refused():
    with pytest.raises(TypeError, match="`scale` must be a number"):
        world(scale=None)
