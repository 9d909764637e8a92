"""`apportion plan` and `apportion forecast` on a real run, on the same run while it goes on, and on odd ones."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from apportion.cli import app
from apportion.forecast import History
from apportion.log import read_log
from apportion.report import load_runs, tables

RUNNER = CliRunner()


def apportion(*words, code=0):
    result = RUNNER.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of 120 steps with 10 evaluations."""
    place = tmp_path_factory.mktemp("plan") / "run"
    small = ("--set", "training.evaluation_size=32", "--set", "checkpoint_every=1000")
    apportion("train", "digits", "--budget", 120, "--seed", 3, "--out", place, *small)
    return place


def changed(run, tmp_path, change):
    """A copy of the run, not finished, with every line of its log changed; lines that become None are left out."""
    place = tmp_path / "changed"
    shutil.copytree(run, place, ignore=shutil.ignore_patterns("checkpoints", "summary.json"))
    lines = [json.loads(line) for line in (run / "decisions.jsonl").read_text().splitlines()]
    kept = [line for line in map(change, lines) if line is not None]
    (place / "decisions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    return place


def test_a_running_run_gets_a_plan_of_its_rest_that_the_report_shows(run, tmp_path):
    half = changed(run, tmp_path, lambda line: None if line.get("step", 0) > 60 else line)
    words = ("--shares", "rotated=0.6,shuffled=0.4", "--target", "negative=0.7", "--constraint", "floor=0.05", "--save")
    text = apportion("plan", half, *words)
    for part in ("Estimand: run", "what if", "negative at 0.7", "can be dropped", "saved:"):
        assert part in text
    data = json.loads(apportion("plan", half, *words, "--json"))
    assert data["left"] == pytest.approx(59)
    assert sum(data["shares"].values()) == pytest.approx(1)
    assert min(data["shares"].values()) >= 0.05 - 1e-6
    assert sum(data["decisions"].values()) == pytest.approx(59)
    for row in data["forecast"]["scores"]:
        assert row["lower"] <= row["value"] <= row["upper"] <= 1
    given = json.loads((half / "plan.json").read_text())
    assert given == data["report"]
    setting = load_runs([half])[0]
    assert len(tables.forecasts(setting)) == 4 * 8
    assert len(tables.transfers(setting)) == 8 * 7
    assert len(tables.worths(setting)) == 8


def test_of_tasks_that_can_be_dropped_it_is_said_what_they_may_yet_teach(run):
    words = ("plan", run, "--budget", 100)
    data = json.loads(apportion(*words, "--json"))
    told = [line for line in apportion(*words).splitlines() if line.startswith("unless they help others")]
    dropped = data["droppable"]
    assert dropped
    open_ = {
        name: max(row["upper"] for row in data["transfer"] if row["source"] == name and row["task"] not in dropped)
        for name in dropped
    }
    assert max(open_.values()) > 0.5
    assert [name for name in open_ if f" {name} (" in told[0]] == [name for name, most in open_.items() if most > 0.5]


def test_of_tasks_that_can_be_dropped_it_is_said_how_likely_they_begin_later(run, tmp_path):
    half = changed(run, tmp_path, lambda line: None if line.get("step", 0) > 60 else line)
    data = json.loads(apportion("plan", half, "--json"))
    late = {name: data["waiting"][name] for name in data["droppable"] if data["waiting"][name] >= 0.05}
    assert late
    text = " ".join(apportion("plan", half).split())
    said = ", ".join(f"{name} ({chance:.0%} likely)" for name, chance in late.items())
    assert f"unless they begin to learn later: {said}" in text
    assert ("take these as hints" in text) == ("a batch teaches" in text)
    # Once the budget is spent it is too late.
    assert set(json.loads(apportion("plan", run, "--budget", 50, "--json"))["waiting"].values()) == {0.0}


def test_a_finished_run_needs_to_be_told_how_much_more_there_is(run):
    assert "say how much more there is with `budget`" in apportion("plan", run, code=2).replace("\n", " ")
    assert "say how much more" in apportion("forecast", run, code=2).replace("\n", " ")
    data = json.loads(apportion("plan", run, "--budget", 50, "--prior", run, "--json"))
    assert data["left"] == 50
    assert data["spent"] == 120
    said = json.loads(apportion("forecast", run, "--budget", 50, "--json"))[0]
    assert {row["task"] for row in said["scores"]} == set(data["shares"])
    assert said["estimand"] == "run"


def test_planner_takes_earlier_runs_as_priors_and_goes_on_without_them(run, tmp_path):
    earlier, place, file = tmp_path / "earlier", tmp_path / "next", tmp_path / "lessons.json"
    assert "lessons of 2 runs" in apportion("forecast", run, run, "--lessons", file)
    assert json.loads(file.read_text())["runs"] == 2
    assert json.loads(apportion("plan", run, "--budget", 9, "--prior", file, "--json"))["left"] == 9
    shutil.copytree(run, earlier, ignore=shutil.ignore_patterns("checkpoints"))
    small = ("--set", "training.evaluation_size=32", "--out", place)
    train = ("train", "digits", "--policy", f"planner(priors='{earlier}')", "--budget", 30, "--seed", 4, *small)
    apportion(*train)
    done = (place / "decisions.jsonl").read_text()
    shutil.rmtree(earlier)
    (place / "summary.json").unlink()
    shutil.rmtree(sorted((place / "checkpoints").iterdir())[-1])
    apportion("train", "--resume", "--out", place)
    assert (place / "decisions.jsonl").read_text() == done
    shutil.rmtree(place)
    assert "must name run directories" in apportion(*train, code=2)
    assert not place.exists()


def test_past_forecasts_are_scored_beside_naive_ones(run):
    data = json.loads(apportion("forecast", run, run, "--check", "--fractions", "0.5", "--json"))
    row = data["rows"][0]
    assert row["forecasts"] == 16
    assert 0 < row["error"] < 1
    assert 0 < row["last_value"] < 1
    assert 0 <= row["coverage"] <= 1
    assert "of the last evaluation, beside" in " ".join(apportion("forecast", run, "--check").split())


def test_a_path_that_cannot_be_used_is_named(run, tmp_path):
    words = " ".join(apportion("forecast", run, "--lessons", tmp_path, code=2).split())
    assert words.endswith(f"'{tmp_path}' cannot be used: Is a directory; mend that, or give another path.")
    assert not list(tmp_path.parent.glob(".*.part"))


def test_where_evaluations_leave_tasks_out_forecasts_are_held_against_the_end(tmp_path):
    place = tmp_path / "run"
    small = ("--set", "training.evaluation_size=32", "--set", "checkpoint_every=1000")
    apportion("train", "digits", "--policy", "planner", "--budget", 120, "--seed", 3, "--out", place, *small)
    data = json.loads(apportion("forecast", place, "--check", "--fractions", "0.5", "--json"))
    final = json.loads((place / "summary.json").read_text())["tasks"]
    assert {item["task"]: item["came"] for item in data["forecasts"]} == {
        name: item["score"] for name, item in final.items()
    }
    row = data["rows"][0]
    assert row["forecasts"] == 8
    assert 0 < row["error"] < row["last_value"]
    assert "of the final scores, beside" in " ".join(apportion("forecast", place, "--check").split())
    (place / "summary.json").unlink()
    words = apportion("forecast", place, "--check", code=2)
    assert "last evaluation measured no task, and it has not finished" in " ".join(words.split())


@pytest.mark.parametrize("goal", ["worst", "targets", "FILE"])
def test_objectives(run, tmp_path, goal):
    spec = goal
    if goal == "FILE":
        (tmp_path / "mine.py").write_text("def best(scores):\n    return scores.max(axis=-1)\n")
        spec = f"{tmp_path / 'mine.py'}:best"
    target = ("--target", "few=0.9") if goal == "targets" else ()
    data = json.loads(apportion("plan", run, "--budget", 40, "--objective", spec, *target, "--json"))
    assert sum(data["shares"].values()) == pytest.approx(1)


def test_whole_runs_of_other_policies_are_replayed_in_the_fitted_world(run):
    asked = ("--estimand", "run", "-p", "task:random", "-p", "exp3")
    data = json.loads(apportion("evaluate", run, *asked, "--json"))
    rows = {row["policy"]: row for row in data["rows"]}
    assert set(rows) == {"uniform", "task:random", "exp3"}
    assert rows["uniform"]["gain"]["value"] == 0
    assert rows["task:random"]["gain"]["upper"] < 0
    for row in rows.values():
        assert row["estimate"]["estimand"] == "run"
        assert row["estimate"]["lower"] < row["estimate"]["value"] < row["estimate"]["upper"]
    assert "estimand run" in " ".join(apportion("evaluate", run, "--estimand", "run").split())
    assert "leave the options" in apportion("evaluate", run, "--estimand", "run", "-e", "ips", code=2)
    assert "not one of" in apportion("evaluate", run, "--estimand", "run", "-p", "task:none", code=2)


def scores(change):
    def line(record):
        if "evaluation" in record:
            record["scores"] = {name: change(name, value) for name, value in record["scores"].items()}
        return record

    return line


def test_odd_runs_get_a_clear_answer(run, tmp_path):
    once = changed(run, tmp_path / "once", lambda line: None if line.get("evaluation", 0) > 0 else line)
    data = json.loads(apportion("plan", once, "--budget", 40, "--json"))
    # Losses of training batches are all that tells of the tasks after the first evaluation: little is claimed.
    assert all(row["upper"] - row["lower"] > 0.1 for row in data["forecast"]["scores"])
    np.testing.assert_allclose(list(data["shares"].values()), 1 / 8, atol=0.1)
    same = changed(run, tmp_path / "same", scores(lambda name, value: 0.5))
    for row in json.loads(apportion("plan", same, "--budget", 40, "--json"))["forecast"]["scores"]:
        assert row["value"] == pytest.approx(0.5, abs=0.05)
    gaps = changed(run, tmp_path / "gaps", scores(lambda name, value: None if name == "few" else value))
    data = json.loads(apportion("plan", gaps, "--budget", 40, "--json"))
    assert [row["task"] for row in data["forecast"]["scores"] if row["value"] is None] == ["few"]
    assert any("Nothing can be said about few" in words for words in data["warnings"])
    assert "few" not in {row["task"] for row in data["report"]["forecast"]}


def test_shares_that_do_not_sum_to_one_are_told(run):
    text = apportion("forecast", run, "--budget", 9, "--shares", "rotated=1,few=0.25")
    assert "the shares sum to 1.25 and were divided by it" in text
    assert "80.0%" in text


def test_bad_input_is_one_sentence(run, tmp_path):
    (tmp_path / "mine.py").write_text("def mine(scores):\n    return scores.mean(axis=-1) * float('nan')\n")
    above = changed(run, tmp_path / "above", scores(lambda name, value: 1.5))
    none = changed(run, tmp_path / "none", lambda line: None if "evaluation" in line else line)
    for words, part in (
        (("plan", tmp_path), "holds no run"),
        (("forecast", tmp_path / "nowhere"), "holds no run"),
        (("plan", above, "--budget", 9), "must be at most 1, got 1.5"),
        (("plan", none, "--budget", 9), "has no evaluation yet"),
        (("forecast", none, "--check"), "has no evaluation yet"),
        (("plan", run, "--budget", -1), "`budget` must be in"),
        (("plan", run, "--budget", 9, "--shares", "rotatd=1"), "did you mean"),
        (("plan", run, "--budget", 9, "--shares", "rotated"), "takes TASK=NUMBER"),
        (("plan", run, "--budget", 9, "--shares", "rotated=-1"), "must not be negative, got rotated=-1"),
        (("plan", run, "--budget", 9, "--shares", "rotated=0"), "must give at least one task"),
        (("plan", run, "--budget", 9, "--objective", f"{tmp_path}/mine.py:mine"), "got NaN"),
        (("plan", run, "--budget", 9, "--target", "few=2"), "must be at most 1, its largest possible score, got 2"),
        (("plan", run, "--budget", 9, "--target", "few=high"), "takes TASK=NUMBER"),
        (("plan", run, "--budget", 9, "--objective", "best"), "must be mean, worst, targets"),
        (("plan", run, "--budget", 9, "--objective", "targets"), "needs at least one `--target"),
        (("plan", run, "--budget", 9, "--constraint", "least=1"), "takes floor=X"),
        (("plan", run, "--budget", 9, "--constraint", "floor=0.5"), "more than 1"),
        (("forecast", run, "--check", "--fractions", "half"), "takes numbers"),
        (("forecast", run, "--check", "--fractions", "1.5"), "`fractions` must be in"),
    ):
        text = apportion(*words, code=2)
        assert part in " ".join(text.split()), text
        assert text.count("error:") == 1


def test_what_training_batches_told_is_evidence_too(run):
    log = read_log(run / "decisions.jsonl")
    told = History.of_log(log, upper=1.0).losses
    assert told is not None
    first, second = (item.step for item in log.evaluations[:2])
    chosen = (log.logged.step >= first) & (log.logged.step < second) & (log.logged.chosen == 1)
    np.testing.assert_allclose(told[0, 1, 1], log.measured["loss"][chosen].mean())
    assert History.of_log(log, upper=1.0, training=False).losses is None
