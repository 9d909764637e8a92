"""What commands print: text for people, or JSON for machines, both from the same data."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..errors import ApportionError

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

FINDING = 1
WRONG_USAGE = 2


def print_json(data: Any) -> None:
    """One JSON document on standard output; NaN and infinite numbers become null."""
    sys.stdout.write(json_bytes(data).decode() + "\n")


def json_bytes(data: Any) -> bytes:
    """The JSON document that `print_json` prints."""
    value = asdict(data) if is_dataclass(data) and not isinstance(data, type) else data
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(value, option=options, default=_default)


def _default(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None) -> Table:
    """A table whose numbers stand on the right; text from data is not read as markup."""
    table = Table(title=title, title_justify="left", header_style="bold")
    body = [[escape(cell) for cell in row] for row in rows]
    for index, column in enumerate(columns):
        numeric = bool(body) and all(_is_number(row[index]) for row in body)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        table.add_row(*row)
    return table


def _is_number(text: str) -> bool:
    return not text or text.strip("~≈±+-%.,0123456789e ") in ("", "nan", "inf", "k", "M")


def progress_bar(text: str = "{task.description}") -> Progress:
    """A bar that counts jobs and says how long the rest takes; nothing where no terminal shows it."""
    return Progress(
        TextColumn(text),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=not errors.is_terminal,
    )


@contextmanager
def one_sentence() -> Generator[None, None, None]:
    """Turn errors that a user can mend into one sentence on standard error and exit code 2."""
    try:
        yield
    except (ApportionError, ValueError, FileNotFoundError, FileExistsError, OSError) as error:
        message = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        if isinstance(error, OSError) and error.filename is not None:
            message = f"'{error.filename}' cannot be used: {error.strerror}; mend that, or give another path."
        errors.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
        raise typer.Exit(WRONG_USAGE) from error
