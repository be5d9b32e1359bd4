"""The command line: answers in words, exit codes, no traceback."""

import csv
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from paraspine import volumes
from paraspine.cli import _knobs, app


@pytest.fixture
def cohort(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for s in range(3):
        image = volumes.from_array(rng.integers(0, 99, (1, 6, 6)).astype(np.int16), (4, 1, 1))
        labels = volumes.from_array(rng.integers(0, 2, (1, 6, 6)).astype(np.uint8), (4, 1, 1))
        volumes.write(tmp_path / f"{s}.nii.gz", image)
        volumes.write(tmp_path / f"{s}_A.nii.gz", labels)
        rows.append({"subject": f"p{s}", "image": f"{s}.nii.gz", "rater_A": f"{s}_A.nii.gz"})
    path = tmp_path / "cohort.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    path.with_suffix(".json").write_text('{"classes": {"0": "background", "1": "[b]MF[/b]"}}')
    return path


def invoke(*words):
    result = CliRunner().invoke(app, [str(w) for w in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


def test_check_a_good_manifest(cohort):
    code, text = invoke("check", cohort)
    assert code == 0, text
    for words in ("subjects │ 3", "images │ 3", "A (3 images)", "1 [b]MF[/b]", "One rater only"):
        assert words in text
    assert "No problems." in text
    code, text = invoke("check", cohort, "--no-files")
    assert code == 0
    assert "not opened" in text


def test_check_a_bad_one(cohort):
    (cohort.parent / "1_A.nii.gz").write_bytes(b"rubbish")
    (cohort.parent / "2.nii.gz").unlink()
    code, text = invoke("check", cohort)
    assert code == 1
    assert "2 problems" in text
    for words in ("3 │ rater_A", "cannot be read", "4 │ image", "no such file", "what to do"):
        assert words in text
    assert "Traceback" not in text
    assert invoke("check", cohort, "--no-files")[0] == 0


def test_check_shows_thirty_or_all(cohort):
    lines = ["subject,image"] + [f"p{i},{i}.x" for i in range(50)]
    cohort.write_text("\n".join(lines))
    code, text = invoke("check", cohort)
    assert code == 1
    assert "50 problems" in text
    assert "and 20 more; --all" in text
    assert "49.x" not in text
    assert "49.x" in invoke("check", cohort, "--all")[1]


def test_check_with_a_data_root(cohort, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "cohort.csv"
    other.write_bytes(cohort.read_bytes())
    other.with_suffix(".json").write_bytes(cohort.with_suffix(".json").read_bytes())
    assert invoke("check", other)[0] == 1
    assert invoke("check", other, "--data-root", cohort.parent)[0] == 0
    code, text = invoke("check", other, "--data-root", cohort.parent / "none")
    assert code == 1
    assert "Error:" in text
    assert "no such folder" in text


def test_check_what_is_not_there(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        code, text = invoke("check", path)
        assert code == 1
        assert "no such manifest" in text


def test_from_bids(tmp_path):
    rng = np.random.default_rng(0)
    image = volumes.from_array(rng.integers(0, 99, (1, 6, 6)).astype(np.int16), (4, 1, 1))
    labels = volumes.from_array(rng.integers(0, 2, (1, 6, 6)).astype(np.uint8), (4, 1, 1))
    volumes.write(tmp_path / "sub-1/anat/sub-1_T2w.nii.gz", image)
    code, text = invoke("from-bids", tmp_path)
    assert code == 1
    assert "Error:" in text
    assert "no label map" in text
    volumes.write(tmp_path / "derivatives/m/sub-1/anat/sub-1_desc-anna_dseg.nii.gz", labels)
    code, text = invoke("from-bids", tmp_path)
    assert code == 0, text
    assert "anna (1 image)" in text
    assert "paraspine check" in text
    assert invoke("check", tmp_path / "data_manifest.csv")[0] == 0
    assert invoke("from-bids", tmp_path / "none")[0] == 1


def test_knobs():
    assert _knobs(["a=3", "b-c=[1, 2]", "d=word", "e=0.5", "f=false"]) == {
        "a": 3,
        "b_c": (1, 2),
        "d": "word",
        "e": 0.5,
        "f": False,
    }
    code, text = invoke("phantom", "folder", "--knob", "novalue")
    assert code == 1
    assert "NAME=VALUE" in text


def test_phantom(tmp_path):
    code, text = invoke("phantom", tmp_path / "none.csv")
    assert code == 1
    assert "no such manifest" in text
    code, text = invoke("phantom", tmp_path / "c", "--subjects", 2, "--size", 64, "--spacing", 2.8)
    assert code == 0, text
    path = tmp_path / "c" / "data_manifest.csv"
    code, text = invoke("check", path)
    assert code == 0, text
    assert "synthetic" in text
    side = json.loads(path.with_suffix(".json").read_text())
    assert side["generator"]["name"] == "phantom"
    with path.open() as file:
        lost = path.parent / next(csv.DictReader(file))["image"]
    before = lost.read_bytes()
    lost.unlink()
    code, text = invoke("check", path)
    assert code == 1
    assert "paraspine phantom" in text
    code, text = invoke("phantom", path)
    assert code == 0, text
    assert lost.read_bytes() == before
    code, text = invoke("phantom", tmp_path / "d", "--knob", "nonsense=3")
    assert code == 1
    assert "nonsense" in text


def test_help_is_fast_and_light():
    started = time.perf_counter()
    code = (
        "import sys; from paraspine.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'monai', 'pandas', 'numpy', 'SimpleITK', 'pandera'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("check", "from-bids", "phantom"):
        assert name in done.stdout
    assert time.perf_counter() - started < 20


def test_version():
    assert invoke("--version")[1].startswith("paraspine ")


# --- notebooks, the book, books side by side -------------------------------------------------


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A top folder with one notebook that takes a moment."""

    def cell(kind, source, **more):
        empty = {"outputs": [], "execution_count": None} if kind == "code" else {}
        return {
            "cell_type": kind,
            "id": source[2:5],
            "metadata": {},
            "source": source,
            **empty,
        } | more

    code = (
        "from paraspine.session import begin\n"
        "session = begin('01_count', globals())\n"
        "session.run.write_json('count.json', [profile, number])\n"
        "folder = session.finish()"
    )
    parameters = 'profile = "quick"\nrun_folder = ""\nnumber = 3'
    cells = [
        cell("markdown", "# How many?"),
        cell("code", parameters, metadata={"tags": ["parameters"]}),
        cell("code", code),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for name in ("notebooks", "profiles"):
        (tmp_path / name).mkdir()
    (tmp_path / "notebooks" / "01_count.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    )
    (tmp_path / "profiles" / "small.yaml").write_text("number: 5\nepochs: 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PARASPINE_ROOT", raising=False)
    return tmp_path


def test_run_a_notebook_once(project):
    words = ("run", "notebooks/01_count.ipynb", "--profile", "small", "-p", "run_folder=runs/mine")
    code, text = invoke(*words)
    assert code == 0, text
    assert text.startswith("01_count: runs/mine (")
    assert text.endswith(" s)")
    assert json.loads((project / "runs/mine/count.json").read_text()) == ["small", 5]
    assert invoke(*words) == (0, "01_count: runs/mine (nothing to do)")


def test_run_refuses_in_words(project):
    code, text = invoke("run", "notebooks/01_count.ipynb", "-p", "numbr=3")
    assert code == 1
    assert text == "Error: 01_count.ipynb: unknown parameter 'numbr': did you mean 'number'?"
    code, text = invoke("run", "notebooks/01_count.ipynb", "-p", "number")
    assert (code, text) == (1, "Error: expected name=value, got 'number'.")
    code, text = invoke("run", "notebooks/01_count.ipynb", "--profile", "big")
    assert (code, text) == (1, "Error: profile 'big': not found; there are small.")
    code, text = invoke("run", "notebooks/02_none.ipynb")
    assert code == 1
    assert text.endswith("02_none.ipynb: no such notebook.")
    assert not (project / "runs").exists()


def test_book_and_summary_hand_on_what_was_typed(project, monkeypatch):
    given = []

    def build(profile, manifest, **changes):
        given.append((profile, manifest, changes))
        return project / "book" / "index.html"

    monkeypatch.setattr("paraspine.graph.build_book", build)
    code, text = invoke("book", "--manifest", "m.csv", "-p", "seeds=[0, 1]", "-p", "clip=null")
    assert (code, text) == (0, "The book: book/index.html")
    assert given == [("quick", "m.csv", {"seeds": [0, 1], "clip": None})]

    import pandas as pd

    from paraspine.graph.estimating import Estimate

    row = {"model": "unet", "trainings": 4, "slices": 84, "steps": 250, "seconds": 0.12345}
    found = Estimate(pd.DataFrame([row | {"hours": 0.75}]), 9, "a cohort")
    asked = []
    monkeypatch.setattr(
        "paraspine.graph.estimate", lambda *given, **more: asked.append((given, more)) or found
    )
    code, text = invoke("estimate", "--manifest", "m.csv", "-p", "epochs=3")
    assert code == 0
    assert asked == [(("paper", "m.csv"), {"steps": 3, "epochs": 3})]
    assert "unet 4 84 250 0.123 0.75" in text
    assert "a cohort: 4 trainings among 9 notebooks, 0.8 hours one after another" in text

    table = pd.DataFrame({"result": ["Dice"], "quick": ["0.9"], "paper": ["0.95"]})
    from paraspine.graph.summaries import Summary

    studies = []

    def summary(names, study):
        studies.append(study)
        return Summary(table[["result", *names]], "Words.")

    monkeypatch.setattr("paraspine.graph.summary", summary)
    code, text = invoke("summary", "quick", "paper", "--output", project / "summary.csv")
    assert (code, text) == (0, "result quick paper Dice 0.9 0.95 Words.")
    assert studies == ["interrater"]
    assert (project / "summary.md").read_text() == "Words.\n"
    assert (project / "summary.csv").read_text() == "result,quick,paper\nDice,0.9,0.95\n"


def test_book_and_summary_without_results_say_so(project):
    code, text = invoke("book", "--profile", "small")
    assert code == 1
    assert "there is no such manifest" in text
    code, text = invoke("summary", "small")
    assert (code, text) == (
        1,
        "Error: runs/small: there is no such workspace; make its book first.",
    )
