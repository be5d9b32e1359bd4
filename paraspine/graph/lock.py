"""One process at a time makes the results of a workspace."""

from __future__ import annotations

import os
from pathlib import Path

from paraspine.arrays import RunError

try:
    import fcntl
except ImportError:  # Windows, whose users have Snakemake's own lock
    fcntl = None

__all__ = ["hold"]

_held: list = []


def hold(workspace: str, root: Path | str) -> None:
    """Keep other processes from making the same results until this one ends, however it ends.

    The system lets go of the lock when the process is gone, so that nothing has to be unlocked
    after a kill or a power loss.

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
    if fcntl is None:
        return
    path = Path(root) / ".snakemake" / f"{workspace}.held"
    path.parent.mkdir(exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        number = file.read().strip() or "unknown"
        file.close()
        raise RunError(
            f"runs/{workspace} is being made already (process {number}). Wait until it is done, or "
            "end that process, and try again."
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _held.append(file)
