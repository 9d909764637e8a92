"""Appending to a log so that a kill loses no record."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ..errors import CheckpointError
from ..records import Floats


class LogWriter:
    """Appends records to a log. Every record goes to the operating system in one write, so a kill loses none.

    Args:
        path: a file that does not exist yet, or with `position` one that does.
        header: plain data of the first line; not needed with `position`.
        position: number of bytes to keep of an existing log; what comes after is cut off, since the run repeats it.

    Raises:
        FileExistsError: the file exists and no position was given.
        CheckpointError: the file is shorter than `position`.
        BlockingIOError: another process writes to the file; it is left as it is.
        OSError: the folder cannot be written.
    """

    def __init__(self, path: Path, *, header: Mapping[str, Any] | None = None, position: int | None = None) -> None:
        self.path = path
        self._probabilities: Floats | None = None  # of the last decision,
        self._shares = orjson.Fragment(b"")  # and as JSON
        if position is None:
            if path.exists() and path.stat().st_size > 0:
                raise FileExistsError(
                    f"the log '{path}' exists: resume from its checkpoint, or give another path; nothing was written."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._keep_others_out()
            self.position = 0
            self.write(header or {})
            return
        if not path.is_file() or path.stat().st_size < position:
            raise CheckpointError(
                f"the log '{path}' has fewer bytes than its checkpoint counted ({position}): it was cut or replaced."
            )
        self._file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self._keep_others_out()
        os.ftruncate(self._file, position)
        os.lseek(self._file, position, os.SEEK_SET)
        self.position = position

    def _keep_others_out(self) -> None:
        """A scheduler may resume a run that still goes on; the system gives the lock back when this process ends."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return  # a file system without locks
            self.close()
            raise BlockingIOError(
                f"the log '{self.path}' is being written by another process: wait until it has ended, or stop it, and "
                f"resume then; nothing was changed."
            ) from error

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record.

        Raises:
            OSError: the disk is full or the file gone; the log keeps all records before this one, whole.
        """
        self._append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY))

    def write_decision(
        self,
        step: int,
        task: str,
        probabilities: Floats,
        status: str,
        reward: float,
        cost: float,
        examples: int,
        measured: Mapping[str, float],
    ) -> None:
        """Append the record of one decision, with the numbers that the selector has checked; NaN is no reward.

        Raises:
            OSError: see `write`.
        """
        if probabilities is not self._probabilities:  # a policy that does not learn gives the same array again
            self._probabilities = probabilities
            self._shares = orjson.Fragment(orjson.dumps(probabilities, option=orjson.OPT_SERIALIZE_NUMPY))
        record = {
            "step": step,
            "task": task,
            "p": self._shares,
            "status": status,
            "reward": reward,
            "cost": cost,
            "examples": examples,
            "measured": measured,
        }
        self._append(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY))

    def _append(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.ftruncate(self._file, self.position)
            os.lseek(self._file, self.position, os.SEEK_SET)
            raise OSError(
                error.errno,
                f"the log cannot be written ({error.strerror}): it is whole up to byte {self.position}",
                str(self.path),
            ) from error
        self.position += written

    def close(self) -> None:
        """Close the file; further writes fail."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
