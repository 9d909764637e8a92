"""The run directory: configuration, decision log, checkpoints and summary, none of them ever half written.

DIR/config.toml          what the run was asked to do, every default filled in
DIR/decisions.jsonl      the decision log, with the evaluations
DIR/checkpoints/00000400 state.json, tensors and a manifest with a checksum of each file
DIR/summary.json         what came out, with its signature; there once the run has finished
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import orjson

from ._files import sync, write_file
from .errors import CheckpointError

_MANIFEST = "manifest.json"


class RunDirectory:
    """The files of one run.

    Args:
        path: the folder.

    >>> import tempfile
    >>> run = RunDirectory.create(Path(tempfile.mkdtemp()) / "run", config="seed = 0")
    >>> run.save_checkpoint(400, {"step": 400}, lambda folder: None).name
    '00000400'
    >>> run.load_checkpoint()[1]
    {'step': 400}
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path, *, config: str) -> RunDirectory:
        """Start a new run directory.

        Raises:
            FileExistsError: the folder holds a run already.
            OSError: the folder cannot be written.
        """
        run = cls(path)
        if run.log_path.exists() or run.config_path.exists():
            raise FileExistsError(
                f"'{run.path}' holds a run already: add `--resume` to continue it, or give another `--out`."
            )
        run.path.mkdir(parents=True, exist_ok=True)
        write_file(run.config_path, config.encode())
        return run

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """A run directory that exists.

        Raises:
            FileNotFoundError: the folder holds no run.
        """
        run = cls(path)
        if not run.config_path.is_file():
            raise FileNotFoundError(f"'{run.path}' holds no run: it has no {run.config_path.name}.")
        return run

    def discard(self) -> None:
        """Remove what was written for a run that could not start, and the folder if nothing else is in it."""
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)
        for file in (self.config_path, self.log_path):
            file.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    @property
    def config_path(self) -> Path:
        """The configuration."""
        return self.path / "config.toml"

    @property
    def log_path(self) -> Path:
        """The decision log."""
        return self.path / "decisions.jsonl"

    @property
    def summary_path(self) -> Path:
        """The summary; exists once the run has finished."""
        return self.path / "summary.json"

    @property
    def checkpoints(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        folder = self.path / "checkpoints"
        if not folder.is_dir():
            return []
        return sorted(item for item in folder.iterdir() if item.name.isdigit() and item.is_dir())

    def save_checkpoint(
        self, step: int, state: Mapping[str, Any], write_tensors: Callable[[Path], None], *, keep: int = 2
    ) -> Path:
        """Write a checkpoint beside the others, then make it visible by one rename.

        Args:
            step: number of decisions made, at least 0.
            state: plain data.
            write_tensors: called with the folder in which to put further files.
            keep: how many checkpoints to keep, at least 1; older ones are removed afterwards.

        Raises:
            OSError: the disk is full or the folder cannot be written; earlier checkpoints are untouched.
        """
        final = self.path / "checkpoints" / f"{step:08d}"
        part = final.with_name(f".{final.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            (part / "state.json").write_bytes(orjson.dumps(_big(state)))
            write_tensors(part)
            sums = {item.name: _checksum(item) for item in sorted(part.iterdir())}
            (part / _MANIFEST).write_bytes(orjson.dumps(sums))
            for item in part.iterdir():
                sync(item)
            shutil.rmtree(final, ignore_errors=True)
            part.rename(final)
            sync(final.parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        for old in self.checkpoints[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
        return final

    def load_checkpoint(self, path: Path | None = None) -> tuple[Path, dict[str, Any]]:
        """The newest checkpoint, or the one given: its folder and its state. Reads data only.

        Raises:
            CheckpointError: there is none, or a file of it is missing or was changed.
        """
        if path is None:
            if not self.checkpoints:
                raise CheckpointError(f"'{self.path}' has no checkpoint to resume from: start the run anew.")
            path = self.checkpoints[-1]
        way_out = f"remove '{path}' to resume from the checkpoint before it"
        try:
            sums = cast("dict[str, str]", orjson.loads((path / _MANIFEST).read_bytes()))
            for name, checksum in sums.items():
                if Path(name).name != name or _checksum(path / name) != checksum:
                    raise CheckpointError(f"the checkpoint '{path}' is damaged: {name} was changed; {way_out}.")
            return path, cast("dict[str, Any]", _small(orjson.loads((path / "state.json").read_bytes())))
        except (OSError, ValueError, AttributeError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"the checkpoint '{path}' is damaged ({error}); {way_out}.") from error

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write what came out of the run."""
        write_file(self.summary_path, orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))

    def summary(self) -> dict[str, Any]:
        """What came out of the run.

        Raises:
            FileNotFoundError: the run has not finished.
        """
        if not self.summary_path.is_file():
            raise FileNotFoundError(f"the run in '{self.path}' has not finished: continue it with `--resume`.")
        return cast("dict[str, Any]", orjson.loads(self.summary_path.read_bytes()))


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_LIMIT = 2**63


def _big(value: Any) -> Any:
    """Integers beyond 64 bits, such as the state of a random generator, as text: JSON readers differ on them."""
    if isinstance(value, Mapping):
        return {key: _big(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_big(item) for item in cast("list[Any]", value)]
    if isinstance(value, int) and not isinstance(value, bool) and not -_LIMIT <= value < _LIMIT:
        return {"integer": str(value)}
    return value


def _small(value: Any) -> Any:
    if isinstance(value, dict):
        data = cast("dict[str, Any]", value)
        return int(data["integer"]) if data.keys() == {"integer"} else {key: _small(item) for key, item in data.items()}
    return [_small(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value
