"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from paraspine.arrays import RunError

__all__ = ["atomic", "flush", "remains", "sha256"]


@contextlib.contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Write a file that is either whole or not there.

    Parameters
    ----------
    path : path
        The file's final name; its folder is made where it is missing.

    Yields
    ------
    Path
        A temporary name in the same folder, with the same suffixes. When the block ends without
        an error the file is flushed to the disk and renamed; otherwise it is removed and a file
        that stood under the final name stays as it was.

    Raises
    ------
    RunError
        If the block ended without making the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{os.getpid()}-{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        if not temporary.is_file():
            raise RunError(f"{path.name}: nothing was written to the temporary file.")
        flush(temporary)
        os.replace(temporary, path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Ask the operating system to put a file's or folder's content on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remains(folder: Path) -> Iterator[Path]:
    """Temporary files under a folder whose writer is gone."""
    for path in folder.rglob(".tmp-*"):
        writer = re.match(r"\.tmp-(\d+)-", path.name)
        if writer and not (int(writer[1]) != os.getpid() and _alive(int(writer[1]))):
            yield path


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
