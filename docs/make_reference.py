"""Write the pages that are made from the code: `python docs/make_reference.py` (a test says when they are stale)."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from apportion.cli import app
from apportion.config import reference
from apportion.policies import POLICIES
from apportion.signals import MEASUREMENTS, SIGNALS

HERE = Path(__file__).parent
PUBLIC = (
    "apportion",
    "apportion.policies",
    "apportion.signals",
    "apportion.estimators",
    "apportion.off_policy",
    "apportion.sim",
    "apportion.forecast",
    "apportion.training",
    "apportion.tasksets",
    "apportion.report",
    "apportion.integrations",
    "apportion.testing",
    "apportion.log",
    "apportion.run",
    "apportion.plan",
    "apportion.errors",
)


def first(item: object) -> str:
    """The first paragraph of a docstring on one line."""
    text = (inspect.getdoc(item) or "").split("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


def commands() -> str:
    """Every command with its help."""
    parts = ["# Commands\n\nMade by `docs/make_reference.py`. Every command takes `--help`.\n"]

    def walk(command: Any, path: str) -> None:
        # By their attributes: typer brings classes of its own for what click has.
        if hasattr(command, "commands"):
            for name, child in sorted(command.commands.items()):
                walk(child, f"{path} {name}")
            return
        parts.append(f"## `{path}`\n\n{inspect.cleandoc(command.help or '')}\n")
        rows = []
        for item in command.params:
            if item.name == "help":
                continue
            shown = " / ".join(f"`{word}`" for word in [*item.opts, *item.secondary_opts])
            if item.param_type_name == "argument":
                shown = f"`{(item.name or '').upper()}`"
            rows.append(f"| {shown} | {getattr(item, 'help', '') or ''} |")
        parts.append("| argument or option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n")

    walk(typer.main.get_command(app), "apportion")
    return "\n".join(parts)


def configuration() -> str:
    """Every key of a configuration."""
    return (
        "# Configuration\n\nMade by `docs/make_reference.py`. A configuration is a TOML file; unknown keys are refused. "
        "`apportion check FILE.toml` says what a run would do.\n\n" + reference()
    )


def policies_page() -> str:
    """Every policy and signal with its needs and its source."""
    lines = [
        "# Policies and signals\n\nMade by `docs/make_reference.py` from the docstrings, which have formulas, defaults and "
        "the conditions under which a policy fails. [Families](families.md) says which to take when, with shares over time; "
        "[Speed and endurance](policy_speed.md) what a decision costs and what a million of them do.\n",
        "## Policies\n",
        "| name | family | needs | cost of a step | what it decides | source |",
        "|---|---|---|---|---|---|",
    ]
    for cls in sorted(POLICIES, key=lambda cls: (cls.family, cls.name)):
        needs = ", ".join(sorted(cls.needs)) or "nothing"
        source = cls.source.replace("|", "\\|")
        lines.append(f"| `{cls.name}` | {cls.family} | {needs} | {cls.complexity} | {first(cls)} | {source} |")
    lines += ["\n## Signals\n", "| name | needs | reward | source |", "|---|---|---|---|"]
    for cls in SIGNALS:
        needs = ", ".join(sorted(cls.needs)) or "what is inside"
        source = cls.source.replace("|", "\\|")
        lines.append(f"| `{cls.name}` | {needs} | {first(cls)} | {source} |")
    lines += ["\n## Measurements\n", "| name | what the loop measures |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in MEASUREMENTS.items()]
    return "\n".join(lines) + "\n"


def library() -> str:
    """Every public name with the first sentence of its docstring."""
    lines = ["# Library\n\nMade by `docs/make_reference.py`. `help(NAME)` has the rest.\n"]
    for module_name in PUBLIC:
        module = import_module(module_name)
        names = getattr(module, "__all__", None) or [
            name
            for name, item in vars(module).items()
            if not name.startswith("_") and getattr(item, "__module__", "") == module_name
        ]
        lines += [f"## `{module_name}`\n", f"{first(module)}\n", "| name | |", "|---|---|"]
        for name in sorted(names):
            item = getattr(module, name)
            text = first(item) if inspect.isclass(item) or callable(item) else ""
            lines.append(f"| `{name}` | {text} |")
        lines.append("")
    return "\n".join(lines)


PAGES = {
    "commands.md": commands,
    "configuration.md": configuration,
    "policies.md": policies_page,
    "library.md": library,
}


def main() -> None:
    """Write all pages."""
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")
        print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
