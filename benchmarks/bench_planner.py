"""Measure the planner: time of a re-plan, steps a second, calibration of forecasts, gap closed in the suite.

python benchmarks/bench_planner.py speed
python benchmarks/bench_planner.py calibration --split public
python benchmarks/bench_planner.py digits
python benchmarks/bench_planner.py gap --split public --families speeds,transfer --runs 8 [--free]

`--free` takes the evaluations of the rough trial: noise 0.005, 50 in a run, not charged to the budget.
"""

import argparse
import json
import time
from dataclasses import replace

import numpy as np

from apportion import Task
from apportion.forecast import History, Priors, fit
from apportion.policies import Planner
from apportion.records import Evaluation
from apportion.sim import World, simulate
from apportion.sim.noisy import Noisy
from apportion.sim.oracle import oracle
from apportion.sim.suite import FAMILIES, load

FOR_GAP = (
    "equal,speeds,useless,noisy_evaluation,transfer,harmful,auxiliary,prerequisites,plateau,interference,forgetting,"
    "sizes,prices,change,few_steps"
)
FOR_CALIBRATION = "speeds,useless,transfer,harmful,plateau,interference,forgetting,change"


class Free(Noisy):
    """Evaluations that cost nothing."""

    @property
    def evaluation_cost(self):
        """Nothing."""
        return 0.0


def freed(world: World) -> World:
    """The world with the evaluations of the rough trial."""
    if isinstance(world, Noisy):
        inner = replace(world.world, evaluations=max(1, round(world.budget / 50)))
        return Free(inner, batch_noise=world.batch_noise, gain_noise=world.gain_noise, evaluation_noise=0.005)
    return replace(world, world=freed(world.world)) if hasattr(world, "world") else world


def speed() -> None:
    """Time of one re-plan after a long history, and policy-steps a second with 64 runs."""
    for n_tasks, n_evaluations in ((9, 100), (100, 100)):
        generator = np.random.default_rng(0)
        policy = Planner()
        policy.reset([Task(name=f"t{index}") for index in range(n_tasks)])
        counts = np.zeros((1, n_tasks))
        scale = np.exp(generator.uniform(0, 4, size=n_tasks)) * 10
        times = []
        for index in range(n_evaluations):
            scores = 1 - np.exp(-counts / scale) + 0.01 * generator.normal(size=counts.shape)
            evaluation = Evaluation(
                step=int(counts.sum()), scores=scores, counts=counts.astype(int), progress=np.array([index / 110])
            )
            if index < 2 or index >= n_evaluations - 3:
                start = time.process_time()
                policy.observe(evaluation)
                times.append(time.process_time() - start)
            else:  # only stored: the re-plans between are not what is measured
                policy.counts_ = np.concatenate((policy.counts_, counts[:, None]), axis=1)
                policy.examples_ = np.concatenate((policy.examples_, 0 * counts[:, None]), axis=1)
                policy.scores_ = np.concatenate((policy.scores_, scores[:, None]), axis=1)
                policy.progress_ = np.concatenate((policy.progress_, np.array([[index / 110]])), axis=1)
            counts = counts + generator.multinomial(20, np.full(n_tasks, 1 / n_tasks), size=1)
        for which, seconds in (("first", times[-3]), ("next", times[-1])):
            figure = {"tasks": n_tasks, "evaluations": n_evaluations, "cpu_seconds": round(seconds, 3)}
            print(json.dumps({"figure": f"{which} re-plan", **figure}), flush=True)
    start = time.process_time()
    result = simulate(load("transfer/0"), Planner(), n_runs=64, seed=0)
    rate = round(result.n_steps / (time.process_time() - start))
    print(json.dumps({"figure": "planner, 64 runs at once", "policy_steps_per_cpu_second": rate}), flush=True)


def calibration(families: str, split: str, seed: int, free: bool, worlds: int) -> None:
    """Coverage and width of 90 % intervals of true final scores under the planner's own spending with variation."""
    rows = []
    for family in families.split(","):
        for name in FAMILIES[family].ids()[:worlds]:
            world = load(name, split=split)
            world = (freed(world) if free else world).clone()
            generator = np.random.default_rng(seed)
            n_runs, n_tasks = 4, world.n_tasks
            planner = Planner()
            planner.reset(world.tasks, n_runs)
            world.reset(n_runs)
            total = int(world.budget / world.costs.mean())
            every = max(1, total // 50 if free else world.evaluate_every)
            noise = 0.005 if free else float(np.max(world.evaluation_noise))
            counts, scores, drawn = [], [], np.zeros((n_runs, n_tasks))
            for step in range(total):
                if step % every == 0:
                    counts.append(drawn.copy())
                    scores.append(world.scores() + noise * generator.normal(size=drawn.shape))
                progress = step / total
                strength = planner.variation * (1 - progress)
                block = int(progress / planner.hold)
                shares = np.exp(strength * planner.patterns_[block * 5 % len(planner.patterns_)])
                shares = np.repeat((shares / shares.sum())[None], n_runs, axis=0)
                chosen = (shares.cumsum(axis=1) <= generator.uniform(size=(n_runs, 1))).sum(axis=1)
                chosen = np.minimum(chosen, n_tasks - 1)
                world.step(chosen)
                drawn[np.arange(n_runs), chosen] += 1
            final, table = world.scores(), np.stack(counts, axis=1)
            for fraction in (0.25, 0.5, 0.75):
                first = max(3, int(fraction * table.shape[1]))
                past = History(
                    tasks=tuple(world.tasks),
                    counts=table[:, :first],
                    scores=np.stack(scores, axis=1)[:, :first],
                    budget=float(total),
                    spent=table[:, :first].sum(axis=2),
                    costs=np.ones((n_runs, n_tasks)),
                    evaluation_cost=np.zeros(n_runs),
                    upper=np.full(n_tasks, np.inf),
                    examples=np.zeros_like(table[:, :first]),
                )
                rest = drawn - table[:, first - 1]
                answers = []
                for priors in (None, Priors(transfer_scale=1e-4, slab=1e-4)):
                    said = (
                        fit(past, priors=priors).forecast(rest[:, None], budget=float(rest.sum(axis=1).mean())).scores
                    )
                    inside = ((said.lower <= final) & (final <= said.upper)).mean()
                    answers += [inside, (said.upper - said.lower).mean(), np.abs(said.value - final).mean()]
                last = np.abs(past.scores[:, -1] - final).mean()
                rows.append((family, fraction, *answers, last, (said.value - final).mean()))
    print("family fraction | coverage width error | without transfer: coverage width error | last value error")
    for family in [*families.split(","), "all"]:
        for fraction in (0.25, 0.5, 0.75):
            some = np.array(
                [
                    row[2:]
                    for row in rows
                    if row[0] in {family} | ({row[0]} if family == "all" else set()) and row[1] == fraction
                ]
            )
            mean = some.mean(axis=0)
            print(
                f"{family:14s} {fraction:.2f} | {mean[0]:.2f} {mean[1]:.3f} {mean[2]:.3f} | "
                f"{mean[3]:.2f} {mean[4]:.3f} {mean[5]:.3f} | {mean[6]:.3f}",
                flush=True,
            )


def gap(families: str, split: str, runs: int, seed: int, free: bool, worlds: int) -> None:
    """Gap closed by family: sum of gains over uniform / sum of what the best spending gains."""
    closed = []
    for family in families.split(","):
        gains, room, relative = [], [], []
        for name in FAMILIES[family].ids()[:worlds]:
            world = load(name, split=split)
            uniform = simulate(world, "uniform", n_runs=256, seed=seed).final.mean()
            best = oracle(world, effort=30).value
            planned = simulate(freed(world) if free else world, Planner(), n_runs=runs, seed=seed).final.mean()
            gains.append(planned - uniform)
            room.append(best - uniform)
            relative.append(100 * gains[-1] / abs(uniform))
        closed.append(sum(gains) / sum(room))
        each = " ".join(f"{gain / space:.2f}" for gain, space in zip(gains, room, strict=True))
        percent = " ".join(f"{value:.1f}" for value in relative)
        print(f"{family:17s} gap closed {closed[-1]:6.2f}  by world [{each}]  % of uniform [{percent}]", flush=True)


def digits(first_seed: int, seeds: int) -> None:
    """Final objective on digits minus that of uniform with the same seed, evaluations charged and not."""
    from scipy.stats import t as student

    from apportion.cli.train import default_config
    from apportion.config import make_config
    from apportion.launch import make_trainer

    def final(policy: str, seed: int, budget: int, charge: bool) -> float:
        given = {"policy": policy, "seed": seed, "budget.amount": budget, "training.evaluation_size": 32}
        given["training.charge_evaluations"] = charge
        config = make_config({**default_config("digits"), "taskset": {"name": "digits"}}, given)
        return make_trainer(config).run().to_dict()["objective"]

    every = range(first_seed, first_seed + seeds)
    for budget in (200, 400, 1200):
        alike = np.array([final("uniform", seed, budget, False) for seed in every])
        for charge in (False, True):
            gain = np.array([final("planner", seed, budget, charge) for seed in every]) - alike
            half = student.ppf(0.975, seeds - 1) * gain.std(ddof=1) / seeds**0.5
            print(
                f"{budget} steps, evaluations {'charged' if charge else 'free'}: uniform {alike.mean():.4f}, planner "
                f"{gain.mean():+.4f} [{gain.mean() - half:+.4f}, {gain.mean() + half:+.4f}]",
                flush=True,
            )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "calibration", "gap", "digits"])
    parser.add_argument("--split", choices=["public", "reported"], default="public")
    parser.add_argument("--families")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--worlds", type=int, default=99, help="how many of each family")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--free", action="store_true")
    given = parser.parse_args()
    if given.what == "speed":
        speed()
    elif given.what == "calibration":
        calibration(given.families or FOR_CALIBRATION, given.split, given.seed, given.free, given.worlds)
    elif given.what == "digits":
        digits(0, 10)
    else:
        gap(given.families or FOR_GAP, given.split, given.runs, given.seed, given.free, given.worlds)


if __name__ == "__main__":
    main()
