"""What the task loader and the trainer cost beside a bare loop, and how long runs of `digits` take.

Times are processor seconds of one thread, so that other work on the machine disturbs them little.

Run: python benchmarks/bench_training.py; one JSON line for each figure
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from apportion.budget import Steps
from apportion.loader import TaskLoader
from apportion.tasksets import digits
from apportion.training import Settings, TaskSource, make_model, train
from apportion.training.trainer import Trainer

BLOCK = 10  # steps that are timed together
ROUNDS = 600  # blocks of each loop, in an order drawn anew for each round so that a busy machine disturbs all alike


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


class Choosing(Bare):
    """Draws each task as most loops do (jiant, too): by numpy's choice with probabilities."""

    def __init__(self, taskset, decisions):
        super().__init__(taskset, decisions)
        self.random = np.random.default_rng(0)
        self.shares = np.full(len(taskset.parts), 1 / len(taskset.parts))

    def advance(self, n):
        """Train for n steps."""
        for _ in range(n):
            task = int(self.random.choice(len(self.shares), p=self.shares))
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
    """How many seconds a step of each loop takes longer than a bare one: median and its standard error; a bare step."""
    taskset = digits()
    n = BLOCK * (ROUNDS + 2)
    decisions = np.random.Generator(np.random.PCG64(0)).integers(0, len(taskset.parts), n).tolist()
    loops = {
        "bare": Bare(taskset, decisions),
        "bare, again": Bare(taskset, decisions),
        "bare, drawing by numpy's choice": Choosing(taskset, decisions),
        "task_loader": Loaded(taskset, n),
        "task_loader, logged": Loaded(taskset, n, log),
        "trainer": Trained(taskset, n),
    }
    times = {name: [] for name in loops}
    order = np.random.Generator(np.random.PCG64(1))
    for round_ in range(ROUNDS + 1):
        for name in order.permutation(list(loops)):
            start = time.thread_time()
            loops[name].advance(BLOCK)
            if round_:  # the first block warms up
                times[name].append((time.thread_time() - start) / BLOCK)
    bare = np.array(times.pop("bare"))
    found = {}
    for name, values in times.items():
        # The same round, so that what disturbs the machine for a while cancels; medians, so that jolts do not count.
        differences = np.array(values) - bare
        spread = np.percentile(differences, [25, 75])
        error = 1.25 * (spread[1] - spread[0]) / 1.35 / np.sqrt(len(differences))
        found[name] = (float(np.median(differences)), float(error))
    return found, float(np.median(bare))


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


def show(**values):
    """One figure."""
    print(json.dumps(values), flush=True)


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        differences, bare = overhead(Path(folder) / "log.jsonl")
    for name, (middle, error) in differences.items():
        show(
            figure="overhead beside a bare loop on digits",
            loop=name,
            microseconds_per_step=round(middle * 1e6, 1),
            standard_error=round(error * 1e6, 1),
            share_of_a_bare_step=round(middle / bare, 4),
            bare_step_microseconds=round(bare * 1e6),
        )
    show(figure="loader alone, without training between", microseconds_per_decision=round(loader_alone() * 1e6, 1))
    for steps, values in runs().items():
        show(figure="a whole run of digits, evaluations included", steps=steps, **values)


if __name__ == "__main__":
    main()
