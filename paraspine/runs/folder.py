"""Run folders: start, write, finish, read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from paraspine import storage
from paraspine.arrays import RunError
from paraspine.runs.naming import to_json
from paraspine.runs.origin import provenance
from paraspine.storage import flush, leftovers, sha256

__all__ = ["Run", "read", "start"]

COMPLETE, PARAMETERS, PROVENANCE = "complete.json", "parameters.json", "provenance.json"


@dataclass
class Run:
    """An open run folder; get one from `start` (to write) or `read` (complete).

    Attributes
    ----------
    folder : Path
        Where the files are.
    parameters : dict
        What the run was asked to do, as JSON gives it back.
    final : Path
        The folder's name once the run is complete; differs from `folder` only while a complete
        result is being replaced.
    checksums : dict of str to str, or None
        SHA-256 of each file of a complete run; None while it is open.
    """

    folder: Path
    parameters: dict
    final: Path
    checksums: dict | None = None

    @property
    def complete(self) -> bool:
        """Whether the run counts as a result."""
        return self.checksums is not None

    def path(self, name: str) -> Path:
        """Path of a file of the run; names may hold subfolders but not leave the run."""
        relative = PurePath(name)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise RunError(f"{name}: expected a name inside the run folder.")
        return self.folder / relative

    # writing

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Write a file whole or not at all; `RunError` if the run is complete."""
        if self.complete:
            raise RunError(
                f"{self.folder.name}: the run is complete and {name} would change it; start a new "
                "run, or this one again with overwrite=True."
            )
        return storage.write_bytes(self.path(name), content)

    def write_json(self, name: str, value) -> Path:
        """Write JSON; NumPy numbers, tuples, paths and dataclasses are taken."""
        return self.write_bytes(name, (to_json(value, indent=2) + "\n").encode())

    def write_frame(self, name: str, frame: pd.DataFrame) -> Path:
        """Write a table as parquet; the same table gives the same bytes."""
        buffer = io.BytesIO()
        frame.to_parquet(buffer, engine="pyarrow", compression="zstd")
        return self.write_bytes(name, buffer.getvalue())

    def write_arrays(self, name: str, **arrays) -> Path:
        """Write named arrays as compressed npz; the same arrays give the same bytes."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, values in arrays.items():
                array = np.asanyarray(values)
                if array.dtype.hasobject:
                    raise RunError(f"{name}: array {key!r} holds Python objects, not numbers.")
                content = io.BytesIO()
                np.lib.format.write_array(content, array, allow_pickle=False)
                entry = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content.getvalue())
        return self.write_bytes(name, buffer.getvalue())

    # reading

    def read_bytes(self, name: str) -> bytes:
        """Content of a file; of a complete run only if it is still what was written.

        Raises
        ------
        RunError
            If the file is missing, or differs from its checksum.
        """
        try:
            content = self.path(name).read_bytes()
        except OSError as error:
            raise RunError(
                f"{self.folder.name}: {name} is missing or unreadable ({error.strerror}); "
                "run it again."
            ) from error
        expected = (self.checksums or {}).get(PurePath(name).as_posix())
        if expected and hashlib.sha256(content).hexdigest() != expected:
            raise RunError(_damaged(self.folder, [f"{name} differs from its checksum"]))
        return content

    def read_json(self, name: str):
        """Content of a JSON file; `RunError` as `read_bytes`, or if it is not JSON."""
        content = self.read_bytes(name)
        with self._understood(name):
            return json.loads(content)

    def read_frame(self, name: str) -> pd.DataFrame:
        """A table; `RunError` as `read_bytes`, or if it is not parquet."""
        content = self.read_bytes(name)
        with self._understood(name):
            return pd.read_parquet(io.BytesIO(content), engine="pyarrow")

    def read_arrays(self, name: str) -> dict[str, np.ndarray]:
        """Named arrays; `RunError` as `read_bytes`, or if it is not npz."""
        content = self.read_bytes(name)
        with self._understood(name), np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)

    @contextlib.contextmanager
    def _understood(self, name: str):
        try:
            yield
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            raise RunError(_damaged(self.folder, [f"{name} cannot be read: {error}"])) from error

    # the end

    def finish(self, inputs: Mapping | None = None, *, started: float | None = None, **details):
        """Write ``provenance.json`` and, last, ``complete.json``; the run counts from here on.

        Parameters
        ----------
        inputs : mapping of str to path or SHA-256
            What the run has read; see `provenance`.
        started : float, optional
            `time.time` at the start.
        **details
            More for `provenance`: ``durations``, ``device``, ``threads``.

        Raises
        ------
        RunError
            If the run is complete already, or an input is missing.
        """
        self.write_json(PROVENANCE, provenance(inputs, started=started, **details))
        for path in leftovers(self.folder):
            path.unlink(missing_ok=True)
        files = _files(self.folder)
        for path in {*files, *(file.parent for file in files)}:
            flush(path)
        checksums = {f.relative_to(self.folder).as_posix(): sha256(f) for f in files}
        self.write_json(COMPLETE, {"format": 1, "files": checksums})
        flush(self.folder)
        self.checksums = checksums
        if self.final != self.folder:
            _replace(self.folder, self.final)
            self.folder = self.final


def _files(folder: Path) -> list[Path]:
    skipped = (".tmp-",)
    return sorted(
        p
        for p in folder.rglob("*")
        if p.is_file() and p != folder / COMPLETE and not p.name.startswith(skipped)
    )


def _damaged(folder: Path, faults: list[str]) -> str:
    return (
        f"{folder.name}: the run is damaged: {'; '.join(faults)}. Remove the folder and run it "
        "again, or restore it from a copy."
    )


def _beside(folder: Path, kind: str) -> Path:
    return folder.with_name(f".{folder.name}.{kind}")


def _replace(new: Path, folder: Path) -> None:
    """Put a complete folder in another's place; the old one goes last."""
    old = _beside(folder, "old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Undo a replacement that was killed between its two renames."""
    old = _beside(folder, "old")
    if not folder.exists() and (old / COMPLETE).is_file():
        os.replace(old, folder)


def start(folder: Path | str, parameters: Mapping, *, overwrite: bool = False) -> Run:
    """Open a run folder for writing, or take up one that was left incomplete.

    Parameters
    ----------
    folder : path
        Made where it is missing. If it holds an incomplete run with the same parameters, its
        files are kept, so that work can go on where it stopped.
    parameters : mapping
        Names and values that JSON can hold; written to ``parameters.json``.
    overwrite : bool
        Allow a complete run to be replaced. It stays until the new one is complete: meanwhile
        the new files lie in a hidden folder beside it. An incomplete run with other parameters
        is removed.

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If the folder holds a complete run and `overwrite` is not set, an incomplete one with
        other parameters, or files that are no run.
    """
    final = Path(folder)
    text = to_json(dict(parameters), indent=2) + "\n"
    wanted = json.loads(text)
    _recover(final)
    place = final
    if (final / COMPLETE).is_file():
        if not overwrite:
            raise RunError(
                f"{final.name}: holds a complete run; read it, choose another folder, or pass "
                "overwrite=True to replace it once the new one is complete."
            )
        place = _beside(final, "new")
    if place.exists() and not place.is_dir():
        raise RunError(f"{final.name}: expected a folder, found a file; choose another name.")
    if place.is_dir():
        for path in leftovers(place):
            path.unlink(missing_ok=True)
        if reason := _hindrance(place, wanted):
            if not (overwrite and (place / PARAMETERS).is_file()):
                raise RunError(f"{final.name}: {reason}")
            shutil.rmtree(place)
    place.mkdir(parents=True, exist_ok=True)
    run = Run(place, wanted, final)
    if not (place / PARAMETERS).is_file():
        run.write_bytes(PARAMETERS, text.encode())
    return run


def _hindrance(folder: Path, wanted: dict) -> str | None:
    """Why an incomplete folder cannot be taken up for these parameters."""
    path = folder / PARAMETERS
    if not path.is_file():
        if _files(folder):
            return "holds files but no run (no parameters.json); choose an empty folder."
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return "its parameters.json cannot be read; remove the folder and run again."
    keys = sorted(set(found) | set(wanted))
    marks = ((k, *(repr(d[k]) if k in d else "nothing" for d in (found, wanted))) for k in keys)
    differing = [f"{k} was {a}, is {b}" for k, a, b in marks if a != b]
    if differing:
        return (
            f"an unfinished run with other parameters lies there ({'; '.join(differing)}); remove "
            "it, choose another folder, or pass overwrite=True."
        )
    return None


def read(folder: Path | str, verify: bool = False) -> Run:
    """Open a complete run for reading.

    Parameters
    ----------
    folder : path
        The run folder.
    verify : bool
        Compare every file with its checksum now. Without it each file is compared when it is
        read through the `Run`.

    Returns
    -------
    Run

    Raises
    ------
    RunError
        If the folder is missing, incomplete or damaged; the message names the files.
    """
    folder = Path(folder)
    _recover(folder)
    if not folder.is_dir():
        raise RunError(f"{folder.name}: there is no such run folder; run it first.")
    if not (folder / COMPLETE).is_file():
        raise RunError(
            f"{folder.name}: the run is incomplete (no {COMPLETE}): it was stopped or is still "
            "running; run it again, and it goes on where it stopped."
        )
    try:
        checksums = dict(json.loads((folder / COMPLETE).read_text(encoding="utf-8"))["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(_damaged(folder, [f"{COMPLETE} cannot be read: {error!r}"])) from error
    faults = [f"{name} is missing" for name in checksums if not (folder / name).is_file()]
    if verify:
        faults += [
            f"{name} differs from its checksum"
            for name, expected in checksums.items()
            if (folder / name).is_file() and sha256(folder / name) != expected
        ]
    if faults:
        raise RunError(_damaged(folder, faults))
    run = Run(folder, {}, folder, checksums)
    run.parameters = run.read_json(PARAMETERS)
    return run
