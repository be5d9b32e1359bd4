"""Entries of a cache: named arrays in a file that is whole, or counts as not there."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from paraspine.volumes.writing import write_bytes

__all__ = ["read_entry", "write_entry"]

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
    """Write named arrays under a temporary name and rename, so that readers see them whole."""
    buffer = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(buffer, **arrays)
    write_bytes(path, buffer.getvalue())
