"""A copy of the checkout and what its users do there: the whole road in little time."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PARTS = ("paraspine", "notebooks", "profiles", "book", "Snakefile")
PARTS += ("Makefile", "pyproject.toml", "constraints.txt")
#: Small networks, few epochs, resamples and members.
SHORT = {
    "epochs": 2,
    "width": 8,
    "layers": 1,
    "resamples": 100,
    "samples": 3,
    "fusions": "[majority]",
    "ensemble_seeds": "[1,2]",
    "draws": 20,
    "pool": 4,
    "most_raters": 3,
    "panels": 1,
    "noise_levels": "[14.0,56.0]",
    "bias_fields": "[1.0]",
    "measured_subjects": 9,
    "fusion_splits": 0,
}
#: The label-fusion study, small.
FUSION = {
    "fusion_splits": 1,
    "fusion_epochs": 2,
    "fusion_width": 4,
    "fusion_depth": 2,
    "fusion_max_size": 32,
}


def words_of(html):
    """The words of a page, without scripts and styles."""
    text = re.sub(r"<(script|style).*?</\1>", " ", html.read_text(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


@dataclass
class Road:
    """A copy of the checkout in ``folder``; its runs touch nobody's."""

    folder: Path

    def environment(self, **more):
        return {**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1", **more}

    def python(self, code):
        """Run Python in the copy."""
        subprocess.run(
            [sys.executable, "-c", code], cwd=self.folder, env=self.environment(), check=True
        )

    def call(self, *words, check=True):
        """Run ``python -m WORDS`` in the copy."""
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=self.environment(PARASPINE_ROOT=str(self.folder)),
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done

    def settings(self, **changes):
        """``name=value`` of the short settings."""
        return [f"{k}={v}" for k, v in {**SHORT, **changes}.items()]

    def make_book(self, manifest, **changes):
        """What ``make book`` calls, with the short settings."""
        return self.call(
            *("snakemake", "--cores", "2", "--quiet", "rules", "--config"),
            *("profile=quick", f"manifest={manifest}", *self.settings(**changes)),
        )

    def blocks(self, page, language):
        """Blocks of code of a page of the book by name, as a reader would copy them."""
        text = (self.folder / "book" / page).read_text()
        pattern = rf"```\{{code-block\}} {language}\n:name: (\S+)\n(.*?)```"
        blocks = dict(re.findall(pattern, text, re.S))
        assert blocks, page
        return blocks

    def page_code(self, page):
        """Run the Python blocks of a page, one after another."""
        self.python("\n".join(self.blocks(page, "python").values()))

    def type_in(self, block, **changes):
        """Run a block of commands as it is printed; make takes shorter settings from ``SET``."""
        environment = self.environment(CORES="2", SET=" ".join(self.settings(**changes)))
        for name in ("PARASPINE_ROOT", "VENV", "MANIFEST", "PROFILE", "MAKEFLAGS", "MAKELEVEL"):
            environment.pop(name, None)
        done = subprocess.run(
            ["sh", "-e", "-c", block],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done.stdout

    def html(self, workspace):
        """Folder of a book's pages."""
        return self.folder / "book" / "_build" / workspace / "html"

    def chapters(self, workspace):
        """Words of the executed notebooks' pages by name."""
        pages = sorted((self.html(workspace) / "executed").glob("*.html"))
        return {page.stem: words_of(page) for page in pages}


@pytest.fixture(scope="module")
def road(root, tmp_path_factory):
    """A copy of the checkout for the tests of one file."""
    folder = tmp_path_factory.mktemp("road") / "project"
    folder.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "_build", "executed", ".ipynb_checkpoints")
    for name in PARTS:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy(source, folder / name)
    # What `make env` would have made, so that the pages' commands run as they are printed.
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / ".installed").touch()
    return Road(folder)


@pytest.fixture(scope="session")
def fusion_study():
    """Settings of a small label-fusion study."""
    return FUSION


@pytest.fixture(scope="session")
def words():
    """The function that gives a page's words."""
    return words_of
