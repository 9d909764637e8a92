"""`apportion tune`: parameters of policies, tuned on public worlds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from ._output import console, make_table, one_sentence, print_json, progress_bar
from .simulate import all_policies, split_list

if TYPE_CHECKING:
    from ..study.tune import Tuned


def tune(
    policy_list: str = typer.Option(..., "--policies", help="Policies by name, with commas, or `all`."),
    worlds: str = typer.Option(
        "", help="Worlds of the split `public`, with commas; left out, four of different kinds."
    ),
    trials: int = typer.Option(20, min=1, help="Settings tried for each policy, its defaults among them."),
    runs: int = typer.Option(50, min=2, help="Paired runs in each world."),
    seed: int = typer.Option(0, min=0, help="Seed of the search, and of noise and draws."),
    ranges: list[str] = typer.Option(
        [], "--range", help="PARAMETER=LOW:HIGH[:linear|log|complement] in place of the usual ranges; may be repeated."
    ),
    engine: str = typer.Option("local", help="`local`, or `ray` for a cluster."),
    workers: int | None = typer.Option(None, min=1, help="Processes of the local engine; left out, one for each core."),
    ray_address: str = typer.Option("", help="Address of a Ray cluster; left out, one is started here."),
    out: Path | None = typer.Option(None, "--out", "-o", help="Folder for finished policies; resumes what is there."),
    save: Path | None = typer.Option(None, help="File for the result, to use with `simulate --tuned`; adds to it."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Tune parameters of policies on public worlds, with the same number of trials for each."""
    from ..study.tune import WORLDS, Range, expand, write_tuned
    from ..study.tune import tune as tune_policies

    with one_sentence():
        names = all_policies() if policy_list == "all" else split_list(policy_list)
        parsed: dict[str, Range] = {}
        for text in ranges:
            name, separator, rest = text.partition("=")
            if not separator:
                raise ValueError(f"`--range` is written PARAMETER=LOW:HIGH, got {text!r}.")
            parsed[name.strip()] = Range.parse(rest)
        chosen = split_list(worlds) or list(WORLDS)
        signature = {"worlds": expand(chosen, "public"), "trials": trials, "runs": runs, "seed": seed}
        with progress_bar("tuning") as bar:
            shown = bar.add_task("policies", total=len(names))
            found = tune_policies(
                names,
                worlds=chosen,
                trials=trials,
                runs=runs,
                seed=seed,
                ranges=parsed,
                engine=engine,  # pyright: ignore[reportArgumentType] (checked inside)
                workers=workers,
                address=ray_address or None,
                out=out,
                progress=lambda done, total: bar.update(shown, completed=done, total=total),
            )
        if save is not None:
            write_tuned(save, found, signature)
    if as_json:
        print_json({"signature": signature, "rows": [asdict(item) | {"spec": item.spec} for item in found]})
        return
    _print(found, signature)


def _print(found: list[Tuned], signature: dict[str, Any]) -> None:
    body = [
        (
            item.policy,
            "" if np.isnan(item.default) else f"{item.default:.3f}",
            "" if np.isnan(item.score) else f"{item.score:.3f}",
            str(item.trials),
            item.note or item.spec.removeprefix(item.policy).strip("()") or "defaults",
        )
        for item in found
    ]
    title = (
        f"mean gap closed in {len(signature['worlds'])} public worlds, {signature['runs']} paired runs; the best of "
        f"{signature['trials']} trials looks better than it is: judge by `simulate --split reported`"
    )
    console.print(make_table(("policy", "defaults", "best trial", "trials", "parameters"), body, title=title))
