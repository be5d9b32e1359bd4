"""Build a book: always from nothing, and never over the previous one before it is whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from paraspine.arrays import RunError

from .publish import publish

__all__ = ["BuildError", "build", "build_html"]

_JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
#: Ending of a folder that is about to be replaced.
ASIDE = "-aside"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class BuildError(RunError):
    """Sphinx refused the book; the message holds its warnings, ``log`` everything it said."""

    def __init__(self, message: str, log: str):
        super().__init__(message)
        self.log = log


def build(
    source: Path | str,
    executed: Iterable[Path | str],
    output: Path | str,
    **options,
) -> Path:
    """Publish the runs, build the book and return its first page.

    The book is built in a temporary folder beside the last one and takes its place when it is
    whole; a build that fails, or is killed, leaves the last one as it was.

    Parameters
    ----------
    source : path
        The book's source folder: ``_config.yml``, ``_toc.yml`` skeleton, prose.
    executed : iterable of path
        Run folders or executed notebooks, see `publish`.
    output : path
        Folder that gets ``html/`` (the book) and ``source/`` (what it was built from).
    **options
        ``title``, ``toc``, ``notes``, ``benchmarks``, ``root`` of `publish`.

    Returns
    -------
    Path
        ``output/html/index.html``.

    Raises
    ------
    RunError
        If a run can't be published.
    BuildError
        If Sphinx fails or warns: a name that was not glued, a link to nowhere, unknown TeX. The
        whole log is kept in ``output/build-failed.log``.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    _sweep(output)
    scratch = output / f".new-{os.getpid()}"
    try:
        publish(executed, source, scratch / "source", **options)
        try:
            build_html(scratch / "source", scratch / "html")
        except BuildError as error:
            (output / "build-failed.log").write_text(error.log, encoding="utf-8")
            raise
        for name in ("source", "html"):
            _replace(scratch / name, output / name)
        (output / "build-failed.log").unlink(missing_ok=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return output / "html" / "index.html"


def build_html(source: Path | str, output: Path | str) -> Path:
    """Build a published source folder with ``jupyter-book -W -n --keep-going`` from nothing.

    Parameters
    ----------
    source : path
        Folder as `publish` writes it.
    output : path
        Folder to write the pages to; must not exist.

    Returns
    -------
    Path
        The first page.

    Raises
    ------
    BuildError
        If Sphinx fails or warns.
    """
    source, output = Path(source).resolve(), Path(output).resolve()
    work = output.with_name(f"{output.name}-work")
    shutil.rmtree(work, ignore_errors=True)
    flags = ["build", str(source), "--path-output", str(work), "-W", "-n", "--keep-going"]
    result = subprocess.run(
        [sys.executable, "-c", _JUPYTER_BOOK, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=os.environ | {"PYTHONUTF8": "1", "NO_COLOR": "1"},
    )
    log = _ANSI.sub("", result.stdout).replace(f"{source}{os.sep}", "").replace(str(source), ".")
    pages = work / "_build" / "html"
    try:
        if result.returncode or not (pages / "index.html").is_file():
            raise BuildError(_explain(log), log)
        for rest in (".doctrees", ".buildinfo"):
            shutil.rmtree(pages / rest, ignore_errors=True)
        os.replace(pages, output)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return output / "index.html"


def _explain(log: str) -> str:
    """The warnings and errors in a log, else its last lines."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    told = []
    for place, line in enumerate(lines):
        if re.search(r"\b(WARNING|ERROR|CRITICAL|SEVERE)\b|Exception|Error:", line):
            told += [line] + [more for more in lines[place + 1 : place + 3] if more[:1].isspace()]
    told = list(dict.fromkeys(told))[:20] or lines[-20:]
    return "the book could not be built; Sphinx says:\n" + "\n".join(f"  {line}" for line in told)


def _replace(new: Path, place: Path) -> None:
    """Put a folder in another's place; the old one is gone only after the new one stands."""
    aside = new.with_name(f"{place.name}{ASIDE}")
    if place.exists():
        os.replace(place, aside)
    try:
        os.replace(new, place)
    except OSError:
        if aside.exists():
            os.replace(aside, place)
        raise


def _sweep(output: Path) -> None:
    """Remove what killed builds left; put back a book that one had set aside."""
    for scratch in output.glob(".new-*"):
        number = scratch.name.removeprefix(".new-")
        if number.isdigit() and int(number) != os.getpid() and _alive(int(number)):
            continue
        for aside in scratch.glob(f"*{ASIDE}"):
            place = output / aside.name.removesuffix(ASIDE)
            if not place.exists():
                os.replace(aside, place)
        shutil.rmtree(scratch, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
