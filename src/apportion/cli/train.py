"""`apportion train`: one model, many tasks, one budget."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from ..loader import WHEN_EXHAUSTED
from ..run import RunDirectory
from ._output import console, errors, make_table, one_sentence, print_json

if TYPE_CHECKING:
    from ..config import Config
    from ..training import Trainer


def train(
    config: str = typer.Argument("", help="A configuration (.toml), or a taskset: digits, glue, superglue."),
    policy: str = typer.Option("", help="Policy: a name, 'name(key=value)', or FILE.py:CLASS."),
    signal: str = typer.Option("", help="Signal, likewise; left out, the usual one of the policy."),
    seed: int | None = typer.Option(None, help="Seed of everything that is random."),
    budget: float | None = typer.Option(None, help="How much to spend, in the unit of the budget."),
    unit: str = typer.Option("", help="Unit of the budget: steps, examples, tokens or seconds."),
    objective: str = typer.Option("", help="What is to become large: `mean` of the scores, or the `worst` of them."),
    data_dir: Path | None = typer.Option(None, help="Folder with the data of the taskset."),
    setting: list[str] = typer.Option([], "--set", help="Any key of a configuration, as KEY=VALUE; may be repeated."),
    out: Path | None = typer.Option(None, "--out", "-o", help="Directory of the run; left out, a name under runs/."),
    resume: bool = typer.Option(False, help="Continue the run in --out exactly where its last checkpoint stood."),
    migrate: bool = typer.Option(False, help="With --resume: accept other tasks, policy, constraints or budget."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Train one model on many tasks under one budget, and log every decision."""
    with one_sentence():
        overrides = parsed_settings(
            setting,
            policy=policy,
            signal=signal,
            seed=seed,
            budget=budget,
            unit=unit,
            objective=objective,
            data_dir=data_dir,
        )
        if migrate and not resume:
            raise ValueError("`--migrate` changes a run that is resumed: add `--resume`.")
        chosen = _stored(config, overrides, out) if resume else configuration(config, overrides)
        place = out or _default_place(chosen)
        summary = _run(chosen, place, resume, migrate, as_json)
    if as_json:
        print_json(summary)
        return
    print_scores(summary)
    console.print(f"log, checkpoints and summary: {place}", markup=False, soft_wrap=True)


def _run(config: Config, place: Path, resume: bool, migrate: bool, quiet: bool) -> dict[str, Any]:
    from ..launch import launch  # torch is loaded only where something is trained
    from ._live import LiveView

    if resume and not migrate and not quiet and RunDirectory.open(place).summary_path.is_file():
        console.print(f"'{place}' has finished; nothing to do.", markup=False, soft_wrap=True)
    view = LiveView(errors if quiet else console)
    try:
        return launch(
            config,
            place,
            resume=resume,
            migrate=migrate,
            callbacks=[view],
            ready=None if quiet else lambda trainer: print_plan(config, trainer),
        )
    finally:
        view.stop()


def print_plan(config: Config, trainer: Trainer) -> None:
    """Say what the run is going to do before anything is spent."""
    plan = trainer.plan()
    selector = trainer.loader.selector
    lines = [f"policy {selector.policy!r}"]
    if selector.signal is not None:
        lines.append(f"signal {selector.signal!r}")
    lines.append(f"budget {selector.budget}, seed {config.seed}, execution {selector.execution}")
    lines.append(f"when data run out ({config.when_exhausted}): {WHEN_EXHAUSTED[config.when_exhausted]}")
    charged = f"evaluations cost {plan.evaluation_cost:,.4g} {selector.budget.unit} of it"
    lines.append(
        charged if trainer.evaluations.are_charged else "evaluations are free: neither policy nor signal uses them"
    )
    if plan.reference_cost:
        lines.append(
            f"a reference model is trained first, by equal shares, on {plan.reference_cost:,.4g} "
            f"{selector.budget.unit} of it; `training.reference` names one that is there"
        )
    for line in lines:
        console.print(line, markup=False, soft_wrap=not console.is_terminal)
    rows = [
        (
            task.name,
            f"{task.share:.1%}",
            f"{task.decisions:,.0f}",
            f"{task.examples:,.0f}",
            "" if np.isnan(task.epochs) else f"{task.epochs:.2f}",
            task.note,
        )
        for task in plan.tasks
    ]
    title = "the plan" + (": shares as they start, the policy will change them" if plan.adapts else "")
    console.print(make_table(("task", "share", "batches", "examples", "epochs", "note"), rows, title=title))


def print_scores(summary: dict[str, Any]) -> None:
    """The final scores as a table."""
    total = max(sum(summary["counts"].values()), 1)
    rows = [
        (
            name,
            f"{summary['counts'][name] / total:.1%}",
            "undefined" if item["score"] is None else f"{item['score']:.4f}",
            ", ".join(f"{key} {value:.4f}" for key, value in item["metrics"].items() if value is not None),
        )
        for name, item in summary["tasks"].items()
    ]
    console.print(make_table(("task", "share", "score", "metrics"), rows, title="final scores, whole held-out sets"))
    for name, item in summary["tasks"].items():
        for key, reason in item["undefined"].items():
            console.print(f"{name}: {key} is undefined: {reason}", style="yellow", markup=False)
    objective = summary["objective"]
    shown = "undefined" if objective is None else f"{objective:.4f}"
    console.print(
        f"objective {shown}   {summary['steps']:,} decisions   spent {summary['spent']:,.6g} {summary['unit']} "
        f"(evaluations {summary['evaluation_cost']:,.4g})   {summary['seconds']:.1f} s",
        soft_wrap=True,
    )


def parsed_settings(
    settings: list[str],
    *,
    policy: str = "",
    signal: str = "",
    seed: int | None = None,
    budget: float | None = None,
    unit: str = "",
    objective: str = "",
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Options of a command as values of a configuration, by dotted key.

    Raises:
        ValueError: a setting is not of the form KEY=VALUE.
    """
    given = {
        "policy": policy or None,
        "signal": signal or None,
        "seed": seed,
        "budget.amount": budget,
        "budget.unit": unit or None,
        "objective": objective or None,
        "taskset.data_dir": None if data_dir is None else str(data_dir),
    }
    return {key: value for key, value in given.items() if value is not None} | dict(_parsed(text) for text in settings)


def configuration(config: str, overrides: dict[str, Any]) -> Config:
    """The configuration in a file, or the usual one of a taskset, with some values set.

    Raises:
        ValueError: it is wrong, or nothing was named.
    """
    from ..config import TASKSETS, load_config, make_config

    if config.endswith(".toml"):
        return load_config(Path(config), overrides)
    if not config:
        raise ValueError(f"name a configuration (.toml) or a taskset: {', '.join(TASKSETS)}.")
    return make_config({**default_config(config), "taskset": {"name": config}}, overrides)


def _stored(config: str, overrides: dict[str, Any], out: Path | None) -> Config:
    from ..config import load_config

    if out is None:
        raise ValueError("`--resume` needs the directory of the run: add `--out DIR`.")
    stored = RunDirectory.open(out).config_path
    return load_config(Path(config) if config.endswith(".toml") else stored, overrides)


def default_config(taskset: str) -> dict[str, Any]:
    """What `apportion train NAME` does when nothing else is said."""
    amounts = {"digits": 800, "glue": 1200, "superglue": 400}
    config = {"seed": 0, "when_exhausted": "cycle", "budget": {"amount": amounts.get(taskset, 1000), "unit": "steps"}}
    # Small networks gain nothing from more threads, and runs repeat whatever the machine.
    return {**config, "training": {"threads": 1}} if taskset in ("digits", "toys", "tabular", "vision") else config


def _parsed(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise ValueError(f"`--set` takes KEY=VALUE, got {text!r}.")
    try:
        return key.strip(), tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def _default_place(config: Config) -> Path:
    name = config.policy if isinstance(config.policy, str) else str(config.policy.get("name"))
    words = f"{config.taskset.name}-{name}-{config.seed}"
    return Path("runs") / re.sub(r"[^\w.,=-]+", "-", words).strip("-")
