"""What a report says about one setting, section by section."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson

from . import figures, tables
from .blocks import Block, Cell, Charts, Section, TableBlock, TextBlock, percent, table
from .runs import Run
from .settings import Setting
from .tables import OBJECTIVE
from .wording import clock, interval_text, printable

_LONGEST_TEXT = 200_000
_MANY_TASKS = 10
_FORECAST_NOTE = "Estimand: run, what training would lead to. A forecast, not a measurement."


def sections(setting: Setting, charts: Charts, prefix: str) -> list[Section]:
    """The sections of one setting; identities begin with `prefix`, so that several settings share a page."""
    found = [
        Section(f"{prefix}scores", "What was reached", "", tuple(_scores(setting, charts, prefix))),
        Section(f"{prefix}shares", "Where the budget went", "", tuple(_shares(setting, charts, prefix))),
        Section(f"{prefix}savings", "How much budget it takes", "", tuple(_savings(setting, charts, prefix))),
        Section(
            f"{prefix}decisions",
            "How decisions were made",
            "What was logged of single decisions. Estimates from such a log have the estimand per step: what a choice "
            "would have earned at the points that training passed through, not where another training would have led.",
            tuple(_decisions(setting, charts, prefix)),
        ),
        Section(f"{prefix}forecast", "What a forecaster says", _FORECAST_NOTE, tuple(_given(setting, charts, prefix))),
        Section(f"{prefix}runs", "Runs, configuration and signature", "", tuple(_runs(setting))),
    ]
    return [section for section in found if section.blocks]


def overview(setting: Setting) -> TableBlock:
    """One row for each policy: how good, how much better, how sure, at what cost."""
    finals = {row.policy: row for row in tables.finals(setting) if row.task == OBJECTIVE}
    against = {row.policy: row for row in tables.differences(setting) if row.task == OBJECTIVE}
    saved = {row.policy: row for row in tables.savings(setting)}
    rows: list[list[Any]] = []
    known = [policy for policy in setting.policies if finals[policy].n]
    best_first = sorted(known, key=lambda policy: -finals[policy].mean)
    for policy in best_first + [policy for policy in setting.policies if policy not in known]:
        runs, final = setting.of(policy), finals[policy]
        row = against.get(policy)
        spent = sum(run.log.spent for run in runs)
        seconds = [run.summary["seconds"] for run in runs if isinstance(run.summary.get("seconds"), (int, float))]
        rows.append(
            [
                policy,
                "reference" if row is None else _signed(row),
                (final.mean, final.lower, final.upper),
                final.n,
                "–" if row is None else Cell(f"{row.wins} of {row.n}", row.wins / row.n if row.n else None),
                percent(saved[policy].share) if policy in saved else "–",
                percent(sum(run.log.evaluation_cost for run in runs) / spent if spent else math.nan),
                sum(seconds) / len(seconds) if seconds else math.nan,
            ]
        )
    columns = (
        "policy",
        f"difference to {setting.reference} (95 % interval)",
        "objective (95 % interval)",
        "seeds",
        "seeds above",
        f"budget to reach {setting.reference}",
        "evaluations, of what was spent",
        "seconds per run",
    )
    scores = f"Scores {tables.compared(setting).words}. Intervals: Student t over seeds"
    if len(setting.policies) == 1:
        alone = (0, 2, 3, 6, 7)
        shown = [[row[index] for index in alone] for row in rows]
        return table("This policy", [columns[index] for index in alone], shown, f"{scores}.")
    return table(
        "All policies",
        columns,
        rows,
        f"Best first. {scores}; differences are paired by seed. Budget to reach {setting.reference}: share of the "
        f"budget at which the last evaluation of {setting.reference} with the same seed was first reached, median over "
        f"seeds; a dash where evaluations left tasks out.",
    )


def _signed(row: tables.Difference) -> Cell:
    if not row.n:
        return Cell("no common seed")
    return Cell(interval_text(row.mean, row.lower, row.upper, sign=True), row.mean)


def _scores(setting: Setting, charts: Charts, prefix: str) -> Iterable[Block]:
    curves, differences = tables.curves(setting), tables.differences(setting)
    if any(row.task == OBJECTIVE and row.n for row in differences):
        yield charts.block(f"{prefix}forest", figures.forest(differences, setting))
    if any(row.task == OBJECTIVE for row in curves):
        yield charts.block(f"{prefix}objective", figures.objective(curves, setting, tables.finals(setting)))
    if any(row.task != OBJECTIVE and row.n for row in differences):
        yield charts.block(f"{prefix}task-differences", figures.task_differences(differences, setting))
    if any(row.task != OBJECTIVE for row in curves):
        shown = figures.scores(curves, setting, tables.forecasts(setting), tables.finals(setting))
        yield charts.block(f"{prefix}task-scores", shown)
    told = tables.training(setting)
    if told:
        yield charts.block(f"{prefix}training", figures.training(told, setting))
    finals = {(row.policy, row.task): row for row in tables.finals(setting)}
    if any(row.n for row in finals.values()):
        names = [(OBJECTIVE, "objective"), *((task.name, task.name) for task in setting.tasks)]
        yield table(
            "Score of each task",
            ("task", "priority", *setting.policies),
            (
                [
                    shown,
                    "–" if task == OBJECTIVE else next(item.priority for item in setting.tasks if item.name == task),
                    *(finals[policy, task][2:5] for policy in setting.policies),
                ]
                for task, shown in names
            ),
            f"Mean and 95 % Student t interval over seeds, {tables.compared(setting).words}.",
        )


def _shares(setting: Setting, charts: Charts, prefix: str) -> Iterable[Block]:
    rows, totals = tables.shares(setting), tables.total_shares(setting)
    if rows:
        yield charts.block(f"{prefix}shares-stacked", figures.shares(rows, setting))
        if len(setting.tasks) > _MANY_TASKS:
            yield charts.block(f"{prefix}share-map", figures.share_map(rows, setting))
        yield charts.block(f"{prefix}share-totals", figures.totals(totals, setting))
    yield table(
        "Share of each task in the whole budget",
        ("task", "policy", "asked for", "realised", "95 % interval", "decisions", "passes over its data"),
        (
            [
                row.task,
                row.policy,
                percent(row.asked),
                percent(row.realised),
                "–" if math.isnan(row.lower) else Cell(f"{100 * row.lower:.3g} to {100 * row.upper:.3g} %", row.lower),
                row.decisions,
                row.epochs,
            ]
            for row in totals
        ),
        "Means over seeds; the interval is that of the realised share, Student t over seeds.",
    )


def _savings(setting: Setting, charts: Charts, prefix: str) -> Iterable[Block]:
    rows = tables.reach(setting)
    if rows:
        yield charts.block(f"{prefix}reach", figures.reach(rows, setting))
    saved = tables.savings(setting)
    if saved:
        yield table(
            f"Share of the budget to reach {setting.reference}'s last evaluation, {saved[0].level:.4g} on average",
            ("policy", "median", "smallest", "largest", "reached by"),
            (
                [
                    row.policy,
                    percent(row.share),
                    percent(row.smallest),
                    percent(row.largest),
                    Cell("–")
                    if math.isnan(row.share)
                    else Cell(f"{row.reached} of {row.n} seeds", row.reached / row.n),
                ]
                for row in saved
            ),
            "First crossing between evaluations during the run; a dash where evaluations left tasks out. A noisy curve "
            f"crosses early by luck: read the row of {setting.reference} itself as the yardstick.",
        )


def _decisions(setting: Setting, charts: Charts, prefix: str) -> Iterable[Block]:
    rewards, propensities, sizes = (
        tables.rewards(setting),
        tables.propensities(setting),
        tables.effective_sizes(setting),
    )
    if rewards:
        yield charts.block(f"{prefix}rewards", figures.rewards(rewards, setting))
    if propensities:
        yield charts.block(f"{prefix}propensities", figures.propensities(propensities, setting))
    if sizes:
        yield charts.block(f"{prefix}effective-sizes", figures.effective_sizes(sizes, setting))


def _given(setting: Setting, charts: Charts, prefix: str) -> Iterable[Block]:
    transfers, worths = tables.transfers(setting), tables.worths(setting)
    if transfers:
        yield charts.block(f"{prefix}transfer", figures.transfer(transfers, setting))
    if worths:
        yield charts.block(f"{prefix}worth", figures.worth(worths, setting))
    for run in setting.runs:
        plan: Any = run.extra.get("plan")
        if isinstance(plan, list) and plan and all(isinstance(row, Mapping) for row in cast("list[Any]", plan)):
            rows = cast("list[Mapping[str, Any]]", plan)
            columns = list(dict.fromkeys(key for row in rows for key in row))
            yield table(
                f"Plan for {run.policy}, seed {run.seed}",
                columns,
                ([_shown(column, row.get(column, "–")) for column in columns] for row in rows),
            )


def _runs(setting: Setting) -> Iterable[Block]:
    yield table(
        "Runs",
        ("run", "policy", "seed", "state", "decisions", f"spent ({setting.unit})", "objective", "signature"),
        (
            [
                run.path.name or str(run.path),
                run.policy,
                run.seed,
                _state(run),
                run.log.n_decisions,
                run.log.spent,
                run.objective,
                _signature(run),
            ]
            for run in setting.runs
        ),
        "Signature: what the figures of a run were made from; the fingerprint, of tasks, policy, signal, constraints, "
        "budget and seed.",
    )
    yield table(
        "Tasks",
        ("task", "examples", "priority", "data checksum"),
        (
            [task.name, "–" if task.size is None else task.size, task.priority, _checksum(setting, task.name)]
            for task in setting.tasks
        ),
    )
    for policy in setting.policies:
        run = setting.of(policy)[0]
        head = orjson.dumps(run.header, option=orjson.OPT_INDENT_2).decode()
        yield TextBlock(f"Configuration of {policy}, seed {run.seed}", printable(run.config[:_LONGEST_TEXT]))
        yield TextBlock(f"Header of the log of {policy}, seed {run.seed}", printable(head[:_LONGEST_TEXT]))


def _state(run: Run) -> str:
    if run.finished:
        return "finished"
    return "not finished" if math.isnan(run.written_at) else f"not finished, last written {clock(run.written_at)}"


def _signature(run: Run) -> str:
    given = run.summary.get("signature")
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        parts = cast("Mapping[str, Any]", given).items()
        return ", ".join(f"{key} {str(value)[:16]}" for key, value in parts if isinstance(value, (str, int)))
    return f"apportion {run.header.get('apportion', '?')} {run.header.get('fingerprint', '?')}"


def _checksum(setting: Setting, name: str) -> str:
    for run in setting.runs:
        sums = run.summary.get("checksums")
        if isinstance(sums, Mapping):
            return str(cast("Mapping[str, Any]", sums).get(name, "–"))[:16]
    return "–"


def _shown(column: str, value: Any) -> Any:
    if column == "share" and isinstance(value, float):
        return percent(value)
    return value if isinstance(value, (int, float, str)) else orjson.dumps(value).decode()
