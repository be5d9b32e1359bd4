"""Lock of a workspace: one process at a time makes its results."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from paraspine.arrays import RunError

__all__ = ["lock_workspace"]

#: Locks stay until the process ends: without a reference they would be released.
_locks: list[FileLock] = []


def lock_workspace(workspace: str, root: Path | str) -> None:
    """Keep other processes from making the same results until this one ends, however it ends.

    The system releases the lock when the process is gone, so that nothing has to be unlocked after
    a kill or a power loss.

    Parameters
    ----------
    workspace : str
        Folder below ``runs/``.
    root : path
        Top folder of the checkout.

    Raises
    ------
    RunError
        If another process holds it; it is named.
    """
    folder = Path(root) / ".snakemake"
    folder.mkdir(exist_ok=True)
    lock, owner = FileLock(folder / f"{workspace}.lock"), folder / f"{workspace}.process"
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        number = (owner.read_text(encoding="utf-8") if owner.is_file() else "") or "unknown"
        raise RunError(
            f"runs/{workspace} is being made already (process {number}). Wait until it is done, or "
            "end that process, and try again."
        ) from error
    owner.write_text(str(os.getpid()), encoding="utf-8")
    _locks.append(lock)
