"""DICOM series, written slice by slice with SimpleITK as its own example does."""

import locale
from contextlib import nullcontext

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from paraspine import volumes
from paraspine.arrays import ImageError

EAST = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def write_slice(path, array, position, orientation=EAST, series="1.2.3", **tags):
    """One DICOM file; position and orientation in LPS mm."""
    image = sitk.GetImageFromArray(array[None].astype(np.int16))
    image.SetSpacing((0.5, 0.7, 4.0))
    values = {
        "0008|0060": "MR",
        "0020|000e": series,
        "0020|000d": "1.2.9",
        "0020|0032": "\\".join(f"{p:.6f}" for p in position),
        "0020|0037": "\\".join(f"{o:.8f}" for o in orientation),
        "0008|103e": "T2w axial",
        "0020|0011": "7",
        "0018|0050": "4",
    }
    values |= tags
    for key, value in values.items():
        image.SetMetaData(key, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    before = locale.setlocale(locale.LC_ALL)
    writer.Execute(image)  # SimpleITK's DICOM writer leaves the process in the C locale
    locale.setlocale(locale.LC_ALL, before)
    return path


def stack(folder, count=5, shape=(6, 4), step=4.0, names=None, **tags):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 1000, (count, *shape))
    folder.mkdir(exist_ok=True)
    for k in range(count):
        name = names[k] if names else f"{k}.dcm"
        write_slice(
            folder / name, array[k], (-10, -20, 100 + step * k), **{"0020|0013": str(k)}, **tags
        )
    return array


def test_series_is_sorted_by_position(tmp_path):
    names = ["c.dcm", "a.dcm", "e.dcm", "b.dcm", "d.dcm"]
    array = stack(tmp_path / "s", names=names)
    volume = volumes.read(tmp_path / "s")
    np.testing.assert_array_equal(volume.array, array)
    assert volume.spacing == pytest.approx((4, 0.7, 0.5))
    assert (volume.affine @ [0, 0, 0, 1])[:3] == pytest.approx([10, 20, 100])
    assert (volume.affine @ [4, 5, 3, 1])[:3] == pytest.approx([10 - 1.5, 20 - 3.5, 116])


def test_spacing_comes_from_positions_not_thickness(tmp_path):
    stack(tmp_path / "s", step=5.5)  # slices 4 mm thick with a gap
    assert volumes.read(tmp_path / "s").spacing[0] == pytest.approx(5.5)


def test_oblique_and_tilted_series(tmp_path):
    rng = np.random.default_rng(1)
    turn = Rotation.from_euler("xyz", [20, -10, 5], degrees=True).as_matrix()
    array = rng.integers(0, 1000, (4, 6, 5))
    step = 4 * turn[:, 2] + 0.8 * turn[:, 1]  # a tilted gantry: not along the normal
    origin = np.array([5.0, -7.0, 9.0])
    (tmp_path / "s").mkdir()
    for k in range(4):
        write_slice(
            tmp_path / "s" / f"{9 - k}.dcm", array[k], origin + k * step, turn.T[:2].ravel()
        )
    volume = volumes.read(tmp_path / "s")
    np.testing.assert_array_equal(volume.array, array)
    index = np.array([2, 3, 4])
    lps = origin + 2 * step + 3 * 0.7 * turn[:, 1] + 4 * 0.5 * turn[:, 0]
    np.testing.assert_allclose((volume.affine @ [*index, 1])[:3], lps * (-1, -1, 1), atol=1e-4)


def test_single_file_and_folder_of_one(tmp_path):
    array = stack(tmp_path / "s", count=1)
    for path in (tmp_path / "s", tmp_path / "s" / "0.dcm"):
        volume = volumes.read(path)
        np.testing.assert_array_equal(volume.array, array)
        assert volume.spacing[1:] == pytest.approx((0.7, 0.5))
    (tmp_path / "s" / "0.dcm").rename(tmp_path / "IM0001")
    np.testing.assert_array_equal(volumes.read(tmp_path / "IM0001").array, array)


def test_several_series_are_named(tmp_path):
    stack(tmp_path / "s", count=2, names=["a.dcm", "b.dcm"], series="1.2.3")
    stack(
        tmp_path / "s", count=3, names=["c.dcm", "d.dcm", "e.dcm"], series="1.2.4",
        **{"0008|103e": "T1w axial", "0020|0011": "9"},
    )  # fmt: skip
    with pytest.raises(ImageError) as caught:
        volumes.read(tmp_path / "s")
    for words in ("found 2", "7 T2w axial (2 files", "9 T1w axial (3 files", "1.2.4", "own"):
        assert words in str(caught.value)


def test_missing_slice_is_noticed(tmp_path):
    stack(tmp_path / "s", count=5)
    (tmp_path / "s" / "2.dcm").unlink()
    with pytest.raises(ImageError, match=r"1\.dcm and 3\.dcm are 8 mm apart.*missing"):
        volumes.read(tmp_path / "s")
    stack(tmp_path / "uneven", count=4)
    for last, refused in ((4.1, False), (4.5, True)):  # a tenth of a mm is rounding
        write_slice(
            tmp_path / "uneven" / "4.dcm", np.ones((6, 4)), (-10, -20, 112 + last),
            **{"0020|0013": "4"},
        )  # fmt: skip
        with pytest.raises(ImageError, match=r"are 4\.5 mm") if refused else nullcontext():
            volumes.read(tmp_path / "uneven")


def test_two_echoes_at_one_place(tmp_path):
    stack(tmp_path / "s", count=3)
    stack(tmp_path / "s", count=3, names=["x.dcm", "y.dcm", "z.dcm"])
    with pytest.raises(ImageError, match="same position"):
        volumes.read(tmp_path / "s")


def test_stacks_in_several_directions(tmp_path):
    stack(tmp_path / "s", count=3)
    turn = Rotation.from_euler("x", 20, degrees=True).as_matrix()
    write_slice(tmp_path / "s" / "t.dcm", np.ones((6, 4)), (0, 0, 0), turn.T[:2].ravel())
    with pytest.raises(ImageError, match="2 different directions"):
        volumes.read(tmp_path / "s")
