"""Off-policy estimates: speed beside Open Bandit Pipeline, logs larger than memory, and coverage of the intervals.

Prints one line of JSON per figure.

    python benchmarks/bench_estimators.py                                      all parts, at sizes for a quick look
    python benchmarks/bench_estimators.py speed --rounds 1000000 --resamples 1000 --obp v_obp/bin/python
    python benchmarks/bench_estimators.py stream --stream-rounds 100000000
    python benchmarks/bench_estimators.py coverage
    python benchmarks/bench_estimators.py replayed                             targets that learn from the log

`speed` compares estimates with 95 % bootstrap intervals in the same run if `--obp` or the variable OBP_PYTHON names
an interpreter with Open Bandit Pipeline; `tests/estimators/make_obp_reference.py` says how to make one. On a busy
machine the ratio of processor times (`cpu_ratio`) is the steadier one. `stream` writes a log in Parquet, evaluates it
in another process, reports that one's peak memory, and deletes the log.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from apportion import estimators as est
from apportion.records import Logged

TASKS = tuple(f"task{index}" for index in range(10))

OBP_SCRIPT = """
import json, sys, time
import numpy as np
from obp import ope
data, resamples = np.load(sys.argv[1]), int(sys.argv[2])
log = dict(reward=data["reward"], action=data["chosen"], pscore=data["pscore"], action_dist=data["target"][:, :, None],
           estimated_rewards_by_reg_model=data["predictions"][:, :, None])
estimators = dict(
    ips=ope.InverseProbabilityWeighting(), clipped_ips=ope.InverseProbabilityWeighting(lambda_=5.0),
    snips=ope.SelfNormalizedInverseProbabilityWeighting(), direct_method=ope.DirectMethod(), dr=ope.DoublyRobust(),
    sndr=ope.SelfNormalizedDoublyRobust(), switch_dr=ope.SwitchDoublyRobust(lambda_=5.0),
    shrinkage_dr=ope.DoublyRobustWithShrinkage(lambda_=5.0),
    sub_gaussian_ips=ope.SubGaussianInverseProbabilityWeighting(lambda_=0.05))
for name, item in estimators.items():
    start, cpu = time.perf_counter(), time.process_time()
    value = item.estimate_policy_value(**log)
    ends = item.estimate_interval(**log, alpha=0.05, n_bootstrap_samples=resamples, random_state=0)
    seconds = [time.perf_counter() - start, time.process_time() - cpu]
    print(json.dumps([name, *seconds, float(value), *list(ends.values())[1:]]), flush=True)
"""
OPTIONS = {
    "ips": {},
    "clipped_ips": {"clip": 5.0},
    "snips": {},
    "direct_method": {},
    "dr": {},
    "sndr": {},
    "switch_dr": {"threshold": 5.0},
    "shrinkage_dr": {"threshold": 5.0},
    "sub_gaussian_ips": {"strength": 0.05},
}
WITH_MODEL = {"direct_method", "dr", "sndr", "switch_dr", "shrinkage_dr"}


def show(**figure):
    print(json.dumps(figure), flush=True)


def random_log(n_rounds, n_tasks, seed):
    """A log with different probabilities in every round, a target and a reward model."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(n_tasks, 2.0), n_rounds) * 0.9 + 0.1 / n_tasks
    target = rng.dirichlet(np.full(n_tasks, 2.0), n_rounds)
    chosen = (probabilities.cumsum(axis=1) < rng.random((n_rounds, 1))).sum(axis=1).clip(max=n_tasks - 1)
    reward = np.linspace(0.0, 1.0, n_tasks)[chosen] + rng.normal(size=n_rounds)
    log = Logged(
        tasks=TASKS[:n_tasks] if n_tasks <= len(TASKS) else tuple(map(str, range(n_tasks))),
        chosen=chosen,
        probabilities=probabilities,
        reward=reward,
        step=np.arange(n_rounds),
        cost=np.ones(n_rounds),
    )
    return log, target, np.tile(np.linspace(0.1, 0.9, n_tasks), (n_rounds, 1))


def speed(n_rounds, n_tasks, n_resamples, obp):
    log, target, predictions = random_log(n_rounds, n_tasks, seed=1)
    theirs = {}
    if obp:
        with tempfile.TemporaryDirectory() as folder:
            arrays = {"reward": log.reward, "chosen": log.chosen, "pscore": log.propensity, "target": target}
            np.savez(Path(folder) / "log.npz", **arrays, predictions=predictions)
            command = [obp, "-W", "ignore", "-c", OBP_SCRIPT, str(Path(folder) / "log.npz"), str(n_resamples)]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        theirs = {name: rest for name, *rest in lines}
    for name, options in OPTIONS.items():
        extra = {"predictions": predictions} if name in WITH_MODEL else {}
        start, cpu = time.perf_counter(), time.process_time()
        scores = est.ESTIMATORS[name](log, target, **options, **extra)
        lower, upper = est.bootstrap(scores, n_resamples=n_resamples)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        figure = {
            "seconds": round(seconds, 4),
            "cpu_seconds": round(cpu, 4),
            "value": float(scores.mean()),
            "lower": lower,
            "upper": upper,
        }
        if name in theirs:
            other, other_cpu, value, obp_lower, obp_upper = theirs[name]
            figure |= {"obp_seconds": round(other, 3), "obp_cpu_seconds": round(other_cpu, 3), "obp_value": value}
            figure |= {"ratio": round(other / seconds, 1), "cpu_ratio": round(other_cpu / cpu, 1)}
            figure |= {"obp_lower": obp_lower, "obp_upper": obp_upper}
        show(figure="speed", estimator=name, rounds=n_rounds, tasks=n_tasks, resamples=n_resamples, **figure)


def write_log(path, n_rounds):
    """A log in the layout of `apportion.log.write_parquet`; 16 different chunks in turn, since drawing is slow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = 1 << 17
    pool = [random_log(size, len(TASKS), seed)[0] for seed in range(16)]
    schema = pa.schema(
        [
            ("step", pa.int64()),
            ("task", pa.dictionary(pa.int32(), pa.string())),
            ("probabilities", pa.list_(pa.float64(), len(TASKS))),
            ("reward", pa.float64()),
            ("cost", pa.float64()),
        ],
        metadata={"apportion": json.dumps({"tasks": [{"name": name} for name in TASKS], "execution": "random"})},
    )
    with pq.ParquetWriter(path, schema, use_dictionary=["task"]) as writer:
        for number, first in enumerate(range(0, n_rounds, size)):
            log, count = pool[number % len(pool)], min(size, n_rounds - first)
            columns = [
                pa.array(np.arange(first, first + count)),
                pa.DictionaryArray.from_arrays(pa.array(log.chosen[:count].astype(np.int32)), pa.array(TASKS)),
                pa.FixedSizeListArray.from_arrays(pa.array(log.probabilities[:count].ravel()), len(TASKS)),
                pa.array(log.reward[:count]),
                pa.array(log.cost[:count]),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=size)


def read_log(path, estimator, interval):
    target = np.arange(1.0, len(TASKS) + 1)
    start, cpu = time.perf_counter(), time.process_time()
    found = est.evaluate_stream(est.parquet_chunks(path), target / target.sum(), estimator=estimator, interval=interval)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    show(
        figure="stream",
        estimator=estimator,
        interval=interval,
        rounds=found.n_rounds,
        seconds=round(seconds, 2),
        cpu_seconds=round(cpu, 2),
        rounds_per_second=round(found.n_rounds / seconds),
        peak_gib=round(peak, 3),
        file_gib=round(path.stat().st_size / 2**30, 3),
        value=found.value,
        lower=found.lower,
        upper=found.upper,
    )


def stream(n_rounds, folder):
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "log.parquet"
        write_log(path, n_rounds)
        for estimator, interval in (("snips", "normal"), ("snips", "bootstrap"), ("dr", "bootstrap")):
            subprocess.run([sys.executable, __file__, "read", str(path), estimator, interval], check=True)


def coverage(n_logs):
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from estimators.simulated_logs import KINDS, MEANS, TARGET, TRUTH, correlated_noise, logs, simulate

    def count(case, drawn, estimator, interval, **settings):
        options = {"estimator": estimator, "interval": interval, **settings}
        found = [est.evaluate(log, TARGET, **options) for log in drawn]
        share = float(np.mean([one.lower <= TRUTH <= one.upper for one in found]))
        widths = np.array([one.upper - one.lower for one in found])
        width = float(widths[np.isfinite(widths)].mean())
        figure = {"case": case, "estimator": estimator, "interval": interval, "logs": n_logs}
        show(figure="coverage", **figure, coverage=round(share, 4), width=round(width, 3))

    for kind in KINDS:
        drawn = list(logs(*simulate(kind, n_logs=n_logs, n_rounds=500, seed=201)))
        for estimator in ("ips", "snips", "dr", "sndr", "adaptive_dr"):
            count(f"{kind}, 500 rounds", drawn, estimator, "normal")
        # An interval from the scores of the direct method, which `evaluate` does not give.
        ends = [est.normal(est.direct_method(log, TARGET)) for log in drawn]
        share = float(np.mean([lower <= TRUTH <= upper for lower, upper in ends]))
        figure = {"case": f"{kind}, 500 rounds", "estimator": "direct_method", "interval": "normal", "logs": n_logs}
        show(figure="coverage", **figure, coverage=round(share, 4))
    for kind in KINDS:
        drawn = list(logs(*simulate(kind, n_logs=n_logs, n_rounds=500, seed=204, binary=True)))
        for interval in est.INTERVALS:
            count(f"{kind}, 500 rounds, rewards 0 or 1", drawn, "ips", interval, reward_range=(0.0, 1.0))
    for correlation in (0.0, 0.5, 0.8, 0.95):
        probabilities, chosen, _ = simulate("static", n_logs=n_logs, n_rounds=1000, seed=202)
        reward = MEANS[chosen] + correlated_noise(n_logs, 1000, correlation=correlation, seed=203)
        drawn = list(logs(probabilities, chosen, reward))
        for interval in ("normal", "block_bootstrap"):
            count(f"noise correlated by {correlation}, 1000 rounds", drawn, "snips", interval)


def replayed(n_logs):
    """Coverage where the target is a policy that learned from the log: the truth is what it would have earned there."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from apportion import Task
    from apportion.off_policy import LogSource, Piece, make_target
    from estimators.simulated_logs import KINDS, MEANS, logs, simulate

    tasks = tuple(Task(name=name) for name in "abc")
    for kind in KINDS:
        for policy in ("epsilon_greedy(exploration=0.2)", "exp3s(gamma=0.2)"):
            covered = {name: [] for name in ("ips", "snips", "dr")}
            for log in logs(*simulate(kind, n_logs=n_logs, n_rounds=300, seed=205)):
                piece = Piece(logged=log, examples=np.ones(log.n_rounds), known=log.step + 1)
                source = LogSource(
                    path=Path("simulated"),
                    tasks=tasks,
                    header={},
                    n_rounds=log.n_rounds,
                    whole=True,
                    pieces=lambda piece=piece: iter([piece]),
                    evaluations=list,
                )
                target = make_target(policy, source).probabilities(piece)
                truth = float((target @ MEANS).mean())
                for name, hits in covered.items():
                    found = est.evaluate(log, target, estimator=name)
                    hits.append(found.lower <= truth <= found.upper)
            for name, hits in covered.items():
                figure = {"case": f"{kind}, 300 rounds", "target": policy, "estimator": name, "logs": n_logs}
                show(figure="coverage of replayed targets", **figure, coverage=round(float(np.mean(hits)), 4))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["speed", "stream", "coverage", "replayed", "read"])
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=1_000_000)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--obp", default=os.environ.get("OBP_PYTHON"))
    parser.add_argument("--stream-rounds", type=int, default=2_000_000)
    parser.add_argument("--folder", help="where the log in Parquet is written; 107 bytes per round")
    parser.add_argument("--logs", type=int, default=500, help="simulated logs per case of coverage")
    given = parser.parse_args()
    if given.part == "read":
        read_log(Path(given.rest[0]), *given.rest[1:])
        return
    if given.part in (None, "speed"):
        speed(given.rounds, given.tasks, given.resamples, given.obp)
    if given.part in (None, "stream"):
        stream(given.stream_rounds, given.folder)
    if given.part in (None, "coverage"):
        coverage(given.logs)
    if given.part == "replayed":
        replayed(given.logs)


if __name__ == "__main__":
    main()
