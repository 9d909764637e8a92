"""What the task loader and the trainer cost beside a bare loop, and how long runs of `digits` take.

Times are processor seconds of one thread, so that other work on the machine disturbs them little.

Run: python benchmarks/bench_training.py [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from functools import partial

import numpy as np
import torch

from apportion.budget import Steps
from apportion.loader import TaskLoader
from apportion.tasksets import digits
from apportion.training import Settings, TaskSource, make_model, train
from apportion.training.trainer import Trainer

BLOCK = 100  # steps that are timed together
ROUNDS = 30  # blocks of each loop, taken in turn so that a busy machine disturbs all alike


class Loop:
    """One kind of training loop that can be advanced by a block of steps."""

    def __init__(self, taskset):
        self.taskset = taskset
        self.model = make_model(taskset, 0)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, fused=True)
        self.sources = {
            part.name: TaskSource(part.name, part.train, batch_size=taskset.batch_size, seed=0)
            for part in taskset.parts
        }

    def step(self, task, batch):
        """Train on one batch."""
        loss = self.taskset.parts[task].head.mean_loss(self.model(task, batch.inputs), batch.labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()


class Bare(Loop):
    """The tasks were drawn before; the loop only fetches batches and trains."""

    def __init__(self, taskset, decisions):
        super().__init__(taskset)
        self.drawn = iter(decisions)
        self.flows = [self.endless(source) for source in self.sources.values()]

    @staticmethod
    def endless(source):
        """Batches without end."""
        epoch = 0
        while True:
            yield from source.batches(epoch, 0)
            epoch += 1

    def advance(self, n):
        """Train for n steps."""
        for _ in range(n):
            task = next(self.drawn)
            self.step(task, next(self.flows[task]))


class Loaded(Loop):
    """The task loader draws, fetches, books and, with a path, logs."""

    def __init__(self, taskset, n, log=None):
        super().__init__(taskset)
        self.loader = TaskLoader(
            self.sources,
            "uniform",
            budget=Steps(n),
            seed=0,
            when_exhausted="cycle",
            tasks=taskset.tasks,
            log=log,
            examples=lambda batch: batch.size,
        )
        self.index = {name: index for index, name in enumerate(taskset.names)}

    def advance(self, n):
        """Train for n steps."""
        for _, item in zip(range(n), self.loader, strict=False):
            self.loader.tell(item, loss=self.step(self.index[item.task], item.batch))


class Trained:
    """The trainer, without evaluations but the first."""

    def __init__(self, taskset, n):
        settings = Settings(threads=1, evaluate_every=1e12, schedule="constant")
        self.trainer = Trainer(
            taskset, policy="uniform", budget=Steps(n), seed=0, when_exhausted="cycle", settings=settings
        )
        self.trainer.model.train()

    def advance(self, n):
        """Train for n steps."""
        trainer = self.trainer
        for _, item in zip(range(n), trainer.loader, strict=False):
            trainer._update([trainer._updates.train(item)])


def overhead(log):
    """Seconds per step of each loop."""
    taskset = digits()
    n = BLOCK * (ROUNDS + 2)
    decisions = np.random.Generator(np.random.PCG64(0)).integers(0, len(taskset.parts), n).tolist()
    loops = {
        "bare": Bare(taskset, decisions),
        "task_loader": Loaded(taskset, n),
        "task_loader_logged": Loaded(taskset, n, log),
        "trainer": Trained(taskset, n),
    }
    times = {name: [] for name in loops}
    for round_ in range(ROUNDS + 1):
        for name, loop in loops.items():
            start = time.process_time()
            loop.advance(BLOCK)
            if round_:  # the first block warms up
                times[name].append((time.process_time() - start) / BLOCK)
    return {name: {"median": statistics.median(values), "least": min(values)} for name, values in times.items()}


def loader_alone(n=20_000):
    """Seconds per decision that the loader itself takes, beyond fetching the batch."""
    taskset = digits()

    def clock(loop):
        start = time.process_time()
        loop()
        return (time.process_time() - start) / n

    bare, loaded = Bare(taskset, [0] * n), Loaded(taskset, n)

    def fetch():
        for task in (index % len(bare.flows) for index in range(n)):
            next(bare.flows[task])

    def load():
        for item in loaded.loader:
            loaded.loader.tell(item, loss=1.0)

    return clock(load) - clock(fetch)


def runs():
    """Seconds of whole runs of `digits`, evaluations included."""
    taskset = digits()
    found = {}
    for steps in (400, 1200):
        run = partial(
            train, taskset, policy="uniform", budget=Steps(steps), when_exhausted="cycle", settings=Settings(threads=1)
        )
        start = time.process_time()
        result = run(seed=steps)
        found[steps] = {"seconds": time.process_time() - start, "objective": result.objective}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        loops = overhead(Path(folder) / "log.jsonl")
    alone, whole = loader_alone(), runs()
    bare = loops["bare"]
    for values in loops.values():
        values["overhead"] = values["least"] / bare["least"] - 1
    found = {"loops": loops, "loader_seconds_per_decision": alone, "loader_share": alone / bare["least"], "runs": whole}
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    for name, values in loops.items():
        print(
            f"{name:20} {values['least'] * 1e6:7.0f} us a step at best, {values['median'] * 1e6:7.0f} median, "
            f"{values['overhead']:+.1%}"
        )
    print(f"the loader itself takes {alone * 1e6:.1f} us a decision: {alone / bare['least']:.1%} of a bare step")
    for steps, values in whole.items():
        print(f"digits, {steps} steps: {values['seconds']:.2f} s, objective {values['objective']:.3f}")


if __name__ == "__main__":
    main()
