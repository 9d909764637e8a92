import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "plugin"
CHECK = """
from apportion.policies import policies
from apportion.testing import check_policy
assert "patient" in policies.names()
check_policy(policies.make("patient"))
print(policies.find("patient").__module__)
"""


def test_a_policy_in_a_package_of_its_own_is_known_by_name(tmp_path):
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    source = tmp_path / "source"
    subprocess.run(["cp", "-r", str(EXAMPLE), str(source)], check=True)  # building writes beside the source
    subprocess.run([*install, "--target", str(tmp_path / "site"), str(source)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}

    def run(*words):
        result = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert run("-c", CHECK).strip() == "apportion_patient"
    assert "patient" in run("-m", "apportion", "list", "policies", "--json")
    out = tmp_path / "run"
    train = ("train", "digits", "--policy", "patient", "--signal", "loss_decrease", "--budget", "30")
    run("-m", "apportion", *train, "--out", str(out), "--json")
    assert (out / "summary.json").is_file()
    assert "Patient()" in run("-m", "apportion", "check", str(out / "config.toml"))
    assert "patient" in run("-m", "apportion", "evaluate", str(out), "--policy", "patient", "--json")
    rows = run(
        "-m", "apportion", "simulate", "--worlds", "useless/0", "--policies", "patient", "--runs", "2", "--workers", "1"
    )
    assert "patient" in rows
