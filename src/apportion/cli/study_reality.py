"""`apportion study reality`: does simulation predict what policies do in real training?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from .._files import write_file
from ._output import console, json_bytes, make_table, one_sentence, print_json, progress_bar
from .simulate import split_list

if TYPE_CHECKING:
    from ..study.reality import Reality


def reality(
    config: str = typer.Argument("digits", help="A configuration (.toml), or a taskset."),
    policy_list: str = typer.Option("", "--policies", help="Policies with commas; left out, 24 of all kinds."),
    seeds: int = typer.Option(10, min=2, help="Real runs of each policy; all get the same seeds."),
    first_seed: int = typer.Option(0, min=0, help="The first seed."),
    budget: float = typer.Option(400, help="Steps of each run."),
    explored: int = typer.Option(64, min=8, help="Runs with other seeds and random plans that the world is fitted to."),
    first_explored: int = typer.Option(1_000_000, min=0, help="Seed of the first of them."),
    parts: str = typer.Option(
        "transfer,interference,heat,plateau",
        help="Parts of the fitted world, with commas; also reuse and forgetting, or `none`.",
    ),
    fit: str = typer.Option("", help="A fitted world (file, or name of a shipped one) in place of a new fit."),
    runs: int = typer.Option(200, min=2, help="Simulated runs of each policy."),
    data_dir: Path | None = typer.Option(None, help="Folder with the data of the taskset."),
    setting: list[str] = typer.Option([], "--set", help="Any key of a configuration, as KEY=VALUE; may be repeated."),
    engine: str = typer.Option("local", help="`local`, or `ray` for a cluster."),
    workers: int | None = typer.Option(None, min=1, help="Processes of the local engine; left out, one for each core."),
    ray_address: str = typer.Option("", help="Address of a Ray cluster; left out, one is started here."),
    out: Path = typer.Option(
        Path("runs/reality"), "--out", "-o", help="Folder for runs, fit and results; resumes what is there."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Rank policies in real training and in a world fitted to other runs of it, and compare the two rankings."""
    from ..sim.fitted import Fit
    from ..study.reality import POLICIES, study_reality
    from .train import configuration, parsed_settings

    with one_sentence():
        given = {"training.evaluation_size": 32} if config == "digits" else {}
        overrides = given | parsed_settings(setting, budget=budget, data_dir=data_dir)
        with progress_bar() as bar:
            shown = bar.add_task("exploring", total=None)
            study = study_reality(
                configuration(config, overrides),
                split_list(policy_list) or POLICIES,
                seeds=range(first_seed, first_seed + seeds),
                explored=explored,
                first_explored=first_explored,
                parts=[] if parts == "none" else split_list(parts),
                runs=runs,
                fit=Fit.load(fit) if fit else None,
                out=out,
                engine=engine,  # pyright: ignore[reportArgumentType] (checked inside)
                workers=workers,
                address=ray_address or None,
                progress=lambda stage, done, total: bar.update(shown, description=stage, completed=done, total=total),
            )
        data = as_data(study)
        write_file(out / "reality.json", json_bytes(data))
    if as_json:
        print_json(data)
    else:
        print_study(study)
        console.print(f"results: {out}", markup=False, soft_wrap=True)


def as_data(study: Reality) -> dict[str, Any]:
    """One object with a row for each policy."""
    data = asdict(study)
    data["fit"] = {
        name: getattr(study.fit, name) for name in ("source", "parts", "error", "held_out_error", "baseline_error")
    }
    return data


def print_study(study: Reality) -> None:
    """The two rankings side by side, and how far they agree."""
    body: list[tuple[str, ...]] = []
    for row in sorted(study.rows, key=lambda row: -np.inf if np.isnan(row.real) else row.real, reverse=True):
        if row.note:
            body.append((row.policy, "", "", "", "", row.note))
            continue
        wrong = (row.real_gain > 0) != (row.simulated_gain > 0) and row.policy != "uniform"
        body.append(
            (
                row.policy,
                f"{row.real:.3f}",
                f"{row.simulated:.3f}",
                "" if row.policy == "uniform" else _interval(row.real_gain, row.real_lower, row.real_upper),
                ""
                if row.policy == "uniform"
                else _interval(row.simulated_gain, row.simulated_lower, row.simulated_upper),
                "sign differs" if wrong else "",
            )
        )
    seeds = len(study.signature["seeds"])
    runs = study.signature["runs"]
    title = f"final objective (estimand: run); {seeds} real seeds, {runs} simulated runs, 95 % intervals"
    columns = ("policy", "real", "simulated", "real difference from uniform", "simulated difference", "")
    console.print(make_table(columns, body, title=title))
    for name, (value, lower, upper) in (("Spearman's rho", study.spearman), ("Kendall's tau", study.kendall)):
        console.print(f"{name}: {value:.2f} [{lower:.2f}, {upper:.2f}], bootstrap over seeds and simulated runs")
    console.print(
        f"sign of the difference from uniform: {study.agreeing} of {study.judged} agree, {study.clear_agreeing} of "
        f"{study.clear} where the real one is clear; real differences are {study.slope:.2f} times the simulated ones"
    )
    console.print(
        f"world: {study.fit.source}; error of scores {study.fit.error:.3f}, on runs left out "
        f"{study.fit.held_out_error:.3f}, of the mean of other runs {study.fit.baseline_error:.3f}",
        markup=False,
    )


def _interval(value: float, lower: float, upper: float) -> str:
    return f"{value:+.3f} [{lower:+.3f}, {upper:+.3f}]"
