"""`apportion compare` and `apportion demo`: policies x seeds in real training."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from ._output import console, make_table, one_sentence, print_json, progress_bar
from .simulate import all_policies, split_list

if TYPE_CHECKING:
    from ..config import Config
    from ..study.training import TrainingStudy

DEMO_POLICIES = "uniform,proportional,exp3s,counterfactual,planner"
DEMO_SEEDS = 5
DEMO_BUDGET = 800
DEMO_EVALUATION_SIZE = 32
"""Held-out examples of each task: with the usual 128 the planner would spend a quarter of the budget on evaluations."""


def compare(
    config: str = typer.Argument(help="A configuration (.toml), or a taskset: digits, glue, superglue."),
    policy_list: str = typer.Option("uniform,proportional", "--policies", help="Policies with commas, or `all`."),
    seeds: int = typer.Option(5, min=1, help="Runs of each policy; all get the same seeds."),
    first_seed: int = typer.Option(0, min=0, help="The first seed."),
    budget: float | None = typer.Option(None, help="How much to spend in each run, in the unit of the budget."),
    objective: str = typer.Option("", help="What is to become large: `mean` of the scores, or the `worst` of them."),
    data_dir: Path | None = typer.Option(None, help="Folder with the data of the taskset."),
    setting: list[str] = typer.Option([], "--set", help="Any key of a configuration, as KEY=VALUE; may be repeated."),
    engine: str = typer.Option("local", help="`local`, or `ray` for a cluster."),
    workers: int | None = typer.Option(None, min=1, help="Processes of the local engine; left out, one for each core."),
    ray_address: str = typer.Option("", help="Address of a Ray cluster; left out, one is started here."),
    out: Path = typer.Option(Path("runs/compare"), "--out", "-o", help="Folder of the study; resumes what is there."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Train with several policies and seeds under the same budget, and compare them with the first policy."""
    from .train import configuration, parsed_settings

    with one_sentence():
        overrides = parsed_settings(setting, budget=budget, objective=objective, data_dir=data_dir)
        study = _study(
            configuration(config, overrides),
            ["uniform", *all_policies()] if policy_list == "all" else split_list(policy_list),
            range(first_seed, first_seed + seeds),
            out,
            engine=engine,
            workers=workers,
            address=ray_address or None,
        )
    if as_json:
        print_json(as_data(study))
    else:
        print_study(study)
        console.print(f"runs: {out}", markup=False, soft_wrap=True)


def demo(
    out: Path = typer.Option(Path("demo"), "--out", "-o", help="Folder of the runs, the figures and the report."),
    seeds: int = typer.Option(DEMO_SEEDS, min=1, help="Runs of each policy."),
    policy_list: str = typer.Option(DEMO_POLICIES, "--policies", help="Policies, with commas."),
    budget: float = typer.Option(DEMO_BUDGET, help="Batches in each run."),
) -> None:
    """Train eight tasks made from handwritten digits with several policies, and write a report to look at."""
    from ..report import figures_for_demo, write_report
    from .train import configuration

    with one_sentence():
        study = _study(
            configuration("digits", {"budget.amount": budget, "training.evaluation_size": DEMO_EVALUATION_SIZE}),
            split_list(policy_list),
            range(seeds),
            out,
            engine="local",
        )
        print_study(study)
        figures = figures_for_demo(study.directories, out / "figures")
        report = write_report(study.directories, out / "report.html")
    for figure in figures:
        console.print(f"figure: {figure}", markup=False, soft_wrap=True)
    console.print(f"report: {report}", markup=False, soft_wrap=True)


def _study(config: Config, policies: list[str], seeds: range, out: Path, **options: Any) -> TrainingStudy:
    from ..study.training import study_training

    with progress_bar("training {task.description}") as bar:
        shown = bar.add_task("", total=len(policies) * len(seeds))
        return study_training(
            config,
            policies,
            seeds,
            out=out,
            progress=lambda done, total, name: bar.update(shown, completed=done, total=total, description=name),
            **options,
        )


def as_data(study: TrainingStudy) -> dict[str, Any]:
    """One object with a row for each policy."""
    return {
        "signature": study.signature,
        "rows": [asdict(row) for row in study.rows],
        "objectives": study.objectives.tolist(),
        "directories": [str(place) for place in study.directories],
    }


def print_study(study: TrainingStudy) -> None:
    """A table of policies, and one of tasks."""
    budget = study.signature["config"]["budget"]
    title = (
        f"{len(study.signature['seeds'])} paired seeds, {budget['amount']:g} {budget['unit']} each, 95 % t-intervals"
    )
    first = study.rows[0].policy
    rows: list[tuple[str, ...]] = []
    for row in study.rows:
        if row.note:
            rows.append((row.policy, "", "", "", "", row.note))
            continue
        verdict = "better" if row.gain_lower > 0 else "worse" if row.gain_upper < 0 else ""
        gain = "" if np.isnan(row.gain) else f"{row.gain:+.4f} [{row.gain_lower:+.4f}, {row.gain_upper:+.4f}]"
        rows.append(
            (row.policy, f"{row.objective:.4f}", gain, f"{row.evaluation_cost:,.4g}", f"{row.seconds:.1f}", verdict)
        )
    columns = ("policy", "objective", f"difference from {first}", "evaluations", "seconds", "")
    console.print(make_table(columns, rows, title=title))
    trained = [row for row in study.rows if not row.note]
    body = [
        (task, *(f"{row.scores[task]:.3f} ({row.shares[task]:.0%})" for row in trained))
        for task in (trained[0].scores if trained else ())
    ]
    console.print(make_table(("task", *(row.policy for row in trained)), body, title="score (share) by task"))
