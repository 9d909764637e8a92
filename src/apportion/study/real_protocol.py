"""The protocol of a real study: what was trained how, and on which data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .real import RealResults, RealSetting
from .real_tables import RealRow
from .real_work import loaded


def protocol(results: RealResults, rows: Sequence[RealRow]) -> str:
    """Settings of training, budgets, sizes and checksums of the data, policies and versions, as Markdown tables."""
    plan = results.plan
    sizes = {}
    for setting in plan.settings:
        run = results.runs[setting.name, "uniform", plan.seeds[0]]
        sizes[setting.name] = (run["sizes"], run["checksums"], plan.configured(setting, "uniform", 0))
    first = sizes[plan.settings[0].name][2]
    taskset = loaded(first)
    about = [
        ("optimizer", f"AdamW, learning rate {first.make_settings().learning_rate or taskset.learning_rate:g}"),
        ("batch size", f"{first.make_settings().batch_size or taskset.batch_size}, where a task has none of its own"),
        ("evaluations", "after each tenth of the budget unless said otherwise, charged where the policy uses them"),
        *taskset.notes.items(),
    ]
    what = [(key, str(value)) for key, value in [*about, *_flat(first)]]
    lines = ["## Protocol\n", table(("what", "value"), what), ""]
    lines.append(
        table(
            ("setting", "budget", "what differs"),
            [
                (
                    setting.name,
                    f"{sizes[setting.name][2].budget.amount:g} {sizes[setting.name][2].budget.unit}",
                    ", ".join(f"`{key} = {value}`" for key, value in _differs(setting).items()),
                )
                for setting in plan.settings
            ],
        )
    )
    data = {task: (size, checksums[task]) for size_of, checksums, _ in sizes.values() for task, size in size_of.items()}
    lines += [
        "",
        table(
            ("task", "training examples", "SHA-256 of its data, first 12"),
            [(task, str(size), checksum[:12]) for task, (size, checksum) in data.items()],
        ),
        "",
        "Policies: " + ", ".join(f"{label} = `{spec}`" for label, spec in plan.policies.items()) + ".",
        "",
        ", ".join(f"{key} {results.signature.get(key)}" for key in ("apportion", "python", "numpy", "torch", "machine"))
        + f". {sum(row.seeds for row in rows)} reported runs.",
        "",
    ]
    return "\n".join(lines)


def _differs(setting: RealSetting) -> dict[str, Any]:
    goal = {"objective": "worst"} if setting.worst else {}
    return {**goal, **setting.overrides}


def _flat(config: Any) -> list[tuple[str, Any]]:
    data: dict[str, Any] = config.model_dump(mode="json", exclude_none=True)
    left_out = {"policy", "seed", "priorities"}
    found: list[tuple[str, Any]] = []
    for key, value in data.items():
        if key in left_out:
            continue
        if isinstance(value, dict):
            found += [(f"{key}.{inner}", item) for inner, item in value.items() if inner != "data_dir"]
        else:
            found.append((key, value))
    return found


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in cells)])
