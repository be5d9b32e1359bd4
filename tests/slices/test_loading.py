"""Cohorts read from files: hand-made ones, and the real images beside the checkout."""

import contextlib
import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from skimage.transform import resize

from paraspine import manifest, volumes
from paraspine.anatomy import ClassTable
from paraspine.arrays import (
    GeometryError,
    LabelError,
    ManifestError,
    SettingsError,
    ShapeError,
    SpacingError,
)
from paraspine.preprocess import Preprocessing
from paraspine.slices import common_grid, load, soft, targets, vote
from paraspine.slices.grid import check_one_grid

CLASSES = {"classes": {"0": "background", "1": "right", "2": "left"}}


def picture(shape, seed=0):
    rng = np.random.default_rng(seed)
    return (100 + 50 * rng.random(shape)).astype(np.float32)


def blocks(shape, seed=0):
    labels = np.zeros(shape, np.uint8)
    height, width = shape[-2:]
    labels[..., height // 4 : height // 2 + seed, width // 4 : width // 2] = 1
    labels[..., height // 4 : height // 2, width // 2 : 3 * width // 4] = 2
    return labels


def write_cohort(folder, images, *, metadata=None, **columns):
    """Write a manifest.

    `images` is a list of (array, spacing, {rater: labels or None}); columns as in the manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i, (array, spacing, labels) in enumerate(images):
        name = f"s{i}.nii.gz"
        volumes.write(folder / name, volumes.from_array(array, spacing))
        line = {"subject": f"s{i}", "image": name}
        for rater, label in labels.items():
            line[f"rater_{rater}"] = None
            if label is not None:
                line[f"rater_{rater}"] = f"s{i}_{rater}.nii.gz"
                volumes.write(folder / line[f"rater_{rater}"], volumes.from_array(label, spacing))
        lines.append(line | {key: values[i] for key, values in columns.items()})
    path = folder / "data_manifest.csv"
    pd.DataFrame(lines).to_csv(path, index=False)
    block = CLASSES | {"name": "made", "synthetic": True, "source": "made up"} | (metadata or {})
    path.with_suffix(".json").write_text(json.dumps(block))
    return path


@pytest.fixture
def plain(tmp_path):
    """Three single slices; the second was rated by b alone, the third by nobody."""
    size = (16, 20)
    return write_cohort(
        tmp_path / "plain",
        [
            (picture(size, 1), (0.7, 0.8), {"a": blocks(size), "b": blocks(size, 1)}),
            (picture(size, 2), (0.7, 0.8), {"a": None, "b": np.zeros(size, np.uint8)}),
            (picture(size, 3), (0.7, 0.8), {"a": None, "b": None}),
        ],
        level=["L3-L4", "S1", "S1"],
        age=[40, 50, 60],
    )


@pytest.fixture
def mixed(tmp_path):
    """A volume of five slices, marked in two by a and in one by b, and an empty single slice."""
    first, second = np.zeros((2, 5, 16, 20), np.uint8)
    first[1:3], second[3] = blocks((16, 20)), blocks((16, 20), 1)
    empty = np.zeros((16, 20), np.uint8)
    return write_cohort(
        tmp_path / "mixed",
        [
            (picture((5, 16, 20), 1), (4.0, 0.7, 0.8), {"a": first, "b": second}),
            (picture((16, 20), 2), (5.0, 0.7, 0.8), {"a": empty, "b": empty}),
        ],
        slice=["all", "one"],
    )


def test_single_slices(plain):
    data = load(manifest.read(plain))
    assert len(data) == 3
    assert data.images.shape == (3, 1, 16, 20)
    assert data.images.dtype == np.float32
    assert data.labels.shape == (3, 2, 16, 20)
    assert data.labels.dtype == np.uint8
    assert data.rated.tolist() == [[True, True], [False, True], [False, False]]
    assert data.raters == ("a", "b")
    assert data.spacing == pytest.approx((0.7, 0.8))
    assert (data.source, data.synthetic) == ("made up", True)
    assert data.classes.names == ("background", "right", "left")
    np.testing.assert_array_equal(data.labels[0, 0], blocks((16, 20)))
    np.testing.assert_array_equal(data.labels[0, 1], blocks((16, 20), 1))
    assert not data.labels[1:].any()
    scaled = picture((16, 20), 2).astype(np.float64)
    scaled = (scaled - scaled.min()) / np.ptp(scaled)
    np.testing.assert_allclose(data.images[1, 0], scaled, atol=1e-6)
    table = data.table
    assert table["subject"].tolist() == ["s0", "s1", "s2"]
    assert table["slice"].tolist() == [0, 0, 0]
    assert table["row"].tolist() == [0, 1, 2]
    assert table["level"].tolist() == ["L3-L4", "S1", "S1"]
    assert table["age"].tolist() == [40, 50, 60]
    assert not [c for c in table if c.startswith(("rater_", "sha256_"))]


def test_not_rated_is_not_rated_and_empty(plain):
    data = load(manifest.read(plain))
    empty = soft(data)[1]
    assert (empty[0] == 1).all()
    assert np.isnan(soft(data)[2]).all()
    with pytest.raises(LabelError, match=r"slice 0 of s2\.nii\.gz"):
        targets(data, "majority")
    assert not vote(data.select([0, 1]))[1].any()


def test_volumes_become_axial_slices(mixed):
    data = load(manifest.read(mixed))
    assert len(data) == 6
    assert data.table["slice"].tolist() == [0, 1, 2, 3, 4, 0]
    assert data.table["row"].tolist() == [0] * 5 + [1]
    assert data.table["thickness"].tolist() == pytest.approx([4.0] * 5 + [5.0])
    assert data.table["manifest_slice"].tolist() == ["all"] * 5 + ["one"]
    assert data.rated.all()
    assert data.labels.any(axis=(1, 2, 3)).tolist() == [False, True, True, True, False, False]
    # A volume is scaled as one image, not slice by slice.
    whole = volumes.read(mixed.parent / "s0.nii.gz").array
    np.testing.assert_allclose(data.images[:5, 0], (whole - whole.min()) / np.ptp(whole), atol=1e-6)


def test_label_only_leaves_out_empty_slices_of_volumes(mixed):
    data = load(manifest.read(mixed), label_only=True)
    assert data.table["slice"].tolist() == [1, 2, 3, 0]
    assert data.table["subject"].tolist() == ["s0", "s0", "s0", "s1"]
    cohort = manifest.read(mixed)
    empty = volumes.from_array(np.zeros((5, 16, 20), np.uint8), (4.0, 0.7, 0.8))
    for rater in "ab":
        volumes.write(mixed.parent / f"s0_{rater}.nii.gz", empty)
    with pytest.raises(ManifestError, match="no slice remains"):
        load(cohort.select([0]), label_only=True)


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(mixed, plain, workers):
    for path in (mixed, plain):
        one, many = (load(manifest.read(path), workers=w) for w in (1, workers))
        np.testing.assert_array_equal(one.images, many.images)
        np.testing.assert_array_equal(one.labels, many.labels)
        pd.testing.assert_frame_equal(one.table, many.table)


def test_progress_is_text_on_request(plain, capsys):
    load(manifest.read(plain))
    assert capsys.readouterr().err == ""
    load(manifest.read(plain), progress=True)
    assert "3/3" in capsys.readouterr().err


def test_a_split_of_the_cohort_splits_the_slices(mixed):
    cohort = manifest.read(mixed)
    parts = load(cohort).split(manifest.folds(cohort, 2))
    assert sorted(len(part) for part in parts.values()) == [1, 5]
    for part in parts.values():
        assert part.table["subject"].nunique() == 1


def test_some_rows_of_a_cohort(plain):
    cohort = manifest.read(plain)
    data = load(cohort.select([2, 0]))
    assert data.table["subject"].tolist() == ["s2", "s0"]
    assert data.table["row"].tolist() == [2, 0]
    whole = load(cohort)
    np.testing.assert_array_equal(data.images, whole.images[[2, 0]])
    np.testing.assert_array_equal(data.keys, whole.keys[[2, 0]])


@pytest.fixture
def sizes(tmp_path):
    """Fields of view of 16 x 16, 16 x 16 and 16 x 19.2 mm in other pixels."""
    return write_cohort(
        tmp_path / "sizes",
        [
            (picture((16, 20), 1), (1.0, 0.8), {"a": blocks((16, 20))}),
            (picture((32, 40), 2), (0.5, 0.4), {"a": blocks((32, 40))}),
            (picture((8, 12), 3), (2.0, 1.6), {"a": blocks((8, 12))}),
        ],
    )


def test_different_sizes_need_a_common_grid(sizes):
    cohort = manifest.read(sizes)
    with pytest.raises(ShapeError) as caught:
        load(cohort)
    for words in ("16 x 20", "32 x 40", "s1.nii.gz", "size=(H, W)", "common_grid"):
        assert words in str(caught.value)
    with pytest.raises(ShapeError, match=r"one pixel spacing.*0\.5 x 0\.4 mm.*spacing="):
        load(cohort, size=(16, 16))
    for step, refused in ((0.8004, False), (0.81, True)):  # rounding, or other pixels
        with pytest.raises(ShapeError) if refused else contextlib.nullcontext():
            check_one_grid([(4, 4)] * 2, [(1.0, 0.8), (1.0, step)], ["s0", "s1"])


def test_a_common_grid(sizes):
    data = load(manifest.read(sizes), size=(16, 20), spacing=(1.0, 0.8))
    assert data.images.shape == (3, 1, 16, 20)
    assert data.spacing == (1.0, 0.8)
    # The first image lies on that grid already.
    np.testing.assert_array_equal(data.labels[0, 0], blocks((16, 20)))
    # The second is the same scene in finer pixels: its blocks cover the same places.
    assert (data.labels[1, 0] != data.labels[0, 0]).mean() < 0.03
    # The third is twice as coarse and wider: two columns on either side are cut off.
    doubled = np.kron(blocks((8, 12)), np.ones((2, 2)))
    np.testing.assert_array_equal(data.labels[2, 0], doubled[:, 2:22])
    # On a grid that is wider still, what lies beyond the image is background.
    wide = load(manifest.read(sizes), size=(16, 28), spacing=(1.0, 0.8)).labels[2, 0]
    np.testing.assert_array_equal(wide, np.pad(doubled, ((0, 0), (2, 2))))
    assert data.images.min() >= 0
    assert data.images.max() <= 1


def test_labels_are_never_interpolated_as_numbers(tmp_path):
    # Class 2 beside background: an interpolated number would invent class 1 between them.
    labels = np.zeros((24, 24), np.uint8)
    labels[5:19, 7:16] = 2
    path = write_cohort(tmp_path, [(picture((24, 24)), (1.0, 1.0), {"a": labels})])
    data = load(manifest.read(path), size=(40, 40), spacing=(0.57, 0.63))
    assert set(np.unique(data.labels)) == {0, 2}
    area = (data.labels == 2).sum() * 0.57 * 0.63
    assert area == pytest.approx(14 * 9, rel=0.05)


def test_a_grid_off_the_images_centre(tmp_path):
    image = np.zeros((20, 30), np.float32)
    image[14, 4] = 1  # 4.5 rows below and 10.5 columns to the left of the centre
    path = write_cohort(tmp_path, [(image, (2.0, 0.5), {"a": blocks((20, 30))})])
    # 11 mm down and 6 mm to the patient's right of the image's centre.
    data = load(manifest.read(path), size=(7, 9), spacing=(2.0, 0.5), center=(9.0, -5.25))
    assert np.unravel_index(data.images[0, 0].argmax(), (7, 9)) == (3, 4)


@pytest.mark.parametrize(("rows", "columns"), [(2.0, 0.8), (0.5, 2.4), (1.5, 1.6)])
def test_an_image_made_coarser_is_smoothed_as_scikit_image_does(tmp_path, rows, columns):
    noise = np.random.default_rng(0).normal(100, 10, (48, 72)).astype(np.float32)
    path = write_cohort(tmp_path, [(noise, (0.5, 0.8), {"a": blocks((48, 72))})])
    settings = Preprocessing(window=(0, 200))
    found = load(manifest.read(path), spacing=(rows, columns), preprocessing=settings).images[0, 0]
    shape = (round(48 * 0.5 / rows), round(72 * 0.8 / columns))
    expected = resize(noise / 200, shape, order=1, mode="edge", anti_aliasing=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_common_grid_by_hand(sizes, plain):
    # Median spacing 1 x 0.8 mm; the largest field of view is 16 x 19.2 mm; sides become multiples.
    cohort = manifest.read(sizes)
    assert common_grid(cohort, 64, multiple=4) == {
        "size": (16, 24), "spacing": pytest.approx((1.0, 0.8)), "center": None,
    }  # fmt: skip
    assert common_grid(cohort, 64)["size"] == (16, 32)
    # 24 columns into 16: 1.5 times coarser, 10.7 rows become 16.
    assert common_grid(cohort, 20)["size"] == (16, 16)
    assert common_grid(cohort, 20)["spacing"] == pytest.approx((1.5, 1.2))
    data = load(cohort, **common_grid(cohort, 20))
    assert data.size == (16, 16)
    # Images of one grid that fits stay as they are, voxel for voxel.
    same = manifest.read(plain)
    grid = common_grid(same, 20, multiple=4)
    np.testing.assert_array_equal(load(same, **grid).images, load(same).images)


def test_the_manifests_grid_is_taken(tmp_path):
    asked = {"grid": {"size": [32, 24], "spacing": [0.5, 0.5], "center": [1, -2]}}
    path = write_cohort(
        tmp_path, [(picture((20, 20)), (1.0, 1.0), {"a": blocks((20, 20))})], metadata=asked
    )
    cohort = manifest.read(path)
    assert common_grid(cohort, 64, multiple=8) == {
        "size": (32, 24), "spacing": (0.5, 0.5), "center": (1.0, -2.0),
    }  # fmt: skip
    smaller = common_grid(cohort, 16, multiple=8)
    assert (smaller["size"], smaller["spacing"]) == ((16, 16), (1.0, 1.0))
    for grid, words in (({"sise": [1, 1]}, "grid"), ({"size": [16.5, 16]}, "size")):
        with pytest.raises(SettingsError, match=words):
            common_grid(dataclasses.replace(cohort, metadata={"grid": grid}), 64)
    with pytest.raises(SettingsError, match="at least 16"):
        common_grid(cohort, 8)
    with pytest.raises(SettingsError, match="max_size"):
        common_grid(cohort, "256")


def test_a_second_load_takes_cleaned_images_from_the_cache(plain, tmp_path):
    asked = {"preprocessing": Preprocessing(denoise=True, strength=0.5), "cache": tmp_path / "kept"}
    first = load(manifest.read(plain), **asked, workers=2)
    entries = sorted(asked["cache"].rglob("*.npz"))
    np.testing.assert_array_equal(load(manifest.read(plain), **asked).images, first.images)
    load(manifest.read(plain), size=(8, 8), **asked)  # another grid needs no new cleaning
    assert len(entries) == 3
    assert sorted(asked["cache"].rglob("*.npz")) == entries


def test_the_manifest_says_what_the_intensities_are(tmp_path):
    image = np.full((16, 16), -100, np.float32)
    image[4:8] = [[300]]
    block = {"intensity": {"kind": "CT", "window": [-160, 240]}}
    path = write_cohort(tmp_path, [(image, (1, 1), {"a": blocks((16, 16))})], metadata=block)
    cohort = manifest.read(path)
    data = load(cohort)
    assert np.unique(data.images).tolist() == pytest.approx([0.15, 1.0])
    other = load(cohort, preprocessing=Preprocessing(intensity="minmax"))
    assert np.unique(other.images).tolist() == [0, 1]
    with pytest.raises(SettingsError, match="CT"):
        load(cohort, preprocessing=Preprocessing(bias_correction=True))
    assert load(cohort, preprocessing=Preprocessing(denoise=True)).images.shape == (1, 1, 16, 16)


def test_arguments_are_checked(plain):
    cohort = manifest.read(plain)
    for options, words in [
        ({"workers": 0}, "workers"),
        ({"size": (16, 16, 16)}, "size"),
        ({"size": 16}, "size"),
        ({"size": (16, 0)}, "size"),
        ({"spacing": "1x1"}, "spacing"),
        ({"center": (1,)}, "center"),
    ]:
        with pytest.raises(SettingsError, match=words):
            load(cohort, **options)
    with pytest.raises(SpacingError):
        load(cohort, spacing=(0.0, 1.0))
    with pytest.raises(LabelError, match="at most 256"):
        load(dataclasses.replace(cohort, classes=ClassTable(range(257))))


def test_files_that_changed_after_the_check_are_named(plain):
    cohort = manifest.read(plain)
    label = plain.parent / "s0_a.nii.gz"
    volumes.write(label, volumes.from_array(blocks((16, 20)) * 2, (0.7, 0.8)))
    with pytest.raises(LabelError, match=r"s0_a\.nii\.gz.*0 to 2"):
        load(cohort)
    volumes.write(label, volumes.from_array(blocks((16, 18)), (0.7, 0.8)))
    with pytest.raises(GeometryError, match=r"s0_a\.nii\.gz.*s0\.nii\.gz"):
        load(cohort, workers=2)


def lidc_manifest(folder, shared_data):
    """The lines that a user would write; images are linked, not copied."""
    source = shared_data / "lidc-0181"
    crops = pd.read_csv(source / "crops.csv", dtype={"crop": str})
    lines = []
    for crop, nodule in zip(crops["crop"], crops["nodule"], strict=True):
        line = {"subject": f"nodule-{nodule}", "image": f"sub-0181_crop-{crop}_ct.nii.gz"}
        for rater in range(1, 5):
            name = f"sub-0181_crop-{crop}_rater-{rater}.nii.gz"
            line[f"rater_{rater}"] = name if (source / name).is_file() else None
        lines.append(line)
    path = folder / "data_manifest.csv"
    pd.DataFrame(lines).to_csv(path, index=False)
    block = {
        "classes": {"0": "background", "1": "nodule"},
        "intensity": {"kind": "CT", "window": [-1000, 400]},
        "name": "lidc-0181",
    }
    path.with_suffix(".json").write_text(json.dumps(block))
    return manifest.read(path, data_root=source)


@pytest.mark.shared
def test_four_radiologists(shared_data, tmp_path):
    cohort = lidc_manifest(tmp_path, shared_data)
    data = load(cohort, workers=2)
    crops = pd.read_csv(shared_data / "lidc-0181" / "crops.csv")
    assert data.images.shape == (41, 1, 96, 96)
    assert data.raters == ("1", "2", "3", "4")
    counts = data.rated.sum(axis=1)
    np.testing.assert_array_equal(counts, crops["raters_that_outlined"])
    assert (counts == 4).sum() == 21
    assert not data.synthetic
    # Against SimpleITK: the file's rows run to posterior, its columns to the left or the right.
    raw = sitk.ReadImage(str(shared_data / "lidc-0181" / "sub-0181_crop-02_ct.nii.gz"))
    raw = sitk.GetArrayFromImage(sitk.DICOMOrient(raw, "LPS"))[0]
    np.testing.assert_allclose(data.images[2, 0], np.clip((raw + 1000) / 1400, 0, 1), atol=1e-6)
    sides = manifest.split(cohort, (0.5, 0.25, 0.25))
    parts = data.split(sides)
    seen = [set(part.table["subject"]) for part in parts.values()]
    assert sum(len(s) for s in seen) == len(set.union(*seen)) == 8
