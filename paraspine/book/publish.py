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

from paraspine import __version__
from paraspine import runs as runs_room
from paraspine.arrays import RunError, SettingsError

from .citations import cite_box
from .configuration import configure
from .contents import fill_contents, fill_prose, read_contents
from .notebook import clean, default_roots, read_executed, strip_paths, title_of
from .overviews import ASIDE, run_name, samples_page, trainings_page, unique_names
from .provenance import Page, footer, parameter_lines, provenance_page
from .quotes import Quotes, glued
from .speed import read_record, speed_page

__all__ = ["Published", "publish"]

#: Name of the executed notebook in a run folder.
EXECUTED = "notebook.ipynb"
#: Parameters that say where things lie; they tell a reader nothing.
PLACES = ("run_folder",)
#: Parameters that stand in the line at a page's foot where a run has them.
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
    run: runs_room.Run | None = None


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
    """Write the source folder of a book: prose, executed notebooks, contents, generated pages.

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
        The benchmarks' ``results.json``, ``estimate.json`` beside it or not; it becomes the page
        ``speed``, which is left out where the file is absent.
    root : path, optional
        Top folder of the project: paths below it are shown relative, and its ``CHANGELOG.md``
        becomes a page. The working directory, and no such page, if left out.

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
    record = None if benchmarks is None else read_record(benchmarks)
    skeleton = read_contents(source / toc)
    roots = default_roots(root)
    sources = [_open(Path(run)) for run in runs]
    pages = _name(sources)
    aside = [p for p in pages if p.notebook in ASIDE]
    shutil.copytree(source, output, dirs_exist_ok=True, ignore=_ignore(output))
    (output / "executed").mkdir(exist_ok=True)
    values = {}
    for item, page in zip(sources, pages, strict=True):
        cleaned = clean(
            item.notebook,
            title=page.title,
            introduction=_introduction(page),
            appendix=parameter_lines(page.parameters, IMPORTANT),
            roots=roots,
            chapter=_chapter(page.name),
            aside=page in aside,
        )
        values[page.name] = glued(cleaned)
        text = nbformat.writes(cleaned)
        (output / "executed" / f"{page.name}.ipynb").write_text(text, encoding="utf-8")
    quotes = Quotes(values)
    names = [p.name for p in pages]
    keys = [f"{name}::{key}" for name, own in values.items() for key in own]
    box = "" if root is None else cite_box(Path(root) / "CITATION.cff")
    for path in sorted(output.rglob("*.md")):
        text = fill_prose(path.read_text(encoding="utf-8"), names, keys)
        text = quotes.fill(text).replace("% citation\n", box)
        path.write_text(text, encoding="utf-8")

    source_words = quotes.text("01_cohort", "cohort_source")
    made = {"trainings": None, "samples": None, "speed": None, "changelog": None}
    for notebook, write in (("03_train", trainings_page), ("04_sample", samples_page)):
        if own := [p for p in pages if p.notebook == notebook]:
            made[ASIDE[notebook]] = write(own, source_words)
    if record is not None:
        made["speed"] = strip_paths(speed_page(record), roots)
    changes = Path(root or ".") / "CHANGELOG.md"
    if root is not None and changes.is_file():
        made["changelog"] = changes.read_text(encoding="utf-8")
    there = [name for name, text in made.items() if text is not None] + ["provenance"]
    contents = fill_contents(
        skeleton,
        names,
        generated=there,
        absent=[name for name in made if name not in there],
        aside=[p.name for p in aside],
    )
    (output / "_toc.yml").write_text(
        "# Generated: the skeleton of the book with the runs that there are.\n"
        + yaml.safe_dump(contents.toc, sort_keys=False, allow_unicode=True),
        encoding="utf-8",
    )
    made["provenance"] = provenance_page(
        _strip(pages, roots), left_out=contents.left_out, notes=notes
    )
    for name in there:
        if (output / f"{name}.md").exists():
            raise SettingsError(f"{source / name}.md: this name is taken by the generated page.")
        (output / f"{name}.md").write_text(made[name], encoding="utf-8")
    configure(
        output,
        contents.toc,
        title=title,
        footer=footer(pages, __version__),
        keep=[f"executed/{p.name}" for p in aside],
    )
    return Published(output, tuple(pages), contents.left_out)


def _chapter(name: str) -> str:
    """``"5"`` of ``"05_interrater"``."""
    found = re.match(r"0*(\d+)_", name)
    return found[1] if found else ""


def _introduction(page: Page) -> str:
    """What stands under a page's title: of a training or sampling, the way back to all."""
    kind = ASIDE.get(page.notebook)
    return f"One of this book's [{kind}](../{kind}.md)." if kind else ""


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
    noted = run.read_json("provenance.json")
    return _Source(notebook, content, stem, folder, _telling(run.parameters), noted, run)


def _telling(parameters: Mapping) -> dict:
    return {k: v for k, v in parameters.items() if k not in PLACES}


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "run"


def _name(sources: Sequence[_Source]) -> list[Page]:
    """A name and a title of its own for each run."""
    of_notebook: dict[str, list[_Source]] = {}
    for item in sources:
        of_notebook.setdefault(item.stem, []).append(item)
    words = {id(s): w for kin in of_notebook.values() for s, w in _differing(kin)}
    pages = []
    for item in sources:
        name, title = _slug(item.stem), title_of(item.notebook) or item.stem.replace("_", " ")
        if len(of_notebook[item.stem]) > 1 and item.folder is not None:
            name = f"{name}-{_slug(item.folder.name)}"
        if words[id(item)]:
            title = f"{title.rstrip('.')} ({words[id(item)]})"
        pages.append(Page(name, title, item.stem, item.parameters, item.provenance, item.run))
    for notebook in ASIDE:
        kin = [i for i, p in enumerate(pages) if p.notebook == notebook]
        told = [run_name(pages[i].parameters, _record(sources[i])) for i in kin]
        folders = [pages[i].name.removeprefix(f"{notebook}-") for i in kin]
        for i, words_ in zip(kin, unique_names(told, folders), strict=True):
            pages[i] = replace(pages[i], title=words_) if told[kin.index(i)] else pages[i]
    twice = [n for n, count in Counter(p.name for p in pages).items() if count > 1]
    if twice:
        both = [str(s.path) for s, p in zip(sources, pages, strict=True) if p.name == twice[0]]
        raise RunError(f"two runs would both become the page '{twice[0]}': {', '.join(both)}.")
    return pages


def _record(source: _Source) -> dict | None:
    """How a sampling was made; None of anything else."""
    run = source.run
    there = run is not None and "sampling.json" in run.checksums
    return run.read_json("sampling.json") if there else None


def _differing(kin: Sequence[_Source]) -> list[tuple[_Source, str]]:
    """Say what tells each run of a notebook from the others; nothing where there is one.

    That is the parameters in which they differ, or where these are many, or not enough, the run's
    name.
    """

    def key(value) -> str:
        return json.dumps(value, sort_keys=True, default=str)

    every = dict.fromkeys(n for item in kin for n in item.parameters)
    keys = {n: [key(item.parameters.get(n)) for item in kin] for n in every}
    names = [n for n, values in keys.items() if len(set(values)) > 1]
    few = [n for n in names if n in IMPORTANT]
    if len(set(zip(*(keys[n] for n in few), strict=True))) == len(kin):
        names = few  # enough to tell them apart
    words = [", ".join(_say(item.parameters, names)) for item in kin]
    times = Counter(words)
    return [
        (item, item.folder.name)
        if item.folder is not None and (len(names) > MOST_WORDS or times[text] > 1)
        else (item, text)
        for item, text in zip(kin, words, strict=True)
    ]


def _say(parameters: Mapping, names: Iterable[str]) -> list[str]:
    said = {n: parameters.get(n, "") for n in names}
    return [
        f"{n.replace('_', ' ')} {value}" if isinstance(value, int | float) else str(value)
        for n, value in said.items()
        if not isinstance(value, list | dict) and value != ""
    ]


def _strip(pages: Sequence[Page], roots: Mapping[str, str]) -> list[Page]:
    return [replace(p, provenance=strip_paths(p.provenance, roots)) for p in pages]
