import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apportion.errors import CheckpointError
from apportion.study.jobs import Job, read_store, run_jobs

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


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # ray itself warns
def test_ray_gives_the_same_and_survives_a_killed_worker(tmp_path):
    jobs = [Job(job.key, {**job.spec, "folder": str(tmp_path)}) for job in JOBS]
    store = tmp_path / "jobs.jsonl"
    assert results(run_jobs(jobs, die_once, engine="ray", store=store)) == expected()
    assert (tmp_path / "died").exists()
    assert len(store.read_bytes().splitlines()) == len(JOBS)


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
