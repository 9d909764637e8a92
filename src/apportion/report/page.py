"""Arranging tables and figures in one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from .._check import check_number
from .._files import write_file
from .._optional import optional
from .._version import __version__
from ..errors import CheckpointError, LogFormatError
from .blocks import Charts, Section, TableBlock
from .contents import overview, sections
from .runs import Run, Stamp, load_run, stamp_of
from .settings import Setting, gather, load_runs
from .tables import Verdict, verdict
from .wording import clock, plain, tied


def write_report(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    reference: str = "uniform",
    title: str = "Apportion report",
    refresh: float | None = None,
) -> Path:
    """Write the report of one or more runs as one HTML file that needs no network.

    Args:
        runs: run directories, finished or going on; several policies and seeds are compared.
        out: file to write; what stood there is replaced only when the new one is complete.
        reference: policy that the others are compared with; where no run has it, the first run's.
        title: of the page.
        refresh: seconds after which an open page loads itself anew, at least 1; None for never.

    Raises:
        ValueError: no run is given, the same run twice, or `refresh` is too small.
        FileNotFoundError: a folder holds no run with a decision.
        LogFormatError: a log is damaged.
        CheckpointError: a summary or a `plan.json` is.
        MissingExtraError: altair, vl-convert or jinja2 is not installed.
    """
    if refresh is not None:
        check_number("refresh", refresh, low=1.0)
    html = render(load_runs(runs, reference=reference), title=title, refresh=refresh)
    out = Path(out)
    write_file(out, html.encode("utf-8", errors="replace"))
    return out


def write_live(
    runs: Sequence[str | Path] | Callable[[], Sequence[str | Path]],
    out: str | Path,
    *,
    every: float = 15.0,
    reference: str = "uniform",
    written: Callable[[Path], None] | None = None,
) -> Path:
    """Write the report again and again until every run has finished; an open page follows by itself.

    A run whose log cannot be read is left out of a page, which says so, while others go on. Runs in which nothing was
    written since the last report are not read again, and a report that took longer than `every` is followed by as long
    a pause.

    Args:
        runs: run directories; or a function that gives them, asked before each report. Those without a decision are
            left out until they have one.
        out: file to write.
        every: seconds between two reports, at least 1.
        reference: as in `write_report`.
        written: called with the file after each report, such as to tell the user.

    Raises:
        ValueError: no run is given, the same run twice, or `every` is too small.
        FileNotFoundError: a folder does not exist.
        LogFormatError: a log is damaged, and no other run goes on.
        CheckpointError: the same for a summary or a `plan.json`.
    """
    check_number("every", every, low=1.0)
    path = Path(out)
    known: dict[Path, tuple[Stamp, Run]] = {}
    while True:
        began = time.monotonic()
        found, damaged = _begun(runs() if callable(runs) else runs, known)
        finished = all(run.finished for run in found)
        if found:
            notes = [f"Left out, since it cannot be read now: {error}" for error in damaged]
            html = render(gather(found, reference=reference), refresh=None if finished else every, notes=notes)
            write_file(path, html.encode("utf-8", errors="replace"))
            if written is not None:
                written(path)
        if finished and damaged:
            raise damaged[0]
        if found and finished:
            return path
        time.sleep(max(every, time.monotonic() - began))


def _begun(
    runs: Sequence[str | Path], known: dict[Path, tuple[Stamp, Run]]
) -> tuple[list[Run], list[LogFormatError | CheckpointError]]:
    """The runs that have a decision, and what is wrong with those that cannot be read."""
    if not runs:
        raise ValueError("at least one run directory is needed, got none.")
    found: list[Run] = []
    damaged: list[LogFormatError | CheckpointError] = []
    for path in map(Path, runs):
        try:
            stamp = stamp_of(path)
            if path not in known or known[path][0] != stamp:
                known[path] = stamp, load_run(path)
            found.append(known[path][1])
        except FileNotFoundError as error:
            if not path.is_dir():
                words = f"there is no folder '{path}': make it, or name the one that runs go into."
                raise FileNotFoundError(words) from error
        except (LogFormatError, CheckpointError) as error:
            damaged.append(error)
    return found, damaged


def render(
    settings: Sequence[Setting],
    *,
    title: str = "Apportion report",
    refresh: float | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The page of some settings as HTML.

    The only scripts that a browser runs on it are the two of this package, known by their hashes; the page may not
    load anything from anywhere.

    Args:
        settings: what to show, one part of the page for each.
        title: of the page.
        refresh: seconds after which an open page loads itself anew; None for never, and then no time is on the page.
        notes: warnings that stand above all.

    Raises:
        MissingExtraError: altair, vl-convert or jinja2 is not installed.
    """
    jinja2 = optional("jinja2", extra="report")
    charts = Charts()
    parts = [_part(setting, charts, f"s{index + 1}-") for index, setting in enumerate(settings)]
    blocks = [block for part in parts for section in part["sections"] for block in section.blocks]
    data = {
        "figures": {
            block.identity: {"spec": block.spec, "table": block.table} for block in blocks if block.kind == "figure"
        },
        "datasets": charts.datasets,
        "names": {
            part["prefix"]: {short: task.name for short, task in zip(setting.names, setting.tasks, strict=True)}
            for part, setting in zip(parts, settings, strict=True)
        },
    }
    library, script = _library(), _asset("page.js")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["tied"] = tied
    safe = optional("markupsafe", extra="report").Markup
    return environment.from_string(_asset("page.html.j2")).render(
        title=title,
        parts=parts,
        version=__version__,
        refresh=refresh,
        written_at=clock(time.time()),
        notes=[plain(note) for note in notes],
        style=safe(_asset("page.css")),
        data=safe(_embedded(data)),
        library=safe(library),
        script=safe(script),
        hashes=safe(" ".join(_hash(text) for text in (library, script))),
    )


def _part(setting: Setting, charts: Charts, prefix: str) -> dict[str, Any]:
    told: Verdict = verdict(setting)
    table: TableBlock = overview(setting)
    found: list[Section] = sections(setting, charts, prefix)
    return {"prefix": prefix, "setting": setting, "verdict": told, "overview": table, "sections": found}


def _asset(name: str) -> str:
    return files("apportion.report").joinpath("assets", name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    bundle: str = optional("vl_convert", extra="report").javascript_bundle()
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _embedded(data: Any) -> str:
    """Data as JSON that cannot end the script element it stands in."""
    text = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
