"""`apportion log`: logs for other programs."""

from __future__ import annotations

from pathlib import Path

import typer

from ..log import read_log, write_npz, write_parquet
from ._output import console, one_sentence, print_json

log_app = typer.Typer(no_args_is_help=True, help="Export decision logs.")


def find_log(path: Path) -> Path:
    """The log itself, where a run directory was given."""
    return path / "decisions.jsonl" if path.is_dir() else path


@log_app.command("export")
def export(
    log: Path = typer.Argument(help="A decision log, or the directory of a run."),
    out: Path = typer.Option(
        ..., "--out", "-o", help="Target, `NAME.parquet` or `NAME.npz` (arrays as OBP takes them)."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Write a decision log as Parquet, or as the arrays that Open Bandit Pipeline takes."""
    with one_sentence():
        data = read_log(find_log(log))
        if out.suffix == ".parquet":
            write_parquet(data, out)
            files = [out, out.with_suffix(".evaluations.parquet")]
        elif out.suffix == ".npz":
            if not data.usable_off_policy:
                raise ValueError(
                    f"'{log}' was drawn by a smooth execution: its probabilities do not suit off-policy use."
                )
            write_npz(data.to_obp(), out)
            files = [out]
        else:
            raise ValueError(f"`--out` must end in .parquet or .npz, got {str(out)!r}.")
    if as_json:
        print_json({"decisions": data.logged.n_rounds, "files": [str(file) for file in files]})
    else:
        console.print(f"{data.logged.n_rounds:,} decisions -> {', '.join(str(file) for file in files)}", markup=False)
