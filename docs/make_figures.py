"""Draw the shares of every policy over time in the same two worlds: `python docs/make_figures.py` (some minutes).

One figure for each family, in docs/figures/, and one page, docs/families.md, that says which policy to take when.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import vl_convert

from apportion.cli.simulate import all_policies
from apportion.policies import policies
from apportion.study.worlds import WorldStudy, study_worlds

HERE = Path(__file__).parent
WORLDS = ("useless/0", "transfer/0")
RUNS, SEED = 100, 0
WRAPPED = {
    "floor": "floor(policy=epsilon_greedy, floor=0.05)",
    "warm_up": "warm_up(policy=epsilon_greedy, fraction=0.3)",
    "hold": "hold(policy=epsilon_greedy, steps=50)",
    "prior": "prior(policy=epsilon_greedy, shares=(4, 2, 1, 1, 1, 1, 1, 1), fraction=0.5)",
    "blend": "blend(policy=epsilon_greedy, other=uniform)",
    "stage_gate": "stage_gate(policy=uniform)",
    "admission_gate": "admission_gate(policy=uniform)",
    "achievability_band": "achievability_band(policy=uniform)",
    "mixture": "mixture(shares=(4, 2, 1, 1, 1, 1, 1, 1))",
}
ADVICE = {
    "static": (
        "Take one of these when you know what you want, or as the baseline that anything else has to beat. Uniform is "
        "hard to beat where tasks matter equally. Temperature 2 to 5 helps very small tasks when sizes differ by orders "
        "of magnitude; `unimax` does so without repeating a small task more often than you allow."
    ),
    "bandit": (
        "These assume that a task's reward says what its next batch is worth. They need a reward that can be compared "
        "between tasks: prediction gain in windowed quantiles is the usual one. They react within some hundred decisions."
    ),
    "learning-progress": (
        "They follow the tasks whose score changes. Good where some tasks cannot be learned or are learned already; "
        "noise looks like progress when evaluations are few."
    ),
    "mixing": (
        "From training language models on many domains: they look at the losses of all tasks at evaluations, or at "
        "gradients, and move slowly. Those that follow high losses (DoReMi, group DRO) serve the worst task, not the "
        "mean, and spend much on tasks that cannot be learned."
    ),
    "allocation": (
        "For one target among auxiliaries, for tasks that arrive in sequence, for the worst task, and for tasks that are "
        "described by features."
    ),
    "wrapper": "Around any policy: a floor keeps its log usable off policy, a gate holds tasks back until they are due.",
    "counterfactual": "Learn a policy from the logged decisions by counterfactual estimation, while the model trains.",
    "planning": "Fit how every task learns, and plan what is left of the budget.",
}


def specs() -> dict[str, str]:
    """One instance of every policy that the two worlds can serve, by name."""
    usable = {name: name for name in all_policies()}
    return usable | {name: spec for name, spec in WRAPPED.items() if name in policies.names()}


def rows_of(study: WorldStudy, names: dict[str, str]) -> list[dict[str, Any]]:
    """Shares by policy, world, moment and task."""
    rows: list[dict[str, Any]] = []
    middle = (study.progress[:-1] + study.progress[1:]) / 2
    for name, spec in names.items():
        for world in WORLDS:
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


def draw(rows: list[dict[str, Any]], family: str) -> alt.Chart:
    """Stacked shares over the budget, policies down and worlds across."""
    return (
        alt.Chart(alt.Data(values=rows), title=f"{family}: mean shares over the budget, {RUNS} runs each")
        .mark_area()
        .encode(
            x=alt.X("budget:Q", title="budget used", axis=alt.Axis(format="%", tickCount=3)),
            y=alt.Y("share:Q", stack="normalize", title=None, axis=alt.Axis(format="%", tickCount=3)),
            color=alt.Color("task:N", scale=alt.Scale(scheme="tableau10"), title="task"),
            row=alt.Row("policy:N", title=None, header=alt.Header(labelAngle=0, labelAlign="left", labelLimit=170)),
            column=alt.Column("world:N", title=None),
        )
        .properties(width=260, height=54)
        .configure(background="white")
        .configure_facet(spacing=8)
    )


def main() -> None:
    """Simulate, draw and write the page."""
    names = specs()
    signals_of = dict.fromkeys(WRAPPED.values(), "windowed_quantiles(signal=prediction_gain, range='unit')")
    study = study_worlds(WORLDS, list(names.values()), runs=RUNS, seed=SEED, signals_of=signals_of)
    gaps = {(row.world, row.policy): row for row in study.rows}
    lines = [
        "# Families of policies: which when\n",
        f"Made by `docs/make_figures.py`: every policy in two worlds of the suite, `{WORLDS[0]}` (five of eight tasks cannot "
        f"be learned) and `{WORLDS[1]}` (groups of tasks that help each other), {RUNS} runs each on the public settings "
        "with the policy's usual signal. Gap closed is 0 for uniform and 1 for the best spending in hindsight; evaluations "
        "and extra forward passes are charged. What is true of two worlds need not be true of yours: "
        "`apportion simulate --policies all` compares on all of them.\n",
    ]
    folder = HERE / "figures"
    folder.mkdir(exist_ok=True)
    for family, advice in ADVICE.items():
        own = {name: spec for name, spec in names.items() if policies.find(name).family == family}
        rows = rows_of(study, own)
        if not rows:
            continue
        chart = draw(rows, family)
        picture = vl_convert.vegalite_to_png(json.dumps(chart.to_dict()), scale=1.3)
        (folder / f"family-{family}.png").write_bytes(picture)
        lines += [f"## {family}\n", f"{advice}\n", f"![{family}](figures/family-{family}.png)\n"]
        lines += [f"| policy | gap closed in {WORLDS[0]} | in {WORLDS[1]} | what it decides |", "|---|---|---|---|"]
        for name, spec in own.items():
            cells = [_gap(gaps[world, spec]) for world in WORLDS]
            first = " ".join((policies.find(name).__doc__ or "").split("\n\n")[0].split())
            lines.append(f"| `{name}` | {cells[0]} | {cells[1]} | {first} |")
        lines.append("")
    (HERE / "families.md").write_text("\n".join(lines), encoding="utf-8")


def _gap(row: Any) -> str:
    if row.note and not np.isfinite(row.mean):
        return "not served"
    return f"{row.gap_closed:.2f} [{row.gap_lower:.2f}, {row.gap_upper:.2f}]"


if __name__ == "__main__":
    main()
