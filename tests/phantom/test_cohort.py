"""A cohort on disk: the same bytes always, missing images made again, bad settings refused."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paraspine import manifest, phantom, volumes
from paraspine.anatomy import PARASPINAL
from paraspine.arrays import ManifestError, SettingsError
from paraspine.phantom.settings import PhantomConfig, Protocol
from paraspine.phantom.subjects import draw

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


@pytest.fixture
def copy(cohort, tmp_path) -> Path:
    """The manifest of a copy that a test may change."""
    shutil.copytree(cohort.parent, tmp_path / "copy")
    return tmp_path / "copy" / cohort.name


def test_table_and_json(cohort):
    table = pd.read_csv(cohort)
    assert list(table.columns) == [
        "subject", "image", "level", "sex", "age", "center", "fat",
        "rater_a", "rater_b", "rater_c", "sha256_image",
    ]  # fmt: skip
    assert table.subject.tolist() == ["sub-001"] * 2 + ["sub-002"] * 2 + ["sub-003"] * 2
    assert set(table.level) == {"L4-L5", "S1"}
    assert table.fat.between(0, 1).all()
    found = manifest.read(cohort)
    assert found.raters == ("a", "b", "c")
    assert (found.source, found.synthetic) == ("synthetic phantom", True)
    assert found.classes == PARASPINAL
    centers = [draw(k, Protocol(seed=5), PhantomConfig()).center for k in range(3)]
    assert len(set(centers)) > 1
    assert table.center.tolist() == [f"center-{'abc'[c]}" for c in centers for _ in range(2)]
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


def test_materialise_makes_exactly_what_is_missing(copy):
    before = digests(copy.parent)
    assert phantom.materialise(copy) == []
    table = pd.read_csv(copy)
    names = table.image[1], table.rater_c[2], table.rater_a[2]
    gone = [copy.parent / name for name in names]
    for file in gone:
        file.unlink()
    kept = copy.parent / table.rater_b[2]
    kept.write_bytes(b"corrected by hand")
    made = phantom.materialise(copy)
    assert sorted(made) == sorted(gone)
    assert made.notes == []
    assert kept.read_bytes() == b"corrected by hand"
    name = str(kept.relative_to(copy.parent))
    assert digests(copy.parent) | {name: before[name]} == before


def test_materialise_from_the_manifest_alone(cohort, tmp_path):
    for file in cohort.parent.glob("data_manifest.*"):
        shutil.copy(file, tmp_path)
    made = phantom.materialise(tmp_path / cohort.name, workers=2)
    assert len(made) == 6 * 4
    assert digests(tmp_path) == digests(cohort.parent)


def test_numpy_numbers_are_numbers(tmp_path):
    path = phantom.make_cohort(
        tmp_path, np.int64(1), np.int64(1), raters=np.int32(2), noise=np.float32(20), **SMALL
    )
    assert phantom.settings_of(path)["raters"] == 2
    assert phantom.materialise(path) == []


def test_settings_of_a_manifest_draw_the_same_images(cohort):
    row = pd.read_csv(cohort).iloc[3]
    settings = phantom.settings_of(cohort)
    case = phantom.simulate(2, "S1", **settings)
    assert volumes.checksum(case.volume(case.image)) == row.sha256_image
    labels = volumes.read_labels(cohort.parent / row.rater_b)
    assert np.array_equal(labels.array, case.labels[1])
    assert labels.affine == pytest.approx(case.affine)
    assert case.fat_fraction == pytest.approx(row.fat, abs=1e-4)
    found = phantom.true_probabilities(2, "S1", draws=2, **settings)
    assert found.probabilities.shape == (5, 1, 64, 72)


#: SHA-256 of what all raters drew in the images below.
LABELS = "373990d386b2a5ba72e899b4df2978e6aa02e752bcbdb73ce05ab87779060513"


def test_the_committed_manifest_is_still_what_the_phantom_makes(root):
    path = root / "data_manifest.csv"
    if not path.is_file():
        pytest.skip("no committed manifest")
    table, settings = pd.read_csv(path), phantom.settings_of(path)
    labels = hashlib.sha256()
    for row in table.iloc[:: max(1, len(table) // 4)].to_dict("records"):
        case = phantom.simulate(int(row["subject"][-3:]), row.get("level"), **settings)
        assert volumes.checksum(case.volume(case.image)) == row["sha256_image"], (
            "the phantom has changed: make data_manifest.csv again and say so in the changelog"
        )
        labels.update(case.labels.tobytes())
    assert labels.hexdigest() == LABELS, "the raters have changed: say so in the changelog"


def test_a_checksum_that_differs_is_said(copy):
    table = pd.read_csv(copy)
    file = copy.parent / table.rater_a[0]
    table["sha256_a"] = hashlib.sha256(file.read_bytes()).hexdigest()  # of the file, not the voxels
    table.loc[0, "sha256_image"] = "0" * 64
    table.to_csv(copy, index=False)
    file.unlink()
    (copy.parent / table.image[0]).unlink()
    made = phantom.materialise(copy)
    assert len(made) == 2
    assert len(made.notes) == 1
    assert table.image[0] in made.notes[0]


def test_materialise_refuses_what_it_cannot_make(copy, tmp_path):
    with pytest.raises(ManifestError, match="no such file"):
        phantom.materialise(tmp_path / "data_manifest.csv")
    path = copy
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
        ({"size": (110, 140), "spacing": (1.0, 1.0)}, "muscles need 110 x 150 mm"),
        ({"size": (500, 300), "spacing": (0.7, 1.4)}, "reaches 400 x 400 mm"),
        ({"slice_spacing": 20.5}, "slice_spacing: expected 1 to 20 mm"),
        ({"size": 256}, "two whole numbers"),
        ({"size": (256, 15)}, "size: expected a whole number from 16 to 4096"),
        ({"spacing": (0.7, -0.7)}, "positive numbers"),
        ({"levels": ("L9",)}, "'L9'.*unknown"),
        ({"levels": ()}, "at least one"),
        ({"kind": "films"}, "kind"),
        ({"noise": -1}, "noise: expected 0 to"),
        ({"single_rater": 1.01}, "single_rater: expected 0 to 1"),
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
    cell = table.rater_a.fillna("")[lambda c: c == ""].index[0]
    table.loc[cell, "rater_a"] = table.image[cell].replace("T2w", "rater-a")
    table.to_csv(path, index=False)
    with pytest.raises(ManifestError, match="did not rate this image"):
        phantom.materialise(path)
