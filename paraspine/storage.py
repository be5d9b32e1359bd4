"""Atomic file writes, and a content-addressed cache of arrays."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from paraspine.arrays import RunError

__all__ = [
    "atomic",
    "cached",
    "flush",
    "leftovers",
    "read_entry",
    "sha256",
    "write_bytes",
    "write_entry",
]

T = TypeVar("T")

#: What numpy and zipfile raise for a file that ends early or holds something else.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    SyntaxError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


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
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path | str, data: bytes) -> Path:
    """Write a file whole or not at all, as `atomic`, and return its path."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def flush(path: Path) -> None:
    """Ask the operating system to put a file's or folder's content on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def leftovers(folder: Path) -> Iterator[Path]:
    """Temporary files of `atomic` under a folder whose writer is gone."""
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


def sha256(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached(
    folder: Path | str,
    recipe: Mapping,
    make: Callable[[], T],
    *,
    save: Callable[[T], dict[str, np.ndarray] | None],
    load: Callable[[dict[str, np.ndarray]], T],
    compress: bool = False,
    most: int | None = None,
) -> T:
    """Take a value from a cache, or make it and keep it.

    Entries are written atomically, so any number of processes may share a folder; it may be
    deleted at any time.

    Parameters
    ----------
    folder : path
        Of the cache; made if missing.
    recipe : mapping
        All that the value depends on (checksums of contents, settings, versions), as JSON can hold
        it. An entry is found by its SHA-256.
    make : callable
        Gives the value where there is no entry.
    save : callable
        Gives the arrays of a value that are kept; None where it should not be.
    load : callable
        Gives the value of the arrays that were kept. Where it raises `ValueError`, `KeyError` or
        `TypeError`, and where the file is damaged, the value is made anew and replaces the entry.
    compress : bool
        Write compressed arrays.
    most : int, optional
        Entries that the folder may hold; those that were not used for longest are removed.
    """
    name = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    entry = Path(folder) / name[:2] / f"{name}.npz"
    if (arrays := read_entry(entry)) is not None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            value = load(arrays)
            if most is not None:
                os.utime(entry)
            return value
    value = make()
    if (arrays := save(value)) is not None:
        write_entry(entry, arrays, compress=compress)
        if most is not None:
            _evict(Path(folder), most)
    return value


def _evict(folder: Path, most: int) -> None:
    """Remove all but the entries that were used last."""

    def used(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:  # removed by another process
            return 0.0

    entries = [p for p in folder.glob("*/*.npz") if not p.name.startswith(".")]
    for entry in sorted(entries, key=used, reverse=True)[most:]:
        entry.unlink(missing_ok=True)


def read_entry(path: Path | str) -> dict[str, np.ndarray] | None:
    """Read the arrays that `write_entry` wrote; None where there are none, or where it is damaged.

    Every byte is read and held against its checksum. Which arrays there are, and whether they make
    sense, is the caller's to judge.
    """
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as entry:
            return dict(entry)
    except _DAMAGE:
        return None


def write_entry(path: Path | str, arrays: dict[str, np.ndarray], *, compress: bool = False) -> None:
    """Write named arrays atomically as npz."""
    buffer = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(buffer, **arrays)
    write_bytes(path, buffer.getvalue())
