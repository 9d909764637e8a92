"""Tables of text and labels from files or the Hugging Face hub, checked before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .._check import nearest
from .._optional import optional

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one file or split.

    Attributes:
        origin: file or data set, for messages.
        columns: values by column name, all of the same length.
    """

    origin: str
    columns: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def column(self, name: str) -> list[Any]:
        """Values of a column.

        Raises:
            ValueError: there is no such column; says which there are.
        """
        if name not in self.columns:
            raise ValueError(
                f"{self.origin} has no column {name!r}{nearest(name, list(self.columns))}; it has "
                f"{', '.join(self.columns)}."
            )
        return self.columns[name]

    def texts(self, name: str) -> list[str]:
        """Values of a text column.

        Raises:
            ValueError: there is no such column, or a value is missing or not text.
        """
        values = self.column(name)
        for row, value in enumerate(values):
            if not isinstance(value, str):
                raise ValueError(
                    f"{self.origin} has {value!r} in row {row} of the text column {name!r}: give text, or drop the row."
                )
        return values

    def numbers(self, name: str) -> NDArray[np.float32]:
        """Values of a column of numbers.

        Raises:
            ValueError: there is no such column, or a value is missing, not a number or not finite.
        """
        values = self.column(name)
        for row, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(
                    f"{self.origin} has {value!r} in row {row} of the label column {name!r}, which must hold numbers: "
                    f"correct it, drop the row, or make the task a classification."
                )
        return np.array(values, dtype=np.float32)

    def classes(self, name: str, classes: Sequence[Any]) -> NDArray[np.int64]:
        """Values of a label column as their places in `classes`.

        Raises:
            ValueError: there is no such column, or a value is not among `classes`.
        """
        places = {_key(value): place for place, value in enumerate(classes)}
        values = self.column(name)
        for row, value in enumerate(values):
            if _key(value) not in places:
                known = ", ".join(repr(item) for item in classes)
                raise ValueError(
                    f"{self.origin} has {value!r} in row {row} of the label column {name!r}, which must be one of "
                    f"{known}: correct it, drop the row, or name it in `classes`."
                )
        return np.array([places[_key(value)] for value in values], dtype=np.int64)

    def take(self, numbers: NDArray[np.int64]) -> Table:
        """The rows with these numbers."""
        rows = numbers.tolist()
        return Table(self.origin, {name: [values[row] for row in rows] for name, values in self.columns.items()})


def read_table(path: str | Path, *, text: Sequence[str] = ()) -> Table:
    """Read a CSV, TSV, JSONL or Parquet file.

    Args:
        path: the file; its ending says what it is.
        text: columns that are text whatever they look like; for CSV and TSV, which do not say.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the ending is unknown, the file cannot be read as such, or it has no rows.
    """
    file = Path(path)
    if file.suffix not in SUFFIXES:
        raise ValueError(f"'{file}' must end in one of {', '.join(SUFFIXES)}: convert it, or rename it to what it is.")
    if not file.is_file():
        raise FileNotFoundError(f"there is no file '{file}'.")
    try:
        read = _read(file, text)
        columns = {str(name): cast("list[Any]", read.column(name).to_pylist()) for name in read.column_names}
    except (ValueError, KeyError, OSError) as error:  # pyarrow's errors are subclasses of these
        raise ValueError(f"'{file}' cannot be read as {file.suffix[1:].upper()}: {error}") from error
    return _filled(Table(f"'{file}'", columns))


def read_hub(name: str, config: str | None, split: str) -> Table:
    """Read a split of a data set on the Hugging Face hub, or of a folder that `datasets.load_dataset` can read.

    Raises:
        ValueError: the data set, its configuration or the split cannot be loaded.
    """
    datasets: Any = optional("datasets", extra="glue")
    where = f"the split {split!r} of the data set {name!r}" + (f" ({config})" if config else "")
    try:
        loaded = datasets.load_dataset(name, config, split=split)
    except (OSError, ValueError, RuntimeError) as error:  # its own errors are subclasses of these
        raise ValueError(
            f"{where} cannot be loaded ({error}): check the names and the network, or give local files."
        ) from error
    return _filled(Table(where, {column: list(loaded[column]) for column in loaded.column_names}))


def _read(file: Path, text: Sequence[str]) -> Any:
    if file.suffix == ".parquet":
        parquet: Any = optional("pyarrow.parquet", extra="data")
        return parquet.read_table(file)
    if file.suffix == ".jsonl":
        json: Any = optional("pyarrow.json", extra="data")
        return json.read_json(file)
    csv: Any = optional("pyarrow.csv", extra="data")
    arrow: Any = optional("pyarrow", extra="data")
    return csv.read_csv(
        file,
        parse_options=csv.ParseOptions(delimiter="\t" if file.suffix == ".tsv" else ",", newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types={name: arrow.string() for name in text}),
    )


def _filled(table: Table) -> Table:
    if len(table) == 0:
        raise ValueError(f"{table.origin} has no rows: give the task some, or leave it out.")
    return table


def _key(value: Any) -> Any:
    # 1, 1.0 and True are the same number to Python, yet a label column mixes them only by mistake.
    return (type(value).__name__, value)
