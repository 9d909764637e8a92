"""`apportion report`: where the budget went and what it bought, on one page."""

from __future__ import annotations

from pathlib import Path

import typer

from ._output import console, one_sentence


def report(
    runs: list[Path] = typer.Argument(help="Directories of runs, or folders of a study that hold such directories."),
    out: Path = typer.Option(Path("report.html"), "--out", "-o", help="The page to write."),
    live: bool = typer.Option(False, help="Write the page again as runs go on, until they have finished."),
    every: float = typer.Option(15.0, min=1, help="With --live: seconds between two pages."),
) -> None:
    """Write one self-contained HTML page about runs: the answer first, and every figure with its numbers."""
    from ..report import write_live, write_report

    with one_sentence():

        def begun() -> list[Path]:
            return [found for path in runs for found in (find_runs(path) if _any_in(path) else [path])]

        if live and any(path.is_dir() for path in runs) and not any(_any_in(path) for path in runs):
            console.print("waiting for the first decision of a run", soft_wrap=True)
        if live:
            page = write_live(begun, out, every=every, written=_told)
        else:
            page = write_report([found for path in runs for found in find_runs(path)], out)
    console.print(f"report: {page}", markup=False, soft_wrap=True)


def _told(page: Path) -> None:
    console.print(f"written: {page}", markup=False, soft_wrap=True)


def _any_in(path: Path) -> bool:
    return next(path.glob("**/decisions.jsonl"), None) is not None


def find_runs(path: Path) -> list[Path]:
    """The run directory itself, or those below a folder.

    Raises:
        FileNotFoundError: there is none.
    """
    if (path / "decisions.jsonl").is_file():
        return [path]
    found = sorted(item.parent for item in path.glob("**/decisions.jsonl"))
    if not found:
        raise FileNotFoundError(f"'{path}' holds no run: there is no decisions.jsonl in it or below it.")
    return found
