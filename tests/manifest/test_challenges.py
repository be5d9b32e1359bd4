"""Manifests from the two public challenges, on small files in their layout."""

import json
import re

import nibabel
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from paraspine import manifest, volumes
from paraspine.arrays import ManifestError, SettingsError
from paraspine.cli import app
from paraspine.manifest.challenges import from_msseg, from_scgm


def put(path, seed, highest=None, own=0):
    """A small volume; label maps hold 0 to `highest`, one voxel being a rater's own."""
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 900, (2, 6, 7)).astype(np.int16)
    if highest is not None:
        array = rng.integers(0, highest + 1, (2, 6, 7)).astype(np.uint8)
        array[0, 0, : highest + 1] = np.arange(highest + 1)
        array.flat[-own] = (array.flat[-own] + 1) % (highest + 1)
    return volumes.write(path, volumes.from_array(array, (5, 0.5, 0.5)))


def page_commands(root, name):
    """The words of each command of a block on the page about one's own data."""
    text = (root / "book" / "your-data.md").read_text()
    (block,) = re.findall(rf"```\{{code-block\}} sh\n:name: {name}\n(.*?)```", text, re.S)
    return [line.split() for line in block.splitlines() if line.strip()]


def run_page(root, name, folder, monkeypatch):
    """Run the commands of a block as a reader would, but for building the book."""
    monkeypatch.chdir(folder)
    commands = page_commands(root, name)
    assert commands[-1][:2] == ["make", "book"]
    for words in commands[:-1]:
        assert words[0] == ".venv/bin/paraspine"
        result = CliRunner().invoke(app, words[1:])
        assert result.exit_code == 0, result.output
    made = commands[-1][2].removeprefix("MANIFEST=")
    assert (folder / made).is_file()
    return result.output, manifest.read(folder / made)


RATERS = (1, 2, 3, 10)  # ten comes after three, and site 10 after site 2, in numbers only


@pytest.fixture
def scgm(tmp_path):
    """Three subjects of three sites by four raters, with the text files of the download."""
    folder = tmp_path / "training-data-gm-sc-challenge"
    for i, subject in enumerate(("site1-sc01", "site2-sc02", "site10-sc03")):
        put(folder / f"{subject}-image.nii.gz", i)
        (folder / f"{subject}-levels.txt").write_text("0, 3\n1, 4\n")
        for rater in RATERS:
            put(folder / f"{subject}-mask-r{rater}.nii.gz", i + 50, 2, rater)
    return folder


def test_scgm(scgm):
    path = from_scgm(scgm)
    cohort = manifest.read(path)  # opens every file and checks values and grids
    assert path == scgm / "data_manifest.csv"
    assert cohort.raters == ("1", "2", "3", "10")
    assert cohort.subjects == ("site1-sc01", "site2-sc02", "site10-sc03")
    assert cohort.table["center"].tolist() == ["site1", "site2", "site10"]
    assert cohort.classes.names == ("background", "grey matter", "white matter")
    assert cohort.label_path(2, "10").name == "site10-sc03-mask-r10.nii.gz"
    assert cohort.table["sha256_image"].notna().all()
    assert cohort.metadata["grid"] == {"size": [128, 128], "spacing": [0.25, 0.25]}
    assert not cohort.synthetic
    first = path.read_bytes()
    assert from_scgm(scgm).read_bytes() == first


def test_scgm_of_a_rater_who_is_missing_and_a_test_set_beside_it(scgm):
    (scgm / "site2-sc02-mask-r3.nii.gz").unlink()
    for i in range(11, 13):
        put(scgm.parent / "test-data" / f"site2-sc{i}-image.nii.gz", i)
    cohort = manifest.read(from_scgm(scgm.parent))
    assert len(cohort) == 3
    assert cohort.rated()["3"].tolist() == [True, False, True]
    assert "2 images have no label map below this folder and no row here." in cohort.notes


def as_text(labels, path, separator=" "):
    """Write a NIfTI label map as text, its first axis along the lines, and remove it."""
    array = np.asarray(nibabel.load(labels).dataobj)
    lines = [
        separator.join(str(v) for v in row)
        for k in range(array.shape[2])
        for row in array[:, :, k].T
    ]
    path.write_text("\n".join(lines) + "\n")
    labels.unlink()


@pytest.mark.parametrize("turn", [(1, 1, 1), (-1, 1, -1)])  # as it is stored, and mirrored
@pytest.mark.parametrize("separator", [" ", ", ", "\t"])
def test_scgm_masks_as_text_are_the_same_labels(scgm, separator, turn):
    image = nibabel.load(scgm / "site1-sc01-image.nii.gz")
    stored = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine @ np.diag([*turn, 1]))
    nibabel.save(stored, scgm / "site1-sc01-image.nii.gz")
    expected = {}
    texts = RATERS if separator == "\t" else RATERS[:2]  # no NIfTI of this subject to compare with
    for rater in RATERS:
        mask = scgm / f"site1-sc01-mask-r{rater}.nii.gz"
        nibabel.save(
            nibabel.Nifti1Image(np.asarray(nibabel.load(mask).dataobj), stored.affine), mask
        )
        expected[rater] = volumes.read_labels(mask)
        if rater in texts:
            as_text(mask, scgm / f"site1-sc01-mask-r{rater}.txt", separator)
    path = from_scgm(scgm)
    cohort = manifest.read(path)
    assert cohort.raters == ("1", "2", "3", "10")
    for rater, volume in expected.items():
        file = cohort.label_path(0, str(rater))
        assert file.parent.name == ("masks-from-text" if rater in texts else scgm.name)
        found = volumes.read_labels(file)
        assert np.array_equal(found.array, volume.array)
        assert volumes.geometry_difference(found, volume) is None
    first = path.read_bytes()
    assert from_scgm(scgm).read_bytes() == first  # what was written is not read again


def test_scgm_nifti_counts_where_there_is_text_too(scgm):
    (scgm / "again").mkdir()
    for place in (scgm, scgm / "again"):
        (place / "site1-sc01-mask-r2.txt").write_text("no numbers\n")
    assert len(manifest.read(from_scgm(scgm))) == 3
    assert not (scgm / "masks-from-text").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0 1 2\n", "expected 84 numbers, one for each voxel of site1-sc01-image.nii.gz (7 x"),
        ("0 1 0.5 0 0 0 0\n", "line 1: expected whole numbers of 0 to 255"),
        ("0 0 0 0 0 0\n" * 14, "line 1: expected a row of 7 numbers, along the first axis"),
        ("0 0 0 0 0 0 0\n" * 11 + "0 0 0\n0 0 0 0\n", "line 12: expected a row of 7 numbers"),
        (b"\xff\xfe\x00", "cannot be read as text"),
    ],
)  # fmt: skip
def test_scgm_text_that_is_no_mask_of_the_image(scgm, text, words):
    (scgm / "site1-sc01-mask-r2.nii.gz").unlink()
    path = scgm / "site1-sc01-mask-r2.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ManifestError) as caught:
        from_scgm(scgm)
    [problem] = caught.value.problems
    assert problem.value == "site1-sc01-mask-r2.txt"
    assert words in problem.problem
    assert "site1-sc01-mask-r2.nii.gz" in problem.remedy


TURNS = {
    "every row is read backwards": lambda a: a[::-1],
    "the rows of a slice are read backwards": lambda a: a[:, ::-1],
    "rows, and the numbers in them, are read backwards": lambda a: a[::-1, ::-1],
    "rows and columns are exchanged": lambda a: a.swapaxes(0, 1),
    "exchanged and both read backwards": lambda a: a.swapaxes(0, 1)[::-1, ::-1],
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("stored", ["LPS", "RAS", "LAS", "RPS"])
def test_scgm_text_in_another_order_is_told_by_another_rater(tmp_path, stored, turn):
    array = np.zeros((8, 8, 2), dtype=np.uint8)
    array[1:3, 2:7] = 1
    array[1, 7] = 1
    signs = [-1 if code in "LP" else 1 for code in stored]
    affine = np.diag([*signs, 1.0]) @ np.diag([0.5, 0.5, 5, 1])
    for name in ("image", "mask-r1", "mask-r2"):
        file = tmp_path / f"site1-sc01-{name}.nii.gz"
        nibabel.save(
            nibabel.Nifti1Image(TURNS[turn](array) if name == "mask-r2" else array, affine), file
        )
    as_text(file, file.with_name("site1-sc01-mask-r2.txt"))
    with pytest.raises(ManifestError) as caught:
        from_scgm(tmp_path)
    assert "agrees better with site1-sc01-mask-r1.nii.gz when" in str(caught.value)
    assert turn in str(caught.value)
    nibabel.save(nibabel.Nifti1Image(array, affine), file)
    as_text(file, file.with_name("site1-sc01-mask-r2.txt"))
    cohort = manifest.read(from_scgm(tmp_path))
    first, second = (volumes.read_labels(cohort.label_path(0, r)).array for r in "12")
    assert np.array_equal(first, second)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_scgm_text_that_no_order_suits_better_is_taken(tmp_path, number):
    """An empty map, a symmetric one, and one whose structure the other rater called another."""
    other, own = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    other[1:3, 2:7] = 1
    own[5:7, 2:7] = number  # mirrored: 2 lies on the other rater's 1 when read backwards
    if number == 1:
        own[1:3, 2:7] = 1
    for name, array in (("image", other), ("mask-r1", other), ("mask-r2", own)):
        file = tmp_path / f"site1-sc01-{name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(array, np.diag([0.5, 0.7, 5, 1])), file)
    expected = volumes.read_labels(file).array
    as_text(file, file.with_name("site1-sc01-mask-r2.txt"))
    cohort = manifest.read(from_scgm(tmp_path))
    assert np.array_equal(volumes.read_labels(cohort.label_path(0, "2")).array, expected)


def test_scgm_names_that_do_not_fit(scgm):
    put(scgm / "site4-sc01-mask-r1.nii.gz", 1, 2)
    put(scgm / "again" / "site1-sc01-image.nii.gz", 2)
    put(scgm / "again" / "site1-sc01-mask-r1.nii", 3, 2)
    with pytest.raises(ManifestError) as caught:
        from_scgm(scgm)
    text = "\n".join(map(str, caught.value.problems))
    assert len(caught.value.problems) == 3
    assert "site4-sc01-mask-r1.nii.gz: there is no image site4-sc01-image.nii.gz" in text
    assert "site1-sc01-image.nii.gz: there is another site1-sc01-image, again/site1-sc01" in text
    assert "there is another site1-sc01-mask-r1" in text


def test_images_without_label_maps_and_manifests_elsewhere(scgm, tmp_path):
    with pytest.raises(SettingsError, match="may not leave its folder"):
        from_scgm(scgm, tmp_path / "other" / "cohort.csv")
    for mask in scgm.glob("*mask*"):
        mask.unlink()
    with pytest.raises(ManifestError, match="found 3 images but no label map"):
        from_scgm(scgm)


IMAGES = ("FLAIR", "T1", "GADO", "T2", "DP")


@pytest.fixture
def msseg(tmp_path):
    """Patients in centres, each with masks, raw and preprocessed images in folders."""
    folder = tmp_path / "MSSEG"
    seed = 0
    for center, patient in (("01", "01"), ("01", "02"), ("07", "01")):
        home = folder / "Training" / f"Center_{center}" / f"Patient_{patient}"
        for name in IMAGES:
            put(home / "Raw_Data" / f"{name}.nii.gz", seed := seed + 1)
            put(home / "Preprocessed_Data" / f"{name}_preprocessed.nii.gz", seed := seed + 1)
        put(home / "Masks" / "Brain_Mask.nii.gz", seed := seed + 1, 1)
        put(home / "Masks" / "Consensus.nii.gz", seed := seed + 1, 1)
        for rater in (*range(1, 7), 10):
            put(home / "Masks" / f"ManualSegmentation_{rater}.nii.gz", seed := seed + 1, 1)
    return folder


@pytest.fixture
def older(tmp_path):
    """All in a patient's folder; preprocessed images in a download of their own."""
    folder = tmp_path / "older"
    seed = 500
    for patient in ("01016SACH", "08027SYBR"):
        home = folder / "Unprocessed" / patient
        for name in ("3DFLAIR", "3DT1", "3DT1GADO", "T2", "DP"):
            put(home / f"{name}.nii.gz", seed := seed + 1)
        for rater in (*range(1, 7), 10):
            put(home / f"ManualSegmentation_{rater}.nii.gz", seed := seed + 1, 1)
        put(home / "Consensus.nii.gz", seed := seed + 1, 1)
        for name in IMAGES:
            place = folder / "Pre-processed" / patient / f"{name}_preprocessed.nii.gz"
            put(place, seed := seed + 1)
    return folder


def test_msseg(msseg):
    path = from_msseg(msseg)
    cohort = manifest.read(path)
    assert cohort.raters == (*"123456", "10")
    assert cohort.subjects == ("Center_01-Patient_01", "Patient_02", "Center_07-Patient_01")
    assert cohort.table["center"].astype(str).tolist() == ["01", "01", "07"]
    assert cohort.classes.names == ("background", "lesion")
    assert cohort.table["image"][0] == (
        "Training/Center_01/Patient_01/Preprocessed_Data/FLAIR_preprocessed.nii.gz"
    )
    assert cohort.label_path(0, "10").name == "ManualSegmentation_10.nii.gz"
    assert cohort.name == "MSSEG-2016, preprocessed FLAIR"
    asked = json.loads(path.with_suffix(".json").read_text())
    assert asked["grid"] == {"size": [160, 128], "spacing": [1.0, 1.0]}
    assert asked["parameters"] == {
        "fusion_max_size": 160, "fusion_depth": 4, "fusion_learning_rate": 0.00005,
        "fusion_splits": 20,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("contrast", "images", "name"),
    [
        ("FLAIR", "raw", "Raw_Data/FLAIR.nii.gz"),
        ("gado", "preprocessed", "Preprocessed_Data/GADO_preprocessed.nii.gz"),
        ("DP", "raw", "Raw_Data/DP.nii.gz"),
    ],
)
def test_msseg_another_image(msseg, contrast, images, name):
    path = from_msseg(msseg, contrast=contrast, images=images)
    assert pd.read_csv(path)["image"][0].endswith(f"Patient_01/{name}")


@pytest.mark.parametrize(
    ("contrast", "images", "name"),
    [
        ("FLAIR", "raw", "Unprocessed/01016SACH/3DFLAIR.nii.gz"),
        ("GADO", "raw", "Unprocessed/01016SACH/3DT1GADO.nii.gz"),
        ("T1", "raw", "Unprocessed/01016SACH/3DT1.nii.gz"),
        ("FLAIR", "preprocessed", "Pre-processed/01016SACH/FLAIR_preprocessed.nii.gz"),
    ],
)
def test_msseg_the_older_layout(older, contrast, images, name):
    cohort = manifest.read(from_msseg(older, contrast=contrast, images=images))
    assert cohort.table["image"][0] == name
    assert cohort.subjects == ("01016SACH", "08027SYBR")
    assert cohort.table["center"].astype(str).tolist() == ["01", "08"]
    assert len(cohort.raters) == 7


def test_msseg_one_patients_folder(older):
    cohort = manifest.read(from_msseg(older / "Unprocessed/01016SACH", images="raw"))
    assert cohort.subjects == ("01016SACH",)


def test_msseg_patients_without_masks_are_left_out(msseg):
    put(msseg / "Testing/Center_03/Patient_09/Preprocessed_Data/FLAIR_preprocessed.nii.gz", 900)
    cohort = manifest.read(from_msseg(msseg))
    assert len(cohort) == 3
    assert "1 image has no label map below this folder and no row here." in cohort.notes


def test_msseg_the_same_patient_number_in_training_and_testing(msseg):
    home = msseg / "Testing/Center_01/Patient_01"
    put(home / "Preprocessed_Data/FLAIR_preprocessed.nii.gz", 901)
    put(home / "Masks/ManualSegmentation_1.nii.gz", 902, 1)
    cohort = manifest.read(from_msseg(msseg))
    assert "Testing-Center_01-Patient_01" in cohort.subjects
    assert "Training-Center_01-Patient_01" in cohort.subjects


def test_msseg_images_that_are_missing_or_double(older, msseg):
    (older / "Unprocessed/01016SACH/3DFLAIR.nii.gz").unlink()
    put(older / "Unprocessed/08027SYBR/FLAIR.nii.gz", 903)
    with pytest.raises(ManifestError) as caught:
        from_msseg(older, images="raw")
    text = "\n".join(map(str, caught.value.problems))
    assert "01016SACH: no raw FLAIR image. Unpack it" in text
    assert "(--images preprocessed)" in text
    assert "08027SYBR: several raw FLAIR images:" in text
    masks = msseg / "Training/Center_01/Patient_01/Masks"
    put(masks / "ManualSegmentation_1.nii", 904, 1)
    with pytest.raises(ManifestError, match="there is another ManualSegmentation_1"):
        from_msseg(msseg)


@pytest.mark.parametrize(
    ("command", "make", "words"),
    [
        ("from-scgm", from_scgm, "no image site<N>-sc<NN>-image"),
        ("from-msseg", from_msseg, "no label map ManualSegmentation_<number>"),
    ],
)
def test_nothing_found(tmp_path, command, make, words):
    with pytest.raises(SettingsError, match="no such folder"):
        make(tmp_path / "none")
    with pytest.raises(ManifestError, match=words):
        make(tmp_path)
    result = CliRunner().invoke(app, [command, str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {tmp_path}: found no")


def test_msseg_unknown_options(tmp_path):
    with pytest.raises(SettingsError, match="FLAIR, T1, T2, GADO, DP"):
        from_msseg(tmp_path, contrast="T1w")
    with pytest.raises(SettingsError, match="'preprocessed' or 'raw'"):
        from_msseg(tmp_path, images="both")


@pytest.mark.parametrize(("name", "images", "raters"), [("scgm", 3, 4), ("msseg", 3, 7)])
def test_the_books_commands(root, request, monkeypatch, name, images, raters):
    folder = request.getfixturevalue(name)
    folder.rename(folder.parent / name)
    shown, cohort = run_page(root, f"{name}-commands", folder.parent, monkeypatch)
    assert "No problems." in shown
    assert (len(cohort), len(cohort.raters)) == (images, raters)
