"""The experiment graph, the book's gate and books side by side, on the project's own notebooks."""

import itertools
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from paraspine import runs, studies
from paraspine.anatomy import LEVELS
from paraspine.arrays import ManifestError, RunError, SettingsError
from paraspine.evidence.plan import conditions, trainings
from paraspine.graph.assignments import parse_assignment
from paraspine.graph.plan import make_plan
from paraspine.graph.publishing import build_book
from paraspine.graph.studies import all_studies
from paraspine.graph.summaries import summary, write_summary
from paraspine.session.digests import fingerprint
from paraspine.session.parameters import declared_parameters
from paraspine.session.profile import load_profile, upstream_parameters
from paraspine.studies.label_fusion.plan import fusion_trainings
from paraspine.studies.multitask.plan import multitask_study
from tests.projects import write_notebook

ROOT = Path(__file__).resolve().parents[2]
#: What a plan says of a cohort whose raters and images are not simulated.
LEFT_OUT = (
    "11_truth, 12_noise, 14_phantom: left out, because what raters in general would say is known, "
    "and the noise of an image can be set, only where both are simulated (the synthetic phantom's "
    "slices)."
)
#: What the quick profile of these tests runs, whatever the project's own does.
SMALL = {
    "models": ["unet"],
    "fusions": ["majority", "random"],
    "seeds": [0],
    "methods": ["single", "dropout"],
    "ensemble_seeds": [],
    "fusion_splits": 0,
}


@pytest.fixture
def checkout(checkout):
    """The checkout with a small profile and a manifest that names no real file."""
    profile = checkout / "profiles" / "quick.yaml"
    profile.write_text(yaml.safe_dump(load_profile(profile) | SMALL, sort_keys=False))
    manifest(checkout, "data_manifest.csv")
    return checkout


def manifest(folder, where, raters="ab", **sidecar):
    path = folder / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"subject,image,{','.join(f'rater_{r}' for r in raters)}\n")
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return where


def values_of(root, job):
    return declared_parameters(root / "notebooks" / f"{job.notebook}.ipynb") | job.parameters


def fake(root, plan):
    """Complete runs with nothing in them, fresh for the plan's parameters, and their markers."""
    for job in plan:
        values = values_of(root, job)
        values.pop("run_folder")
        run = runs.start(root / job.folder, values, overwrite=True)
        code = fingerprint(root / "notebooks" / f"{job.notebook}.ipynb")
        about = {"notebook": f"{job.notebook}.ipynb", "fingerprint": code, "inputs": {}}
        run.write_json("inputs.json", about)
        run.finish()
        (root / job.folder / "notebook.ipynb").write_text("{}")
        marker = root / plan.marker(job.name)
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()


def edit(root, name):
    """Change the code of a notebook."""
    path = root / "notebooks" / f"{name}.ipynb"
    book = json.loads(path.read_text())
    book["cells"][-1]["source"] = [*book["cells"][-1]["source"], "\n# edited"]
    path.write_text(json.dumps(book))


# --- the plan --------------------------------------------------------------------------------


def test_every_combination_is_trained_and_every_way_sampled(checkout):
    plan = make_plan("quick", root=checkout, seeds=[0, 3])
    names = [job.name for job in plan]
    keys = [f"unet-{fusion}-seed{seed}" for fusion in ("majority", "random") for seed in (0, 3)]
    sampled = [f"sample-{key}-{way}" for key in keys for way in ("single", "dropout")]
    assert [n for n in names if n.startswith("train-unet")] == [f"train-{key}" for key in keys]
    assert [n for n in names if n.startswith("sample-")] == sampled
    assert len(set(names)) == len(names)
    assert len({job.folder for job in plan}) == len(names)

    jobs = {job.name: job for job in plan}
    assert jobs["train-unet-random-seed3"].after == ("cohort",)
    assert jobs["sample-unet-random-seed3-single"].after == ("train-unet-random-seed3",)
    assert jobs["interrater"].after == tuple(sampled) == jobs["calibration"].after
    for place, job in enumerate(plan):
        assert set(job.after) <= set(names[:place]), job.name
    trains = [n for n in names if "-" in n or n == "multitask"]
    assert [job.name for job in plan if job.trains] == trains

    chosen = jobs["sample-unet-random-seed3-single"].parameters
    assert {k: chosen[k] for k in ("model", "fusion", "seed", "method", "profile")} == {
        "model": "unet",
        "fusion": "random",
        "seed": 3,
        "method": "single",
        "profile": "quick",
    }
    assert jobs["interrater"].parameters["seeds"] == [0, 3]
    assert "run_folder" not in chosen


def test_an_ensembles_members_are_trained_once_and_sampled_together(checkout):
    changes = {
        "methods": ["dropout", "ensemble"],
        "ensemble_seeds": [0, 4, 5],
        "fusions": ["random"],
    }
    jobs = {job.name: job for job in make_plan("quick", root=checkout, **changes)}
    trained = [f"train-unet-random-seed{s}" for s in (0, 4, 5)]
    assert [name for name in jobs if name.startswith("train-unet-random")] == trained
    ensemble = jobs["sample-unet-random-seed0-ensemble"]
    assert ensemble.after == tuple(trained)
    assert ensemble.parameters["members"] == [0, 4, 5]
    assert jobs["sample-unet-random-seed0-dropout"].parameters["members"] == []
    for members in ([], [3], [3, 3]):
        with pytest.raises(SettingsError, match="ensemble needs two or more different seeds"):
            make_plan("quick", root=checkout, **changes | {"ensemble_seeds": members})


def test_conditions_of_a_study():
    found = conditions(["a", "b"], ["random"], [7, 8], ["ensemble", "tta"], [1, 2])
    assert [(c["model"], c["seed"], c["method"], c["members"]) for c in found] == [
        ("a", 7, "tta", []),
        ("a", 8, "tta", []),
        ("b", 7, "tta", []),
        ("b", 8, "tta", []),
        ("a", 7, "ensemble", [1, 2]),
        ("b", 7, "ensemble", [1, 2]),
    ]
    assert {c["fusion"] for c in found} == {"random"}
    both = conditions(["a"], ["random", "majority"], [0], ["ensemble"], [1, 2])
    assert [c["fusion"] for c in both] == ["majority"]


def test_samples_and_trainings_share_every_parameter_of_the_training(checkout):
    jobs = {job.name: values_of(checkout, job) for job in make_plan("quick", root=checkout)}
    trained, sampled = jobs["train-unet-random-seed0"], jobs["sample-unet-random-seed0-single"]
    assert {k: sampled[k] for k in trained} == trained
    study = jobs["interrater"]
    shared = set(sampled) & set(study)
    assert {k: sampled[k] for k in shared} == {k: study[k] for k in shared}


def test_the_multitask_study_shares_the_trainings_whose_settings_agree(checkout):
    changes = {"methods": ["single", "ensemble"], "ensemble_seeds": [0, 1]}
    jobs = {job.name: job for job in make_plan("quick", root=checkout, **changes)}
    apart = [name for name in jobs if name.startswith("train-multitask")]
    first = "train-multitask_unet-majority-seed0"
    assert apart == [first, f"{first}-by-slice"]
    assert jobs["multitask"].after == (
        apart[0], "train-unet-majority-seed0", "train-unet-majority-seed1", apart[1],
    )  # fmt: skip
    assert jobs[apart[0]].parameters["split_by"] == "subject"
    assert jobs[apart[1]].parameters["split_by"] == "slice"
    assert len([name for name in jobs if name.startswith("train-")]) == 5
    for job in jobs["multitask"].after:
        assert list(jobs).index(job) < list(jobs).index("multitask")


def test_multitask_settings_of_their_own_need_trainings_of_their_own(checkout):
    changes = {"multitask_epochs": 5, "multitask_mirror": 0.5, "multitask_variance_loss": "l1"}
    jobs = {job.name: job for job in make_plan("quick", root=checkout, **changes)}
    alone, both = "train-unet-majority-seed0-multitask", "train-multitask_unet-majority-seed0"
    assert alone in jobs["multitask"].after
    assert jobs["multitask"].parameters["multitask_epochs"] == 5
    for name in (alone, both):
        assert jobs[name].parameters["epochs"] == 5
        assert jobs[name].parameters["mirror"] == 0.5
    assert jobs[both].parameters["variance_loss"] == "l1"
    assert "variance_loss" not in jobs[alone].parameters
    other = jobs["train-unet-majority-seed0"].parameters
    assert other["epochs"] == load_profile(checkout / "profiles" / "quick.yaml")["epochs"]
    assert "mirror" not in other
    assert len({job.folder for job in jobs.values()}) == len(jobs)


def test_the_notebook_asks_for_what_the_plan_trains(checkout):
    """07 finds each of its networks among the plan's trainings."""
    changes = {"multitask_epochs": 5, "models": ["unet", "transunet"]}
    plan = make_plan("quick", root=checkout, **changes)
    jobs = {job.name: job for job in plan}
    own = values_of(checkout, jobs["multitask"])
    trained = [values_of(checkout, job) for job in plan if job.notebook == "03_train"]
    declared = declared_parameters(checkout / "notebooks" / "03_train.ipynb")
    study = multitask_study(own)
    assert {part: len(choices) for part, choices in study.items()} == {
        "together": 2, "alone": 2, "leak": 2,
    }  # fmt: skip
    for choice in itertools.chain(*study.values()):
        shared = {k: v for k, v in own.items() if k in declared}
        assert declared | shared | choice in trained


def asked_for(root, name, own):
    """What a chapter with these parameters asks for by itself: (notebook, all its parameters)."""
    if name == "07_multitask":
        choices = [("03_train", one) for part in multitask_study(own).values() for one in part]
    elif name == "08_label_fusion":
        choices = [("03_train", one) for one in fusion_trainings(own, "abc", ["n", "s"])]
    elif name == "12_noise":
        choices = [("03_train", {})]
    elif name == "13_published":
        choices = [("05_interrater", {})]
    else:
        keys = ("models", "fusions", "seeds", "methods", "ensemble_seeds")
        wanted = conditions(*(own[key] for key in keys))
        choices = [("04_sample", one) for one in wanted]
        if name == "11_truth":
            choices = [("03_train", one) for one in trainings(wanted)]
    found = []
    for upstream, chosen in choices:
        path = root / "notebooks" / f"{upstream}.ipynb"
        values = declared_parameters(path) | upstream_parameters(path, own, chosen)
        found.append((upstream, values))
        for one in values.get("members") or ([values["seed"]] if upstream == "04_sample" else []):
            train = root / "notebooks" / "03_train.ipynb"
            given = upstream_parameters(train, values, {"seed": one})
            found.append(("03_train", declared_parameters(train) | given))
    return found


@pytest.fixture
def rich(checkout):
    """The manifest of a phantom with three raters and two centres, and parameters of its own."""
    own = {"width": 8, "resamples": 50, "fusion_splits": 2, "bins": 7, "max_size": 64}
    path = checkout / "rich.csv"
    rows = [f"s{i},{i},{'ns'[i % 2]},x,x,x\n" for i in range(6)]
    path.write_text("subject,image,center,rater_a,rater_b,rater_c\n" + "".join(rows))
    block = {"name": "Rich", "generator": {"name": "phantom"}, "parameters": own}
    path.with_suffix(".json").write_text(json.dumps(block))
    return path.name


@pytest.mark.parametrize("profile", ["quick", "paper"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"epochs": 50, "bins": 5, "samples": 4, "seeds": [0, 1], "noise": 0.2, "width": 6},
        {"multitask_epochs": 5, "fusion_width": 4, "clip": None, "precision": "float32"},
    ],
)
def test_every_chapter_asks_for_what_the_plan_makes(checkout, rich, profile, changes):
    """Whatever the profile, the cohort and the user say, nothing is trained twice."""
    small = load_profile(checkout / "profiles" / "paper.yaml")
    small |= {"ensemble_seeds": [1, 2], "fusion_by_center": True}
    (checkout / "profiles" / "paper.yaml").write_text(yaml.safe_dump(small))
    plan = make_plan(profile, rich, root=checkout, **changes)
    jobs = {job.name: job for job in plan}
    assert len(plan.jobs) == len(jobs)
    made = {name: (job.notebook, values_of(checkout, job)) for name, job in jobs.items()}
    for name in ("interrater", "calibration", "multitask", "label_fusion", "truth", "noise"):
        job = jobs[name]
        asked = asked_for(checkout, job.notebook, values_of(checkout, job))
        before = [made[one] for one in job.after]
        assert all(one in asked for one in before), name
        assert all(one in made.values() for one in asked), name
    published = jobs["published"]
    ((_, comparison),) = asked_for(checkout, "13_published", values_of(checkout, published))
    beside = ("multitask", "label_fusion", "noise")
    assert published.after == ("interrater", *beside)
    assert published.parameters["beside_runs"] == [jobs[name].folder for name in beside]
    assert comparison == made["interrater"][1]


def test_a_chapter_by_itself_finds_the_books_runs(checkout):
    """With its defaults under papermill, where the book is that of the quick profile."""
    profile = checkout / "profiles" / "quick.yaml"
    values = load_profile(profile) | {"epochs": 3, "fusion_splits": 1, "bins": 6}
    defaults = declared_parameters(checkout / "notebooks" / "05_interrater.ipynb")
    grid = {name: defaults[name] for name in SMALL if name in defaults}
    profile.write_text(yaml.safe_dump(values | grid))
    plan = make_plan("quick", root=checkout)
    made = [(job.notebook, values_of(checkout, job)) for job in plan]
    assert {values["epochs"] for name, values in made if name == "04_sample"} == {3}
    for name in ("05_interrater", "06_calibration", "07_multitask", "11_truth", "13_published"):
        own = declared_parameters(checkout / "notebooks" / f"{name}.ipynb")
        asked = asked_for(checkout, name, own)
        assert asked
        assert all(one in made for one in asked), name


def test_a_chapter_is_given_the_changes_that_its_trainings_take(checkout, rich):
    profile = load_profile(checkout / "profiles" / "quick.yaml")
    changes = {"epochs": 50, "bins": 5, "clip": profile["clip"], "noise": 0.2, "draws": 3}
    changes |= {"width": "8"}  # that of the cohort
    jobs = {job.name: job for job in make_plan("quick", rich, root=checkout, **changes)}
    given = {name: job.parameters.get("training") for name, job in jobs.items() if "-" not in name}
    both = {"epochs": 50, "bins": 5, "noise": 0.2}
    assert given == {
        "cohort": None, "raters": None, "phantom": None,
        "label_fusion": {"epochs": 50, "noise": 0.2},
        "interrater": both, "calibration": both, "published": both,
        "multitask": {"epochs": 50, "noise": 0.2},
        "truth": {"epochs": 50, "noise": 0.2}, "noise": {"epochs": 50, "noise": 0.2},
    }  # fmt: skip
    assert jobs["truth"].parameters["draws"] == 3
    job = jobs["sample-unet-random-seed0-single"].parameters
    assert {k: job[k] for k in ("epochs", "bins", "noise", "width")} == both | {"width": 8}
    words = dict(parse_assignment(word) for word in jobs["interrater"].arguments()[2::2])
    assert words["training"] == both


PLAN = """
from paraspine.evidence.plan import Request, Study, Wanted

def wanted(values, cohort):
    if cohort.subjects:
        return Wanted(notes=("{chapters}: too many.",))
    return Wanted((Request("extra", "09_extra", ("interrater",), {"size": 3}),))

STUDY = Study("09_extra", wanted, {"loss": "extra_loss"})
"""


def test_a_study_is_a_folder_and_a_notebook(checkout, tmp_path, monkeypatch):
    room = tmp_path / "more" / "extra"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text("")
    (room / "plan.py").write_text(PLAN)
    (tmp_path / "more" / "no_chapter").mkdir()
    (tmp_path / "more" / "no_chapter" / "__init__.py").write_text("")
    declared = "profile = 'quick'\nrun_folder = ''\nmanifest_path = ''\nsize = 1\nextra_loss = ''"
    write_notebook(checkout / "notebooks" / "09_extra.ipynb", declared, [])
    monkeypatch.setattr(studies, "__path__", [*studies.__path__, str(tmp_path / "more")])
    plan = make_plan("quick", root=checkout, extra_loss="dice")
    (job,) = [job for job in plan if job.name == "extra"]
    assert (job.folder, job.after) == ("runs/quick/extra/extra", ("interrater",))
    assert job.parameters["size"] == 3
    assert job.parameters["extra_loss"] == "dice"
    names = [job.name for job in plan]
    assert names.index("multitask") < names.index("extra") < names.index("published")
    with pytest.raises(SettingsError, match="cannot be given for all trainings; give extra_loss"):
        make_plan("quick", root=checkout, loss="dice")
    some = filled(checkout, "some.csv", "s1,1,x,x")
    assert make_plan("quick", some, root=checkout).notes[-1] == "09_extra: too many."


def test_chapters_come_as_their_notebooks_are_numbered():
    numbered = [study.notebook for study in all_studies()]
    assert numbered == sorted(numbered)
    notebooks = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {"00_start", "03_train", "04_sample", *numbered} == notebooks
    folders = {p.parent.name for p in (ROOT / "paraspine" / "studies").glob("*/__init__.py")}
    assert {name.split("_", 1)[1] for name in numbered} == folders


def test_planning_imports_the_plans_of_the_studies_alone(checkout):
    code = (
        "import sys; from paraspine.graph import make_plan; make_plan('quick', root=sys.argv[1])\n"
        "print(*(m for m in sys.modules if m.startswith('paraspine.studies.') or "
        "m in {'torch', 'scipy', 'plotly', 'SimpleITK', 'monai', 'paraspine.frames'}))"
    )
    words = [sys.executable, "-c", code, str(checkout)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    names = [name.removeprefix("paraspine.studies.") for name in said]
    assert {name.split(".")[1] for name in names if "." in name} == {"plan"}
    assert all(name.startswith("paraspine.studies.") for name in said)


def test_a_book_without_multitask_networks_says_so(checkout):
    plan = make_plan("quick", root=checkout, models=["unet"], leak_models=[])
    assert not [job.name for job in plan if "by-slice" in job.name]
    study = multitask_study(
        {"models": ["other"], "seeds": [0], "methods": ["single"], "ensemble_seeds": []}
    )
    assert study == {"together": [], "alone": [], "leak": []}


def filled(folder, where, *rows):
    """A manifest with rows of subject, image and two raters, which name no real file."""
    name = manifest(folder, where)
    with (folder / name).open("a") as file:
        file.writelines(f"{row}\n" for row in rows)
    return name


def test_a_cohort_whose_raters_share_no_image_has_no_multitask_chapter(checkout):
    rows = [f"s{i},{i},{'x,' if i % 2 else ',x'}" for i in range(6)]
    mine = filled(checkout, "apart.csv", *rows)
    plan = make_plan("quick", mine, root=checkout, fusion_splits=1)
    assert not {"multitask", "label_fusion"} & {job.name for job in plan}
    assert [note.split(":")[0] for note in plan.notes] == [
        "One rater", "11_truth, 12_noise, 14_phantom", "One rater an image", "One rater",
    ]  # fmt: skip
    assert {job.parameters["fusion"] for job in plan if job.notebook == "03_train"} == {"majority"}
    plan = make_plan("quick", filled(checkout, "both.csv", *rows, "s7,7,x,x"), root=checkout)
    assert "multitask" in [job.name for job in plan]
    assert plan.notes == (LEFT_OUT,)


def test_too_few_subjects_for_both_splits(checkout):
    rows = [f"s{i % 2},{i},x,x" for i in range(6)]
    plan = make_plan("quick", filled(checkout, "two.csv", *rows), root=checkout, split_by="slice")
    jobs = {job.name: job for job in plan}
    assert jobs["multitask"].parameters["leak_models"] == []
    trained = [values_of(checkout, job) for job in plan if job.notebook == "03_train"]
    assert {values["split_by"] for values in trained} == {"slice"}
    assert plan.notes[1].startswith("2 of the 3 subjects that a split by subject takes")


def test_settings_of_the_multitask_study_cannot_be_given_for_all(checkout):
    message = (
        "mirror, depth cannot be given for all trainings; give multitask_mirror or fusion_depth"
    )
    with pytest.raises(SettingsError, match=message):
        make_plan("quick", root=checkout, mirror=0.5, depth=2)
    message = "loss cannot be given for all trainings; run notebooks/03_train.ipynb by itself"
    with pytest.raises(SettingsError, match=message):
        make_plan("quick", root=checkout, loss="dice")


def test_a_job_can_be_typed(checkout):
    job = make_plan("quick", root=checkout).jobs[2]
    words = job.arguments()
    assert words[0] == "notebooks/03_train.ipynb"
    assert words[1::2] == ["-p"] * (len(words) // 2)
    read = dict(parse_assignment(word) for word in words[2::2])
    assert read == job.parameters | {"run_folder": job.folder}
    assert shlex.split(shlex.join(words)) == words


def test_a_cohort_has_a_workspace_of_its_own(checkout):
    assert make_plan("quick", root=checkout).workspace == "quick"
    absolute = str(checkout / "data_manifest.csv")
    assert make_plan("quick", absolute, root=checkout).workspace == "quick"
    mine = manifest(checkout, "mine/data_manifest.csv", name="Größe & Co. 2")
    plan = make_plan("paper", mine, root=checkout)
    assert plan.workspace == "paper-gr-e-co-2"
    assert plan.cohort == "Größe & Co. 2"
    assert all(job.folder.startswith("runs/paper-gr-e-co-2/") for job in plan)
    assert plan.marker("cohort") == "runs/paper-gr-e-co-2/done/cohort"
    assert {job.parameters["manifest_path"] for job in plan} == {mine}
    unnamed = manifest(checkout, "Some folder/m.csv")
    assert make_plan("quick", unnamed, root=checkout).workspace == "quick-some-folder"


def test_two_cohorts_of_one_name_do_not_share_a_workspace(checkout, tmp_path):
    first = manifest(checkout, "a b/m.csv", name="Mine")
    outside = manifest(tmp_path, "elsewhere/m.csv", name="mine!")
    plan = make_plan("quick", first, root=checkout)
    job = next(j for j in plan if j.name == "cohort")
    folder = checkout / job.folder
    folder.mkdir(parents=True)
    record = json.dumps(job.parameters)
    (folder / "parameters.json").write_text(record)
    assert make_plan("quick", first, root=checkout).workspace == "quick-mine"
    assert make_plan("quick", str(checkout / first), root=checkout).workspace == "quick-mine"
    with pytest.raises(SettingsError, match=r"that of a b/m\.csv, whose runs lie in runs/quick-mi"):
        make_plan("quick", str(tmp_path / outside), root=checkout)
    (checkout / first).unlink()  # moved away: what it left is nobody's
    assert make_plan("quick", str(tmp_path / outside), root=checkout).workspace == "quick-mine"


def test_one_rater_needs_one_training_only(checkout):
    alone = manifest(checkout, "alone/m.csv", raters="a")
    plan = make_plan("quick", alone, root=checkout)
    assert [job.name for job in plan if job.notebook == "03_train"] == ["train-unet-majority-seed0"]
    note, patients, other = plan.notes
    assert note.startswith("One rater: every way of fusing raters gives the same labels")
    assert patients == LEFT_OUT
    assert other.startswith("One rater an image: with nobody to differ from there is no variance")
    assert other.endswith("the chapter on multi-task networks is left out.")
    assert {j.name: j for j in plan}["interrater"].parameters["fusions"] == ["majority"]
    assert make_plan("quick", alone, root=checkout, fusions=["majority"]).notes == (LEFT_OUT, other)
    assert make_plan("quick", root=checkout).notes == (LEFT_OUT,)


def test_what_only_simulated_raters_can_answer_runs_on_the_phantoms_slices(checkout):
    mine = manifest(checkout, "m.csv", generator={"name": "phantom"})
    plan = make_plan("quick", mine, root=checkout, fusions=["random", "majority"], methods=["tta"])
    jobs = {job.name: job for job in plan}
    assert plan.notes == ()
    trained = tuple(name for name in jobs if name.startswith("train-unet-"))
    assert len(trained) == 2
    assert jobs["truth"].after == trained
    assert (
        jobs["truth"].parameters["draws"]
        == load_profile(checkout / "profiles" / "quick.yaml")["draws"]
    )
    noise = jobs["noise"]
    assert noise.after == ("train-unet-random-seed0",)
    given = {k: noise.parameters[k] for k in ("model", "fusion", "seed")}
    assert given == {"model": "unet", "fusion": "random", "seed": 0}
    trained, used = (values_of(checkout, jobs[n]) for n in (noise.after[0], "noise"))
    default = declared_parameters(checkout / "notebooks" / "03_train.ipynb")
    # What 12_noise does not declare is left as 03_train has it.
    assert {k: used.get(k, default[k]) for k in trained if k != "run_folder"} == {
        k: v for k, v in trained.items() if k != "run_folder"
    }


@pytest.mark.parametrize(
    "generator",
    [{"name": "other"}, {"name": "phantom", "kind": "volumes"}, "phantom", None],
)
def test_other_cohorts_are_told_why_these_chapters_are_missing(checkout, generator):
    mine = manifest(checkout, "m.csv", generator=generator)
    plan = make_plan("quick", mine, root=checkout, draws=7)  # the profile's names stay allowed
    assert not {"truth", "noise", "phantom"} & {job.name for job in plan}
    assert plan.notes == (LEFT_OUT,)


def test_changes_go_before_the_cohorts_parameters_before_the_profiles(checkout):
    mine = manifest(checkout, "m.csv", name="m", parameters={"epochs": 7, "width": 8})
    job = make_plan("quick", mine, root=checkout, epochs=9).jobs[2]
    assert job.notebook == "03_train"
    assert (job.parameters["epochs"], job.parameters["width"]) == (9, 8)
    profile = load_profile(checkout / "profiles" / "quick.yaml")
    assert job.parameters["batch_size"] == profile["batch_size"]


def test_texts_are_read_as_yaml_since_snakemake_hands_on_texts(checkout):
    changes = {"seeds": ["0", "1"], "clip": "null", "epochs": "3", "split_by": "slice"}
    plan = make_plan("quick", root=checkout, **changes)
    jobs = {job.name: job.parameters for job in plan}
    training = {"clip": None, "epochs": 3}
    expected = {"seeds": [0, 1], "split_by": "slice", "training": training}
    assert {name: jobs["published"][name] for name in expected} == expected
    assert {name: jobs["train-unet-random-seed1"][name] for name in training} == training


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"epoch": 3},
            r"no notebook declares epoch \(did you mean epochs\?\); known: .*\bepochs\b",
        ),
        ({"zzz": 1}, r"profile 'quick': no notebook declares zzz; known: batch_size, "),
        ({"seed": 3}, "profile 'quick': seed cannot be given, every job gets its own; give the li"),
        ({"run_folder": "x", "method": "a"}, "run_folder, method cannot be given"),
        ({"training": {"epochs": 3}}, "training cannot be given, every job gets its own"),
        ({"seeds": 0}, "seeds: expected a list of different values, one seed or more, got 0"),
        ({"models": []}, "models: expected a list"),
        ({"methods": ["single", "single"]}, "methods: expected a list of different values"),
        ({"epochs": "many"}, r"03_train\.ipynb: parameter 'epochs': expected a whole number"),
    ],
)
def test_what_the_plan_cannot_honour_is_refused(checkout, changes, message):
    with pytest.raises(SettingsError, match=message):
        make_plan("quick", root=checkout, **changes)


def test_a_cohorts_or_profiles_unknown_parameter_is_refused(checkout):
    mine = manifest(checkout, "m.csv", parameters={"widht": 8})
    with pytest.raises(SettingsError, match=r"no notebook declares widht \(did you mean width"):
        make_plan("quick", mine, root=checkout)
    (checkout / "profiles" / "bad.yaml").write_text("models: [unet]\n")
    with pytest.raises(SettingsError, match=r"profile 'bad': fusions: expected a list .* got None"):
        make_plan("bad", root=checkout)
    with pytest.raises(SettingsError, match="profile 'none': not found; there are bad, paper, qu"):
        make_plan("none", root=checkout)


def test_no_manifest_no_plan(checkout):
    with pytest.raises(ManifestError, match=r"none\.csv: there is no such manifest; check the sp"):
        make_plan("quick", "none.csv", root=checkout)
    manifest(checkout, "mine/m.csv")
    with pytest.raises(ManifestError, match=r"mine: a folder; .* in this folder: m\.csv\."):
        make_plan("quick", "mine", root=checkout)
    (checkout / "latin.csv").write_bytes(b"subject,image,rater_M\xfcller\n")
    with pytest.raises(ManifestError, match=r"(?s)latin\.csv: 1 problem.*line 1 holds a byte"):
        make_plan("quick", "latin.csv", root=checkout)
    (checkout / "data_manifest.json").write_text("{ what")  # `paraspine check` reports it
    assert make_plan("quick", root=checkout).workspace == "quick"


# --- what still holds ------------------------------------------------------------------------


def test_markers_of_fresh_results_stay(checkout):
    plan = make_plan("quick", root=checkout)
    fake(checkout, plan)
    assert plan.drop_stale_markers(checkout) == []
    assert all((checkout / plan.marker(job.name)).is_file() for job in plan)


def test_markers_of_stale_results_and_what_follows_go(checkout):
    plan = make_plan("quick", root=checkout)
    fake(checkout, plan)
    trained = {job.name: job for job in plan}["train-unet-random-seed0"]
    (checkout / trained.folder / "complete.json").unlink()
    after = {"sample-unet-random-seed0-single", "sample-unet-random-seed0-dropout"}
    expected = {trained.name, *after, "interrater", "calibration", "published"}
    assert set(plan.drop_stale_markers(checkout)) == expected
    left = {p.name for p in (checkout / "runs/quick/done").iterdir()}
    assert left == {job.name for job in plan} - expected


def test_the_checks_and_the_books_markers_go_with_what_they_stand_for(checkout):
    plan = make_plan("quick", root=checkout)
    fake(checkout, plan)
    page = checkout / plan.page
    page.parent.mkdir(parents=True)
    page.write_text("")
    markers = {name: checkout / plan.marker(name) for name in ("check", "book")}

    def left(done=True):
        for path in markers.values():
            path.touch()
        if not done:
            page.unlink()
        plan.drop_stale_markers(checkout)
        return {name for name, path in markers.items() if path.exists()}

    assert left() == {"check", "book"}
    assert left(done=False) == {"check"}
    page.write_text("")
    (checkout / plan.jobs[1].folder / "notebook.ipynb").unlink()  # of the raters
    assert left() == {"check"}
    (checkout / plan.jobs[0].folder / "notebook.ipynb").unlink()  # of the cohort
    assert left() == set()


def test_other_parameters_code_or_a_lost_notebook_drop_a_marker(checkout):
    plan = make_plan("quick", root=checkout)
    fake(checkout, plan)
    (checkout / plan.jobs[1].folder / "notebook.ipynb").unlink()
    assert plan.drop_stale_markers(checkout) == ["raters"]
    fake(checkout, plan)
    other = make_plan("quick", root=checkout, bins=5).drop_stale_markers(checkout)
    others = {name.split("-")[0] for name in other}
    assert others == {"sample", "interrater", "calibration", "published"}
    fake(checkout, plan)
    edit(checkout, "06_calibration")
    assert plan.drop_stale_markers(checkout) == ["calibration"]


# --- the book --------------------------------------------------------------------------------


def test_the_book_is_built_from_fresh_runs_in_the_plans_order(checkout, monkeypatch):
    mine = manifest(checkout, "m.csv", raters="a", name="Mine")
    plan = make_plan("quick", mine, root=checkout, epochs=3)
    fake(checkout, plan)
    built = []

    def build(source, folders, output, **given):
        built.append((source, list(folders), output, given))
        return output / "html" / "index.html"

    monkeypatch.setattr("paraspine.book.build", build)
    page = build_book("quick", mine, root=checkout, epochs=3)
    assert page == checkout / "book/_build/quick-mine/html/index.html"
    ((source, folders, output, given),) = built
    assert source == checkout / "book"
    assert folders == [checkout / job.folder for job in plan]
    assert output == checkout / "book/_build/quick-mine"
    assert given["notes"] == plan.notes
    assert given["root"] == checkout
    assert "Mine" in given["title"]


def test_a_book_without_its_runs_names_every_one(checkout):
    plan = make_plan("quick", root=checkout)
    with pytest.raises(RunError, match="not built from results that are missing") as caught:
        build_book("quick", root=checkout)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == [job.folder for job in plan]
    assert all("there is no such run folder" in line for line in lines[1:-1])
    assert lines[-1] == "Run them again, or run make book, which does."


def test_a_book_of_stale_runs_or_other_parameters_is_refused(checkout, monkeypatch):
    monkeypatch.setattr("paraspine.book.build", lambda *a, **k: pytest.fail("built"))
    plan = make_plan("quick", root=checkout)
    fake(checkout, plan)
    with pytest.raises(RunError) as caught:
        build_book("quick", root=checkout, bins=5)
    assert str(caught.value).count("other parameters: bins was 10, is 5") == 4  # samples
    assert str(caught.value).count("parameters: training was {}, is {'bins': 5}") == 3  # chapters
    assert "runs/quick/raters" not in str(caught.value)
    edit(checkout, "02_raters")
    with pytest.raises(
        RunError, match=r"runs/quick/raters/raters: the code of 02_raters"
    ) as caught:
        build_book("quick", root=checkout)
    assert len(str(caught.value).splitlines()) == 3


# --- books side by side ----------------------------------------------------------------------

NAN = float("nan")


def workspace(root, name, dice=0.9, alone=False):
    """The result tables that a summary reads."""
    cells = ["mean", "low", "high"]
    undefined = [NAN] * 3
    frames = {
        "raters/raters": {
            "agreement": [("MF", *(undefined if alone else (0.95, 0.94, 0.96)))],
            "entropy": [("gt_entropy", *(undefined if alone else (0.0123, 0.01, 0.015)))],
        },
        "interrater/interrater": {
            "overlap": [("MF", "unet", dice, 0.85, NAN)],
            "brier": [("MF", "unet", 1.234, 1.0, 1.5)],
            "detection": [
                ("entropy", "unet", 0.4, 0.3, 0.5),
                ("mutual_information", "unet", 1, 1, 1),
            ],
        },
        "calibration/calibration": {"calibration": [("unet", 0.01, 0.005, 0.02)]},
    }
    columns = {
        "agreement": ["class"],
        "entropy": ["measure"],
        "overlap": ["class", "condition"],
        "brier": ["class", "condition"],
        "detection": ["score", "condition"],
        "calibration": ["condition"],
    }
    correlations = pd.DataFrame(
        [
            ("unet", "entropy", "pearson", 0.71, 0.5, 0.8),
            ("unet", "entropy", "spearman", 0.6, 0.5, 0.8),
            ("unet", "mutual_information", "pearson", 0.2, 0.1, 0.3),
        ],
        columns=["condition", "score", "kind", "r", "low", "high"],
    )
    for place, tables in frames.items():
        run = runs.start(root / "runs" / name / place, {})
        for table, lines in tables.items():
            frame = pd.DataFrame(lines, columns=[*columns[table], *cells])
            run.write_frame(f"{table}.parquet", frame)
        if "interrater" in place:
            run.write_frame("correlations.parquet", correlations.iloc[: 0 if alone else None])
        run.finish()


def test_books_side_by_side(checkout, tmp_path):
    workspace(checkout, "quick")
    workspace(checkout, "quick-alone", dice=0.8, alone=True)
    found = summary(["quick", "quick-alone"], root=checkout)
    table = found.table.set_index("result")
    assert list(table.columns) == ["quick", "quick-alone"]
    assert table["quick"].to_dict() == {
        "pairwise Dice of the raters, MF": "0.950 (95 % CI 0.940 to 0.960)",
        "GT entropy, nats a voxel": "0.0123 (95 % CI 0.0100 to 0.0150)",
        "Dice, MF, unet": "0.900 (no interval)",
        "Brier score × 10³, MF, unet": "1.23 (95 % CI 1.00 to 1.50)",
        "r of entropy with GT entropy, unet": "0.71 (95 % CI 0.50 to 0.80)",
        "average precision of entropy, unet": "0.400 (95 % CI 0.300 to 0.500)",
        "ECE, unet": "0.0100 (95 % CI 0.0050 to 0.0200)",
    }
    alone = table["quick-alone"]
    assert (
        alone["pairwise Dice of the raters, MF"] == alone["GT entropy, nats a voxel"] == "undefined"
    )
    assert alone["r of entropy with GT entropy, unet"] == "not measured"
    assert alone["Dice, MF, unet"] == "0.800 (no interval)"

    assert "overlap in all of the 3 results that can be compared" in found.words
    assert "'quick' was computed on " in found.words

    path = write_summary(found, tmp_path / "out" / "summary.csv")
    assert path.with_suffix(".md").read_text() == found.words + "\n"
    again = pd.read_csv(path)
    assert again.shape == (7, 3)
    np.testing.assert_array_equal(again["quick"], table["quick"])


def test_label_fusion_side_by_side(checkout):
    run = runs.start(checkout / "runs" / "quick" / "label_fusion" / "label_fusion", {})
    calibration = {"mean": 0.02, "low": 0.01, "high": 0.03, "gap": -0.01, "gap_low": -0.02}
    calibration |= {"condition": "SoftSeg average", "gap_high": 0.005, "subjects": 8}
    run.write_frame("calibration.parquet", pd.DataFrame([calibration]))
    claim = {"claim": "Under-confident", "where": "SoftSeg average", "verdict": "can't tell"}
    claim |= {"why": "the interval includes 0", "table": "Figure 4", "said": "3.3", "kind": "below"}
    run.write_frame("claims.parquet", pd.DataFrame([claim]))
    cells = [  # the mean over structures and images, against STAPLE
        ("MF", "STAPLE", "dice", 0.8), ("MF", "STAPLE", "dice", 0.6), ("MF", "majority", "dice", 0),
        ("ES", "STAPLE", "dice", 0.7), ("ES", "STAPLE", "dice", 0.5), ("MF", "", "brier", 0.002),
        ("ES", "", "brier", 0.004), ("background", "", "brier", 1), ("all", "", "entropy", 1),
    ]  # fmt: skip
    frame = pd.DataFrame(cells, columns=["class", "reference", "measure", "value"])
    frame = frame.assign(
        condition="SoftSeg average", subject=[f"s{i % 2}" for i in range(len(frame))]
    )
    run.write_frame("measures.parquet", frame)
    run.finish()
    found = summary(["quick"], "label_fusion", root=checkout)
    table = found.table.set_index("result")["quick"]
    assert table["ECE, SoftSeg average"] == "0.0200 (95 % CI 0.0100 to 0.0300)"
    said = table["confidence minus accuracy, SoftSeg average"]
    assert said == "-0.0100 (95 % CI -0.0200 to 0.0050)"
    assert table["Dice, SoftSeg average"].startswith("0.650 (")
    assert table["Brier score × 10³, SoftSeg average"].startswith("3.000 (")
    assert "On 'quick': **can't tell**: Under-confident." in found.words
    assert "'quick' was computed on " in found.words
    with pytest.raises(SettingsError, match="expected one of interrater, label_fusion, got 'x'"):
        summary(["quick"], "x", root=checkout)


@pytest.mark.parametrize(
    ("subjects", "words"),
    [
        (6, "'b' differs from 'a' in 2 of 3 results (higher: r; lower: Dice)."),
        (5, "'b' differs from 'a' in 1 of 1 result (lower: Dice). 2 results from fewer than 6 "
            "subjects are not compared: of so few, intervals tell nothing apart."),
    ],
)  # fmt: skip
def test_what_few_subjects_gave_is_not_told_apart(subjects, words):
    from paraspine.graph.summaries import _difference
    from paraspine.statistics import Estimate

    def book(dice, r):
        near = {"Dice": (Estimate(dice, dice - 0.01, dice + 0.01), 3, 8)}
        near["r"] = (Estimate(r, r - 0.01, r + 0.01), 2, subjects)
        return near | {"ECE": (Estimate(0.1, 0, 1), 4, subjects)}

    told = _difference(("a", book(0.9, 0.2)), ("b", book(0.5, 0.8)))
    assert told == f"Beyond their intervals, {words}"
    few = {"r": (Estimate(0.1, 0, 0.2), 2, 3)}
    assert _difference(("a", few), ("b", few)).startswith("1 result from fewer than 6 subjects is")


def test_a_summary_needs_complete_runs(checkout):
    with pytest.raises(RunError, match="runs/none: there is no such workspace"):
        summary(["none"], root=checkout)
    workspace(checkout, "quick")
    (checkout / "runs/quick/calibration/calibration/complete.json").unlink()
    with pytest.raises(RunError, match="calibration: the run is incomplete"):
        summary(["quick"], root=checkout)


# --- Snakemake -------------------------------------------------------------------------------


def snakemake(checkout, *words):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--cores", "1", *words],
        cwd=checkout,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.notebooks
def test_snakemake_refuses_a_profile_with_an_unknown_parameter(checkout):
    path = checkout / "profiles" / "mine.yaml"
    path.write_text((checkout / "profiles" / "quick.yaml").read_text() + "epoch: 3\n")
    code, words = snakemake(checkout, "--config", "profile=mine")
    assert code != 0
    assert (
        "paraspine: profile 'mine': no notebook declares epoch (did you mean epochs?); known:"
        in words
    )
    assert "Traceback" not in words


@pytest.mark.notebooks
def test_snakemake_hands_on_what_stands_after_config(checkout):
    given = ("clip=null", "epochs=3", "seeds=[0,1]", "fusions=[majority]")
    code, words = snakemake(checkout, "--printshellcmds", "--config", *given)
    assert code == 0, words
    (book,) = [line for line in words.splitlines() if " -m paraspine book " in line]
    said = shlex.split(book)
    parameters = dict(
        parse_assignment(word) for flag, word in itertools.pairwise(said) if flag == "-p"
    )
    plan = make_plan("quick", root=checkout, **parameters)
    assert f"rule {plan.jobs[-1].name}:" in words
    typed = [shlex.split(line) for line in words.splitlines() if " -m paraspine run " in line]
    assert sorted(t[t.index("run") + 1 :] for t in typed) == sorted(j.arguments() for j in plan)
    for job in plan:
        if job.trains:
            assert job.parameters.get("training", job.parameters)["clip"] is None


# --- the label-fusion study --------------------------------------------------------------------


def test_the_label_fusion_study_trains_six_candidates_and_one_network_a_rater(checkout):
    plan = make_plan("quick", root=checkout, fusion_splits=2, fusion_epochs=3)
    jobs = {job.name: job for job in plan}
    trained = [n for n in jobs if n.startswith("train-fusion-")]
    assert len(trained) == 2 * (6 + 2)  # two raters
    study = jobs["label_fusion"]
    assert study.after == tuple(trained)
    assert study.notebook == "08_label_fusion"
    soft = jobs["train-fusion-adaptive-wing-average-split-1"].parameters
    expected = {
        "fusion": "average", "loss": "adaptive_wing", "activation": "normalised_relu",
        "softness": "soft", "split_seed": 1, "seed": 1, "test_center": "", "epochs": 3,
        "validation_fusion": "", "include_background": True,
    }  # fmt: skip
    assert {k: soft[k] for k in expected} == expected
    hard = jobs["train-fusion-dice-average-split-0"].parameters
    expected = {"loss": "dice", "activation": "softmax", "softness": "binarised"}
    expected["include_background"] = False
    assert {k: hard[k] for k in expected} == expected
    member = jobs["train-fusion-dice-rater-b-split-0"].parameters
    assert (member["fusion"], member["softness"]) == ("rater:b", "binarised")
    # what the notebook asks for by itself is what the plan has made
    asked = fusion_trainings(study.parameters, "ab", ["", ""])
    for name, training in zip(trained, asked, strict=True):
        made = values_of(checkout, jobs[name])
        assert {k: made[k] for k in training} == training, name


def test_softsegs_activation_can_be_chosen_and_augmentation_is_the_studys_own(checkout):
    changes = {"fusion_softseg_activation": "normalised_relu_by_class", "probability": 0.5}
    plan = make_plan("quick", root=checkout, fusion_splits=1, **changes)
    jobs = {job.name: values_of(checkout, job) for job in plan if "fusion-" in job.name}
    for name, values in jobs.items():
        soft = "wing" in name
        assert values["activation"] == ("normalised_relu_by_class" if soft else "softmax")
        assert (values["probability"], values["noise"]) == (1.0, 0.0)


def test_the_papers_multitask_trainings_have_settings_of_their_own(checkout):
    path = checkout / "levels.csv"
    rows = "".join(f"s{i},{i},{level},x,x\n" for i, level in enumerate(LEVELS))
    path.write_text("subject,image,level,rater_a,rater_b\n" + rows)
    path.with_suffix(".json").write_text("{}")
    plan = make_plan("paper", path.name, root=checkout)
    assert not any("levels" in note for note in plan.notes)
    jobs = {job.name: values_of(checkout, job) for job in plan}
    together, other = jobs["train-multitask_unet-majority-seed0"], jobs["train-unet-random-seed0"]
    own = {
        "levels": ["L3-L4", "L4-L5", "L5-S1", "S1"], "denoise": False, "dropout": 0.0,
        "repeats": 5, "patience": together["epochs"], "ce_weight": 0.6, "variance_scale": 70.0,
    }  # fmt: skip
    assert {name: together[name] for name in own} == own
    code = {"probability": 0.1, "direction": "right", "dice_weight": 0.5, "ce_weight": 0.5}
    code |= {"levels": [], "denoise": True, "repeats": 1, "dropout": 0.18}
    assert {name: other[name] for name in code} == code
    assert jobs["sample-unet-random-seed0-tta"]["sample_precision"] == "float32"


def test_levels_that_a_cohort_lacks_are_no_condition(checkout):
    path = checkout / "some.csv"
    path.write_text("subject,image,level,rater_a,rater_b\ns,0,S1,x,x\nt,1,L1,x,x\nu,2,,x,x\n")
    path.with_suffix(".json").write_text("{}")
    for where, found in ((path.name, ["S1"]), ("data_manifest.csv", None)):
        plan = make_plan("paper", where, root=checkout)
        jobs = {job.name: values_of(checkout, job) for job in plan}
        assert jobs["multitask"]["multitask_levels"] == found
        assert jobs["train-multitask_unet-majority-seed0"]["levels"] == (found or [])
        words = f"learn from {(found or ['all'])[0]} levels: the cohort does not have all of L3-L4"
        assert sum(words in note for note in plan.notes) == 1


def test_centres_are_held_out_in_turn():
    values = {"fusion_splits": 3, "fusion_by_center": True, "fusion_epochs": 2}
    found = fusion_trainings(values, "abc", ["north", "south", "", "north"])
    assert [t["test_center"] for t in found[::9]] == ["north", "south", "north"]
    assert [t["split_seed"] for t in found[::9]] == [0, 1, 2]
    assert {t["epochs"] for t in found} == {2}
    one = fusion_trainings(values, "abc", ["north", "north"])
    assert {t["test_center"] for t in one} == {""}
    anyway = fusion_trainings(values | {"fusion_by_center": False}, "abc", ["north", "south"])
    assert {t["test_center"] for t in anyway} == {""}


def test_a_single_rater_has_no_label_fusion_study(checkout):
    alone = manifest(checkout, "alone/data_manifest.csv", raters="a")
    plan = make_plan("quick", alone, root=checkout, fusions=["majority"], fusion_splits=2)
    assert "label_fusion" not in [job.name for job in plan]
    assert sum("nothing to fuse" in note for note in plan.notes) == 1
    with pytest.raises(SettingsError, match="two raters or more to fuse, got 1"):
        fusion_trainings({"fusion_splits": 2, "fusion_by_center": True}, ["a"])
    with pytest.raises(SettingsError, match="fusion_splits: expected a whole number"):
        fusion_trainings({"fusion_splits": 1.5, "fusion_by_center": True}, ["a", "b"])
