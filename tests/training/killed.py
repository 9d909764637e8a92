"""Trains on digits in child processes that are killed at random moments, each going on where the last one saved.

Run by the tests with a folder and the number of kills; forking saves the import of torch each time.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from apportion.budget import Steps
from apportion.run import RunDirectory
from apportion.tasksets import digits
from apportion.training import Settings, Trainer

STEPS = 150
TASKSET = digits()


def train(path, exists):
    run = RunDirectory.open(path) if exists else RunDirectory.create(path, config="")
    trainer = Trainer(
        TASKSET,
        policy="exp3s",
        signal="prediction_gain",
        budget=Steps(STEPS * 4 / 3),
        seed=7,
        when_exhausted="cycle",
        settings=Settings(threads=1, prefetch=2, accumulate=2, evaluate_every=40, evaluation_size=32),
        run=run,
        checkpoint_every=10,
    )
    if exists and run.checkpoints:
        trainer.resume()
    result = trainer.run().to_dict()
    del result["seconds"]
    run.write_summary(result)


def main(folder, kills):
    whole = Path(folder) / "whole"
    start = time.perf_counter()
    train(whole, exists=False)
    duration = time.perf_counter() - start
    moments = random.Random(5)
    path = Path(folder) / "killed"
    done = 0
    while done < kills:
        child = os.fork()
        if child == 0:
            train(path, exists=path.exists() and (path / "config.toml").exists())
            os._exit(0)
        time.sleep(moments.uniform(0.02, 0.25) * duration)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):  # it had finished: start a new run, so that every kill hits a run in progress
            assert os.WEXITSTATUS(status) == 0
            compare(whole, path)
            path = Path(folder) / f"killed-{done}"
            continue
        if not list(path.glob("checkpoints/0*")):
            for file in sorted(path.rglob("*"), reverse=True):  # killed before the first checkpoint: nothing to resume
                file.unlink() if file.is_file() else file.rmdir()
        done += 1
    train(path, exists=(path / "config.toml").exists())
    compare(whole, path)
    print(json.dumps({"kills": done, "runs": len(list(Path(folder).glob("killed*")))}))


def compare(whole, path):
    for name in ("decisions.jsonl", "summary.json"):
        assert (whole / name).read_bytes() == (path / name).read_bytes(), name
    last = sorted((whole / "checkpoints").iterdir())[-1].name
    tensors = [run / "checkpoints" / last / "tensors.safetensors" for run in (whole, path)]
    assert tensors[0].read_bytes() == tensors[1].read_bytes()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
