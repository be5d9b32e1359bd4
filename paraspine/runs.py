"""Run folders: opened, written atomically, completed, read, and where their numbers come from.

A run folder holds ``parameters.json``, the results, ``provenance.json`` and, written last,
``complete.json`` with the SHA-256 of every file. A folder without it does not count as a result.
Every file is written under a temporary name in the same folder, flushed to the disk and renamed,
so that it is either whole or not there, whenever the process is killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from paraspine.arrays import RunError

__all__ = ["Run", "atomic", "provenance", "read", "run_id", "sha256", "start"]

COMPLETE, PARAMETERS, PROVENANCE = "complete.json", "parameters.json", "provenance.json"
#: Packages whose versions can change a number.
PACKAGES = (
    "paraspine", "numpy", "scipy", "pandas", "pyarrow", "torch", "monai", "scikit-learn",
    "scikit-image", "SimpleITK", "nibabel", "statsmodels", "safetensors", "plotly",
)  # fmt: skip
#: Parameters that make the readable part of a run's name, in this order.
NAMING = ("experiment", "model", "fusion", "method", "loss", "fold", "seed")


# --------------------------------------------------------------------------- files


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
        _flush(temporary)
        os.replace(temporary, path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
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


def _remains(folder: Path) -> Iterator[Path]:
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


def _plain(value):
    """What JSON can hold, for what it cannot."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, PurePath):
        return value.as_posix()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise RunError(f"expected something that JSON can hold, got {type(value).__name__}: {value!r}")


def _json(value, **options) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, **options)


def run_id(parameters: Mapping) -> str:
    """A short name for a run: a few telling values and a hash over all parameters.

    The same parameters give the same name, in whatever order they stand.

    >>> run_id({"seed": 0, "model": "unet"})
    'unet-seed0-3eacc56c4a'
    """
    words = []
    for key in NAMING:
        value = parameters.get(key)
        if isinstance(value, str) and value:
            words.append(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            words.append(f"{key}{value}")
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")[:48]
    digest = hashlib.sha256(_json(parameters, sort_keys=True).encode()).hexdigest()[:10]
    return f"{slug}-{digest}" if slug else digest


# --------------------------------------------------------------------------- the folder


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
        with atomic(self.path(name)) as temporary:
            temporary.write_bytes(content)
        return self.path(name)

    def write_json(self, name: str, value) -> Path:
        """Write JSON; NumPy numbers, tuples, paths and dataclasses are taken."""
        return self.write_bytes(name, (_json(value, indent=2) + "\n").encode())

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
        for path in _remains(self.folder):
            path.unlink(missing_ok=True)
        checksums = {}
        for path in _files(self.folder):
            _flush(path)
            checksums[path.relative_to(self.folder).as_posix()] = sha256(path)
        self.write_json(COMPLETE, {"format": 1, "files": checksums})
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
    _flush(folder.parent)
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
    text = _json(dict(parameters), indent=2) + "\n"
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
        for path in _remains(place):
            path.unlink(missing_ok=True)
        if reason := _hindrance(place, wanted):
            if not (overwrite and (place / PARAMETERS).is_file()):
                raise RunError(f"{final.name}: {reason}")
            shutil.rmtree(place)
    place.mkdir(parents=True, exist_ok=True)
    (place / COMPLETE).unlink(missing_ok=True)  # of a replacement killed before its last rename
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


# --------------------------------------------------------------------------- provenance


def provenance(
    inputs: Mapping | None = None,
    *,
    started: float | None = None,
    durations: Mapping | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> dict:
    """What a result depends on besides its parameters, without names of machines or people.

    Parameters
    ----------
    inputs : mapping of str to path or str
        What was read: a file or folder (its SHA-256 is computed) or a SHA-256 of 64 digits.
        Of an absolute path used as a name only the last part is kept.
    started : float, optional
        `time.time` at the start; gives the total duration.
    durations : mapping of str to float, optional
        Seconds of named parts.
    device : str, optional
        What computed; by default the GPU that torch used, else the processor.
    threads : int, optional
        By default what torch uses, else the processors that this process may use.

    Returns
    -------
    dict
        ``finished`` (UTC), ``git`` (``revision``, ``dirty``; both None outside a checkout),
        ``versions``, ``inputs`` (name to SHA-256), ``device``, ``processor``, ``platform``,
        ``threads``, ``durations`` (seconds), ``peak_memory_mib`` (of this process; None where
        the system does not tell).

    Raises
    ------
    RunError
        If an input is missing.
    """
    torch = sys.modules.get("torch")  # loaded by whoever used it, never for a version
    now = time.time()
    seconds = {} if started is None else {"total_seconds": round(now - started, 3)}
    seconds |= {k: round(float(v), 3) for k, v in (durations or {}).items()}
    processor = _processor()
    if device is None:
        used = torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized()
        device = torch.cuda.get_device_name() if used else processor
    if threads is None:
        threads = torch.get_num_threads() if torch is not None else _processors()
    return {
        "finished": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        "git": _revision(),
        "versions": {"python": platform.python_version(), **_versions()},
        "inputs": _hashes(inputs or {}),
        "device": device,
        "processor": processor,
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": threads,
        "durations": seconds,
        "peak_memory_mib": _peak_memory(),
    }


def _hashes(inputs: Mapping) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in inputs.items():
        short = PurePath(str(name))
        key = short.name if short.is_absolute() else short.as_posix()
        while key in found:
            key += "'"
        found[key] = _hash(value, key)
    return found


def _hash(value, name: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        return value
    path = Path(value)
    if path.is_file():
        return sha256(path)
    if not path.is_dir():
        raise RunError(f"input {name}: there is no such file or folder.")
    listing = {p.relative_to(path).as_posix(): sha256(p) for p in path.rglob("*") if p.is_file()}
    return hashlib.sha256(_json(listing, sort_keys=True).encode()).hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _revision() -> dict:
    """Git revision of the checkout that this package runs from, and whether files differ."""
    package = Path(__file__).resolve().parent
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(package), *words],
            capture_output=True, text=True, check=True, env=clean, timeout=30,
        ).stdout.strip()  # fmt: skip

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # not a copy inside another project
        revision = git("rev-parse", "HEAD")
        return {
            "revision": revision,
            "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return {"revision": None, "dirty": None}


def _processor() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
        if found:
            return found[1].strip()
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            words = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _peak_memory() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
