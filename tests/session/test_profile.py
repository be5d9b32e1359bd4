"""Parameters that a notebook hands on: from the weakest to the strongest source."""

import json

import pytest

from paraspine import statistics
from paraspine.arrays import SettingsError
from paraspine.session.parameters import check_parameters, declared_parameters, training_settings
from paraspine.session.profile import common_parameters, upstream_parameters
from paraspine.session.session import begin
from paraspine.session.workspace import run_folder, workspace_of

PLACE = 'profile = "quick"\nrun_folder = ""\nmanifest_path = "data_manifest.csv"\n'


@pytest.fixture
def chain(mini):
    """A training, its samples and a chapter of them, in the miniature project."""
    for name, parameters in {
        "03_train": 'a = 1\nb = 1\nc = 1\nd = 1\nepochs = 15\nrate = 0.5\nmodel = "unet"\nseed = 0',
        "04_sample": 'epochs = 15\nrate = 0.5\nmodel = "unet"\nseed = 0\nbins = 10\nsize = 1',
        "05_chapter": "size = 1\nd = 1\ntraining = {}",
        "13_reader": "d = 1\ntraining = {}",
    }.items():
        mini.write_notebook(mini.root / "notebooks" / f"{name}.ipynb", PLACE + parameters, [])
    return mini


def test_each_source_goes_before_the_one_above_it(chain):
    (chain.root / "profiles" / "big.yaml").write_text("b: 2\nc: 2\nd: 2\nrate: 2\nother: 2\n")
    side = chain.manifest.with_suffix(".json")
    side.write_text(json.dumps({"name": "x", "parameters": {"c": 3, "d": 3, "rate": 3}}))
    own = declared_parameters(chain.notebook("05_chapter")) | {"profile": "big", "d": 4}
    own |= {"run_folder": "runs/mine", "training": {"rate": 5}}
    expected = {"profile": "big", "manifest_path": "data_manifest.csv", "b": 2, "c": 3, "d": 4}
    train = chain.notebook("03_train")
    assert upstream_parameters(train, own, {}) == expected | {"rate": 5.0}  # a: its own default
    found = upstream_parameters(train, own, {"rate": 6, "seed": 2})
    assert found == expected | {"rate": 6.0, "seed": 2}
    for wrong in ({"sead": 2}, {"seed": "two"}):
        with pytest.raises(SettingsError, match=r"03_train\.ipynb: "):
            upstream_parameters(train, own, wrong)
    common = common_parameters(chain.root, own)
    assert common == {"b": 2, "c": 3, "d": 3, "rate": 3, "other": 2}
    with pytest.raises(SettingsError, match="profile 'none': not found; there are big, quick"):
        upstream_parameters(train, own | {"profile": "none"}, {})


def test_training_is_handed_on_to_whoever_hands_it_on(chain):
    own = declared_parameters(chain.notebook("13_reader")) | {"d": 2}
    own |= {"training": {"epochs": 3, "size": 4, "rate": None}}
    chapter = upstream_parameters(chain.notebook("05_chapter"), own, {})
    assert chapter["training"] == {"epochs": 3, "rate": None}
    assert (chapter["size"], chapter["d"]) == (4, 2)
    sample = upstream_parameters(
        chain.notebook("04_sample"), declared_parameters(chain.notebook("05_chapter")) | chapter, {}
    )
    assert "training" not in sample
    assert {k: sample[k] for k in ("epochs", "rate", "size")} == {
        "epochs": 3, "rate": None, "size": 4,
    }  # fmt: skip
    assert upstream_parameters(chain.notebook("03_train"), sample, {})["epochs"] == 3


def test_settings_of_trainings_are_checked_as_every_parameter_is(chain):
    notebook = chain.notebook("05_chapter")
    assert training_settings(notebook) == {
        "a": 1, "b": 1, "c": 1, "epochs": 15, "rate": 0.5, "bins": 10,
    }  # fmt: skip
    checked = check_parameters(notebook, {"training": {"rate": 1, "bins": 5}, "size": 2})
    assert checked == {"training": {"rate": 1.0, "bins": 5}, "size": 2}
    assert isinstance(checked["training"]["rate"], float)
    for given, message in {
        ("epoch", 3): "unknown parameter 'epoch': did you mean 'epochs'?",
        ("zzz", 3): "unknown parameter 'zzz': known: a, b, c, epochs, rate, bins.",
        ("epochs", "x"): "parameter 'epochs': expected a whole number such as 15, got 'x'.",
        ("d", 3): "'d' is a parameter of the notebook itself, not of training.",
        ("seed", 3): "unknown parameter 'seed': ",
    }.items():
        with pytest.raises(SettingsError) as told:
            check_parameters(notebook, {"training": dict([given])})
        assert str(told.value).startswith(f"05_chapter.ipynb: {message}")
    with pytest.raises(SettingsError, match=r"'training': expected names with values such as \{\}"):
        check_parameters(notebook, {"training": [3]})
    with pytest.raises(SettingsError, match="unknown parameter 'training'"):
        check_parameters(chain.notebook("03_train"), {"training": {}})


def test_a_declared_value_cannot_be_changed_by_who_asks_for_it(chain):
    found = declared_parameters(chain.notebook("05_chapter"))
    found["training"]["epochs"] = 3
    assert declared_parameters(chain.notebook("05_chapter"))["training"] == {}
    chain.edit("05_chapter", "size = 1", "size = 2")
    assert declared_parameters(chain.notebook("05_chapter"))["size"] == 2


def test_a_workspace_follows_from_profile_and_cohort(chain, tmp_path):
    root = chain.root
    assert workspace_of(root, "big") == workspace_of(root, "big", "./data_manifest.csv") == "big"
    other = root / "Some Folder" / "m.csv"
    other.parent.mkdir()
    other.write_text("subject,image\n")
    assert workspace_of(root, "big", "Some Folder/m.csv") == "big-some-folder"
    other.with_suffix(".json").write_text('{"name": "Größe & Co. 2"}')
    assert workspace_of(root, "big", str(other)) == "big-gr-e-co-2"
    other.with_suffix(".json").write_text('["no", "block"]')
    assert workspace_of(root, "big", str(other)) == "big-some-folder"
    values = {"profile": "big", "manifest_path": "Some Folder/m.csv", "run_folder": ""}
    assert run_folder(root, "02_use", values).parent == root / "runs" / "big-some-folder" / "use"
    given = values | {"run_folder": "runs/a/b/c"}
    assert run_folder(root, "02_use", given) == root / "runs" / "a" / "b" / "c"


def test_a_run_sets_the_number_of_resamples_and_knows_its_source(chain):
    path = chain.root / "notebooks" / "06_intervals.ipynb"
    chain.write_notebook(path, PLACE + "resamples = 2000", [])
    with statistics.set_defaults(resamples=11):
        begin("01_numbers", declared_parameters(chain.notebook("01_numbers")))
        assert statistics.defaults.resamples == 11
        session = begin("06_intervals", declared_parameters(path) | {"resamples": 77})
        assert statistics.defaults.resamples == 77
    assert session.run.parameters["resamples"] == 77
    assert session.source == ""
    assert session.cohort().source == session.source != ""
