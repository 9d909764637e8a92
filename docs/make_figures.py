"""Draw the shares of every policy over time in the same two worlds: `python docs/make_figures.py` (some minutes).

One figure for each family, in docs/figures/, and one page, docs/families.md, that says which policy to take when.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import vl_convert

from apportion.cli.simulate import all_policies
from apportion.policies import policies
from apportion.policies.function import Function, large_first
from apportion.sim import simulate
from apportion.study.worlds import WorldStudy, load_world, study_worlds

HERE = Path(__file__).parent
WORLDS = ("useless/0", "transfer/0")
SEED = 0
MIXTURES = 48
"""Finished runs, each with a mixture of its own, that `mixture_regression` is fitted to."""
GIVEN = {
    "floor": "floor(policy=epsilon_greedy, floor=0.05)",
    "warm_up": "warm_up(policy=epsilon_greedy, fraction=0.3)",
    "hold": "hold(policy=epsilon_greedy, steps=50)",
    "prior": "prior(policy=epsilon_greedy, shares=(4, 2, 1, 1, 1, 1, 1, 1), fraction=0.5)",
    "blend": "blend(policy=epsilon_greedy, other=uniform)",
    "stage_gate": "stage_gate(policy=uniform, threshold=0.3)",
    "admission_gate": "admission_gate(policy=uniform)",
    "achievability_band": "achievability_band(policy=uniform)",
    "cost_aware": "cost_aware(policy=epsilon_greedy)",
    "mixture": "mixture(shares=(4, 2, 1, 1, 1, 1, 1, 1))",
    "stages": "stages(stages=((0, (1, 1, 1, 1, 0, 0, 0, 0)), (0.5, (0, 0, 0, 0, 1, 1, 1, 1))))",
    "function": f"{HERE / 'make_figures.py'}:LargeFirst",
}
"""Policies that need parameters, with parameters that show what they do."""
ADVICE = {
    "static": (
        "Take one of these when you know what you want, or as the baseline that anything else has to beat. `uniform` is "
        "hard to beat where tasks matter equally; `round_robin` is the same with less variance. `temperature` from 2 to 5 "
        "helps very small tasks when sizes differ by orders of magnitude; `unimax` does so without repeating a small task "
        "more often than you allow. `mixture`, `stages` and `function` say what you already know; `curriculum`, `phases` "
        "and `power_schedule` are orders of the literature. Where the mean over tasks counts, `proportional` and what "
        "follows sizes starve the small ones."
    ),
    "bandit": (
        "These assume that a task's reward says what its next batch is worth. They need a reward that can be compared "
        "between tasks: prediction gain in windowed quantiles is the usual one, and a gain on one's own batch knows "
        "nothing of what a task does for the others. `exp3s` and `exp3s_graves` where rewards drift in any way; "
        "`discounted_ucb` and `sliding_window_ucb` where they drift slowly; `exp3`, `exp3p` and `ucb1` where they do not, "
        "or as references; `thompson_beta` for successes and failures, `thompson_gaussian` for real rewards; `lin_ucb`, "
        "`lin_thompson` and `counterfactual` learn across tasks from what is known of each; `epsilon_greedy` is the "
        "simplest. They react within some hundred decisions."
    ),
    "learning-progress": (
        "They follow the tasks whose score changes, or that are neither solved nor hopeless. Good where some tasks cannot "
        "be learned or are learned already; noise looks like progress when evaluations are few. `learnability`, `sec` and "
        "`dump` where a success rate is known (here they are given an exact one, which flatters them); "
        "`bidirectional_progress` where evaluations are frequent and forgetting matters; the four `tscl` teachers with a "
        "reward at every step and little noise."
    ),
    "mixing": (
        "From training language models on many domains: they look at the losses of all tasks at evaluations, or at "
        "gradients, and move slowly: with the step sizes of their papers, `doge`, `pike`, `multi_dds` and `mt_grpo` hardly "
        "leave uniform in 1,000 steps, so that what they lose is what their gradients and evaluations cost. Those that "
        "follow high losses (`doremi`, `group_dro`) serve the worst task, not the mean, and spend much on tasks that "
        "cannot be learned; `performance_gap` and `skill_it` do so where a score cannot be reached. `famo`, `coba` and "
        "`ado` look at how losses fall; `odm` is a bandit on them. `mixture_regression` is the choice when finished runs "
        "with other mixtures are there, which it does not charge for."
    ),
    "allocation": (
        "For one target among auxiliaries (`l1_a_mtrl`, `meta_rtl`), for tasks that arrive in sequence (`replay`), for the "
        "worst task (`worst_task`, `pdts`), and for tasks that are described by features (`pdts`). Measured by the mean of "
        "equal tasks, as here, most of them pursue another aim."
    ),
    "wrapper": (
        "Around any policy: `floor` keeps its log usable off policy, `warm_up` and `prior` start from what you know, `hold` "
        "and `blend` damp it, `cost_aware` and the gates change which tasks it may prefer: `stage_gate` opens tasks in "
        "order, `admission_gate` and `achievability_band` leave out what is solved or hopeless."
    ),
    "planning": "Fit how every task learns, and plan what is left of the budget; where evaluations are affordable.",
}


@dataclass(kw_only=True)
class LargeFirst(Function):
    """A function of the progress: large tasks first, all alike at the end."""

    function: Any = large_first


def specs(world: str) -> dict[str, str]:
    """One instance of every registered policy, by name."""
    return {name: name for name in all_policies()} | GIVEN | {"mixture_regression": regression(world)}


def regression(world: str) -> str:
    """`mixture_regression` of runs of the world with random mixtures, on draws that the study does not use."""
    shares = np.random.default_rng(SEED).dirichlet(np.ones(8), MIXTURES).round(3)
    runs: list[str] = []
    for row in shares:
        text = ", ".join(str(share) for share in row)
        result = simulate(
            load_world(world, "public"), f"mixture(shares=({text}))", n_runs=1, seed=SEED + 1, label=world
        )
        runs.append(f"(({text}), {result.final[0]:.4f})")
    return f"mixture_regression(runs=({', '.join(runs)}), kind='quadratic', lower=0.02)"


def rows_of(studies: dict[str, WorldStudy], family: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Shares by policy, world, moment and task."""
    rows: list[dict[str, Any]] = []
    for world, names in family.items():
        study = studies[world]
        middle = (study.progress[:-1] + study.progress[1:]) / 2
        for name, spec in names.items():
            shares = study.shares.get((world, spec))
            if shares is None:
                continue
            coarse = shares[: len(shares) // 2 * 2].reshape(-1, 2, shares.shape[1]).mean(axis=1)
            at = middle[: len(middle) // 2 * 2].reshape(-1, 2).mean(axis=1)
            rows.extend(
                {"policy": name, "world": world, "budget": float(moment), "share": float(share), "task": task}
                for moment, row in zip(at, coarse, strict=True)
                for task, share in zip(study.tasks[world], row, strict=True)
                if np.isfinite(share)
            )
    return rows


def draw(rows: list[dict[str, Any]], family: str, runs: int) -> alt.Chart:
    """Stacked shares over the budget, policies down and worlds across."""
    return (
        alt.Chart(alt.Data(values=rows), title=f"{family}: mean shares over the budget, {runs} runs each")
        .mark_area()
        .encode(
            x=alt.X("budget:Q", title="budget used", axis=alt.Axis(format="%", tickCount=3)),
            y=alt.Y("share:Q", stack="normalize", title=None, axis=alt.Axis(format="%", tickCount=3)),
            color=alt.Color("task:N", scale=alt.Scale(scheme="tableau10"), title="task"),
            row=alt.Row("policy:N", title=None, header=alt.Header(labelAngle=0, labelAlign="left", labelLimit=170)),
            column=alt.Column("world:N", title=None, sort=list(WORLDS)),
        )
        .properties(width=260, height=54)
        .configure(background="white")
        .configure_facet(spacing=8)
    )


def first_sentence(names: Sequence[str]) -> dict[str, str]:
    """What each policy decides, from its docstring, in one line."""
    return {name: " ".join((policies.find(name).__doc__ or "").split("\n\n")[0].split()) for name in names}


def main() -> None:
    """Simulate, draw and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50, help="paired runs for each policy and world")
    parser.add_argument("--workers", type=int, help="processes; left out, one for each core")
    options = parser.parse_args()
    usual = "windowed_quantiles(signal=prediction_gain, range='unit')"
    names = {world: specs(world) for world in WORLDS}
    studies = {
        world: study_worlds(
            (world,),
            list(names[world].values()),
            runs=options.runs,
            seed=SEED,
            signals_of={spec: usual for name, spec in GIVEN.items() if policies.find(name).family == "wrapper"},
            workers=options.workers,
        )
        for world in WORLDS
    }
    gaps = {(row.world, row.policy): row for study in studies.values() for row in study.rows}
    lines = [
        "# Families of policies: which when\n",
        f"Made by `docs/make_figures.py`: every policy in two worlds of the suite, `{WORLDS[0]}` (two of eight tasks cannot "
        f"be learned) and `{WORLDS[1]}` (a quarter of the ordered pairs of tasks help each other a little), {options.runs} runs each on the public "
        "settings with the policy's usual signal, or prediction gain in windowed quantiles inside a wrapper. Gap closed is "
        "0 for uniform and 1 for the best spending in hindsight, with 95 % bootstrap intervals over runs; evaluations and "
        "extra forward passes are charged. What is true of two worlds need not be true of yours: "
        "`apportion simulate --policies all` compares on all of them.\n",
        "Policies that need parameters got these: "
        + ", ".join(f"`{spec}`" for name, spec in GIVEN.items() if name != "function")
        + f", `function` the one of its example (large tasks first, all alike at the end), and `mixture_regression` "
        f"{MIXTURES} finished runs of the same world with random mixtures, `kind='quadratic'` and `lower=0.02`. A step costs the same for every task here, so "
        "`cost_aware` changes nothing.\n",
    ]
    folder = HERE / "figures"
    folder.mkdir(exist_ok=True)
    for family, advice in ADVICE.items():
        own = {
            world: {name: spec for name, spec in sorted(found.items()) if policies.find(name).family == family}
            for world, found in names.items()
        }
        chart = draw(rows_of(studies, own), family, options.runs)
        picture = vl_convert.vegalite_to_png(json.dumps(chart.to_dict()), scale=1.3)
        (folder / f"family-{family}.png").write_bytes(picture)
        lines += [f"## {family}\n", f"{advice}\n", f"![{family}](figures/family-{family}.png)\n"]
        lines += [f"| policy | gap closed in {WORLDS[0]} | in {WORLDS[1]} | what it decides |", "|---|---|---|---|"]
        for name, first in first_sentence(list(own[WORLDS[0]])).items():
            cells = [_gap(gaps[world, own[world][name]]) for world in WORLDS]
            lines.append(f"| `{name}` | {cells[0]} | {cells[1]} | {first} |")
        lines.append("")
    (HERE / "families.md").write_text("\n".join(lines), encoding="utf-8")


def _gap(row: Any) -> str:
    if row.note and not np.isfinite(row.mean):
        return "not served"
    return f"{row.gap_closed:.2f} [{row.gap_lower:.2f}, {row.gap_upper:.2f}]"


if __name__ == "__main__":
    main()
