"""Many independent jobs: in this process, in several, or on a Ray cluster; finished ones are never repeated."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, cast

import orjson
from filelock import FileLock, Timeout

from .._check import check_choice, check_integer
from .._optional import optional
from ..errors import CheckpointError
from ..log import fingerprint

Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = ("local", "ray")
RETRIES = 3
"""How often a piece of work is tried again after its process died."""

Work = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work.

    Attributes:
        key: different for each job of a study, and the same in every run of the study.
        spec: plain data that the work function gets.
    """

    key: str
    spec: Mapping[str, Any]


def run_jobs(
    jobs: Sequence[Job],
    work: Work,
    *,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    store: Path | None = None,
) -> Generator[tuple[Job, dict[str, Any]], None, None]:
    """Do all jobs and give each result as it comes; those in the store come first and are not done again.

    Every result is appended to the store in one write, so a study that is killed goes on where it stood. A worker that
    dies takes no result with it: its job is tried again, `RETRIES` times. The same jobs give the same results on every
    engine, in whatever order they come.

    Args:
        jobs: with different keys.
        work: a function of a module (not nested), from a spec to plain data.
        engine: `local` runs them here, `ray` on a Ray cluster.
        workers: processes of the local engine; 1 works in this process, None takes one for each core.
        address: of a Ray cluster; None starts one on this machine.
        store: file of finished jobs (JSON lines); None keeps them in memory only.

    Raises:
        ValueError: two jobs have the same key, or the engine is unknown.
        CheckpointError: the store belongs to other jobs of the same names, or is damaged.
        BlockingIOError: another process works with the store.
        RuntimeError: a job's process died too often.
        MissingExtraError: Ray is not installed.
    """
    check_choice("engine", engine, ENGINES)
    if workers is not None:
        check_integer("workers", workers, low=1)
    by_key = {job.key: job for job in jobs}
    if len(by_key) != len(jobs):
        raise ValueError("two jobs of a study have the same key.")
    with nullcontext() if store is None else _held(store):
        yield from _run(jobs, work, engine, workers, address, store)


@contextmanager
def _held(store: Path) -> Generator[None]:
    """Two studies in one folder would train in the same run directories."""
    store.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(store.with_name(f".{store.name}.lock"), timeout=0):
            yield
    except Timeout as error:
        raise BlockingIOError(
            f"another process works in '{store.parent}': wait until it has ended, or give another `--out`; nothing was "
            f"changed."
        ) from error


def _run(
    jobs: Sequence[Job], work: Work, engine: Engine, workers: int | None, address: str | None, store: Path | None
) -> Generator[tuple[Job, dict[str, Any]], None, None]:
    done = {} if store is None else read_store(store)
    left: list[Job] = []
    for job in jobs:
        if job.key not in done:
            left.append(job)
            continue
        spec, result = done[job.key]
        if spec != fingerprint(job.spec):
            raise CheckpointError(
                f"'{store}' holds results of another study (job {job.key!r} differs): give another `--out`."
            )
        yield job, result
    run = _on_ray if engine == "ray" else _in_turn if (workers or os.cpu_count() or 1) == 1 else _in_processes
    option: Any = address if engine == "ray" else workers
    for job, result in run(left, work, option):
        if store is not None:
            _append(store, {"key": job.key, "spec": fingerprint(job.spec), "result": result})
        yield job, result


def read_store(store: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Finished jobs: fingerprint of the spec and result by key. A torn last line is left out.

    Raises:
        CheckpointError: a line inside is damaged.
    """
    if not store.is_file():
        return {}
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    lines = store.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            record = cast("dict[str, Any]", orjson.loads(line))
            found[record["key"]] = (record["spec"], record["result"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                warnings.warn(f"'{store}' ends in a torn line, whose job is done again.", stacklevel=3)
                with store.open("rb+") as file:
                    file.truncate(len(b"\n".join(lines[:-1])) + 1)
                break
            raise CheckpointError(f"'{store}' line {number} is damaged ({error}): remove the file.") from error
    return found


def _append(store: Path, record: Mapping[str, Any]) -> None:
    handle = os.open(store, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))
    finally:
        os.close(handle)


def _in_turn(jobs: Sequence[Job], work: Work, option: Any) -> Iterator[tuple[Job, dict[str, Any]]]:
    del option
    for job in jobs:
        yield job, work(job.spec)


def _in_processes(jobs: Sequence[Job], work: Work, workers: int | None) -> Iterator[tuple[Job, dict[str, Any]]]:
    left = list(jobs)
    for _ in range(RETRIES + 1):
        finished: set[str] = set()
        try:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                waiting: dict[Future[dict[str, Any]], Job] = {pool.submit(work, job.spec): job for job in left}
                while waiting:
                    ready, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in ready:
                        job = waiting.pop(future)
                        result = future.result()
                        finished.add(job.key)
                        yield job, result
        except BrokenProcessPool:
            left = [job for job in left if job.key not in finished]
            continue
        return
    raise RuntimeError(f"a worker process died {RETRIES + 1} times; {len(left)} jobs are left, see the system's log.")


def _on_ray(jobs: Sequence[Job], work: Work, address: str | None) -> Iterator[tuple[Job, dict[str, Any]]]:
    ray: Any = optional("ray", extra="ray")
    started = not ray.is_initialized()
    if started:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        remote = ray.remote(max_retries=RETRIES)(work)
        waiting = {remote.remote(dict(job.spec)): job for job in jobs}
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1)
            for reference in ready:
                job = waiting.pop(reference)
                yield job, cast("dict[str, Any]", ray.get(reference))
    finally:
        if started:
            ray.shutdown()
