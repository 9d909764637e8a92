"""`apportion study digits`, `glue` and `falsify`: policies in real training, beside the best fixed mixture found."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from ._output import console, make_table, one_sentence, print_json, progress_bar
from .simulate import split_list
from .train import parsed_settings

if TYPE_CHECKING:
    from ..study.real import RealPlan, RealResults
    from ..study.real_tables import RealRow

_QUICK = typer.Option(False, "--quick", help="Fewer settings, policies, seeds and trials, no planner with lessons.")
_SETTINGS = typer.Option("", "--settings", help="Settings with commas; left out, all of the study.")
_POLICIES = typer.Option("", "--policies", help="Labels or names, with commas; left out, those of the study.")
_SEEDS = typer.Option(0, min=0, help="Paired seeds; left out, those of the study.")
_TRIALS = typer.Option(-1, min=-1, help="Mixtures tried in the search for the best; 0 searches for none.")
_SINGLES = typer.Option(-1, min=-1, help="Seeds of single-task training; 0 trains none.")
_EARLIER = typer.Option(-1, min=-1, help="Earlier runs that teach the planner with lessons; 0 leaves it out.")
_SET = typer.Option([], "--set", help="Any key of a configuration, as KEY=VALUE; may be repeated.")
_ENGINE = typer.Option("local", help="`local`, or `ray` for a cluster whose machines share the folder.")
_WORKERS = typer.Option(None, min=1, help="Processes of the local engine; left out, one for each core.")
_ADDRESS = typer.Option("", help="Address of a Ray cluster; left out, one is started here.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_DATA = typer.Option(None, help="Folder with the data of the tasks; left out, the Hugging Face hub.")


def digits(
    context: typer.Context,
    quick: bool = _QUICK,
    settings: str = _SETTINGS,
    policy_list: str = _POLICIES,
    seeds: int = _SEEDS,
    trials: int = _TRIALS,
    single_seeds: int = _SINGLES,
    earlier: int = _EARLIER,
    setting: list[str] = _SET,
    engine: str = _ENGINE,
    workers: int | None = _WORKERS,
    ray_address: str = _ADDRESS,
    out: Path = typer.Option(Path("runs/study-digits"), "--out", "-o", help="Folder; resumes what is there."),
    as_json: bool = _JSON,
) -> None:
    """Compare policies on eight tasks made from handwritten digits, in settings that differ in what matters.

    Writes study.md (all tables), study.json, gains.png and report.html into the folder. Half an hour on two cores;
    with --quick some minutes.
    """
    with one_sentence():
        from ..study.real_plans import digits_plan

        plan = digits_plan(quick=quick, settings=split_list(settings))
        changed = _changed(plan, settings, policy_list, seeds, trials, single_seeds, earlier, setting)
        _run(changed, out, engine, workers, ray_address, as_json, _command(context))


def glue(
    context: typer.Context,
    data_dir: Path | None = _DATA,
    quick: bool = _QUICK,
    settings: str = _SETTINGS,
    policy_list: str = _POLICIES,
    seeds: int = _SEEDS,
    trials: int = _TRIALS,
    single_seeds: int = _SINGLES,
    earlier: int = _EARLIER,
    setting: list[str] = _SET,
    engine: str = _ENGINE,
    workers: int | None = _WORKERS,
    ray_address: str = _ADDRESS,
    out: Path = typer.Option(Path("runs/study-glue"), "--out", "-o", help="Folder; resumes what is there."),
    as_json: bool = _JSON,
) -> None:
    """Compare policies on eight tasks of GLUE with their official metrics, the encoder frozen and its outputs kept.

    Evaluations during a run use training examples set aside, final scores the development sets. For full fine-tuning,
    on a GPU: `--set taskset.options.freeze_layers=0`. Some hours on two cores; --quick takes ten minutes, half of which
    is the encoder's first pass over the texts.
    """
    with one_sentence():
        from ..study.real_plans import glue_plan

        folder = None if data_dir is None else str(data_dir)
        plan = glue_plan(data_dir=folder, quick=quick, settings=split_list(settings))
        changed = _changed(plan, settings, policy_list, seeds, trials, single_seeds, earlier, setting)
        _run(changed, out, engine, workers, ray_address, as_json, _command(context))


def falsify(
    context: typer.Context,
    taskset: str = typer.Argument("toys", help="toys, tabular, vision or superglue."),
    data_dir: Path | None = _DATA,
    quick: bool = _QUICK,
    settings: str = _SETTINGS,
    policy_list: str = _POLICIES,
    seeds: int = _SEEDS,
    trials: int = _TRIALS,
    single_seeds: int = _SINGLES,
    earlier: int = _EARLIER,
    setting: list[str] = _SET,
    engine: str = _ENGINE,
    workers: int | None = _WORKERS,
    ray_address: str = _ADDRESS,
    out: Path | None = typer.Option(None, "--out", "-o", help="Folder; resumes what is there."),
    as_json: bool = _JSON,
) -> None:
    """Compare the same policies on tasks that none of them was tuned on."""
    with one_sentence():
        from ..study.real_plans import falsification_plan

        plan = falsification_plan(taskset, data_dir=None if data_dir is None else str(data_dir), quick=quick)
        changed = _changed(plan, settings, policy_list, seeds, trials, single_seeds, earlier, setting)
        _run(
            changed, out or Path("runs") / f"study-{taskset}", engine, workers, ray_address, as_json, _command(context)
        )


def _changed(
    plan: RealPlan,
    settings: str,
    policy_list: str,
    seeds: int,
    trials: int,
    single_seeds: int,
    earlier: int,
    overrides: list[str],
) -> RealPlan:
    from dataclasses import replace

    from ..config import make_config
    from ..study.real_plans import chosen

    plan = chosen(plan, settings=split_list(settings), policies=split_list(policy_list), seeds=seeds)
    if overrides:
        config = make_config(plan.config, parsed_settings(overrides))
        plan = replace(plan, config=config.model_dump(mode="json", exclude_none=True))
    if trials >= 0:
        plan = replace(plan, trials=trials)
    if earlier >= 0:
        plan = replace(plan, earlier=earlier)
    return replace(plan, single_seeds=single_seeds) if single_seeds >= 0 else plan


def _run(
    plan: RealPlan, out: Path, engine: str, workers: int | None, address: str, as_json: bool, command: str
) -> None:
    from ..study.real import run_real_study
    from ..study.real_page import row_data, write_real_study
    from ..study.real_tables import real_rows

    with progress_bar() as bar:
        shown = bar.add_task("training", total=None)
        results = run_real_study(
            plan,
            out,
            engine=engine,  # pyright: ignore[reportArgumentType] (checked inside)
            workers=workers,
            address=address or None,
            progress=lambda what, done, total: bar.update(shown, description=what, completed=done, total=total),
        )
    files = write_real_study(results, out, command=command)
    rows = real_rows(results)
    if as_json:
        print_json({"signature": results.signature, "rows": [row_data(row) for row in rows], "files": _words(files)})
        return
    print_rows(results, rows)
    for name, file in files.items():
        console.print(f"{name}: {file}", markup=False, soft_wrap=True)


def _command(context: typer.Context) -> str:
    """What was typed, without folders and what makes no difference."""
    words = ["apportion", "study", str(context.info_name)]
    for item in context.command.params:
        value = context.params.get(str(item.name))
        if value == item.default or item.name in ("out", "workers", "engine", "ray_address", "as_json"):
            continue
        if item.param_type_name == "argument":
            words.append(str(value))
        elif item.name == "data_dir":
            words.append("--data-dir DIR")
        elif isinstance(value, bool):
            words.append(item.opts[0])
        else:
            several = cast("list[Any]", value) if isinstance(value, (list, tuple)) else [value]
            words += [f"{item.opts[0]} {shlex.quote(str(one))}" for one in several]
    return " ".join(words)


def print_rows(results: RealResults, rows: tuple[RealRow, ...]) -> None:
    """A table for each setting, and what follows from it."""
    from ..study.real_page import shown, verdicts

    columns = ("policy", "objective", "from uniform", "gap closed", "evaluations", "seconds")
    for setting in results.plan.settings:
        body = [
            (row.label, row.note, "", "", "", "")
            if row.note
            else (
                row.label,
                f"{row.objective.value:.4f}",
                shown(row.gain),
                shown(row.gap_closed, digits=2, sign=False),
                f"{row.evaluations:.0%}",
                f"{row.seconds:.1f}",
            )
            for row in rows
            if row.setting == setting.name
        ]
        console.print(make_table(columns, body, title=f"{setting.name}: {setting.words}"))
    for line in verdicts(results, rows):
        console.print(line.replace("**", "").replace("`", ""), markup=False)


def _words(files: dict[str, Path]) -> dict[str, str]:
    return {name: str(path) for name, path in files.items()}
