"""Overview of the notebooks: needs from the plan, times from the runs."""

import json
import shutil

import pytest

from paraspine import graph, runs
from paraspine.arrays import SettingsError


@pytest.fixture
def checkout(checkout, root):
    """The checkout with the phantom's manifest."""
    for name in ("data_manifest.csv", "data_manifest.json"):
        shutil.copy(root / name, checkout)
    return checkout


def cells_of(text):
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| [")]
    return {name.split("]")[0].strip("["): cells for name, *cells in lines}


def finish(checkout, name, seconds):
    """A complete run of a job that noted so many seconds."""
    job = next(job for job in graph.make_plan(root=checkout) if job.name == name)
    run = runs.start(checkout / job.folder, {})
    run.finish(durations={"total_seconds": seconds})
    return run.folder


def test_what_notebooks_answer_and_need(checkout):
    cells = cells_of(graph.overview(root=checkout))
    assert list(cells) == sorted({job.notebook for job in graph.make_plan(root=checkout)})
    assert cells["01_cohort"] == ["Who is in the cohort?", "the images", *["no run yet"] * 2]
    assert [cells[name][1] for name in ("02_raters", "04_sample", "05_interrater")] == [
        "01",
        "01, 03",
        "01, 03, 04",
    ]


def test_times_are_those_of_complete_runs(checkout):
    finish(checkout, "cohort", 20.4)
    finish(checkout, "raters", 100.0)
    cells = cells_of(graph.overview(root=checkout))
    assert cells["01_cohort"][2:] == ["20 s (1 run)"] * 2
    assert cells["02_raters"][2:] == ["2 min (1 run)", "2 min (2 runs)"]
    assert cells["14_phantom"][2:] == ["no run yet", "20 s (1 of 2 runs)"]
    folder = finish(checkout, "train-unet-random-seed0", 7.0)
    trainings = sum(job.notebook == "03_train" for job in graph.make_plan(root=checkout))
    assert cells_of(graph.overview(root=checkout))["03_train"][2] == f"7 s (1 of {trainings} runs)"
    (folder / "complete.json").unlink()
    assert cells_of(graph.overview(root=checkout))["03_train"][2] == "no run yet"


def test_the_book_and_what_a_cohort_leaves_out(checkout):
    said = graph.overview(root=checkout)
    assert said.endswith("The book is not built yet: `make book`.")
    page = checkout / graph.make_plan(root=checkout).page
    page.parent.mkdir(parents=True)
    page.touch()
    sidecar = json.loads((checkout / "data_manifest.json").read_text())
    del sidecar["generator"]
    (checkout / "data_manifest.json").write_text(json.dumps(sidecar))
    plan = graph.make_plan(root=checkout)
    assert plan.notes
    said = graph.overview(root=checkout)
    assert f"\nThe book is in `{plan.page}`." in said
    assert [line for line in said.splitlines() if line.startswith("Left out: ")] == [
        f"Left out: {note}" for note in plan.notes
    ]
    with pytest.raises(SettingsError):
        graph.overview("none", root=checkout)
