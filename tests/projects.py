"""A miniature project of two images, and a copy of the real one without images."""

import csv
import json
import shutil
import types

import numpy as np
import pytest

from paraspine import volumes
from paraspine.session.parameters import declared_parameters

PLACE = 'profile = "quick"\nrun_folder = ""\nmanifest_path = "data_manifest.csv"\n'

NUMBERS = (
    PLACE + "scale = 2.0",
    [
        "from paraspine.session import begin\n\nsession = begin('01_numbers', globals())",
        "cohort = session.cohort()",
        "session.run.write_json('total.json', scale * len(cohort))",
        "folder = session.finish()",
    ],
)
USE = (
    PLACE + 'scale = 2.0\nnumbers_run = ""\noffset = 1',
    [
        "import os\n\nfrom paraspine.session import begin, need\n"
        "session = begin('02_use', globals())",
        "first = need(session, '01_numbers', numbers_run)",
        "if offset < 0:\n    raise ValueError('offset: expected a positive number')",
        "if offset == 13:\n    os._exit(1)",
        "session.run.write_json('value.json', first.read_json('total.json') + offset)",
        "if offset != 77:\n    folder = session.finish()",
    ],
)
MANY = (
    PLACE + "scales = [1.0, 3.0]\nnumbers_runs = []",
    [
        "from paraspine.session import begin, need_each\n\nsession = begin('03_many', globals())",
        "numbers = need_each(session, '01_numbers', numbers_runs, [{'scale': s} for s in scales])",
        "session.run.write_json('all.json', [n.read_json('total.json') for n in numbers])",
        "folder = session.finish()",
    ],
)


def code_cell(source, tags=()):
    cell = {"cell_type": "code", "source": source, "outputs": [], "execution_count": None}
    return cell | {"metadata": {"tags": list(tags)} if tags else {}}


def write_notebook(path, parameters, code, title="# What is it?"):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": title},
        code_cell(parameters, ["parameters"]),
        *(code_cell(source) for source in code),
    ]
    cells = [cell | {"id": f"c{i}"} for i, cell in enumerate(cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(
        json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    )
    return path


def write_cohort(folder):
    """Two subjects of 6 x 6 pixels, rated by a and b."""
    rng = np.random.default_rng(0)
    rows = []
    for subject in ("p1", "p2"):
        row = {"subject": subject, "image": f"{subject}.nii.gz"}
        image = volumes.from_array(rng.integers(0, 99, (1, 6, 6)).astype(np.int16), (4, 1, 1))
        volumes.write(folder / row["image"], image)
        for rater in "ab":
            labels = rng.integers(0, 2, (1, 6, 6)).astype(np.uint8)
            row[f"rater_{rater}"] = f"{subject}_{rater}.nii.gz"
            volumes.write(folder / row[f"rater_{rater}"], volumes.from_array(labels, (4, 1, 1)))
        rows.append(row)
    path = folder / "data_manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    path.with_suffix(".json").write_text(
        '{"classes": {"0": "background", "1": "muscle"}, "name": "Two people"}'
    )
    return path


@pytest.fixture
def mini(tmp_path, monkeypatch):
    """The project with a `perform` that runs a notebook's cells in this process, in no time."""
    root = tmp_path / "project"
    for name in ("notebooks", "profiles"):
        (root / name).mkdir(parents=True)
    write_notebook(root / "notebooks" / "01_numbers.ipynb", *NUMBERS)
    write_notebook(root / "notebooks" / "02_use.ipynb", *USE)
    write_notebook(root / "notebooks" / "03_many.ipynb", *MANY)
    (root / "profiles" / "quick.yaml").write_text("scale: 2.0\n")
    write_cohort(root)
    monkeypatch.setenv("PARASPINE_ROOT", str(root))

    def notebook(name):
        return root / "notebooks" / f"{name}.ipynb"

    def perform(name, **given):
        """The run folder of a notebook, its cells executed one after another."""
        namespace = declared_parameters(notebook(name)) | given
        cells = json.loads(notebook(name).read_text())["cells"]
        for cell in cells:
            if cell["cell_type"] == "code" and not cell["metadata"].get("tags"):
                exec(compile(cell["source"], name, "exec"), namespace)
        return namespace["folder"]

    def edit(name, old, new):
        """Change the text of a notebook."""
        text = notebook(name).read_text()
        assert old in text
        notebook(name).write_text(text.replace(old, new))

    return types.SimpleNamespace(
        root=root,
        notebook=notebook,
        perform=perform,
        edit=edit,
        manifest=root / "data_manifest.csv",
        write_notebook=write_notebook,
    )


@pytest.fixture
def checkout(root, tmp_path, monkeypatch):
    """The project's notebooks, profiles and Snakefile."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("notebooks", "profiles"):
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns(".*"))
    shutil.copy(root / "Snakefile", folder)
    monkeypatch.setenv("PARASPINE_ROOT", str(folder))
    return folder
