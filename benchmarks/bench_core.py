"""Decisions a second, beside other libraries in the same run. Prints one JSON line for each figure.

Nine tasks with the sizes of GLUE, a static policy. Peers are measured where they are installed (`make bench` installs
them); each row is the best of several repeats, since the machine is shared with other work.
"""

import json
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from apportion import Selector, Steps, Task, read_log
from apportion.log import LogWriter

SIZES = {
    "cola": 8551, "sst2": 67349, "mrpc": 3668, "stsb": 5749, "qqp": 363846,
    "mnli": 392702, "qnli": 104743, "rte": 2490, "wnli": 635,
}  # fmt: skip
REPEATS = 5


def rate(work: Callable[[], int]) -> float:
    """Best number of items a second over some repeats."""
    best = 0.0
    for _ in range(REPEATS):
        start = time.perf_counter()
        items = work()
        best = max(best, items / (time.perf_counter() - start))
    return best


def report(name: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"benchmark": "core", "figure": name, "value": round(value, 4), "unit": unit, **more}), flush=True)


def selector(policy: str = "temperature(temperature=2)", log: Path | None = None) -> Selector:
    tasks = [Task(name=name, size=size) for name, size in SIZES.items()]
    return Selector(tasks, policy, budget=Steps(10**9), seed=0, log=log)


def ask_and_tell(one: Selector, n: int) -> int:
    for _ in range(n):
        one.tell(one.ask(), loss=0.5)
    return n


def jiant_way(n: int) -> int:
    """The draw of jiant's temperature sampler: one call of `choice` with p proportional to size^(1/T)."""
    names, sizes = list(SIZES), np.array(list(SIZES.values()), dtype=np.float64)
    probabilities = sizes**0.5 / (sizes**0.5).sum()
    generator = np.random.default_rng(0)
    for _ in range(n):
        generator.choice(names, p=probabilities)
    return n


def torchdata_way(n: int) -> int:
    from torchdata.nodes import IterableWrapper, MultiNodeWeightedSampler

    total = sum(size**0.5 for size in SIZES.values())
    node = MultiNodeWeightedSampler(
        {name: IterableWrapper(range(n)) for name in SIZES},
        {name: size**0.5 / total for name, size in SIZES.items()},
        seed=0,
    )
    node.reset()
    for _ in range(n):
        next(node)
    return n


def interleave_way(n: int) -> int:
    from datasets import IterableDataset, interleave_datasets

    total = sum(size**0.5 for size in SIZES.values())

    def rows(name: str):
        for _ in range(n):
            yield {"task": name}

    mixed = interleave_datasets(
        [IterableDataset.from_generator(rows, gen_kwargs={"name": name}) for name in SIZES],
        probabilities=[size**0.5 / total for size in SIZES.values()],
        seed=0,
    )
    for _, _ in zip(range(n), mixed, strict=False):
        pass
    return n


def bare_writes(path: Path, n: int) -> int:
    """The limit of any log that survives a kill: one write to the operating system for each record."""
    path.unlink(missing_ok=True)
    writer = LogWriter(path, header={})
    record = {"step": 0, "task": "mnli", "p": [1 / 9] * 9, "status": "told", "reward": None, "cost": 1.0}
    for _ in range(n):
        writer.write(record)
    writer.close()
    return n


def main() -> None:
    """Run all."""
    with tempfile.TemporaryDirectory() as folder:
        n = 50_000
        logged, unlogged = selector(log=Path(folder) / "log.jsonl"), selector()
        figures = {
            "decisions, logged": rate(lambda: ask_and_tell(logged, n)),
            "decisions, not logged": rate(lambda: ask_and_tell(unlogged, n)),
            "decisions in blocks, not logged": rate(lambda: len(unlogged.draw(1_000_000))),
            "limit: bare log writes": rate(lambda: bare_writes(Path(folder) / "bare.jsonl", n)),
            "peer: choice with probabilities, as jiant draws": rate(lambda: jiant_way(5_000)),
        }
        if find_spec("torchdata"):
            figures["peer: torchdata MultiNodeWeightedSampler, with items"] = rate(lambda: torchdata_way(20_000))
        if find_spec("datasets"):
            figures["peer: datasets interleave_datasets, with rows"] = rate(lambda: interleave_way(2_000))
        for name, value in figures.items():
            ratio = figures["decisions, logged"] / value
            report(name, value, "per second", logged_decisions_relative_to_this=round(ratio, 3), repeats=REPEATS)

        big = selector(log=Path(folder) / "big.jsonl")
        ask_and_tell(big, 1_000_000)
        big.close()
        start = time.perf_counter()
        log = read_log(Path(folder) / "big.jsonl")
        report("reading a log of 1,000,000 decisions", time.perf_counter() - start, "seconds", n=log.logged.n_rounds)


if __name__ == "__main__":
    main()
