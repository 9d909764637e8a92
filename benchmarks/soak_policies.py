"""A million updates of every policy at rewards that never change: 1, 0, 1e6 and 1e-12, one run for each.

    python benchmarks/soak_policies.py [--updates 1000000] [--block 20] [NAME ...]

Tasks are drawn from the policy's answer, `--block` at a time, as where batches are fetched ahead. Every answer must be
finite, not negative, and sum to 1 within 1e-12, and no update may overflow or divide by zero. Evaluations come every
hundred decisions with the same values, and a gap. Prints a JSON line per policy; exits with 1 if one breaks.
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


def soak(policy: Policy, updates: int, block: int) -> dict[str, object]:
    """Drive one policy; the first decision at which its probabilities are none, and how far they ever were from 1."""
    n_runs, n_tasks = len(LEVELS), len(TASKS)
    generator = np.random.default_rng(0)
    policy.reset(TASKS, n_runs)
    context = Context.start(n_tasks, n_runs=n_runs, budget=float(updates))
    names = [need.removeprefix("evaluation.") for need in policy.requires if need.startswith("evaluation.")]
    worst, broken, start = 0.0, None, time.process_time()
    while context.step < updates:
        probabilities = policy.probabilities(context)
        off = float(np.abs(probabilities.sum(axis=1) - 1.0).max())
        if not (off <= 1e-12 and probabilities.min() >= 0.0):
            broken = context.step
            break
        worst = max(worst, off)
        noise = generator.exponential(size=(block, n_runs, n_tasks))
        drawn = (noise / np.maximum(probabilities, 1e-300)).argmin(axis=2)
        for chosen in drawn:
            policy.update(chosen, probabilities, LEVELS)
        counts = (drawn[:, :, None] == np.arange(n_tasks)).sum(axis=0)
        context.counts += counts
        context.examples += 8.0 * counts
        context.costs += counts
        context.spent += block
        before, context.step = context.step, context.step + block
        if context.step // EVERY > before // EVERY:
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
        "seconds": round(time.process_time() - start, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="policies to soak; all of them without a name")
    parser.add_argument("--updates", type=int, default=1_000_000)
    parser.add_argument("--block", type=int, default=20, help="decisions made from one answer of the policy")
    options = parser.parse_args()
    code = 0
    for cls in POLICIES:
        if options.names and cls.name not in options.names:
            continue
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            line = soak(next(iter(cls.examples())), options.updates, options.block)
        print(json.dumps(line), flush=True)
        code = code or int(line["broken_at"] is not None)
    return code


if __name__ == "__main__":
    sys.exit(main())
