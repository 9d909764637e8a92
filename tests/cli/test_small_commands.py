import json

import click
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from apportion import Selector, Steps, Task
from apportion.cli import app
from apportion.policies import policies
from apportion.signals import signals

RUNNER = CliRunner()


def apportion(*words, code=0):
    result = RUNNER.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.jsonl"
    selector = Selector([Task(name="a"), Task(name="b")], "uniform", budget=Steps(50), seed=0, log=path)
    while not selector.done:
        selector.tell(selector.ask(), reward=0.5, loss=1.0)
    selector.evaluate({"a": 0.5, "b": None})
    selector.close()
    return path


def walk(command, path):
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from walk(child, [*path, name])


COMMANDS = list(walk(typer.main.get_command(app), []))


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=lambda item: " ".join(item) if isinstance(item, list) else ""
)
def test_every_command_has_help_for_itself_and_its_options(path, command):
    assert "Usage" in apportion(*path, "--help")
    if path:
        assert command.help
    for item in command.params:
        assert isinstance(item, click.Argument) or item.help, (path, item.name)


@pytest.mark.parametrize(("kind", "names"), [("policies", policies.names), ("signals", signals.names)])
def test_lists_name_everything(kind, names):
    rows = json.loads(apportion("list", kind, "--json"))
    assert sorted(row["name"] for row in rows) == names()
    assert all(row["source"] and row["does"] for row in rows)
    text = apportion("list", kind)
    assert "source" in text


def test_check_of_a_sound_log(log):
    assert "nothing odd found" in apportion("check", log)
    data = json.loads(apportion("check", log, "--json"))
    assert data["decisions"] == sum(data["counts"]) == 50
    assert data["findings"] == []


def test_check_finds_draws_that_do_not_follow_the_probabilities(log):
    lines = log.read_text().splitlines()
    log.write_text("\n".join([lines[0], *(line.replace('"task":"b"', '"task":"a"') for line in lines[1:-1])]) + "\n")
    assert "drawn 50 times where 25.0 were expected" in " ".join(apportion("check", log, code=1).split())


def test_check_of_a_damaged_log(log):
    log.write_text(log.read_text().replace("0.5,0.5", "0.5,0.4", 1))
    text = " ".join(apportion("check", log, code=2).split())
    assert "line 2: field `p` must be probabilities" in text


def test_check_of_a_configuration(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('seed=0\nwhen_exhausted="cycle"\ntaskset.name="digits"\nbudget.amount=100\n')
    assert "the plan" in apportion("check", path)
    assert json.loads(apportion("check", path, "--json"))["plan"]["decisions"] == pytest.approx(100)
    path.write_text(path.read_text().replace("seed", "sead"))
    assert "did you mean 'seed'" in " ".join(apportion("check", path, code=2).split())


def test_export(log, tmp_path):
    assert "50 decisions" in apportion("log", "export", log, "--out", tmp_path / "log.parquet")
    apportion("log", "export", log, "--out", tmp_path / "log.npz")
    with np.load(tmp_path / "log.npz", allow_pickle=False) as data:
        assert data["pscore"].tolist() == [0.5] * 50
    assert ".parquet or .npz" in apportion("log", "export", log, "--out", tmp_path / "log.csv", code=2)
