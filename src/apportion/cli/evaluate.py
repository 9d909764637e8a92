"""`apportion evaluate`: what policies would have earned on a log."""

from __future__ import annotations

import ast
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from .._check import check_choice
from ._evaluate_run import evaluate_run, print_run
from ._output import FINDING, console, errors, make_table, one_sentence, print_json

if TYPE_CHECKING:
    from ..off_policy import LogEvaluation, PolicyRow

ESTIMANDS = ("per_step", "run")
"""Questions that this command answers."""


def evaluate(
    log: Path = typer.Argument(
        help="A decision log (.jsonl), the directory of a run, a Parquet export (streamed where it is large), or "
        "arrays of Open Bandit Pipeline (.npz)."
    ),
    policy: list[str] = typer.Option(
        [],
        "--policy",
        "-p",
        help="A policy: NAME with parameters, FILE.py:CLASS, or task:NAME for one task alone; may be repeated. Left "
        "out: uniform, proportional and each task alone.",
    ),
    estimator: list[str] = typer.Option(
        ["snips"], "--estimator", "-e", help="How to estimate; may be repeated: ips, snips, dr, sndr, adaptive_dr ..."
    ),
    interval: str = typer.Option(
        "normal",
        help="normal, bootstrap, block_bootstrap, empirical_bernstein, clopper_pearson, betting or anytime.",
    ),
    confidence: float = typer.Option(0.95, help="Of the intervals, between 0 and 1."),
    reward_range: str = typer.Option(
        "", help="LOW,HIGH: bounds of all rewards that could have been; intervals that hold at every n need them."
    ),
    reward_model: str = typer.Option(
        "by_task", help="For dr and its kin: by_task, past (for logs of policies that learned) or learning_curve."
    ),
    option: list[str] = typer.Option(
        [], "--option", help="A further argument of the estimator, as NAME=VALUE, such as clip=20; may be repeated."
    ),
    restrict: bool = typer.Option(
        False,
        "--restrict",
        help="Leave out, in each round, tasks that the log could not draw there, instead of refusing the policy.",
    ),
    estimand: str = typer.Option("per_step", help=f"The question: {', '.join(ESTIMANDS)}."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Rank policies by what they would have earned per step on a log, with intervals and diagnostics.

    The estimand is `per_step`: had only this one choice been drawn from the policy, in the training states that the
    log passed through. It can rank whole runs wrongly. Policies that learn are replayed on the logged past. Exit code 1
    if a policy that was named had to be refused.

    With `--estimand run`: what whole runs under the policies would have reached, by replay in the world that is fitted
    to the evaluations of a run directory; estimators and their options have no part in it.
    """
    from ..off_policy import evaluate_log

    with one_sentence():
        check_choice("estimand", estimand, ESTIMANDS)
    if estimand == "run":
        with one_sentence():
            if estimator != ["snips"] or option or reward_range or restrict:
                raise ValueError(
                    "`--estimand run` replays policies in a fitted world: leave the options of estimators."
                )
            whole = evaluate_run(log, policy, confidence=confidence)
        print_json(whole) if as_json else print_run(whole)
        return
    with one_sentence():
        with _progress() as bar, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            shown = bar.add_task("evaluating", total=None)
            found = evaluate_log(
                log,
                policy,
                estimators=list(dict.fromkeys(estimator)),
                interval=interval,
                confidence=confidence,
                reward_range=_range(reward_range),
                model=reward_model,
                options=dict(_option(text) for text in option),
                restrict=restrict,
                progress=lambda done, total: bar.update(shown, completed=done, total=total),
            )
        notes = [str(item.message) for item in caught if item.category is UserWarning]
    if as_json:
        print_json({**found.as_data(), "notes": notes})
    else:
        print_evaluation(found, notes)
    named = {row.policy for row in found.rows if row.refused} & set(policy)
    raise typer.Exit(FINDING if named else 0)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def _range(text: str) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = math.nan
    if not low < high:
        raise ValueError(f"`--reward-range` must be LOW,HIGH with LOW below HIGH, such as 0,1, got {text!r}.")
    return low, high


def _option(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    try:
        found: Any = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        found = None
    if not sign or not isinstance(found, (bool, int, float)):
        raise ValueError(f"`--option` must be NAME=NUMBER, such as clip=20, got {text!r}.")
    return name.strip(), found


def print_evaluation(found: LogEvaluation, notes: list[str]) -> None:
    """A ranked table for each estimator, what its words mean, and what may be wrong."""
    made = found.signature
    drawn = f" drawn by {_name(made['logging_policy'])}" if made["logging_policy"] else ""
    reward = f", reward {_name(made['signal'])}" if made["signal"] else ""
    kind = f"{100 * made['confidence']:.4g} % {made['interval']} interval"
    for name in made["estimators"]:
        rows = [row for row in found.rows if row.estimator == name]
        title = f"{made['log']}: {made['n_rounds']:,} decisions{drawn}{reward}; estimator {name}, estimand per_step"
        columns = ("policy", "reward", kind, "ESS", "largest", "drift", "notes")
        console.print(make_table(columns, [_cells(row) for row in rows], title=title))
    console.print(made["meaning"], markup=False)
    console.print(
        "reward: per step; ESS: effective sample size; largest: importance weight of one round; drift: reward of the "
        "second half of the run minus that of the first; above, below logging: by an interval of the paired difference "
        "that excludes 0.",
        markup=False,
        style="dim",
    )
    for text in (*notes, *found.warnings, *_worst(found)):
        console.print(f"- {text}", markup=False)


def _cells(row: PolicyRow) -> tuple[str, ...]:
    if row.estimate is None or row.diagnostics is None:
        return (row.policy, "", "", "", "", "", f"refused: {row.refused}")
    estimate, looked = row.estimate, row.diagnostics
    words = [row.kind] if row.kind == "replayed" else []
    words += ["best in sample"] if row.in_sample else []
    if row.difference is not None:
        words += (
            ["above logging"] if row.difference.lower > 0 else ["below logging"] if row.difference.upper < 0 else []
        )
    words += list(looked.findings())
    return (
        row.policy,
        _number(estimate.value),
        "unknown" if math.isinf(estimate.upper) else f"{_number(estimate.lower, 3)} to {_number(estimate.upper, 3)}",
        f"{estimate.effective_sample_size:,.0f}",
        _number(estimate.max_weight, 3),
        _number(looked.drift, 2, "+"),
        ", ".join(words),
    )


def _name(params: Any) -> str:
    """The name of a component in a header."""
    found = params.get("name") if isinstance(params, dict) else None
    return str(found or "as told")


def _number(value: float, digits: int = 4, sign: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.{digits}g}"


def _worst(found: LogEvaluation) -> list[str]:
    """One sentence for each kind of finding, from the first row that has it, and how many more do."""
    told: dict[str, list[tuple[str, str]]] = {}
    for row in found.rows:
        for word, sentence in (row.diagnostics.findings() if row.diagnostics is not None else {}).items():
            if word != "drift":  # said about the whole ranking already
                told.setdefault(word, []).append((row.policy, sentence))
    return [
        f"{word}: {rows[0][0]}{f' and {len(rows) - 1} more' if len(rows) > 1 else ''}. {rows[0][1]}"
        for word, rows in told.items()
    ]
