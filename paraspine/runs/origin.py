"""Provenance of a result: versions, revision, inputs, hardware, time and memory."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath

from paraspine.arrays import RunError
from paraspine.runs.naming import to_json
from paraspine.storage import sha256

__all__ = ["provenance"]

#: Packages whose versions can change a number.
PACKAGES = (
    "paraspine", "numpy", "scipy", "pandas", "pyarrow", "torch", "monai", "scikit-learn",
    "scikit-image", "SimpleITK", "nibabel", "statsmodels", "safetensors", "plotly",
)  # fmt: skip


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
        used = torch is not None and torch.cuda.is_initialized()
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
    return hashlib.sha256(to_json(listing, sort_keys=True).encode()).hexdigest()


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
