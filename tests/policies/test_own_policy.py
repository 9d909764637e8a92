"""A user's own policy: the one file of CONTRIBUTING works by name in every command."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apportion.cli import app

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    (code,) = re.findall(r"```python\n# my_policy\.py\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    file = tmp_path_factory.mktemp("own") / "my_policy.py"
    file.write_text(code)
    return f"{file}:Greedier"


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_one_file_is_enough_for_train_check_evaluate_and_simulate(spec, tmp_path):
    summary = json.loads(
        run("train", "digits", "--policy", spec, "--budget", 30, "--out", tmp_path / "run", "--json", "--seed", 3)
    )
    assert summary["policy"]["name"] == "greedier"
    assert summary["signal"]["name"] == "loss_decrease"

    assert json.loads(run("check", tmp_path / "run" / "config.toml", "--json"))["config"]["policy"] == spec

    evaluated = json.loads(run("evaluate", tmp_path / "run", "--policy", spec, "--json"))
    assert spec in json.dumps(evaluated)

    text = run(
        "simulate", "--worlds", "useless/0", "--policies", f"{spec[:-9]}:Greedier(temperature=0.5)", "--runs", 2,
        "--workers", 1, "--json",
    )  # fmt: skip
    rows = [row for row in json.loads(text)["rows"] if "temperature=0.5" in row["policy"]]
    assert len(rows) == 1
    assert rows[0]["mean"] > 0


def test_what_is_not_there_is_said_in_one_sentence(spec):
    file = spec.rpartition(":")[0]
    for policy, message in ((f"{file}:Nothing", "does not define 'Nothing'"), ("nowhere.py:Greedier", "nowhere.py")):
        result = CliRunner().invoke(app, ["train", "digits", "--policy", policy])
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())
