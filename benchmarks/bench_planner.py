"""Measure the planner: time of a re-plan, steps a second, calibration of forecasts, gap closed in the suite.

python benchmarks/bench_planner.py speed
python benchmarks/bench_planner.py calibration --split public
python benchmarks/bench_planner.py pairs --free --split public
python benchmarks/bench_planner.py digits [--first-seed 0 --runs 10 --budgets 200,400,1200]
python benchmarks/bench_planner.py rank --split reported --worlds 1 --runs 8 [--policies planner,exp3s]
python benchmarks/bench_planner.py logs --runs 10 --out runs/logs [--data-dir GLUE_DIR --budgets 400]
python benchmarks/bench_planner.py priors --runs 8 --budgets 400 [--free --families transfer --worlds 1]
python benchmarks/bench_planner.py gap --split public --families speeds,transfer --runs 8 [--free | --exact] [--known]

`rank` compares the planner, evaluations charged, with all policies that work by name, in paired runs. `gap --known`
tells the planner how much the tasks truly teach each other: what it closes more then is lost for want of knowing it.
`--free` takes the evaluations of the rough trial: noise 0.005, 50 in a run, not charged to the budget. `logs` trains
with random shares, drawn anew in each tenth of the budget (odd seeds) or once (even ones), for `apportion forecast
--check`: on digits, or on eight tasks of GLUE with a frozen encoder where their folder is given. `priors` compares the
planner with lessons of three earlier runs to the planner without, on digits and in a public world of each family.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

# Figures are those of one core; must be said before numpy is there.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from apportion import Task
from apportion.budget import FORWARD_COST
from apportion.cli.simulate import all_policies, split_list
from apportion.forecast import History, Lessons, Priors, fit
from apportion.policies import Planner, policies
from apportion.records import Context, Evaluation
from apportion.sim import World, simulate
from apportion.sim.noisy import Noisy
from apportion.sim.oracle import oracle
from apportion.sim.suite import FAMILIES, load

FOR_GAP = (
    "equal,speeds,useless,noisy_evaluation,transfer,harmful,auxiliary,prerequisites,plateau,interference,forgetting,"
    "sizes,prices,change,few_steps"
)
FOR_CALIBRATION = "speeds,useless,transfer,harmful,plateau,interference,forgetting,change"
FOR_RANK = "speeds,useless,transfer,harmful,auxiliary,plateau,interference,forgetting,prerequisites,change"


def often(world: World, noise: float = 0.005) -> World:
    """The world with 50 evaluations in a run, of this noise; `simulate(forward_cost=0)` makes them free."""
    if isinstance(world, Noisy):
        inner = replace(world.world, evaluations=max(1, round(world.budget / 50)))
        return replace(world, world=inner, evaluation_noise=noise)
    return replace(world, world=often(world.world, noise)) if hasattr(world, "world") else world


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
                nothing = np.full_like(scores, np.nan)
                for name, row in (
                    ("counts_", counts),
                    ("examples_", 0 * counts),
                    ("scores_", scores),
                    ("losses_", nothing),
                    ("successes_", nothing),
                    ("progress_", np.array([index / 110])),
                ):
                    setattr(policy, name, np.concatenate((getattr(policy, name), row[:, None]), axis=1))
            counts = counts + generator.multinomial(20, np.full(n_tasks, 1 / n_tasks), size=1)
        for which, seconds in (("first", times[-3]), ("next", times[-1])):
            figure = {"tasks": n_tasks, "evaluations": n_evaluations, "cpu_seconds": round(seconds, 3)}
            print(json.dumps({"figure": f"{which} re-plan", **figure}), flush=True)
    start = time.process_time()
    result = simulate(load("transfer/0"), Planner(), n_runs=64, seed=0)
    rate = round(result.n_steps / (time.process_time() - start))
    print(json.dumps({"figure": "planner, 64 runs at once", "policy_steps_per_cpu_second": rate}), flush=True)


def varied(world: World, seed: int, free: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Four runs under the planner's tour alone: counts and scores at every evaluation, last counts, true ends."""
    world = world.clone()
    generator = np.random.default_rng(seed)
    n_runs, n_tasks = 4, world.n_tasks
    planner, context = Planner(tether=1e9), Context.start(n_tasks, n_runs=n_runs, budget=1.0)
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
            progress = np.full(n_runs, step / total)
            planner.observe(Evaluation(step=step, scores=scores[-1], counts=drawn.astype(int), progress=progress))
        context.spent = np.full(n_runs, step / total)
        shares = planner.probabilities(context)
        chosen = (shares.cumsum(axis=1) <= generator.uniform(size=(n_runs, 1))).sum(axis=1)
        chosen = np.minimum(chosen, n_tasks - 1)
        world.step(chosen)
        drawn[np.arange(n_runs), chosen] += 1
    return np.stack(counts, axis=1), np.stack(scores, axis=1), drawn, world.scores()


def until(world: World, counts: np.ndarray, scores: np.ndarray, fraction: float) -> History:
    """The first part of such runs."""
    first = max(3, int(fraction * counts.shape[1]))
    counts, scores = counts[:, :first], scores[:, :first]
    n_runs, _, n_tasks = counts.shape
    return History(
        tasks=tuple(world.tasks),
        counts=counts,
        scores=scores,
        budget=float(int(world.budget / world.costs.mean())),
        spent=counts.sum(axis=2),
        costs=np.ones((n_runs, n_tasks)),
        evaluation_cost=np.zeros(n_runs),
        upper=np.full(n_tasks, 1.0 if scores.max() <= 1.0 else np.inf),  # as the planner takes it
        examples=np.zeros_like(counts),
    )


def worlds_of(families: str, split: str, free: bool, worlds: int):
    """Family and world, one after another."""
    for family in families.split(","):
        for name in FAMILIES[family].ids()[:worlds]:
            world = load(name, split=split)
            yield family, often(world) if free else world


def calibration(families: str, split: str, seed: int, free: bool, worlds: int) -> None:
    """Coverage and width of 90 % intervals of true final scores under the planner's own spending with variation."""
    rows = []
    for family, world in worlds_of(families, split, free, worlds):
        counts, scores, drawn, final = varied(world, seed, free)
        for fraction in (0.25, 0.5, 0.75):
            past = until(world, counts, scores, fraction)
            rest = drawn - past.counts[:, -1]
            answers = []
            for priors in (None, Priors(transfer_scale=1e-4, slab=1e-4)):
                said = fit(past, priors=priors).forecast(rest[:, None], budget=float(rest.sum(axis=1).mean())).scores
                inside = ((said.lower <= final) & (final <= said.upper)).mean()
                answers += [inside, (said.upper - said.lower).mean(), np.abs(said.value - final).mean()]
            last = np.abs(past.scores[:, -1] - final).mean()
            rows.append((family, fraction, *answers, last))
    print("family fraction | coverage width error | without transfer: coverage width error | last value error")
    for family in [*families.split(","), "all"]:
        for fraction in (0.25, 0.5, 0.75):
            some = np.array([row[2:] for row in rows if family in (row[0], "all") and row[1] == fraction])
            mean = some.mean(axis=0)
            print(
                f"{family:14s} {fraction:.2f} | {mean[0]:.2f} {mean[1]:.3f} {mean[2]:.3f} | "
                f"{mean[3]:.2f} {mean[4]:.3f} {mean[5]:.3f} | {mean[6]:.3f}",
                flush=True,
            )


def pairs(families: str, split: str, seed: int, free: bool, worlds: int) -> None:
    """Coverage of 90 % intervals of the true transfer at half of the budget, of pairs that touch each other and all."""
    print("family | covered, of pairs that touch by more than 0.05 | covered, of all | sure of a sign | right in it")
    every: dict[str, list[tuple[np.ndarray, ...]]] = {}
    for family, world in worlds_of(families, split, free, worlds):
        inner = world
        while hasattr(inner, "world"):
            inner = inner.world
        counts, scores, _, _ = varied(world, seed, free)
        said = fit(until(world, counts, scores, 0.5)).transfer()
        true = np.broadcast_to(np.eye(world.n_tasks) if inner.transfer is None else inner.transfer, said.value.shape)
        off = ~np.eye(world.n_tasks, dtype=bool) & (np.diagonal(true[0]) > 0)[:, None]
        off = np.broadcast_to(off, true.shape)
        inside = (said.lower <= true) & (true <= said.upper)
        sure = off & ((said.lower > 0) | (said.upper < 0))
        right = np.sign(said.value) == np.sign(true)
        found = inside[off & (np.abs(true) > 0.05)], inside[off], sure[off], right[sure]
        every.setdefault(family, []).append(found)
        every.setdefault("all", []).append(found)
    for family in [*families.split(","), "all"]:
        touch, all_, sure, right = (np.concatenate(kind) for kind in zip(*every[family], strict=True))
        part = f"{touch.mean():.2f} of {touch.size}" if touch.size else "none"
        print(
            f"{family:14s} | {part} | {all_.mean():.2f} of {all_.size} | {sure.sum()} | {right.mean():.2f}", flush=True
        )


def truth_of_transfer(world: World) -> Lessons:
    """Lessons that hold who helps and harms whom as it is, and of all else what is believed before a run."""
    inner = world
    while hasattr(inner, "world"):
        inner = inner.world
    names = [task.name for task in inner.tasks]
    order, n = np.argsort(names), len(names)
    transfer = np.zeros((n, n)) if inner.transfer is None else np.array(inner.transfer, dtype=np.float64)
    np.fill_diagonal(transfer, 0.0)
    believed = Priors()
    return Lessons(
        tasks=[names[index] for index in order],
        speed=[-np.log(world.budget / n)] * n,
        speed_sd=[believed.speed_sd] * n,
        span=[believed.span] * n,
        span_sd=[believed.span_sd] * n,
        transfer=transfer[np.ix_(order, order)].tolist(),
        scale=np.full((n, n), 0.05).tolist(),
        costs=[1.0 / world.budget] * n,
        runs=1,
    )


def gap(families: str, given: argparse.Namespace) -> None:
    """Gap closed by family: sum of gains over uniform / sum of what the best spending gains."""
    split, runs, seed, free, exact = given.split, given.runs, given.seed, given.free, given.exact
    closed = []
    for family in families.split(","):
        gains, room, relative = [], [], []
        for name in FAMILIES[family].ids()[: given.worlds]:
            world = load(name, split=split)
            uniform = simulate(world, "uniform", n_runs=256, seed=seed).final.mean()
            best = oracle(world, effort=30).value
            played = often(world, 0.0002 if exact else 0.005) if free or exact else world
            price = 0.0 if free or exact else FORWARD_COST
            policy = policies.make(given.policies or "planner")
            if given.known:
                policy = replace(policy, priors=truth_of_transfer(world).data())
            planned = simulate(played, policy, n_runs=runs, seed=seed, forward_cost=price).final.mean()
            gains.append(planned - uniform)
            room.append(best - uniform)
            relative.append(100 * gains[-1] / abs(uniform))
        closed.append(sum(gains) / sum(room))
        each = " ".join(f"{gain / space:.2f}" for gain, space in zip(gains, room, strict=True))
        percent = " ".join(f"{value:.1f}" for value in relative)
        print(f"{family:17s} gap closed {closed[-1]:6.2f}  by world [{each}]  % of uniform [{percent}]", flush=True)


def rank(families: str, split: str, runs: int, seed: int, worlds: int, specs: list[str]) -> None:
    """Gap closed by every policy in the same runs, and how far the planner is ahead of the best others."""
    from apportion.signals import signals

    def tell(words: str, means: dict[str, np.ndarray]) -> None:
        others = sorted((spec for spec in means if spec != "planner"), key=lambda spec: -means[spec].mean())
        ahead = "; ".join(f"{spec} {interval(means['planner'] - means[spec])}" for spec in others[:3])
        planned = means["planner"].mean()
        print(f"{words}: planner {planned:.3f} of the gap, of {len(means)} policies; ahead of {ahead}", flush=True)

    every: list[dict[str, np.ndarray]] = []
    for family in families.split(","):
        closed: dict[str, list[np.ndarray]] = {}
        for name in FAMILIES[family].ids()[:worlds]:
            world = load(name, split=split)
            alike = simulate(world, "uniform", n_runs=256, seed=seed).final.mean()
            room = oracle(world, effort=30).value - alike
            for spec in specs:
                policy = policies.make(spec)
                signal = signals.make(policy.usual_signal) if policy.usual_signal else None
                try:
                    found = simulate(world, policy, signal=signal, n_runs=runs, seed=seed).final
                except (ValueError, TypeError):  # needs a parameter, or a measurement that worlds do not have
                    continue
                closed.setdefault(spec, []).append((found - alike) / room)
        every.append({spec: np.mean(kept, axis=0) for spec, kept in closed.items()})
        tell(family, every[-1])
    shared = [spec for spec in specs if all(spec in means for means in every)]
    tell(f"all {len(every)} families", {spec: np.mean([means[spec] for means in every], axis=0) for spec in shared})


def digits_config(seed: int, budget: int, **settings):
    """The configuration of a run on digits with evaluations on 32 examples."""
    from apportion.cli.train import default_config
    from apportion.config import make_config

    given = {"seed": seed, "budget.amount": budget, "training.evaluation_size": 32}
    given |= {key.replace("__", "."): value for key, value in settings.items()}
    return make_config({**default_config("digits"), "taskset": {"name": "digits"}}, given)


def final(seed: int, budget: int, policy, charge: bool) -> float:
    """The final objective on digits."""
    from apportion.launch import make_trainer

    config = digits_config(seed, budget, policy=policy, training__charge_evaluations=charge)
    return make_trainer(config).run().to_dict()["objective"]


def interval(gain: np.ndarray) -> str:
    """Mean and 95 % t-interval."""
    from scipy.stats import t as student

    half = student.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / len(gain) ** 0.5
    return f"{gain.mean():+.4f} [{gain.mean() - half:+.4f}, {gain.mean() + half:+.4f}]"


def digits(first_seed: int, seeds: int, budgets: list[int], specs: list[str]) -> None:
    """Final objective on digits minus that of uniform with the same seed, evaluations charged and not."""
    every = range(first_seed, first_seed + seeds)
    for budget in budgets:
        alike = np.array([final(seed, budget, "uniform", False) for seed in every])
        for spec, charge in product(specs, (False, True)):
            gain = np.array([final(seed, budget, spec, charge) for seed in every]) - alike
            words = f"{budget} steps, evaluations {'charged' if charge else 'free'}: uniform {alike.mean():.4f}"
            print(f"{words}, {spec} {interval(gain)}", flush=True)


def logs(first_seed: int, runs: int, budgets: list[int], out: Path, data_dir: str | None) -> None:
    """Train with random shares; runs that are there already are left."""
    from apportion.config import make_config
    from apportion.launch import launch

    given = {"name": "digits"}
    if data_dir is not None:
        tasks = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"]
        options = {"freeze_layers": "all", "max_train": 8000, "max_validation": 800}
        given = {"name": "glue", "data_dir": data_dir, "tasks": tasks, "options": options}
    taskset = None
    for budget in budgets:
        for seed in range(first_seed, first_seed + runs):
            place = out / f"{given['name']}-{budget}" / str(seed)
            if (place / "summary.json").exists():
                continue
            shares = np.random.default_rng(seed).dirichlet(np.ones(8), size=10)[:: 1 if seed % 2 else 10]
            stages = [[index / 10, row.tolist()] for index, row in enumerate(shares)]
            data = {
                "seed": seed,
                "when_exhausted": "cycle",
                "policy": {"name": "stages", "stages": stages},
                "taskset": given,
                "budget": {"amount": budget, "unit": "steps"},
                "training": {"threads": 1, "evaluation_size": 64, "evaluate_every": budget / 20},
            }
            config = make_config(data)
            taskset = config.make_taskset() if taskset is None else taskset
            launch(config, place, taskset=taskset)
        print(f"apportion forecast --check {out / given['name']}-{budget}", flush=True)


@dataclass(kw_only=True)
class Kept(Planner):
    """Stays with whoever made it, so that what it saw can be read afterwards."""

    def clone(self):
        """The same object."""
        return self


def priors(
    first_seed: int, seeds: int, budgets: list[int], families: str, seed: int, free: bool, split: str, worlds: int
) -> None:
    """The planner with lessons of three earlier runs of its own beside the planner without."""
    from apportion.launch import launch

    for budget in budgets:
        with tempfile.TemporaryDirectory() as folder:
            places = [str(Path(folder) / str(index)) for index in range(3)]
            for index, place in enumerate(places):
                launch(digits_config(first_seed + index, budget, policy="planner"), Path(place))
            every = range(first_seed + 3, first_seed + 3 + seeds)
            told = {"name": "planner", "priors": places}
            for charge in (False, True):
                alike, without, knowing = (
                    np.array([final(seed, budget, policy, charge and policy != "uniform") for seed in every])
                    for policy in ("uniform", "planner", told)
                )
                print(
                    f"digits, {budget} steps, evaluations {'charged' if charge else 'free'}: planner over uniform "
                    f"{interval(without - alike)}, with lessons {interval(knowing - alike)}, gain by lessons "
                    f"{interval(knowing - without)}",
                    flush=True,
                )
    every: list[tuple[float, float]] = []
    for family in families.split(","):
        closed = [told_and_not(name, split, seed, free) for name in FAMILIES[family].ids()[:worlds]]
        without, knowing = np.mean(closed, axis=0)
        every.append((without.mean(), knowing.mean()))
        both = f"gap closed {without.mean():.2f}, with lessons {knowing.mean():.2f}"
        print(f"{family}: {both}, gain {interval(knowing - without)}", flush=True)
    without, knowing = np.mean(every, axis=0)
    print(f"mean of {len(every)} families: {without:.2f}, with lessons {knowing:.2f}")


def told_and_not(name: str, split: str, seed: int, free: bool) -> list[np.ndarray]:
    """Gap closed in a world by the planner without lessons and with those of three earlier runs, by run."""
    known = load(name, split=split)
    world, price = (often(known), 0.0) if free else (known, FORWARD_COST)
    past = Kept()
    simulate(world, past, n_runs=3, seed=seed + 1, forward_cost=price)
    history = History(
        tasks=tuple(world.tasks),
        counts=past.counts_,
        scores=past.scores_,
        budget=float(world.budget),
        spent=past.progress_ * world.budget,
        costs=np.repeat(world.costs[None], 3, axis=0),
        evaluation_cost=np.zeros(3),
        upper=np.full(world.n_tasks, np.inf),
        examples=past.examples_,
    )
    lessons = Lessons.of([fit(history, look_back=False)]).data()
    alike = simulate(known, "uniform", n_runs=256, seed=seed).final.mean()
    room = oracle(known, effort=30).value - alike
    ends = [
        simulate(world, Planner(priors=given), n_runs=4, seed=seed, forward_cost=price).final
        for given in (None, lessons)
    ]
    return [(values - alike) / room for values in ends]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "calibration", "pairs", "gap", "digits", "logs", "priors", "rank"])
    parser.add_argument("--split", choices=["public", "reported"], default="public")
    parser.add_argument("--families")
    parser.add_argument("--runs", type=int, default=8, help="runs; with `digits` and `priors` seeds")
    parser.add_argument("--first-seed", type=int, default=0, help="of real training")
    parser.add_argument("--budgets", default="200,400,1200", help="steps of real training")
    parser.add_argument("--policies", help="left out, with `rank` all that work by name, else planner")
    parser.add_argument("--data-dir", help="folder of GLUE, with `logs`")
    parser.add_argument("--out", type=Path, default=Path("runs/logs"), help="where `logs` puts its runs")
    parser.add_argument("--worlds", type=int, default=99, help="how many of each family")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--free", action="store_true")
    parser.add_argument(
        "--exact", action="store_true", help="with `gap`: free evaluations with hardly any noise, 0.0002"
    )
    parser.add_argument("--known", action="store_true", help="with `gap`: the planner is told the true transfer")
    given = parser.parse_args()
    budgets = [int(part) for part in split_list(given.budgets)]
    if given.what == "speed":
        speed()
    elif given.what == "calibration":
        calibration(given.families or FOR_CALIBRATION, given.split, given.seed, given.free, given.worlds)
    elif given.what == "pairs":
        families = given.families or "speeds,transfer,harmful,auxiliary"
        pairs(families, given.split, given.seed, given.free, given.worlds)
    elif given.what == "digits":
        digits(given.first_seed, given.runs, budgets, split_list(given.policies or "planner"))
    elif given.what == "logs":
        logs(given.first_seed, given.runs, budgets, given.out, given.data_dir)
    elif given.what == "rank":
        specs = split_list(given.policies) if given.policies else all_policies()
        families = given.families or FOR_RANK
        rank(families, given.split, given.runs, given.seed, given.worlds, list(dict.fromkeys(["planner", *specs])))
    elif given.what == "priors":
        families = given.families or "speeds,useless,transfer,harmful"
        priors(given.first_seed, given.runs, budgets, families, given.seed, given.free, given.split, given.worlds)
    else:
        gap(given.families or FOR_GAP, given)


if __name__ == "__main__":
    main()
