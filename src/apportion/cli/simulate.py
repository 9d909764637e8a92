"""`apportion simulate`: policies in worlds with a known best spending."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from .._files import write_file
from ..errors import MissingExtraError
from ..policies import policies
from ._output import console, errors, json_bytes, make_table, one_sentence, print_json, progress_bar

if TYPE_CHECKING:
    from ..study.worlds import WorldStudy

REFERENCES = ("best fixed mixture", "oracle")


def simulate(
    worlds: str = typer.Option("all", help="Families, single worlds like transfer/3, or FILE.py:CLASS, with commas."),
    policy_list: str = typer.Option(
        "uniform", "--policies", help="Policies with commas, or `all`: those that work without parameters."
    ),
    runs: int = typer.Option(200, min=2, help="Paired runs for each world and policy."),
    seed: int = typer.Option(0, min=0, help="Seed of noise and draws."),
    split: str = typer.Option("public", help="Settings: `public` for development, `reported` for results."),
    signal: str = typer.Option("", help="Signal of policies that need rewards; left out, the usual one of each."),
    tuned: str = typer.Option(
        "",
        help="Take policies named alone with the parameters in this file of `apportion tune`, or in the one `shipped`.",
    ),
    engine: str = typer.Option("local", help="`local`, or `ray` for a cluster."),
    workers: int | None = typer.Option(None, min=1, help="Processes of the local engine; left out, one for each core."),
    ray_address: str = typer.Option("", help="Address of a Ray cluster; left out, one is started here."),
    out: Path | None = typer.Option(None, "--out", "-o", help="Folder for results and figures; resumes what is there."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Simulate policies in worlds that learn, with a known best spending, through the code that trains real models."""
    from ..study.tune import with_tuned
    from ..study.worlds import study_worlds

    with one_sentence():
        specs = all_policies() if policy_list == "all" else split_list(policy_list)
        if tuned:
            specs = with_tuned(specs, tuned)
        with progress_bar("simulating") as bar:
            shown = bar.add_task("jobs", total=None)
            study = study_worlds(
                split_list(worlds),
                specs,
                runs=runs,
                seed=seed,
                split=split,  # pyright: ignore[reportArgumentType] (checked inside)
                signals_of=dict.fromkeys(specs, signal) if signal else None,
                engine=engine,  # pyright: ignore[reportArgumentType] (checked inside)
                workers=workers,
                address=ray_address or None,
                out=out,
                progress=lambda done, total: bar.update(shown, completed=done, total=total),
            )
    data = as_data(study)
    if out is not None:
        write_file(out / "study.json", json_bytes(data))
        _draw(study, out)
    if as_json:
        print_json(data)
    else:
        print_study(study)
        if out is not None:
            console.print(f"results and figures: {out}", markup=False, soft_wrap=True)


def as_data(study: WorldStudy) -> dict[str, Any]:
    """One object with a row for each world and policy, and one for each policy over all worlds."""
    return {
        "signature": study.signature,
        "verified": study.verified,
        "rows": [asdict(row) for row in study.rows],
        "totals": [asdict(item) for item in study.totals],
    }


def _draw(study: WorldStudy, out: Path) -> None:
    from ..study.world_figures import draw_study

    try:
        draw_study(study, out / "figures")
    except MissingExtraError as error:  # the results are there: figures are an extra
        errors.print(f"no figures: {error}", markup=False, soft_wrap=True)


def all_policies() -> list[str]:
    """Policies that work by name alone."""
    usable: list[str] = []
    for name in policies.names():
        try:
            policies.make(name)
        except ValueError:
            continue
        usable.append(name)
    return usable


def split_list(text: str) -> list[str]:
    """The parts of a list with commas, those inside brackets left alone.

    >>> split_list("uniform,exp3s(gamma=0.1, alpha=0),mixture(shares=(1, 2))")
    ['uniform', 'exp3s(gamma=0.1, alpha=0)', 'mixture(shares=(1, 2))']
    """
    parts, depth = [""], 0
    for sign in text:
        depth += sign in "([{"
        depth -= sign in ")]}"
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def print_study(study: WorldStudy) -> None:
    """Gap closed of every policy in every world; the best is marked, and what is significantly worse than uniform."""
    by_policy: dict[str, dict[str, Any]] = {}
    for row in study.rows:
        by_policy.setdefault(row.policy, {})[row.world] = row
    names = list(dict.fromkeys(row.world for row in study.rows))
    best = {
        world: max(
            (rows[world].mean for policy, rows in by_policy.items() if policy not in REFERENCES and world in rows),
            key=lambda value: -np.inf if np.isnan(value) else value,
        )
        for world in names
    }
    for world in names:
        body: list[tuple[str, ...]] = []
        for policy, rows in by_policy.items():
            row = rows[world]
            if np.isnan(row.mean):
                body.append((policy, "", "", "", "", row.note))
                continue
            marks = [row.note] if policy in REFERENCES else []
            if policy not in REFERENCES and row.mean == best[world]:
                marks.append("best")
            if row.gain_upper < 0:
                marks.append("worse than uniform")
            body.append(
                (
                    policy,
                    _interval(row.gap_closed, row.gap_lower, row.gap_upper),
                    _interval(row.mean, row.lower, row.upper, 4),
                    f"{row.regret:.4f}",
                    "" if np.isnan(row.budget_saved) else f"{row.budget_saved:.0%}",
                    ", ".join(marks),
                )
            )
        runs = study.signature["runs"]
        title = f"{world} ({study.signature['split']}, {runs} paired runs, 95 % bootstrap intervals)"
        columns = ("policy", "gap closed", "score", "regret", "budget saved", "")
        console.print(make_table(columns, body, title=title))
    if len(names) > 1:
        _print_totals(study)


def _print_totals(study: WorldStudy) -> None:
    """Every policy over all worlds."""
    body = [
        (
            item.policy,
            _interval(item.gap_closed, item.gap_lower, item.gap_upper, 2),
            str(item.families),
            *((str(item.better), str(item.worse), str(item.ran)) if item.policy not in REFERENCES else ("", "", "")),
        )
        for item in study.totals
    ]
    title = (
        "over all worlds: mean gap closed, families alike, 95 % interval over resampled runs; worlds where the policy "
        "is clearly better or worse than uniform"
    )
    columns = ("policy", "mean gap closed", "families", "better", "worse", "of")
    console.print(make_table(columns, body, title=title))


def _interval(value: float, lower: float, upper: float, digits: int = 3) -> str:
    if np.isnan(value):
        return ""
    if np.isnan(lower):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{lower:.{digits}f}, {upper:.{digits}f}]"
