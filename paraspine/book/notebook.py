"""One executed notebook made fit for the book: checked, titled, freed of machine paths."""

from __future__ import annotations

import ast
import copy
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import nbformat

from paraspine.arrays import RunError

from .mime import PLOTLY, figure_caption
from .tables import number_captions, readable_tables

__all__ = [
    "check_executed",
    "clean",
    "default_roots",
    "inert",
    "read_executed",
    "strip_paths",
    "title_of",
]

#: What an explorer of slices has in its HTML.
EXPLORER = 'class="paraspine-explorer"'
WIDGET = "application/vnd.jupyter.widget-view+json"
HIDDEN_TAGS = ("parameters", "injected-parameters")
#: Folds of single cells: in the book one switch of the page shows all code or none.
FOLDS = ("hide-cell", "hide-input")

_PROGRESS = re.compile(r"\d+%\|.*?\||\b\d+(?:\.\d+)?\s?(?:it/s|s/it)\b|\bETA\b")
_NUMPY_SCALAR = re.compile(r"^np\.(?!ndarray|array)\w+\((.*)\)$", re.DOTALL)
_FOREIGN = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)\s*=\s*["']?(?:https?:)?//"""
)
#: Beginning of an HTML tag, and of a link that a browser would run.
_TAG = re.compile(r"<(?=[a-z/!?])", re.IGNORECASE)
_SCRIPT = re.compile(r"\](\(|:)\s*(?:javascript|vbscript|data)\s*:", re.IGNORECASE)
_HEADING = re.compile(r"^# +(.+?)\s*#*$", re.MULTILINE)
#: What stands above the parameters for who runs the notebook; a reader of the book has none.
HINT = "*Change these, then Run All.*"


def read_executed(path: Path | str) -> nbformat.NotebookNode:
    """Read a notebook file and refuse it unless every cell ran without an error.

    Raises
    ------
    RunError
        If the file is missing or no notebook, or as `check_executed`.
    """
    path = Path(path)
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except FileNotFoundError as error:
        raise RunError(f"{path}: expected an executed notebook, found no file.") from error
    except Exception as error:  # nbformat raises many types for a broken file
        raise RunError(f"{path}: not a notebook that can be read ({error}).") from error
    check_executed(notebook, name=path.name if path.stem != "notebook" else str(path))
    return notebook


def check_executed(notebook: Mapping, *, name: str = "notebook") -> None:
    """Raise `RunError` unless every code cell ran to its end without an error.

    Looks at error outputs (a cell tagged ``raises-exception`` may have one), at what papermill
    noted, at cells that were never executed, and at outputs that load files from another host.
    """
    notes = notebook["metadata"].get("papermill", {})
    if notes.get("exception"):
        raise RunError(f"{name}: papermill noted a failed execution; run it again.")
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] != "code":
            continue
        metadata = cell.get("metadata", {})
        allowed = "raises-exception" in metadata.get("tags", ())
        errors = [o for o in cell.get("outputs", ()) if o["output_type"] == "error"]
        if errors and not allowed:
            raise RunError(
                f"{name}: cell {number} failed with {errors[0]['ename']}: {errors[0]['evalue']}; "
                "mend it and run it again."
            )
        status = metadata.get("papermill", {}).get("status", "completed")
        if status != "completed" and not allowed:
            raise RunError(f"{name}: cell {number} is noted as '{status}'; run the notebook again.")
        if "".join(cell["source"]).strip() and cell.get("execution_count") is None:
            raise RunError(
                f"{name}: cell {number} was not executed; the book takes executed notebooks only."
            )
        _check_outputs(cell, f"{name}: cell {number}")


def _check_outputs(cell: Mapping, where: str) -> None:
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if PLOTLY not in data and _FOREIGN.search("".join(data.get("text/html", ""))):
            raise RunError(
                f"{where} shows HTML that loads a file from another host; for plotly figures set "
                "plotly.io.renderers.default = 'plotly_mimetype'."
            )


def title_of(notebook: Mapping) -> str | None:
    """Text of the first heading of the first level, None where there is none."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and (found := _HEADING.search("".join(cell["source"]))):
            return found[1]
    return None


def default_roots(root: Path | str | None = None) -> dict[str, str]:
    """Folders of this machine and what to write in their place.

    Parameters
    ----------
    root : path, optional
        Top folder of the project; paths below it become relative. The working directory if
        left out.
    """
    top = Path(root or Path.cwd()).resolve()
    pairs = [(top, "."), (Path.home(), "~"), (Path(sys.prefix), "<environment>")]
    pairs += [(Path(tempfile.gettempdir()), "<temporary>")]
    found: dict[str, str] = {}
    for folder, word in pairs:
        for path in {str(folder), str(folder.resolve())}:
            if path != "/":
                found.setdefault(path, word)
    return found


def _path_replacer(roots: Mapping[str, str]):
    ordered = sorted((r.rstrip("/\\") for r in roots), key=len, reverse=True)
    if not ordered:
        return lambda text: text
    words = {r.rstrip("/\\"): w for r, w in roots.items()}
    body = "|".join(map(re.escape, ordered))
    pattern = re.compile(rf"(?<![\w.~/-])(?:file://)?({body})(?![\w-]|\.\w)(/)?")

    def replace(match: re.Match) -> str:
        word, slash = words[match[1]], match[2] or ""
        return "" if word == "." and slash else word + slash

    return lambda text: pattern.sub(replace, text)


def strip_paths(value, roots: Mapping[str, str]):
    """Replace folders of this machine in every text of a nested value.

    Keys are searched too; binary data (``bdata``, images) is left as it is.

    Parameters
    ----------
    value : str, mapping, list or anything else
        Returned with the same types.
    roots : mapping
        As `default_roots` returns it.
    """
    return _walk(value, _path_replacer(roots))


def _walk(value, replace):
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, Mapping):
        return type(value)(
            {replace(k): v if _is_binary(k) else _walk(v, replace) for k, v in value.items()}
        )
    if isinstance(value, list):
        return [_walk(v, replace) for v in value]
    return value


def _is_binary(key: str) -> bool:
    return key == "bdata" or (key.startswith("image/") and key != "image/svg+xml")


def clean(
    notebook: Mapping,
    *,
    title: str,
    introduction: str = "",
    appendix: str = "",
    roots: Mapping[str, str] | None = None,
    chapter: str = "",
    aside: bool = False,
) -> nbformat.NotebookNode:
    """Return a copy of an executed notebook as it stands in the book.

    Parameters
    ----------
    notebook : notebook
        As `read_executed` returns it; left as it is.
    title : str
        Takes the place of the first heading (or becomes one).
    introduction : str
        Markdown that follows the title.
    appendix : str
        Markdown at the foot: the parameters.
    roots : mapping, optional
        Folders to `default_roots`-style words; every text of the notebook is searched for them.
    chapter : str
        Its tables and figures are numbered below this number; not at all where it is empty.
    aside : bool
        Whether the page stands outside of contents and search.

    Returns
    -------
    notebook
        Cells tagged ``parameters`` and ``injected-parameters`` and cells that only glue are marked
        to be removed; notes of papermill and of widgets, progress bars and machine paths are gone;
        glued NumPy scalars read as plain numbers, so that ``{glue:text}`` can format them.
    """
    result = copy.deepcopy(nbformat.from_dict(notebook))
    kept = {k: result.metadata[k] for k in ("kernelspec", "language_info") if k in result.metadata}
    kept.setdefault(
        "kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"}
    )
    if aside:
        kept |= {"orphan": True, "nosearch": True}
    result.metadata = nbformat.from_dict(kept)
    result.cells = [c for c in result.cells if not _is_papermill_marker(c) and c.source != HINT]
    tables, figures = _numbers(chapter), _numbers(chapter)
    for cell in result.cells:
        for key in ("papermill", "execution", "ExecuteTime", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in map(_clean_output, cell.outputs) if o is not None]
            for output in cell.outputs:
                _number(output, tables, figures, cell.metadata.get("caption", ""))
            tags = [t for t in cell.metadata.get("tags", ()) if t not in FOLDS]
            if set(tags) & set(HIDDEN_TAGS) or _only_glues(cell.source):
                tags += ["remove-cell"] if "remove-cell" not in tags else []
            if tags or "tags" in cell.metadata:
                cell.metadata["tags"] = tags
    _set_title(result, title, introduction)
    if appendix:
        result.cells.append(nbformat.v4.new_markdown_cell(appendix))
    return strip_paths(result, default_roots() if roots is None else roots)


def _is_papermill_marker(cell: Mapping) -> bool:
    return "papermill-error-cell-tag" in cell.get("metadata", {}).get("tags", ())


def _only_glues(source: str) -> bool:
    """Whether a cell does nothing but put values aside for the prose."""
    try:
        lines = ast.parse(source).body
    except SyntaxError:  # a magic of IPython
        return False
    calls = [line.value for line in lines if isinstance(line, ast.Expr)]
    glued = [c for c in calls if isinstance(c, ast.Call) and ast.unparse(c.func) == "glue"]
    return bool(lines) and len(glued) == len(lines)


def _numbers(chapter: str) -> Iterator[str]:
    """5.1, 5.2 and so on."""
    number = 0
    while True:
        number += 1
        yield f"{chapter}.{number}" if chapter else ""


def _number(output, tables: Iterator[str], figures: Iterator[str], caption: str) -> None:
    """Number an output's tables and captioned figures, in place; make its tables readable.

    A figure without a caption in its cell's metadata has its number in its title or the text.
    """
    data = output.get("data")
    if data is None or output.metadata.get("scrapbook"):
        return
    if PLOTLY in data:
        if caption:
            own = {"number": next(figures), "caption": caption}
            data[PLOTLY]["paraspine"] = {k: v for k, v in own.items() if v}
        return
    text = readable_tables("".join(data.get("text/html", "")))
    if not text:
        return
    if EXPLORER in text and caption:
        words = figure_caption(next(figures), caption)
        text += f'<p class="paraspine-caption">{words}</p>'
    data["text/html"] = number_captions(text, tables)


def _set_title(notebook: nbformat.NotebookNode, title: str, introduction: str) -> None:
    heading = f"# {inert(title)}"
    top = f"{heading}\n\n{introduction}".rstrip()
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and _HEADING.search(cell.source):
            before, _, after = _HEADING.sub("\0", cell.source, count=1).partition("\0")
            rest = "\n\n".join(part.strip() for part in (before, after) if part.strip())
            cell.source = f"{top}\n\n{rest}".rstrip()
            notebook.cells.insert(0, notebook.cells.pop(place))
            return
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(top))


def _clean_output(output):
    if output.output_type == "stream":
        text = _clean_stream("".join(output.text), progress=output.name == "stderr")
        if not text.strip():
            return None
        output.text = text
        return output
    data = output.get("data")
    if data is None:
        return output
    if WIDGET in data:  # a progress bar or a slider: dead in a page
        return None
    if PLOTLY in data:
        data.pop("text/html", None)
    for key in (key for key in data if key.endswith("text/markdown")):
        data[key] = inert("".join(data[key]))
    name = output.metadata.get("scrapbook")
    if name:
        for key in data:
            if key.endswith("text/plain"):
                data[key] = _plain("".join(data[key]))
    return output


def inert(words: str) -> str:
    """Markdown in which no tag and no script stands: words of data are words, never markup."""
    return _SCRIPT.sub(r"]\1", _TAG.sub("&lt;", words))


def _clean_stream(text: str, *, progress: bool) -> str:
    lines: Iterable[str] = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))
    if progress:
        lines = (line for line in lines if not _PROGRESS.search(line))
    return "\n".join(lines)


def _plain(text: str) -> str:
    """``np.float64(0.93)`` as ``0.93``."""
    if text in ("np.True_", "np.False_"):
        return text[3:-1]
    found = _NUMPY_SCALAR.match(text)
    return found[1] if found else text
