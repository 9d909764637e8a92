"""A real study as JSON, Markdown, figures and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from .._files import replacing, write_file
from .._optional import optional
from .real import BEST, RealResults, loaded
from .real_tables import RealRow, Span, real_rows


def write_real_study(results: RealResults, out: Path, *, command: str = "") -> dict[str, Path]:
    """Write `study.json`, `study.md`, `gains.png` and `report.html` into a folder; gives the files by kind.

    Args:
        results: of the study.
        out: the folder.
        command: that made it, for the page.

    Raises:
        MissingExtraError: altair, vl-convert or jinja2 is not installed.
    """
    from ..report import write_report

    rows = real_rows(results)
    files = {name: out / f"{base}" for name, base in (("data", "study.json"), ("page", "study.md"))}
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    data = {"signature": results.signature, "rows": [row_data(row) for row in rows], "searches": _searches(results)}
    write_file(files["data"], orjson.dumps(data, option=options))
    write_file(files["page"], page(results, rows, command=command).encode())
    files["figure"] = out / "gains.png"
    with replacing(files["figure"]) as part:
        gains(rows, results).save(str(part), format="png", scale_factor=2)
    # The report compares means of scores, so settings in which the worst score counts are not in it.
    means = [setting.name for setting in results.plan.settings if not setting.worst]
    directories = [place for name in means for place in results.directories[name] if (place / "summary.json").is_file()]
    files["report"] = write_report(directories, out / "report.html", title=f"Study: {results.plan.name}")
    return files


def verdicts(results: RealResults, rows: Sequence[RealRow]) -> list[str]:
    """For each setting one sentence on what there was to gain and whether the candidates gained it."""
    found: list[str] = []
    for setting in results.plan.settings:
        own = {row.label: row for row in rows if row.setting == setting.name}
        best = own.get(BEST)
        if best is None:
            room = "the headroom was not searched for"
        elif best.gain.lower > 0:
            room = f"the best fixed mixture found gains {shown(best.gain)}"
        else:
            room = f"no headroom was found (best fixed mixture {shown(best.gain)})"
        told = [f"`{label}` {_judged(own[label])}" for label in results.plan.candidates if label in own]
        found.append(f"**{setting.name}**: {room}; {'; '.join(told)}." if told else f"**{setting.name}**: {room}.")
    return found


def _judged(row: RealRow) -> str:
    if row.note:
        return f"could not run ({row.note})"
    sure = "is better than" if row.gain.lower > 0 else "is worse than" if row.gain.upper < 0 else "does not differ from"
    words = f"{sure} uniform by the interval, {shown(row.gain)}"
    return words if not row.other else f"{words}; against the best other, {row.other}, {shown(row.behind)}"


def page(results: RealResults, rows: Sequence[RealRow], *, command: str = "") -> str:
    """The study as Markdown."""
    plan = results.plan
    made = f" Made by `{command}`." if command else ""
    parts = [
        f"# {plan.name}\n\n{len(plan.seeds)} paired seeds ({plan.seeds[0]} to {plan.seeds[-1]}) in each setting.{made} "
        "Intervals hold 95 %: Student t over paired seeds, for the gap closed a bootstrap over them. Estimand: run "
        "(what whole trainings reached).\n",
        *(f"- {line}" for line in verdicts(results, rows)),
        "",
    ]
    for setting in plan.settings:
        own = [row for row in rows if row.setting == setting.name]
        parts += [f"## {setting.name}\n\n{setting.words}\n", _policies(own), "", _tasks(own), ""]
        if setting.name in results.searches:
            found = results.searches[setting.name]
            named = zip(found.tasks, found.shares, strict=True)
            mix = ", ".join(f"{task} {share:.0%}" for task, share in named if share)
            parts.append(
                f"Best of {found.trials} mixtures, found with {found.runs} runs on other seeds, scored on the same "
                f"final examples: {mix}.\n"
            )
    parts += [_transfer(results, rows), _protocol(results, rows)]
    return "\n".join(parts)


def _policies(rows: Sequence[RealRow]) -> str:
    columns = ("policy", "objective", "from uniform", "from the best other", "gap closed", "budget saved")
    more = ("evaluations", "policy, s", "run, s")
    body: list[tuple[str, ...]] = []
    for row in rows:
        if row.note:
            body.append((row.label, row.note, *[""] * 7))
            continue
        body.append(
            (
                row.label,
                shown(row.objective, sign=False),
                shown(row.gain),
                f"{shown(row.behind)} ({row.other})" if row.other else "",
                shown(row.gap_closed, digits=2, sign=False),
                "" if np.isnan(row.saved) else f"{row.saved:.0%}",
                f"{row.evaluations:.0%}",
                f"{row.policy_seconds:.2f}",
                f"{row.seconds:.1f}",
            )
        )
    return table((*columns, *more), body)


def _tasks(rows: Sequence[RealRow]) -> str:
    known = [row for row in rows if not row.note]
    tasks = list(known[0].scores)
    body = [(row.label, *(f"{row.scores[task]:.3f} ({row.shares[task]:.0%})" for task in tasks)) for row in known]
    return "Final score, and share of the training budget, by task:\n\n" + table(("policy", *tasks), body)


def _transfer(results: RealResults, rows: Sequence[RealRow]) -> str:
    first = results.plan.settings[0].name
    own = [row for row in rows if row.setting == first and row.against_full]
    if not own:
        return ""
    tasks = list(own[0].against_full)
    body: list[tuple[str, ...]] = [
        (f"alone, {words}", *(f"{float(np.mean(results.singles[task, kind])):.3f}" for task in tasks))
        for kind, words in (("share", f"1/{len(tasks)} of the budget"), ("full", "the whole budget"))
    ]
    for row in own:
        body.append(
            (f"{row.label}, minus alone with 1/{len(tasks)}", *(f"{row.against_share[task]:+.3f}" for task in tasks))
        )
        body.append((f"{row.label}, minus alone with all", *(f"{row.against_full[task]:+.3f}" for task in tasks)))
    seeds = len(next(iter(results.singles.values())))
    many = "s" if seeds > 1 else ""
    return (
        f"## Against training each task alone ({first})\n\n{seeds} seed{many} of single-task training. Below zero the "
        f"task lost by being trained with the others; alone with the whole budget it had {len(tasks)} times the "
        f"batches of an equal share.\n\n" + table(("", *tasks), body) + "\n"
    )


def _protocol(results: RealResults, rows: Sequence[RealRow]) -> str:
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
                    ", ".join(f"`{key} = {value}`" for key, value in setting.overrides.items()) or "",
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


def row_data(row: RealRow) -> dict[str, Any]:
    """A row as data that JSON can hold."""
    return {
        item.name: value._asdict() if isinstance(value := getattr(row, item.name), Span) else value
        for item in fields(row)
    }


def _searches(results: RealResults) -> dict[str, Any]:
    return {name: asdict(found) for name, found in results.searches.items()}


def gains(rows: Sequence[RealRow], results: RealResults) -> Any:
    """Paired differences from uniform with their intervals, a panel for each setting, as an Altair chart."""
    alt: Any = optional("altair", extra="report")
    order = [setting.name for setting in results.plan.settings]
    data = [
        {
            "setting": row.setting,
            "policy": row.label,
            "gain": row.gain.value,
            "lower": row.gain.lower,
            "upper": row.gain.upper,
        }
        for row in rows
        if row.part == 1.0 and np.isfinite(row.gain.value)
    ]
    labels = list(dict.fromkeys(str(item["policy"]) for item in data))
    base = alt.Chart(alt.Data(values=data))
    y = alt.Y("policy:N", sort=labels, title=None, axis=alt.Axis(labelLimit=220))
    x = alt.X("lower:Q", title="objective minus that of uniform", axis=alt.Axis(format="+.2f", tickCount=5))
    bold = alt.condition(
        alt.FieldOneOfPredicate("policy", list(results.plan.candidates)), alt.value("#b3431e"), alt.value("#35618f")
    )
    layers = alt.layer(
        base.mark_rule(color="#888888").encode(x=alt.datum(0)),
        base.mark_rule(strokeWidth=2).encode(x=x, x2="upper:Q", y=y, color=bold),
        base.mark_point(filled=True, size=55, opacity=1).encode(x="gain:Q", y=y, color=bold),
    ).properties(width=250)
    panels = layers.facet(
        facet=alt.Facet("setting:N", sort=order, title=None, header=alt.Header(labelFontSize=13)), columns=2
    )
    seeds = len(results.plan.seeds)
    return panels.resolve_scale(x="independent").properties(
        title=alt.Title(
            f"{results.plan.name}: final objective minus uniform's", subtitle=f"{seeds} paired seeds, 95 % t-intervals"
        ),
        background="white",
    )


def shown(span: Span, *, digits: int = 4, sign: bool = True) -> str:
    """A figure with its interval, or nothing."""
    mark = "+" if sign else ""
    if np.isnan(span.value):
        return ""
    return f"{span.value:{mark}.{digits}f} [{span.lower:{mark}.{digits}f}, {span.upper:{mark}.{digits}f}]"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in cells)])
