"""Runs of notebooks: what makes one stale, and the words for it. No kernel is started here."""

import importlib
import json
import shutil
import types

import numpy as np
import pandas as pd
import pytest

from paraspine import manifest, preprocess, runs, slices, volumes
from paraspine.arrays import ManifestError, RunError, SettingsError
from paraspine.session import cache as memory
from paraspine.session.digests import cohort_digest, fingerprint, project_root, sources
from paraspine.session.freshness import is_fresh, results_digest, staleness
from paraspine.session.parameters import declared_parameters
from paraspine.session.session import Session, begin
from paraspine.session.workspace import is_generated


def test_a_run_is_complete_and_says_what_it_read(mini):
    folder = mini.perform("01_numbers", scale=3.0)
    assert folder.parent == mini.root / "runs" / "quick" / "numbers"
    run = runs.read(folder, verify=True)
    assert run.read_json("total.json") == 6.0
    assert run.parameters == {
        "profile": "quick",
        "manifest_path": "data_manifest.csv",
        "scale": 3.0,
    }
    inputs = run.read_json("inputs.json")
    assert inputs["notebook"] == "01_numbers.ipynb"
    assert inputs["inputs"]["data_manifest.csv"] == {
        "kind": "cohort",
        "sha256": cohort_digest(mini.manifest),
    }
    assert staleness(folder) is None
    assert is_fresh(folder, declared_parameters(mini.notebook("01_numbers")) | {"scale": 3})


def test_the_same_parameters_give_the_same_folder_and_others_another(mini):
    first = mini.perform("01_numbers")
    assert mini.perform("01_numbers") == first
    assert mini.perform("01_numbers", scale=5.0) != first
    elsewhere = mini.perform("01_numbers", run_folder="runs/quick/numbers/mine")
    assert elsewhere == mini.root / "runs/quick/numbers/mine"
    assert "run_folder" not in runs.read(elsewhere).parameters


def test_other_parameters_are_stale_and_named(mini):
    folder = mini.perform("01_numbers")
    wanted = declared_parameters(mini.notebook("01_numbers"))
    assert staleness(folder, wanted) is None
    assert staleness(folder, wanted | {"run_folder": "elsewhere"}) is None
    reason = staleness(folder, wanted | {"scale": 9.0, "new": [1]})
    assert reason == (
        "it ran with other parameters: scale was 2.0, is 9.0, new was nothing, is [1]"
    )
    assert not is_fresh(folder, wanted | {"scale": 9.0})


def test_prose_and_defaults_do_not_make_a_run_stale_but_code_does(mini):
    folder = mini.perform("01_numbers")
    mini.edit("01_numbers", "# What is it?", "# What else is it?")
    mini.edit("01_numbers", "scale = 2.0", "scale = 4.0")
    assert staleness(folder) is None
    cells = json.loads(mini.notebook("01_numbers").read_text())
    cells["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "hello"}]
    mini.notebook("01_numbers").write_text(json.dumps(cells))
    assert staleness(folder) is None
    mini.edit("01_numbers", "scale * len(cohort)", "scale + len(cohort)")
    assert "the code of 01_numbers.ipynb or of a module it uses changed" in staleness(folder)
    mini.notebook("01_numbers").unlink()
    assert staleness(folder) == "its notebook 01_numbers.ipynb is gone"


def test_an_edit_while_the_notebook_runs_makes_it_stale(mini):
    session = begin("01_numbers", declared_parameters(mini.notebook("01_numbers")))
    session.cohort()
    mini.edit("01_numbers", "scale * len(cohort)", "scale - len(cohort)")
    folder = session.finish()
    assert "the code of 01_numbers.ipynb" in staleness(folder)


def test_an_edited_image_label_map_or_sidecar_makes_a_run_stale(mini):
    folder = mini.perform("01_numbers")
    for name in ("p1.nii.gz", "p2_b.nii.gz", "data_manifest.csv", "data_manifest.json"):
        path = mini.root / name
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        assert staleness(folder) == "its input data_manifest.csv changed since it ran", name
        path.write_bytes(content)
        assert staleness(folder) is None, name


def test_a_touched_file_with_the_same_bytes_changes_nothing(mini):
    folder = mini.perform("01_numbers")
    for path in mini.root.glob("[!.]*.*"):
        path.write_bytes(path.read_bytes())
    assert staleness(folder) is None


def test_a_lost_cohort_or_image_is_noticed(mini):
    folder = mini.perform("01_numbers")
    (mini.root / "p1.nii.gz").rename(mini.root / "aside")
    assert "data_manifest.csv changed" in staleness(folder)
    mini.manifest.unlink()
    assert staleness(folder) == "its input data_manifest.csv is gone"


def test_a_series_counts_by_the_bytes_of_its_files(mini):
    series = mini.root / "series"
    series.mkdir()
    (series / "1.dcm").write_bytes(b"one")
    mini.manifest.write_text("subject,image,rater_a\np1,series,\n")
    before = cohort_digest(mini.manifest)
    (series / "1.dcm").write_bytes(b"two")
    assert cohort_digest(mini.manifest) != before


def test_a_stale_upstream_run_makes_what_follows_stale(mini):
    first = mini.perform("01_numbers")
    second = mini.perform("02_use")
    name = first.relative_to(mini.root).as_posix()
    assert runs.read(second).read_json("inputs.json")["inputs"][name]["sha256"] == results_digest(
        first
    )
    assert staleness(second) is None
    mini.edit("01_numbers", "scale * len(cohort)", "len(cohort) * scale")
    assert staleness(second) == (
        f"its input {name} is out of date: the code of 01_numbers.ipynb or of a module it uses "
        "changed since it ran"
    )
    assert mini.perform("01_numbers") == first  # to the same numbers
    assert staleness(second) is None
    side = mini.manifest.with_suffix(".json")
    side.write_text(side.read_text() + "\n")
    assert mini.perform("01_numbers") == first  # and so of a cohort of other bytes
    assert staleness(second) is None
    mini.edit("01_numbers", "len(cohort) * scale", "7.0 + scale")
    mini.perform("01_numbers")
    assert staleness(second) == f"its input {name} changed since it ran"
    shutil.rmtree(first)
    assert staleness(second) == f"its input {name} is gone"


def test_a_folder_that_is_no_complete_run_is_stale(mini, tmp_path):
    assert "not a complete run" in staleness(mini.root / "runs" / "none")
    folder = mini.perform("01_numbers")
    (folder / "total.json").unlink()
    assert "total.json is missing" in staleness(folder)
    (folder / "complete.json").unlink()
    assert "incomplete" in staleness(folder)
    assert not is_fresh(folder, {})


def test_a_named_upstream_run_must_be_fresh_and_undamaged(mini):
    first = mini.perform("01_numbers", scale=5.0)
    name = first.relative_to(mini.root).as_posix()
    folder = mini.perform("02_use", numbers_run=name)
    assert runs.read(folder).read_json("value.json") == 11.0
    (first / "total.json").write_text("8")
    with pytest.raises(RunError, match=r"total\.json differs from its checksum"):
        mini.perform("02_use", numbers_run=name)
    mini.edit("01_numbers", "scale * len(cohort)", "scale + len(cohort)")
    with pytest.raises(RunError, match="changed since it ran; run it again, or leave the"):
        mini.perform("02_use", numbers_run=name)


def test_a_killed_run_is_taken_up_again_with_the_same_code_only(mini):
    values = declared_parameters(mini.notebook("01_numbers"))
    left = begin("01_numbers", values)
    left.run.write_json("checkpoint.json", 3)
    assert begin("01_numbers", values).run.read_json("checkpoint.json") == 3
    mini.edit("01_numbers", "scale * len(cohort)", "scale + len(cohort)")
    again = begin("01_numbers", values)
    assert again.run.folder == left.run.folder
    assert not (again.run.folder / "checkpoint.json").exists()


def test_a_killed_run_of_another_cohort_begins_anew(mini):
    values = declared_parameters(mini.notebook("01_numbers"))
    left = begin("01_numbers", values)
    left.run.write_json("checkpoint.json", 3)
    table = mini.manifest.read_text()
    mini.manifest.write_text("\n".join(table.splitlines()[:-1]) + "\n")
    again = begin("01_numbers", values)
    assert not (again.run.folder / "checkpoint.json").exists()


def test_an_earlier_result_stands_until_the_new_one_is_complete(mini):
    folder = mini.perform("01_numbers")
    session = begin("01_numbers", declared_parameters(mini.notebook("01_numbers")))
    session.run.write_json("total.json", -1)
    assert runs.read(folder, verify=True).read_json("total.json") == 4.0
    assert session.finish() == folder
    assert runs.read(folder, verify=True).read_json("total.json") == -1


def test_begin_checks_the_types_of_the_parameters(mini):
    values = declared_parameters(mini.notebook("01_numbers"))
    with pytest.raises(SettingsError, match=r"'scale': expected a number such as 2\.0, got 'big'"):
        begin("01_numbers", values | {"scale": "big"})


def test_the_fingerprint_covers_modules_imported_in_any_way(root):
    names = {
        path.relative_to(root / "paraspine").as_posix()
        for path in sources(root / "notebooks" / "05_interrater.ipynb")[1:]
    }
    assert names >= {
        "frames.py",
        "statistics/bootstrap.py",  # by a relative import
        "metrics/overlap.py",
        "fusion/staple.py",
        "arrays.py",
    }
    assert not any(name.startswith(("book/", "cli/", "graph/", "training/")) for name in names)


@pytest.mark.parametrize(("name", "budget"), [("03_train", 17_500), ("04_sample", 21_500)])
def test_trainings_and_samples_depend_on_no_study(root, name, budget):
    """A word of a chapter, or a new study, must leave every network as it is."""
    package = root / "paraspine"
    files = sources(root / "notebooks" / f"{name}.ipynb")[1:]
    rooms = {path.relative_to(package).parts[0] for path in files}
    assert not rooms & {"studies", "evidence", "graph", "published", "book", "cli"}
    figures = {path.name for path in files if path.parent.name == "figures"}
    assert figures <= {"__init__.py", "training.py", "style.py"}
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert lines < budget


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from paraspine.figures import training_curves", {"training.py"}),
        ("from paraspine import figures", {"overview.py", "candidates.py", "explorer.py"}),
        ("import paraspine.figures", {"overview.py", "candidates.py", "explorer.py"}),
        ("from paraspine.figures import *", {"overview.py", "candidates.py", "explorer.py"}),
        ("from paraspine.figures.agreement import pairwise_dice", {"agreement.py"}),
    ],
)
def test_a_lazy_room_counts_by_what_is_taken_from_it(mini, code, found):
    mini.write_notebook(mini.notebook("05_draw"), "profile = ''", [code])
    own = {p.name for p in sources(mini.notebook("05_draw")) if p.parent.name == "figures"}
    assert found <= own
    assert "__init__.py" not in own  # it only names them
    assert ("multiples.py" in own) == ("explorer.py" in found)


def test_an_edit_of_a_module_changes_the_fingerprint(mini, monkeypatch, tmp_path):
    package = tmp_path / "paraspine"
    for name, code in {
        "__init__": "",
        "session/__init__": "from ..helper import value",
        "helper": "from . import deeper\nvalue = 1",
        "deeper": "depth = 3",
        "unrelated": "x = 1",
    }.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    monkeypatch.setattr(importlib.import_module("paraspine.session.digests"), "PACKAGE", package)
    before = fingerprint(mini.notebook("01_numbers"))
    (package / "unrelated.py").write_text("x = 2")
    assert fingerprint(mini.notebook("01_numbers")) == before
    (package / "deeper.py").write_text("depth = 4")
    assert fingerprint(mini.notebook("01_numbers")) != before


def test_the_top_folder_is_found_from_below_or_named(mini, monkeypatch, tmp_path):
    monkeypatch.delenv("PARASPINE_ROOT")
    assert project_root(mini.root / "notebooks") == mini.root
    with pytest.raises(RunError, match="start inside the checkout or set PARASPINE_ROOT"):
        project_root(tmp_path)
    monkeypatch.setenv("PARASPINE_ROOT", str(mini.root))
    assert project_root(tmp_path) == mini.root


def test_slices_and_sides_follow_the_parameters(mini):
    session = begin("01_numbers", declared_parameters(mini.notebook("01_numbers")))
    session.parameters |= {
        "max_size": 16,
        "denoise": False,
        "bias_correction": False,
        "split_by": "subject",
        "train_fraction": 0.5,
        "validation_fraction": 0.0,
        "split_seed": 0,
    }
    data = session.slices(session.cohort())
    assert data.images.shape == (2, 1, 16, 16)
    sides = session.sides(data)
    assert sorted(sides) == ["test", "train"]
    session.parameters["split_by"] = "slice"
    assert sorted(session.sides(data)) == ["test", "train"]
    assert "slice" in data.table
    assert (data.table["slice"] == 0).all()  # untouched by the split


def test_a_split_by_slice_gives_every_level_its_share(mini):
    session = begin("01_numbers", declared_parameters(mini.notebook("01_numbers")))
    session.parameters |= {
        "split_by": "subject", "train_fraction": 0.5, "validation_fraction": 0.25, "split_seed": 1,
    }  # fmt: skip
    table = pd.DataFrame(
        {"subject": np.repeat(list("abcdefgh"), 3), "level": ["L3", "L4", "S1"] * 8, "slice": 0}
    )
    data = types.SimpleNamespace(table=table)
    sides = session.sides(data, {"split_by": "slice"})
    for level in ("L3", "L4", "S1"):
        own = sides[(table["level"] == level).to_numpy()]
        assert [int((own == side).sum()) for side in ("train", "validation", "test")] == [4, 2, 2]
    by_subject = session.sides(data)
    assert (by_subject == session.sides(data, {"split_by": "subject"})).all()
    assert not (by_subject == sides).all()
    bare = types.SimpleNamespace(table=table.drop(columns="level"))
    assert sorted(session.sides(bare, {"split_by": "slice"})) == sorted(sides)


def test_variance_maps_where_a_network_has_that_task_and_in_the_cache(mini):
    session = begin("01_numbers", declared_parameters(mini.notebook("01_numbers")))
    session.parameters |= {"max_size": 16, "denoise": False, "bias_correction": False}
    data = session.slices(session.cohort())
    assert session.variances(data, ["segmentation"]) is None
    found = session.variances(data, ["segmentation", "variance"])
    np.testing.assert_array_equal(found, slices.variances(data))
    entries = list((mini.root / ".cache" / "variance").rglob("*.npz"))
    assert len(entries) == len(np.unique((data.rated.sum(axis=1) > 1).nonzero()[0]))
    assert session.crowd(data, 30) is None  # of real raters there are no more


def test_generated_manifests_are_told_by_their_sidecar(mini):
    assert not is_generated(mini.manifest)
    side = mini.manifest.with_suffix(".json")
    side.write_text(json.dumps(json.loads(side.read_text()) | {"generator": {"name": "phantom"}}))
    assert is_generated(mini.manifest)
    side.write_text("{")
    assert not is_generated(mini.manifest)
    assert not is_generated(mini.root / "none.csv")


def test_a_cohort_read_twice_is_hashed_once(mini, monkeypatch):
    image = volumes.from_array(np.arange(36, dtype=np.int16).reshape(1, 6, 6), (4, 1, 1))
    volumes.write(mini.root / "p1.nii.gz", image)  # bytes that no other test has seen
    first = cohort_digest(mini.manifest)
    monkeypatch.setattr("paraspine.runs.sha256", lambda path: pytest.fail(f"{path} read again"))
    assert cohort_digest(mini.manifest) == first


def load(mini, cohort=None, max_size=16, **settings):
    cohort = cohort or memory.read_cohort(mini.manifest, mini.root / ".cache/cohorts")
    folder = mini.root / ".cache/slices"
    return memory.load_slices(
        cohort, max_size, preprocess.Preprocessing(**settings), folder, mini.root / ".cache/images"
    )


def same(a, b):
    for name in ("images", "labels", "rated"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    pd.testing.assert_frame_equal(a.table, b.table)
    assert (a.classes, a.raters, a.spacing) == (b.classes, b.raters, b.spacing)
    assert (a.source, a.synthetic) == (b.source, b.synthetic)


def test_slices_are_read_from_their_files_once(mini, monkeypatch):
    cohort = manifest.read(mini.manifest)
    plain = slices.load(cohort, **slices.common_grid(cohort, 16))
    same(load(mini), plain)
    monkeypatch.setattr(slices, "load", lambda *a, **k: pytest.fail("read again"))
    same(load(mini), plain)
    found = load(mini)
    found.images[:] = 0  # a caller's own copy
    same(load(mini), plain)


def test_other_content_settings_rows_or_code_are_read_anew(mini, monkeypatch):
    calls = []
    plain = slices.load
    monkeypatch.setattr(slices, "load", lambda *a, **k: calls.append(1) or plain(*a, **k))
    first = load(mini)
    load(mini, max_size=32)
    load(mini, percentiles=(5, 95))
    cohort = manifest.read(mini.manifest)
    assert len(load(mini, cohort.select([True, False]))) == 1
    image = volumes.from_array(np.arange(36, dtype=np.int16).reshape(1, 6, 6), (4, 1, 1))
    volumes.write(mini.root / "p1.nii.gz", image)
    assert not np.array_equal(load(mini).images, first.images)
    assert len(calls) == 5
    monkeypatch.setattr(memory, "_code", lambda room: "edited")
    load(mini)
    assert len(calls) == 6


def test_a_damaged_entry_is_made_again_and_few_are_kept(mini):
    first = load(mini)
    (entry,) = (mini.root / ".cache/slices").rglob("*.npz")
    whole = entry.read_bytes()
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2]):
        entry.write_bytes(damaged)
        same(load(mini), first)
        assert entry.read_bytes() == whole
    for size in range(2, 10):
        load(mini, max_size=16 * size)
    assert len(list((mini.root / ".cache/slices").rglob("*.npz"))) == memory.KEPT


def test_a_cohort_found_good_is_not_opened_again_and_a_bad_one_never_kept(mini, monkeypatch):
    folder = mini.root / ".cache/cohorts"
    first = memory.read_cohort(mini.manifest, folder)
    assert first.notes == manifest.read(mini.manifest).notes
    with monkeypatch.context() as patch:
        patch.setattr("paraspine.manifest.files.check", lambda *a, **k: pytest.fail("opened again"))
        again = memory.read_cohort(mini.manifest, folder)
    pd.testing.assert_frame_equal(again.table, first.table)
    assert again.notes == first.notes
    volumes.write(
        mini.root / "p1_a.nii.gz", volumes.from_array(np.full((1, 6, 6), 9, np.uint8), (4, 1, 1))
    )
    for _ in range(2):
        with pytest.raises(ManifestError, match="p1_a"):
            memory.read_cohort(mini.manifest, folder)
    mini.manifest.unlink()
    with pytest.raises(ManifestError, match="data_manifest"):
        memory.read_cohort(mini.manifest, folder)


def test_a_centre_is_the_test_set_and_no_subject_of_it_is_learned_from(tmp_path):
    table = pd.DataFrame(
        {
            "subject": [f"p{n // 2}" for n in range(20)],
            "image": [f"{n}.nii.gz" for n in range(20)],
            "center": ["north" if n < 8 else "south" for n in range(20)],
        }
    )
    session = Session(run=None, root=tmp_path, notebook=tmp_path / "x.ipynb", parameters={})
    wanted = {
        "train_fraction": 0.6, "validation_fraction": 0.2, "split_seed": 1, "split_by": "subject",
        "test_center": "north",
    }  # fmt: skip
    data = types.SimpleNamespace(table=table)
    sides = session.sides(data, wanted)
    assert set(sides[:8]) == {"test"}
    assert sorted(sides[8:]) == ["train"] * 10 + ["validation"] * 2  # 3 : 1 of six subjects
    assert all(sides[::2] == sides[1::2])
    for wrong in (wanted | {"test_center": "east"}, wanted):
        other = table if wrong is not wanted else table.assign(center="north")
        with pytest.raises(ManifestError, match="test_center: expected one of several centres"):
            session.sides(types.SimpleNamespace(table=other), wrong)
    torn = table.assign(subject=["p0"] * 20)
    with pytest.raises((ManifestError, SettingsError)):
        session.sides(types.SimpleNamespace(table=torn), wanted)


WEIGHTS = (
    'profile = "quick"\nrun_folder = ""\nmanifest_path = "data_manifest.csv"\n'
    'model = "transunet"\ntransunet_weights = ""',
    [
        "from paraspine.session import begin\n\nsession = begin('04_start', globals())",
        "start = session.weights(model, transunet_weights)",
        "session.run.write_json('start.json', start and start.name)\nfolder = session.finish()",
    ],
)


def test_weights_that_a_network_starts_from_are_an_input(mini):
    mini.write_notebook(mini.root / "notebooks" / "04_start.ipynb", *WEIGHTS)
    (mini.root / "start.pth").write_bytes(b"weights")
    begun = {
        (model, name): mini.perform("04_start", model=model, transunet_weights=name)
        for model in ("unet", "transunet", "multitask_transunet")
        for name in ("", "start.pth")
    }
    for (model, name), folder in begun.items():
        used = bool(name) and model != "unet"
        run = runs.read(folder)
        assert run.read_json("start.json") == ("start.pth" if used else None)
        assert ("start.pth" in run.read_json("inputs.json")["inputs"]) == used
        assert staleness(folder) is None
    (mini.root / "start.pth").write_bytes(b"other weights")
    assert staleness(begun["unet", "start.pth"]) is None
    assert staleness(begun["transunet", "start.pth"]) == "its input start.pth changed since it ran"
    with pytest.raises(RunError, match="transunet_weights: expected a file below project or an"):
        mini.perform("04_start", transunet_weights="gone.pth")


def test_tables_are_shown_whole(mini):
    cells = "".join(f"{i:03d} " for i in range(40))
    table = pd.DataFrame([[cells] * 30] * 80)
    with pd.option_context("display.max_colwidth", 50, "display.max_rows", 60):
        mini.perform("01_numbers")
        shown = table.to_html(notebook=True)
    assert "..." not in shown
    assert shown.count("039") == 2400
