"""`apportion list`: what there is, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from ..policies import policies
from ..records import Floats
from ..signals import signals
from ._output import console, make_table, one_sentence, print_json

if TYPE_CHECKING:
    from ..study.worlds import WorldDescription

list_app = typer.Typer(no_args_is_help=True, help="List policies, signals, worlds or tasksets by name.")

_JSON = typer.Option(False, "--json", help="Print JSON.")


def first_sentence(cls: type) -> str:
    """The first line of a docstring without its full stop."""
    return (cls.__doc__ or "").strip().splitlines()[0].rstrip(".")


@list_app.command("policies")
def list_policies(as_json: bool = _JSON) -> None:
    """Task selection policies: family, what each needs from the loop, cost of a decision, source."""
    rows: list[dict[str, Any]] = []
    for name in policies.names():
        cls = policies.find(name)
        rows.append(
            {
                "name": name,
                "family": cls.family,
                "needs": sorted(cls.needs),
                "complexity": cls.complexity,
                "source": cls.source,
                "does": first_sentence(cls),
            }
        )
    rows.sort(key=lambda row: (row["family"], row["name"]))
    if as_json:
        print_json(rows)
        return
    body = [
        (row["name"], row["family"], ", ".join(row["needs"]) or "nothing", row["complexity"], row["source"])
        for row in rows
    ]
    console.print(make_table(("name", "family", "needs", "cost of a step", "source"), body))


@list_app.command("signals")
def list_signals(as_json: bool = _JSON) -> None:
    """Signals: what each measures and what the loop has to provide."""
    rows: list[dict[str, Any]] = []
    for name in signals.names():
        cls = signals.find(name)
        rows.append(
            {
                "name": name,
                "needs": sorted(cls.needs),
                "deferred": cls.deferred,
                "source": cls.source,
                "does": first_sentence(cls),
            }
        )
    if as_json:
        print_json(rows)
        return
    body = [
        (
            row["name"],
            ", ".join(row["needs"]) or ("evaluations" if row["deferred"] else "what is inside"),
            row["does"],
            row["source"],
        )
        for row in rows
    ]
    console.print(make_table(("name", "needs", "reward", "source"), body))


@list_app.command("worlds")
def list_worlds(
    families: str = typer.Argument("", help="Families or single worlds, with commas; left out, all."),
    split: str = typer.Option("public", help="Settings: `public` for development, `reported` for results."),
    out: Path | None = typer.Option(None, "--out", "-o", help="Folder for one picture (SVG) of each family."),
    as_json: bool = _JSON,
) -> None:
    """Simulated worlds: what each family tests, how its worlds learn, and what can be gained in them."""
    from ..sim import suite
    from ..study.worlds import describe_worlds, expand
    from .simulate import split_list

    with one_sentence():
        names = expand(split_list(families) or ["all"], split)  # pyright: ignore[reportArgumentType] (checked inside)
        worlds = describe_worlds(names, split)  # pyright: ignore[reportArgumentType]
        if out is not None:
            from ..study.suite_figures import draw_worlds

            draw_worlds(worlds, out)
    groups: dict[str, list[WorldDescription]] = {}
    for item in worlds:
        groups.setdefault(item.family, []).append(item)
    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "worlds": [item.name for item in members],
                    "uniform_is_best": suite.find(name).uniform_is_best,
                    "tests": suite.find(name).title,
                    "settings": [item.as_data() for item in members],
                }
                for name, members in groups.items()
            ]
        )
        return
    body = [
        (
            item.name,
            f"{item.world.n_tasks}",
            f"{item.world.budget:,g}",
            f"{item.objective[-1]:.3f}",
            f"{item.references.best:.3f}" + ("" if item.references.verified else "*"),
            bars(item.objective[np.linspace(0, len(item.objective) - 1, _LOOKS).astype(int)]),
            bars(item.references.best_shares[:_MOST_BARS]) + ("…" if item.world.n_tasks > _MOST_BARS else ""),
        )
        for item in worlds
    ]
    columns = ("world", "tasks", "budget", "uniform", "best", "learning", "shares")
    title = (
        f"worlds of the split {split}; * the best one known; learning: the objective under uniform; shares: of the best"
    )
    console.print(make_table(columns, body, title=title))
    titles = [(name, suite.find(name).title) for name in groups]
    console.print(make_table(("family", "what it tests"), titles))
    if out is not None:
        console.print(f"pictures: {out}", markup=False, soft_wrap=True)


_LOOKS, _MOST_BARS = 7, 8  # so that the table fits into a terminal of 80 columns
_BARS = " ▁▂▃▄▅▆▇█"


def bars(values: Sequence[float] | Floats) -> str:
    """Numbers as a row of bars from the smallest, or 0 if that is lower, to the largest.

    >>> bars([0, 1, 2, 4])
    ' ▂▄█'
    """
    numbers = np.asarray(values, dtype=np.float64)
    low, high = min(float(numbers.min()), 0.0), float(numbers.max())
    height = (numbers - low) / (high - low if high > low else 1.0) * (len(_BARS) - 1)
    return "".join(_BARS[int(item)] for item in np.round(height))


@list_app.command("tasksets")
def list_tasksets(as_json: bool = _JSON) -> None:
    """Workloads that `apportion train` knows by name."""
    from ..config import TASKSETS

    if as_json:
        print_json([{"name": name, "is": text} for name, text in TASKSETS.items()])
        return
    console.print(make_table(("name", "what it is"), TASKSETS.items()))
