"""Digests of what a run depends on: notebook, imported modules, files of the cohort."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import paraspine
from paraspine import runs
from paraspine.arrays import RunError
from paraspine.manifest.tables import cells, is_inside, path_columns
from paraspine.volumes.parts import parts

__all__ = ["project_root", "sources", "fingerprint", "room_fingerprint", "cohort_digest"]

PACKAGE = Path(paraspine.__file__).resolve().parent


#: Rooms that work on complete runs and cannot change one.
LATER = ("book", "cli")


def project_root(start: Path | str | None = None) -> Path:
    """Top folder of the checkout: the nearest upwards with ``notebooks/`` and ``profiles/``.

    Parameters
    ----------
    start : path, optional
        Where to begin; the working directory by default. The environment variable
        ``PARASPINE_ROOT`` goes before both.

    Raises
    ------
    RunError
        If there is no such folder.
    """
    begin = Path(os.environ.get("PARASPINE_ROOT") or start or Path.cwd()).resolve()
    for folder in (begin, *begin.parents):
        if (folder / "notebooks").is_dir() and (folder / "profiles").is_dir():
            return folder
    raise RunError(
        f"{begin}: no folder upwards holds notebooks/ and profiles/; start inside the checkout "
        "or set PARASPINE_ROOT."
    )


def sources(notebook: Path | str) -> list[Path]:
    """Files of the package that a notebook's result depends on, and the notebook itself.

    The imports are followed through the package, relative ones and those inside functions too,
    so that an edit of a module makes exactly those results stale that it can have changed. What
    makes a book of complete runs is not among them.
    """
    notebook = Path(notebook)
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = "\n".join(
        line
        for cell in cells
        if cell["cell_type"] == "code"
        for line in "".join(cell["source"]).splitlines()
        if not line.lstrip().startswith(("%", "!"))
    )
    return [notebook, *_followed(_imported(code, notebook))]


def _followed(modules: Iterable[Path]) -> list[Path]:
    """Modules and all that they import, in alphabetical order."""
    seen: set[Path] = set()
    queue = [*modules]
    while queue:
        module = queue.pop()
        if module not in seen:
            seen.add(module)
            queue.extend(_imports_of(module, module.stat().st_mtime_ns))
    return sorted(seen)


@cache
def _imports_of(module: Path, _changed: int) -> tuple[Path, ...]:
    return tuple(_imported(module.read_text(encoding="utf-8"), module))


def _imported(code: str, where: Path) -> list[Path]:
    found = []
    for node in ast.walk(ast.parse(code, filename=str(where))):
        if isinstance(node, ast.Import):
            found += [file for a in node.names for file in _modules(a.name)]
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, where)
            found += [file for a in node.names for file in _modules(f"{origin}.{a.name}")]
    return found


def _modules(name: str) -> list[Path]:
    """Files that the import of a dotted name runs, and the module that a lazy room takes it from.

    Of a lazy room imported as a whole, every module: any of its names may be used. Its face, which
    only names them, doesn't count, so that a new name in it leaves results as they are.
    """
    first, *rest = name.split(".")
    if first != "paraspine" or (rest and rest[0] in LATER):
        return []
    found, folder = [PACKAGE / "__init__.py"], PACKAGE
    for part in rest:
        room, lazy = folder, _lazy_names(folder / "__init__.py")
        module, folder = (room / part).with_suffix(".py"), room / part
        if module.is_file() or folder.is_dir():
            found.append(module if module.is_file() else folder / "__init__.py")
        elif part == "*":
            found += sorted(room.glob("*.py"))
        elif part in lazy:
            found.append(room / f"{lazy[part]}.py")
    if rest and _lazy_names(folder / "__init__.py"):
        found += sorted(folder.glob("*.py"))
    return [file for file in found if not (file.name == "__init__.py" and _lazy_names(file))]


def _lazy_names(room: Path) -> dict[str, str]:
    """Each name that a room hands on when it is asked for, and the module that it stands in."""
    return _attached(room, room.stat().st_mtime_ns) if room.is_file() else {}


@cache
def _attached(room: Path, _changed: int) -> dict[str, str]:
    for node in ast.walk(ast.parse(room.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_loader.attach":
            (table,) = (k.value for k in node.keywords if k.arg == "submod_attrs")
            return {n: module for module, own in ast.literal_eval(table).items() for n in own}
    return {}


def _origin(node: ast.ImportFrom, where: Path) -> str:
    """Absolute name of the module that ``from ... import`` names, relative ones too."""
    if not node.level:
        return node.module or ""
    parents = where.resolve().relative_to(PACKAGE.parent).parts[: -node.level]
    return ".".join([*parents, *filter(None, [node.module])])


def fingerprint(notebook: Path | str) -> str:
    """SHA-256 over the code cells of a notebook and the modules that it depends on.

    Prose, outputs and the values in the ``parameters`` cell do not count: the values that a run
    used stand in its ``parameters.json``.
    """
    return _fingerprint(Path(notebook), _state(Path(notebook)), _package_state())


@cache
def _fingerprint(notebook: Path, *_states: tuple) -> str:
    _, *modules = sources(notebook)
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    digest = hashlib.sha256()
    for cell in cells:
        tags = cell.get("metadata", {}).get("tags", [])
        if cell["cell_type"] == "code" and "parameters" not in tags:
            digest.update("".join(cell["source"]).encode() + b"\0")
    _add(digest, modules)
    return digest.hexdigest()


def _package_state() -> tuple:
    """What changes when a module of the package does, or comes or goes."""
    files = []
    for folder, _, names in os.walk(PACKAGE):
        files += [os.path.join(folder, name) for name in names if name.endswith(".py")]
    found = []
    for file in sorted(files):
        with contextlib.suppress(FileNotFoundError):  # an editor's lock, a link to nothing
            found.append((file, *_state(file)))
    return tuple(found)


def room_fingerprint(*rooms: str) -> str:
    """SHA-256 over the modules of some rooms and all that these import.

    >>> room_fingerprint("slices") == room_fingerprint("slices", "volumes")  # imported anyway
    True
    """
    digest = hashlib.sha256()
    own = [file for room in rooms for file in _files_of(room)]
    _add(digest, _followed(own))
    return digest.hexdigest()


def _files_of(room: str) -> list[Path]:
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def _add(digest, modules: Iterable[Path]) -> None:
    for module in modules:
        digest.update(module.relative_to(PACKAGE).as_posix().encode() + b"\0")
        digest.update(module.read_bytes() + b"\0")


def cohort_digest(manifest: Path | str, data_root: Path | str | None = None) -> str:
    """SHA-256 over a manifest, its sidecar and the bytes of every file that its images consist of.

    A file that is missing counts as missing: reading the manifest is what complains of it.
    """
    manifest = Path(manifest)
    root = Path(data_root) if data_root else manifest.parent
    digest = hashlib.sha256(manifest.read_bytes())
    sidecar = manifest.with_suffix(".json")
    digest.update(sidecar.read_bytes() if sidecar.is_file() else b"")
    for name in _files_named_in(manifest, *_state(manifest)):
        digest.update(name.encode() + b"\0")
        for file in parts(root / name) if is_inside(name) else ():
            digest.update(_digest(file).encode())
    return digest.hexdigest()


@cache
def _files_named_in(manifest: Path, *_changed: int) -> list[str]:
    table, _, _ = cells(manifest)
    if table is None:
        return []
    return sorted({v for c in path_columns(table) for v in table[c].dropna()})


def _state(file: Path | str) -> tuple[int, ...]:
    """Inode, size and dates of a file: while they stay it is not read again."""
    found = os.stat(file)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _digest(file: Path) -> str:
    return _read(file, *_state(file))


@cache
def _read(file: Path, *_state: int) -> str:
    return runs.sha256(file)
