"""Fits recover the worlds that runs came from, and say what they are worth."""

import json

import numpy as np
import pytest

from apportion import Task
from apportion.forecast.history import History
from apportion.sim import LearningWorld, simulate
from apportion.sim.fitted import Fit, choose_parts, fit_world

TASKS = tuple(Task(name=name) for name in "abc")
MATRIX = ((1.0, 0.6, 0.0), (0.0, 1.0, 0.0), (-0.2, 0.0, 1.0))


def histories(n_runs=10, n_evaluations=6, noise=0.01, **parts):
    """Logged runs of policies whose shares change in the middle."""
    world = LearningWorld(
        tasks=TASKS, budget=180, scale=(60.0, 15.0, 40.0), curve="power", low=(0.1, 0.5, 0.0), high=0.9, **parts
    )
    generator, made = np.random.default_rng(0), []
    for _ in range(n_runs):
        mixtures = generator.dirichlet(np.full(3, 0.7), size=2)
        world.reset(1)
        counts, scores = [np.zeros(3)], [world.scores()[0]]
        for number in range(n_evaluations):
            drawn = generator.choice(3, size=30, p=mixtures[2 * number // n_evaluations])
            for task in drawn:
                world.step(np.array([task]))
            counts.append(counts[-1] + np.bincount(drawn, minlength=3))
            scores.append(world.scores()[0])
        seen = np.minimum(np.array(scores) + noise * generator.normal(size=(n_evaluations + 1, 3)), 1.0)
        made.append(History.of_run(TASKS, counts=np.array(counts), scores=seen, budget=180, upper=1.0))
    return made


@pytest.fixture(scope="module")
def fitted():
    return fit_world(histories(transfer=MATRIX), parts=("transfer",), n_folds=2, most=12, source="a test")


def test_transfer_is_recovered(fitted):
    # 210 scores with noise 0.01; the entries come back within 0.1.
    assert np.array(fitted.parameters["transfer"]) == pytest.approx(np.array(MATRIX), abs=0.1)
    assert fitted.parameters["low"] == pytest.approx([0.1, 0.5, 0.0], abs=0.01)
    assert fitted.parts == ("transfer",)
    assert fitted.source == "a test"
    assert (fitted.n_runs, fitted.n_scores, fitted.budget) == (10, 210, 180)


def test_errors_are_those_of_the_noise_and_the_baseline_is_worse(fitted):
    assert fitted.error == pytest.approx(0.01, abs=0.003)
    assert fitted.held_out_error < 0.02
    assert fitted.baseline_error > 2 * fitted.held_out_error
    assert np.array(fitted.noise) == pytest.approx(0.01, abs=0.005)


def test_a_part_that_is_missing_shows_in_the_held_out_error(fitted):
    alone = fit_world(histories(transfer=MATRIX), parts=(), n_folds=2, most=12)
    assert alone.held_out_error > 1.5 * fitted.held_out_error


def test_the_fitted_world_runs(fitted):
    result = simulate(fitted.world(budget=60), "exp3s", "prediction_gain", n_runs=5, seed=0)
    assert np.isfinite(result.final).all()
    assert result.tasks == ("a", "b", "c")
    assert fitted.world().budget == 180


def test_a_fit_survives_its_file(fitted, tmp_path):
    fitted.save(tmp_path / "fit.json")
    again = Fit.load(tmp_path / "fit.json")
    assert again == fitted
    assert again.world().params() == fitted.world().params()


def test_parts_are_chosen_by_runs_left_out():
    chosen = choose_parts(histories(n_runs=6, n_evaluations=4, interference=0.5, memory=20.0), n_folds=2, most=5)
    assert "interference" in chosen.parts or "forgetting" in chosen.parts
    assert "plateau" not in chosen.parts[:1]


def test_one_run_has_no_held_out_error():
    fit = fit_world(histories(n_runs=1), parts=(), most=3)
    assert np.isnan(fit.held_out_error)
    with pytest.raises(ValueError, match="at least two runs"):
        choose_parts(histories(n_runs=1))


def test_scores_that_were_not_measured_do_not_matter():
    runs = histories(n_runs=4, n_evaluations=3)
    for run in runs:
        run.scores[0, 1, 2] = np.nan
    assert fit_world(runs, parts=(), n_folds=2, most=4).n_scores == 4 * 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parts": ("magic",)}, "`parts` must be among transfer"),
        ({"n_folds": 1}, "`n_folds` must be at least 2"),
        ({"batch": 0}, "`batch` must be at least 1"),
        ({"most": 0}, "`most` must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_world(histories(n_runs=2, n_evaluations=2), **arguments)


def test_runs_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="at least one logged run"):
        fit_world([])
    other = (Task(name="x"), *TASKS[1:])
    strange = History.of_run(other, counts=[[0, 0, 0]], scores=[[0.1, 0.1, 0.1]], budget=10)
    with pytest.raises(ValueError, match="same tasks in the same order"):
        fit_world([*histories(n_runs=1), strange])
    blind = History.of_run(TASKS, counts=[[0, 0, 0]], scores=[[0.1, np.nan, 0.1]], budget=10)
    with pytest.raises(ValueError, match="no run ever measured the score of task 'b'"):
        fit_world([blind])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: "[1, 2", "is no JSON file"),
        (lambda data: "[1, 2]", "must be a mapping, got list"),
        (lambda data: json.dumps({**data, "format": "other"}), "its format is 'other'"),
        (lambda data: json.dumps({key: data[key] for key in data if key != "noise"}), "is incomplete: 'noise'"),
        (lambda data: json.dumps({**data, "parameters": {**data["parameters"], "scale": [1.0, -1.0, 1.0]}}), "`scale"),
        (lambda data: json.dumps({**data, "parameters": {"speed": 3}}), "is incomplete"),
    ],
)
def test_damaged_files_are_refused(fitted, tmp_path, change, message):
    file = tmp_path / "fit.json"
    fitted.save(file)
    file.write_text(change(json.loads(file.read_text())))
    with pytest.raises(ValueError, match=message):
        Fit.load(file)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="there is no fitted world 'nowhere\\.json'"):
        Fit.load("nowhere.json")
