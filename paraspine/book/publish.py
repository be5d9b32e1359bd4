"""Executed notebooks of complete runs → a folder that jupyter-book can build."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import yaml

from paraspine import runs as runs_room
from paraspine.arrays import RunError, SettingsError

from .contents import fill_contents, fill_prose, read_contents
from .notebook import clean, default_roots, read_executed, strip_paths, title_of
from .provenance import Page, parameter_lines, provenance_page
from .speed import read_record, speed_page

__all__ = ["Published", "publish"]

#: Name of the executed notebook in a run folder.
EXECUTED = "notebook.ipynb"
#: Parameters that say where things lie; they tell a reader nothing.
PLACES = ("run_folder",)
#: Parameters that stand under a page's title where a run has them.
IMPORTANT = ("profile", "manifest_path", "model", "fusion", "method", "loss", "fold", "seed")
#: With more differing parameters than that in it, a title says a run's name instead.
MOST_WORDS = 4

_OF_A_RUN = ("complete.json", "parameters.json")
_SKIPPED = ("_build", "executed", "generated", "__pycache__", ".ipynb_checkpoints")


@dataclass(frozen=True)
class Published:
    """What `publish` wrote.

    Attributes
    ----------
    folder : Path
        Source folder of the book, to be built.
    pages : tuple of Page
        The executed notebooks in it.
    left_out : tuple of str
        Pages of the skeleton that this book doesn't have.
    """

    folder: Path
    pages: tuple[Page, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Source:
    path: Path
    notebook: nbformat.NotebookNode
    stem: str
    folder: Path | None
    parameters: dict
    provenance: dict


def publish(
    runs: Iterable[Path | str],
    book_source: Path | str,
    output: Path | str,
    *,
    title: str | None = None,
    toc: str = "_toc.yml",
    notes: Sequence[str] = (),
    benchmarks: Path | str | None = None,
    root: Path | str | None = None,
) -> Published:
    """Write the source folder of a book: prose pages, executed notebooks, contents, provenance.

    A run becomes ``executed/<notebook>.ipynb`` where it is the only run of its notebook, else
    ``executed/<notebook>-<run>.ipynb`` with the parameters that tell it from the others in its
    title, or, where those are many, its name.

    Parameters
    ----------
    runs : iterable of path
        Run folders (complete, with their ``notebook.ipynb``) or executed notebooks.
    book_source : path
        Folder with ``_config.yml``, a ``_toc.yml`` skeleton and the prose pages.
    output : path
        Folder to write; it must not exist, or be empty.
    title : str, optional
        Title of the book instead of the configuration's.
    toc : str
        File name of the skeleton in `book_source`; see `fill_contents` for what it may say.
    notes : sequence of str
        Sentences for the provenance page.
    benchmarks : path, optional
        The benchmarks' ``results.json``; it becomes the page ``speed``, which is left out where
        the file is absent.
    root : path, optional
        Top folder of the project: paths below it are shown relative. The working directory if
        left out.

    Returns
    -------
    Published

    Raises
    ------
    RunError
        If a run is incomplete, failed, was not executed, or two would get the same name; if
        `benchmarks` holds something else.
    SettingsError
        If the book's source lacks its configuration or contents, or `output` is not empty.
    """
    source, output = Path(book_source), Path(output)
    if not (source / "_config.yml").is_file():
        raise SettingsError(f"{source}: expected a book's source with a _config.yml.")
    if output.is_dir() and any(output.iterdir()):
        raise SettingsError(f"{output}: expected a new or empty folder to write the book to.")
    for name in ("provenance.md", "speed.md"):
        if (source / name).exists():
            raise SettingsError(f"{source / name}: this name is taken by the generated page.")
    record = None if benchmarks is None else read_record(benchmarks)
    skeleton = read_contents(source / toc)
    roots = default_roots(root)
    sources = [_open(Path(run)) for run in runs]
    pages = _name(sources)

    shutil.copytree(source, output, dirs_exist_ok=True, ignore=_ignore(output))
    (output / "executed").mkdir(exist_ok=True)
    for item, page in zip(sources, pages, strict=True):
        introduction = parameter_lines(page.parameters, IMPORTANT)
        cleaned = clean(item.notebook, title=page.title, introduction=introduction, roots=roots)
        text = nbformat.writes(cleaned)
        (output / "executed" / f"{page.name}.ipynb").write_text(text, encoding="utf-8")
    names = [p.name for p in pages]
    for path in sorted(output.rglob("*.md")):
        path.write_text(fill_prose(path.read_text(encoding="utf-8"), names), encoding="utf-8")
    contents = fill_contents(
        skeleton,
        names,
        generated=["provenance"] if record is None else ["speed", "provenance"],
        absent=["speed"] if record is None else [],
    )
    (output / "_toc.yml").write_text(
        "# Generated: the skeleton of the book with the runs that there are.\n"
        + yaml.safe_dump(contents.toc, sort_keys=False, allow_unicode=True),
        encoding="utf-8",
    )
    text = provenance_page(_strip(pages, roots), left_out=contents.left_out, notes=notes)
    (output / "provenance.md").write_text(text, encoding="utf-8")
    if record is not None:
        page = strip_paths(speed_page(record), roots)
        (output / "speed.md").write_text(page, encoding="utf-8")
    if title is not None:
        _retitle(output / "_config.yml", title)
    return Published(output, tuple(pages), contents.left_out)


def _ignore(output: Path):
    def ignore(folder: str, names: list[str]) -> set[str]:
        here = Path(folder)
        return {
            n
            for n in names
            if n in _SKIPPED
            or n.startswith(".")
            or (here / n).resolve() in (output.resolve(), *output.resolve().parents)
        }

    return ignore


def _open(path: Path) -> _Source:
    """Read one run folder or executed notebook, refusing what is incomplete or failed."""
    if path.suffix == ".ipynb" and not path.is_dir():
        notebook, folder = path, path.parent if path.name == EXECUTED else None
        if folder is not None and not any((folder / n).is_file() for n in _OF_A_RUN):
            folder = None
    elif path.is_dir() or not path.suffix:
        notebook, folder = path / EXECUTED, path
    else:
        raise RunError(f"{path}: expected a run folder or an executed notebook (.ipynb).")
    run = None if folder is None else runs_room.read(folder)
    if not notebook.is_file():
        raise RunError(f"{notebook}: expected the executed notebook; run it under papermill.")
    content = read_executed(notebook)
    noted = content.metadata.get("papermill", {})
    if run is None:
        parameters = dict(noted.get("parameters") or {})
        return _Source(notebook, content, path.stem, None, _telling(parameters), {})
    inputs = run.read_json("inputs.json") if "inputs.json" in run.checksums else {}
    stem = Path(str(inputs.get("notebook") or noted.get("input_path") or path.name)).stem
    return _Source(
        notebook, content, stem, folder, _telling(run.parameters), run.read_json("provenance.json")
    )


def _telling(parameters: Mapping) -> dict:
    return {k: v for k, v in parameters.items() if k not in PLACES}


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "run"


def _name(sources: Sequence[_Source]) -> list[Page]:
    """A name and a title of its own for each run."""
    times = Counter(s.stem for s in sources)
    pages = []
    for item in sources:
        name, title = _slug(item.stem), title_of(item.notebook) or item.stem.replace("_", " ")
        if times[item.stem] > 1:
            kin = [s.parameters for s in sources if s.stem == item.stem]
            if item.folder is not None:
                name = f"{name}-{_slug(item.folder.name)}"
            if differing := _differing(item, kin):
                title = f"{title.rstrip('.')} ({differing})"
        pages.append(Page(name, title, item.stem, item.parameters, item.provenance))
    twice = [n for n, count in Counter(p.name for p in pages).items() if count > 1]
    if twice:
        both = [str(s.path) for s, p in zip(sources, pages, strict=True) if p.name == twice[0]]
        raise RunError(f"two runs would both become the page '{twice[0]}': {', '.join(both)}.")
    return pages


def _differing(item: _Source, kin: Sequence[Mapping]) -> str:
    """What tells a run from others of its notebook: a few parameters, else its folder's name."""
    own = item.parameters

    def key(value) -> str:
        return json.dumps(value, sort_keys=True, default=str)

    names = [n for n in own if len({key(k.get(n)) for k in kin}) > 1]
    few = [n for n in names if n in IMPORTANT]
    if len({tuple(key(k.get(n)) for n in few) for k in kin}) == len(kin):
        names = few  # enough to tell them apart
    words = [
        f"{n.replace('_', ' ')} {own[n]}" if isinstance(own[n], int | float) else str(own[n])
        for n in names
        if not isinstance(own[n], list | dict) and own[n] != ""
    ]
    if len(words) > MOST_WORDS and item.folder is not None:
        return re.sub(r"[-_]+", " ", item.folder.name)
    return ", ".join(words)


def _strip(pages: Sequence[Page], roots: Mapping[str, str]) -> list[Page]:
    return [replace(p, provenance=strip_paths(p.provenance, roots)) for p in pages]


def _retitle(path: Path, title: str) -> None:
    config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    config["title"] = title
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
