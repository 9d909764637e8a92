"""`apportion list`: what there is, by name."""

from __future__ import annotations

from typing import Any, cast

import typer

from ..policies import policies
from ..signals import signals
from ._output import console, make_table, print_json

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
def list_worlds(as_json: bool = _JSON) -> None:
    """Families of simulated worlds: what each tests, and how many settings it has."""
    from ..sim import suite

    rows = [
        {"name": item.name, "worlds": item.ids(), "uniform_is_best": item.uniform_is_best, "tests": item.title}
        for item in suite.FAMILIES.values()
    ]
    if as_json:
        print_json(rows)
        return
    body = [(str(row["name"]), str(len(cast("list[str]", row["worlds"]))), str(row["tests"])) for row in rows]
    console.print(make_table(("name", "worlds", "what it tests"), body))


@list_app.command("tasksets")
def list_tasksets(as_json: bool = _JSON) -> None:
    """Workloads that `apportion train` knows by name."""
    from ..config import TASKSETS

    if as_json:
        print_json([{"name": name, "is": text} for name, text in TASKSETS.items()])
        return
    console.print(make_table(("name", "what it is"), TASKSETS.items()))
