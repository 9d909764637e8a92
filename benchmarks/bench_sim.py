"""Speed of the simulation engine beside SMPyBandits and coba, agreement of regrets, and the references of the suite.

    python benchmarks/bench_sim.py speed [--smpybandits PYTHON] [--coba PYTHON]
    python benchmarks/bench_sim.py regret --smpybandits PYTHON
    python benchmarks/bench_sim.py table [--split reported]
    python benchmarks/bench_sim.py check FOLDER        (of `simulate --worlds all --policies all --out FOLDER`)
    python benchmarks/bench_sim.py tuned               (results of shipped tuned parameters on reported worlds)

A peer runs under the interpreter of its own virtual environment:

    python3.11 -m venv smpy && smpy/bin/pip install 'numpy<2' 'scipy<1.11' SMPyBandits==0.9.7
    python3.11 -m venv coba && coba/bin/pip install coba==8.1.0

Times are processor seconds of one thread, so that other work on the machine counts little; the best of several repeats.
For a peer only its own choice, the draw of the reward and its own update are timed, without its environment and
logging.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

N_TASKS, GAP = 8, 0.2
MEANS = (0.5 + GAP, *[0.5] * (N_TASKS - 1))
REGRETS = {"exp3": 2000, "exp3s": 2000, "ucb1": 2000, "thompson": 300}
REGRET_MEANS, REGRET_RUNS = (0.8, 0.5, 0.5, 0.4), 100


def smpybandits_policy(name, n_tasks, horizon):
    from SMPyBandits.Policies import UCB, Exp3, Exp3S, Thompson

    if name == "exp3":
        return Exp3(n_tasks, gamma=exp3_gamma(n_tasks, horizon))
    if name == "exp3s":
        return Exp3S(n_tasks, gamma=0.1, alpha=0.001)
    return {"ucb1": UCB, "thompson": Thompson}[name](n_tasks)


def exp3_gamma(n_tasks, horizon):
    return min(1.0, math.sqrt(n_tasks * math.log(n_tasks) / ((math.e - 1) * horizon)))


def play_smpybandits(name, means, horizon):
    """Pseudo-regret of one run."""
    policy = smpybandits_policy(name, len(means), horizon)
    policy.startGame()
    regret, best = 0.0, max(means)
    for _ in range(horizon):
        arm = int(policy.choice())
        regret += best - means[arm]
        policy.getReward(arm, float(random.random() < means[arm]))
    return regret


def peer_smpybandits(job):
    import numpy as np

    np.random.seed(0)  # noqa: NPY002 (SMPyBandits draws from it)
    random.seed(0)
    if job == "regret":
        answer = {}
        for name, horizon in REGRETS.items():
            runs = [play_smpybandits(name, REGRET_MEANS, horizon) for _ in range(REGRET_RUNS)]
            answer[name] = [float(np.mean(runs)), float(np.std(runs, ddof=1) / math.sqrt(len(runs)))]
        return answer
    return {"SMPyBandits Exp3S": best_rate(lambda: play_smpybandits("exp3s", MEANS, 5000), 5000)}


def peer_coba(job):
    import coba as cb
    from coba.environments import LambdaSimulation
    from coba.evaluators import SequentialCB

    n_steps = 3000
    environment = LambdaSimulation(
        n_steps,
        lambda index, generator: None,
        lambda index, context, generator: list(range(N_TASKS)),
        lambda index, context, action, generator: float(generator.random() < MEANS[action]),
        seed=1,
    )
    # Interactions are made beforehand: only the bandit loop is timed.
    made = cb.Environments(environment).materialize()[0]

    def play():
        return sum(1 for _ in SequentialCB().evaluate(made, cb.BanditEpsilonLearner(0.1)))

    return {"coba SequentialCB, epsilon-greedy": best_rate(play, n_steps)}


def best_rate(work, n_steps, repeats=5):
    work()
    best = math.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return n_steps / best


def ask_peer(python, peer, job):
    command = [python, "-W", "ignore", __file__, "peer", peer, job]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{peer} failed under {python}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def speed(arguments):
    from apportion.policies.exp3s import Exp3S
    from apportion.policies.uniform import Uniform
    from apportion.sim import BanditWorld, Noisy, simulate, suite

    bandit = BanditWorld(means=MEANS, budget=500)
    learning = suite.load("speeds/1").with_budget(500)
    everything = suite.load("interference/1").with_budget(500)
    given = Exp3S(gamma=0.1, alpha=0.001)
    rates = {}

    def ours(label, world, policy, signal=None, sizes=(1000, 2000, 4000)):
        for n_runs in sizes:
            steps = simulate(world, policy, signal, n_runs=1, seed=0).n_steps

            def work(n_runs=n_runs):
                simulate(world, policy, signal, n_runs=n_runs, seed=0)

            rates[f"{label}, {n_runs:,} runs"] = best_rate(work, steps * n_runs, arguments.repeats)

    ours("EXP3.S, bandit", bandit, given)
    ours("EXP3.S without horizon, bandit", bandit, Exp3S(), sizes=(4000,))
    ours("EXP3.S, bandit", bandit, given, sizes=(1,))
    ours("uniform, learning curves", learning, Uniform(), sizes=(2000,))
    ours("EXP3.S, learning curves, loss as reward", learning, given, "loss", sizes=(2000,))
    ours("EXP3.S, learning curves, prediction gain", learning, given, "prediction_gain", sizes=(2000,))
    ours("EXP3.S, interference, prediction gain", everything, given, "prediction_gain", sizes=(2000,))
    ours("uniform, learning curves without noise", Noisy(learning.world, 0.0, 0.0, 0.0), Uniform(), sizes=(2000,))
    peers = {}
    for peer in ("smpybandits", "coba"):
        if getattr(arguments, peer):
            peers.update(ask_peer(getattr(arguments, peer), peer, "speed"))
    own = max(value for label, value in rates.items() if label.startswith("EXP3.S, bandit"))
    for label, value in {**rates, **peers}.items():
        slower = {"times_slower_than_ours": round(own / value, 1)} if label in peers else {}
        print(json.dumps({"figure": label, "policy_steps_per_second": round(value), **slower}), flush=True)
    figure = {"figure": "memory, EXP3.S, bandit", "mib_per_1000_runs": round(memory(bandit, given), 2)}
    print(json.dumps(figure), flush=True)


def memory(world, policy):
    import tracemalloc

    from apportion.sim import simulate

    peaks = []
    for n_runs in (1000, 3000):
        tracemalloc.start()
        simulate(world, policy, n_runs=n_runs, seed=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return (peaks[1] - peaks[0]) / 2 / 2**20


def regret(arguments):
    from apportion.policies.exp3 import Exp3
    from apportion.policies.exp3s import Exp3S
    from apportion.policies.thompson_beta import ThompsonBeta
    from apportion.policies.ucb1 import UCB1
    from apportion.sim import BanditWorld, simulate

    theirs = ask_peer(arguments.smpybandits, "smpybandits", "regret")
    for name, horizon in REGRETS.items():
        gamma = exp3_gamma(len(REGRET_MEANS), horizon)
        own = {
            "exp3": Exp3(gamma=gamma),
            "exp3s": Exp3S(gamma=0.1, alpha=0.001),
            "ucb1": UCB1(exploration=0.0),
            # Forgets so little in so few steps that it is the plain rule; a longer memory takes more time.
            "thompson": ThompsonBeta(forget=1e-3, threshold=0.5, exploration=0.0),
        }
        world = BanditWorld(means=REGRET_MEANS, budget=horizon)
        n_runs = 100 if name == "thompson" else 400
        mean, error = simulate(world, own[name], n_runs=n_runs, seed=0).mean_and_error()
        mean, error = (max(REGRET_MEANS) - mean) * horizon, error * horizon
        apart = abs(mean - theirs[name][0]) / math.hypot(error, theirs[name][1])
        print(
            f"{name:8s} regret after {horizon} steps: {mean:8.2f} +- {error:.2f}, "
            f"SMPyBandits {theirs[name][0]:8.2f} +- {theirs[name][1]:.2f}, {apart:.1f} standard errors apart"
        )


def table(arguments):
    from apportion.policies.mixture import Mixture
    from apportion.sim import simulate, suite
    from apportion.sim.references import suite_references

    print("| world | uniform | best fixed mixture | best | upper bound | headroom |")
    print("|---|---|---|---|---|---|")
    for name in suite.ids():
        world, known = suite.load(name, split=arguments.split), suite_references(name, arguments.split)
        fixed = Mixture(tuple(known.fixed_probabilities(world).tolist()))
        uniform = simulate(world, "uniform", n_runs=arguments.runs, seed=0).mean_and_error()
        mixture = simulate(world, fixed, n_runs=arguments.runs, seed=0).mean_and_error()
        kind = "" if known.verified else " (best known)"
        print(
            f"| {name} | {uniform[0]:.4f} +- {uniform[1]:.4f} | {mixture[0]:.4f} | {known.best:.4f}{kind} | "
            f"{known.upper:.4f} | {known.best - uniform[0]:.4f} |",
            flush=True,
        )


def check(arguments):
    """Is the best spending beaten, or does anyone gain where all tasks are equal? Beyond what noise can do."""
    from pathlib import Path

    study = json.loads((Path(arguments.study) / "study.json").read_text())
    rows = [row for row in study["rows"] if row["runs"] and row["mean"] is not None]
    best = {row["world"]: row["mean"] for row in study["rows"] if row["policy"] == "oracle"}
    found = []
    for row in rows:
        error = max((row["upper"] - row["lower"]) / 3.92, 1e-9)
        over = row["mean"] - best[row["world"]]
        if over / error > arguments.z and over > 1e-6:
            known = "" if study["verified"][row["world"]] else " (the best known)"
            found.append(f"{row['policy']} in {row['world']}: {over:.5f} above the best spending{known}")
    print(f"{len(rows)} rows, {len(best)} worlds, limit {arguments.z:g} standard errors")
    print("\n".join(found) or "nothing beats the best spending beyond noise")
    equal = [row for row in rows if row["world"].startswith("equal/") and row["gain"] is not None]
    if equal:
        most = max(equal, key=lambda row: row["gain"])
        room = max(best[row["world"]] - row["mean"] for row in equal if row["policy"] == "uniform")
        print(
            f"largest gain over uniform where all tasks are equal: {most['gain']:.5f}, {most['policy']} in "
            f"{most['world']}; uniform's draws lose up to {room:.5f} there"
        )
    return 1 if found else 0


def tuned(arguments):
    """Did tuning on public worlds move results on reported ones? Paired by run, bootstrap over worlds."""
    import numpy as np

    from apportion.study.tune import read_tuned
    from apportion.study.worlds import expand, study_worlds

    known = {name: item.spec for name, item in read_tuned("shipped").items() if item.parameters}
    worlds = expand(arguments.worlds.split(","), "reported")
    rng = np.random.default_rng(0)
    print(f"{len(worlds)} reported worlds, {arguments.runs} paired runs")
    for name, spec in known.items():
        study = study_worlds(worlds, [name, spec], runs=arguments.runs, seed=1, split="reported", workers=1)
        gaps = {(row.policy, row.world): row.gap_closed for row in study.rows}
        pairs = np.array([(gaps[name, world], gaps[spec, world]) for world in worlds])
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        moved = pairs[:, 1] - pairs[:, 0]
        lower, upper = np.quantile(moved[rng.integers(0, len(moved), (2000, len(moved)))].mean(axis=1), (0.025, 0.975))
        print(
            f"| {name} | {pairs[:, 0].mean():.3f} | {pairs[:, 1].mean():.3f} | {moved.mean():+.3f} "
            f"[{lower:+.3f}, {upper:+.3f}] | {spec.removeprefix(name)} |",
            flush=True,
        )


def overall(arguments):
    """Gaps closed over all worlds of a study; intervals by resampling paired runs, worlds taken as given."""
    from pathlib import Path

    import numpy as np

    from apportion.component import decode

    folder = Path(arguments.study)
    rows = json.loads((folder / "study.json").read_text())["rows"]
    best = {row["world"]: row["mean"] for row in rows if row["policy"] == "oracle"}
    finals = {}
    for line in (folder / "jobs.jsonl").read_text().splitlines():
        job = json.loads(line)
        if "final" in job["result"]:
            world, policy = job["key"].split("|")[:2]
            finals.setdefault(world, {})[policy] = decode(job["result"]["final"])
    names = list(dict.fromkeys(row["policy"] for row in rows if row["policy"] in next(iter(finals.values()))))
    scores = {world: np.stack([own[name] for name in names]) for world, own in finals.items()}
    base = names.index("uniform")
    # Where less than 0.002 is to be gained a ratio means nothing.
    open_ = [world for world, values in scores.items() if best[world] - values[base].mean() > 0.002]
    rng = np.random.default_rng(0)

    def gaps(resampled):
        gains, rooms = [], []
        for world in open_:
            values = scores[world]
            runs = rng.integers(0, values.shape[1], values.shape[1]) if resampled else slice(None)
            means = values[:, runs].mean(axis=1)
            gains.append(means - means[base])
            rooms.append(best[world] - means[base])
        gains, rooms = np.array(gains), np.array(rooms)
        return np.stack([gains.sum(axis=0) / rooms.sum(), (gains / rooms[:, None]).mean(axis=0)])

    found, draws = gaps(False), np.array([gaps(True) for _ in range(2000)])
    relative = {world: values.mean(axis=1) / abs(values[base].mean()) for world, values in scores.items()}
    first = names.index(arguments.first)
    print(f"{len(open_)} worlds with something to gain")
    for index, name in enumerate(names):
        worst = min(relative, key=lambda world: relative[world][index] - relative[world][base])
        line = {"policy": name, "worst_world": worst}
        line["worst_relative"] = round(relative[worst][index] - relative[worst][base], 4)
        for kind, label in enumerate(("ratio_of_sums", "mean_of_gaps")):
            ahead = draws[:, kind, first] - draws[:, kind, index]
            line[label] = [found[kind, index], *np.quantile(draws[:, kind, index], (0.025, 0.975))]
            lead = found[kind, first] - found[kind, index]
            line[f"{arguments.first}_ahead_{label}"] = [lead, *np.quantile(ahead, (0.025, 0.975))]
        print(json.dumps(line, default=float))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("speed", "regret"):
        command = commands.add_parser(name)
        command.add_argument("--smpybandits", metavar="PYTHON", required=name == "regret")
        command.add_argument("--coba", metavar="PYTHON")
        command.add_argument("--repeats", type=int, default=5)
    command = commands.add_parser("table")
    command.add_argument("--split", choices=("public", "reported"), default="public")
    command.add_argument("--runs", type=int, default=200)
    command = commands.add_parser("check")
    command.add_argument("study", help="folder of `apportion simulate --out`")
    command.add_argument("--z", type=float, default=5.0)
    command = commands.add_parser("overall")
    command.add_argument("study", help="folder of `apportion simulate --out`")
    command.add_argument("--first", default="counterfactual", help="whose lead over each policy is given")
    command = commands.add_parser("tuned")
    command.add_argument("--worlds", default="speeds,useless,transfer,forgetting,change,few_steps,plateau,fitted")
    command.add_argument("--runs", type=int, default=30)
    command = commands.add_parser("peer")
    command.add_argument("peer")
    command.add_argument("job")
    arguments = parser.parse_args()
    if arguments.command == "peer":
        print(json.dumps({"smpybandits": peer_smpybandits, "coba": peer_coba}[arguments.peer](arguments.job)))
    else:
        jobs = {"speed": speed, "regret": regret, "table": table, "check": check, "overall": overall, "tuned": tuned}
        return jobs[arguments.command](arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
