"""Runs for the report's tests: by the real selector on made-up learning curves, and logs with numbers set by hand."""

from pathlib import Path

import numpy as np

from apportion import Task
from apportion.budget import Steps
from apportion.log import Log, LoggedEvaluation
from apportion.policies import policies
from apportion.records import Logged
from apportion.report import run_of
from apportion.run import RunDirectory
from apportion.selector import Selector

SPEED = (0.1, 0.03, 0.0075, 0.06, 0.0)


def make_tasks(n_tasks=5, names=None):
    names = names or [f"task_{index}" for index in range(n_tasks)]
    return [Task(name=name, size=50 * 2 ** (index % 8)) for index, name in enumerate(names)]


def make_run(folder, policy, seed, *, tasks=None, steps=200, every=25, finish=True):
    """One run of `policy`: score of task i = 0.9 (1 - exp(-speed_i decisions)), measured with a little noise."""
    tasks = tasks or make_tasks()
    run = RunDirectory.create(
        folder, config=f'seed = {seed}\npolicy = "{policy}"\nnote = "</pre><script>bad</script>"\n'
    )
    noise = np.random.default_rng(seed + 1000)
    speed = np.array([SPEED[index % len(SPEED)] for index in range(len(tasks))]) * 5 / len(tasks)
    made = policies.make(policy)
    learns = "reward" in made.requires
    signal = "prediction_gain" if learns else None
    selector = Selector(tasks, made, signal, budget=Steps(steps), seed=seed, log=run.log_path)

    def scores():
        values = 0.9 * (1 - np.exp(-speed * selector.counts)) + noise.normal(0.0, 0.004, len(tasks))
        return {task.name: float(value) for task, value in zip(tasks, values, strict=True)}

    selector.evaluate(scores())
    while not selector.done and (finish or selector.step < 0.6 * steps):
        decision = selector.ask()
        loss = float(np.exp(-speed[decision.task] * selector.counts[decision.task]) + noise.normal(0.0, 0.01))
        after = loss * (1.0 - speed[decision.task])
        selector.tell(decision, examples=32, loss=loss, **({"loss_after": after} if learns else {}))
        if selector.step % every == 0:
            selector.evaluate(scores())
    selector.close()
    if finish:
        run.write_summary(
            {
                "taskset": "made_up",
                "tasks": {name: {"score": value} for name, value in scores().items()},
                "seconds": 1.5,
                "checksums": {task.name: "0123456789abcdef" for task in tasks},
                "signature": {"version": "0.1.0", "fingerprint": selector.header["fingerprint"]},
            }
        )
    return run.path


def make_study(folder, made=("uniform", "proportional", "exp3s"), n_seeds=3, **options):
    return [
        make_run(folder / f"{index}-{seed}", policy, seed, **options)
        for index, policy in enumerate(made)
        for seed in range(n_seeds)
    ]


def log_of(
    policy="uniform",
    seed=0,
    *,
    tasks=None,
    chosen=(0, 1),
    probabilities=None,
    reward=None,
    cost=None,
    budget=None,
    evaluations=(),
    execution="random",
    params=None,
    measured=None,
):
    """A log with these numbers; `evaluations` are (step, spent, cost, scores)."""
    tasks = tuple(tasks or (Task(name="a", size=10), Task(name="b", size=30)))
    n = len(chosen)
    cost = np.ones(n) if cost is None else np.array(cost, dtype=float)
    shares = np.full((n, len(tasks)), 1 / len(tasks)) if probabilities is None else np.array(probabilities, dtype=float)
    return Log(
        header={
            "policy": {"name": policy, **(params or {})},
            "signal": None,
            "constraints": {},
            "execution": execution,
            "seed": seed,
            "budget": {"amount": float(cost.sum() if budget is None else budget), "unit": "steps"},
            "apportion": "0.1.0",
            "fingerprint": "0123456789abcdef",
        },
        tasks=tasks,
        logged=Logged(
            tasks=tuple(task.name for task in tasks),
            chosen=np.array(chosen, dtype=np.int64),
            probabilities=shares,
            reward=np.full(n, np.nan) if reward is None else np.array(reward, dtype=float),
            step=np.arange(n),
            cost=cost,
        ),
        status=["told"] * n,
        known=np.arange(1, n + 1),
        examples=np.full(n, 4.0),
        measured={name: np.array(values, dtype=float) for name, values in (measured or {}).items()},
        evaluations=[
            LoggedEvaluation(step=step, spent=spent, cost=charged, scores=np.array(scores, dtype=float))
            for step, spent, charged, scores in evaluations
        ],
        events=[],
    )


def run_with(policy, seed, final, curve=((0, 0.0), (100, 1.0)), *, finished=True, **options):
    """A run of two tasks whose final scores are `final` and whose tasks both score `curve`, as (spent, score)."""
    evaluations = [(int(spent), spent, 0.0, (score, score)) for spent, score in curve]
    log = log_of(policy, seed, chosen=[0, 1] * 50, evaluations=evaluations, **options)
    tasks = {task.name: {"score": value} for task, value in zip(log.tasks, final, strict=True)}
    return run_of(log, path=Path(f"{policy}-{seed}"), summary={"tasks": tasks} if finished else None)
