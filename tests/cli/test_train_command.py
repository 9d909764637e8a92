import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apportion import read_log
from apportion.cli import app

COMMAND = [sys.executable, "-m", "apportion"]
RUNNER = CliRunner()


def apportion(*words, code=0):
    """Run a command in this process; gives what it printed."""
    result = RUNNER.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def config(tmp_path, **changes):
    text = {
        "seed": 0,
        "when_exhausted": '"cycle"',
        "policy": '"uniform"',
        "taskset.name": '"digits"',
        "budget.amount": 40,
        "training.threads": 1,
        **changes,
    }
    path = tmp_path / "config.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in text.items()))
    return path


def bits(run: Path):
    """Everything of a run that must not depend on interruptions: the log, and the summary without times."""
    summary = json.loads((run / "summary.json").read_text())
    del summary["seconds"]
    return (run / "decisions.jsonl").read_bytes(), summary


def test_a_run_prints_its_plan_and_leaves_its_files(tmp_path):
    out = tmp_path / "run"
    text = apportion("train", config(tmp_path), "--out", out)
    assert "the plan" in text
    assert "a task that runs out of data starts again from its beginning" in text
    assert "objective" in text
    assert sorted(item.name for item in out.iterdir()) == [
        "checkpoints",
        "config.toml",
        "decisions.jsonl",
        "summary.json",
    ]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["steps"] == 40
    assert summary["signature"]["log"] == read_log(out / "decisions.jsonl").header["fingerprint"]
    assert summary["signature"]["config"]["budget"]["amount"] == 40


def test_the_written_configuration_repeats_the_run(tmp_path):
    apportion("train", "digits", "--budget", 30, "--policy", "temperature(temperature=2)", "--out", tmp_path / "one")
    apportion("train", tmp_path / "one" / "config.toml", "--out", tmp_path / "two")
    assert bits(tmp_path / "one") == bits(tmp_path / "two")


def test_json_is_all_that_is_printed(tmp_path):
    out = tmp_path / "run"
    result = subprocess.run(
        [*COMMAND, "train", "digits", "--budget", "20", "--out", str(out), "--json"], capture_output=True, check=True
    )
    assert json.loads(result.stdout) == json.loads((out / "summary.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "extra"),
    [("exp3s", ()), ("uniform", ("--set", "training.workers=2", "--set", "training.prefetch=3"))],
)
def test_a_run_killed_twenty_times_is_the_run_that_was_never_killed(tmp_path, policy, extra):
    """SIGKILL at random moments; decisions, log and final scores agree bit for bit."""
    words = ["train", "digits", "--policy", policy, "--budget", "600", "--set", "checkpoint_every=25", *extra]
    apportion(*words, "--out", tmp_path / "whole")
    out = tmp_path / "killed"
    moments = random.Random(11)
    kills = 10 if extra else 20
    log = out / "decisions.jsonl"
    for kill in range(kills):
        resume = ["--resume"] if kill else []
        child = subprocess.Popen(
            [*COMMAND, *(words if not kill else ["train"]), "--out", str(out), *resume, "--json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        size = log.stat().st_size if log.exists() else 0
        more = moments.randrange(0, 60) * 200  # bytes: some kills hit before the first decision, some after many
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and child.poll() is None:
            now = log.stat().st_size if log.exists() else 0
            if now != size and now - min(size, now) >= more % 6000:
                time.sleep(moments.random() * 0.05)
                break
            time.sleep(0.002)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if (out / "summary.json").exists():
            break
    subprocess.run([*COMMAND, "train", "--out", str(out), "--resume", "--json"], capture_output=True, check=True)
    assert bits(out) == bits(tmp_path / "whole")


def test_resume_of_another_run_is_refused_and_migration_is_logged(tmp_path):
    out = tmp_path / "run"
    child = subprocess.Popen(
        [*COMMAND, "train", "digits", "--budget", "3000", "--set", "checkpoint_every=10", "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = out / "checkpoints"
    while not (checkpoints.is_dir() and [item for item in checkpoints.iterdir() if item.name > "00000005"]):
        time.sleep(0.01)
    child.kill()
    child.wait()
    text = apportion("train", "--out", out, "--resume", "--policy", "proportional", code=2)
    assert "policy.name was" in text
    text = apportion("train", "--out", out, "--resume", "--set", "constraints.floor=0.1", code=2)
    assert "constraints.floor was 0.0, is 0.1" in " ".join(text.split())
    apportion("train", "--out", out, "--resume", "--migrate", "--policy", "proportional", "--budget", 60)
    log = read_log(out / "decisions.jsonl")
    (event,) = log.events
    assert event["event"] == "migrated"
    assert log.header["policy"]["name"] == "proportional"
    assert json.loads((out / "summary.json").read_text())["signature"]["config"]["policy"] == "proportional"


def test_a_finished_run_is_neither_repeated_nor_overwritten(tmp_path):
    out = tmp_path / "run"
    apportion("train", "digits", "--budget", 20, "--out", out)
    before = bits(out)
    assert "holds a run already" in apportion("train", "digits", "--budget", 20, "--out", out, code=2)
    assert "has finished" in apportion("train", "--out", out, "--resume")
    assert bits(out) == before


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_serves(tmp_path):
    out = tmp_path / "run"
    apportion("train", "digits", "--budget", 40, "--set", "checkpoint_every=10", "--out", out)
    whole = bits(out)
    (out / "summary.json").unlink()
    newest = sorted((out / "checkpoints").iterdir())[-1]
    tensors = next(item for item in newest.iterdir() if item.suffix == ".safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-1])
    text = " ".join(apportion("train", "--out", out, "--resume", code=2).split())
    assert "is damaged" in text
    assert "to resume from the checkpoint before it" in text
    for item in newest.iterdir():
        item.unlink()
    newest.rmdir()
    apportion("train", "--out", out, "--resume")
    assert bits(out) == whole


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digit"], "did you mean 'digits'"),
        ([], "name a configuration"),
        (["absent.toml"], "there is no configuration 'absent.toml'"),
        (["digits", "--policy", "unifrom"], "did you mean 'uniform'"),
        (["digits", "--policy", "uniform(x=1)"], "has no parameter 'x'"),
        (["digits", "--budget", "-5"], "`budget.amount` is -5.0"),
        (["digits", "--set", "training.batchsize=3"], "did you mean 'batch_size'"),
        (["digits", "--set", "taskset.sed=3"], "did you mean 'seed'"),
        (["digits", "--set", "nonsense"], "takes KEY=VALUE"),
        (["digits", "--set", "constraints.floor=0.2"], "sum to 1.6"),
        (["digits", "--set", "constraints.floor.digt=0.2"], "did you mean 'digit'"),
        (["digits", "--set", "priorities.digt=2"], "did you mean 'digit'"),
        (["digits", "--budget", "2", "--set", "training.charge_evaluations=true"], "one evaluation costs"),
        (["digits", "--migrate"], "add `--resume`"),
        (["--resume"], "needs the directory"),
        (["--resume", "--out", "absent"], "holds no run"),
        (["digits", "--out", "/dev/null/run"], "Not a directory"),
    ],
)
def test_wrong_usage_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    text = " ".join(apportion("train", *words, code=2).split())
    assert message in text
    assert text.startswith("error:")
    assert "Traceback" not in text
    assert not list(tmp_path.rglob("decisions.jsonl"))


def test_a_policy_of_ones_own_in_one_file(tmp_path):
    guide = Path(__file__).parents[2] / "CONTRIBUTING.md"
    code = guide.read_text().split("```python\n# my_policy.py\n")[1].split("```")[0]
    (tmp_path / "my_policy.py").write_text(code)
    spec = f"{tmp_path / 'my_policy.py'}:Greedier"
    apportion("train", "digits", "--budget", 30, "--policy", f"{spec}(temperature=0.2)", "--out", tmp_path / "run")
    assert read_log(tmp_path / "run" / "decisions.jsonl").header["policy"] == {"name": "greedier", "temperature": 0.2}
    from apportion.policies import policies
    from apportion.testing import check_policy

    check_policy(policies.make(spec))
