"""A million updates of every policy at rewards that never change: 1, 0, 1e6 and 1e-12, one run for each.

    python benchmarks/soak_policies.py [--updates 1000000] [NAME ...]

After every update the probabilities must be finite, not negative, and sum to 1 within 1e-12. Evaluations come every
hundred decisions with the same values, and a gap. Prints one JSON line per policy; exits with 1 if one breaks.
"""

import argparse
import json
import sys
import time

import numpy as np

from apportion.policies import POLICIES, Policy
from apportion.records import Context, Evaluation
from apportion.testing import TASKS

LEVELS = np.array([1.0, 0.0, 1e6, 1e-12])
EVERY = 100


def soak(policy: Policy, updates: int) -> dict[str, object]:
    """Drive one policy; the first decision at which its probabilities are none, and how far they ever were from 1."""
    n_runs, n_tasks = len(LEVELS), len(TASKS)
    generator = np.random.default_rng(0)
    policy.reset(TASKS, n_runs)
    context = Context.start(n_tasks, n_runs=n_runs, budget=float(updates))
    names = [need.removeprefix("evaluation.") for need in policy.requires if need.startswith("evaluation.")]
    runs, worst, broken, start = np.arange(n_runs), 0.0, None, time.perf_counter()
    for step in range(updates):
        probabilities = policy.probabilities(context)
        off = float(np.abs(probabilities.sum(axis=1) - 1.0).max())
        if not (off <= 1e-12 and probabilities.min() >= 0.0):
            broken = step
            break
        worst = max(worst, off)
        if step % 4096 == 0:
            noise = generator.exponential(size=(4096, n_runs, n_tasks))
        chosen = (noise[step % 4096] / np.maximum(probabilities, 1e-300)).argmin(axis=1)
        policy.update(chosen, probabilities, LEVELS)
        context.step += 1
        context.counts[runs, chosen] += 1
        context.examples[runs, chosen] += 8.0
        context.costs[runs, chosen] += 1.0
        context.spent += 1.0
        if context.step % EVERY == 0:
            values = np.repeat(LEVELS[:, None], n_tasks, axis=1)
            values[:, context.step // EVERY % n_tasks] = np.nan
            policy.observe(
                Evaluation(
                    step=context.step,
                    scores=values,
                    counts=context.counts.copy(),
                    measured={name: values.copy() for name in names},
                    progress=context.progress,
                )
            )
    return {
        "policy": policy.name,
        "parameters": repr(policy),
        "updates": context.step,
        "broken_at": broken,
        "worst_sum_error": worst,
        "smallest": float(probabilities.min()),
        "seconds": round(time.perf_counter() - start, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="policies to soak; all of them without a name")
    parser.add_argument("--updates", type=int, default=1_000_000)
    options = parser.parse_args()
    code = 0
    for cls in POLICIES:
        if options.names and cls.name not in options.names:
            continue
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            line = soak(next(iter(cls.examples())), options.updates)
        print(json.dumps(line), flush=True)
        code = code or int(line["broken_at"] is not None)
    return code


if __name__ == "__main__":
    sys.exit(main())
