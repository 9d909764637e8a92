"""Files that are never half written."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """A place beside `path` to write to; renamed to `path` at the end, so that readers never see a part.

    Raises:
        OSError: the disk is full or the folder cannot be written; a file that stood at `path` is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        sync(part)
        part.replace(path)
    except OSError as error:
        if error.filename == str(part):  # which no one has heard of
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file, or leave what was there."""
    with replacing(path) as part:
        part.write_bytes(data)


def sync(path: Path) -> None:
    """Have the operating system put a file or folder on the disk now."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
