"""A cohort on disk: the same bytes always, missing images made again, bad settings refused."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paraspine import manifest, phantom, volumes
from paraspine.anatomy import PARASPINAL, ClassTable
from paraspine.arrays import ManifestError, SettingsError

SMALL = {
    "size": (64, 72),
    "spacing": (2.4, 2.4),
    "levels": ("L4-L5", "S1"),
    "missing_slices": 0,
    "single_rater": 0,
}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    return phantom.make_cohort(tmp_path_factory.mktemp("cohort"), 3, seed=5, **SMALL)


def test_table_and_json(cohort):
    table = pd.read_csv(cohort)
    assert list(table.columns) == [
        "subject", "image", "level", "sex", "age", "center", "fat",
        "rater_a", "rater_b", "rater_c", "sha256_image",
    ]  # fmt: skip
    assert table.subject.tolist() == ["sub-001"] * 2 + ["sub-002"] * 2 + ["sub-003"] * 2
    assert set(table.level) == {"L4-L5", "S1"}
    assert table.fat.between(0, 1).all()
    block = json.loads(cohort.with_suffix(".json").read_text())
    assert block["source"] == "synthetic phantom"
    assert block["synthetic"] is True
    assert ClassTable.from_json(block).foreground == ("right MF", "left MF", "right ES", "left ES")
    for row in table.to_dict("records"):
        path = cohort.parent / row["image"]
        image = volumes.read(path)
        assert volumes.checksum(image) == row["sha256_image"]
        assert image.array.shape == (1, 64, 72)
        assert image.spacing == pytest.approx((4.0, 2.4, 2.4))
        assert (image.array == np.rint(image.array)).all()
        labels = volumes.read_labels(cohort.parent / row["rater_a"])
        assert volumes.geometry_difference(image, labels) is None
        assert set(np.unique(labels.array)) <= set(range(5))


def test_the_manifest_room_reads_it(cohort):
    found = manifest.read(cohort)
    assert found.raters == ("a", "b", "c")
    assert found.synthetic
    assert found.source == "synthetic phantom"
    assert found.classes == PARASPINAL
    assert manifest.problems(cohort) == []


def test_patients_right_is_on_the_left_of_the_picture(cohort):
    table = pd.read_csv(cohort)
    for name in table[table.level == "L4-L5"].rater_b:
        labels = volumes.read_labels(cohort.parent / name).array[0]
        columns = [np.nonzero(labels == c)[1].mean() for c in (3, 1, 2, 4)]
        assert columns == sorted(columns)


def test_same_bytes_for_any_number_of_workers(cohort, tmp_path):
    phantom.make_cohort(tmp_path, 3, seed=5, workers=2, **SMALL)
    assert digests(tmp_path) == digests(cohort.parent)


def test_a_longer_cohort_begins_with_the_shorter(cohort, tmp_path):
    phantom.make_cohort(tmp_path, 4, seed=5, **SMALL)
    short, long = pd.read_csv(cohort), pd.read_csv(tmp_path / "data_manifest.csv")
    pd.testing.assert_frame_equal(long.iloc[: len(short)], short)


def test_another_seed_gives_other_images(cohort, tmp_path):
    phantom.make_cohort(tmp_path, 1, seed=6, **SMALL)
    old, new = pd.read_csv(cohort), pd.read_csv(tmp_path / "data_manifest.csv")
    assert not set(old.sha256_image) & set(new.sha256_image)


def test_materialise_makes_exactly_what_is_missing(tmp_path):
    path = phantom.make_cohort(tmp_path, 2, seed=1, **SMALL)
    before = digests(tmp_path)
    assert phantom.materialise(path) == []
    table = pd.read_csv(path)
    (tmp_path / table.image[1]).unlink()
    (tmp_path / table.rater_c[2]).unlink()
    made = phantom.materialise(path)
    assert tmp_path / table.image[1] in made
    assert tmp_path / table.rater_c[2] in made
    assert made.notes == []
    assert digests(tmp_path) == before


def test_materialise_from_the_manifest_alone(tmp_path):
    path = phantom.make_cohort(tmp_path / "a", 2, seed=1, **SMALL)
    (tmp_path / "b").mkdir()
    for name in ("data_manifest.csv", "data_manifest.json"):
        (tmp_path / "b" / name).write_bytes((path.parent / name).read_bytes())
    made = phantom.materialise(tmp_path / "b" / "data_manifest.csv", workers=2)
    assert len(made) == 4 * 4
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_a_checksum_that_differs_is_said(tmp_path):
    path = phantom.make_cohort(tmp_path, 1, **SMALL)
    table = pd.read_csv(path)
    table.loc[0, "sha256_image"] = "0" * 64
    table.to_csv(path, index=False)
    (tmp_path / table.image[0]).unlink()
    made = phantom.materialise(path)
    assert len(made.notes) == 1
    assert table.image[0] in made.notes[0]


def test_materialise_refuses_what_it_cannot_make(tmp_path):
    with pytest.raises(ManifestError, match="no such file"):
        phantom.materialise(tmp_path / "data_manifest.csv")
    path = phantom.make_cohort(tmp_path, 1, **SMALL)
    block = json.loads(path.with_suffix(".json").read_text())
    for change, words in (
        ({"generator": None}, "no generator block"),
        ({"generator": block["generator"] | {"version": 0}}, "version 0"),
        ({"generator": {k: v for k, v in block["generator"].items() if k != "images"}}, "lacks"),
    ):
        path.with_suffix(".json").write_text(json.dumps(block | change))
        with pytest.raises(ManifestError, match=words):
            phantom.materialise(path)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(ManifestError, match="not valid JSON"):
        phantom.materialise(path)
    path.with_suffix(".json").write_text(json.dumps(block))
    table = pd.read_csv(path)
    table.loc[0, "image"] = "elsewhere.nii.gz"
    table.to_csv(path, index=False)
    with pytest.raises(ManifestError, match="does not make it"):
        phantom.materialise(path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"subjects": 0}, "subjects: expected a whole number"),
        ({"seed": -1}, "seed"),
        ({"raters": 0}, "raters"),
        ({"raters": 2.0}, "raters"),
        ({"workers": 0}, "workers"),
        ({"size": (64, 64), "spacing": (0.7, 0.7)}, "field of view is 45 x 45 mm"),
        ({"size": 256}, "two whole numbers"),
        ({"spacing": (0.7, -0.7)}, "positive numbers"),
        ({"levels": ("L9",)}, "'L9'.*unknown"),
        ({"levels": ()}, "at least one"),
        ({"kind": "films"}, "kind"),
        ({"noise": -1}, "noise: expected 0 to"),
        ({"noise": float("nan")}, "noise: expected a number"),
        ({"rater_spred": 1}, "rater_spred: no such knob; expected noise"),
        ({"images": "/tmp"}, "a folder below"),
        ({"images": "../x"}, "a folder below"),
        ({"psoas": 1}, "psoas"),
    ],
)
def test_impossible_settings_are_refused(tmp_path, settings, words):
    with pytest.raises(SettingsError, match=words):
        phantom.make_cohort(tmp_path, **settings)
    assert not list(tmp_path.iterdir())


def test_unrated_images_have_blank_cells(tmp_path):
    path = phantom.make_cohort(tmp_path, 3, **SMALL | {"single_rater": 1.0})
    table = pd.read_csv(path)
    given = table[["rater_a", "rater_b", "rater_c"]].notna().sum(axis=1)
    assert (given == 1).all()
    assert len(list(tmp_path.rglob("*rater-*"))) == len(table)
