"""`apportion study synthetic`: the counterfactual policy beside all that do not forecast, in worlds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ._output import console, make_table, one_sentence, print_json, progress_bar
from .simulate import split_list

if TYPE_CHECKING:
    from ..study.synthetic import SyntheticRow, SyntheticStudy


def synthetic(
    worlds: str = typer.Option(
        "", help="Families, single worlds like transfer/3, or FILE.py:CLASS, with commas; left out, all of the suite."
    ),
    policy_list: str = typer.Option(
        "", "--policies", help="Policies with commas, beside `counterfactual`; left out, all that do not forecast."
    ),
    runs: int | None = typer.Option(None, min=2, help="Paired runs for each world and policy; left out, 64."),
    tuning_runs: int | None = typer.Option(None, min=2, help="The same on the public worlds; left out, 16."),
    seed: int = typer.Option(2024, min=0, help="Seed of noise and draws of the results."),
    split: str = typer.Option("reported", help="Worlds of the results: `reported`, or `public` while developing."),
    tuning_worlds: str = typer.Option(
        "", help="Public worlds or families on which settings are chosen; left out, those of --worlds."
    ),
    tuned: str = typer.Option(
        "", help="Also try the parameters in this file of `apportion tune`, or in the one `shipped`."
    ),
    same_signal: bool | None = typer.Option(
        None, help="Whether to run competitors on the signal `worth`; left out, yes unless --quick."
    ),
    ablations: bool | None = typer.Option(None, help="Whether to run the ablations; left out, yes unless --quick."),
    quick: bool = typer.Option(False, "--quick", help="A few worlds, policies and runs, to see what comes out."),
    engine: str = typer.Option("local", help="`local`, or `ray` for a cluster."),
    workers: int | None = typer.Option(None, min=1, help="Processes of the local engine; left out, one for each core."),
    ray_address: str = typer.Option("", help="Address of a Ray cluster; left out, one is started here."),
    out: Path = typer.Option(
        Path("runs/synthetic"), "--out", "-o", help="Folder for results, table and figure; resumes what is there."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Compare `counterfactual` with every policy that does not forecast, each tuned on the public worlds.

    Writes synthetic.json (the table and all rows) and synthetic.png (the figure) into the folder. Finished jobs are
    kept there, so a study that is killed goes on where it stood. The whole study takes many hours on two cores.
    """
    from ..study.synthetic import QUICK, run_synthetic_study, write_study

    with one_sentence():
        with progress_bar() as bar:
            shown = bar.add_task("tuning", total=None)
            study = run_synthetic_study(
                split_list(worlds) or (QUICK.worlds if quick else ("all",)),
                split_list(policy_list) or (QUICK.policies if quick else None),
                runs=runs or (QUICK.runs if quick else 64),
                tuning_runs=tuning_runs or (QUICK.tuning_runs if quick else 16),
                seed=seed,
                split=split,  # pyright: ignore[reportArgumentType] (checked inside)
                tuning_worlds=split_list(tuning_worlds) or None,
                tuned=tuned or None,
                same_signal=not quick if same_signal is None else same_signal,
                ablations=not quick if ablations is None else ablations,
                engine=engine,  # pyright: ignore[reportArgumentType] (checked inside)
                workers=workers,
                address=ray_address or None,
                out=out,
                progress=lambda phase, done, total: bar.update(shown, description=phase, completed=done, total=total),
            )
        files = write_study(study, out)
    if as_json:
        print_json(
            {"signature": study.signature, "table": study.table(), "files": {k: str(v) for k, v in files.items()}}
        )
        return
    print_study(study)
    for name, file in files.items():
        console.print(f"{name}: {file}", markup=False, soft_wrap=True)


def print_study(study: SyntheticStudy) -> None:
    """A table for the policies and for others on its signal and ablations, best first, and what follows."""
    made = study.signature
    what = f"{len(made['worlds'])} {made['split']} worlds, {made['runs']} paired runs each, 95 % bootstrap intervals"
    overall = [row for row in study.rows if row.world == "all"]
    columns = ("policy", "mean gap closed", "counterfactual ahead by", "ratio of sums", "worst world", "notes")
    titles = {
        "policy": f"gap closed in whole runs (estimand: run); {what}",
        "same signal": "other policies on the signal of counterfactual",
        "ablation": "ablations of counterfactual",
    }
    for kind, title in titles.items():
        rows = [row for row in overall if row.kind == kind]
        if rows:
            console.print(make_table(columns, [_cells(row) for row in rows], title=title))
    console.print(study.verdict(), markup=False)


def _cells(row: SyntheticRow) -> tuple[str, ...]:
    same = row.label == "counterfactual" and row.kind == "policy"
    worst = f"{row.worst_gain:+.1%} in {row.worst_world}"
    notes = [
        row.signal,
        "tuned" if row.policy.count("(") and row.kind == "policy" else "",
        f"cannot run in {row.missing}" if row.missing else "",
    ]
    return (
        row.label,
        interval(row.mean_gap, row.mean_lower, row.mean_upper),
        "" if same else interval(row.behind, row.behind_lower, row.behind_upper, "+"),
        interval(row.gap_closed, row.lower, row.upper),
        worst,
        ", ".join(note for note in notes if note),
    )


def interval(value: float, lower: float, upper: float, sign: str = "") -> str:
    """A figure with its interval, or nothing."""
    return "" if value != value else f"{value:{sign}.3f} [{lower:{sign}.3f}, {upper:{sign}.3f}]"
