import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from apportion.config import make_config
from apportion.errors import CheckpointError
from apportion.study.jobs import Job, read_store, run_jobs
from apportion.study.training import study_training
from apportion.study.worlds import study_worlds

JOBS = [Job(f"job {number}", {"number": number}) for number in range(6)]


def square(spec):
    return {"square": spec["number"] ** 2}


def die_once(spec):
    """Kills its own process the first time it does job 3."""
    mark = Path(spec["folder"]) / "died"
    if spec["number"] == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"square": spec["number"] ** 2}


def expected(jobs=JOBS):
    return {job.key: {"square": job.spec["number"] ** 2} for job in jobs}


def results(found):
    return {job.key: result for job, result in found}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers, tmp_path):
    store = tmp_path / "jobs.jsonl"
    assert results(run_jobs(JOBS, square, workers=workers, store=store)) == expected()
    assert len(store.read_bytes().splitlines()) == len(JOBS)

    def never(spec):
        raise AssertionError(spec)

    assert results(run_jobs(JOBS, never, workers=1, store=store)) == expected()


def test_a_worker_that_dies_loses_and_doubles_nothing(tmp_path):
    jobs = [Job(job.key, {**job.spec, "folder": str(tmp_path)}) for job in JOBS]
    store = tmp_path / "jobs.jsonl"
    assert results(run_jobs(jobs, die_once, workers=2, store=store)) == expected()
    assert (tmp_path / "died").exists()
    assert len(store.read_bytes().splitlines()) == len(JOBS)


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster on this machine, started once."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("default")  # ray itself warns
def test_ray_gives_the_same_and_survives_a_killed_worker(tmp_path):
    jobs = [Job(job.key, {**job.spec, "folder": str(tmp_path)}) for job in JOBS]
    store = tmp_path / "jobs.jsonl"
    assert results(run_jobs(jobs, die_once, engine="ray", store=store)) == expected()
    assert (tmp_path / "died").exists()
    assert len(store.read_bytes().splitlines()) == len(JOBS)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("default")
def test_simulations_on_ray_give_the_same_numbers():
    words = {"runs": 6, "seed": 3}
    local = study_worlds(["few_steps"], ["exp3s", "sec"], **words, workers=1)
    there = study_worlds(["few_steps"], ["exp3s", "sec"], **words, engine="ray")
    figures = [[repr(replace(row, seconds=0.0)) for row in study.rows] for study in (there, local)]
    assert figures[0] == figures[1]


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.filterwarnings("default")
def test_real_training_on_ray_gives_the_same_numbers_and_resumes(tmp_path):
    data = {"taskset": {"name": "digits"}, "budget": {"amount": 12}, "when_exhausted": "cycle", "seed": 0}
    config = make_config({**data, "training": {"evaluation_size": 8, "threads": 1}})
    local = study_training(config, ["uniform", "exp3s"], [0, 1], out=tmp_path / "local", workers=1)
    there = study_training(config, ["uniform", "exp3s"], [0], out=tmp_path / "ray", engine="ray")
    assert there.objectives[:, 0].tolist() == local.objectives[:, 0].tolist()
    store = tmp_path / "ray" / "jobs.jsonl"
    first = store.read_bytes()
    more = study_training(config, ["uniform", "exp3s"], [0, 1], out=tmp_path / "ray", engine="ray")
    assert more.objectives.tolist() == local.objectives.tolist()
    assert store.read_bytes().startswith(first)  # what was finished was not done again
    assert len(store.read_bytes().splitlines()) == 4


def test_an_interrupted_study_goes_on_where_it_stood(tmp_path):
    store = tmp_path / "jobs.jsonl"
    some = run_jobs(JOBS, square, workers=1, store=store)
    for _ in range(3):
        next(some)
    some.close()
    assert len(read_store(store)) == 3
    with store.open("ab") as file:
        file.write(b'{"key": "job 5", "spec": "torn')
    with pytest.warns(UserWarning, match="torn line"):
        assert results(run_jobs(JOBS, square, workers=1, store=store)) == expected()
    assert len(read_store(store)) == len(JOBS)


def test_results_of_another_study_are_not_taken(tmp_path):
    store = tmp_path / "jobs.jsonl"
    list(run_jobs(JOBS, square, workers=1, store=store))
    other = [Job("job 0", {"number": 100})]
    with pytest.raises(CheckpointError, match="give another `--out`"):
        list(run_jobs(other, square, workers=1, store=store))
    store.write_bytes(b"nonsense\n" + store.read_bytes())
    with pytest.raises(CheckpointError, match="line 1 is damaged"):
        list(run_jobs(JOBS, square, workers=1, store=store))


def test_an_error_in_a_job_is_not_hidden():
    def broken(spec):
        raise KeyError(spec["number"])

    with pytest.raises(KeyError):
        list(run_jobs(JOBS, broken, workers=1))


_SIMULATE = [
    "simulate",
    "--worlds",
    "speeds/0",
    "--policies",
    "coba,tscl_naive,power_schedule",
    "--runs",
    "4",
    "--workers",
    "1",
]


def test_a_killed_simulation_goes_on_and_gives_the_same(tmp_path):
    command = [sys.executable, "-m", "apportion", *_SIMULATE, "--json", "--out"]
    whole = subprocess.run([*command, str(tmp_path / "whole")], capture_output=True, check=True).stdout
    out = tmp_path / "killed"
    child = subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None and not (out / "jobs.jsonl").exists():
        time.sleep(0.01)
    child.kill()
    child.wait()
    again = subprocess.run([*command, str(out)], capture_output=True, check=True).stdout
    import json

    def figures(text):
        return [{**row, "seconds": 0} for row in json.loads(text)["rows"]]

    assert figures(again) == figures(whole)


def test_a_store_that_another_study_works_with_is_left_alone(tmp_path):
    store = tmp_path / "jobs.jsonl"
    first = run_jobs(JOBS, square, workers=1, store=store)
    next(first)
    with pytest.raises(BlockingIOError, match=r"another process works in .* give another `--out`"):
        next(run_jobs(JOBS, square, workers=1, store=store))
    assert len(read_store(store)) == 1
    first.close()
    assert results(run_jobs(JOBS, square, workers=1, store=store)) == expected()
