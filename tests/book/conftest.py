"""A small book: prose, formulas, and notebooks whose outputs are set by hand."""

import json
import shutil
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from paraspine import runs


def code(source: str, *outputs, tags=(), count=1, **metadata):
    """A code cell as papermill leaves it."""
    metadata = {
        "tags": list(tags),
        "papermill": {"status": "completed", "exception": False},
    } | metadata
    return new_code_cell(source, execution_count=count, outputs=list(outputs), metadata=metadata)


def shown(data: dict, **metadata):
    """What ``display`` leaves."""
    return new_output("display_data", data=data, metadata=metadata)


def glued(name: str, text: str):
    """What ``myst_nb.glue(name, value, display=False)`` leaves."""
    prefix = "application/papermill.record/"
    return shown({f"{prefix}text/plain": text}, scrapbook={"name": name, "mime_prefix": prefix})


def figure(fig):
    """What a plotly figure leaves."""
    return shown({"application/vnd.plotly.v1+json": json.loads(fig.to_json()) | {"config": {}}})


def notebook(*cells, title="Question?", parameters=None, **metadata):
    """An executed notebook with a title, a parameters cell and the given cells."""
    first = [new_markdown_cell(f"# {title}\n\nSome words.")]
    first += [code("model = 'unet'", tags=["parameters"])]
    if parameters:
        text = "\n".join(f"{k} = {v!r}" for k, v in parameters.items())
        first += [code(text, tags=["injected-parameters"])]
    return new_notebook(
        cells=[*first, *cells],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "papermill": {"exception": None, "parameters": parameters or {}} | metadata,
        },
    )


@pytest.fixture(scope="session")
def make():
    """The helpers above, by name."""
    from types import SimpleNamespace

    return SimpleNamespace(
        code=code, shown=shown, glued=glued, figure=figure, notebook=notebook, run=run, book=book
    )


def run(folder: Path, content, *, name="05_measure", parameters=None, complete=True) -> Path:
    """A run folder with its executed notebook, as the runner leaves it."""
    opened = runs.start(folder, parameters or {"model": "unet", "run_folder": "x"})
    opened.write_json("inputs.json", {"notebook": f"{name}.ipynb", "inputs": {}})
    if complete:
        opened.finish({"data_manifest.csv": "ab" * 32}, started=time.time() - 83)
    nbformat.write(content, folder / "notebook.ipynb")
    return folder


def book(folder: Path, root: Path, *, pages: dict[str, str], toc: str | None = None) -> Path:
    """A book source with the project's own configuration and the given prose pages."""
    folder.mkdir(parents=True)
    shutil.copy(root / "book" / "_config.yml", folder)
    shutil.copytree(root / "book" / "_static", folder / "_static")
    (folder / "references.bib").write_text(
        "@misc{warfield2004, author={Warfield, Simon}, title={STAPLE}, year={2004}}",
        encoding="utf-8",
    )
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    names = [n for n in pages if n != "index"]
    default = "format: jb-book\nroot: index\nparts:\n- caption: Results\n  chapters:\n"
    default += "  - glob: executed/*\n- caption: Words\n  chapters:\n"
    default += "".join(f"  - file: {n}\n" for n in names) + "  - file: provenance\n"
    (folder / "_toc.yml").write_text(toc or default, encoding="utf-8")
    return folder
