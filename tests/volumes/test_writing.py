"""Writing: round trips, same bytes, whole or absent."""

import os
import time

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from paraspine import volumes
from paraspine.arrays import GeometryError, ImageError


def turned(array, degrees=(10, 5, -8), spacing=(4.0, 0.5, 0.7)):
    base = volumes.from_array(array, spacing)
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    turn[:3, 3] = 12.5, -30.25, 7
    return volumes.from_array(array, spacing, turn @ base.affine)


@pytest.mark.parametrize("suffix", volumes.WRITABLE)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_round_trip(tmp_path, suffix, dtype):
    rng = np.random.default_rng(0)
    volume = turned(rng.integers(0, 200, (3, 5, 4)).astype(dtype))
    path = volumes.write(tmp_path / "new" / f"a{suffix}", volume)
    assert path == tmp_path / "new" / f"a{suffix}"
    back = volumes.read(path)
    np.testing.assert_array_equal(back.array, volume.array)
    assert volumes.geometry_difference(volume, back, tolerance=1e-4) is None
    assert back.spacing == pytest.approx(volume.spacing, rel=1e-6)
    labels = volumes.read_labels(path)
    np.testing.assert_array_equal(labels.array, volume.array)
    assert os.listdir(path.parent) == [path.name]  # nothing temporary is left


@pytest.mark.parametrize("suffix", volumes.WRITABLE)
def test_same_bytes(tmp_path, suffix, monkeypatch):
    volume = turned(np.random.default_rng(0).normal(size=(2, 20, 20)).astype(np.float32))
    first = volumes.write(tmp_path / f"a{suffix}", volume).read_bytes()
    monkeypatch.setattr(time, "time", lambda: 2e9)
    (tmp_path / "b").mkdir()
    assert volumes.write(tmp_path / "b" / f"other{suffix}", volume).read_bytes() == first


@pytest.mark.parametrize("suffix", volumes.WRITABLE)
def test_other_readers_agree(tmp_path, suffix):
    """SimpleITK, and nibabel where it can, place the voxels where we do."""
    rng = np.random.default_rng(0)
    volume = turned(rng.normal(size=(3, 5, 4)).astype(np.float32))
    path = volumes.write(tmp_path / f"a{suffix}", volume)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.array)
    lps = np.array(image.TransformIndexToPhysicalPoint((3, 4, 2)))
    np.testing.assert_allclose(lps * (-1, -1, 1), (volume.affine @ [2, 4, 3, 1])[:3], atol=1e-4)
    if suffix.startswith(".nii"):
        other = nibabel.load(path)
        assert nibabel.aff2axcodes(other.affine) == ("L", "P", "S")
        np.testing.assert_allclose(other.get_qform(), other.get_sform(), atol=1e-4)
        assert other.header.get_xyzt_units()[0] == "mm"


def test_odd_dtypes(tmp_path):
    for dtype, expected in ((bool, np.uint8), (np.float16, np.float32), (np.int64, np.int32)):
        volume = volumes.from_array(np.ones((1, 2, 2), dtype), (1, 1, 1))
        path = volumes.write(tmp_path / "a.nii", volume)
        assert nibabel.load(path).get_data_dtype() == expected
    for number in (2**31, -(2**31) - 1):
        big = volumes.from_array(np.full((1, 2, 2), number), (1, 1, 1))
        with pytest.raises(ImageError, match=r"below 2\^31"):
            volumes.write(tmp_path / "b.nii", big)
    with pytest.raises(ImageError, match="numbers"):
        volumes.write(tmp_path / "b.nii", volumes.from_array(np.full((1, 1, 1), "x"), (1, 1, 1)))
    assert not (tmp_path / "b.nii").exists()


def test_unknown_suffix(tmp_path):
    volume = volumes.from_array(np.zeros((2, 2)), (1, 1))
    for name in ("a.png", "a.mhd", "a"):
        with pytest.raises(ImageError, match=r"ends in one of \.nii"):
            volumes.write(tmp_path / name, volume)


def test_sheared_axes(tmp_path):
    volume = volumes.from_array(np.zeros((2, 2, 2)), (4, 1, 1))
    affine = volume.affine.copy()
    affine[:3, 0] = [0, 1, np.sqrt(15)]
    sheared = volumes.from_array(volume.array, (4, 1, 1), affine)
    with pytest.raises(GeometryError, match=r"write \.nii\.gz"):
        volumes.write(tmp_path / "a.mha", sheared)
    back = volumes.read(volumes.write(tmp_path / "a.nii.gz", sheared))
    assert volumes.geometry_difference(back, sheared) is None


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = volumes.write(tmp_path / "a.nii", volumes.from_array(np.zeros((2, 2)), (1, 1)))
    old = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    for name in ("a.nii", "b.mha"):
        with pytest.raises(OSError, match="disk full"):
            volumes.write(tmp_path / name, volumes.from_array(np.ones((2, 2)), (1, 1)))
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["a.nii"]
