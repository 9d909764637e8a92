"""How long one decision and its update take, for every policy, beside peers in the same run.

    python benchmarks/bench_policies.py [--tasks 9] [--runs 1] [--rounds 3000] [NAME ...]
        [--odm PYTHON] [--syllabus PYTHON]

Prints one JSON line per policy: median and 90th percentile in microseconds, and the ratio to each peer's median.
`machine_us` is the median of a fixed piece of work measured beside each policy, so that a busy machine shows.
`--odm` and `--syllabus` name Python interpreters where `fms-acceleration-odm` and `syllabus-rl` can be imported.
"""

import argparse
import itertools
import json
import subprocess
import time
from pathlib import Path

import numpy as np

from apportion.policies import POLICIES, Policy
from apportion.records import Context, Evaluation, Task


def measure(policy: Policy, n_tasks: int, n_runs: int, rounds: int) -> dict[str, object]:
    """Times of decision plus update of one policy, after a tenth of the rounds to warm up."""
    generator = np.random.default_rng(0)
    tasks = [Task(name="abcdefghijklmnopqrstuvwxyz"[index], size=100 * (index + 1)) for index in range(n_tasks)]
    policy.reset(tasks, n_runs)
    context = Context.start(n_tasks, n_runs=n_runs, budget=float(rounds))
    noise = itertools.cycle(generator.exponential(size=(997, n_runs, n_tasks)))
    rewards = itertools.cycle(generator.normal(0.5, 0.3, size=(991, n_runs)))
    runs = np.arange(n_runs)
    names = [need.removeprefix("evaluation.") for need in policy.requires if need.startswith("evaluation.")]
    times, machine = [], []
    probe = generator.uniform(size=(9, 64))
    for step in range(rounds):
        start = time.perf_counter_ns()
        probabilities = policy.probabilities(context)
        middle = time.perf_counter_ns()
        chosen = (next(noise) / np.maximum(probabilities, 1e-300)).argmin(axis=1)
        reward = next(rewards)
        again = time.perf_counter_ns()
        policy.update(chosen, probabilities, reward)
        end = time.perf_counter_ns()
        context.step += 1
        context.counts[runs, chosen] += 1
        context.examples[runs, chosen] += 8.0
        context.costs[runs, chosen] += 1.0
        context.spent += 1.0
        if step % 100 == 99:
            scores = generator.uniform(size=(n_runs, n_tasks))
            measured = {name: generator.uniform(0.1, 1.0, size=(n_runs, n_tasks)) for name in names}
            policy.observe(
                Evaluation(
                    step=step + 1,
                    scores=scores,
                    counts=context.counts.copy(),
                    measured=measured,
                    progress=context.progress,
                )
            )
        if step >= rounds // 10:
            times.append((middle - start + end - again) / 1e3)
            start = time.perf_counter_ns()
            np.exp(probe).sum(axis=1)
            machine.append((time.perf_counter_ns() - start) / 1e3)
    return {
        "policy": policy.name,
        "family": policy.family,
        "parameters": repr(policy),
        "n_tasks": n_tasks,
        "n_runs": n_runs,
        "rounds": len(times),
        "median_us": round(float(np.median(times)), 1),
        "p90_us": round(float(np.quantile(times, 0.9)), 1),
        "machine_us": round(float(np.median(machine)), 1),
    }


def peer(name: str, python: str, n_tasks: int, rounds: int) -> dict[str, object]:
    """What `peer_policies.py` prints under another interpreter."""
    script = Path(__file__).with_name("peer_policies.py")
    done = subprocess.run(
        [python, str(script), name, str(n_tasks), str(rounds)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="policies to measure; all of them without a name")
    parser.add_argument("--tasks", type=int, default=9)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3_000)
    parser.add_argument("--odm", metavar="PYTHON")
    parser.add_argument("--syllabus", metavar="PYTHON")
    options = parser.parse_args()
    peers = {}
    for name in ("odm", "syllabus"):
        if python := getattr(options, name):
            peers[name] = peer(name, python, options.tasks, options.rounds)
            print(json.dumps(peers[name]), flush=True)
    for cls in POLICIES:
        if options.names and cls.name not in options.names:
            continue
        line = measure(next(iter(cls.examples())), options.tasks, options.runs, options.rounds)
        for name, other in peers.items():
            line[f"times_{name}"] = round(line["median_us"] / other["median_us"], 2)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
