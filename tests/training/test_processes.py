"""Several processes must train the same model as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apportion.log import read_log

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.mark.slow
def test_two_processes_give_the_run_of_one(tmp_path):
    """Equal decisions; losses and weights equal up to the order in which numbers are summed."""
    folders = {n: tmp_path / str(n) for n in (1, 2)}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
    for n, folder in folders.items():
        folder.mkdir()
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={n}"] if n > 1 else []
        done = subprocess.run(
            [sys.executable, *launcher, str(SCRIPT), str(folder)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    for name in ("plain", "measured", "gradients"):
        one, two = (json.loads((folder / f"{name}.json").read_text()) for folder in folders.values())
        assert one["counts"] == two["counts"]
        assert one["spent"] == pytest.approx(two["spent"])
        assert one["weights"] == pytest.approx(two["weights"], abs=1e-4)
        assert one["scores"] == pytest.approx(two["scores"], abs=0.05)
        logs = [read_log(folder / name / "decisions.jsonl") for folder in folders.values()]
        assert logs[0].logged.chosen.tolist() == logs[1].logged.chosen.tolist()
        for key, values in logs[0].measured.items():
            np.testing.assert_allclose(values, logs[1].measured[key], rtol=1e-3, atol=1e-5, err_msg=f"{name} {key}")
