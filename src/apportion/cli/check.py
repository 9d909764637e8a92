"""`apportion check`: is a configuration or a log fit for use? Nothing is spent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import typer

from ..log import Log, read_log
from ._output import FINDING, console, make_table, one_sentence, print_json
from .log import find_log


def check(
    path: Path = typer.Argument(help="A configuration (.toml), a decision log (.jsonl), or the directory of a run."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Check a configuration or a decision log before anything is spent on it. Exit code 1 if something is odd."""
    with one_sentence():
        if path.suffix == ".toml":
            findings = _check_config(path, as_json)
        else:
            findings = _check_log(read_log(find_log(path)), path, as_json)
    raise typer.Exit(FINDING if findings else 0)


def _check_config(path: Path, as_json: bool) -> list[str]:
    from ..config import load_config  # torch is loaded only where a configuration is checked
    from ..launch import make_trainer
    from .train import print_plan

    config = load_config(path)
    trainer = make_trainer(config)
    plan = trainer.plan()
    findings = [f"{task.name}: {task.note}" for task in plan.tasks if "may never" in task.note]
    if as_json:
        print_json({"config": config.model_dump(mode="json", exclude_none=True), "plan": plan, "findings": findings})
        return findings
    print_plan(config, trainer)
    _print_findings(findings)
    return findings


def _print_findings(findings: list[str]) -> None:
    for finding in findings:
        console.print(f"finding: {finding}", style="yellow", markup=False)
    if not findings:
        console.print("nothing odd found")


def _check_log(log: Log, path: Path, as_json: bool) -> list[str]:
    data = log.logged
    findings: list[str] = []
    if not log.usable_off_policy:
        findings.append("the tasks were not drawn at random: the log does not suit off-policy estimates")
    missing = np.setdiff1d(np.arange(data.step.max(initial=-1) + 1), data.step).size
    if missing:
        findings.append(f"{missing} decisions are missing between the first and the last")
    doubled = data.n_rounds - np.unique(data.step).size
    if doubled:
        findings.append(f"{doubled} decisions stand more than once")
    counts = np.bincount(data.chosen, minlength=len(data.tasks))
    asked = data.probabilities.sum(axis=0)
    spread = np.sqrt(np.maximum((data.probabilities * (1 - data.probabilities)).sum(axis=0), 1e-12))
    for task, name in enumerate(data.tasks):
        # Six standard deviations: a false alarm in 10^9 tasks.
        if log.usable_off_policy and abs(counts[task] - asked[task]) > 6 * spread[task] + 1:
            findings.append(f"task {name!r} was drawn {counts[task]} times where {asked[task]:.1f} were expected")
    if as_json:
        print_json(
            {
                "log": str(path),
                "fingerprint": log.header.get("fingerprint"),
                "policy": log.header.get("policy"),
                "decisions": data.n_rounds,
                "evaluations": len(log.evaluations),
                "tasks": list(data.tasks),
                "counts": counts,
                "findings": findings,
            }
        )
        return findings
    total = max(data.n_rounds, 1)
    rows = [
        (
            name,
            f"{counts[task]:,}",
            f"{counts[task] / total:.1%}",
            f"{asked[task] / total:.1%}",
            f"{data.probabilities[:, task].min(initial=1.0):.2g}",
            f"{np.isfinite(data.reward[data.chosen == task]).sum():,}",
        )
        for task, name in enumerate(data.tasks)
    ]
    columns = ("task", "decisions", "realised share", "asked for", "least probability", "rewards")
    console.print(
        make_table(columns, rows, title=f"{path}: {data.n_rounds:,} decisions, {len(log.evaluations)} evaluations")
    )
    _print_findings(findings)
    return findings
