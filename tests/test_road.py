"""The whole road, small: manifest → check → every notebook → book → browser, on three cohorts.

The commands of the worked examples are taken from the book's own pages.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.notebooks, pytest.mark.book]

PARTS = ("paraspine", "notebooks", "profiles", "book", "Snakefile")
PARTS += ("Makefile", "pyproject.toml", "constraints.txt")
#: The same road in less time: small networks, few epochs, resamples and members.
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


def browser_check(html, screenshots):
    path = Path(__file__).parent / "book" / "browser.py"
    spec = importlib.util.spec_from_file_location("road_browser", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    chromium = module.find_chromium()
    if chromium is None:
        pytest.skip("no Chromium found: set PARASPINE_CHROMIUM or install it to open the book")
    return module.check(html, chromium=chromium, screenshots=screenshots)


@pytest.fixture(scope="module")
def project(root, tmp_path_factory):
    """A copy of the checkout, so that its runs touch nobody's."""
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
    return folder


def call(project, *words, check=True):
    environment = {
        **os.environ,
        "PYTHONPATH": str(project),
        "PARASPINE_ROOT": str(project),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done


def make_book(project, manifest, **changes):
    settings = [f"{k}={v}" for k, v in {**SHORT, **changes}.items()]
    return call(
        project,
        *("snakemake", "--cores", "2", "--quiet", "rules", "--config"),
        *("profile=quick", f"manifest={manifest}", *settings),
    )


def page_blocks(project, page, language):
    """Blocks of code of a page of the book by name, as a reader would copy them."""
    text = (project / "book" / page).read_text()
    pattern = rf"```\{{code-block\}} {language}\n:name: (\S+)\n(.*?)```"
    blocks = dict(re.findall(pattern, text, re.S))
    assert blocks, page
    return blocks


def page_code(project, page):
    """Run the Python blocks of a page, one after another."""
    code = "\n".join(page_blocks(project, page, "python").values())
    environment = {**os.environ, "PYTHONPATH": str(project)}
    subprocess.run([sys.executable, "-c", code], cwd=project, env=environment, check=True)


def type_in(project, block, **changes):
    """Run a block of commands as it is printed; make takes shorter settings from ``SET``."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(project),
        "OMP_NUM_THREADS": "1",
        "CORES": "2",
        "SET": " ".join(f"{k}={v}" for k, v in {**SHORT, **changes}.items()),
    }
    for name in ("PARASPINE_ROOT", "VENV", "MANIFEST", "PROFILE", "MAKEFLAGS", "MAKELEVEL"):
        environment.pop(name, None)
    done = subprocess.run(
        ["sh", "-e", "-c", block], cwd=project, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout


def words_of(html):
    text = re.sub(r"<(script|style).*?</\1>", " ", html.read_text(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def chapters(project, workspace):
    html = project / "book" / "_build" / workspace / "html"
    return {p.stem: words_of(p) for p in sorted((html / "executed").glob("*.html"))}


@pytest.fixture(scope="module")
def phantom_book(project):
    code = (
        "from paraspine import phantom;"
        "phantom.make_cohort('.', subjects=8, size=(96, 96), spacing=(1.87, 1.87),"
        " levels=('L3-L4', 'L5-S1'), images='data/phantom')"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        check=True,
    )
    shutil.rmtree(project / "data")  # as after a clone: only the manifest is there
    make_book(project, "data_manifest.csv", **FUSION)
    return project / "book" / "_build" / "quick" / "html"


def test_the_phantoms_images_come_back_and_every_chapter_is_there(project, phantom_book):
    found = chapters(project, "quick")
    assert set(found) >= {"01_cohort", "02_raters", "05_interrater", "06_calibration"}
    assert set(found) >= {"08_label_fusion", "11_truth", "12_noise", "14_phantom"}
    fused = sum(name.startswith("03_train-fusion") for name in found)
    assert fused == 9  # 6 candidates, 3 raters
    # 2 networks, 3 seeds; 2 networks with two tasks, one of them on a split by slice too
    assert sum(name.startswith("03_train") for name in found) - fused == 9
    assert "multi-task U-Net" in found["07_multitask"]
    assert sum(name.startswith("04_sample") for name in found) == 8  # 2 networks, 4 ways
    assert phantom_book.joinpath("index.html").is_file()


def test_every_number_of_the_phantom_says_synthetic(project, phantom_book):
    for name, text in chapters(project, "quick").items():
        assert "synthetic phantom" in text, name
    assert "synthetic phantom" in words_of(phantom_book / "index.html")


def test_every_table_and_figure_from_the_phantom_says_so(project, phantom_book):
    seen = {"tables": 0, "figures": 0}
    for page in (phantom_book / "executed").glob("*.html"):
        text = page.read_text()
        tables = re.findall(r"<table [^>]*dataframe.*?</table>", text, re.S)
        if page.stem == "13_published":  # the papers' own numbers are nobody's phantom
            assert sum("this run (" in t for t in tables) >= 10
            tables = [t for t in tables if "this run (" in t or "verdict" in t]
        found = {
            "tables": tables,
            "figures": re.findall(r'<script type="application/json".*?</script>', text, re.S),
        }
        for kind, items in found.items():
            assert all("synthetic phantom" in item for item in items), (page.name, kind)
            seen[kind] += len(items)
    assert seen["tables"] >= 30
    assert seen["figures"] >= 25


def test_no_page_shows_nan_or_a_path_of_this_machine(project, phantom_book):
    for page in phantom_book.rglob("*.html"):
        text = words_of(page)
        assert not re.search(r"\bnan\b", text, re.I), page.name
        assert str(project.parent) not in page.read_text(), page.name


def test_the_book_in_a_browser(phantom_book, tmp_path):
    report = browser_check(phantom_book, tmp_path)
    assert not report.problems, "\n".join(report.problems)
    assert len(report.pages) >= 20
    assert report.figures >= 30
    assert report.hovered == report.figures


def test_a_second_call_runs_no_notebook(project, phantom_book):
    before = {p: p.stat().st_mtime_ns for p in (project / "runs").rglob("notebook.ipynb")}
    assert len(before) == len(chapters(project, "quick"))
    done = make_book(project, "data_manifest.csv", **FUSION)
    assert "paraspine run" not in done.stdout + done.stderr
    after = {p: p.stat().st_mtime_ns for p in (project / "runs").rglob("notebook.ipynb")}
    assert after == before


def test_an_unknown_parameter_is_refused_before_anything_runs(project, phantom_book):
    done = call(
        project,
        *("snakemake", "--cores", "1", "--config", "profile=quick", "epoch=3"),
        check=False,
    )
    assert done.returncode != 0
    assert "no notebook declares epoch" in done.stdout + done.stderr


def test_a_stale_result_is_refused_by_the_book(project, phantom_book):
    image = next((project / "data" / "phantom").rglob("*_rater-a.nii.gz"))
    content = image.read_bytes()
    try:
        image.write_bytes(content + b"\0")
        done = call(
            project,
            *(
                "paraspine",
                "book",
                *(w for k, v in (SHORT | FUSION).items() for w in ("-p", f"{k}={v}")),
            ),
            check=False,
        )
    finally:
        image.write_bytes(content)
    assert done.returncode == 1
    assert "its input data_manifest.csv changed since it ran" in done.stderr
    assert phantom_book.joinpath("index.html").is_file()


def test_four_radiologists_and_two_ways_to_read_a_blank(project, shared_data, tmp_path):
    shutil.copytree(shared_data / "lidc-0181", project / "lidc-0181", dirs_exist_ok=True)
    subprocess.run(["chmod", "-R", "u+w", str(project / "lidc-0181")], check=True)
    page = "your-data-lidc.md"
    page_code(project, page)
    commands = page_blocks(project, page, "sh")
    short = {"leak_models": "[]"}  # the phantom's book has that part
    said = type_in(project, commands.pop("lidc-run"), fusions="[majority,random]", **short)
    assert "No problems." in said
    said = type_in(project, commands.pop("lidc-empty-run"), **short)
    assert not commands  # every block of commands was run
    assert "GT entropy" in said
    assert re.search("differs from|overlap in all|are not compared", said)
    blank = chapters(project, "quick-lidc-0181")
    empty = chapters(project, "quick-lidc-0181-rated-and-empty")
    assert "Counting them as rated and empty changes" in blank["02_raters"]
    assert "the question does not arise" in empty["02_raters"]
    assert "LIDC-IDRI-0181, one patient" in blank["05_interrater"]
    assert "synthetic" not in blank["05_interrater"]
    for words in ("two raters or more and so a variance map", "known for the phantom alone"):
        assert words in blank["07_multitask"]
    html = project / "book" / "_build" / "quick-lidc-0181" / "html"
    report = browser_check(html, tmp_path)
    assert not report.problems, "\n".join(report.problems)


def test_a_single_rater_leaves_out_what_cannot_be_measured(project, shared_data, tmp_path):
    folder = project / "myosegmentum"
    folder.mkdir(exist_ok=True)
    for name in ("water.nii.gz", "fat.nii.gz", "labels.nii.gz"):
        shutil.copyfile(shared_data / "myosegmentum-tum01" / name, folder / name)
    page = "your-data-myosegmentum.md"
    page_code(project, page)
    about = json.loads((folder / "data_manifest.json").read_text())
    assert about["parameters"]["split_by"] == "slice"
    commands = page_blocks(project, page, "sh")
    said = type_in(project, commands.pop("myosegmentum-run"), fusions="[majority,random]")
    assert not commands  # every block of commands was run
    assert "One rater only (lpm)" in said
    found = chapters(project, "quick-myosegmentum")
    assert sum(name.startswith("03_train") for name in found) == 1  # random = majority
    assert "one rater only" in found["02_raters"].lower()
    assert "one rater only" in found["05_interrater"].lower()
    assert "07_multitask" not in found
    assert "multi-task networks is left out" in words_of(
        project / "book" / "_build" / "quick-myosegmentum" / "html" / "provenance.html"
    )
    assert "stand on more than one side" in found["01_cohort"]
    assert not any(re.search(r"\bnan\b", text, re.I) for text in found.values())
    html = project / "book" / "_build" / "quick-myosegmentum" / "html"
    report = browser_check(html, tmp_path)
    assert not report.problems, "\n".join(report.problems)
