"""Execute notebooks under papermill, once."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from paraspine import runs
from paraspine.arrays import RunError
from paraspine.session.digests import project_root
from paraspine.session.freshness import is_fresh
from paraspine.session.imports import import_nbformat
from paraspine.session.parameters import check_parameters, declared_parameters
from paraspine.session.profile import upstream_parameters
from paraspine.session.session import Session
from paraspine.session.workspace import run_folder

__all__ = ["run_notebook", "need", "need_each"]

LONGEST_SOCKET = 96
"""Bytes: a Unix socket's path has 103 on macOS, and ``-ipc-5`` is put in place of ``.json``."""


def run_notebook(
    notebook: Path | str,
    parameters: Mapping,
    *,
    force: bool = False,
    progress: bool = False,
) -> Path:
    """Execute a notebook with papermill unless a fresh result for these parameters stands.

    Parameters
    ----------
    notebook : path
        The notebook's source.
    parameters : mapping
        Values that differ from the defaults; unknown names are refused.
    force : bool
        Run even where a fresh result stands.
    progress : bool
        Show papermill's progress bar and the notebook's output as it comes.

    Returns
    -------
    Path
        The run folder, which also holds the executed ``notebook.ipynb``.

    Raises
    ------
    SettingsError
        For an unknown parameter or a value of the wrong type, before anything runs.
    RunError
        If a cell failed; the executed notebook is kept beside the run folder and named.
    """
    notebook = Path(notebook).resolve()
    given = check_parameters(notebook, parameters)
    values = declared_parameters(notebook) | given
    root = project_root(notebook.parent)
    folder = run_folder(root, notebook.stem, values)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _held(folder, root):
        return _run_into(folder, notebook, given, values, root, force, progress)


@contextmanager
def _held(folder: Path, root: Path) -> Iterator[None]:
    """Hold a run, so that no other process makes it too; who comes second waits and says so."""
    lock = FileLock(_lock_file(folder, root))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{folder.name}: another process makes this run; waiting for it.", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _lock_file(folder: Path, root: Path) -> Path:
    """File that stands for holding a run, away from the results."""
    place = root / ".cache" / "locks"
    place.mkdir(parents=True, exist_ok=True)
    return place / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.lock"


def _run_into(
    folder: Path,
    notebook: Path,
    given: dict,
    values: dict,
    root: Path,
    force: bool,
    progress: bool,
) -> Path:
    executed = folder / "notebook.ipynb"
    if not force and executed.is_file() and is_fresh(folder, values, root=root):
        return folder
    before = _state(folder)
    scratch = folder.with_name(f"{folder.name}.running.ipynb")
    failed = folder.with_name(f"{folder.name}.failed.ipynb")
    _papermill(notebook, scratch, failed, given | {"run_folder": _under(root, folder)}, progress)
    if _state(folder) in (None, before):
        os.replace(scratch, failed)
        raise RunError(f"{notebook.name}: ended without finishing its run {folder.name}.")
    os.replace(scratch, executed)
    failed.unlink(missing_ok=True)
    return folder


def _state(folder: Path) -> tuple | None:
    """Mark of one completion of a run, another for the next; None while there is none."""
    try:
        found = (folder / "complete.json").stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _papermill(
    notebook: Path, output: Path, failed: Path, parameters: dict, progress: bool
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of papermill's own imports
        import_nbformat()
        import papermill
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError

    before = os.environ.get("PARASPINE_ROOT")
    os.environ["PARASPINE_ROOT"] = str(notebook.parent.parent)
    try:
        with _sockets() as config:
            papermill.execute_notebook(
                str(notebook),
                str(output),
                parameters=parameters,
                cwd=str(notebook.parent),
                kernel_name="python3",
                progress_bar=progress,
                log_output=progress,
                config=config,
                extra_arguments=["--log-level=50"],  # of the kernel: silence
                shutdown_kernel="immediate",  # its results are on the disk
            )
    except PapermillExecutionError as error:
        os.replace(output, failed)
        raise RunError(
            f"{notebook.name}: cell {error.cell_index} failed with {error.ename}: {error.evalue}\n"
            f"The notebook as far as it came: {failed}"
        ) from error
    except DeadKernelError as error:
        os.replace(output, failed)
        raise RunError(
            f"{notebook.name}: the process that ran it died, as it does for lack of memory.\n"
            f"The notebook as far as it came: {failed}"
        ) from error
    except RuntimeError as error:  # what Jupyter says of a kernel that never answered
        if _began(output):
            os.replace(output, failed)
            raise RunError(
                f"{notebook.name}: ended with {type(error).__name__}: {error}\n"
                f"The notebook as far as it came: {failed}"
            ) from error
        output.unlink(missing_ok=True)
        raise RunError(
            f"{notebook.name}: the process to run it did not start ({error}). What it said stands "
            f"above; by hand, {sys.executable} -m ipykernel_launcher starts one."
        ) from error
    finally:
        if before is None:
            os.environ.pop("PARASPINE_ROOT")
        else:
            os.environ["PARASPINE_ROOT"] = before


def _began(output: Path) -> bool:
    """Say whether a cell of an executed notebook was run."""
    nbformat = import_nbformat()
    cells = nbformat.read(output, as_version=4).cells if output.is_file() else []
    return any(cell.get("execution_count") for cell in cells)


@contextmanager
def _sockets() -> Iterator:
    """Give the configuration of a kernel that talks through files of this user's.

    Ports are looked for before the kernel takes them, so that of two that start at once one
    may find its own taken and die.
    """
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="paraspine-") as folder:
        config = Config()
        file = Path(folder) / "kernel.json"
        if os.name == "posix" and len(os.fsencode(file)) <= LONGEST_SOCKET:
            config.KernelManager.transport = "ipc"
            config.KernelManager.connection_file = str(file)
        yield config


def _under(root: Path, folder: Path) -> str:
    try:
        return folder.relative_to(root).as_posix()
    except ValueError:
        return str(folder)


def need(session: Session, name: str, folder: str = "", **parameters) -> runs.Run:
    """The upstream run that a notebook builds on, made first where it is missing.

    Parameters
    ----------
    session : Session
        The open run that needs it; see `upstream_parameters` for what it hands on.
    name : str
        The upstream notebook, for example ``"03_train"``.
    folder : str
        A run folder to use as it is; empty means: find or make the one that fits.
    **parameters
        Values that the upstream notebook shall have.
    """
    if folder:
        return session.upstream(folder)
    notebook = session.root / "notebooks" / f"{name}.ipynb"
    given = upstream_parameters(notebook, session.parameters, parameters)
    values = declared_parameters(notebook) | given
    there = run_folder(session.root, name, values).parent
    for found in sorted(there.glob("[!.]*/complete.json")):  # not one on its way to its place
        if is_fresh(found.parent, values, root=session.root):
            return session.upstream(found.parent)
    return session.upstream(run_notebook(notebook, given))


def need_each(
    session: Session,
    name: str,
    folders: Iterable[str] = (),
    choices: Iterable[Mapping] = (),
) -> list[runs.Run]:
    """Several upstream runs: the given folders, or else one for each choice of parameters.

    Parameters
    ----------
    session, name
        As in `need`.
    folders : iterable of str
        Run folders to use as they are.
    choices : iterable of mapping
        Parameters of each run, for example `conditions`.
    """
    folders = list(folders)
    if folders:
        return [session.upstream(folder) for folder in folders]
    return [need(session, name, **choice) for choice in choices]
