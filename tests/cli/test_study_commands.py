import json

import numpy as np
import pytest
from typer.testing import CliRunner

from apportion.cli import app

RUNNER = CliRunner()


def apportion(*words, code=0):
    result = RUNNER.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def test_simulate_prints_a_row_for_each_world_and_policy(tmp_path):
    words = ["simulate", "--worlds", "useless/0,equal/1", "--policies", "tscl_naive", "--runs", 6, "--workers", 1]
    data = json.loads(apportion(*words, "--json"))
    rows = {(row["world"], row["policy"]): row for row in data["rows"]}
    assert {world for world, _ in rows} == {"useless/0", "equal/1"}
    assert {policy for _, policy in rows} == {"uniform", "tscl_naive", "best fixed mixture", "oracle"}
    uniform = rows["useless/0", "uniform"]
    assert uniform["gap_closed"] == 0
    assert uniform["runs"] == 6
    row = rows["useless/0", "tscl_naive"]
    assert row["gap_lower"] <= row["gap_closed"] <= row["gap_upper"]
    assert row["lower"] <= row["mean"] <= row["upper"] <= rows["useless/0", "oracle"]["mean"]
    assert rows["useless/0", "oracle"]["gap_closed"] == pytest.approx(1)
    assert rows["equal/1", "tscl_naive"]["gap_closed"] is None  # nothing to gain there
    total = next(item for item in data["totals"] if item["policy"] == "tscl_naive")
    assert total["families"] == 1
    assert total["ran"] == 2
    for end in ("gap_closed", "gap_lower", "gap_upper"):
        assert total[end] == pytest.approx(row[end])
    text = apportion(*words, "--out", tmp_path)
    assert "gap closed" in text
    assert (tmp_path / "study.json").is_file()


def test_a_policy_that_a_world_cannot_serve_is_a_row_with_its_reason():
    data = json.loads(
        apportion(
            "simulate", "--worlds", "useless/0", "--policies", "sec", "--signal", "advantage", "--runs", 2, "--json"
        )
    )
    row = next(row for row in data["rows"] if row["policy"] == "sec")
    assert row["mean"] is None
    assert "advantage" in row["note"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--worlds", "usless"], "did you mean 'useless'"),
        (["--worlds", "useless/99"], "must be from 0 to"),
        (["--policies", "exp4"], "there is no policy named 'exp4'"),
        (["--split", "secret"], "public, reported"),
        (["--engine", "spark"], "local, ray"),
    ],
)
def test_wrong_names_are_one_sentence(words, message):
    text = apportion("simulate", *words, "--runs", 2, code=2)
    assert message in " ".join(text.split())


def test_a_world_of_ones_own_in_one_file(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from apportion.sim import BanditWorld\n\n"
        "@dataclass(kw_only=True)\n"
        "class Mine(BanditWorld):\n"
        '    """Two arms of my own."""\n\n'
        '    name = "mine"\n'
        "    means: tuple[float, ...] = (0.1, 0.9)\n"
        "    budget: float = 60\n"
    )
    words = ["--worlds", f"{tmp_path / 'mine.py'}:Mine", "--policies", "epsilon_greedy", "--runs", 20]
    data = json.loads(apportion("simulate", *words, "--workers", 1, "--json"))
    rows = {row["policy"]: row for row in data["rows"]}
    assert rows["uniform"]["mean"] == pytest.approx(0.5, abs=0.1)
    assert rows["epsilon_greedy"]["mean"] > rows["uniform"]["mean"]


def test_compare_and_report(tmp_path):
    words = ["compare", "digits", "--policies", "uniform,proportional", "--seeds", 2, "--budget", 20, "--workers", 1]
    text = apportion(*words, "--out", tmp_path)
    assert "2 paired seeds, 20 steps each" in text
    data = json.loads(apportion(*words, "--out", tmp_path, "--json"))  # nothing is trained again
    assert np.array(data["objectives"]).shape == (2, 2)
    row = data["rows"][1]
    assert row["gain"] == pytest.approx(np.mean(np.subtract(data["objectives"][1], data["objectives"][0])))
    assert row["gain_lower"] <= row["gain"] <= row["gain_upper"]
    page = tmp_path / "report.html"
    apportion("report", tmp_path, "--out", page)
    assert "<html" in page.read_text()
    assert "holds no run" in apportion("report", tmp_path / "runs" / "nothing", code=2)


def test_demo(tmp_path):
    text = apportion("demo", "--out", tmp_path, "--seeds", 1, "--policies", "uniform,proportional", "--budget", 40)
    assert (tmp_path / "report.html").is_file()
    assert sorted((tmp_path / "figures").glob("*.png"))
    assert text.rstrip().endswith("report.html")


@pytest.mark.parametrize(
    ("world", "message"),
    [
        ("LearningWorld(tasks=T, budget=50, scale=(5.0, float('nan')))", "`scale[1]` must be in (0, inf), got"),
        ("LearningWorld(tasks=T, budget=50, scale=5.0, transfer=((1, 50), (50, 1)))", "at most 4 per task, got 25.5"),
        ("Priced(LearningWorld(tasks=T, budget=50, scale=5.0), prices=(1.0, -2.0))", "`prices[1]` must be in (0, inf)"),
    ],
)
def test_bad_settings_of_ones_own_world_are_one_sentence(tmp_path, world, message):
    (tmp_path / "mine.py").write_text(
        "from apportion import Task\n"
        "from apportion.sim import LearningWorld, Priced\n\n"
        "T = (Task(name='a'), Task(name='b'))\n\n"
        f"class Mine(LearningWorld):\n    def __new__(cls):\n        return {world}\n"
    )
    text = apportion("simulate", "--worlds", f"{tmp_path / 'mine.py'}:Mine", "--runs", 2, "--workers", 1, code=2)
    assert message in " ".join(text.split())


def test_registered_worlds_take_parameters():
    words = ["--worlds", "bandit(means=(0.2, 0.9), budget=40)", "--policies", "ucb1", "--runs", 20, "--workers", 1]
    rows = {row["policy"]: row for row in json.loads(apportion("simulate", *words, "--json"))["rows"]}
    assert rows["oracle"]["mean"] == pytest.approx(0.9)
    assert rows["ucb1"]["gap_lower"] > 0


def test_figures_and_pictures_are_drawn(tmp_path):
    words = ["simulate", "--worlds", "few_steps", "--policies", "sec,exp3s", "--runs", 4, "--workers", 1]
    apportion(*words, "--out", tmp_path)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {"gap-closed.svg", "objective.svg", *(f"shares-few_steps-{index}.svg" for index in range(3))}
    text = (tmp_path / "figures" / "gap-closed.svg").read_text()
    assert text.startswith("<svg")
    assert "few_steps/2" in text
    assert "http" not in text.replace("http://www.w3.org", "")  # self-contained
    output = apportion("list", "worlds", "few_steps,equal/1", "--out", tmp_path / "worlds")
    assert "few_steps/1" in output
    assert {path.name for path in (tmp_path / "worlds").iterdir()} == {"few_steps.svg", "equal.svg"}
    data = json.loads(apportion("list", "worlds", "equal/1", "--json"))
    assert [item["name"] for item in data[0]["settings"]] == ["equal/1"]
    assert data[0]["settings"][0]["uniform"] == pytest.approx(data[0]["settings"][0]["best"], abs=1e-3)
    assert "there is no family" in apportion("list", "worlds", "equl", code=2)


def test_many_policies_are_cut_to_the_best_in_figures(tmp_path):
    policies = ",".join(f"epsilon_greedy(exploration={share / 100})" for share in range(1, 20))
    words = ["--worlds", "few_steps/2", "--policies", policies, "--runs", 2, "--workers", 1]
    apportion("simulate", *words, "--out", tmp_path)
    assert "Uniform and the 9 policies" in (tmp_path / "figures" / "objective.svg").read_text()
    text = (tmp_path / "figures" / "shares-few_steps-2.svg").read_text()
    assert "Uniform and the 17 policies" in text


def test_many_worlds_make_a_map(tmp_path):
    words = ["--worlds", "few_steps,useless,equal/1", "--policies", "sec", "--runs", 2, "--workers", 1]
    apportion("simulate", *words, "--out", tmp_path)
    text = (tmp_path / "figures" / "gap-closed.svg").read_text()
    assert "Blue: better than uniform" in text
    assert "Left out" in text
